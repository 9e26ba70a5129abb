"""What an operator sees of the work to be done, and decides about jobs that were tried in vain.

A dead letter is the job of a document that ended `failed` because its stage was tried as often as it may be: by an
error that is not the document's, or because it ended its worker each time. The document is in its one terminal state
already. Retrying is the same as for every failed document: a new incarnation goes through all stages. Discarding
takes the letter away and leaves the document failed. What fails for a reason of its own (a damaged file, say) leaves
no dead letter: trying again would not help.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from frostbyte.data_plane.again import send_again
from frostbyte.data_plane.flow import Ports
from frostbyte.data_plane.patience import attempts
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentRow, JobRow, Stage, State


class JobDesk:
    """Lists jobs and carries out what is decided about them.

    Args:
        waits: why no job is begun now; None while they are.
    """

    def __init__(self, ports: Ports, waits: Callable[[], FrostbyteError | None] = lambda: None) -> None:
        self._p = ports
        self._waits = waits

    def page(
        self, *, dead: bool | None = None, stage: Stage | None = None, after: UUID | None = None, limit: int = 100
    ) -> dict[str, Any]:
        """Jobs, oldest first; `cursor` of the answer is the next page's `after`, None on the last."""
        with self._p.unit_of_work() as uow:
            jobs = uow.jobs.page(dead=dead, stage=stage, after=after, limit=limit)
            rows = uow.documents.get_many([job.doc_id for job in jobs])
            counts = uow.jobs.counts()
        return {
            "jobs": [self._described(job, rows.get(job.doc_id)) for job in jobs],
            "counts": counts,
            "cursor": str(jobs[-1].job_id) if len(jobs) == limit else None,
        }

    def show(self, job_id: UUID) -> dict[str, Any]:
        """One job.

        Raises:
            NotFound: `job_not_found`.
        """
        with self._p.unit_of_work() as uow:
            job = _found(uow.jobs.find(job_id))
            row = uow.documents.get(job.doc_id)
        return self._described(job, row)

    def retry(self, job_id: UUID, *, actor: str) -> dict[str, Any]:
        """Send a dead letter's document through all stages again, or begin at once what is put off.

        Raises:
            NotFound: `job_not_found`.
            Conflict: `job_not_waiting`: it is under way or due already.
        """
        with self._p.unit_of_work() as uow:
            job, row = self._locked(uow, job_id)
            if job.dead:
                row, job = send_again(uow, row, self._p, actor=actor, component="jobs")
            elif uow.jobs.hurry(job_id, self._p.clock.now()):
                self._audit(uow, row, job, EventType.JOB_HURRIED, actor)
            else:
                raise Conflict("job_not_waiting", "The job is under way or about to be.", "Nothing to do.")
            uow.commit()
        self._p.hints.announce([job])
        return {"job_id": str(job.job_id), "doc_id": str(row.doc_id), "incarnation": row.incarnation}

    def discard(self, job_id: UUID, *, actor: str) -> dict[str, Any]:
        """Take a dead letter away: its document stays failed.

        Raises:
            NotFound: `job_not_found`.
            Conflict: `job_not_dead`.
        """
        with self._p.unit_of_work() as uow:
            job, row = self._locked(uow, job_id)
            if not job.dead:
                raise Conflict(
                    "job_not_dead",
                    "Only a job that was tried in vain can be discarded.",
                    "Wait for it, or erase the document.",
                )
            uow.jobs.cancel(job.doc_id)
            event = self._audit(uow, row, job, EventType.JOB_DISCARDED, actor)
            uow.commit()
        return {"job_id": str(job_id), "doc_id": str(row.doc_id), "state": row.state.value, "event_id": str(event)}

    def _locked(self, uow: UnitOfWork, job_id: UUID) -> tuple[JobRow, DocumentRow]:
        """The job and its document, as they are under the content's lock."""
        seen = _found(uow.jobs.find(job_id))
        uow.lock_content(seen.doc_id)
        job = _found(uow.jobs.find(job_id))
        row = uow.documents.get(job.doc_id, lock=True)
        if row is None or (job.dead and row.state is not State.FAILED):
            raise _unknown()
        return job, row

    def _audit(self, uow: UnitOfWork, row: DocumentRow, job: JobRow, type: EventType, actor: str) -> UUID:
        details = {"component": "jobs", "job_id": job.job_id, "stage": job.stage.value, "attempts": job.attempt}
        event, row = chain(
            row, tenant_id=self._p.tenant_id, type=type, clock=self._p.clock, actor=actor, details=details
        )
        uow.audit.append(event)
        uow.documents.put(row)
        return event.event_id

    def _described(self, job: JobRow, row: DocumentRow | None) -> dict[str, Any]:
        now, waits = self._p.clock.now(), self._waits()
        if job.dead:
            state = "dead"
        elif job.leased_until is not None and job.leased_until > now:
            state = "running"
        else:
            state = "due" if job.not_before <= now and waits is None else "waiting"
        return {
            "job_id": str(job.job_id),
            "doc_id": str(job.doc_id),
            "stage": job.stage.value,
            "state": state,
            "attempt": job.attempt,
            "attempts": attempts(job.stage),
            "not_before": iso(job.not_before),
            "leased_until": iso(job.leased_until) if job.leased_until else None,
            "worker": job.worker,
            **_why(row, waits if state == "waiting" else None),
        }


def _why(row: DocumentRow | None, waits: FrostbyteError | None) -> dict[str, str]:
    said = waits or row
    return {
        "code": said.code if said else "",
        "message": said.message if said else "",
        "remedy": said.remedy if said else "",
    }


def _found(job: JobRow | None) -> JobRow:
    if job is None:
        raise _unknown()
    return job


def _unknown() -> NotFound:
    return NotFound(
        "job_not_found", "There is no such job; done jobs are not kept.", "Look with `frostbyte jobs list`."
    )
