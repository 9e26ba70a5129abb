"""Lists and sums for people, over rows in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.ports.listing import AccountTally, FileTally, ReviewTally
from frostbyte.kernel.records import BatchRow, ChunkRow, DocumentRow, Outcome, ReceiptRow, Stage, State

_UNITS: Final = ("pages", "characters", "cells", "images")


class MemoryListing:
    """See kernel.ports.listing.Listing."""

    def __init__(self, transaction: Transaction) -> None:
        self._batches: Table[UUID, BatchRow] = Table(transaction, "batches", lambda row: row.batch_id)
        self._receipts: Table[UUID, ReceiptRow] = Table(transaction, "receipts", lambda row: row.receipt_id)
        self._documents: Table[UUID, DocumentRow] = Table(transaction, "documents", lambda row: row.doc_id)
        self._chunks: Table[UUID, ChunkRow] = Table(transaction, "chunks", lambda row: row.chunk_id)

    def batches(
        self, *, subject: str | None = None, unfinished: bool = False, before: UUID | None = None, limit: int = 100
    ) -> list[BatchRow]:
        fitting = (
            row
            for row in self._batches.rows()
            if subject in (None, row.subject)
            and not (unfinished and row.completed_at is not None)
            and (before is None or row.batch_id < before)
        )
        return sorted(fitting, key=lambda row: row.batch_id, reverse=True)[:limit]

    def tally(self, batch_ids: Sequence[UUID], since: datetime) -> list[FileTally]:
        Standing = tuple[UUID, Outcome, State | None, Stage | None]
        count, size, recent = Counter[Standing](), Counter[Standing](), Counter[Standing]()
        for receipt in self._receipts.rows():
            if receipt.batch_id not in batch_ids:
                continue
            row = self._documents.get(receipt.doc_id) if receipt.doc_id is not None else None
            key = (receipt.batch_id, receipt.outcome, row.state if row else None, row.stage if row else None)
            count[key] += 1
            size[key] += receipt.size
            recent[key] += row is not None and row.finished_at is not None and row.finished_at >= since
        return [
            FileTally(
                batch_id=key[0],
                outcome=key[1],
                state=key[2],
                stage=key[3],
                count=count[key],
                size=size[key],
                recent=recent[key],
            )
            for key in count
        ]

    def account(self, batch_id: UUID) -> AccountTally:
        receipts = [row for row in self._receipts.rows() if row.batch_id == batch_id]
        ids = {row.doc_id for row in receipts if row.doc_id is not None}
        rows = [row for row in map(self._documents.get, ids) if row is not None]
        numbers = {unit: dict.fromkeys(("found", "indexed", "redacted", "withheld"), 0) for unit in _UNITS}
        dropped = {unit: Counter[str]() for unit in _UNITS}
        for account in (row.account for row in rows if row.account):
            for unit in _UNITS:
                for field in numbers[unit]:
                    numbers[unit][field] += account[unit][field]
                dropped[unit].update(account[unit]["dropped"])
        return AccountTally(
            outcomes=dict(Counter(row.outcome for row in receipts)),
            states=dict(Counter(row.state for row in rows)),
            numbers=numbers,
            dropped={unit: dict(sorted(reasons.items())) for unit, reasons in dropped.items()},
        )

    def files(
        self, batch_id: UUID, *, states: Sequence[State] | None = None, after: int = -1, limit: int = 100
    ) -> list[ReceiptRow]:
        fitting = (
            row
            for row in self._receipts.rows()
            if row.batch_id == batch_id and row.position > after and self._stands(row, states)
        )
        return sorted(fitting, key=lambda row: row.position)[:limit]

    def _stands(self, receipt: ReceiptRow, states: Sequence[State] | None) -> bool:
        if states is None:
            return True
        if not states:
            return receipt.outcome is Outcome.REJECTED
        row = self._documents.get(receipt.doc_id) if receipt.doc_id is not None else None
        return row is not None and row.state in states

    def documents(
        self,
        *,
        states: Sequence[State] | None = None,
        needs_review: bool = False,
        before: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        last = self._documents.get(before) if before is not None else None
        if before is not None and last is None:
            return []
        fitting = (
            row
            for row in self._documents.rows()
            if (states is None or row.state in states)
            and (row.needs_review or not needs_review)
            and (last is None or (row.received_at, row.doc_id) < (last.received_at, last.doc_id))
        )
        return sorted(fitting, key=lambda row: (row.received_at, row.doc_id), reverse=True)[:limit]

    def to_review(self) -> ReviewTally:
        active = {row.doc_id: row.active_generation for row in self._documents.rows() if row.active_generation}
        held = [row for row in self._chunks.rows() if row.withheld and active.get(row.doc_id) == row.generation]
        return ReviewTally(
            documents=sum(row.needs_review and row.state is State.INDEXED for row in self._documents.rows()),
            passages=sum(not row.kept for row in held),
            kept=sum(row.kept for row in held),
        )
