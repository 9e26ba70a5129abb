"""The provisioner: a loop that finds runs which are to go on, after a restart too, and carries each out in a thread."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final
from uuid import UUID

import structlog

from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.journal import RunRow
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.kernel.errors import FrostbyteError

TURN_SECONDS: Final = 1.0
RUNS: Final = 32
"""Runs that are carried out at once; further ones wait. Each has threads of its own, which mostly wait for a cloud."""
REST_SECONDS: Final = 5.0
"""Before a run that could not go on is taken up again."""
_log = structlog.get_logger("frostbyte.provisioner")


class Provisioner:
    """Carries out what is due.

    Args:
        provisioning: knows what is.
        engine: carries it out.
    """

    def __init__(self, provisioning: Provisioning, engine: Engine) -> None:
        self._provisioning, self._engine = provisioning, engine
        self._under_way: dict[UUID, Future[RunRow | None]] = {}
        self._rests: dict[UUID, float] = {}
        self._halted, self._idle = threading.Event(), threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set or it is halted. What is under way is then finished as far as its call, given back."""
        over = _Either(stop, self._halted)
        with ThreadPoolExecutor(RUNS, thread_name_prefix="run") as pool:
            while not over.is_set():
                try:
                    self.turn(pool, over)
                except FrostbyteError as error:  # the journal is away
                    _log.warning("provisioner_waits", code=error.code)
                self._provisioning.wait(TURN_SECONDS)
        self._idle.set()

    def halt(self, seconds: float) -> bool:
        """Begin nothing more, for good: everything is about to be taken away.

        Args:
            seconds: how long the calls that are under way are waited for.

        Returns:
            whether they have ended.
        """
        self._halted.set()
        self._provisioning.wake()
        return self._idle.wait(seconds)

    def turn(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Take up what is due and not under way."""
        for run_id, future in list(self._under_way.items()):
            if future.done():
                del self._under_way[run_id]
                self._settle(run_id, future)
        for run in self._provisioning.due():
            free = run.run_id not in self._under_way and time.monotonic() >= self._rests.get(run.run_id, 0.0)
            if free and len(self._under_way) < RUNS:
                future = pool.submit(self._engine.carry, run.run_id, stop)
                future.add_done_callback(lambda _: self._provisioning.wake())
                self._under_way[run.run_id] = future

    def _settle(self, run_id: UUID, future: Future[RunRow | None]) -> None:
        error = future.exception()
        if error is not None:
            _log.error("run_broke", error=type(error).__name__)
        ended = None if error is not None else future.result()
        if ended is None:
            self._rests[run_id] = time.monotonic() + REST_SECONDS
        else:
            self._rests.pop(run_id, None)
            _log.info("run_ended", state=ended.state.value, direction=ended.direction.value, code=ended.code)


class _Either(threading.Event):
    """Set as soon as one of two is."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._both = first, second

    def is_set(self) -> bool:
        return any(one.is_set() for one in self._both)
