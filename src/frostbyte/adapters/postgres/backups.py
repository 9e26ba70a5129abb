"""Runs of the backup in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from frostbyte.adapters.postgres.keeping import ERASURES
from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.records import BackupRunRow, ErasureRow

RUNS: Final = Table("backup_runs", BackupRunRow, "run_id")


class PostgresBackups(Repository):
    """See kernel.ports.backups.Backups."""

    def put(self, row: BackupRunRow) -> None:
        self._run(RUNS.upsert, RUNS.encode(row))

    def latest(self) -> BackupRunRow | None:
        record = self._one(RUNS.select + "WHERE snapshot <> '' ORDER BY begun_at DESC, run_id DESC LIMIT 1")
        return RUNS.decode(record) if record else None

    def of_snapshot(self, snapshot: str) -> BackupRunRow | None:
        record = self._one(RUNS.select + "WHERE snapshot = %s LIMIT 1", [snapshot])
        return RUNS.decode(record) if record and snapshot else None

    def any_mirror(self) -> bool:
        return self._one("SELECT 1 FROM backup_runs WHERE mirrored_at IS NOT NULL LIMIT 1") is not None

    def mirrored_since(self, moment: datetime) -> datetime | None:
        record = self._one("SELECT min(mirrored_at) FROM backup_runs WHERE keys_read_at >= %s", [moment])
        return record[0] if record else None

    def erasures(self) -> list[ErasureRow]:
        records = self._all(ERASURES.select + "ORDER BY requested_at, erasure_id")
        return [ERASURES.decode(record) for record in records]
