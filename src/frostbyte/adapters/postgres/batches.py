"""Uploads and receipts in PostgreSQL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.records import BatchRow, ReceiptRow, State

BATCHES: Final = Table("batches", BatchRow, "batch_id")
RECEIPTS: Final = Table("receipts", ReceiptRow, "receipt_id")
_UNDER_WAY: Final = (
    "SELECT 1 FROM receipts JOIN documents USING (doc_id) WHERE batch_id = %s AND NOT state = ANY(%s) LIMIT 1"
)


class PostgresBatches(Repository):
    """See kernel.ports.unit_of_work.Batches."""

    def get(self, batch_id: UUID) -> BatchRow | None:
        record = self._one(BATCHES.select + "WHERE batch_id = %s", [batch_id])
        return BATCHES.decode(record) if record else None

    def by_idempotency_key(self, subject: str, key: str) -> BatchRow | None:
        if not key:
            return None
        record = self._one(
            BATCHES.select + "WHERE subject = %s AND idempotency_key = %s AND idempotency_key <> ''", [subject, key]
        )
        return BATCHES.decode(record) if record else None

    def put(self, row: BatchRow) -> None:
        self._run(BATCHES.upsert, BATCHES.encode(row))

    def add_receipt(self, row: ReceiptRow) -> None:
        self._run(RECEIPTS.insert, RECEIPTS.encode(row))

    def receipt(self, receipt_id: UUID) -> ReceiptRow | None:
        record = self._one(RECEIPTS.select + "WHERE receipt_id = %s", [receipt_id])
        return RECEIPTS.decode(record) if record else None

    def receipts(self, batch_id: UUID) -> list[ReceiptRow]:
        records = self._all(RECEIPTS.select + "WHERE batch_id = %s ORDER BY position", [batch_id])
        return [RECEIPTS.decode(record) for record in records]

    def under_way(self, batch_id: UUID) -> bool:
        return self._one(_UNDER_WAY, [batch_id, [state.value for state in State if state.terminal]]) is not None

    def open_of_document(self, doc_id: UUID) -> list[BatchRow]:
        query = BATCHES.select + "JOIN receipts USING (batch_id) WHERE completed_at IS NULL AND doc_id = %s"
        # A batch may hold the same file more than once.
        batches = {row.batch_id: row for row in map(BATCHES.decode, self._all(query, [doc_id]))}
        return [batches[batch_id] for batch_id in sorted(batches)]

    def sent_by(self, subject: str, doc_id: UUID) -> bool:
        return (
            self._one(
                "SELECT 1 FROM receipts JOIN batches USING (batch_id) WHERE doc_id = %s AND subject = %s LIMIT 1",
                [doc_id, subject],
            )
            is not None
        )
