"""A whole plane leaves as one archive: everything is in it, nothing is readable without keys, and it is on record."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pyrage
import pytest
from psycopg import sql

from acceptance.conftest import sample
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.postgres.schema import migrate, packaged
from frostbyte.adapters.postgres.tables import STAYING
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.exporting import exporting, recipient
from frostbyte.cli.verifier import verify_export
from frostbyte.data_plane import artefacts, embed, policy
from frostbyte.data_plane.lifecycle.export import Exported, Outlet
from frostbyte.kernel.archive import contents
from frostbyte.kernel.archive.contents import Head, Tail, TenantSecrets
from frostbyte.kernel.archive.file import ArchiveReader
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.errors import FrostbyteError, Invalid
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.settings import load
from frostbyte.kernel.vault import TenantKeys, Vault

pytestmark = pytest.mark.slow

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = recipient(str(IDENTITY.to_public()))
CANARY = "Quagsworthian heliotrope"
NAME = "zanzibaric-ledger.txt"
TEXT = f"1. Storage\n\nThe {CANARY} samples are kept at minus eighty degrees in the reserve freezer.\n" * 3


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody numbers events here but the export itself."""
    monkeypatch.setattr("frostbyte.data_plane.lifecycle.export.WAIT_SECONDS", 0.05)


class Disk(io.BytesIO):
    """Takes the archive; something may happen when a member begins."""

    def __init__(self, happens: Callable[[str], None] = lambda name: None) -> None:
        super().__init__()
        self._happens = happens

    def write(self, data: Any, /) -> int:
        if len(data) == 512 and data[257:262] == b"ustar":
            self._happens(bytes(data[:100]).rstrip(b"\0").decode())
        return super().write(data)


def export(plane: Plane, outlet: Outlet) -> Exported:
    with exporting(plane.settings) as work:
        return work.write(outlet, RECIPIENT, actor="operator")


def read(plane: Plane, data: bytes) -> tuple[Head, dict[str, bytes], Tail]:
    """Everything of an archive that the plane's own key has sealed."""
    reader = ArchiveReader(io.BytesIO(data))
    members = iter(reader)
    head = contents.read_head(next(members))
    found = {member.name: member.whole() for member in members}
    reader.sealed(plane.signer.verifier_key)
    return head, found, msgspec.json.decode(found[contents.TAIL], type=Tail)


def objects(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix("objects/"): data for name, data in found.items() if name.startswith("objects/")}


def table(found: dict[str, bytes], name: str) -> bytes:
    return b"".join(data for part, data in sorted(found.items()) if part.startswith(f"database/{name}."))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """One for all tests here, which never count on being alone with it."""
    folder = tmp_path_factory.mktemp("export")
    made = build(load({"FROSTBYTE_DATA_DIR": str(folder / "plane"), "FROSTBYTE_WORKERS": "1"}))
    yield made
    made.close()


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


@pytest.fixture(scope="module")
def filled(plane: Plane) -> dict[str, UUID]:
    """Found documents, one with a passage that was released, one erased, a rejected file, one that is not begun yet."""
    sent = {
        "canary": send(plane, NAME, TEXT.encode()),
        "gone": send(plane, "gone.txt", b"1. Gone\n\nThis document will be erased before anything is exported.\n"),
        "released": send(plane, "supplier-note.pdf", sample("supplier-note.pdf")),
    }
    settle(plane)
    (held,) = plane.review.queue()["chunks"]
    plane.review.release(UUID(held["chunk_id"]), actor="reviewer")
    plane.erasure.erase(sent["gone"], actor="officer", reason="request")
    session = plane.intake.open_batch("tester")
    sink = session.file("unknown.bin")
    sink.write(b"\x7fELF\x02\x01\x01" + bytes(64))
    assert sink.finish().doc_id is None
    session.close()
    settle(plane)
    return {**sent, "waits": send(plane, "waits.txt", b"1. Waits\n\nNobody has looked at this one yet.\n")}


@pytest.fixture
def doomed(plane: Plane, filled: dict[str, UUID]) -> UUID:
    """A document of a test's own."""
    doc_id = send(plane, "doomed.txt", f"1. Doomed\n\nThis one, {new_id()}, will be gone before long.\n".encode())
    settle(plane)
    return doc_id


def test_everything_is_in_it(plane: Plane, filled: dict[str, UUID], tmp_path: Path) -> None:
    disk = Disk()
    done = export(plane, disk)
    head, found, tail = read(plane, disk.getvalue())

    assert head.tenant_id == "demo"
    assert head.documents == done.documents == len(list(plane.vault.blobs.names("raw/")))
    assert (head.export_id, head.recipient) == (done.sealed.export_id, RECIPIENT.name)
    assert (head.schema, list(head.migrations)) == (len(packaged()), [item.name for item in packaged()])
    assert (tail.erased, tail.void, tail.missing, done.missing) == ((), (), (), ())
    _the_log_ends_with_the_snapshot(plane, disk.getvalue(), head, found, tmp_path)
    _objects_lie_in_it_as_in_the_store(plane, filled, objects(found), tail)
    _the_rows_can_be_put_back(plane, head, found, tmp_path)
    _keys_open_it_for_the_recipient_alone(plane, filled, head, found)


def _the_log_ends_with_the_snapshot(
    plane: Plane, data: bytes, head: Head, found: dict[str, bytes], folder: Path
) -> None:
    packed = folder / "export.tar"
    packed.write_bytes(data)
    verdict = verify_export(packed, plane.signer.verifier_key)
    assert not verdict.failures
    lines = found["audit/audit_export.jsonl"].splitlines()
    assert len(lines) == head.log_size == table(found, "audit_events").count(b"\n")
    assert table(found, "audit_sequence").count(b"\n") == head.log_size
    assert b"EXPORT_BEGUN" in lines[-1]


def _objects_lie_in_it_as_in_the_store(
    plane: Plane, filled: dict[str, UUID], taken: dict[str, bytes], tail: Tail
) -> None:
    store = plane.vault.blobs
    wanted = {name for folder in ("raw/", "normalized/", "keys/") for name in store.names(folder)}
    assert set(taken) == wanted
    assert len(taken) == tail.objects
    assert all(store.get(name) == data for name, data in taken.items())
    assert not any(str(filled["gone"]) in name for name in taken)
    assert any(name.startswith("keys/batch-") for name in taken)
    assert any(name.endswith(".released") for name in taken)


def _the_rows_can_be_put_back(plane: Plane, head: Head, found: dict[str, bytes], folder: Path) -> None:
    """Into a new database of the same schema: each table comes to the same rows."""
    with EmbeddedServer(folder / "other", database="restored") as server:
        migrate(server.owner_dsn, packaged()[: head.schema])
        with psycopg.connect(server.owner_dsn) as target, psycopg.connect(_owner(plane)) as source:
            target.execute("DELETE FROM plane_standing")
            for one in head.tables:
                columns = sql.SQL(", ").join(map(sql.Identifier, one.columns))
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(one.name), columns)
                with target.cursor() as cursor, cursor.copy(into) as copy:
                    copy.write(table(found, one.name))
                if one.name not in ("handouts", "audit_events"):  # the export's own came after the snapshot
                    rows = sql.SQL("SELECT {} FROM {} ORDER BY 1, 2").format(columns, sql.Identifier(one.name))
                    assert [*map(repr, target.execute(rows))] == [*map(repr, source.execute(rows))], one.name
            names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            there = {row[0] for row in source.execute(names)}
    assert {one.name for one in head.tables} == there - {"schema_migrations"} - STAYING


def _owner(plane: Plane) -> str:
    assert plane.server is not None
    return plane.server.owner_dsn


def _keys_open_it_for_the_recipient_alone(
    plane: Plane, filled: dict[str, UUID], head: Head, found: dict[str, bytes]
) -> None:
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(found[contents.KEYS], [pyrage.x25519.Identity.generate()])
    secrets = msgspec.json.decode(pyrage.decrypt(found[contents.KEYS], [IDENTITY]), type=TenantSecrets)
    assert (secrets.export_id, secrets.tenant_id) == (head.export_id, "demo")
    taken = objects(found)

    class Taken:
        """The archive's objects as a store."""

        def get(self, name: str) -> bytes:
            return taken[name]

    vault = Vault(
        Taken(),  # type: ignore[arg-type]
        TenantKeys(id_key=secrets.id_key, term_key=secrets.term_key, wrapping_keys=secrets.wrapping_keys),
    )
    row = plane.documents.row(filled["canary"])
    assert CANARY.encode() in vault.get(row.raw_object, vault.load_key(row.key_object))
    _vectors_need_no_embedder(plane, filled["released"], vault)


def _vectors_need_no_embedder(plane: Plane, doc_id: UUID, vault: Vault) -> None:
    row = plane.documents.row(doc_id)
    key = vault.load_key(row.key_object)
    cleared = policy.load_cleared(vault.get(artefacts.Artefacts.name(doc_id, row.active_generation, "cleared"), key))
    vectors = embed.decode(vault.get(artefacts.Artefacts.name(doc_id, row.active_generation, "vectors"), key))
    assert len(vectors) == len(cleared.chunks)
    released = embed.decode_released(
        vault.get(artefacts.Artefacts.name(doc_id, row.active_generation, "released"), key)
    )
    (held,) = cleared.withheld
    again = policy.release(cleared, (held.chunk_id,))
    shown = [chunk for chunk in again.chunks if chunk.chunk_id == held.chunk_id]
    made = {held.chunk_id: embed.run(shown, plane.ports.embedder)}
    assert embed.encode_released(released) == embed.encode_released(made)


def test_nothing_is_readable_in_it_and_nothing_signs(plane: Plane, filled: dict[str, UUID]) -> None:
    disk = Disk()
    export(plane, disk)
    data = disk.getvalue()
    for needle in (CANARY, NAME, "zanzibaric", "supplier-note"):
        assert needle.encode() not in data
    for path in plane.settings.keys_folder.glob("*.key"):
        assert path.read_bytes() not in data, path.name
    opened = pyrage.decrypt(read(plane, data)[1][contents.KEYS], [IDENTITY])
    signing = msgspec.json.encode((plane.settings.signing_folder / "log.key").read_bytes())[1:-1]
    assert signing not in opened
    assert b"log" not in opened


def test_a_later_erasure_lists_it_and_the_log_names_it(plane: Plane, filled: dict[str, UUID], doomed: UUID) -> None:
    done = export(plane, Disk())
    receipt = plane.erasure.erase(doomed, actor="officer", reason="request")
    (listed,) = receipt["exports"]
    assert (listed["export_id"], listed["kind"]) == (str(done.sealed.export_id), "plane")
    settle(plane)
    with plane.store.unit_of_work() as uow:
        begun = uow.audit.events(type="EXPORT_BEGUN")[-1]
        ended = uow.audit.events(type="EXPORT_ENDED")[-1]
        assert uow.erasures.handouts_of(filled["gone"]) == []
    assert begun.event.resource_id == ended.event.resource_id == str(done.sealed.export_id)
    assert ended.event.details["status"] == "whole"
    assert ended.event.details["manifest_hash"] == done.sealed.sha256


@pytest.mark.parametrize("moment", ["audit/manifest.json", "objects/normalized/", "keys.age"])
def test_who_is_erased_while_it_is_made_cannot_be_read_in_it(plane: Plane, doomed: UUID, moment: str) -> None:
    doc_id, seen = doomed, list[str]()

    def erase(name: str) -> None:
        if name.startswith(moment) and not seen:
            seen.append(name)
            plane.erasure.erase(doc_id, actor="officer", reason="request")

    disk = Disk(erase)
    done = export(plane, disk)
    _, found, tail = read(plane, disk.getvalue())
    assert seen
    assert done.erased == 1
    assert done.missing == ()
    (erased,) = tail.erased
    assert (erased.doc_id, erased.incarnation) == (doc_id, 0)
    assert not any(name.startswith(f"keys/{doc_id}") for name in objects(found))
    assert any(name.startswith("keys/") for name in objects(found))


def test_an_object_that_was_lost_is_named_and_the_rest_is_whole(plane: Plane, doomed: UUID) -> None:
    lost = plane.documents.row(doomed).raw_object
    plane.vault.blobs.delete(lost)
    disk = Disk()
    assert export(plane, disk).missing == (lost,)
    assert read(plane, disk.getvalue())[2].missing == (lost,)
    plane.erasure.erase(doomed, actor="officer", reason="request")


def test_an_export_that_is_interrupted_anywhere_is_none_and_is_on_record(plane: Plane, filled: dict[str, UUID]) -> None:
    whole = Disk()
    export(plane, whole)
    for at in range(0, len(whole.getvalue()) - 1024, len(whole.getvalue()) // 3):

        class Full(Disk):
            def write(self, data: Any, /) -> int:
                if self.tell() + len(data) > at:  # noqa: B023 - used within this turn
                    super().write(data[: at - self.tell()])  # noqa: B023
                    raise OSError("no room")
                return super().write(data)

        disk = Full()
        with pytest.raises(OSError, match="no room"):
            export(plane, disk)
        with pytest.raises(Invalid) as caught:
            read(plane, disk.getvalue())
        assert caught.value.code == "archive_incomplete"
    settle(plane)
    with plane.store.unit_of_work() as uow:
        ends = [item.event.details["status"] for item in uow.audit.events(type="EXPORT_ENDED")]
    assert ends[-4:] == ["whole", "failed", "failed", "failed"]


def test_nothing_is_swept_that_an_export_reads(plane: Plane, filled: dict[str, UUID]) -> None:
    swept = list[bool]()

    def look(name: str) -> None:
        swept.append(plane.store.snapshot_read())

    export(plane, Disk(look))
    assert all(swept)
    assert not plane.store.snapshot_read()


def test_the_log_of_a_busy_plane_ends_exactly_with_its_database(plane: Plane, filled: dict[str, UUID]) -> None:
    """Events are written and numbered all the time; still the archive's rows are those of its log, chain by chain."""
    stop, failed = threading.Event(), list[FrostbyteError]()

    def busy(numbers: Iterator[int]) -> None:
        while not stop.is_set():
            try:
                with plane.store.unit_of_work() as uow:
                    details = {"results": next(numbers), "top_k": 5}
                    event = make_event(
                        "demo", EventType.RETRIEVAL_EXECUTED, plane.clock, "tester", "plane", "demo", details
                    )
                    uow.audit.append(event)
                    uow.commit()
            except FrostbyteError as error:
                failed.append(error)

    numbers = itertools.count()
    threads = [threading.Thread(target=busy, args=(numbers,)) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: plane.sequencer.run(stop, interval=0.01)))
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            disk = Disk()
            export(plane, disk)
            head, found, _ = read(plane, disk.getvalue())
            rows = {line.split(b"\t")[0] for line in table(found, "audit_events").splitlines()}
            lines = [msgspec.json.decode(line)["event"] for line in found["audit/audit_export.jsonl"].splitlines()]
            assert rows == {event["event_id"].encode() for event in lines}
            assert len(lines) == head.log_size
            newest = {event["resource_id"]: event["event_id"] for event in lines}
            for row in table(found, "documents").splitlines():
                doc_id = row.split(b"\t")[0].decode()
                assert newest[doc_id].encode() in row.split(b"\t")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
