"""A whole plane on its way out, as one archive (docs/export-format.md), and the record of it.

What is audited and what destruction receipts list is committed before the first byte leaves. Objects go as they are
sealed; keys go last, and none of a document that was erased since the snapshot, so that an erasure reaches an export
for as long as it is being made. The seal is the last of all: what has none is no export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from frostbyte.data_plane.lifecycle.exported import Shelf, Wanted, of_document
from frostbyte.kernel.archive import contents
from frostbyte.kernel.archive.contents import ErasedSince, Head, Tail, TenantSecrets
from frostbyte.kernel.archive.file import HEAD, ArchiveWriter, Sealed
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.audit.export import Exporter, kept_checkpoint
from frostbyte.kernel.audit.proofs import wait_for_checkpoint
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError, NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.snapshot import HeldDocument, Snapshot, Snapshots
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import HandoutRow
from frostbyte.kernel.vault import TenantKeys

KIND: Final = "plane"
"""Of the handout."""
ROWS: Final = 4 << 20
"""Bytes of a part of a table."""
WAIT_SECONDS: Final = 2.5
"""How long the plane's own sequencer is given; then the export numbers what is left itself."""
_ALL_EVENTS: Final = 1 << 40
"""More than any log has: what the snapshot sees is numbered in one transaction."""

Progress = Callable[[int, int], None]
"""Told documents done, and of how many."""


class Outlet(Protocol):
    """Where the archive goes."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> object:
        """Have all that was written be where it should be when this returns."""
        ...


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who may open the tenant's keys.

    Attributes:
        name: the age public key.
        seal: seals bytes for it.
    """

    name: str
    seal: Callable[[bytes], bytes]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an export came to.

    Attributes:
        objects: how many, keys among them.
        erased: documents that were erased while it was made.
        missing: objects that documents need and the store does not have.
        checkpoint: to be kept elsewhere: the signed note that its log ends with, and the time of the last event.
    """

    sealed: Sealed
    documents: int
    objects: int
    erased: int
    missing: tuple[str, ...]
    checkpoint: str


class PlaneExport:
    """Exports one plane.

    Args:
        tenant_id: whose.
        version: of Frostbyte.
        unit_of_work: opens transactions.
        snapshots: of the same database.
        blobs: the objects, as they are sealed.
        keys: the tenant's.
        signer: the log's key: signs the log's end and the seal.
        clock: for events and dates.
        rules: the plane's own rule files by name; empty where it has the shipped ones.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        version: str,
        unit_of_work: UnitOfWorkFactory,
        snapshots: Snapshots,
        blobs: BlobStore,
        keys: TenantKeys,
        signer: Signer,
        clock: Clock,
        rules: Mapping[str, bytes],
    ) -> None:
        self._tenant_id, self._version = tenant_id, version
        self._unit_of_work, self._snapshots, self._blobs = unit_of_work, snapshots, blobs
        self._keys, self._signer, self._clock, self._rules = keys, signer, clock, dict(rules)

    def write(
        self, outlet: Outlet, recipient: Recipient, *, actor: str, progress: Progress = lambda done, total: None
    ) -> Exported:
        """Write the archive.

        Raises:
            Unavailable: `export_log_waits`; `export_overtaken`: the index was made anew meanwhile; `plane_updating`;
                and whatever a store says.
            OSError: the outlet takes no more.
        """
        export_id = new_id()
        event = self._event(EventType.EXPORT_BEGUN, export_id, actor, {"status": "begun"})
        with self._unit_of_work() as uow:
            uow.audit.append(event)
            uow.commit()
        try:
            with suppress(Unavailable):
                wait_for_checkpoint(self._unit_of_work, event.event_id, WAIT_SECONDS)
            with self._snapshots.take(self._number) as snapshot, Shelf(self._blobs) as shelf:
                work = _Work(self, snapshot, shelf, outlet, export_id, progress)
                self._hand_out(work, actor)
                done = work.run(recipient)
            outlet.flush()
        except BaseException as error:
            code = error.code if isinstance(error, FrostbyteError) else "interrupted"
            with suppress(FrostbyteError):
                self._ended(export_id, actor, {"status": "failed", "code": code})
            raise
        self._ended(
            export_id,
            actor,
            {
                "status": "whole",
                "documents": done.documents,
                "bytes": done.sealed.size,
                "manifest_hash": done.sealed.sha256,
            },
        )
        return done

    def _number(self, unit_of_work: Any) -> None:
        Sequencer(unit_of_work, self._signer, self._clock, batch=_ALL_EVENTS).run_once()

    def _hand_out(self, work: _Work, actor: str) -> None:
        """Put on record what may leave, before it does."""
        row = HandoutRow(
            export_id=work.export_id, created_at=self._clock.now(), actor=actor, kind=KIND, doc_ids=work.doc_ids()
        )
        with self._unit_of_work() as uow:
            uow.erasures.add_handout(row)
            uow.commit()

    def _ended(self, export_id: UUID, actor: str, details: dict[str, Any]) -> None:
        with self._unit_of_work() as uow:
            uow.audit.append(self._event(EventType.EXPORT_ENDED, export_id, actor, details))
            uow.commit()

    def _event(self, type: EventType, export_id: UUID, actor: str, details: dict[str, Any]) -> Any:
        said = {"component": "lifecycle", "kind": KIND, **details}
        return make_event(self._tenant_id, type, self._clock, actor, "export", str(export_id), said)


class _Work:
    """One export while it is written."""

    def __init__(
        self,
        plane: PlaneExport,
        snapshot: Snapshot,
        shelf: Shelf,
        outlet: Outlet,
        export_id: UUID,
        progress: Progress,
    ) -> None:
        self.export_id = export_id
        self._p, self._snapshot, self._shelf, self._progress = plane, snapshot, shelf, progress
        self._writer = ArchiveWriter(outlet)
        self._documents = self._objects = 0
        self._void: list[Wanted] = []
        self._missing: list[Wanted] = []
        self._generations: dict[UUID, str] = {}
        """Of documents that lack an object: the generation that the snapshot knows."""

    def doc_ids(self) -> tuple[UUID, ...]:
        """All that may be in the archive."""
        found = tuple(row.doc_id for page in self._snapshot.documents() for row in page)
        self._documents = len(found)
        return found

    def run(self, recipient: Recipient) -> Exported:
        """Write everything."""
        audit = Exporter(self._p._unit_of_work, self._p._signer, self._p._tenant_id, self._p._clock).begin(
            until=self._snapshot.checkpoint
        )
        self._writer.add_json(HEAD, self._head(recipient))
        for name, size, blocks in audit.files:
            self._writer.stream(f"{contents.AUDIT}/{name}", size, blocks)
        for table in self._snapshot.tables:
            for number, rows in enumerate(self._snapshot.rows(table, ROWS)):
                self._writer.add(contents.table_part(table.name, number), rows)
        self._configuration()
        self._contents()
        self._writer.add(contents.KEYS, recipient.seal(self._secrets()))
        self._document_keys()
        erased = self._snapshot.erased_since()
        missing = self._lacking({row.doc_id for row in erased})
        tail = Tail(
            objects=self._objects,
            erased=tuple(
                ErasedSince(
                    erasure_id=row.erasure_id,
                    doc_id=row.doc_id,
                    incarnation=row.incarnation,
                    requested_at=iso(row.requested_at),
                    actor=row.actor,
                    reason=row.reason,
                )
                for row in erased
            ),
            void=tuple(item.name for item in self._void),
            missing=missing,
        )
        self._writer.add_json(contents.TAIL, tail)
        written = audit.written
        return Exported(
            sealed=self._writer.seal(self.export_id, self._p._tenant_id, self._p._signer.note),
            documents=self._documents,
            objects=self._objects,
            erased=len(erased),
            missing=missing,
            checkpoint=kept_checkpoint(written.checkpoint.note, written.last_timestamp),
        )

    def _head(self, recipient: Recipient) -> Head:
        snapshot = self._snapshot
        return Head(
            export_id=self.export_id,
            tenant_id=self._p._tenant_id,
            created_at=iso(snapshot.taken_at),
            version=self._p._version,
            schema=len(snapshot.migrations),
            migrations=snapshot.migrations,
            tables=snapshot.tables,
            origin=self._p._signer.origin,
            public_key=self._p._signer.verifier_key,
            checkpoint=snapshot.checkpoint.note,
            log_size=snapshot.checkpoint.size,
            recipient=recipient.name,
            documents=self._documents,
            embeddings=tuple(snapshot.embeddings()),
        )

    def _configuration(self) -> None:
        with self._p._unit_of_work(reading=True) as uow:
            row = uow.configs.latest()
        said = {"version": row.version, "values": row.values} if row else {"version": 0, "values": {}}
        self._writer.add_json(contents.CONFIG, said)
        for name, data in sorted(self._p._rules.items()):
            self._writer.add(f"{contents.RULES}/{name}", data)

    def _secrets(self) -> bytes:
        keys = self._p._keys
        return msgspec.json.encode(
            TenantSecrets(
                export_id=self.export_id,
                tenant_id=self._p._tenant_id,
                id_key=keys.id_key,
                term_key=keys.term_key,
                wrapping_keys=dict(keys.wrapping_keys),
            )
        )

    def _contents(self) -> None:
        """Everything that is sealed under documents' keys."""
        done = 0
        for page in self._snapshot.documents():
            rows = {row.doc_id: row for row in page}
            wanted = chain.from_iterable(of_document(row) for row in page)
            for item, read in self._shelf.read(wanted):
                if read is None:
                    self._lack(item, rows[item.doc_id])
                    continue
                blocks = self._shelf.blocks(read, self._void)
                self._writer.stream(f"{contents.OBJECTS}/{item.name}", read.size, blocks)
                self._objects += 1
            done += len(page)
            self._progress(done, self._documents)

    def _document_keys(self) -> None:
        """Keys, page by page: read first, then it is asked what was erased, and what was not is written."""
        for page in self._snapshot.documents():
            rows = {row.doc_id: row for row in page}
            keys = list(self._shelf.read(Wanted(row.key_object, row.doc_id) for row in page))
            erased = {row.doc_id for row in self._snapshot.erased_since()}
            for item, read in keys:
                if read is None:
                    self._lack(item, rows[item.doc_id])
                elif item.doc_id not in erased:
                    self._writer.add(f"{contents.OBJECTS}/{item.name}", read.start)
                    self._objects += 1
        for name, data in self._batch_keys():
            self._writer.add(f"{contents.OBJECTS}/{name}", data)
            self._objects += 1

    def _batch_keys(self) -> Iterator[tuple[str, bytes]]:
        """Keys of the names of rejected files; a batch whose last one was taken away needs none."""
        for name in self._snapshot.batch_keys():
            with suppress(NotFound):
                yield name, self._p._blobs.get(name)

    def _lack(self, item: Wanted, row: HeldDocument) -> None:
        if item.needed:
            self._missing.append(item)
            self._generations[row.doc_id] = row.active_generation

    def _lacking(self, erased: set[UUID]) -> tuple[str, ...]:
        """Names of what a healthy plane has. What belonged to an erased document is not missed.

        Raises:
            Unavailable: `export_overtaken`: it is not there because another generation took its place.
        """
        lost = [item for item in (*self._missing, *self._void) if item.doc_id not in erased]
        with self._p._unit_of_work(reading=True) as uow:
            now = uow.documents.get_many(list({item.doc_id for item in lost}))
        for item in lost:
            row, then = now.get(item.doc_id), self._generations.get(item.doc_id)
            if row is None or (then is not None and row.active_generation != then):
                raise Unavailable(
                    "export_overtaken",
                    "Documents were processed anew while they were exported, and what they were is gone.",
                    "Export again; while the index is rebuilt, wait until `frostbyte index status` says it is through.",
                )
        return tuple(item.name for item in lost)
