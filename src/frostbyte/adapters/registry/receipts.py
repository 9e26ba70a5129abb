"""Receipts of destroyed tenants, in PostgreSQL and in this process (migrations/control/009_receipts.sql)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from frostbyte.adapters.memory import tables
from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.control_plane.provisioning.receipt import DestroyedRow, ReceiptRow
from frostbyte.kernel.errors import Conflict

_DESTROYED: Final = Table("destroyed", DestroyedRow, "destroyed_id")
_RECEIPTS: Final = Table("receipts", ReceiptRow, "receipt_id")


class PostgresReceipts(Repository):
    """See control_plane.provisioning.receipts.ReceiptStore."""

    def note(self, row: DestroyedRow) -> None:
        self._run(_DESTROYED.insert, _DESTROYED.encode(row))

    def noted(self, operation_id: UUID) -> list[DestroyedRow]:
        query = _DESTROYED.select + "WHERE operation_id = %s ORDER BY destroyed_id"
        return [_DESTROYED.decode(record) for record in self._all(query, [operation_id])]

    def add(self, row: ReceiptRow) -> None:
        self._run(_RECEIPTS.insert, _RECEIPTS.encode(row))

    def of(self, tenant_id: str) -> list[ReceiptRow]:
        query = _RECEIPTS.select + "WHERE tenant_id = %s ORDER BY receipt_id"
        return [_RECEIPTS.decode(record) for record in self._all(query, [tenant_id])]


class MemoryReceipts:
    """See control_plane.provisioning.receipts.ReceiptStore."""

    def __init__(self, transaction: tables.Transaction) -> None:
        self._transaction = transaction
        self._destroyed: tables.Table[UUID, DestroyedRow] = tables.Table(
            transaction, "destroyed", lambda row: row.destroyed_id
        )
        self._receipts: tables.Table[tuple[UUID, str], ReceiptRow] = tables.Table(
            transaction, "receipts", lambda row: (row.operation_id, row.kind)
        )

    def note(self, row: DestroyedRow) -> None:
        self._destroyed.insert(row)

    def noted(self, operation_id: UUID) -> list[DestroyedRow]:
        own = (row for row in self._destroyed.rows() if row.operation_id == operation_id)
        return sorted(own, key=lambda row: row.destroyed_id)

    def add(self, row: ReceiptRow) -> None:
        written = self._transaction.written.get("audit_events", {}).values()
        wanted = (row.tenant_id, str(row.receipt_id))
        if not any((event.tenant_id, event.resource_id) == wanted for event in written):
            raise Conflict(
                "registry_refused",
                "The registry refuses this: no receipt is issued without its audit event.",
                "Read the tenant again: it may have moved on.",
            )
        self._receipts.insert(row)

    def of(self, tenant_id: str) -> list[ReceiptRow]:
        own = (row for row in self._receipts.rows() if row.tenant_id == tenant_id)
        return sorted(own, key=lambda row: row.receipt_id)
