"""How many requests a minute are taken, by group of routes, and by caller where there are several.

A plane has one tenant: there is nothing to key by. The control plane counts each of its callers alone.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from frostbyte.kernel.errors import FrostbyteError, Kind

PER_MINUTE: Final[Mapping[str, int]] = {"ingest": 100, "query": 1000, "audit": 300, "total": 1000}
"""Requests that a tenant may make in any 60 seconds at its plane; `total` counts those of every group and of none."""
WINDOW: Final = 60.0
"""Seconds."""


class TooMany(FrostbyteError):
    """The group's limit is reached.

    Attributes:
        retry_after: whole seconds after which one more request fits.
    """

    kind = Kind.RATE_LIMITED

    def __init__(self, retry_after: int) -> None:
        super().__init__("rate_limited", "The limit of requests a minute is reached.", f"Wait {retry_after} seconds.")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return (TooMany, (self.retry_after,))


class Limiter:
    """Sliding windows: in no 60 seconds, wherever they begin, are there more requests than the limit.

    A refused request does not count, so a client that keeps asking is served as soon as there is room.

    Args:
        per_minute: the limit of each group.
        seconds: a clock that only goes forward.
    """

    def __init__(
        self, per_minute: Mapping[str, int] | None = None, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = dict(PER_MINUTE if per_minute is None else per_minute)
        self._seconds = seconds
        self._times: dict[tuple[str, str], deque[float]] = {}
        self._pruned = seconds()
        self._lock = threading.Lock()

    def take(self, group: str, caller: str = "") -> None:
        """Count one request. From any thread.

        Args:
            caller: whose limit it is; '' where one limit is for all.

        Raises:
            TooMany: `rate_limited`.
        """
        with self._lock:
            now = self._seconds()
            self._prune(now)
            times = self._times.setdefault((group, caller), deque())
            while times and times[0] <= now - WINDOW:
                times.popleft()
            if len(times) >= self._limits[group]:
                raise TooMany(max(1, math.ceil(times[0] + WINDOW - now)))
            times.append(now)

    def _prune(self, now: float) -> None:
        """Forget, once a window, who has not asked for one: callers come and go, memory must not grow with them."""
        if now - self._pruned < WINDOW:
            return
        self._pruned = now
        self._times = {key: times for key, times in self._times.items() if times and times[-1] > now - WINDOW}
