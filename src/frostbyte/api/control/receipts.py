"""Receipts of destroyed tenants: shown to whoever may read, made final by whoever destroyed the recovery identity."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import ALL, READ, ControlDep, TenantId, needs
from frostbyte.api.control.conditions import IdempotencyKey
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["tenants"])


class RecoveryDestroyed(BaseModel):
    """That the identity with which a tenant's secrets could be recovered exists nowhere any more."""

    model_config = ConfigDict(extra="forbid")
    recovery: str = Field(max_length=100, examples=["age1lq9mz58yuqv5ct2zgm8w0lpdlyr3jhxj2l8l9zn3zpw6ckuzcvxs8f7vhd"])
    """Its public key, as the receipt names it."""


@router.get(
    "/{tenant_id}/receipt", responses=responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.RECEIPT)
)
def receipt(tenant_id: TenantId, control: ControlDep, caller: Annotated[Caller, needs(READ)]) -> dict[str, Any]:
    """What was destroyed of a tenant, signed. `notes` can be checked without this control plane, by its log's key."""
    return {**control.receipts.show(tenant_id).document, "key": control.signer.verifier_key}


@router.post(
    "/{tenant_id}/recovery-destroyed",
    responses=responses(401, 403, 404, 409, 422, 429, 503) | examples.answer(examples.RECEIPT),
)
def confirm(
    tenant_id: TenantId,
    body: RecoveryDestroyed,
    control: ControlDep,
    caller: Annotated[Caller, needs(ALL)],
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Confirm that every copy of the tenant's recovery identity was destroyed: the receipt is final from now on.

    Twice is once, under any key or none: the first confirmation stays.
    """
    shown = control.receipts.confirm(tenant_id, caller.subject, body.recovery)
    return {**shown.document, "key": control.signer.verifier_key}
