"""Sees that there is a hint for every job that waits: the reason why losing the queue loses nothing.

Whoever commits a job announces it, and that may fail or be lost at any time. The relay compares the jobs that have been
waiting for a moment with the hints that wait on the queue, and publishes as many as are missing. It compares numbers:
a worker whose hint names a job that is taken does the most urgent one of the stage, so any hint will do.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.hints import HintQueue
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import JobRow, Stage

TURN_SECONDS: Final = 1.0
"""Between two comparisons: how late a job is begun whose wait is over or whose worker was killed."""

GRACE_SECONDS: Final = 5.0
"""A job that waits less is not looked at: its own hint is on the way."""

_MOST: Final = 1000
"""Hints of a stage that are published in one turn."""


def missing(due: Mapping[Stage, Sequence[JobRow]], waiting: Mapping[Stage, int]) -> list[JobRow]:
    """The jobs to publish hints for: of each stage the oldest, as many as there are fewer hints than jobs."""
    return [job for stage, jobs in due.items() for job in jobs[: max(len(jobs) - waiting.get(stage, 0), 0)]]


class Relay:
    """Compares and publishes.

    Attributes:
        trouble: the code of the error that stopped the last turn; '' when it went well.
    """

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, queue: HintQueue, clock: Clock, *, grace: float = GRACE_SECONDS
    ) -> None:
        self.trouble = ""
        self._unit_of_work = unit_of_work
        self._queue = queue
        self._clock = clock
        self._grace = grace
        self._log = structlog.get_logger("frostbyte.relay")

    def turn(self) -> int:
        """Compare once; how many hints were missing.

        Raises:
            Unavailable: `queue_unavailable`, `database_unavailable`.
        """
        now = self._clock.now()
        with self._unit_of_work() as uow:
            due = {stage: uow.jobs.due(stage, now, waited=self._grace, limit=_MOST) for stage in Stage}
        if not any(due.values()):
            return 0
        wanted = missing(due, self._queue.waiting())
        if wanted:
            self._queue.publish(wanted)
        return len(wanted)

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set."""
        while not stop.wait(TURN_SECONDS):
            try:
                self.turn()
                trouble = ""
            except FrostbyteError as error:
                trouble = error.code
            if trouble != self.trouble:
                self._log.warning("relay_waits", code=trouble) if trouble else self._log.warning("relay_goes_on")
            self.trouble = trouble
