"""What the relational store remembers of webhooks: ids, states and numbers, and addresses sealed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from frostbyte.kernel.records import Row


class Kind(StrEnum):
    """What a message says; the name is part of the message."""

    BATCH_COMPLETED = "batch.completed"
    TEST = "webhook.test"


class Fate(StrEnum):
    """What has become of a delivery."""

    WAITING = "waiting"
    """For its first attempt, or the next one."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; a person may send it once more."""


class WebhookRow(Row, frozen=True, kw_only=True):
    """A server that is told.

    Attributes:
        sealed_url: where it is. An address may hold what opens the server, so it is sealed (see kernel.webhooks.keys).
        salt: what its secret is made of, together with a key of the plane's: alone it opens nothing.
        old_salt: of the secret before; b'' for none.
        old_until: how long that one signs too.
    """

    webhook_id: UUID
    sealed_url: bytes
    created_at: datetime
    created_by: str
    salt: bytes
    old_salt: bytes = b""
    old_until: datetime | None = None


class DeliveryRow(Row, frozen=True, kw_only=True):
    """One message to one server.

    Attributes:
        delivery_id: the message's id at its receiver, the same at every attempt.
        batch_id: what it tells of; None for a test.
        body: the bytes that are sent, the same at every attempt.
        attempts: how many were begun; counted before the attempt, so it is also the fence of whoever made the last.
        not_before: when the next one may begin. While one is under way this is when it is given up for lost.
        ended_at: when it was delivered or given up.
        status: what the server last answered (HTTP); 0 where it did not.
        code: why the last attempt failed; '' where it did not.
        duration_ms: of the last attempt.
    """

    delivery_id: UUID
    webhook_id: UUID
    kind: Kind
    body: bytes
    created_at: datetime
    not_before: datetime
    batch_id: UUID | None = None
    state: Fate = Fate.WAITING
    attempts: int = 0
    ended_at: datetime | None = None
    status: int = 0
    code: str = ""
    duration_ms: int = 0


class DeliveryTally(Row, frozen=True, kw_only=True):
    """Deliveries of one server in one state."""

    webhook_id: UUID
    state: Fate
    count: int
    newest: datetime
    """When the one that was made last was made."""
