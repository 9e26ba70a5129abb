"""The embedded runner: threads that lease jobs from the store and hand them to the flow.

The store decides who holds a job; this only asks it, keeps the lease alive while a stage works, and asks again. It
may be killed at any moment: its leases run out and the next runner takes the jobs.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import JobRow, Stage

LEASE_SECONDS: Final = 30.0
"""After a kill, a job is taken over when its lease has run out."""

POLL_SECONDS: Final = 0.5
"""How long an idle thread sleeps when nobody wakes it."""


class Runner:
    """A pool of threads that run jobs."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        run: Callable[[JobRow], None],
        clock: Clock,
        stages: Sequence[Stage],
        threads: int = 2,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._run = run
        self._clock = clock
        self._stages = stages
        self._lease_seconds = lease_seconds
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._wake = threading.Condition()
        self._log = structlog.get_logger("frostbyte.runner")
        self._threads = [
            threading.Thread(target=self._loop, args=(f"{self._name}:{number}",), name=f"runner-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to take jobs."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Tell idle threads that there may be work: a hint, never needed."""
        with self._wake:
            self._wake.notify_all()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the stages under way and take no more; what exceeds `timeout` seconds is left to its lease."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)

    def run_one(self, worker: str = "direct") -> bool:
        """Lease and run one job; False if there was none. For tests and for draining."""
        with self._unit_of_work() as uow:
            job = uow.jobs.lease(worker, self._clock.now(), self._lease_seconds, self._stages)
            uow.commit()
        if job is None:
            return False
        finished = threading.Event()
        heart = threading.Thread(target=self._beat, args=(job, finished), daemon=True)
        heart.start()
        try:
            self._run(job)
        finally:
            finished.set()
            heart.join()
        return True

    def _beat(self, job: JobRow, finished: threading.Event) -> None:
        while not finished.wait(self._lease_seconds / 3):
            try:
                with self._unit_of_work() as uow:
                    kept = uow.jobs.renew(job, self._clock.now(), self._lease_seconds)
                    uow.commit()
            except FrostbyteError as error:
                self._log.warning("lease_not_renewed", code=error.code, stage=job.stage.value)
                continue
            if not kept:  # the commit will be refused; there is nothing to save by going on asking
                return

    def _loop(self, worker: str) -> None:
        while not self._stop.is_set():
            try:
                worked = self.run_one(worker)
            except FrostbyteError as error:  # the store is away: nothing is lost, ask again
                self._log.warning("runner_waits", code=error.code)
                worked = False
            if not worked:
                with self._wake:
                    self._wake.wait(POLL_SECONDS)
