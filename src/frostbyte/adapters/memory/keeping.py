"""Erasures, legal holds and runs of retention, in memory."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.keeping import held
from frostbyte.kernel.records import (
    DocumentRow,
    ErasureRow,
    ExpiryTally,
    HandoutRow,
    HandoutTally,
    HoldRow,
    RetentionRunRow,
    State,
    TrustedTimeRow,
)


class MemoryErasures:
    """See kernel.ports.unit_of_work.Erasures."""

    def __init__(self, transaction: Transaction) -> None:
        self._rows: Table[UUID, ErasureRow] = Table(transaction, "erasures", lambda row: row.erasure_id)
        self._handouts: Table[UUID, HandoutRow] = Table(transaction, "handouts", lambda row: row.export_id)

    def put(self, row: ErasureRow) -> None:
        self._rows.put(row)

    def of_document(self, doc_id: UUID) -> list[ErasureRow]:
        return self._ordered([row for row in self._rows.rows() if row.doc_id == doc_id])

    def get(self, erasure_id: UUID) -> ErasureRow | None:
        return self._rows.get(erasure_id)

    def unfinished(self) -> list[ErasureRow]:
        return self._ordered([row for row in self._rows.rows() if row.vectors_gone_at is None])

    def add_handout(self, row: HandoutRow) -> None:
        self._handouts.insert(row)

    def handouts_of(self, doc_id: UUID) -> list[HandoutRow]:
        holding = (row for row in self._handouts.rows() if doc_id in row.doc_ids)
        return sorted(holding, key=lambda row: (row.created_at, row.export_id))

    def handed_out(self, kind: str, limit: int = 100) -> list[HandoutTally]:
        rows = [row for row in self._handouts.rows() if row.kind == kind]
        rows = sorted(rows, key=lambda row: (row.created_at, row.export_id), reverse=True)[:limit]
        return [
            HandoutTally(
                export_id=row.export_id,
                created_at=row.created_at,
                actor=row.actor,
                documents=len(row.doc_ids),
                erased=len(self._erased_since(row)),
            )
            for row in rows
        ]

    def _erased_since(self, handout: HandoutRow) -> set[UUID]:
        later = {row.doc_id for row in self._rows.rows() if row.requested_at >= handout.created_at}
        return later & set(handout.doc_ids)

    @staticmethod
    def _ordered(rows: list[ErasureRow]) -> list[ErasureRow]:
        return sorted(rows, key=lambda row: (row.requested_at, row.erasure_id))


class MemoryHolds:
    """See kernel.ports.keeping.Holds."""

    def __init__(self, transaction: Transaction, erasures: MemoryErasures) -> None:
        self._transaction = transaction
        self._erasures = erasures
        self._rows: Table[UUID, HoldRow] = Table(transaction, "holds", lambda row: row.hold_id)

    def add(self, row: HoldRow) -> None:
        self._transaction.lock("holding", 0)
        self._rows.insert(row)

    def release(self, hold_id: UUID, at: datetime, actor: str, reason: str) -> bool:
        row = self._rows.get(hold_id, lock=True)
        if row is None or row.released_at is not None:
            return False
        self._rows.put(replace(row, released_at=at, released_by=actor, release_reason=reason))
        return True

    def get(self, hold_id: UUID) -> HoldRow | None:
        return self._rows.get(hold_id)

    def page(
        self, *, in_force: bool = False, doc_id: UUID | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[HoldRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if (not in_force or row.released_at is None)
            and (doc_id is None or row.everything or doc_id in row.doc_ids)
            and (after is None or row.hold_id > after)
        )
        return sorted(fitting, key=lambda row: row.hold_id)[:limit]

    def count(self) -> int:
        return sum(row.released_at is None for row in self._rows.rows())

    def keeps(self, doc_id: UUID) -> bool:
        """Whether a hold that is in force covers the document."""
        return bool(self.page(in_force=True, doc_id=doc_id, limit=1))

    def refuse_erasure(self, row: DocumentRow) -> None:
        """Raises Conflict: `document_held`; keeps holds from being placed until the transaction ends."""
        self._transaction.share("holding", 0)
        destroyed = any(
            erasure.incarnation == row.incarnation and erasure.key_destroyed_at is not None
            for erasure in self._erasures.of_document(row.doc_id)
        )
        if not destroyed and self.keeps(row.doc_id):
            raise held()


class MemoryRetention:
    """See kernel.ports.keeping.Retention. The caller's clock is the only one."""

    def __init__(self, transaction: Transaction, holds: MemoryHolds) -> None:
        self._transaction = transaction
        self._holds = holds
        self._documents: Table[UUID, DocumentRow] = Table(transaction, "documents", lambda row: row.doc_id)
        self._erasures: Table[UUID, ErasureRow] = Table(transaction, "erasures", lambda row: row.erasure_id)
        self._runs: Table[UUID, RetentionRunRow] = Table(transaction, "retention_runs", lambda row: row.run_id)
        self._time: Table[int, TrustedTimeRow] = Table(transaction, "trusted_time", lambda row: 0)

    def moment(self, now: datetime) -> datetime:
        return now

    def trusted(self) -> TrustedTimeRow | None:
        return self._time.get(0)

    def trust(self, row: TrustedTimeRow) -> None:
        self._time.put(row)

    def tally(self, before: datetime) -> ExpiryTally:
        rows = self._old(before)
        held_ = sum(self._holds.keeps(row.doc_id) for row in rows)
        return ExpiryTally(due=len(rows) - held_, held=held_)

    def due(self, before: datetime, limit: int = 100) -> list[DocumentRow]:
        rows = (row for row in self._old(before) if not self._holds.keeps(row.doc_id))
        return sorted(rows, key=lambda row: (row.received_at, row.doc_id))[:limit]

    def _old(self, before: datetime) -> list[DocumentRow]:
        rows = self._documents.rows()
        return [row for row in rows if row.state is not State.ERASED and row.received_at < before]

    def put(self, row: RetentionRunRow) -> None:
        self._transaction.lock("retention_runs_open")
        others = [other for other in self._runs.rows() if other.finished_at is None and other.run_id != row.run_id]
        if row.finished_at is None and others:
            raise Conflict("row_exists", "The row exists already.", "Use the one that is there.")
        self._runs.put(row)

    def run(self, run_id: UUID) -> RetentionRunRow | None:
        return self._runs.get(run_id)

    def runs(self, *, before: UUID | None = None, limit: int = 100) -> list[RetentionRunRow]:
        rows = (row for row in self._runs.rows() if before is None or row.run_id < before)
        return sorted(rows, key=lambda row: row.run_id, reverse=True)[:limit]

    def erased_in(self, run_id: UUID) -> int:
        return sum(row.run_id == run_id for row in self._erasures.rows())

    def erasures(self, run_id: UUID, *, after: UUID | None = None, limit: int = 100) -> list[ErasureRow]:
        rows = (row for row in self._erasures.rows() if row.run_id == run_id)
        fitting = (row for row in rows if after is None or row.erasure_id > after)
        return sorted(fitting, key=lambda row: row.erasure_id)[:limit]
