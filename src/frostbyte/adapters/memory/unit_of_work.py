"""The relational store in memory: the stand-in for tests and demonstrations.

It passes the suite that the PostgreSQL store passes, and forgets everything when the process ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from frostbyte.adapters.memory.access import MemoryAccess
from frostbyte.adapters.memory.accounts import MemoryAccounts
from frostbyte.adapters.memory.audit import MemoryAuditLog
from frostbyte.adapters.memory.backups import MemoryBackups
from frostbyte.adapters.memory.jobs import MemoryJobs
from frostbyte.adapters.memory.keeping import MemoryErasures, MemoryHolds, MemoryRetention
from frostbyte.adapters.memory.listing import MemoryListing
from frostbyte.adapters.memory.rebuilds import MemoryRebuilds
from frostbyte.adapters.memory.scanners import MemoryScanners
from frostbyte.adapters.memory.standing import MemoryStanding
from frostbyte.adapters.memory.tables import Database, Table, Transaction
from frostbyte.adapters.memory.webhooks import MemoryWebhooks
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.records import (
    BatchRow,
    ChunkRow,
    ConfigRow,
    DocumentRow,
    DocumentTally,
    EventRow,
    ReceiptRow,
    State,
)


class MemoryDocuments:
    """See kernel.ports.unit_of_work.Documents."""

    def __init__(self, transaction: Transaction, holds: MemoryHolds) -> None:
        self._rows: Table[UUID, DocumentRow] = Table(transaction, "documents", lambda row: row.doc_id)
        self._holds = holds

    def get(self, doc_id: UUID, *, lock: bool = False) -> DocumentRow | None:
        return self._rows.get(doc_id, lock=lock)

    def get_many(self, doc_ids: Sequence[UUID]) -> dict[UUID, DocumentRow]:
        found = (self._rows.get(doc_id) for doc_id in doc_ids)
        return {row.doc_id: row for row in found if row is not None}

    def put(self, row: DocumentRow) -> None:
        before = self._rows.get(row.doc_id)
        if before is not None and before.state is not State.ERASED and row.state is State.ERASED:
            self._holds.refuse_erasure(before)
        self._rows.put(row)

    def page(
        self,
        *,
        state: State | None = None,
        needs_review: bool | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if (state is None or row.state is state)
            and (needs_review is None or row.needs_review is needs_review)
            and (after is None or row.doc_id > after)
        )
        return sorted(fitting, key=lambda row: row.doc_id)[:limit]

    def stored_bytes(self) -> int:
        return sum(row.size for row in self._rows.rows() if row.state is not State.ERASED)

    def tally(self) -> list[DocumentTally]:
        groups: dict[tuple[State, str, bool], int] = {}
        for row in self._rows.rows():
            erased = row.state is State.ERASED
            key = (row.state, "" if erased else row.code, row.scan_verdict == "unscanned" and not erased)
            groups[key] = groups.get(key, 0) + 1
        return [
            DocumentTally(state=state, code=code, unscanned=unscanned, count=count)
            for (state, code, unscanned), count in groups.items()
        ]


class MemoryBatches:
    """See kernel.ports.unit_of_work.Batches."""

    def __init__(self, transaction: Transaction, standing: MemoryStanding, documents: MemoryDocuments) -> None:
        self._transaction = transaction
        self._standing = standing
        self._documents = documents
        self._rows: Table[UUID, BatchRow] = Table(transaction, "batches", lambda row: row.batch_id)
        self._receipts: Table[UUID, ReceiptRow] = Table(transaction, "receipts", lambda row: row.receipt_id)

    def get(self, batch_id: UUID) -> BatchRow | None:
        return self._rows.get(batch_id)

    def by_idempotency_key(self, subject: str, key: str) -> BatchRow | None:
        same = (row for row in self._rows.rows() if row.subject == subject and row.idempotency_key == key)
        return next(same, None) if key else None

    def put(self, row: BatchRow) -> None:
        if row.idempotency_key:
            self._transaction.lock("idempotency", row.subject, row.idempotency_key)
            other = self.by_idempotency_key(row.subject, row.idempotency_key)
            if other is not None and other.batch_id != row.batch_id:
                raise Conflict(
                    "idempotency_conflict",
                    "This idempotency key was used for another upload.",
                    "Use a new key for a new upload.",
                )
        self._rows.put(row)

    def add_receipt(self, row: ReceiptRow) -> None:
        self._standing.write_down()
        if self._rows.get(row.batch_id) is None:
            raise Invalid("database_value_refused", "The receipt's batch does not exist.", "Check the input.")
        self._transaction.lock("position", row.batch_id, row.position)
        if any(other.position == row.position for other in self.receipts(row.batch_id)):
            raise Conflict("row_exists", "The row exists already.", "Use the one that is there.")
        self._receipts.insert(row)

    def receipt(self, receipt_id: UUID) -> ReceiptRow | None:
        return self._receipts.get(receipt_id)

    def receipts(self, batch_id: UUID) -> list[ReceiptRow]:
        own = (row for row in self._receipts.rows() if row.batch_id == batch_id)
        return sorted(own, key=lambda row: row.position)

    def under_way(self, batch_id: UUID) -> bool:
        named = [row.doc_id for row in self.receipts(batch_id) if row.doc_id is not None]
        return any(not row.state.terminal for row in self._documents.get_many(named).values())

    def open_of_document(self, doc_id: UUID) -> list[BatchRow]:
        ids = {row.batch_id for row in self._receipts.rows() if row.doc_id == doc_id}
        batches = (self._rows.get(batch_id) for batch_id in sorted(ids))
        return [row for row in batches if row is not None and row.completed_at is None]

    def sent_by(self, subject: str, doc_id: UUID) -> bool:
        batches = (self._rows.get(row.batch_id) for row in self._receipts.rows() if row.doc_id == doc_id)
        return any(row is not None and row.subject == subject for row in batches)


class MemoryChunks:
    """See kernel.ports.unit_of_work.Chunks."""

    def __init__(self, transaction: Transaction, documents: MemoryDocuments) -> None:
        self._documents = documents
        self._rows: Table[UUID, ChunkRow] = Table(transaction, "chunks", lambda row: row.chunk_id)

    def put_generation(self, doc_id: UUID, generation: str, rows: Sequence[ChunkRow]) -> None:
        for row in self.of_document(doc_id, generation):
            self._rows.delete(row.chunk_id)
        for row in rows:
            self._rows.insert(row)

    def get(self, chunk_id: UUID) -> ChunkRow | None:
        return self._rows.get(chunk_id)

    def visible(self, chunk_ids: Sequence[UUID]) -> dict[UUID, tuple[ChunkRow, DocumentRow]]:
        found: dict[UUID, tuple[ChunkRow, DocumentRow]] = {}
        for row in map(self._rows.get, chunk_ids):
            document = None if row is None else self._documents.get(row.doc_id)
            if row is not None and document is not None and not row.withheld and self._active(row):
                found[row.chunk_id] = (row, document)
        return found

    def of_document(self, doc_id: UUID, generation: str) -> list[ChunkRow]:
        own = (row for row in self._rows.rows() if row.doc_id == doc_id and row.generation == generation)
        return sorted(own, key=lambda row: row.ordinal)

    def page(self, *, after: tuple[UUID, int] | None = None, limit: int = 500) -> list[ChunkRow]:
        rows = (row for row in self._rows.rows() if not row.withheld and self._active(row))
        fitting = (row for row in rows if after is None or (row.doc_id, row.ordinal) > after)
        return sorted(fitting, key=lambda row: (row.doc_id, row.ordinal))[:limit]

    def withheld(self, limit: int = 100, *, kept: bool = False) -> list[ChunkRow]:
        rows = (row for row in self._rows.rows() if row.withheld and row.kept is kept and self._active(row))
        return sorted(rows, key=lambda row: (row.doc_id, row.ordinal))[:limit]

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        for row in self._rows.rows():
            if row.doc_id == doc_id and row.generation != except_generation:
                self._rows.delete(row.chunk_id)

    def _active(self, row: ChunkRow) -> bool:
        document = self._documents.get(row.doc_id)
        return document is not None and document.active_generation == row.generation != ""


class MemoryConfigs:
    """See kernel.ports.unit_of_work.Configs."""

    def __init__(self, transaction: Transaction) -> None:
        self._rows: Table[int, ConfigRow] = Table(transaction, "configs", lambda row: row.version)

    def latest(self) -> ConfigRow | None:
        return max(self._rows.rows(), key=lambda row: row.version, default=None)

    def get(self, version: int) -> ConfigRow | None:
        return self._rows.get(version)

    def add(self, row: ConfigRow) -> None:
        self._rows.insert(row, "config_version_exists", "The configuration was changed by someone else.")


class MemoryUnitOfWork:
    """See kernel.ports.unit_of_work.UnitOfWork."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.erasures = MemoryErasures(transaction)
        self.holds = MemoryHolds(transaction, self.erasures)
        self.documents = MemoryDocuments(transaction, self.holds)
        self.retention = MemoryRetention(transaction, self.holds)
        self.standing = MemoryStanding(transaction)
        self.backups = MemoryBackups(transaction)
        self.batches = MemoryBatches(transaction, self.standing, self.documents)
        self.listing = MemoryListing(transaction)
        self.jobs = MemoryJobs(transaction, self.standing)
        self.audit = MemoryAuditLog(transaction, self.standing.write_down)
        self.chunks = MemoryChunks(transaction, self.documents)
        self.configs = MemoryConfigs(transaction)
        self.access = MemoryAccess(transaction)
        self.accounts = MemoryAccounts(transaction)
        self.rebuilds = MemoryRebuilds(transaction)
        self.scanners = MemoryScanners(transaction)
        self.webhooks = MemoryWebhooks(transaction)

    def lock_content(self, doc_id: UUID) -> None:
        self._transaction.lock("content", doc_id)

    def record(self, event: EventRow) -> None:
        self.audit.append(event)
        self.commit()

    def commit(self) -> None:
        self._transaction.commit()


class MemoryStore:
    """A plane's rows in this process."""

    def __init__(self) -> None:
        self._database = Database()

    @contextmanager
    def unit_of_work(self, *, reading: bool = False) -> Iterator[MemoryUnitOfWork]:
        """One transaction; what is not committed is undone at the end of the block."""
        transaction = Transaction(self._database, reading=reading)
        try:
            yield MemoryUnitOfWork(transaction)
        finally:
            transaction.end()
