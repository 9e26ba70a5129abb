"""Out of the ledger and into it: exports hold on their own, and what an offline plane exported joins its history."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from frostbyte.cli.verifier import verify_export
from frostbyte.control_plane.ledger.export import LedgerExporter
from frostbyte.control_plane.ledger.importing import Imported, Importer, unpacked
from frostbyte.control_plane.ledger.ports import LedgerStore
from frostbyte.control_plane.ledger.records import Finding
from frostbyte.kernel.audit.export import EVENTS, LEAVES, MANIFEST
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from ledger.planes import SimulatedPlane
from ledger.test_pull import WITNESS, Ledger


@pytest.fixture
def ledger(store: LedgerStore) -> Ledger:
    return Ledger(store)


def export(ledger: Ledger, folder: Path, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    LedgerExporter(ledger.store, ledger.clock).write(folder, "acme", first=first)
    return folder


def of_plane(plane: SimulatedPlane, folder: Path, first: int = 0) -> Path:
    """What the plane itself exports, by way of a ledger that nobody asks."""
    from frostbyte.adapters.ledger.memory import MemoryLedger

    other = Ledger(MemoryLedger())
    other.pull(plane)
    return export(other, folder, first)


def take(ledger: Ledger, folder: Path, plane: SimulatedPlane, tenant_id: str = "acme") -> Imported:
    importer = Importer(ledger.keeping, ledger.puller)
    return importer.take(folder, tenant_id, plane.signer.verifier_key, "auditor")


@pytest.mark.parametrize("first", [0, 1, 9, 10, 26])
def test_an_export_holds_on_its_own_with_the_ledgers_cosignature(ledger: Ledger, tmp_path: Path, first: int) -> None:
    plane = SimulatedPlane().grow(9)
    ledger.pull(plane)
    ledger.pull(plane.grow(12, 6))
    key, witness = plane.signer.verifier_key, str(WITNESS.public_key)
    folder = export(ledger, tmp_path / "out", first)
    verdict = verify_export(folder, key, None, [witness])
    assert verdict.ok, verdict.text()
    assert any("cosigned the checkpoint of 27" in item for item in verdict.checked)
    assert (folder / EVENTS).read_bytes() == plane.lines(first, 27)
    stranger = SimulatedPlane(seed=4).signer.verifier_key
    assert not verify_export(folder, stranger, None, [witness]).ok


def test_an_edited_export_does_not_hold(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    ledger.pull(plane)
    folder = export(ledger, tmp_path / "out")
    (folder / EVENTS).write_bytes((folder / EVENTS).read_bytes().replace(b'"actor":"plane"', b'"actor":"other"', 1))
    assert verify_export(folder, plane.signer.verifier_key).names == {"edited"}


def test_the_archive_is_the_folder(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    ledger.pull(plane)
    archive = tmp_path / "export.tar"
    archive.write_bytes(b"".join(LedgerExporter(ledger.store, ledger.clock).tar("acme")))
    assert verify_export(archive, plane.signer.verifier_key).ok
    with unpacked(archive) as folder:
        assert sorted(item.name for item in folder.iterdir()) == [EVENTS, LEAVES, MANIFEST]


def test_what_is_not_held_cannot_be_exported(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such log"):
        export(ledger, tmp_path)
    ledger.pull(SimulatedPlane())
    with pytest.raises(Conflict):
        export(ledger, tmp_path)


def test_an_offline_planes_export_is_taken_in_and_continued(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    assert take(ledger, of_plane(plane, tmp_path / "1"), plane).added == 9
    plane.grow(12, 6)
    second = take(ledger, of_plane(plane, tmp_path / "2"), plane)
    assert (second.identical, second.added, second.size, second.finding) == (9, 18, 27, None)
    third = take(ledger, of_plane(plane.grow(3), tmp_path / "3", first=20), plane)
    assert (third.identical, third.added, third.size) == (7, 3, 30)
    again = take(ledger, tmp_path / "1", plane)
    assert (again.identical, again.added, again.size, again.finding) == (9, 0, 30, None)
    assert ledger.lines() == plane.lines(0, 30)
    assert ledger.pull(plane.grow(6)).size == 36, "and a plane that is connected later goes on"
    assert ledger.alerts() == []


def test_an_export_of_another_history_is_a_fork(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    take(ledger, of_plane(plane, tmp_path / "1"), plane)
    for number, sizes in enumerate([(9, 3), (4, 20), (4,)]):
        other = SimulatedPlane().grow(*sizes, salt="other")
        result = take(ledger, of_plane(other, tmp_path / f"other{number}"), plane)
        assert (result.finding, result.added, result.size) == (Finding.FORK, 0, 9)
        alert = ledger.alerts()[0]
        assert alert.row.finding is Finding.FORK
        assert alert.row.evidence.count(plane.signer.origin.encode()) >= 4, "both notes"
        with pytest.raises(Conflict, match="alert of this log is open"):
            take(ledger, tmp_path / "1", plane)
        ledger.keeping.end(alert.row.alert_id, "auditor", "looked_into")
    assert ledger.lines() == plane.lines(0, 9)


def test_an_edited_export_is_refused_and_named(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    folder = of_plane(plane, tmp_path / "1")
    (folder / EVENTS).write_bytes((folder / EVENTS).read_bytes().replace(b'"actor":"plane"', b'"actor":"other"', 1))
    assert take(ledger, folder, plane).finding is Finding.ALTERED
    assert ledger.lines() == b""


def test_an_export_with_a_gap_before_it_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9, 9)
    with pytest.raises(Conflict, match="begins with event 5"):
        take(ledger, of_plane(plane, tmp_path / "1", first=5), plane)


def test_an_export_of_another_tenant_or_key_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    plane = SimulatedPlane().grow(9)
    folder = of_plane(plane, tmp_path / "1")
    with pytest.raises(Invalid, match="another tenant"):
        take(ledger, folder, plane, "globex")
    with pytest.raises(Invalid, match="another tenant"):
        take(ledger, folder, SimulatedPlane(seed=8))


@pytest.mark.parametrize("harm", ["no manifest", "no json", "backwards", "no events"])
def test_what_is_no_export_is_unreadable(ledger: Ledger, tmp_path: Path, harm: str) -> None:
    plane = SimulatedPlane().grow(9)
    folder = of_plane(plane, tmp_path / "1")
    manifest = json.loads((folder / MANIFEST).read_text())
    if harm == "no manifest":
        (folder / MANIFEST).unlink()
    elif harm == "no json":
        (folder / MANIFEST).write_text("{" * 9000)
    elif harm == "backwards":
        (folder / MANIFEST).write_text(json.dumps(manifest | {"range": {"first": 9, "last": 3}}))
    else:
        (folder / EVENTS).unlink()
    with pytest.raises(Invalid, match="audit export"):
        take(ledger, folder, plane)


@pytest.mark.parametrize("name", ["../manifest.json", "/etc/passwd", "more.txt", "link"])
def test_an_archive_writes_nothing_else(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as packed:
        member = tarfile.TarInfo(MANIFEST if name == "link" else name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(member, io.BytesIO(b""))
    with pytest.raises(Invalid, match="audit export"), unpacked(archive):
        pass
    archive.write_bytes(b"no archive")
    with pytest.raises(Invalid, match="audit export"), unpacked(archive):
        pass
