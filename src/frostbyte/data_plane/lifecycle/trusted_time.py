"""Whether the clock may be believed by what cannot be taken back: documents expire by it.

A clock that leaps forward makes everything old. So the plane remembers the last moment that it was sure of. While it
runs, a clock that is never set says how much later it is since; a leap of the other one shows within a minute. After a
pause nothing measured it: a short one is believed, and after a long one the control plane's time decides, or a person
who says which day it is. Until then nothing expires, and the plane says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from frostbyte.data_plane.obeying import Ticks, forward
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import TrustedTimeRow

STEP: Final = timedelta(minutes=10)
"""By so much a clock may be corrected between two looks while the plane runs: far more than a time server steps one
that it keeps, far less than makes a difference to what is kept for days."""
PAUSE: Final = timedelta(days=4)
"""A plane may have stood still for so long without a question: a long weekend."""
APART: Final = timedelta(hours=1)
"""The control plane's time arrives late, and nobody keeps documents by the hour."""

LEAPT: Final = "clock_leapt"
WENT_BACK: Final = "clock_went_back"
CONTRADICTED: Final = "clock_contradicted"
DOUBTS: Final = {
    LEAPT: "The clock is much further than the time that passed for this plane.",
    WENT_BACK: "The clock is before a moment that this plane had been sure of.",
    CONTRADICTED: "The clock differs from the control plane's.",
}
"""Why a clock is not believed, in words."""

Told = Callable[[], datetime | None]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a look at the clock came to."""

    trusted_at: datetime
    doubt: str


def judge(now: datetime, trusted_at: datetime | None, passed: timedelta | None, told: datetime | None) -> Judged:
    """Whether the clock is believed, and what the plane is sure of from now on. Pure.

    Args:
        now: what the clock shows.
        trusted_at: the last moment that it was sure of; None for a plane that never was.
        passed: that much later it is by the clock that is never set; None where nothing measured it.
        told: the control plane's time; None where nobody told.
    """
    if told is not None:
        if abs(now - told) <= APART:
            return Judged(trusted_at=now, doubt="")
        return Judged(
            trusted_at=told if trusted_at is None else trusted_at + (passed or timedelta()), doubt=CONTRADICTED
        )
    if trusted_at is None:
        return Judged(trusted_at=now, doubt="")
    expected = trusted_at + (passed or timedelta())
    if now > expected + (PAUSE if passed is None else STEP):
        return Judged(trusted_at=expected, doubt=LEAPT)
    if now < expected - STEP:
        return Judged(trusted_at=expected, doubt=WENT_BACK)
    return Judged(trusted_at=now, doubt="")


class TrustedTime:
    """The time, for what cannot be taken back.

    Args:
        tenant_id: whose plane this is.
        unit_of_work: opens transactions; the store's clock counts beside the caller's.
        clock: this process's.
        told: the control plane's time, where the plane has heard of it.
        ticks: seconds on a clock that is never set.
    """

    def __init__(
        self,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        told: Told = lambda: None,
        ticks: Ticks = forward,
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._told = told
        self._ticks = ticks
        self._looked: tuple[datetime, float] | None = None
        self.doubt = ""
        """Why the clock was not believed at the last look of this process."""

    def look(self) -> datetime:
        """The time, by which documents may expire; to be called about once a minute.

        Raises:
            Unavailable: `clock_doubted`: it is not believed, and the log says since when.
        """
        with self._unit_of_work() as uow:
            ticks, now = self._ticks(), uow.retention.moment(self._clock.now())
            row = uow.retention.trusted()
            before = row.trusted_at if row is not None else _last_signed(uow)
            judged = judge(now, before, self._passed(row, ticks), self._told())
            if judged.doubt != (row.doubt if row is not None else ""):
                self._note(uow, judged)
            uow.retention.trust(TrustedTimeRow(trusted_at=judged.trusted_at, doubt=judged.doubt))
            uow.commit()
        self._looked, self.doubt = (judged.trusted_at, ticks), judged.doubt
        if judged.doubt:
            raise doubted(judged.doubt)
        return now

    def confirm(self, today: date, *, actor: str) -> datetime:
        """Believe the clock from now on, because a person says that it is this day; the time that it shows.

        Raises:
            Conflict: `clock_not_today`: it shows another day.
        """
        with self._unit_of_work() as uow:
            now = uow.retention.moment(self._clock.now())
            if abs((now.date() - today).days) > 1:  # wherever on Earth it is that day
                raise Conflict(
                    "clock_not_today",
                    f"This plane's clock shows {now.date()}, and not {today}.",
                    "Set the clocks of the plane's hosts right (`timedatectl` shows them), then confirm the day again.",
                )
            uow.retention.trust(TrustedTimeRow(trusted_at=now, doubt=""))
            self._event(uow, EventType.CLOCK_CONFIRMED, actor, {"status": "confirmed"})
            uow.commit()
        self.doubt = ""
        return now

    def _passed(self, row: TrustedTimeRow | None, ticks: float) -> timedelta | None:
        """None for the first look of a process, and after somebody confirmed the time meanwhile."""
        if row is None or self._looked is None or self._looked[0] != row.trusted_at:
            return None
        return timedelta(seconds=max(0.0, ticks - self._looked[1]))

    def _note(self, uow: UnitOfWork, judged: Judged) -> None:
        log = structlog.get_logger("frostbyte.retention")
        if judged.doubt:
            log.warning("clock_doubted", code=judged.doubt, trusted_at=iso(judged.trusted_at))
            self._event(uow, EventType.CLOCK_DOUBTED, "plane", {"code": judged.doubt, "status": "doubted"})
        else:
            log.info("clock_believed")
            self._event(uow, EventType.CLOCK_CONFIRMED, "plane", {"status": "agrees"})

    def _event(self, uow: UnitOfWork, type: EventType, actor: str, details: dict[str, object]) -> None:
        said = {"component": "lifecycle", **details}
        uow.audit.append(make_event(self._tenant_id, type, self._clock, actor, "clock", "plane", said))


def _last_signed(uow: UnitOfWork) -> datetime | None:
    """A plane of an earlier version, or one that has never looked, was sure of when it signed last."""
    latest = uow.audit.latest_checkpoint()
    return latest.created_at if latest is not None else None


def doubted(code: str) -> Unavailable:
    """The error for what waits until the clock is believed again."""
    return Unavailable(
        "clock_doubted",
        f"{DOUBTS.get(code, 'The clock is not believed.')} Nothing expires until that is settled.",
        "Set the clocks of the plane's hosts right; if they are, say so: `frostbyte retention confirm-clock TODAY`.",
    )
