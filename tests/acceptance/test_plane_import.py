"""An exported plane in an empty one: the same answers under the same ids, proven, and nothing erased comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
import pyrage
import pytest
from msgspec.structs import replace

from acceptance.conftest import sample
from frostbyte.adapters.postgres import migrate
from frostbyte.adapters.postgres.schema import packaged
from frostbyte.adapters.postgres.unit_of_work import PostgresUnitOfWork
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.exporting import exporting, recipient
from frostbyte.bootstrap.restoring import identity, restoring
from frostbyte.cli.verifier import verify_export, verify_proof
from frostbyte.data_plane import restore
from frostbyte.data_plane.lifecycle.erased_since import read_erasures
from frostbyte.data_plane.lifecycle.holds import Reason, ReleaseReason
from frostbyte.data_plane.restore import Imported
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.data_plane.sources import ArchiveSource
from frostbyte.kernel.archive.contents import TableHead
from frostbyte.kernel.archive.file import ArchiveWriter
from frostbyte.kernel.archive.index import Archive
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import ApiKeyRow, ChunkRow, DocumentRow, State
from frostbyte.kernel.settings import Settings, load

pytestmark = pytest.mark.slow

QUESTIONS: Final = ("reserve freezer", "supplier", "storage", "who keeps the samples", "termination")
FREEZER: Final = b"1. Storage\n\nThe heliotrope samples are kept at minus eighty degrees in the reserve freezer.\n"


LATER: Final = b"1. Storage\n\nWho keeps the samples? This one is erased later.\n"


class Origin:
    """The plane that is exported, what it answered, and its archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = folder / "identity.txt"
        secret = pyrage.x25519.Identity.generate()
        self.identity.write_text(f"# made by a test\n{secret}\n", encoding="ascii")
        self.plane = build(load({"FROSTBYTE_DATA_DIR": str(folder / "origin"), "FROSTBYTE_WORKERS": "1"}))
        self.docs = self._fill()
        self.key = self.plane.signer.verifier_key
        self.archive = folder / "export.tar"
        self.to = recipient(str(secret.to_public()))
        self.later_texts = {LATER.decode().strip()}
        self.export(self.archive)
        with Archive(self.archive, self.key) as opened:
            self.size = opened.head.log_size
            (self.folder / "held").write_text(opened.head.checkpoint, encoding="utf-8")
        self.answers = answers(self.plane)

    def _fill(self) -> dict[str, UUID]:
        plane = self.plane
        sent = {
            "found": send(plane, "freezer.txt", FREEZER),
            "later": send(plane, "later.txt", LATER),
            "gone": send(plane, "gone.txt", b"1. Gone\n\nThis document is erased before anything is exported.\n"),
            "released": send(plane, "supplier-note.pdf", sample("supplier-note.pdf")),
            "withheld": send(plane, "supplier-note-2.pdf", sample("supplier-note.pdf") + b"\n% another\n"),
        }
        settle(plane)
        held = [item for item in plane.review.queue()["chunks"] if item["doc_id"] == str(sent["released"])]
        plane.review.release(UUID(held[0]["chunk_id"]), actor="reviewer")
        plane.erasure.erase(sent["gone"], actor="officer", reason="request")
        plane.configuration.change({"pii_policy": "block"}, expected=plane.configuration.show()["version"], actor="a")
        sent["quarantined"] = send(plane, "q.txt", b"Call me: jane.doe@example.org, SSN 078-05-1120.\n" * 3)
        settle(plane)
        plane.configuration.change({"pii_policy": "redact"}, expected=plane.configuration.show()["version"], actor="a")
        sent["waits"] = send(
            plane, "waits.txt", b"1. Waits\n\nNobody has looked at this one yet: the termination clause.\n"
        )
        self.holds = {
            name: UUID(plane.holds.place("2026-1", Reason.AUDIT, doc_ids=[sent[name]], actor="counsel")["hold_id"])
            for name in ("found", "later")
        }
        with plane.store.unit_of_work() as uow:
            uow.access.add_key(
                ApiKeyRow(
                    key_id="Indexer00001",
                    name="indexer",
                    sha256=bytes(32),
                    scopes=("ingest",),
                    created_at=plane.clock.now(),
                    created_by="a",
                )
            )
            uow.commit()
        return sent

    def export(self, path: Path) -> None:
        with path.open("wb") as file, exporting(self.plane.settings) as work:
            work.write(file, self.to, actor="operator")


def document(plane: Plane, doc_id: UUID) -> DocumentRow:
    with plane.store.unit_of_work() as uow:
        found = uow.documents.get(doc_id)
    assert found is not None
    return found


def chunks(plane: Plane, doc_id: UUID) -> list[ChunkRow]:
    row = document(plane, doc_id)
    with plane.store.unit_of_work() as uow:
        return uow.chunks.of_document(doc_id, row.active_generation)


def send(plane: Plane, name: str, content: bytes) -> UUID:
    session = plane.intake.open_batch("tester")
    sink = session.file(name)
    sink.write(content)
    outcome = sink.finish()
    session.close()
    assert outcome.doc_id is not None, outcome.code
    return outcome.doc_id


def settle(plane: Plane) -> None:
    while plane.runner.run_one():
        pass
    while plane.sequencer.run_once():
        pass


def answers(plane: Plane) -> dict[str, list[tuple[str, str, float]]]:
    """What the plane answers: passages by id, with their text, in order."""
    found = {}
    for question in QUESTIONS:
        said = plane.answers.answer(question, top_k=10, filters=Filters(), mode=Mode.HYBRID, actor="tester")
        found[question] = [(hit["chunk_id"], hit["text"], round(hit["score"], 6)) for hit in said["results"]]
    return found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    made = Origin(tmp_path_factory.mktemp("import"))
    yield made
    made.plane.close()


def settings_of(folder: Path) -> Settings:
    return load({"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_WORKERS": "1"})


def bring(origin: Origin, folder: Path, erasures: bytes = b"", archive: Path | None = None) -> Imported:
    with Archive(archive or origin.archive, origin.key) as opened, restoring(settings_of(folder)) as work:
        erased = read_erasures(erasures, opened.head) if erasures else []
        return work.run(ArchiveSource(opened, identity(origin.identity)), erased=erased, actor="operator")


def by_command(origin: Origin, folder: Path, *words: str) -> dict[str, Any]:
    """The import as an operator types it."""
    command = [
        "bundle",
        "import",
        str(origin.archive),
        "--identity",
        str(origin.identity),
        "--key",
        origin.key,
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "frostbyte", *command, "--json", *words],
        env={**os.environ, "FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_WORKERS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def restored(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """The plane elsewhere. One document was erased after the export: the operator brings its receipt."""
    folder = tmp_path_factory.mktemp("elsewhere")
    origin.plane.holds.release(origin.holds["later"], ReleaseReason.CLOSED, actor="counsel")
    receipt = origin.plane.erasure.erase(origin.docs["later"], actor="officer", reason="request")
    (folder / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    said = by_command(origin, folder / "plane", "--erasures", str(folder / "receipt.json"))
    assert (said["documents"], said["erased"], said["missing"]) == (5, 1, [])
    assert (said["old_key"], said["origin"]) == (origin.key, "frostbyte/demo/plane/2")
    plane = build(settings_of(folder / "plane"))
    settle(plane)
    yield plane
    plane.close()


def test_it_answers_as_before_under_the_same_ids(origin: Origin, restored: Plane) -> None:
    later = {row.chunk_id for row in chunks(origin.plane, origin.docs["later"])}
    assert later == set(), "erased there as well"
    for question, mine in answers(restored).items():
        before = [hit for hit in origin.answers[question] if hit[1] not in origin.later_texts]
        old = [hit for hit in mine if hit[0] in {item[0] for item in before}]
        assert [hit[:2] for hit in old] == [hit[:2] for hit in before], question
    states = {name: document(restored, doc_id).state for name, doc_id in origin.docs.items()}
    assert states == {
        "found": State.INDEXED,
        "later": State.ERASED,
        "gone": State.ERASED,
        "released": State.INDEXED,
        "withheld": State.INDEXED,
        "quarantined": State.QUARANTINED,
        "waits": State.INDEXED,  # the job came along
    }
    for name in ("found", "released", "withheld"):
        assert chunks(restored, origin.docs[name]) == chunks(origin.plane, origin.docs[name])
    assert [row.withheld for row in chunks(restored, origin.docs["released"])].count(True) == 0
    assert restored.review.queue()["chunks"] == origin.plane.review.queue()["chunks"] != []
    assert restored.configuration.show()["version"] == origin.plane.configuration.show()["version"]
    name, mime, size, blocks = restored.documents.source(origin.docs["found"], actor="tester")
    assert (name, b"".join(blocks)) == ("freezer.txt", FREEZER)
    assert (mime, size) == ("text/plain", len(FREEZER))
    again = restored.intake.open_batch("tester")
    sink = again.file("freezer.txt")
    sink.write(FREEZER)
    assert sink.finish().doc_id == origin.docs["found"], "the id key came along"
    again.close()


def test_every_proof_holds_against_the_log_that_has_the_events(origin: Origin, restored: Plane, tmp_path: Path) -> None:
    key = restored.signer.verifier_key
    assert key.startswith("frostbyte/demo/plane/2+")
    assert key.rpartition("+")[2] != origin.key.rpartition("+")[2], "the old key never travels"
    for name, format in (("found", 2), ("released", 2), ("waits", 2)):
        chunk = chunks(restored, origin.docs[name])[0]
        proof = json.loads(json.dumps(restored.proofs.chunk(chunk.chunk_id, source=True, actor="tester")))
        assert proof["format"] == f"frostbyte-proof/{format}"
        verdict = verify_proof(proof, key, earlier_keys=[origin.key])
        assert verdict.ok, verdict.text()
    with restored.store.unit_of_work() as uow:
        first = uow.audit.events(limit=1)[0].event
        old = uow.audit.of(0).events(limit=1)[0].event
    assert first.type == "PLANE_RESTORED"
    assert (first.details["old_origin"], first.details["old_size"]) == ("frostbyte/demo/plane", origin.size)
    said = restored.record.proof(old.event_id)
    assert said["checkpoint"].startswith("frostbyte/demo/plane\n")
    for log, pinned in ((0, origin.key), (None, key)):
        folder = tmp_path / f"log-{log}"
        folder.mkdir()
        restored.exporter.write(folder, log=log)
        verdict = verify_export(folder, pinned, origin.folder / "held")
        assert verdict.ok or verdict.names == {"since_unproven"}, verdict.text()
        assert verdict.ok or log is None


def test_nothing_erased_comes_back(origin: Origin, restored: Plane) -> None:
    for name in ("later", "gone"):
        doc_id = origin.docs[name]
        assert document(restored, doc_id).active_generation == ""
        for folder in ("keys", "normalized"):
            assert list(restored.vault.blobs.names(f"{folder}/{doc_id}.")) == []
        assert restored.ports.vectors.count(doc_id) == 0
    row = document(origin.plane, origin.docs["later"])
    assert not restored.vault.blobs.exists(row.raw_object)
    with restored.store.unit_of_work() as uow:
        (erasure,) = uow.erasures.of_document(origin.docs["later"])
        event = uow.audit.event(erasure.event_id) if erasure.event_id else None
        assert event is not None
        assert (event.type, uow.audit.log_of(event.event_id)) == ("DOCUMENT_ERASED", 1)
    receipt = restored.erasure.receipt(erasure.erasure_id)
    there = origin.plane.erasure.receipt(erasure.erasure_id)
    assert receipt["requested_at"] == there["requested_at"]
    assert [item["export_id"] for item in receipt["exports"]] == [item["export_id"] for item in there["exports"]]


def test_holds_come_along_and_go_on_holding(origin: Origin, restored: Plane) -> None:
    """One was released after the export, and its document erased: that is repeated all the same."""
    held = {item["hold_id"]: item["in_force"] for item in restored.holds.page(released=True)["holds"]}
    assert held == {str(hold): True for hold in origin.holds.values()}
    with pytest.raises(FrostbyteError) as caught:
        restored.erasure.erase(origin.docs["found"], actor="officer", reason="request")
    assert caught.value.code == "document_held"
    assert document(restored, origin.docs["later"]).state is State.ERASED


def test_machines_and_people_need_new_keys(origin: Origin, restored: Plane) -> None:
    with restored.store.unit_of_work() as uow:
        (key,) = uow.access.keys()
    assert (key.name, key.revoked_by) == ("indexer", "import")
    signing = origin.plane.settings.signing_folder
    names = {path.name for pattern in ("log.key", "token*.key") for path in signing.glob(pattern)}
    assert names >= {"log.key"}
    for name in names:
        there = restored.settings.signing_folder / name
        assert not there.exists() or there.read_bytes() != (signing / name).read_bytes()


def test_it_can_be_exported_and_restored_again(origin: Origin, restored: Plane, tmp_path: Path) -> None:
    chunk = chunks(restored, origin.docs["withheld"])[0]
    restored.review.classify(
        origin.docs["withheld"], "invoice", actor="reviewer"
    )  # the chain goes on in the second log
    settle(restored)
    with (tmp_path / "second.tar").open("wb") as file, exporting(restored.settings) as work:
        work.write(file, origin.to, actor="operator")
    with (
        Archive(tmp_path / "second.tar", restored.signer.verifier_key) as opened,
        restoring(settings_of(tmp_path / "third")) as target,
    ):
        assert (
            target.run(ArchiveSource(opened, identity(origin.identity)), actor="operator").origin
            == "frostbyte/demo/plane/3"
        )
    third = build(settings_of(tmp_path / "third"))
    try:
        settle(third)
        visible = next(row for row in chunks(third, origin.docs["withheld"]) if not row.withheld)
        proof = json.loads(json.dumps(third.proofs.chunk(visible.chunk_id, source=False, actor="tester")))
        assert [item["log"] for item in proof["earlier"]] == [0, 1]
        verdict = verify_proof(
            proof, third.signer.verifier_key, earlier_keys=[origin.key, restored.signer.verifier_key]
        )
        assert verdict.ok, verdict.text()
        assert chunks(third, origin.docs["withheld"])[0].chunk_id == chunk.chunk_id
    finally:
        third.close()


def test_an_import_that_is_killed_goes_on_and_what_has_begun_takes_none(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    folder, other = tmp_path / "plane", tmp_path / "other.tar"
    origin.export(other)
    for owner, place in (
        (restore._Work, "place_objects"),
        (restore._Work, "fill_index"),
        (PostgresUnitOfWork, "commit"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, place, killed)
            with pytest.raises(Killed):
                bring(origin, folder)
        with pytest.raises(FrostbyteError) as caught:
            bring(origin, folder, archive=other)
        assert caught.value.code == "import_begun"
    assert bring(origin, folder).documents == 6
    plane = build(settings_of(folder))
    try:
        assert list(plane.vault.blobs.names("exports/")) == []
        mine = {question: [hit[:2] for hit in hits] for question, hits in answers(plane).items()}
        assert mine == {question: [hit[:2] for hit in hits] for question, hits in origin.answers.items()}
    finally:
        plane.close()
    for archive, code in ((origin.archive, "import_done"), (other, "plane_not_empty")):
        with pytest.raises(FrostbyteError) as caught:
            bring(origin, folder, archive=archive)
        assert caught.value.code == code


def rewritten(origin: Origin, path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with members changed or left out, and sealed again by the plane's own key."""
    with path.open("wb") as file, Archive(origin.archive, None) as opened:
        writer = ArchiveWriter(file)
        for name in opened._places:
            data = change(name, opened.whole(name))
            if data is not None:
                writer.add(name, data)
        writer.seal(opened.head.export_id, opened.head.tenant_id, origin.plane.signer.note)
    return path


DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "database/audit_events.": lambda data: data.replace(b"\tplane\t", b"\tnobody\t", 1),
    "database/audit_sequence.": lambda data: b"\n".join(data.split(b"\n")[:-2]) + b"\n",
    "database/audit_nodes.": lambda data: data[:-2] + (b"1" if data[-2:-1] == b"0" else b"0") + data[-1:],
    "database/documents.": lambda data: data[: len(data) // 2],
    "keys.age": lambda data: data.replace(b"AGE", b"EGA", 1),
}


def test_what_was_not_signed_is_not_taken(origin: Origin, tmp_path: Path) -> None:
    for number, (name, change) in enumerate(DAMAGES.items()):
        path = rewritten(
            origin,
            tmp_path / f"{number}.tar",
            lambda at, data, name=name, change=change: change(data) if at.startswith(name) else data,  # type: ignore[misc]
        )
        with pytest.raises(FrostbyteError) as caught:
            bring(origin, tmp_path / "plane", archive=path)
        assert caught.value.code in ("archive_broken", "export_identity"), name
    assert not list((tmp_path / "plane").rglob("*.key")), "the keys come when all else is well"


def test_an_archive_that_is_cut_or_another_s_is_refused(origin: Origin, tmp_path: Path) -> None:
    data = origin.archive.read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: len(data) - 4096])
    with pytest.raises(FrostbyteError) as caught:
        Archive(tmp_path / "cut.tar", origin.key)
    assert caught.value.code == "archive_incomplete"
    with pytest.raises(FrostbyteError) as caught:
        Archive(origin.archive, str(Signer(bytes(32), "frostbyte/demo/plane").public_key))
    assert caught.value.code == "note_signature_wrong"
    foreign = load({"FROSTBYTE_DATA_DIR": str(tmp_path / "foreign"), "FROSTBYTE_TENANT_ID": "other"})
    with (
        Archive(origin.archive, origin.key) as opened,
        restoring(foreign) as work,
        pytest.raises(FrostbyteError) as caught,
    ):
        work.run(ArchiveSource(opened, identity(origin.identity)), actor="operator")
    assert caught.value.code == "archive_foreign_tenant"
    mine = tmp_path / "mine.txt"
    mine.write_text(str(pyrage.x25519.Identity.generate()), encoding="ascii")
    with Archive(origin.archive, origin.key) as opened, pytest.raises(FrostbyteError) as caught:
        identity(mine)(opened.whole("keys.age"))
    assert caught.value.code == "export_identity"


def test_rows_of_an_older_schema_are_brought_up_to_date(origin: Origin, tmp_path: Path) -> None:
    """The archive as a version before restored logs would have written it."""
    older = packaged()[:11]
    server = origin.plane.server
    assert server is not None
    server.create_database("older")
    migrate(server.dsn("frostbyte_owner", "older"), older)
    with psycopg.connect(server.dsn("frostbyte_owner", "older")) as connection:
        found = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    known = {(str(table), str(column)) for table, column in found}
    tables = {table for table, _ in known}
    with Archive(origin.archive, None) as opened:
        head = opened.head
    kept = {
        table.name: [at for at, column in enumerate(table.columns) if (table.name, column) in known]
        for table in head.tables
        if table.name in tables
    }

    def change(name: str, data: bytes) -> bytes | None:
        if name == "export.json":
            told = replace(
                head,
                schema=len(older),
                migrations={item.name: item.sha256 for item in older},
                tables=tuple(
                    TableHead(name=table.name, columns=tuple(table.columns[at] for at in kept[table.name]))
                    for table in head.tables
                    if table.name in kept
                ),
            )
            return msgspec.json.encode(told)
        if not name.startswith("database/"):
            return data
        places = kept.get(name.removeprefix("database/").partition(".")[0])
        if places is None:
            return None
        rows = [row.split(b"\t") for row in data.splitlines()]
        return b"".join(b"\t".join(row[at] for at in places) + b"\n" for row in rows)

    path = rewritten(origin, tmp_path / "old.tar", change)
    assert bring(origin, tmp_path / "plane", archive=path).passages == 5
    newer = rewritten(
        origin,
        tmp_path / "new.tar",
        lambda name, data: (
            msgspec.json.encode(replace(head, migrations={**head.migrations, "999_new.sql": "0" * 64}))
            if name == "export.json"
            else data
        ),
    )
    with pytest.raises(FrostbyteError) as caught:
        bring(origin, tmp_path / "another", archive=newer)
    assert caught.value.code == "archive_newer"
