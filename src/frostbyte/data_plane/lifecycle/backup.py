"""A backup of a plane: its database at one moment, the objects of its documents, and the mirror of their keys.

What is stored is sealed, and only what is new. A document is read when something happened to it since the last backup;
its log is read from where the last backup ended. Keys go into the repository's mirror, which has no past, before the
snapshot is one: so there is no snapshot without its keys, and none that opens what was erased since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane.lifecycle import bundles, catalog, standing
from frostbyte.data_plane.lifecycle.bundles import Bundles
from frostbyte.data_plane.lifecycle.catalog import Found, Kept
from frostbyte.data_plane.lifecycle.mirroring import KeyMirror, Mirrored
from frostbyte.data_plane.lifecycle.standing import Bundled, Standing
from frostbyte.kernel.archive.contents import DATABASE, Head
from frostbyte.kernel.archive.file import HEAD
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.audit.proofs import wait_for_checkpoint
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.backup.packs import Place
from frostbyte.kernel.backup.repository import Repository, Snapshot, SnapshotReader, SnapshotWriter
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.blobs import BlobStore, Heads
from frostbyte.kernel.ports.snapshot import HeldDocument, Snapshots
from frostbyte.kernel.ports.snapshot import Snapshot as Database
from frostbyte.kernel.ports.unit_of_work import AuditLog, UnitOfWorkFactory
from frostbyte.kernel.records import BackupRunRow, EventRow, State

SEGMENT: Final = 4096
"""Events of the log whose rows are stored together."""
CROWDED: Final = 0.4
"""The share of a pack that has to be of use; of one that has less, the documents are stored again."""
WAIT_SECONDS: Final = 2.5
"""How long the plane's own sequencer is given; then the backup numbers what is left itself."""
_ALL_EVENTS: Final = 1 << 40
_PAGE: Final = 2000

Progress = Callable[[str, int, int], None]
"""Told what is done (`documents`, `tables`), how much of it, and of how much."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup came to.

    Attributes:
        documents: that are in it; `stored` of them were read for it, the others are as they were before.
        erased: documents that were erased while it was made: they are in it, and their keys nowhere.
        missing: objects that documents need and the plane's store does not have.
        lost_packs: that the target had and has no more; what was in them was stored again.
        vanished: name of a snapshot that the plane made and that the target does not have any more, or ''.
        size: bytes of the snapshot, of which `written` were stored now.
        seconds: that it took.
    """

    snapshot: str
    repository: UUID
    documents: int
    stored: int
    erased: int
    missing: tuple[str, ...]
    lost_packs: int
    vanished: str
    size: int
    written: int
    seconds: float
    mirror: Mirrored


class PlaneBackup:
    """Backs one plane up. One run at a time: who calls holds the plane's lock for it.

    Args:
        tenant_id: whose.
        version: of Frostbyte.
        unit_of_work: opens transactions.
        snapshots: of the same database.
        blobs: the objects, as they are sealed; `heads` reads many of them at once, where the store has such a way.
        mirror: of the keys.
        signer: the log's key.
        clock: for events and dates.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        version: str,
        unit_of_work: UnitOfWorkFactory,
        snapshots: Snapshots,
        blobs: BlobStore,
        heads: Heads | None = None,
        mirror: KeyMirror,
        signer: Signer,
        clock: Clock,
    ) -> None:
        self._tenant_id, self._version = tenant_id, version
        self._unit_of_work, self._snapshots, self._blobs, self._heads = unit_of_work, snapshots, blobs, heads
        self._mirror, self._signer, self._clock = mirror, signer, clock

    def take(self, repository: Repository, *, actor: str, progress: Progress = lambda what, done, total: None) -> Taken:
        """Make a snapshot. Killed at any moment, it leaves the earlier ones whole, and the next run goes on with it.

        Raises:
            Unavailable: `export_log_waits`; `backup_moved`: documents were processed anew meanwhile; `plane_updating`;
                `backup_target_...` and whatever a store says.
            Conflict: `backup_overtaken`.
        """
        started = time.monotonic()
        run = BackupRunRow(run_id=new_id(), repository=repository.id, begun_at=self._clock.now())
        with self._unit_of_work() as uow:
            before = uow.backups.latest()
            rests = _rests(uow.audit)
        try:
            # A log at its end is backed up as it is; the beginning is the first event after it, not one to wait for.
            if not rests:
                with suppress(Unavailable):
                    wait_for_checkpoint(self._unit_of_work, self._begun(run, actor), WAIT_SECONDS)
            with self._snapshots.take(self._number) as database:
                if rests:
                    self._begun(run, actor)
                taken, run = self._made(repository, run, database, before, progress)
        except BaseException as error:
            code = error.code if isinstance(error, FrostbyteError) else "interrupted"
            with suppress(FrostbyteError):
                self._ended(replace(run, code=code), actor, {"status": "failed", "code": code})
            raise
        said = {"status": "whole", "documents": taken.documents, "bytes": taken.size, "erased": taken.erased}
        self._ended(run, actor, said)
        return replace(taken, seconds=time.monotonic() - started)

    def mirror(self, repository: Repository, *, actor: str) -> Mirrored:
        """Have the mirror of the keys be as the plane's keys are now, and make no snapshot. Raises as `take`."""
        run = BackupRunRow(run_id=new_id(), repository=repository.id, begun_at=self._clock.now())
        run, done = self._mirrored(repository, run)
        with self._unit_of_work() as uow:
            uow.backups.put(replace(run, ended_at=self._clock.now()))
            if done.added or done.removed:
                said = {"status": "mirrored", "count": done.entries, "erased": done.removed}
                uow.audit.append(self._event(run, actor, said))
            uow.commit()
        return done

    def verified(self, snapshot: str) -> None:
        """Remember that a trial restore of it went well."""
        with self._unit_of_work() as uow:
            found = uow.backups.of_snapshot(snapshot)
            if found is not None:
                uow.backups.put(replace(found, verified_at=self._clock.now()))
                uow.commit()

    def _made(
        self,
        repository: Repository,
        run: BackupRunRow,
        database: Database,
        before: BackupRunRow | None,
        progress: Progress,
    ) -> tuple[Taken, BackupRunRow]:
        names = repository.snapshots()
        parent = _readable(repository, names)
        with (
            repository.begin(parent) as writer,
            Bundles(self._blobs, self._heads) as shelf,
        ):
            work = _Work(
                database, writer, shelf, repository.read(parent) if parent else None, progress,
                standing.of(parent, known=self._knows(parent)),
            )  # fmt: skip
            work.documents()
            missing = self._lacking(work)
            work.tables()
            head = self._head(run, database, work.count)
            writer.member(HEAD, (msgspec.json.encode(head),))
            run, mirrored = self._mirrored(repository, run)
            facts = _facts(head, database, missing) | work.standing()
            snapshot = writer.commit(taken_at=database.taken_at, facts=facts)
            erased = len(database.erased_since())
            taken = Taken(
                snapshot=snapshot.name,
                repository=repository.id,
                documents=work.count,
                stored=work.stored,
                erased=erased,
                missing=missing,
                lost_packs=len(writer.lost),
                vanished=_vanished(before, repository, names),
                size=snapshot.size,
                written=snapshot.written,
                seconds=0.0,
                mirror=mirrored,
            )
        return taken, replace(run, snapshot=snapshot.name)

    def _knows(self, parent: Snapshot | None) -> bool:
        """Whether this database has gone on from the state that a snapshot has."""
        with self._unit_of_work(reading=True) as uow:
            return parent is not None and uow.backups.of_snapshot(parent.name) is not None

    def _mirrored(self, repository: Repository, run: BackupRunRow) -> tuple[BackupRunRow, Mirrored]:
        read_at, done = self._mirror.bring(repository)
        run = replace(run, keys_read_at=read_at, mirrored_at=self._clock.now())
        return run, done

    def _number(self, unit_of_work: Any) -> None:
        Sequencer(unit_of_work, self._signer, self._clock, batch=_ALL_EVENTS).run_once()

    def _begun(self, run: BackupRunRow, actor: str) -> UUID:
        event = self._event(run, actor, {"status": "begun"})
        with self._unit_of_work() as uow:
            uow.audit.append(event)
            uow.backups.put(run)
            uow.commit()
        return event.event_id

    def _ended(self, run: BackupRunRow, actor: str, details: dict[str, Any]) -> None:
        with self._unit_of_work() as uow:
            uow.audit.append(self._event(run, actor, details))
            uow.backups.put(replace(run, ended_at=self._clock.now()))
            uow.commit()

    def _event(self, run: BackupRunRow, actor: str, details: dict[str, Any]) -> EventRow:
        said = {"component": "lifecycle", **details}
        about = run.snapshot or str(run.run_id)
        return make_event(self._tenant_id, EventType.BACKUP_TAKEN, self._clock, actor, "backup", about, said)

    def _head(self, run: BackupRunRow, database: Database, documents: int) -> Head:
        return Head(
            export_id=run.run_id,
            tenant_id=self._tenant_id,
            created_at=iso(database.taken_at),
            version=self._version,
            schema=len(database.migrations),
            migrations=database.migrations,
            tables=database.tables,
            origin=self._signer.origin,
            public_key=self._signer.verifier_key,
            checkpoint=database.checkpoint.note,
            log_size=database.checkpoint.size,
            recipient="",
            documents=documents,
            embeddings=tuple(database.embeddings()),
        )

    def _lacking(self, work: _Work) -> tuple[str, ...]:
        """Names of what a healthy plane has. A document that was erased meanwhile is in the backup without its content.

        Raises:
            Unavailable: `backup_moved`: it is not there because another generation took its place.
        """
        with self._unit_of_work(reading=True) as uow:
            now = uow.documents.get_many([item.row.doc_id for item in work.lacking])
        found: list[str] = []
        for item in work.lacking:
            row = now.get(item.row.doc_id)
            if row is not None and row.state is State.ERASED:
                continue
            if row is None or row.active_generation != item.row.active_generation:
                raise Unavailable(
                    "backup_moved",
                    "Documents were processed anew while they were backed up, and what they were is gone.",
                    "Run it again; while the index is rebuilt, wait until `frostbyte index status` says it is through.",
                )
            found += item.missing
        return tuple(found)


class _Work:
    """One snapshot while it is made."""

    def __init__(
        self,
        database: Database,
        writer: SnapshotWriter,
        shelf: Bundles,
        before: SnapshotReader | None,
        progress: Progress,
        stood: Standing | None,
    ) -> None:
        self._database, self._writer, self._shelf, self._progress = database, writer, shelf, progress
        self._reader = before
        self._before = before.snapshot if before else None
        self._tallies = standing.tallies(database, stood)
        self._same = standing.unchanged(stood, self._tallies)
        self._stood = stood
        self._old: dict[bytes, Found] = {}
        self._bundled: Bundled | None = None
        self.count = 0
        """Documents."""
        self.kept: list[Kept] = []
        self.lacking: list[bundles.Bundled] = []
        self.stored = 0

    def documents(self) -> None:
        """Every document's bundle, stored or named again."""
        if not self._all_as_before():
            if self._reader is not None:
                self._old = _usable(catalog.read(self._reader), self._reader.snapshot, self._writer.lost)
            strays = _strays(self._writer)
            fresh = self._unchanged(strays)
            for bundled in self._shelf.read(fresh):
                self._store(bundled)
            self.count = len(self.kept)
        self._writer.member(catalog.BATCHES, (msgspec.json.encode(self._database.batch_keys()),))

    def tables(self) -> None:
        """The rows of the database, and the catalog of what was stored of the documents."""
        tables = self._database.tables
        for done, table in enumerate(tables, 1):
            if table.name in self._database.segmented:
                for log, size in enumerate(self._database.logs):
                    for start in range(0, size, SEGMENT):
                        self._segment(table, log, start, min(start + SEGMENT, size))
            else:
                name = f"{DATABASE}/{table.name}.copy"
                if table.name not in self._same or not self._writer.keep_member(name):
                    self._writer.member(name, self._database.pieces(table))
            self._progress("tables", done, len(tables))
        if self._bundled is not None:
            return
        self._writer.settle()
        for name, page in catalog.pages(self.kept, self._writer.table):
            self._writer.member(name, (page,))

    def standing(self) -> dict[str, Any]:
        """What the run after this one is told."""
        if self._bundled is None:
            self._writer.settle()
            packs = sorted({place.pack for kept in self.kept for place in kept.places})
            self._bundled = Bundled(
                packs=packs,
                bytes=sum(place.size for kept in self.kept for place in kept.places),
                settled=all(kept.stamp for kept in self.kept)
                and not self.lacking
                and not self._writer.crowded(packs, CROWDED),
            )
        return standing.told(self._database, self._tallies, self._bundled)

    def _all_as_before(self) -> bool:
        """Name every document again without looking at any, where the table of documents is what it was."""
        if self._stood is None or self._before is None or self._writer.lost:
            return False
        bundled = self._stood.bundled
        if standing.DOCUMENTS not in self._same or not bundled.settled:
            return False
        for member in self._before.members:
            if member.name.startswith(f"{catalog.FOLDER}/"):
                self._writer.keep_member(member.name)
        self._bundled = replace(bundled, packs=self._writer.keep_packs(bundled.packs, bundled.bytes))
        self.count = int(self._before.facts["documents"])
        return True

    def _unchanged(self, strays: dict[bytes, list[tuple[bytes, Place]]]) -> Iterator[HeldDocument]:
        """Names again what is stored already; gives the rows of all others."""
        done = 0
        for page in self._database.documents(_PAGE):
            for row in page:
                if not self._old and not strays:  # the first one
                    yield row
                    continue
                stamp = catalog.stamp_of(row)
                old = self._old.get(row.doc_id.bytes)
                if stamp and old is not None and old.kept.stamp == stamp:
                    self._keep(row, stamp, old.pieces)
                elif stamp and (pieces := strays.get(row.doc_id.bytes + stamp)):
                    self._keep(row, stamp, pieces)
                else:
                    yield row
            done += len(page)
            self._progress("documents", done, 0)

    def _keep(self, row: HeldDocument, stamp: bytes, pieces: Iterable[tuple[bytes, Place]]) -> None:
        places = tuple(self._writer.keep(pack, place) for pack, place in pieces)
        self.kept.append(Kept(row.doc_id.bytes, stamp, catalog.key_number(row), places))

    def _store(self, bundled: bundles.Bundled) -> None:
        row = bundled.row
        stamp = b"" if bundled.missing else catalog.stamp_of(row)
        if bundled.missing:
            self.lacking.append(bundled)
        places = []
        try:
            for tag, piece in bundles.tagged(bundled, stamp, self._shelf):
                places.append(self._writer.put(piece, tag=tag))
        except bundles.TakenAway:
            self.lacking.append(bundled)
            return
        self.kept.append(Kept(row.doc_id.bytes, stamp, catalog.key_number(row), tuple(places)))
        self.stored += 1

    def _segment(self, table: Any, log: int, start: int, end: int) -> None:
        name = f"{DATABASE}/{table.name}.{log}.{start:012}.copy"
        if end - start == SEGMENT and self._same_log(log, end) and self._writer.keep_member(name):
            return
        self._writer.member(name, self._database.segment(table, log, start, end))

    def _same_log(self, log: int, end: int) -> bool:
        """Whether the backup before has these events of this log."""
        if self._before is None:
            return False
        logs, root = self._before.facts["logs"], bytes.fromhex(self._before.facts["root"])
        if log >= len(logs) or end > logs[log]:
            return False
        if log < len(logs) - 1:
            return bool(logs[log] == self._database.logs[log])
        return len(logs) == len(self._database.logs) and self._database.continues(logs[log], root)


def _rests(log: AuditLog) -> bool:
    """Whether every event has its number and a signed checkpoint covers them all."""
    latest = log.latest_checkpoint()
    return latest is not None and latest.size == log.log_size() and not log.unsequenced(1)


def _readable(repository: Repository, names: list[str]) -> Snapshot | None:
    """The newest snapshot that can be read: one that is damaged is nothing to build on."""
    for name in reversed(names):
        with suppress(Invalid):
            return repository.snapshot(name)
    return None


def _vanished(before: BackupRunRow | None, repository: Repository, names: list[str]) -> str:
    """A target that has lost the plane's last snapshot has lost more than that, or was put back to an earlier state."""
    if before is None or before.repository != repository.id or before.snapshot in names:
        return ""
    return before.snapshot


def _facts(head: Head, database: Database, missing: tuple[str, ...]) -> dict[str, Any]:
    return {
        "tenant_id": head.tenant_id,
        "version": head.version,
        "schema": head.schema,
        "documents": head.documents,
        "missing": len(missing),
        "logs": list(database.logs),
        "root": database.checkpoint.root.hex(),
        "origin": head.origin,
    }


def _usable(old: dict[bytes, Found], snapshot: Snapshot, lost: frozenset[bytes]) -> dict[bytes, Found]:
    """What of the backup before may be named again: not what was lost, nor what is too little of its pack."""
    of_use: dict[bytes, int] = {}
    for found in old.values():
        for pack, place in found.pieces:
            of_use[pack] = of_use.get(pack, 0) + place.size
    for member in snapshot.members:
        for place in member.pieces:
            pack = snapshot.packs[place.pack]
            of_use[pack] = of_use.get(pack, 0) + place.size
    sizes = dict(zip(snapshot.packs, snapshot.sizes, strict=True))
    out = {pack for pack, size in sizes.items() if of_use.get(pack, 0) < CROWDED * size} | lost
    return {doc_id: found for doc_id, found in old.items() if not any(pack in out for pack, _ in found.pieces)}


def _strays(writer: SnapshotWriter) -> dict[bytes, list[tuple[bytes, Place]]]:
    """Whole bundles that a run has stored which was cut off, by document and stamp."""
    found: dict[bytes, dict[int, tuple[bytes, Place]]] = {}
    counts: dict[bytes, int] = {}
    for tag, pack, place in writer.strays():
        read = bundles.read_tag(tag)
        if read is not None:
            whose, number, count = read
            found.setdefault(whose, {})[number] = (pack, place)
            counts[whose] = count
    return {
        whose: [pieces[number] for number in range(counts[whose])]
        for whose, pieces in found.items()
        if len(pieces) == counts[whose]
    }
