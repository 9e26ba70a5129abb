"""The outbox of work in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.standing import MemoryStanding
from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.records import JobRow, JobTally, Stage


class MemoryJobs:
    """See kernel.ports.unit_of_work.Jobs. The caller's `now` is its clock."""

    def __init__(self, transaction: Transaction, standing: MemoryStanding) -> None:
        self._rows: Table[UUID, JobRow] = Table(transaction, "jobs", lambda row: row.doc_id)
        self._standing = standing

    def put(self, job: JobRow) -> None:
        self._rows.put(job)

    def lease(self, worker: str, now: datetime, seconds: float, stages: Sequence[Stage]) -> JobRow | None:
        if not self._standing.allows(now):
            return None
        free = (row for row in self._rows.rows() if row.stage in stages and _free(row, now))
        for seen in sorted(free, key=_urgency):
            leased = self._take(seen, worker, now, seconds)
            if leased is not None:
                return leased
        return None

    def claim(self, job_id: UUID, worker: str, now: datetime, seconds: float) -> JobRow | None:
        seen = self.find(job_id) if self._standing.allows(now) else None
        return None if seen is None or not _free(seen, now) else self._take(seen, worker, now, seconds)

    def _take(self, seen: JobRow, worker: str, now: datetime, seconds: float) -> JobRow | None:
        row = self._rows.claim(seen.doc_id)
        if row is None or row.job_id != seen.job_id or not _free(row, now):
            return None
        leased = replace(
            row,
            attempt=row.attempt + 1,
            fence=row.fence + 1,
            worker=worker,
            leased_until=now + timedelta(seconds=seconds),
        )
        self._rows.put(leased)
        return leased

    def due(self, stage: Stage, now: datetime, *, waited: float = 0.0, limit: int = 1000) -> list[JobRow]:
        if not self._standing.allows(now):
            return []
        then = now - timedelta(seconds=waited)
        free = (row for row in self._rows.rows() if row.stage is stage and _free(row, then))
        return sorted(free, key=_urgency)[:limit]

    def renew(self, job: JobRow, now: datetime, seconds: float) -> bool:
        row = self._held(job)
        if row is None or row.leased_until is None:
            return False
        self._rows.put(replace(row, leased_until=now + timedelta(seconds=seconds)))
        return True

    def get(self, doc_id: UUID) -> JobRow | None:
        return self._rows.get(doc_id)

    def find(self, job_id: UUID) -> JobRow | None:
        return next((row for row in self._rows.rows() if row.job_id == job_id), None)

    def page(
        self, *, dead: bool | None = None, stage: Stage | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[JobRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if (dead is None or row.dead is dead)
            and (stage is None or row.stage is stage)
            and (after is None or row.job_id > after)
        )
        return sorted(fitting, key=lambda row: row.job_id)[:limit]

    def hurry(self, job_id: UUID, now: datetime) -> bool:
        row = self.find(job_id)
        if row is None or row.dead or row.leased_until is not None or row.not_before <= now:
            return False
        self._rows.put(replace(row, not_before=now))
        return True

    def finish(self, job: JobRow) -> bool:
        if self._held(job) is None:
            return False
        self._rows.delete(job.doc_id)
        return True

    def cancel(self, doc_id: UUID) -> None:
        self._rows.delete(doc_id)

    def postpone(self, job: JobRow, until: datetime, *, dead: bool = False, refund: bool = False) -> bool:
        row = self._held(job)
        if row is None:
            return False
        attempt = max(row.attempt - int(refund), 0)
        self._rows.put(replace(row, not_before=until, leased_until=None, worker="", dead=dead, attempt=attempt))
        return True

    def leased(self, now: datetime) -> int:
        return sum(row.leased_until is not None and row.leased_until > now for row in self._rows.rows())

    def counts(self) -> dict[str, int]:
        counts = {"dead": 0}
        for row in self._rows.rows():
            name = "dead" if row.dead else row.stage.value
            counts[name] = counts.get(name, 0) + 1
        return counts

    def tally(self, now: datetime) -> list[JobTally]:
        groups: dict[tuple[Stage, bool], list[JobRow]] = {}
        for row in self._rows.rows():
            groups.setdefault((row.stage, row.dead), []).append(row)
        return [
            JobTally(
                stage=stage,
                dead=dead,
                count=len(rows),
                overdue=sum(not dead and row.leased_until is not None and row.leased_until <= now for row in rows),
                oldest=min(row.job_id for row in rows),
            )
            for (stage, dead), rows in groups.items()
        ]

    def _held(self, job: JobRow) -> JobRow | None:
        row = self._rows.get(job.doc_id, lock=True)
        return row if row is not None and (row.job_id, row.fence) == (job.job_id, job.fence) else None


def _free(row: JobRow, now: datetime) -> bool:
    return not row.dead and row.not_before <= now and (row.leased_until is None or row.leased_until <= now)


def _urgency(row: JobRow) -> tuple[datetime, UUID]:
    return row.not_before, row.job_id
