"""A plane's backup: how fast it is made, what a second one costs, and how long a restore takes to the first answer.

    python -m bench.backup.plane [--documents 100000]

A plane on embedded stores, searching by words alone, filled with copies of one small text that went through the stages:
each has a key, ids, sealed objects, rows and events of its own. The backup goes into a folder on the same disk. The
reference reads the same objects one after the other and encrypts each with AES-256-GCM, and throws the result away: it
stores nothing, compares nothing, and leaves the database out. The trial restore is timed by itself, since the reference
tries nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace

from bench.table import Line, show
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap import backup_target, vaulting
from frostbyte.bootstrap.backup_target import BackupSettings
from frostbyte.bootstrap.data import Plane, build
from frostbyte.bootstrap.restoring import restoring
from frostbyte.data_plane import artefacts
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.data_plane.lifecycle.backup import Taken
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.ids import chunk_id, new_id
from frostbyte.kernel.records import ChunkRow, DocumentRow, EventRow, ReceiptRow
from frostbyte.kernel.sealing import seal
from frostbyte.kernel.settings import Settings, load
from frostbyte.kernel.vault import DocumentKey, Vault

_TEXT: Final = b"1. Storage\n\nThe heliotrope samples are kept at minus eighty degrees in the reserve freezer.\n" * 8
_EVENTS: Final = 6
"""Of a document that went through the stages."""
_BATCH: Final = 500


def settings_of(folder: Path) -> Settings:
    """A plane that searches by words alone."""
    return load({"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"})


@contextmanager
def filled(folder: Path, documents: int) -> Iterator[Plane]:
    """A plane with so many small documents, whose sequencer runs."""
    plane = build(settings_of(folder))
    stop = threading.Event()
    sequencer = threading.Thread(target=plane.sequencer.run, args=(stop,))
    try:
        first, receipt = _first(plane)
        for start in range(0, documents - 1, _BATCH):
            receipts = [
                replace(receipt, receipt_id=new_id(), position=start + number + 1)
                for number in range(min(_BATCH, documents - 1 - start))
            ]
            _copy(plane, folder / "objects", first, receipts)
        while plane.sequencer.run_once():
            pass
        sequencer.start()
        yield plane
    finally:
        stop.set()
        if sequencer.ident is not None:
            sequencer.join()
        plane.close()


def _first(plane: Plane) -> tuple[DocumentRow, ReceiptRow]:
    session = plane.intake.open_batch("bench")
    sink = session.file("bench.txt")
    sink.write(_TEXT)
    doc_id = sink.finish().doc_id
    session.close()
    while plane.runner.run_one():
        pass
    assert doc_id is not None
    with plane.store.unit_of_work(reading=True) as uow:
        (receipt,) = uow.batches.receipts(session.batch_id)
    return plane.documents.row(doc_id), receipt


def _copy(plane: Plane, objects: Path, first: DocumentRow, receipts: list[ReceiptRow]) -> None:
    """A copy of the first document for each receipt, of the same upload, written without waiting for the disk."""
    vault, clock = plane.vault, plane.clock
    key = vault.load_key(first.key_object)
    kept = Artefacts(vault)
    plain = {kind: kept.get(first, first.generation, kind, key) for kind in artefacts.ALL[:5]}
    raw = vault.get(first.raw_object, key)
    with plane.store.unit_of_work() as uow:
        rows = uow.chunks.of_document(first.doc_id, first.generation)
    documents: list[DocumentRow] = []
    chunks: list[list[ChunkRow]] = []
    events: list[EventRow] = []
    for _ in receipts:
        doc_id, own = new_id(), vault.new_key()
        renamed = {str(first.doc_id): str(doc_id)}
        for row in rows:
            renamed[str(row.chunk_id)] = str(chunk_id(doc_id, first.generation, row.page, row.start, row.end))
        sealed = {f"raw/{new_id()}": raw}
        raw_name = next(iter(sealed))
        sealed |= {
            Artefacts.name(doc_id, first.generation, kind): _renamed(data, renamed) for kind, data in plain.items()
        }
        for name, data in sealed.items():
            path = objects / name
            path.write_bytes(seal(own.raw, name, data))
        _write_key(plane, objects, f"keys/{doc_id}.0", own)
        chunks.append([replace(row, doc_id=doc_id, chunk_id=UUID(renamed[str(row.chunk_id)])) for row in rows])
        last = None
        for _ in range(_EVENTS):
            details = {"component": "bench", "status": "done"}
            event = make_event(
                "demo", EventType.DOCUMENT_PARSED, clock, "plane", "document", str(doc_id), details, last
            )
            last = event.event_id
            events.append(event)
        documents.append(
            replace(
                first,
                doc_id=doc_id,
                raw_object=raw_name,
                key_object=f"keys/{doc_id}.0",
                sealed_name=own.seal_name("bench.txt"),
                last_event_id=last,
            )
        )
    with plane.store.unit_of_work() as uow:
        for row in documents:
            uow.documents.put(row)
        for row, receipt in zip(documents, receipts, strict=True):
            uow.batches.add_receipt(replace(receipt, doc_id=row.doc_id, sealed_name=row.sealed_name))
        for of_document in chunks:
            uow.chunks.put_generation(of_document[0].doc_id, first.generation, of_document)
        uow.audit.append_many(events)
        uow.commit()
    plane.sequencer.run_once()


def _renamed(data: bytes, names: dict[str, str]) -> bytes:
    for old, new in names.items():
        data = data.replace(old.encode(), new.encode())
    return data


class _Unsynced:
    """Takes one wrapped key, and writes it without waiting for the disk."""

    def __init__(self, objects: Path) -> None:
        self._objects = objects

    def put(self, name: str, data: bytes) -> None:
        (self._objects / name).write_bytes(data)


def _write_key(plane: Plane, objects: Path, name: str, key: DocumentKey) -> None:
    keys = FileSecrets(plane.settings.keys_folder, create=False).tenant_keys()
    Vault(_Unsynced(objects), keys).store_key(name, key)  # type: ignore[arg-type]


def reference(folder: Path) -> tuple[float, int]:
    """Seconds and bytes of reading every object and encrypting it."""
    cipher, started, size = AESGCM(os.urandom(32)), time.perf_counter(), 0
    number = 0
    for part in ("raw", "normalized"):
        with os.scandir(folder / "objects" / part) as found:
            for entry in found:
                with open(entry.path, "rb", buffering=0) as file:
                    data = file.read()
                number += 1
                cipher.encrypt(number.to_bytes(12, "big"), data, None)
                size += len(data)
    return time.perf_counter() - started, size


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that it took, and what it gave."""
    started = time.perf_counter()
    done = call()
    return time.perf_counter() - started, done


def restored(backups: BackupSettings, folder: Path) -> tuple[float, float]:
    """Seconds of the restore, and until a question was answered, with the plane's start."""
    settings = settings_of(folder)
    started = time.perf_counter()
    source = vaulting.source(settings, backups, "", None)
    with restoring(settings) as work:
        work.run(source, actor="bench")
    done = time.perf_counter() - started
    plane = build(settings)
    try:
        said = plane.answers.answer("reserve freezer", top_k=5, filters=Filters(), mode=Mode.HYBRID, actor="bench")
        assert said["results"]
        return done, time.perf_counter() - started
    finally:
        plane.close()


def measured(documents: int) -> list[Line]:
    """The lines of the table."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-") as name:
        folder = Path(name)
        (folder / "vault").mkdir()
        who = str(pyrage.x25519.Identity.generate().to_public())
        backups = backup_target.load(
            {"FROSTBYTE_BACKUP_URL": f"file://{folder}/vault", "FROSTBYTE_BACKUP_RECIPIENTS": who}
        )
        with filled(folder / "plane", documents) as plane:
            os.sync()
            taken: list[tuple[float, Taken]] = []
            read, size = reference(folder / "plane")
            with vaulting.vaulting(plane.settings, backups) as work:
                for _ in range(2):
                    while plane.sequencer.run_once():  # a log at rest, as it is a day later
                        pass
                    taken.append(timed(lambda: work.backup.take(work.repository, actor="bench")))
                snapshot = work.repository.snapshot(taken[1][1].snapshot)
                trial, verdict = timed(lambda: work.rehearsal.run(work.repository, snapshot))
            assert verdict.ok, verdict
            again, _ = reference(folder / "plane")
            keys = plane.settings.keys_folder
            target = settings_of(folder / "elsewhere").keys_folder
            target.mkdir(parents=True, mode=0o700)
            for path in (*keys.glob("id.key"), *keys.glob("term.key"), *keys.glob("wrapping-*.key")):
                (target / path.name).write_bytes(path.read_bytes())
                (target / path.name).chmod(0o600)
        back, answered = restored(backups, folder / "elsewhere")
    return lines(documents, size, (read + again) / 2, taken, trial, back, answered)


def lines(
    documents: int, size: int, read: float, taken: list[tuple[float, Taken]], trial: float, back: float, answered: float
) -> list[Line]:
    """What was measured, as lines."""
    (first, one), (second, two) = taken
    assert (one.stored, two.stored) == (documents, 0)
    return [
        Line(
            measure=f"backup of {documents:,} small documents",
            ours=size / first / 1e6,
            reference=size / read / 1e6,
            unit="MB/s of objects",
            target="at least 0.5 of the reference",
            met=read / first >= 0.5,
            note=f"{first:.1f} s against {read:.1f} s: {size / 1e6:.0f} MB in six objects each; ours with the database",
        ),
        Line(
            measure="a second backup without changes",
            ours=100 * second / first,
            reference=None,
            unit="% of the first",
            target="at most 5",
            met=second / first <= 0.05,
            note=f"{second:.2f} s; {two.written / 1e6:.2f} MB stored",
        ),
        Line(
            measure="trial restore of it",
            ours=trial,
            reference=None,
            unit="s",
            target="none promised",
            met=None,
            note="all rows and hashes of the log, every pack that is new, 50 documents",
        ),
        Line(
            measure="restore to the first answer",
            ours=answered,
            reference=None,
            unit="s",
            target="none promised",
            met=None,
            note=f"{back:.1f} s of it until everything is there, each object made durable; then the plane's start",
        ),
    ]


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=100_000)
    show(measured(parser.parse_args().documents))


if __name__ == "__main__":
    main()
