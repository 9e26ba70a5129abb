"""What the plane's scanners say of their signatures, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.adapters.postgres.standing import NOW
from frostbyte.kernel.records import ScannerRow

SCANNERS: Final = Table("scanners", ScannerRow, "name")


class PostgresScanners(Repository):
    """See kernel.ports.unit_of_work.Scanners. When one was seen is told by the server's clock: hosts' clocks differ."""

    def __init__(self, session: Session, *, caller_clock: bool) -> None:
        super().__init__(session)
        self._caller_clock = caller_clock

    def saw(self, name: str, made_at: datetime | None, now: datetime) -> None:
        self._run(
            f"INSERT INTO scanners (name, made_at, seen_at) VALUES (%s, %s, {NOW}) "  # noqa: S608  # constants only
            "ON CONFLICT (name) DO UPDATE SET made_at = EXCLUDED.made_at, seen_at = EXCLUDED.seen_at",
            [name, made_at, self._caller_clock, now],
        )
        self._run(
            f"DELETE FROM scanners WHERE seen_at < {NOW} - interval '1 day'",  # noqa: S608  # constants only
            [self._caller_clock, now],
        )

    def seen(self, now: datetime, seconds: float) -> list[ScannerRow]:
        records = self._all(
            SCANNERS.select + f"WHERE seen_at >= {NOW} - make_interval(secs => %s) ORDER BY name",
            [self._caller_clock, now, float(seconds)],
        )
        return [SCANNERS.decode(record) for record in records]
