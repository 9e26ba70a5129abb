"""What becomes of a delivery after an attempt. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from frostbyte.kernel.ports.webhooks import Answer
from frostbyte.kernel.webhooks.records import DeliveryRow, Fate, Kind

WAITS: Final = (5, 60, 300, 900, 1800, 3600, *(7200,) * 11)
"""Seconds after each failed attempt until the next one: 18 attempts over 24 hours. None waits longer than two hours, so
a server that is there again has what it missed soon."""
MOST_ATTEMPTS: Final = len(WAITS) + 1
_FINAL: Final = frozenset({"webhook_gone"})
"""What a server will say again tomorrow."""


def attempts(kind: Kind) -> int:
    """How often a message is tried; a person waits for what comes of a test."""
    return 1 if kind is Kind.TEST else MOST_ATTEMPTS


def after(row: DeliveryRow, answer: Answer, now: datetime, duration_ms: int = 0) -> DeliveryRow:
    """The row when an attempt has ended.

    Args:
        row: with the attempt counted.
        answer: what came of it.
        now: when it ended.
        duration_ms: how long it took.
    """
    told = replace(row, status=answer.status, code=answer.code, duration_ms=duration_ms)
    if not answer.code:
        return replace(told, state=Fate.DELIVERED, ended_at=now)
    if answer.code in _FINAL or row.attempts >= attempts(row.kind):
        return replace(told, state=Fate.DEAD, ended_at=now)
    wait = WAITS[row.attempts - 1]
    asked = min(answer.retry_after, max(WAITS))
    return replace(told, not_before=now + timedelta(seconds=max(wait, asked)))
