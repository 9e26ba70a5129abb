"""The world's time: real, faster than real, or moved by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class WorldClock(Protocol):
    """Time as the world lives it."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...

    def wait(self, seconds: float) -> float:
        """How many real seconds one has to wait for `seconds` of the world to pass; time may be moved instead."""
        ...


class RunningClock:
    """Time that passes by itself.

    Args:
        scale: seconds of the world in a real one.
        start: where it begins; now without it.
    """

    def __init__(self, scale: float = 1.0, start: datetime | None = None) -> None:
        self.scale = scale
        self._start = start or datetime.now(UTC)
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        return self._start + timedelta(seconds=(time.monotonic() - self._began) * self.scale)

    def wait(self, seconds: float) -> float:
        """How many real seconds that is."""
        return seconds / self.scale


class HandClock:
    """Time that stands still until somebody moves it or waits.

    Args:
        start: where it begins; now without it.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        return self._now

    def wait(self, seconds: float) -> float:
        """Move time, and wait for nothing."""
        self.advance(seconds)
        return 0.0

    def advance(self, seconds: float) -> None:
        """Let so many seconds of the world pass at once."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
