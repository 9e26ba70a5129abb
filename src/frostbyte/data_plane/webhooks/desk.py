"""What administrators do about webhooks: add, look at, try, replace a secret, send once more, remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.data_plane.webhooks.delivery import Delivery
from frostbyte.data_plane.webhooks.dispatch import LEASE_SECONDS, THREADS
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.webhooks import addresses, keys, messages
from frostbyte.kernel.webhooks.keys import WebhookKeys
from frostbyte.kernel.webhooks.records import DeliveryRow, DeliveryTally, Fate, Kind, WebhookRow
from frostbyte.kernel.webhooks.troubles import trouble

MOST: Final = THREADS
"""Webhooks of a plane: each has a thread of its own."""
OLD_SECRET_HOURS: Final = 24
"""How long a secret signs beside the one that takes its place."""


class WebhookDesk:
    """Keeps the list, and shows what became of messages.

    Args:
        waits: why nothing is begun now; None while it is.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        webhook_keys: WebhookKeys,
        delivery: Delivery,
        config: Callable[[], TenantConfig],
        waits: Callable[[], Unavailable | None],
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._keys = webhook_keys
        self._delivery = delivery
        self._config = config
        self._waits = waits

    def list(self) -> dict[str, Any]:
        """All of them, oldest first, the servers that the configuration names, and how many batches' messages were
        given up."""
        with self._unit_of_work(reading=True) as uow:
            rows, tallies, given_up = uow.webhooks.all(), uow.webhooks.tally(), uow.webhooks.given_up()
        return {
            "webhooks": [self._shown(row, tallies) for row in rows],
            "hosts": list(self._config().webhook_hosts),
            "most": MOST,
            "given_up": given_up,
        }

    def show(self, webhook_id: UUID) -> dict[str, Any]:
        """One of them. Raises NotFound: `webhook_not_found`."""
        with self._unit_of_work(reading=True) as uow:
            return self._shown(_found(uow, webhook_id), uow.webhooks.tally())

    def add(self, url: str, *, actor: str) -> dict[str, Any]:
        """Have a server told of every batch that ends from now on. The answer is where its secret is shown.

        Raises:
            Invalid: `webhook_url_invalid`.
            Forbidden: `webhook_host_not_allowed`.
            Conflict: `webhook_exists`, `webhook_limit`.
        """
        found = addresses.address(url)
        addresses.check(found, self._config().webhook_hosts)
        webhook_id = new_id()
        row = WebhookRow(
            webhook_id=webhook_id,
            sealed_url=self._keys.seal(webhook_id, found.url),
            created_at=self._clock.now(),
            created_by=actor,
            salt=self._keys.new_salt(),
        )
        with self._unit_of_work() as uow:
            others = uow.webhooks.all()
            if any(self._keys.open(other.webhook_id, other.sealed_url) == found.url for other in others):
                raise Conflict("webhook_exists", "There is a webhook with this address.", "Use the one that is there.")
            if len(others) >= MOST:
                raise Conflict("webhook_limit", f"A plane has at most {MOST} webhooks.", "Remove one first.")
            uow.webhooks.put(row)
            self._note(uow, EventType.WEBHOOK_ADDED, row, actor, "added")
            uow.commit()
        return self._shown(row, ()) | {"secret": self._secret(row)}

    def remove(self, webhook_id: UUID, *, actor: str) -> None:
        """Tell it nothing any more, what it is owed included. Raises NotFound: `webhook_not_found`."""
        with self._unit_of_work() as uow:
            row = _found(uow, webhook_id, lock=True)
            uow.webhooks.remove(webhook_id)
            self._note(uow, EventType.WEBHOOK_REMOVED, row, actor, "removed")
            uow.commit()

    def rotate(self, webhook_id: UUID, *, actor: str, retire_old: bool = False) -> dict[str, Any]:
        """Sign with a new secret, which this answer shows. The old one signs too for a day, unless it is retired.

        Raises:
            NotFound: `webhook_not_found`.
        """
        until = self._clock.now() + timedelta(hours=OLD_SECRET_HOURS)
        with self._unit_of_work() as uow:
            row = _found(uow, webhook_id, lock=True)
            row = replace(
                row,
                salt=self._keys.new_salt(),
                old_salt=b"" if retire_old else row.salt,
                old_until=None if retire_old else until,
            )
            uow.webhooks.put(row)
            self._note(uow, EventType.WEBHOOK_ROTATED, row, actor, "retired" if retire_old else "rotated")
            tallies = uow.webhooks.tally()
            uow.commit()
        return self._shown(row, tallies) | {"secret": self._secret(row)}

    def test(self, webhook_id: UUID, *, actor: str) -> dict[str, Any]:
        """Send it a message that says nothing, once, and wait for what comes of it; the delivery.

        Raises:
            NotFound: `webhook_not_found`.
            Unavailable: the plane begins nothing now, as `waits` says.
        """
        waits = self._waits()
        if waits is not None:
            raise waits
        now = self._clock.now()
        row = DeliveryRow(
            delivery_id=new_id(),
            webhook_id=webhook_id,
            kind=Kind.TEST,
            body=messages.test(self._tenant_id, webhook_id, now),
            created_at=now,
            not_before=now + timedelta(seconds=LEASE_SECONDS),
            attempts=1,
        )
        with self._unit_of_work() as uow:
            if not uow.webhooks.owe(row):
                raise _unknown()
            uow.commit()
        return shown(self._delivery.attempt(row, actor=actor))

    def deliveries(
        self, webhook_id: UUID, *, state: Fate | None = None, before: UUID | None = None, limit: int = 100
    ) -> dict[str, Any]:
        """A webhook's messages, newest first. Raises NotFound: `webhook_not_found`."""
        with self._unit_of_work(reading=True) as uow:
            _found(uow, webhook_id)
            rows = uow.webhooks.page(webhook_id, state=state, before=before, limit=limit + 1)
        page = rows[:limit]
        return {
            "deliveries": [shown(row) for row in page],
            "cursor": str(page[-1].delivery_id) if len(rows) > limit else None,
        }

    def again(self, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
        """Send a message at once that waits or was given up; one that was given up has all its attempts once more.

        Raises:
            NotFound: `webhook_not_found`, `webhook_delivery_not_found`.
            Conflict: `webhook_delivered`.
        """
        with self._unit_of_work() as uow:
            _found(uow, webhook_id)
            _owed(uow, webhook_id, delivery_id)
            if not uow.webhooks.again(delivery_id, self._clock.now()):
                raise Conflict("webhook_delivered", "This message was delivered.", "Nothing to do.")
            row = uow.webhooks.delivery(delivery_id)
            uow.commit()
        assert row is not None
        return shown(row)

    def discard(self, webhook_id: UUID, delivery_id: UUID, *, actor: str) -> None:
        """Take a message that was given up off the list: nobody needs it any more. The audit keeps it.

        Raises:
            NotFound: `webhook_not_found`, `webhook_delivery_not_found`.
            Conflict: `webhook_not_dead`.
        """
        with self._unit_of_work() as uow:
            webhook = _found(uow, webhook_id)
            row = _owed(uow, webhook_id, delivery_id)
            if not uow.webhooks.drop(delivery_id):
                raise Conflict("webhook_not_dead", "This message was not given up.", "Nothing to discard.")
            about = {"action": "discarded", "delivery_id": row.delivery_id, "batch_id": row.batch_id}
            self._note(uow, EventType.WEBHOOK_FAILED, webhook, actor, Fate.DEAD.value, about)
            uow.commit()

    def _secret(self, row: WebhookRow) -> str:
        return keys.shown(self._keys.secret(row.webhook_id, row.salt))

    def _shown(self, row: WebhookRow, tallies: Sequence[DeliveryTally]) -> dict[str, Any]:
        own = {tally.state: tally for tally in tallies if tally.webhook_id == row.webhook_id}
        found = addresses.address(self._keys.open(row.webhook_id, row.sealed_url))
        old = row.old_until if row.old_until is not None and self._clock.now() < row.old_until else None
        return {
            "webhook_id": str(row.webhook_id),
            "url": found.url,
            "allowed": found.place in addresses.places(self._config().webhook_hosts),
            "created_at": iso(row.created_at),
            "created_by": row.created_by,
            "old_secret_until": iso(old) if old else None,
            "deliveries": {state.value: own[state].count if state in own else 0 for state in Fate},
        }

    def _note(
        self,
        uow: UnitOfWork,
        type: EventType,
        row: WebhookRow,
        actor: str,
        status: str,
        about: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        found = addresses.address(self._keys.open(row.webhook_id, row.sealed_url))
        details = {"component": "webhooks", "webhook_id": row.webhook_id, "host": str(found.place), "status": status}
        details |= {name: value for name, value in about.items() if value is not None}
        uow.audit.append(make_event(self._tenant_id, type, self._clock, actor, "webhook", str(row.webhook_id), details))


def shown(row: DeliveryRow) -> dict[str, Any]:
    """A delivery as callers see it."""
    said = trouble(row.code) if row.code else None
    return {
        "delivery_id": str(row.delivery_id),
        "webhook_id": str(row.webhook_id),
        "type": row.kind.value,
        "batch_id": str(row.batch_id) if row.batch_id else None,
        "state": row.state.value,
        "created_at": iso(row.created_at),
        "attempts": row.attempts,
        "next_attempt_at": iso(row.not_before) if row.state is Fate.WAITING else None,
        "ended_at": iso(row.ended_at) if row.ended_at else None,
        "status": row.status or None,
        "code": row.code or None,
        "message": said.message if said else None,
        "remedy": said.remedy if said else None,
        "duration_ms": row.duration_ms,
    }


def _owed(uow: UnitOfWork, webhook_id: UUID, delivery_id: UUID) -> DeliveryRow:
    row = uow.webhooks.delivery(delivery_id, lock=True)
    if row is None or row.webhook_id != webhook_id:
        raise NotFound(
            "webhook_delivery_not_found",
            "There is no such delivery; what ended is kept for some days.",
            "List them: `frostbyte webhook deliveries WEBHOOK`.",
        )
    return row


def _found(uow: UnitOfWork, webhook_id: UUID, *, lock: bool = False) -> WebhookRow:
    row = uow.webhooks.get(webhook_id, lock=lock)
    if row is None:
        raise _unknown()
    return row


def _unknown() -> NotFound:
    return NotFound("webhook_not_found", "There is no such webhook.", "List them: `frostbyte webhook list`.")
