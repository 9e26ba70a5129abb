"""An exported plane put into an empty one: the same documents under the same ids, with the same answers and proofs.

Everything is checked before anything is written. Objects come first, then the index; one commit of the database makes
all of it a plane, with its new log. Before that commit nobody sees anything of it, and a second try goes on where the
first was cut off. What was erased since the export never arrives: neither its key, nor its objects, nor its vectors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane import artefacts, embed, index, policy
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.data_plane.lifecycle import erasure
from frostbyte.data_plane.sources import Brought, Source
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.archive.contents import ErasedSince, Head
from frostbyte.kernel.archive.file import broken
from frostbyte.kernel.audit import logs, merkle
from frostbyte.kernel.audit.checkpoint import open_checkpoint, public_key
from frostbyte.kernel.audit.events import event_leaf
from frostbyte.kernel.audit.proofs import tree_lookup
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.restoration import Restoration, Restorations
from frostbyte.kernel.ports.unit_of_work import AuditLog, UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Collections
from frostbyte.kernel.records import DocumentRow, ErasureRow, HandoutRow, State
from frostbyte.kernel.vault import TenantKeys, Vault

MARK: Final = "exports/import."
"""The object that says which archive is being imported, until it is."""
KIND: Final = "plane"
"""Of the handout that the archive is a copy of."""
AT_ONCE: Final = 8
"""Objects written at once: each is made durable by itself, which takes a store milliseconds."""
_SMALL: Final = 16 << 20
"""Bytes of an object up to which it is written while the next ones are read."""
PAGE: Final = 1000
"""Events, or documents, looked at in one go."""

Progress = Callable[[str, int, int], None]
"""Told what is done (`objects`, `events`, `documents`), how many of it, and of how many."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to.

    Attributes:
        documents: that are not erased.
        passages: that can be found.
        erased: documents of the archive that were erased since.
        missing: objects that the exported plane lacked already.
        old_origin, old_key, old_size: of the log that the plane came with.
        origin: of the new one; its key is made when the plane starts.
        event_id: of PLANE_RESTORED.
    """

    export_id: UUID
    documents: int
    passages: int
    objects: int
    erased: int
    missing: tuple[str, ...]
    old_origin: str
    old_key: str
    old_size: int
    origin: str
    event_id: UUID


class PlaneImport:
    """Imports into one empty plane.

    Args:
        tenant_id: whose.
        restorations: of its database.
        blobs: its objects.
        keep_keys: stores the tenant's keys, or sees that they are there already; raises Conflict where others are.
        collections: opens the vector collection that a database's rows name.
        embedder: by whose model questions will be embedded.
        clock: for events.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        restorations: Restorations,
        blobs: BlobStore,
        keep_keys: Callable[[TenantKeys], None],
        collections: Callable[[UnitOfWorkFactory], Collections],
        embedder: Embedder,
        clock: Clock,
    ) -> None:
        self._tenant_id, self._restorations, self._blobs = tenant_id, restorations, blobs
        self._keep_keys, self._collections, self._embedder = keep_keys, collections, embedder
        self._clock = clock

    def run(
        self,
        source: Source,
        *,
        erased: Iterable[ErasedSince] = (),
        actor: str,
        progress: Progress = lambda what, done, total: None,
    ) -> Imported:
        """Import all of it, or nothing.

        Args:
            source: read through and found whole, where it is an archive.
            erased: what was erased since, beside what the source itself tells.
            actor: for the audit.

        Raises:
            Conflict: `archive_foreign_tenant`, `plane_not_empty`, `archive_newer`, `migration_changed`,
                `import_other_model`, `import_begun`, `import_done`, `log_beyond_checkpoint`.
            Invalid: `archive_broken`.
            Unavailable: what a store says.
        """
        head = source.head
        if head.tenant_id != self._tenant_id:
            raise Conflict(
                "archive_foreign_tenant",
                "The archive is of another tenant than this plane.",
                "Import it into a plane that was made for its tenant; a plane never changes its tenant.",
            )
        mark = f"{MARK}{head.export_id}"
        if self._restorations.restored_from() == head.export_id:
            self._blobs.delete(mark)
            raise Conflict("import_done", "This plane was restored from this archive already.", "Start the plane.")
        keys = source.keys()
        with self._restorations.begin() as restoration:
            marked = self._see_that_objects_fit(source)
            work = _Work(self, source, restoration, Vault(self._blobs, keys), TermHasher(keys.term_key), progress)
            restoration.load(head, source.rows())
            check_logs(restoration.uow, head, progress)
            gone = {row.doc_id: row for row in (*source.erased(), *erased)}
            event_id = work.begin_log(actor)
            count = work.erase(gone)
            work.check_model()
            if not marked:
                self._blobs.put(mark, b"")
            self._keep_keys(keys)
            objects = work.place_objects(resumed=marked)
            documents, passages = work.fill_index()
            restoration.uow.commit()
        self._blobs.delete(mark)
        return Imported(
            export_id=head.export_id,
            documents=documents,
            passages=passages,
            objects=objects,
            erased=count,
            missing=source.tail.missing,
            old_origin=head.origin,
            old_key=head.public_key,
            old_size=head.log_size,
            origin=work.origin,
            event_id=event_id,
        )

    def _see_that_objects_fit(self, source: Source) -> bool:
        """Whether this import was begun before. Raises Conflict: `plane_not_empty`, `import_begun`."""
        marks = [name.removeprefix(MARK) for name in self._blobs.names(MARK)]
        if marks and marks != [str(source.head.export_id)]:
            raise Conflict(
                "import_begun",
                "The import of another archive was begun here and not ended.",
                "Import that one to its end, or install the plane anew.",
            )
        mine: Collection[str] = source.names() if marks else ()
        for folder in ("raw/", "normalized/", "keys/", "quarantine/"):
            if any(name not in mine for name in self._blobs.names(folder)):
                raise Conflict(
                    "plane_not_empty",
                    "This plane has objects of its own.",
                    "Import into a plane that was installed and never started (install.sh --restore does all of it).",
                )
        return bool(marks)


def check_logs(uow: UnitOfWork, head: Head, progress: Progress) -> None:
    """Compute every log of a loaded plane anew from its events, and compare. Raises Invalid("archive_broken")."""
    audit = uow.audit
    for row in audit.ended():
        _check_log(audit.of(row.log), row.size, row.root, progress)
    said = open_checkpoint(head.checkpoint, public_key(head.public_key))
    latest = audit.latest_checkpoint()
    if latest is None or (latest.size, latest.root) != (said.size, said.root) or said.size != head.log_size:
        raise broken("its log does not end where it says")
    _check_log(audit, said.size, said.root, progress)


def _check_log(log: AuditLog, size: int, root: bytes, progress: Progress) -> None:
    at, lookup = 0, tree_lookup(log)
    while at < size:
        page = log.events(after_sequence=at - 1, limit=min(PAGE, size - at))
        leaves = [event_leaf(item.event) for item in page]
        if not page or page[0].sequence != at or leaves != log.leaf_hashes(at, at + len(page)):
            raise broken("an event in it is not what was signed")
        before = merkle.pieces(0, at)
        known = lookup(before)
        nodes, now = merkle.extend(at, [known[place] for place in before], leaves)
        if nodes and log.nodes([node[:2] for node in nodes]) != {node[:2]: node[2] for node in nodes}:
            raise broken("a hash of its log is not what was signed")
        at += len(page)
        progress("events", at, size)
    if now != root or log.log_size() != size:
        raise broken("its log is not what was signed")


class _Work:
    """One import."""

    def __init__(
        self,
        plane: PlaneImport,
        source: Source,
        restoration: Restoration,
        vault: Vault,
        terms: TermHasher,
        progress: Progress,
    ) -> None:
        self._p, self._source, self._uow = plane, source, restoration.uow
        self._vault, self._terms, self._progress = vault, terms, progress
        self._artefacts = Artefacts(vault)
        self._gone: set[str] = set()
        """Ids of erased documents, and names of their files as they came."""
        self._gone_ids: set[UUID] = set()
        self.origin = ""

    def begin_log(self, actor: str) -> UUID:
        """End the log that came along, and begin the plane's own; note the copy that the archive is."""
        head = self._source.head
        self.origin = logs.origin(head.tenant_id, len(self._uow.audit.ended()) + 1)
        event = logs.begin_next(
            self._uow,
            tenant_id=head.tenant_id,
            public_key=head.public_key,
            clock=self._p._clock,
            actor=actor,
            details={
                "export_id": str(head.export_id),
                "manifest_hash": self._source.digest,
                "documents": head.documents,
            },
        )
        if not self._source.handed_out:
            return event.event_id
        doc_ids = tuple(row.doc_id for row in self._documents())
        made = datetime.fromisoformat(head.created_at)
        self._uow.erasures.add_handout(
            HandoutRow(export_id=head.export_id, created_at=made, actor=actor, kind=KIND, doc_ids=doc_ids)
        )
        return event.event_id

    def erase(self, gone: dict[UUID, ErasedSince]) -> int:
        """Erase what was erased since the export; returns how many of it the archive held."""
        now, count = self._p._clock.now(), 0
        for doc_id, told in gone.items():
            row = self._uow.documents.get(doc_id)
            if row is None or row.state is State.ERASED or self._uow.erasures.get(told.erasure_id) is not None:
                continue  # what the source knew already may have been followed by the same file again
            wanted = ErasureRow(
                erasure_id=told.erasure_id,
                doc_id=doc_id,
                incarnation=row.incarnation,
                requested_at=datetime.fromisoformat(told.requested_at) if told.requested_at else now,
                actor=told.actor,
                reason=told.reason,
                key_destroyed_at=now,  # it was never here
                vectors_gone_at=now,
            )
            erasure.decide(self._uow, row, wanted, tenant_id=self._p._tenant_id, clock=self._p._clock)
            self._gone |= {row.raw_object, str(doc_id)}
            self._gone_ids.add(doc_id)
            count += 1
        return count

    def check_model(self) -> None:
        """See that questions will be embedded by the model that the passages were. Raises `import_other_model`."""
        label = self._p._embedder.label
        others = {row.embedding for row in self._documents() if row.active_generation} - {label}
        if others:
            raise Conflict(
                "import_other_model",
                f"The passages were embedded by {sorted(others)[0]}, and this plane has {label}.",
                "Import into a plane with that model; then choose another and run `frostbyte index rebuild`.",
            )

    def place_objects(self, *, resumed: bool) -> int:
        """Store all objects as they are sealed, but for those of erased documents; returns how many."""
        placed, expected = 0, self._source.count()
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="import") as threads:
            for item in self._source.objects(frozenset(self._gone_ids)):
                if self._of_erased(item.name):
                    continue
                if item.size > _SMALL:  # it is read from where the next one is read from
                    self._place(item, resumed=resumed)
                else:
                    waiting.append(threads.submit(self._place, item, resumed=resumed))
                while len(waiting) > 2 * AT_ONCE:
                    waiting.popleft().result()
                placed += 1
                self._progress("objects", placed, max(placed, expected))
            for future in waiting:
                future.result()
        return placed

    def _of_erased(self, name: str) -> bool:
        """All but the file as it came are named `folder/{doc_id}.…`."""
        return name in self._gone or name.partition("/")[2].partition(".")[0] in self._gone

    def _place(self, item: Brought, *, resumed: bool) -> None:
        blobs = self._p._blobs
        if resumed and blobs.exists(item.name) and blobs.size(item.name) == item.size:
            for _ in item.blocks() if item.size > _SMALL else ():
                pass
            return
        with blobs.writer(item.name) as writer:
            for block in item.blocks():
                writer.write(block)
            writer.commit()

    def fill_index(self) -> tuple[int, int]:
        """Make every point anew from what its document keeps; returns documents that are there, and passages."""
        collection = self._p._collections(self._within())
        documents = passages = 0
        try:
            for row in self._documents():
                documents += 1
                if row.active_generation:
                    passages += self._index(collection, row)
                self._progress("documents", documents, self._source.head.documents)
        finally:
            collection.close()
        return documents, passages

    def _index(self, collection: Collections, row: DocumentRow) -> int:
        key = self._vault.load_key(row.key_object)
        cleared = policy.load_cleared(self._artefacts.get(row, row.active_generation, artefacts.CLEARED, key))
        vectors = embed.decode(self._artefacts.get(row, row.active_generation, artefacts.VECTORS, key))
        numbered = zip(range(len(vectors)), cleared.chunks, strict=True)
        kept = {chunk.chunk_id: vectors.of(number) for number, chunk in numbered}
        rows = self._uow.chunks.of_document(row.doc_id, row.active_generation)
        visible = {chunk.chunk_id for chunk in rows if not chunk.withheld}
        freed = tuple(sorted(visible.intersection(chunk.chunk_id for chunk in cleared.withheld)))
        if freed:
            cleared = policy.release(cleared, freed)
            kept |= embed.decode_released(self._artefacts.get(row, row.active_generation, artefacts.RELEASED, key))
        index.run(
            cleared.chunks,
            embed.together([kept[chunk.chunk_id] for chunk in cleared.chunks], vectors.whole.shape[1]),
            store=collection,
            spec=self._p._embedder.spec,
            terms=self._terms,
            labels=[row.classification],
            received=row.received_at.timestamp(),
        )
        return len(cleared.chunks)

    def _documents(self) -> Iterator[DocumentRow]:
        """All that are not erased."""
        after: UUID | None = None
        while page := self._uow.documents.page(after=after, limit=PAGE):
            yield from (row for row in page if row.state is not State.ERASED)
            after = page[-1].doc_id

    def _within(self) -> UnitOfWorkFactory:
        """Units of work that see what was loaded and commit nothing."""

        @contextmanager
        def opened(*, reading: bool = False) -> Iterator[UnitOfWork]:
            yield self._uow

        def begin(*, reading: bool = False) -> AbstractContextManager[UnitOfWork]:
            return opened(reading=reading)

        return begin
