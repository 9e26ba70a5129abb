"""How the plane stands with its control plane, in PostgreSQL. All its processes follow what is written here."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.kernel.records import PlaneStandingRow, Upkeep

STANDING: Final = Table("plane_standing", PlaneStandingRow, "one")

NOW: Final = "CASE WHEN %s THEN %s::timestamptz ELSE clock_timestamp() END"
"""Parameters: whether the caller's clock counts, and its time. The server's own time otherwise, so that processes whose
clocks differ agree on when a lease has run out."""


class PostgresStanding(Repository):
    """See kernel.ports.unit_of_work.Standing."""

    def __init__(self, session: Session, *, caller_clock: bool) -> None:
        super().__init__(session)
        self._caller_clock = caller_clock

    def get(self, *, lock: bool = False) -> PlaneStandingRow:
        if lock:
            self._run("SELECT hold_standing()")
        record = self._one(STANDING.select)
        assert record is not None  # the schema brings the row, and nobody may remove it
        return STANDING.decode(record)

    def put(self, row: PlaneStandingRow) -> None:
        self._run("SELECT hold_standing()")
        self._run(
            "UPDATE plane_standing SET version = %s, state = %s, keys = %s, witness_key = %s, config_version = %s, "
            "changed_at = %s, needs_lease = %s",
            [
                *(row.version, row.state.value, list(row.keys), row.witness_key, row.config_version),
                *(row.changed_at, row.needs_lease),
            ],
        )

    def keep(self, upkeep: Upkeep) -> None:
        self._run("SELECT hold_standing()")
        self._run("SELECT hold_upkeep()")
        self._run("UPDATE plane_standing SET upkeep = %s", [upkeep.value])

    def grant(self, now: datetime, seconds: float) -> None:
        self._run("SELECT hold_standing()")
        self._run(
            f"WITH moment AS (SELECT {NOW} AS now) "  # noqa: S608  # constants only
            "UPDATE plane_standing SET lease_from = CASE WHEN %s > 0 THEN moment.now END, "
            "lease_until = CASE WHEN %s > 0 THEN moment.now + make_interval(secs => %s) END FROM moment",
            [self._caller_clock, now, float(seconds), float(seconds), float(seconds)],
        )

    def lease_left(self, now: datetime) -> float:
        record = self._one(
            f"WITH moment AS (SELECT {NOW} AS now) "  # noqa: S608  # constants only
            "SELECT CASE WHEN lease_from <= moment.now THEN "
            "greatest(extract(epoch FROM lease_until - moment.now), 0)::float8 END FROM plane_standing, moment",
            [self._caller_clock, now],
        )
        return float(record[0] or 0.0) if record is not None else 0.0
