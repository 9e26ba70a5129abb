"""What a plane remembers of its backups, so that it can say since when a destroyed key is in none of them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from frostbyte.kernel.records import BackupRunRow, ErasureRow


class Backups(Protocol):
    """Runs of the backup."""

    def put(self, row: BackupRunRow) -> None:
        """Insert or replace."""
        ...

    def latest(self) -> BackupRunRow | None:
        """The newest run that made a snapshot."""
        ...

    def of_snapshot(self, snapshot: str) -> BackupRunRow | None:
        """The run that made it."""
        ...

    def any_mirror(self) -> bool:
        """Whether keys were ever mirrored."""
        ...

    def mirrored_since(self, moment: datetime) -> datetime | None:
        """When the first mirror was in place whose keys were read at that moment or later."""
        ...

    def erasures(self) -> list[ErasureRow]:
        """All erasures, by time."""
        ...
