"""Which snapshots stay: the newest of each of the last days, weeks and months (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from frostbyte.kernel.backup.snapshot import moment_of


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """For how many of the last days, weeks and months that have a snapshot one of it stays."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


class Kept(msgspec.Struct, frozen=True):
    """A snapshot: its name, which begins with when it was taken, and whether a trial restore of it went well."""

    name: str
    good: bool


def kept(snapshots: Sequence[Kept], keep: Keep) -> set[str]:
    """Names of those that stay.

    The newest one always does, and the newest that was found good. Of a day, a week or a month the newest good one
    stands for it, and the newest of all where none was found good: a bad one never takes the place of a good one.
    """
    newest_first = sorted(snapshots, key=lambda item: item.name, reverse=True)
    stay = {item.name for item in newest_first[:1]}
    stay |= {item.name for item in [item for item in newest_first if item.good][:1]}
    for count, period in ((keep.daily, _day), (keep.weekly, _week), (keep.monthly, _month)):
        by_period: dict[str, Kept] = {}
        for item in newest_first:
            stands = by_period.setdefault(period(moment_of(item.name)), item)
            if item.good and not stands.good:
                by_period[period(moment_of(item.name))] = item
        stay |= {item.name for item in list(by_period.values())[: max(0, count)]}
    return stay


_day: Callable[[datetime], str] = "{:%Y-%m-%d}".format
_week: Callable[[datetime], str] = "{:%G-%V}".format
_month: Callable[[datetime], str] = "{:%Y-%m}".format
