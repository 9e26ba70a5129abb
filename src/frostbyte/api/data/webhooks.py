"""Servers of the tenant's that are told when a batch has ended, over HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller, Scope
from frostbyte.kernel.webhooks.addresses import MOST_CHARACTERS
from frostbyte.kernel.webhooks.records import Fate

router = APIRouter(prefix="/api/v1/webhooks", tags=["admin"], responses=responses(401, 403, 404, 409, 422, 503))
Administrator = Annotated[Caller, needs(Scope.ADMIN)]


class WebhookRequest(BaseModel):
    """A server to be told."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(min_length=1, max_length=MOST_CHARACTERS)


class SecretRequest(BaseModel):
    """A new secret for a webhook."""

    model_config = ConfigDict(extra="forbid")
    retire_old: bool = False
    """Sign with the old one no more from now on, because somebody else may have it."""


@router.get("")
def list_webhooks(plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Who is told, how much of it arrived, and which servers the configuration names."""
    return plane.webhooks.desk.list()


@router.post("", status_code=201)
def add_webhook(body: WebhookRequest, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Tell a server of every batch that ends from now on: this answer is the only place where its secret is shown."""
    return plane.webhooks.desk.add(body.url, actor=caller.subject)


@router.get("/{webhook_id}")
def show_webhook(webhook_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """One webhook; never its secret."""
    return plane.webhooks.desk.show(webhook_id)


@router.delete("/{webhook_id}", status_code=204)
def remove_webhook(webhook_id: UUID, plane: PlaneDep, caller: Administrator) -> Response:
    """Tell it nothing any more, what it is owed included."""
    plane.webhooks.desk.remove(webhook_id, actor=caller.subject)
    return Response(status_code=204)


@router.post("/{webhook_id}/secret")
def rotate_secret(
    webhook_id: UUID, plane: PlaneDep, caller: Administrator, body: SecretRequest = SecretRequest()
) -> dict[str, Any]:
    """Sign with a new secret, shown only here; the old one signs too for 24 hours, unless it is retired."""
    return plane.webhooks.desk.rotate(webhook_id, actor=caller.subject, retire_old=body.retire_old)


@router.post("/{webhook_id}/test")
def test_webhook(webhook_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Send a message that says nothing, once, and answer what came of it."""
    return plane.webhooks.desk.test(webhook_id, actor=caller.subject)


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: UUID,
    plane: PlaneDep,
    caller: Administrator,
    state: Fate | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Its messages, newest first: what arrived is kept for 7 days, what was given up for 30."""
    return plane.webhooks.desk.deliveries(webhook_id, state=state, before=cursor, limit=limit)


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", status_code=202)
def retry_delivery(webhook_id: UUID, delivery_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Send a message at once that waits, or once more what was given up; its id stays."""
    return plane.webhooks.desk.again(webhook_id, delivery_id)


@router.delete("/{webhook_id}/deliveries/{delivery_id}", status_code=204)
def discard_delivery(webhook_id: UUID, delivery_id: UUID, plane: PlaneDep, caller: Administrator) -> Response:
    """Take a message that was given up off the list: nobody needs it any more. The audit keeps it."""
    plane.webhooks.desk.discard(webhook_id, delivery_id, actor=caller.subject)
    return Response(status_code=204)
