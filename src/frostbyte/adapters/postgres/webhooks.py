"""Webhooks and what they are owed, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.kernel.webhooks.records import DeliveryRow, DeliveryTally, Fate, Kind, WebhookRow

WEBHOOKS: Final = Table("webhooks", WebhookRow, "webhook_id")
DELIVERIES: Final = Table("webhook_deliveries", DeliveryRow, "delivery_id")

_CLAIM: Final = (
    "UPDATE webhook_deliveries SET attempts = attempts + 1, not_before = %s WHERE delivery_id IN ("
    "SELECT delivery_id FROM webhook_deliveries WHERE delivery_id IN ("
    "SELECT DISTINCT ON (webhook_id) delivery_id FROM webhook_deliveries "
    "WHERE state = 'waiting' AND not_before <= %s AND webhook_id <> ALL(%s) "
    "ORDER BY webhook_id, not_before, delivery_id) "
    "AND state = 'waiting' AND not_before <= %s ORDER BY not_before, delivery_id LIMIT %s FOR UPDATE SKIP LOCKED)"
)
"""Asked for once more where it is locked: who came second sees that it is not due any more."""


class PostgresWebhooks(Repository):
    """See kernel.ports.webhooks.Webhooks."""

    def get(self, webhook_id: UUID, *, lock: bool = False) -> WebhookRow | None:
        query = WEBHOOKS.select + "WHERE webhook_id = %s" + (" FOR UPDATE" if lock else "")
        record = self._one(query, [webhook_id])
        return WEBHOOKS.decode(record) if record else None

    def all(self) -> list[WebhookRow]:
        return [WEBHOOKS.decode(record) for record in self._all(WEBHOOKS.select + "ORDER BY webhook_id")]

    def put(self, row: WebhookRow) -> None:
        self._run(WEBHOOKS.upsert, WEBHOOKS.encode(row))

    def remove(self, webhook_id: UUID) -> bool:
        return self._run("DELETE FROM webhooks WHERE webhook_id = %s", [webhook_id]) == 1

    def owe(self, row: DeliveryRow) -> bool:
        if self._one("SELECT 1 FROM webhooks WHERE webhook_id = %s FOR KEY SHARE", [row.webhook_id]) is None:
            return False
        self._run(DELIVERIES.insert, DELIVERIES.encode(row))
        return True

    def delivery(self, delivery_id: UUID, *, lock: bool = False) -> DeliveryRow | None:
        query = DELIVERIES.select + "WHERE delivery_id = %s" + (" FOR UPDATE" if lock else "")
        record = self._one(query, [delivery_id])
        return DELIVERIES.decode(record) if record else None

    def claim(self, now: datetime, until: datetime, busy: Collection[UUID], limit: int) -> list[DeliveryRow]:
        records = self._all(_CLAIM + DELIVERIES.returning, [until, now, list(busy), now, limit])
        return sorted((DELIVERIES.decode(record) for record in records), key=lambda row: row.delivery_id)

    def settle(self, row: DeliveryRow) -> bool:
        changed = self._run(
            "UPDATE webhook_deliveries SET state = %s, not_before = %s, ended_at = %s, status = %s, code = %s, "
            "duration_ms = %s WHERE delivery_id = %s AND attempts = %s AND state = 'waiting'",
            [
                row.state.value,
                row.not_before,
                row.ended_at,
                row.status,
                row.code,
                row.duration_ms,
                row.delivery_id,
                row.attempts,
            ],
        )
        return changed == 1

    def again(self, delivery_id: UUID, now: datetime) -> bool:
        changed = self._run(
            "UPDATE webhook_deliveries SET attempts = CASE state WHEN 'dead' THEN 0 ELSE attempts END, "
            "state = 'waiting', ended_at = NULL, not_before = %s WHERE delivery_id = %s AND state <> 'delivered'",
            [now, delivery_id],
        )
        return changed == 1

    def page(
        self, webhook_id: UUID, *, state: Fate | None = None, before: UUID | None = None, limit: int = 100
    ) -> list[DeliveryRow]:
        records = self._all(
            DELIVERIES.select + "WHERE webhook_id = %s AND (%s::text IS NULL OR state = %s) "
            "AND (%s::uuid IS NULL OR delivery_id < %s) ORDER BY delivery_id DESC LIMIT %s",
            [webhook_id, state and state.value, state and state.value, before, before, limit],
        )
        return [DELIVERIES.decode(record) for record in records]

    def tally(self) -> list[DeliveryTally]:
        records = self._all(
            "SELECT webhook_id, state, count(*), max(created_at) FROM webhook_deliveries "
            "GROUP BY webhook_id, state ORDER BY webhook_id, state"
        )
        return [
            DeliveryTally(webhook_id=webhook, state=Fate(state), count=count, newest=newest)
            for webhook, state, count, newest in records
        ]

    def given_up(self) -> int:
        record = self._one(
            "SELECT count(*) FROM webhook_deliveries WHERE state = 'dead' AND kind <> %s", [Kind.TEST.value]
        )
        return int(record[0]) if record else 0

    def drop(self, delivery_id: UUID) -> bool:
        return self._run("DELETE FROM webhook_deliveries WHERE delivery_id = %s AND state = 'dead'", [delivery_id]) == 1

    def forget(self, state: Fate, ended_before: datetime) -> int:
        return self._run(
            "DELETE FROM webhook_deliveries WHERE state = %s AND ended_at < %s", [state.value, ended_before]
        )
