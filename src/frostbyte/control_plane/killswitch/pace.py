"""When a plane is asked next, and by which threads. Pure; times are seconds of a monotonic clock.

A plane works under a lease of 60 seconds, so it is told every 15 that it may go on: three attempts may fail. One that
does not answer is asked at growing intervals, one that has to learn of a new state is asked at once. Planes that
answered late or not at all have threads of their own: they can delay each other, and nobody else.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import msgspec

RENEW_SECONDS: Final = 15.0
"""Between two renewals of a lease."""
LONGEST_SECONDS: Final = 60.0
"""Between two attempts at a plane that does not answer. A host that comes back is told then what it missed."""
SLOW_SECONDS: Final = 1.0
"""A plane that takes longer for an exchange is not asked by the threads of those that do not."""
_SPREAD: Final = 0.2
"""Intervals vary by this share up and down, so that planes which failed together are not asked together for ever."""


class Lane(StrEnum):
    """Whose threads ask."""

    URGENT = "urgent"
    """A state that the plane has not heard of."""
    STEADY = "steady"
    """A plane that answered in time when it was last asked."""
    SUSPECT = "suspect"
    """One that did not."""


THREADS: Final = {Lane.URGENT: 8, Lane.STEADY: 16, Lane.SUSPECT: 8}
"""254 planes at 30 ms an exchange keep one thread busy for half of the 15 seconds; 254 dead hosts at 2 s an attempt
keep 8 busy at one attempt a minute each."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking one plane so far."""

    asked_at: float = -math.inf
    took: float = 0.0
    """Seconds of the last exchange."""
    failures: int = 0
    """Exchanges that failed since the last that did not."""
    tried_version: int = 0
    """The newest version of its orders that it was told of, or that was tried."""
    jitter: float = 0.5
    """0 to 1, drawn anew with each exchange."""


def due_at(pace: Pace, version: int) -> float:
    """When the plane is to be asked, if `version` is the newest of its orders."""
    if version > pace.tried_version:
        return -math.inf
    return pace.asked_at + interval(pace.failures) * (1 + _SPREAD * (2 * pace.jitter - 1))


def interval(failures: int) -> float:
    """Seconds until the next exchange after so many that failed."""
    if not failures:
        return RENEW_SECONDS
    return min(2.0 ** min(failures - 1, 10), LONGEST_SECONDS)


def lane(pace: Pace, version: int) -> Lane:
    """Which threads ask it."""
    if version > pace.tried_version:
        return Lane.URGENT
    return Lane.SUSPECT if pace.failures or pace.took > SLOW_SECONDS else Lane.STEADY


def after(pace: Pace, *, asked_at: float, took: float, version: int, failed: bool, jitter: float) -> Pace:
    """The pace after an exchange about `version`."""
    return Pace(
        asked_at=asked_at,
        took=took,
        failures=pace.failures + 1 if failed else 0,
        tried_version=max(pace.tried_version, version),
        jitter=jitter,
    )
