"""Whatever is changed in a bundle, the documented first check finds it, and install.sh loads and runs nothing.

Every file is flipped by one bit, removed, truncated, and swapped with another, the scripts too. install.sh is tried
with a seeded sample of them, with FROSTBYTE_SOAK=all with all; a script that is itself changed can promise nothing, so
for those that install.sh consists of there is the first check alone.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from draws import SEED, SOAK
from frostbyte.deploy.bundle import layout
from offline.miniature import ROOT, SCRIPTS, Host, Signer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
INSTALL = SCRIPTS / "install.sh"
OURS = {f"scripts/{name}" for name in re.findall(r'^\. "[^\n]*/([a-z]+\.sh)"$', INSTALL.read_text(), re.MULTILINE)}
OURS.add("scripts/install.sh")
Damage = Callable[[Path, Path], None]


def flipped(path: Path, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def removed(path: Path, other: Path) -> None:
    path.unlink()


def truncated(path: Path, other: Path) -> None:
    # The line end behind a signature's last line is no part of it.
    path.write_bytes(path.read_bytes()[: -2 if path.name == layout.SIGNATURE else -1])


def swapped(path: Path, other: Path) -> None:
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


DAMAGES: list[Damage] = [flipped, removed, truncated, swapped]


@contextmanager
def damaged(bundle: Path, name: str, damage: Damage) -> Iterator[None]:
    """With that damage; whole again behind it."""
    path, other = bundle / name, bundle / partner(bundle, name)
    before = {one: one.read_bytes() for one in (path, other)}
    damage(path, other)
    try:
        yield
    finally:
        for one, data in before.items():
            one.write_bytes(data)


def names(bundle: Path) -> list[str]:
    return sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


def partner(bundle: Path, name: str) -> str:
    """The next file with other content: to swap two that are equal changes nothing."""
    found = names(bundle)
    mine = (bundle / name).read_bytes()
    return next(one for one in found[found.index(name) + 1 :] + found if (bundle / one).read_bytes() != mine)


@pytest.fixture
def copy(miniature: Path, tmp_path: Path) -> Path:
    """Another copy of the bundle on its medium."""
    return Path(shutil.copytree(miniature, tmp_path / miniature.name))


def first_check(signer: Signer) -> str:
    """The two lines as the operator's guide has them."""
    text = (ROOT / "docs" / "offline.md").read_text()
    found = re.search(r"^ssh-keygen -Y verify .*(?:\\\n.*)*&& *\\?\n?.*sha256sum.*$", text, flags=re.MULTILINE)
    assert found is not None, "docs/offline.md has no first check"
    return found[0].replace("SIGNERS", str(signer.signers))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_first_check_of_the_guide_finds_it(damage: Damage, copy: Path, signer: Signer) -> None:
    command = first_check(signer)

    def checked() -> int:
        return subprocess.run(["bash", "-c", command], cwd=copy, capture_output=True, check=False).returncode

    assert checked() == 0
    found = names(copy)
    assert len(found) > 25
    for name in found:
        with damaged(copy, name, damage):
            assert checked() != 0, name
    assert checked() == 0


def test_install_stops_before_anything_is_loaded_or_run(copy: Path, signer: Signer, host: Host) -> None:
    cases = [(name, damage) for name in names(copy) for damage in DAMAGES if name not in OURS]
    # What is swapped with one of install.sh's own files changes those as well.
    cases = [(name, damage) for name, damage in cases if damage is not swapped or partner(copy, name) not in OURS]
    chosen = cases if SOAK else random.Random(SEED).sample(cases, 10)
    for name, damage in chosen:
        with damaged(copy, name, damage):
            done = host.run(copy / "scripts/install.sh", "--signers", signer.signers, "--into", host.into)
        assert done.returncode == 11, (name, damage.__name__, done.stdout, done.stderr)
        assert done.stderr.count("What to do:") == 1
    assert not host.into.exists()
    assert not {call[0] for call in host.calls} & {"load", "run", "exec"}
    assert not host.state.get("images")
