"""One attempt to deliver one message: judged by the configuration of now, signed, carried, and written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from frostbyte.data_plane.webhooks import patience
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Forbidden
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.webhooks import Answer, Courier
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.webhooks import addresses, signing
from frostbyte.kernel.webhooks.keys import WebhookKeys
from frostbyte.kernel.webhooks.records import DeliveryRow, Fate, WebhookRow

PLANE = "plane"
"""Who delivers what nobody asked for."""


class Delivery:
    """Makes attempts.

    Args:
        tenant_id: whose plane this is.
        keys: what signs and opens addresses.
        courier: the way out.
        config: the tenant's configuration in force.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        keys: WebhookKeys,
        courier: Courier,
        config: Callable[[], TenantConfig],
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._keys = keys
        self._courier = courier
        self._config = config

    def attempt(self, row: DeliveryRow, *, actor: str = PLANE) -> DeliveryRow:
        """Make one attempt, which was counted before, and write down what came of it; the row as it is then.

        What is not written down is not known, and the message is sent once more: its receiver knows it by its id.

        Raises:
            SealBroken: `object_damaged`: the address does not open.
            Unavailable: the database does not answer, or the plane is frozen.
        """
        with self._unit_of_work(reading=True) as uow:
            webhook = uow.webhooks.get(row.webhook_id)
        if webhook is None:
            return row
        found = addresses.address(self._keys.open(webhook.webhook_id, webhook.sealed_url))
        begun = time.monotonic()
        answer = self._carried(row, webhook, found)
        took = round((time.monotonic() - begun) * 1000)
        settled = patience.after(row, answer, self._clock.now(), took)
        with self._unit_of_work() as uow:
            if uow.webhooks.settle(settled):
                self._note(uow, settled, found, actor)
                uow.commit()
        return settled

    def give_up(self, row: DeliveryRow, *, code: str) -> DeliveryRow:
        """Write down that nothing is tried any more."""
        dead = patience.after(row, Answer(code=row.code or code, status=row.status), self._clock.now(), row.duration_ms)
        with self._unit_of_work() as uow:
            webhook = uow.webhooks.get(row.webhook_id)
            if webhook is not None and uow.webhooks.settle(dead):
                found = addresses.address(self._keys.open(webhook.webhook_id, webhook.sealed_url))
                self._note(uow, dead, found, PLANE)
                uow.commit()
        return dead

    def _carried(self, row: DeliveryRow, webhook: WebhookRow, found: addresses.Address) -> Answer:
        try:
            addresses.check(found, self._config().webhook_hosts)
        except Forbidden:
            return Answer(code="webhook_host_closed")
        now = self._clock.now()
        secrets = [self._keys.secret(webhook.webhook_id, webhook.salt)]
        if webhook.old_until is not None and now < webhook.old_until:
            secrets.append(self._keys.secret(webhook.webhook_id, webhook.old_salt))
        headers = signing.headers(secrets, row.delivery_id, now, row.body)
        return self._courier.carry(found.url, headers, row.body)

    def _note(self, uow: UnitOfWork, row: DeliveryRow, found: addresses.Address, actor: str) -> None:
        """An event for each message that left, or that is given up: an auditor sees what was told to whom."""
        if row.state is Fate.WAITING:
            return
        details: dict[str, Any] = {
            "component": "webhooks",
            "webhook_id": row.webhook_id,
            "delivery_id": row.delivery_id,
            "kind": row.kind.value,
            "host": str(found.place),
            "attempts": row.attempts,
            "duration_ms": row.duration_ms,
            "status": row.state.value,
        }
        if row.batch_id is not None:
            details["batch_id"] = row.batch_id
        if row.code:
            details["code"] = row.code
        type = EventType.WEBHOOK_DELIVERED if row.state is Fate.DELIVERED else EventType.WEBHOOK_FAILED
        uow.audit.append(make_event(self._tenant_id, type, self._clock, actor, "webhook", str(row.webhook_id), details))
