"""Hints in memory: the stand-in for tests of what uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import JobRow, Stage


class MemoryHints:
    """See kernel.ports.hints.HintQueue. `away` makes it a server that cannot be reached."""

    def __init__(self) -> None:
        self.away = False
        self._queues: dict[Stage, deque[JobRow]] = {stage: deque() for stage in Stage}

    def announce(self, jobs: Sequence[JobRow]) -> None:
        if not self.away:
            self.publish(jobs)

    def publish(self, jobs: Sequence[JobRow]) -> None:
        self._reach()
        for job in jobs:
            self._queues[job.stage].append(job)

    def waiting(self) -> Mapping[Stage, int]:
        self._reach()
        return {stage: len(queue) for stage, queue in self._queues.items()}

    def ping(self) -> None:
        self._reach()

    def close(self) -> None:
        pass

    def take(self, stage: Stage) -> JobRow | None:
        """The oldest hint of a stage, as a worker takes it."""
        queue = self._queues[stage]
        return queue.popleft() if queue else None

    def lose(self) -> None:
        """Forget every hint, as a server does whose data is gone."""
        for queue in self._queues.values():
            queue.clear()

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("queue_unavailable", "The queue does not answer.", "Start it; nothing is lost.")
