"""What is owed is noted in the transaction of what it tells: no message is lost, and none tells what did not happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.webhooks.records import DeliveryRow, Kind


def announce(
    uow: UnitOfWork, kind: Kind, message: Callable[[], bytes], now: datetime, *, batch_id: UUID | None = None
) -> int:
    """Owe a message to each webhook; how many there are.

    Args:
        message: its body, made where anybody is told at all.
        batch_id: what it tells of.
    """
    webhooks = uow.webhooks.all()
    body = message() if webhooks else b""
    return sum(
        uow.webhooks.owe(
            DeliveryRow(
                delivery_id=new_id(),
                webhook_id=webhook.webhook_id,
                kind=kind,
                body=body,
                batch_id=batch_id,
                created_at=now,
                not_before=now,
            )
        )
        for webhook in webhooks
    )
