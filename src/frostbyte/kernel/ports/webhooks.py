"""Where webhooks and their deliveries are kept, and what carries one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.webhooks.records import DeliveryRow, DeliveryTally, Fate, WebhookRow


class Webhooks(Protocol):
    """Servers that are told, and what each is owed."""

    def get(self, webhook_id: UUID, *, lock: bool = False) -> WebhookRow | None:
        """The webhook or None; `lock` holds its row until the transaction ends."""
        ...

    def all(self) -> list[WebhookRow]:
        """Oldest first."""
        ...

    def put(self, row: WebhookRow) -> None:
        """Insert or replace."""
        ...

    def remove(self, webhook_id: UUID) -> bool:
        """Remove it with everything that it is owed; whether it was there."""
        ...

    def owe(self, row: DeliveryRow) -> bool:
        """Note a delivery, if its webhook is still there; whether it is."""
        ...

    def delivery(self, delivery_id: UUID, *, lock: bool = False) -> DeliveryRow | None: ...

    def claim(self, now: datetime, until: datetime, busy: Collection[UUID], limit: int) -> list[DeliveryRow]:
        """Begin attempts: count them, and put the next one off until `until`. Nobody else claims the same till then.

        At most one of each webhook, the one that has been due longest, and none of those that are `busy`.
        """
        ...

    def settle(self, row: DeliveryRow) -> bool:
        """Write down what became of an attempt; False (and nothing changed) if another one was begun meanwhile,
        or the delivery is gone or was ended."""
        ...

    def again(self, delivery_id: UUID, now: datetime) -> bool:
        """Let one be due now: a dead one begins anew, a waiting one is hurried. False for what is neither."""
        ...

    def page(
        self, webhook_id: UUID, *, state: Fate | None = None, before: UUID | None = None, limit: int = 100
    ) -> list[DeliveryRow]:
        """A webhook's deliveries, newest first; those older than `before`."""
        ...

    def tally(self) -> list[DeliveryTally]:
        """All deliveries, counted by webhook and state."""
        ...

    def given_up(self) -> int:
        """Messages of batches that were given up and that nobody has decided on; tests do not count."""
        ...

    def drop(self, delivery_id: UUID) -> bool:
        """Remove one that was given up; False for any other."""
        ...

    def forget(self, state: Fate, ended_before: datetime) -> int:
        """Remove those that ended so before a moment; how many."""
        ...


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one attempt.

    Attributes:
        code: '' where it was taken, else why not (see kernel.webhooks.troubles).
        status: HTTP's; 0 where there was no answer.
        retry_after: seconds that the server asks to be left alone; 0 where it does not.
    """

    code: str = ""
    status: int = 0
    retry_after: float = 0.0


class Courier(Protocol):
    """Carries a message to a server. It never raises for what a server or the way to it does."""

    def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One attempt, of bounded time."""
        ...
