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

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. What is under way then is finished as far as its call, and given back."""
        with ThreadPoolExecutor(RUNS, thread_name_prefix="run") as pool:
            while not stop.is_set():
                try:
                    self.turn(pool, stop)
                except FrostbyteError as error:  # the journal is away
                    _log.warning("provisioner_waits", code=error.code)
                self._provisioning.wait(TURN_SECONDS)

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
