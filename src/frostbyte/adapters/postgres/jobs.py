"""The outbox of work in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.kernel.records import JobRow, Stage

JOBS: Final = Table("jobs", JobRow, "doc_id")

# Parameters: whether the caller's clock counts, and its time. The server's own time otherwise, so that workers whose
# clocks differ agree on when a lease has run out.
_NOW: Final = "CASE WHEN %s THEN %s::timestamptz ELSE clock_timestamp() END"

_LEASE: Final = (
    f"WITH moment AS (SELECT {_NOW} AS now), free AS ("  # noqa: S608  # constants only
    "SELECT job_id FROM jobs, moment WHERE NOT dead AND not_before <= moment.now AND stage = ANY(%s) "
    "AND (leased_until IS NULL OR leased_until <= moment.now) "
    "ORDER BY not_before, job_id LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED) "
    "UPDATE jobs SET attempt = attempt + 1, fence = fence + 1, worker = %s, "
    "leased_until = (SELECT now FROM moment) + make_interval(secs => %s) "
    "WHERE job_id = (SELECT job_id FROM free)"
)


class PostgresJobs(Repository):
    """See kernel.ports.unit_of_work.Jobs."""

    def __init__(self, session: Session, *, caller_clock: bool) -> None:
        super().__init__(session)
        self._caller_clock = caller_clock

    def put(self, job: JobRow) -> None:
        self._run(JOBS.upsert, JOBS.encode(job))

    def lease(self, worker: str, now: datetime, seconds: float, stages: Sequence[Stage]) -> JobRow | None:
        record = self._one(
            _LEASE + JOBS.returning,
            [self._caller_clock, now, [stage.value for stage in stages], worker, float(seconds)],
        )
        return JOBS.decode(record) if record else None

    def renew(self, job: JobRow, now: datetime, seconds: float) -> bool:
        changed = self._run(
            f"UPDATE jobs SET leased_until = {_NOW} + make_interval(secs => %s) "  # noqa: S608  # constants only
            "WHERE job_id = %s AND fence = %s AND leased_until IS NOT NULL",
            [self._caller_clock, now, float(seconds), job.job_id, job.fence],
        )
        return changed == 1

    def get(self, doc_id: UUID) -> JobRow | None:
        record = self._one(JOBS.select + "WHERE doc_id = %s", [doc_id])
        return JOBS.decode(record) if record else None

    def finish(self, job: JobRow) -> bool:
        return self._run("DELETE FROM jobs WHERE job_id = %s AND fence = %s", [job.job_id, job.fence]) == 1

    def cancel(self, doc_id: UUID) -> None:
        self._run("DELETE FROM jobs WHERE doc_id = %s", [doc_id])

    def postpone(self, job: JobRow, until: datetime, *, dead: bool = False, refund: bool = False) -> bool:
        changed = self._run(
            "UPDATE jobs SET not_before = %s, leased_until = NULL, worker = '', dead = %s, "
            "attempt = greatest(attempt - %s, 0) WHERE job_id = %s AND fence = %s",
            [until, dead, int(refund), job.job_id, job.fence],
        )
        return changed == 1

    def counts(self) -> dict[str, int]:
        records = self._all("SELECT CASE WHEN dead THEN 'dead' ELSE stage END, count(*) FROM jobs GROUP BY 1")
        return {"dead": 0} | {name: int(number) for name, number in records}
