"""export.sh on a small bundle: what it leaves, what it never leaves, and what it takes away."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from offline.answers import ARCHIVE, EXPORT
from offline.miniature import Host, Signer
from servers.process import free_port

pytestmark = pytest.mark.slow

RECIPIENT = "age1" + "q" * 58


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, miniature: Path, signer: Signer) -> Host:
    """A host with a plane, for all tests here."""
    host = Host(tmp_path_factory.mktemp("exporting") / "host")
    told = ["--signers", signer.signers, "--into", host.into, "--port", str(free_port())]
    done = host.run(miniature / "scripts/install.sh", *told)
    assert done.returncode == 0, done.stdout + done.stderr
    return host


@pytest.fixture(autouse=True)
def fresh(installed: Host) -> None:
    """No exports, and an engine without whims."""
    installed.told()
    installed.answer()
    for path in (installed.into / "exports").glob("*"):
        path.unlink()


def export(host: Host, *more: str | Path, recipient: str = RECIPIENT) -> Any:
    return host.run(host.into / "bundle/scripts/export.sh", "--recipient", recipient, "--into", host.into, *more)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_leaves_a_whole_archive_and_what_to_keep(installed: Host, tmp_path: Path) -> None:
    done = export(installed, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    archive, report = left(tmp_path)
    assert archive.endswith(f"-{EXPORT}.tar")
    assert report == f"{archive}.txt"
    assert (tmp_path / archive).read_bytes() == ARCHIVE
    assert "frostbyte/acme/plane" in (tmp_path / report).read_text()
    assert {(tmp_path / name).stat().st_mode & 0o077 for name in (archive, report)} == {0}
    assert str(tmp_path / archive) in done.stdout
    (call,) = [call for call in installed.calls if "export" in call][-1:]
    assert call[call.index("--recipient") + 1] == RECIPIENT
    assert call[call.index("--actor") + 1].startswith("operator:")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"export_bytes": 5000}, "export_failed"),
        ({"export_bytes": 5000, "export_exit": 7}, "export_failed"),
        ({"export_bytes": 0, "export_exit": 1}, "export_failed"),
    ],
    ids=["cut", "cut and said", "nothing"],
)
def test_what_is_not_whole_is_not_left(installed: Host, tmp_path: Path, facts: dict[str, int], name: str) -> None:
    installed.told(**facts)
    done = export(installed, "--out", tmp_path)
    assert (done.returncode, left(tmp_path)) == (1, [])
    assert f"[{name}]" in done.stderr


def test_what_was_killed_is_left_under_no_good_name_and_taken_away_by_the_next(installed: Host, tmp_path: Path) -> None:
    for when in ("before", "after"):
        for ahead in range(1, 7):
            installed.cut_power(len(installed.calls) + ahead, when)
            export(installed, "--out", tmp_path)
            (installed.standin / "die").unlink(missing_ok=True)
            for name in left(tmp_path):
                if name.endswith(".tar"):
                    assert (tmp_path / name).read_bytes() == ARCHIVE
    assert export(installed, "--out", tmp_path).returncode == 0
    assert not [name for name in left(tmp_path) if name.endswith(".part")]


def test_missing_objects_are_said_and_the_archive_stays(installed: Host, tmp_path: Path) -> None:
    installed.told(export_exit=3)
    done = export(installed, "--out", tmp_path)
    assert (done.returncode, len(left(tmp_path))) == (1, 2)
    assert "[objects_missing]" in done.stderr


def test_nothing_stays_beside_the_plane_for_longer_than_a_day_or_than_a_document_in_it(installed: Host) -> None:
    folder = installed.into / "exports"
    folder.mkdir(exist_ok=True)
    names = {"old": "2", "erased": "3", "good": "4"}
    for what, number in names.items():
        path = folder / f"frostbyte-export-acme-x-0190a0b0-0000-7000-8000-00000000000{number}.tar"
        path.write_bytes(ARCHIVE)
        path.with_name(path.name + ".txt").write_text("words")
        if what == "old":
            os.utime(path, (time.time() - 90_000,) * 2)
    (folder / "frostbyte-export-acme-y.tar.part").write_bytes(b"half")
    installed.answer(**{"plane export-list": {"stdout": "0190a0b0-0000-7000-8000-000000000003\n"}})
    done = export(installed)
    assert done.returncode == 0, done.stderr
    kept = [name for name in left(folder) if name.endswith(".tar")]
    assert [name[-5] for name in kept] == ["1", "4"] or [name[-5] for name in kept] == ["4", "1"]
    assert len(left(folder)) == 4
    assert done.stdout.count("removed frostbyte-export") == 3


@pytest.mark.parametrize("recipient", ["", "age1", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1" + "Q" * 58])
def test_there_is_no_export_without_a_recipient(installed: Host, recipient: str) -> None:
    calls = len(installed.calls)
    done = export(installed, recipient=recipient)
    assert done.returncode == 2
    assert len(installed.calls) == calls
    assert "SECRET" not in done.stderr


def test_it_stops_where_there_is_no_plane_or_no_folder(installed: Host, tmp_path: Path) -> None:
    script = installed.into / "bundle/scripts/export.sh"
    done = installed.run(script, "--recipient", RECIPIENT, "--into", tmp_path / "none")
    assert (done.returncode, "[not_installed]" in done.stderr) == (10, True)
    done = export(installed, "--out", tmp_path / "none")
    assert (done.returncode, "[out_unwritable]" in done.stderr) == (10, True)
