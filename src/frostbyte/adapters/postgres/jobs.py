"""The outbox of work in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.adapters.postgres.standing import NOW
from frostbyte.kernel.records import JobRow, JobTally, Stage

JOBS: Final = Table("jobs", JobRow, "doc_id")

_ALLOWED: Final = (
    "EXISTS (SELECT FROM plane_standing WHERE state = 'active' AND upkeep = 'open' "
    "AND (NOT needs_lease OR (lease_from <= moment.now AND moment.now < lease_until)))"
)
"""What nearly always decides, without a lock: a queue that is frozen costs a look and no write."""

_TAKE: Final = (
    # Asked for a job that is free, once it is held: from the change of a standing on, nobody begins what it forbids.
    "allowed AS MATERIALIZED (SELECT may_begin(moment.now) AS it FROM free, moment) "
    "UPDATE jobs SET attempt = attempt + 1, fence = fence + 1, worker = %s, "
    "leased_until = (SELECT now FROM moment) + make_interval(secs => %s) "
    "WHERE job_id = (SELECT job_id FROM free) AND (SELECT it FROM allowed)"
)

_LEASE: Final = (
    f"WITH moment AS (SELECT {NOW} AS now), free AS ("  # noqa: S608  # constants only
    f"SELECT job_id FROM jobs, moment WHERE {_ALLOWED} AND NOT dead AND not_before <= moment.now AND stage = ANY(%s) "
    "AND (leased_until IS NULL OR leased_until <= moment.now) "
    f"ORDER BY not_before, job_id LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED), {_TAKE}"
)


_FREE: Final = (
    "NOT dead AND not_before <= moment.now - make_interval(secs => %s) "
    "AND (leased_until IS NULL OR leased_until <= moment.now - make_interval(secs => %s))"
)
"""Parameters: twice for how many seconds already."""

_CLAIM: Final = (
    f"WITH moment AS (SELECT {NOW} AS now), free AS ("  # noqa: S608  # constants only
    f"SELECT job_id FROM jobs, moment WHERE {_ALLOWED} AND job_id = %s AND {_FREE} "
    f"FOR UPDATE OF jobs SKIP LOCKED), {_TAKE}"
)

_DUE: Final = (
    f"WITH moment AS (SELECT {NOW} AS now) SELECT {{columns}} FROM jobs, moment "  # noqa: S608  # constants only
    f"WHERE {_ALLOWED} AND stage = %s AND {_FREE} ORDER BY not_before, job_id LIMIT %s"
)

_TALLY: Final = (
    f"WITH moment AS (SELECT {NOW} AS now) "  # noqa: S608  # constants only
    "SELECT stage, dead, count(*), count(*) FILTER (WHERE NOT dead AND leased_until <= moment.now), min(job_id::text) "
    "FROM jobs, moment GROUP BY stage, dead"
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

    def claim(self, job_id: UUID, worker: str, now: datetime, seconds: float) -> JobRow | None:
        record = self._one(
            _CLAIM + JOBS.returning,
            [self._caller_clock, now, job_id, 0.0, 0.0, worker, float(seconds)],
        )
        return JOBS.decode(record) if record else None

    def due(self, stage: Stage, now: datetime, *, waited: float = 0.0, limit: int = 1000) -> list[JobRow]:
        records = self._all(
            _DUE.replace("{columns}", JOBS.listed), [self._caller_clock, now, stage.value, waited, waited, limit]
        )
        return [JOBS.decode(record) for record in records]

    def renew(self, job: JobRow, now: datetime, seconds: float) -> bool:
        changed = self._run(
            f"UPDATE jobs SET leased_until = {NOW} + make_interval(secs => %s) "  # noqa: S608  # constants only
            "WHERE job_id = %s AND fence = %s AND leased_until IS NOT NULL",
            [self._caller_clock, now, float(seconds), job.job_id, job.fence],
        )
        return changed == 1

    def get(self, doc_id: UUID) -> JobRow | None:
        record = self._one(JOBS.select + "WHERE doc_id = %s", [doc_id])
        return JOBS.decode(record) if record else None

    def find(self, job_id: UUID) -> JobRow | None:
        record = self._one(JOBS.select + "WHERE job_id = %s", [job_id])
        return JOBS.decode(record) if record else None

    def page(
        self, *, dead: bool | None = None, stage: Stage | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[JobRow]:
        records = self._all(
            JOBS.select + "WHERE (%s::boolean IS NULL OR dead = %s) AND (%s::text IS NULL OR stage = %s) "
            "AND (%s::uuid IS NULL OR job_id > %s) ORDER BY job_id LIMIT %s",
            [dead, dead, stage, stage, after, after, limit],
        )
        return [JOBS.decode(record) for record in records]

    def hurry(self, job_id: UUID, now: datetime) -> bool:
        changed = self._run(
            f"WITH moment AS (SELECT {NOW} AS now) UPDATE jobs SET not_before = moment.now "  # noqa: S608
            "FROM moment WHERE job_id = %s AND NOT dead AND leased_until IS NULL AND not_before > moment.now",
            [self._caller_clock, now, job_id],
        )
        return changed == 1

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

    def leased(self, now: datetime) -> int:
        record = self._one(
            f"WITH moment AS (SELECT {NOW} AS now) "  # noqa: S608  # constants only
            "SELECT count(*) FROM jobs, moment WHERE leased_until > moment.now",
            [self._caller_clock, now],
        )
        return int(record[0]) if record else 0

    def counts(self) -> dict[str, int]:
        records = self._all("SELECT CASE WHEN dead THEN 'dead' ELSE stage END, count(*) FROM jobs GROUP BY 1")
        return {"dead": 0} | {name: int(number) for name, number in records}

    def tally(self, now: datetime) -> list[JobTally]:
        return [
            JobTally(
                stage=Stage(stage), dead=bool(dead), count=int(count), overdue=int(overdue), oldest=UUID(str(oldest))
            )
            for stage, dead, count, overdue, oldest in self._all(_TALLY, [self._caller_clock, now])
        ]
