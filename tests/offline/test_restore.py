"""install.sh --restore on a small bundle: the export is there before the plane starts, and never half of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offline.answers import ARCHIVE
from offline.miniature import Host, Signer
from servers.process import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def export(host: Host) -> Path:
    """What an operator brings: the archive, and the identity on a medium of its own."""
    (host.folder / "media").mkdir()
    (host.folder / "media/identity.txt").write_text("AGE-SECRET-KEY-1EXAMPLE\n")
    (host.folder / "media/identity.txt").chmod(0o600)
    (host.folder / "media/export.tar").write_bytes(ARCHIVE)
    return host.folder / "media/export.tar"


def restore(host: Host, bundle: Path, signer: Signer, export: Path, port: int, *more: str | Path) -> Any:
    told = ["--signers", signer.signers, "--into", host.into, "--port", str(port)]
    given = ["--restore", export, "--identity", export.with_name("identity.txt"), *more]
    return host.run(bundle / "scripts/install.sh", *told, *given)


def verbs(host: Host) -> list[str]:
    """In which order compose was asked for what changes something."""
    return [word for call in host.calls if call[0] == "compose" for word in call if word in ("run", "up")]


def test_a_plane_begins_with_an_export(host: Host, miniature: Path, signer: Signer, export: Path) -> None:
    port = free_port()
    done = restore(host, miniature, signer, export, port, "--log-key", export.with_name("identity.txt"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (host.volume("gatewaydata") / "restored").read_bytes() == ARCHIVE
    assert verbs(host) == ["run", "up"], "restored before it starts"
    assert not (host.into / "state/restore").exists(), "nothing that was lent is left, least of all the identity"
    assert "token-of-operator" in done.stdout
    calls = len(host.calls)
    again = restore(host, miniature, signer, export, port)
    assert again.returncode == 0, again.stderr
    assert not {"run", "up"} & {word for call in host.calls[calls:] for word in call}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_restore_that_is_cut_off_goes_on_and_is_not_forgotten(
    host: Host, miniature: Path, signer: Signer, export: Path, when: str
) -> None:
    port = free_port()
    (host.standin / "die").write_text(f"bundle import {when}")
    assert restore(host, miniature, signer, export, port).returncode != 0
    without = host.run(miniature / "scripts/install.sh", "--into", host.into, "--port", str(port))
    assert without.returncode == 10, without.stdout + without.stderr
    assert "restore_unfinished" in without.stderr
    assert "up" not in verbs(host), "an empty plane does not take its place"
    done = restore(host, miniature, signer, export, port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (host.volume("gatewaydata") / "restored").read_bytes() == ARCHIVE
    assert not (host.into / "state/restore").exists()


def test_what_cannot_be_restored_is_said_before_or_leaves_the_plane_unstarted(
    host: Host, miniature: Path, signer: Signer, export: Path
) -> None:
    port = free_port()
    done = restore(host, miniature, signer, export.with_name("elsewhere.tar"), port)
    assert (done.returncode, "restore_missing" in done.stderr) == (10, True), done.stderr
    assert not (host.into / "state").exists()
    done = host.run(miniature / "scripts/install.sh", "--signers", signer.signers, "--restore", export)
    assert done.returncode == 2
    export.write_bytes(ARCHIVE[:-1])
    done = restore(host, miniature, signer, export, port)
    assert (done.returncode, "restore_failed" in done.stderr) == (1, True), done.stderr
    assert "up" not in verbs(host)
    assert not (host.into / "state/restore").exists()
