"""A host that has a bundle takes the next one from a delta: what it lacks is loaded, what it has is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.deploy.bundle import delta
from offline.miniature import SCRIPTS, Host, Miniature, Signer

LOAD = """
set -euo pipefail
. "$1/lib.sh"
INTO="$2"
read_manifest "$3"
echo "$BUNDLE_ID $BUNDLE_BASE"
for key in "${IMAGE_KEYS[@]}"; do
    image_id "$key"
    before="$LOADED_ID"
    load_image "$3" "$key"
    [[ $LOADED_ID == "${IMAGE_ID[$key]}" ]] && echo "$key ${before:+was here}"
done
"""


@pytest.fixture
def carried(tmp_path: Path, signer: Signer) -> tuple[Path, delta.Made]:
    """A miniature, and the delta from it to the next version: api and worker have changed."""
    old = Miniature().write(tmp_path / "old", signer)
    newer = {"api": "our code anew", "worker": "and the worker's"}
    new = Miniature(version="1.1", images_of=newer).write(tmp_path / "new", signer)
    return old, delta.make(delta.Order(old=old, new=new, out=tmp_path / "medium", key=signer.key))


HAVE = """
set -euo pipefail
. "$1/lib.sh"
INTO="$2"
mkdir -p "$INTO/plane"
read_manifest "$3"
for key in "${IMAGE_KEYS[@]}"; do
    load_image "$3" "$key"
    set_settings "$(image_setting "$key")=$LOADED_ID"
done
"""
"""What install.sh leaves of images."""


def test_the_first_check_finds_it_whole(carried: tuple[Path, delta.Made], signer: Signer, host: Host) -> None:
    _, made = carried
    check = host.folder / "check.sh"
    check.write_text(f'set -euo pipefail\n. "{SCRIPTS}/lib.sh"\ncheck_trust "$1" "$2"\necho well\n')
    done = host.run(check, made.folder, signer.signers)
    assert done.stdout == "well\n", done.stderr
    assert not (made.folder / "models").exists()


@pytest.mark.slow
def test_a_host_with_the_base_loads_what_it_lacks(carried: tuple[Path, delta.Made], host: Host) -> None:
    old, made = carried
    for name, text in {"have": HAVE, "load": LOAD}.items():
        (host.folder / name).write_text(text)
    had = host.run(host.folder / "have", SCRIPTS, host.into, old)
    assert had.returncode == 0, had.stderr
    done = host.run(host.folder / "load", SCRIPTS, host.into, made.folder)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == f"{made.manifest.bundle_id} {made.manifest.base}"
    same = {"clamav", "minio", "nomic-embed", "postgres", "qdrant", "redis"}
    assert {line.split()[0] for line in rest} == same | {"api", "worker"}
    assert {line.split()[0] for line in rest if line.endswith("was here")} == same


def test_a_host_without_it_is_told_so(carried: tuple[Path, delta.Made], signer: Signer, host: Host) -> None:
    _, made = carried
    done = host.run(made.folder / "scripts/install.sh", "--signers", signer.signers, "--into", host.into)
    assert done.returncode == 10
    assert "[bundle_partial]" in done.stderr
    assert made.manifest.base in done.stderr
    assert not any(call[0] == "load" for call in host.calls)
