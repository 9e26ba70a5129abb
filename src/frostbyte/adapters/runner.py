"""The embedded runner: threads in the plane's own process that take jobs from the store and hand them to the flow."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from frostbyte.adapters.leasing import Leases
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import JobRow, Stage

POLL_SECONDS: Final = 0.5
"""How long an idle thread sleeps when nobody wakes it."""


class Bell:
    """Hints for threads of this process (see kernel.ports.hints)."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._own = threading.local()

    def announce(self, jobs: Sequence[JobRow]) -> None:
        """Wake the threads that sleep."""
        if jobs:
            self._own.job_id = jobs[-1].job_id
            self.ring()

    def announced(self) -> UUID | None:
        """The job that the calling thread announced last, told once."""
        job_id: UUID | None = getattr(self._own, "job_id", None)
        self._own.job_id = None
        return job_id

    def ring(self) -> None:
        """Wake them without a job, to look around."""
        with self._rung:
            self._rung.notify_all()

    def sleep(self, seconds: float) -> None:
        """Until it rings, `seconds` at most."""
        with self._rung:
            self._rung.wait(seconds)


class Runner:
    """A pool of threads that run jobs; none of them where workers of a queue do."""

    def __init__(self, leases: Leases, stages: Sequence[Stage], *, bell: Bell | None = None, threads: int = 2) -> None:
        self.leases = leases
        self._stages = stages
        self._bell = bell or Bell()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._log = structlog.get_logger("frostbyte.runner")
        self._threads = [
            threading.Thread(target=self._loop, args=(f"{self._name}:{number}",), name=f"runner-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to take jobs."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the stages under way and take no more; what exceeds `timeout` seconds is left to its lease."""
        self._stop.set()
        self._bell.ring()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)

    def run_one(self, worker: str = "direct", *, named: UUID | None = None) -> bool:
        """Lease and run one job, the named one if it is free; False if there was none."""
        return self.leases.work(worker, self._stages, named=named) is not None

    def _loop(self, worker: str) -> None:
        while not self._stop.is_set():
            try:
                # What is begun is finished before more is begun. Else a whole upload is read, then judged, and at last
                # all of it is written to the index: by this process alone, when no child has work any more.
                worked = self.run_one(worker, named=self._bell.announced())
            except FrostbyteError as error:  # the store is away: nothing is lost, ask again
                self._log.warning("runner_waits", code=error.code)
                worked = False
            if not worked:
                self._bell.sleep(POLL_SECONDS)
