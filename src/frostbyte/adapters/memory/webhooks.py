"""Webhooks and what they are owed in memory, and a courier that goes nowhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.ports.webhooks import Answer
from frostbyte.kernel.webhooks.records import DeliveryRow, DeliveryTally, Fate, Kind, WebhookRow


class MemoryWebhooks:
    """See kernel.ports.webhooks.Webhooks."""

    def __init__(self, transaction: Transaction) -> None:
        self._rows: Table[UUID, WebhookRow] = Table(transaction, "webhooks", lambda row: row.webhook_id)
        self._owed: Table[UUID, DeliveryRow] = Table(transaction, "webhook_deliveries", lambda row: row.delivery_id)

    def get(self, webhook_id: UUID, *, lock: bool = False) -> WebhookRow | None:
        return self._rows.get(webhook_id, lock=lock)

    def all(self) -> list[WebhookRow]:
        return sorted(self._rows.rows(), key=lambda row: row.webhook_id)

    def put(self, row: WebhookRow) -> None:
        self._rows.put(row)

    def remove(self, webhook_id: UUID) -> bool:
        if self._rows.get(webhook_id, lock=True) is None:
            return False
        self._rows.delete(webhook_id)
        for row in self._owed.rows():
            if row.webhook_id == webhook_id:
                self._owed.delete(row.delivery_id)
        return True

    def owe(self, row: DeliveryRow) -> bool:
        if self._rows.get(row.webhook_id) is None:
            return False
        self._owed.insert(row)
        return True

    def delivery(self, delivery_id: UUID, *, lock: bool = False) -> DeliveryRow | None:
        return self._owed.get(delivery_id, lock=lock)

    def claim(self, now: datetime, until: datetime, busy: Collection[UUID], limit: int) -> list[DeliveryRow]:
        def due(row: DeliveryRow) -> bool:
            return row.state is Fate.WAITING and row.not_before <= now and row.webhook_id not in busy

        first: dict[UUID, DeliveryRow] = {}
        for row in sorted(filter(due, self._owed.rows()), key=lambda row: (row.not_before, row.delivery_id)):
            first.setdefault(row.webhook_id, row)
        claimed = []
        for seen in list(first.values())[:limit]:
            held = self._owed.claim(seen.delivery_id)
            if held is not None and due(held):
                claimed.append(replace(held, attempts=held.attempts + 1, not_before=until))
                self._owed.put(claimed[-1])
        return sorted(claimed, key=lambda row: row.delivery_id)

    def settle(self, row: DeliveryRow) -> bool:
        held = self._owed.get(row.delivery_id, lock=True)
        if held is None or held.attempts != row.attempts or held.state is not Fate.WAITING:
            return False
        self._owed.put(row)
        return True

    def again(self, delivery_id: UUID, now: datetime) -> bool:
        held = self._owed.get(delivery_id, lock=True)
        if held is None or held.state is Fate.DELIVERED:
            return False
        attempts = 0 if held.state is Fate.DEAD else held.attempts
        self._owed.put(replace(held, state=Fate.WAITING, attempts=attempts, ended_at=None, not_before=now))
        return True

    def page(
        self, webhook_id: UUID, *, state: Fate | None = None, before: UUID | None = None, limit: int = 100
    ) -> list[DeliveryRow]:
        fitting = (
            row
            for row in self._owed.rows()
            if row.webhook_id == webhook_id
            and (state is None or row.state is state)
            and (before is None or row.delivery_id < before)
        )
        return sorted(fitting, key=lambda row: row.delivery_id, reverse=True)[:limit]

    def tally(self) -> list[DeliveryTally]:
        groups: dict[tuple[UUID, Fate], list[datetime]] = {}
        for row in self._owed.rows():
            groups.setdefault((row.webhook_id, row.state), []).append(row.created_at)
        return [
            DeliveryTally(webhook_id=webhook, state=state, count=len(moments), newest=max(moments))
            for (webhook, state), moments in sorted(groups.items())
        ]

    def given_up(self) -> int:
        return sum(row.state is Fate.DEAD and row.kind is not Kind.TEST for row in self._owed.rows())

    def drop(self, delivery_id: UUID) -> bool:
        held = self._owed.get(delivery_id, lock=True)
        if held is None or held.state is not Fate.DEAD:
            return False
        self._owed.delete(delivery_id)
        return True

    def forget(self, state: Fate, ended_before: datetime) -> int:
        gone = [
            r for r in self._owed.rows() if r.state is state and r.ended_at is not None and r.ended_at < ended_before
        ]
        for row in gone:
            self._owed.delete(row.delivery_id)
        return len(gone)


@dataclass
class MemoryCourier:
    """See kernel.ports.webhooks.Courier: keeps what it is given, and answers what it was told to, in order.

    Attributes:
        answers: for the next attempts; when none is left, every message is taken.
        carried: what it was given: address, headers, body.
    """

    answers: list[Answer] = field(default_factory=list)
    carried: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See the port."""
        self.carried.append((url, dict(headers), body))
        return self.answers.pop(0) if self.answers else Answer(status=200)
