"""Tenants' hosts: planned without touching anything, made, compared with what is there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import READ, ControlDep, TenantId, needs
from frostbyte.api.control.carrying import as_seen, carried, provisioning_of
from frostbyte.api.control.conditions import Decided
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.provisioning.desired import MOST_WORKERS
from frostbyte.control_plane.provisioning.placement import Shape
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.control_plane.registry.states import Failed, Move
from frostbyte.control_plane.upkeep.mending import weighed
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["provisioning"])
_READS = responses(401, 403, 404, 409, 422, 429, 503)
_BEGUN = responses(401, 403, 404, 409, 412, 422, 429, 503) | examples.answer(examples.OPERATION_ROW, 202)
Reader = Annotated[Caller, needs(READ)]
Short = Annotated[str, Field(max_length=16, examples=["nbg1", "cx43"])]


class Wanted(BaseModel):
    """What a tenant's hosts are to be. What is left out stays as it was asked for last, or as it is by default."""

    model_config = ConfigDict(extra="forbid")

    octet: int | None = Field(default=None, ge=1, le=254)
    """What the caller takes the tenant's network to be; another one is refused."""
    shape: Shape | None = None
    workers: int | None = Field(default=None, ge=1, le=MOST_WORKERS)
    locations: list[Short] | None = Field(default=None, min_length=1, max_length=16, examples=[["nbg1", "fsn1"]])
    """Where its servers may be, best first; nothing of it is ever made elsewhere."""
    types: dict[Short, list[Short]] | None = Field(default=None, max_length=4, examples=[{"db": ["ccx23"]}])
    """Server types by role, best first."""
    volume_gb: int | None = Field(default=None, ge=0, le=10_240)
    egress: list[Annotated[str, Field(max_length=260)]] | None = Field(
        default=None, max_length=64, examples=[["hooks.example.com:443"]]
    )
    """What the plane may reach outside, as host:port."""
    encrypted: bool | None = None
    """Whether a volume that is made now is encrypted; one that is there stays as it is."""
    reuse_volume: bool | None = None
    """Whether a volume with this tenant's data that is left may be used again."""
    release: str | None = Field(default=None, max_length=32, examples=["1.4.0"])
    """The version of Frostbyte for its hosts; the control plane's own if it never had any."""

    def values(self) -> dict[str, Any]:
        """What was said, as desired.Request has it."""
        return self.model_dump(mode="json", exclude_none=True, include=self.__class__.model_fields.keys() - _ASIDE)


class Provision(Wanted):
    """The same, with why."""

    reason: Annotated[str, Field(max_length=64, examples=["requested"])] = "requested"


_ASIDE = frozenset({"octet", "reason"})


@router.get("/{tenant_id}/plan", responses=_READS | examples.answer(examples.PLAN))
def plan(tenant_id: TenantId, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """What provisioning would do now, for what was asked for last. Nothing is touched."""
    return shown.plan(provisioning_of(control).plan(tenant_id))


@router.post("/{tenant_id}/plan", responses=_READS | examples.answer(examples.PLAN))
def try_plan(tenant_id: TenantId, control: ControlDep, caller: Reader, body: Wanted = Wanted()) -> dict[str, Any]:
    """The same, for what this request asks for. Nothing is touched and nothing is kept."""
    return shown.plan(provisioning_of(control).plan(tenant_id, body.values(), octet=body.octet))


@router.post("/{tenant_id}/provision", status_code=202, responses=_BEGUN)
def provision(tenant_id: TenantId, decision: Decided, body: Provision = Provision()) -> Response:
    """Make the tenant's hosts and take its plane into service, or leave nothing behind.

    A tenant that could not be provisioned is tried again, with what this request changes.
    """
    asked = provisioning_of(decision.control)
    with as_seen():
        operation = asked.begin(
            tenant_id,
            _move(decision.control.tenants.show(tenant_id)),
            body.values(),
            octet=body.octet,
            actor=decision.caller.subject,
            reason=body.reason,
            expected=decision.expected,
            once=decision.once,
        )
    return carried(decision.control, operation)


def _move(row: TenantRow) -> Move:
    return Move.RETRY if row.failed is Failed.PROVISION else Move.PROVISION


@router.get("/{tenant_id}/drift", responses=_READS | examples.answer(examples.DRIFT))
def drift(tenant_id: TenantId, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """How what is at the cloud differs from what was made: missing, changed, or there without anybody's leave."""
    return {
        "tenant_id": tenant_id,
        "differences": [shown.difference(one) for one in weighed(provisioning_of(control).drift(tenant_id))],
    }


@router.get("/{tenant_id}/resources", responses=_READS | examples.answer(examples.RESOURCES))
def resources(tenant_id: TenantId, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """What the journal says exists of the tenant, or may: after a failure, what remains."""
    entries = provisioning_of(control).remains(tenant_id)
    return {"tenant_id": tenant_id, "resources": [shown.entry(one) for one in entries]}
