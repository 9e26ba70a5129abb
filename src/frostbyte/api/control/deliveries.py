"""What was taken to be delivered, and its way to all tenants: the canary first, then the others one by one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import READ, ControlDep, TenantId, needs
from frostbyte.api.control.carrying import missing
from frostbyte.api.control.conditions import Decided
from frostbyte.api.control.upkeep import Refresh
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.records import OperationKind, RoundRow
from frostbyte.control_plane.upkeep.rounds import Rounds
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["deliveries"])
Reader = Annotated[Caller, needs(READ)]
_LONGEST = 7 * 24 * 3600


class Delivery(Refresh):
    """What is brought to whom."""

    model_config = ConfigDict(extra="forbid")
    canary: Annotated[str, Field(pattern=r"^([a-z0-9]{1,32})?$", examples=["acme"])] = ""
    """The tenant that gets it first; the first by name if none is named."""
    tenants: list[TenantId] = Field(default=[], max_length=1000)
    """Who gets it; all that have hosts of ours if none is named."""
    soak_seconds: int = Field(default=60, ge=0, le=_LONGEST)
    """How long the canary is looked at before the others follow."""


class Stopped(BaseModel):
    """Nothing more is asked."""

    model_config = ConfigDict(extra="forbid")


@router.get("/supplies", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.SUPPLIES))
def supplies(control: ControlDep, caller: Reader) -> dict[str, Any]:
    """The sets that were taken, newest first."""
    return {"supplies": [shown.supply(one) for one in _there(control)[1].shelf.supplies()]}


@router.get("/deliveries", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.DELIVERIES))
def every(control: ControlDep, caller: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    """Deliveries, newest first, each with how far it is."""
    rounds = _there(control)[0]
    return {"deliveries": [_shown(rounds, row) for row in rounds.page(limit)]}


@router.get(
    "/deliveries/{round_id}", responses=responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.DELIVERY)
)
def one(round_id: UUID, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """One delivery."""
    rounds = _there(control)[0]
    return _shown(rounds, rounds.show(round_id))


@router.post(
    "/deliveries",
    status_code=202,
    responses=responses(401, 403, 404, 409, 422, 429, 503) | examples.answer(examples.DELIVERY, 202),
)
def begin(body: Delivery, decision: Decided) -> Response:
    """Deliver a set: the canary gets it, is looked at, then the others one by one; the first failure stops it.

    What fails at a tenant is taken back there. Those before it were looked at and keep what they have.
    """
    rounds, hosting = _there(decision.control)
    supply = hosting.shelf.supply(body.supply)
    lacking = sorted(set(body.parts) - set(supply.parts))
    if lacking:
        raise Invalid(
            "supply_part_missing",
            f"The set holds no {lacking[0]}.",
            f"It holds {', '.join(supply.parts)}: name one of these, or leave the parts out.",
        )
    row = rounds.begin(
        OperationKind.REFRESH,
        {"supply": body.supply, "parts": list(body.parts), "older": body.older},
        canary=body.canary,
        only=body.tenants,
        soak_seconds=body.soak_seconds,
        actor=decision.caller.subject,
        reason=body.reason,
        once=decision.once,
    )
    return JSONResponse(_shown(rounds, row), 202, {"Location": f"/api/v1/admin/deliveries/{row.round_id}"})


@router.post(
    "/deliveries/{round_id}/stop",
    responses=responses(401, 403, 404, 409, 422, 429, 503) | examples.answer(examples.DELIVERY),
)
def stop(round_id: UUID, decision: Decided, body: Stopped = Stopped()) -> dict[str, Any]:
    """Bring it to no further tenant; what is under way at one goes on to its end."""
    rounds = _there(decision.control)[0]
    return _shown(rounds, rounds.stop(round_id))


def _there(control: ControlPlane) -> tuple[Rounds, Any]:
    if control.rounds is None or control.hosting is None:
        raise missing(control)
    return control.rounds, control.hosting


def _shown(rounds: Rounds, row: RoundRow) -> dict[str, Any]:
    return shown.round_(row, rounds.operations(row))
