"""Rotations: a tenant's keys made anew while it works."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import TenantId
from frostbyte.api.control.carrying import as_seen, carried
from frostbyte.api.control.conditions import Decided
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.provisioning.rotating import kind_of
from frostbyte.kernel.errors import Unavailable

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["tenants"])


class Rotation(BaseModel):
    """What is made anew."""

    model_config = ConfigDict(extra="forbid")
    what: Literal["all", "age", "certificates", "credentials"] = "all"
    """`age`: the identity that seals the tenant's secrets; `certificates`: those of its hosts, and ours to them;
    `credentials`: what its plane enters stores and embedder with, for which its containers are begun anew."""
    reason: Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["requested"])] = (
        "requested"
    )


@router.post(
    "/{tenant_id}/rotate-keys",
    status_code=202,
    responses=responses(401, 403, 404, 409, 412, 422, 429, 503) | examples.answer(examples.OPERATION_ROW, 202),
)
def rotate(tenant_id: TenantId, decision: Decided, body: Rotation = Rotation()) -> Response:
    """Make a tenant's keys anew and bring them to its hosts. Nothing is stopped for identities and certificates."""
    rotating = decision.control.rotating
    if rotating is None:
        raise Unavailable(
            "provisioning_missing",
            "This control plane makes no hosts: it knows no cloud.",
            "Set FROSTBYTE_HCLOUD_TOKEN_FILE and start it again, or take a plane that stands into service: "
            "frostbyte tenant attach.",
        )
    with as_seen():
        operation = rotating.begin(
            tenant_id,
            kind_of(body.what),
            actor=decision.caller.subject,
            reason=body.reason,
            expected=decision.expected,
            once=decision.once,
        )
    return carried(decision.control, operation)
