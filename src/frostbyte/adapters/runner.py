"""The embedded runner: threads in the plane's own process that take jobs from the store and hand them to the flow."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Final

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

    def announce(self, jobs: Sequence[JobRow]) -> None:
        """Wake the threads that sleep."""
        if jobs:
            self.ring()

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

    def run_one(self, worker: str = "direct") -> bool:
        """Lease and run one job; False if there was none. For tests and for draining."""
        return self.leases.work(worker, self._stages) is not None

    def _loop(self, worker: str) -> None:
        while not self._stop.is_set():
            try:
                worked = self.run_one(worker)
            except FrostbyteError as error:  # the store is away: nothing is lost, ask again
                self._log.warning("runner_waits", code=error.code)
                worked = False
            if not worked:
                self._bell.sleep(POLL_SECONDS)
