"""How fast a project may be asked: one pace for all threads and tenants of a project.

Hetzner gives a project 3,600 requests an hour and returns one a second; each reply says what is left in `RateLimit-*`
headers (public API reference, rate limiting). The pace follows those headers, so it also sees what others have used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from frostbyte.control_plane.provisioning.ports import CloudError

LIMIT: Final = 3600
"""Requests an hour, until a reply says another number."""
LONGEST: Final = 60.0
"""Seconds that a request waits for its turn; after that its caller is told, so that it can look after its lease."""
STRETCH: Final = 5.0
"""By how much polling slows down when the hour's requests are nearly used up."""


class Pace:
    """Safe for many threads.

    Args:
        clock: seconds that only grow.
        sleep: waits.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._limit = float(LIMIT)
        self._left = float(LIMIT)
        self._at = clock()
        self._under_way = 0
        self._shut_until = self._at

    def turn(self) -> None:
        """Wait until a request may be sent, and count it. `heard` or `unheard` must follow.

        Raises:
            CloudError: `cloud_rate_limited`: that would take longer than `LONGEST`.
        """
        waited = 0.0
        while True:
            with self._lock:
                now = self._clock()
                self._refill(now)
                wait = max(self._shut_until - now, (1.0 - self._left) / self._rate)
                if wait <= 0:
                    self._left -= 1.0
                    self._under_way += 1
                    return
            if waited + wait > LONGEST:
                raise rate_limited(wait)
            self._sleep(wait)
            waited += wait

    def heard(self, headers: Mapping[str, str]) -> None:
        """A reply came: believe what it says is left, less what is still under way."""
        limit, left = _number(headers, "RateLimit-Limit"), _number(headers, "RateLimit-Remaining")
        with self._lock:
            self._under_way -= 1
            self._refill(self._clock())
            if limit:
                self._limit = limit
            if left is not None:
                self._left = min(left - self._under_way, self._limit)

    def unheard(self) -> None:
        """No reply came."""
        with self._lock:
            self._under_way -= 1

    def refused(self, headers: Mapping[str, str]) -> float:
        """The project's requests are used up (429): nobody asks for a while.

        Returns:
            seconds until it may be asked again: what the reply says, else until one request is returned.
        """
        with self._lock:
            wait = _number(headers, "Retry-After") or 1.0 / self._rate
            self._left = min(self._left, 0.0)
            self._shut_until = max(self._shut_until, self._clock() + wait)
            return wait

    @property
    def stretch(self) -> float:
        """1 while more than half is left, up to `STRETCH` when nothing is: who only looks, looks less often."""
        with self._lock:
            self._refill(self._clock())
            scarce = 1.0 - min(max(self._left / (self._limit / 2), 0.0), 1.0)
            return 1.0 + (STRETCH - 1.0) * scarce

    @property
    def _rate(self) -> float:
        return self._limit / 3600

    def _refill(self, now: float) -> None:
        self._left = min(self._limit, self._left + (now - self._at) * self._rate)
        self._at = now


def rate_limited(wait: float) -> CloudError:
    """What everybody is told who would have to wait too long."""
    return CloudError(
        "cloud_rate_limited",
        "The cloud's requests of this hour are used up for this project.",
        "It goes on by itself as requests are returned, one a second; end other programs that use the project's token.",
        retry_after=wait,
        vendor_code="rate_limit_exceeded",
    )


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "")
    return float(text) if text.isascii() and text.isdigit() else None
