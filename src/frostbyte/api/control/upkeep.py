"""Work on a tenant that stands: one route a duty, with a body that says what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import TenantId
from frostbyte.api.control.carrying import as_seen, carried, provisioning_of, working
from frostbyte.api.control.conditions import Decided, Decision
from frostbyte.api.control.provisioning import Short
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.provisioning.desired import MOST_WORKERS
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.control_plane.upkeep.rotating import kind_of
from frostbyte.control_plane.upkeep.supplies import Part
from frostbyte.control_plane.upkeep.updating import DRAIN_SECONDS

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["tenants"])
ANSWERS = responses(401, 403, 404, 409, 412, 422, 429, 503) | examples.answer(examples.OPERATION_ROW, 202)
"""What every duty's route answers."""


class Asked(BaseModel):
    """What every duty is asked with."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["requested"])] = (
        "requested"
    )


class Rotation(Asked):
    """What is made anew."""

    what: Literal["all", "age", "certificates", "credentials"] = "all"
    """`age`: the identity that seals the tenant's secrets; `certificates`: those of its hosts, and ours to them;
    `credentials`: what its plane enters stores and embedder with, for which its containers are begun anew."""


class Scale(Asked):
    """What the tenant is to have otherwise; what is left out stays as it is."""

    shape: Literal["standard"] | None = None
    """Servers of their own for a tenant that has one: its volume moves to the database's."""
    workers: int | None = Field(default=None, ge=1, le=MOST_WORKERS)
    types: dict[Short, Annotated[list[Short], Field(min_length=1, max_length=16)]] | None = Field(
        default=None, max_length=4, examples=[{"db": ["ccx23"]}]
    )
    """Server types by role, best first; servers that stand become one of them, switched off for it."""
    volume_gb: int | None = Field(default=None, ge=10, le=10_240)

    def values(self) -> dict[str, Any]:
        """What was said."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"reason"})


@router.post("/{tenant_id}/scale", status_code=202, responses=ANSWERS)
def scale(tenant_id: TenantId, decision: Decided, body: Scale) -> Response:
    """Give a tenant that stands other hosts. What cannot be made so is refused before anything is begun."""
    values = body.values()
    provisioning_of(decision.control).plan(tenant_id, values).plan.check()
    return begun(decision, tenant_id, OperationKind.SCALE, values, body.reason)


@router.post("/{tenant_id}/rotate-keys", status_code=202, responses=ANSWERS)
def rotate(tenant_id: TenantId, decision: Decided, body: Rotation = Rotation()) -> Response:
    """Make a tenant's keys anew and bring them to its hosts. Nothing is stopped for identities and certificates."""
    return begun(decision, tenant_id, kind_of(body.what), {}, body.reason)


class Update(Asked):
    """What a tenant becomes."""

    to: Annotated[str, Field(min_length=1, max_length=32, examples=["1.4.0"])]
    """The version: one that `releases` of the control plane describes, newer than what runs and not newer than it."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = DRAIN_SECONDS
    """How long work that was begun may take to end; what is cut off then is done again."""


@router.post("/{tenant_id}/update", status_code=202, responses=ANSWERS)
def update(tenant_id: TenantId, decision: Decided, body: Update) -> Response:
    """Bring a tenant to another version, or back to the old one with its data if anything fails before it reopens."""
    request = {"to": body.to, "drain_seconds": body.drain_seconds}
    return begun(decision, tenant_id, OperationKind.UPDATE, request, body.reason)


class Repair(Asked):
    """What is put right, beside whatever is not as it was made."""

    replace: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=72, examples=[["db"]])] = []
    """Hosts that are replaced though they are there: `gateway`, `db`, `worker-1`, `single`. Volumes stay."""


@router.post("/{tenant_id}/repair", status_code=202, responses=ANSWERS)
def repair(tenant_id: TenantId, decision: Decided, body: Repair = Repair()) -> Response:
    """Put right what of a tenant's hosts is not as it was made. What a repair would do, `drift` says."""
    return begun(decision, tenant_id, OperationKind.REPAIR, {"replace": body.replace}, body.reason)


class Refresh(Asked):
    """What is brought."""

    supply: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["2026-11-27-0f3a9c1d2e4b"])]
    """Id of a set that was taken."""
    parts: list[Part] = Field(default=[], max_length=3)
    """Of it; all that it holds if none is named."""
    older: bool = False
    """Whether it may be older than what the tenant has."""


@router.post("/{tenant_id}/refresh", status_code=202, responses=ANSWERS)
def refresh(tenant_id: TenantId, decision: Decided, body: Refresh) -> Response:
    """Bring a tenant's hosts signatures, packages or images, look at it, and take it back if it is no good."""
    request = {"supply": body.supply, "parts": body.parts, "older": body.older}
    return begun(decision, tenant_id, OperationKind.REFRESH, request, body.reason)


def begun(decision: Decision, tenant_id: str, kind: OperationKind, request: Mapping[str, Any], reason: str) -> Response:
    """202 with the operation that was begun.

    Raises:
        Refused: 412 for another version than the one in If-Match.
        FrostbyteError: what `carrying.working` raises.
    """
    with as_seen():
        operation = working(
            decision.control,
            tenant_id,
            kind,
            request,
            actor=decision.caller.subject,
            reason=reason,
            expected=decision.expected,
            once=decision.once,
        )
    return carried(decision.control, operation)
