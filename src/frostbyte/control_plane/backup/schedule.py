"""When each tenant is backed up next. Pure.

Each has a moment of its own within the period, drawn from its name, so that a hundred tenants are spread over the day
and a day's backup comes at the same hour. What was missed (the control plane was away, the target was full) is due at
once. A backup that failed is tried again after a while that grows, and never before the one that runs has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

FIRST_PAUSE: Final = timedelta(minutes=15)
"""Before a backup that failed is tried again; each further time it is twice as long."""
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tenant's backups.

    Attributes:
        since: when it came into service.
        good_at: when the last good one began; None before the first.
        failed: how many have failed since.
        failed_at: when the last of these ended.
        running: whether one runs, or anything else that excludes one.
    """

    tenant_id: str
    since: datetime
    good_at: datetime | None = None
    failed: int = 0
    failed_at: datetime | None = None
    running: bool = False


def due(histories: Iterable[History], now: datetime, hours: int) -> list[str]:
    """Tenants whose backup is due, longest due first.

    Args:
        hours: between two; 0 for none by themselves.
    """
    if not hours:
        return []
    waiting = [
        (moment, one.tenant_id) for one in histories if not one.running and (moment := due_at(one, hours)) <= now
    ]
    return [tenant_id for _, tenant_id in sorted(waiting)]


def due_at(one: History, hours: int) -> datetime:
    """When a tenant's next backup is due. The first one is due as soon as the tenant stands."""
    wanted = one.since if one.good_at is None else _slot_after(one.good_at, one.tenant_id, timedelta(hours=hours))
    if one.failed and one.failed_at is not None:
        pause = min(FIRST_PAUSE * 2 ** min(one.failed - 1, 16), timedelta(hours=hours))
        wanted = max(wanted, one.failed_at + pause)
    return wanted


def _slot_after(moment: datetime, tenant_id: str, period: timedelta) -> datetime:
    """The tenant's next moment, at least half a period later: one that was asked for by hand counts."""
    share = int.from_bytes(hashlib.sha256(tenant_id.encode()).digest()[:4], "big") / 2**32
    first = _START + period * share
    turns = (moment + period / 2 - first) // period + 1
    return first + period * turns
