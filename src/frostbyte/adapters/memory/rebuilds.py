"""Rebuilds of the index in memory."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import ChunkRow, DocumentRow, RebuildCounts, RebuildRow, State

_AT_REST = (State.INDEXED, State.FAILED)
_ENDED = (State.INDEXED, State.QUARANTINED, State.FAILED)


class MemoryRebuilds:
    """See kernel.ports.unit_of_work.Rebuilds."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: Table[UUID, RebuildRow] = Table(transaction, "rebuilds", lambda row: row.rebuild_id)
        self._documents: Table[UUID, DocumentRow] = Table(transaction, "documents", lambda row: row.doc_id)
        self._chunks: Table[UUID, ChunkRow] = Table(transaction, "chunks", lambda row: row.chunk_id)

    def put(self, row: RebuildRow) -> None:
        self._transaction.lock("rebuilds")
        others = (other for other in self._rows.rows() if other.rebuild_id != row.rebuild_id)
        if row.finished_at is None and any(other.finished_at is None for other in others):
            raise Conflict("rebuild_running", "The index is being rebuilt already.", "Wait until it is through.")
        self._rows.put(row)

    def latest(self) -> RebuildRow | None:
        return max(self._rows.rows(), key=lambda row: (row.started_at, row.rebuild_id), default=None)

    def beside(self) -> int:
        return sum(1 for row in self._rows.rows() if row.collection)

    def serving(self) -> str:
        switched = [(row.finished_at, row.collection) for row in self._rows.rows() if row.collection]
        return max(((at, name) for at, name in switched if at is not None), default=(None, ""))[1]

    def collections(self, *, hold: bool = False) -> tuple[str, str]:
        if hold:
            self._transaction.lock("rebuilds")
        latest = self.latest()
        return self.serving(), latest.collection if latest is not None and latest.finished_at is None else ""

    def counts(self, rebuild_id: UUID, since: datetime) -> RebuildCounts:
        rows = [row for row in self._documents.rows() if row.state is not State.ERASED]
        own = [row for row in rows if row.rebuild == rebuild_id]
        return RebuildCounts(
            pending=sum(1 for row in rows if row.rebuild != rebuild_id and row.active_generation),
            running=sum(1 for row in own if not row.state.terminal),
            done=sum(1 for row in own if row.state in (State.INDEXED, State.QUARANTINED)),
            failed=sum(1 for row in own if row.state is State.FAILED),
            recent=sum(1 for row in own if row.state in _ENDED and row.finished_at and row.finished_at >= since),
        )

    def pending(self, rebuild_id: UUID, limit: int) -> list[DocumentRow]:
        rows = self._documents.rows()
        found = [row for row in rows if row.active_generation and row.state in _AT_REST and row.rebuild != rebuild_id]
        found.sort(key=lambda row: row.doc_id)
        return sorted(found, key=lambda row: row.received_at, reverse=True)[:limit]

    def switch(self) -> int:
        ready = [
            row
            for row in self._documents.rows()
            if row.state is State.INDEXED and row.active_generation not in ("", row.generation)
        ]
        for row in ready:
            self._documents.put(replace(row, active_generation=row.generation))
        return len(ready)

    def forget_replaced(self, limit: int) -> int:
        documents = {row.doc_id: row for row in self._documents.rows() if row.state in _AT_REST}
        replaced = []
        for chunk in self._chunks.rows():
            row = documents.get(chunk.doc_id)
            if row and row.active_generation and chunk.generation not in (row.active_generation, row.generation):
                replaced.append(chunk.chunk_id)
        for chunk_id in replaced[:limit]:
            self._chunks.delete(chunk_id)
        return len(replaced[:limit])
