"""Taking jobs from the store and holding them while a stage works: one way for the embedded runner and for workers.

The store decides who holds a job; this only asks it, keeps the lease alive while a stage works, and lets it run out
above the stage's limit. A process that does this may be killed at any moment: its leases run out and others take over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import structlog

from frostbyte.data_plane.patience import LIMIT_SECONDS, attempts
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import JobRow, Stage

LEASE_SECONDS: Final = 30.0
"""After a kill, a job is taken over when its lease has run out."""


class Room:
    """Where the jobs of one process are done: side by side, but for one that asks to be alone.

    A document that ends its process takes down those that are beside it, and their attempts were counted as well. So
    the last attempt of each is made with nobody beside it: there the innocent survive.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting_alone = 0

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[None]:
        """Inside the room; who wants to be alone waits until it is empty, and others wait for them."""
        with self._changed:
            if alone:
                self._waiting_alone += 1
                self._changed.wait_for(lambda: self._inside == 0)
            else:
                self._changed.wait_for(lambda: self._waiting_alone == 0)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._waiting_alone -= alone
                self._changed.notify_all()


class Leases:
    """Leases jobs and has them done.

    Args:
        run: does a leased job's stage and commits what came of it.
        limits: seconds after which the lease of a stage is not renewed any more.
    """

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        run: Callable[[JobRow], None],
        clock: Clock,
        lease_seconds: float = LEASE_SECONDS,
        limits: Mapping[Stage, float] = LIMIT_SECONDS,
    ) -> None:
        self.run = run
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._limits = limits
        self._room = Room()
        self._log = structlog.get_logger("frostbyte.jobs")

    def work(self, worker: str, stages: Sequence[Stage], *, named: UUID | None = None) -> JobRow | None:
        """Do one job: the named one if it is free, else the most urgent of the stages.

        Returns:
            the job as it was leased; None if nothing was free.
        """
        now = self._clock.now
        with self._unit_of_work() as uow:
            job = uow.jobs.claim(named, worker, now(), self._lease_seconds) if named is not None else None
            if job is None:
                job = uow.jobs.lease(worker, now(), self._lease_seconds, stages)
            uow.commit()
        if job is None:
            return None
        finished = threading.Event()
        heart = threading.Thread(target=self._beat, args=(job, finished), daemon=True)
        heart.start()
        try:
            with self._room.entered(alone=job.attempt >= attempts(job.stage)):
                self.run(job)
        finally:
            finished.set()
            heart.join()
        return job

    def _beat(self, job: JobRow, finished: threading.Event) -> None:
        over = time.monotonic() + self._limits[job.stage]
        while not finished.wait(self._lease_seconds / 3):
            if time.monotonic() > over:  # it hangs: let others have it; what it still does will not be committed
                self._log.error("stage_over_limit", stage=job.stage.value, job_id=str(job.job_id))
                return
            try:
                with self._unit_of_work() as uow:
                    kept = uow.jobs.renew(job, self._clock.now(), self._lease_seconds)
                    uow.commit()
            except FrostbyteError as error:
                self._log.warning("lease_not_renewed", code=error.code, stage=job.stage.value)
                continue
            if not kept:  # the commit will be refused; there is nothing to save by going on asking
                return
