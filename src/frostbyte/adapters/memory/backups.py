"""Runs of the backup in memory."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.records import BackupRunRow, ErasureRow


class MemoryBackups:
    """See kernel.ports.backups.Backups."""

    def __init__(self, transaction: Transaction) -> None:
        self._runs: Table[UUID, BackupRunRow] = Table(transaction, "backup_runs", lambda row: row.run_id)
        self._erasures: Table[UUID, ErasureRow] = Table(transaction, "erasures", lambda row: row.erasure_id)

    def put(self, row: BackupRunRow) -> None:
        self._runs.put(row)

    def latest(self) -> BackupRunRow | None:
        found = [row for row in self._runs.rows() if row.snapshot]
        return max(found, key=lambda row: (row.begun_at, row.run_id), default=None)

    def of_snapshot(self, snapshot: str) -> BackupRunRow | None:
        return next((row for row in self._runs.rows() if snapshot and row.snapshot == snapshot), None)

    def any_mirror(self) -> bool:
        return any(row.mirrored_at is not None for row in self._runs.rows())

    def mirrored_since(self, moment: datetime) -> datetime | None:
        return min(
            (
                row.mirrored_at
                for row in self._runs.rows()
                if row.keys_read_at is not None and row.keys_read_at >= moment and row.mirrored_at is not None
            ),
            default=None,
        )

    def erasures(self) -> list[ErasureRow]:
        return sorted(self._erasures.rows(), key=lambda row: (row.requested_at, row.erasure_id))
