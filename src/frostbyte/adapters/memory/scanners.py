"""What the plane's scanners say of their signatures, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.records import ScannerRow


class MemoryScanners:
    """See kernel.ports.unit_of_work.Scanners. The caller's `now` is its clock."""

    def __init__(self, transaction: Transaction) -> None:
        self._rows: Table[str, ScannerRow] = Table(transaction, "scanners", lambda row: row.name)

    def saw(self, name: str, made_at: datetime | None, now: datetime) -> None:
        self._rows.put(ScannerRow(name=name, made_at=made_at, seen_at=now))
        for row in self._rows.rows():
            if row.seen_at < now - timedelta(days=1):
                self._rows.delete(row.name)

    def seen(self, now: datetime, seconds: float) -> list[ScannerRow]:
        since = now - timedelta(seconds=seconds)
        return sorted((row for row in self._rows.rows() if row.seen_at >= since), key=lambda row: row.name)
