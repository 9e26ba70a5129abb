"""Attempts to sign in are slowed, so that nobody guesses, and nobody keeps another out for long.

Five attempts are free; each one more makes the next wait twice as long, up to a quarter of an hour. They are counted
before anything is looked at, by the name that was tried; browsers that somebody signed in with before count for
themselves, so that a stranger who tries a name all day does not keep its owner out (OWASP Authentication Cheat Sheet,
device cookies). Names that do not exist are counted alike: how long one waits says nothing.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.limits import TooMany
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWorkFactory

FREE: Final = 5
LONGEST_WAIT: Final = timedelta(minutes=15)
_FORGOTTEN: Final = timedelta(days=1)
"""Attempts are begun to count anew after so long without one."""


class Slowed(TooMany):
    """Too many attempts to sign in were made; `retry_after` seconds later the next one is looked at."""

    def __init__(self, retry_after: int) -> None:
        FrostbyteError.__init__(
            self,
            "sign_in_slowed",
            "There were too many attempts to sign in with this name.",
            f"Wait {retry_after} seconds. A browser that you signed in with before does not wait for others' attempts.",
        )
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return (Slowed, (self.retry_after,))


def wait_after(count: int) -> timedelta:
    """How long after so many attempts in a row the next one is not looked at."""
    if count < FREE:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(count - FREE, 20)), LONGEST_WAIT)


def key_of_name(name: str) -> str:
    """What attempts with a name are counted under, whoever makes them."""
    return "name:" + hashlib.sha256(name.encode()).hexdigest()


def key_of_device(device: str) -> str:
    """What attempts of a browser are counted under that somebody signed in with before."""
    return "device:" + hashlib.sha256(device.encode()).hexdigest()


def of_device(key: str) -> bool:
    """Whether it is such a key."""
    return key.startswith("device:")


def count(unit_of_work: AccessUnitOfWorkFactory, clock: Clock, key: str) -> int:
    """Count an attempt before it is looked at; which one it is in a row.

    Raises:
        Slowed: `sign_in_slowed`: it is not looked at, and not counted.
    """
    now = clock.now()
    with unit_of_work() as uow:
        held = uow.accounts.attempts(key)
        if held.until is not None and held.until > now:
            raise Slowed(_seconds(held.until, now))
        before = 0 if held.last_at is None or held.last_at < now - _FORGOTTEN else held.count
        row = replace(held, count=before + 1, last_at=now, until=now + wait_after(before + 1))
        uow.accounts.put_attempts(row)
        uow.commit()
    return row.count


def _seconds(until: datetime, now: datetime) -> int:
    return max(1, math.ceil((until - now).total_seconds()))
