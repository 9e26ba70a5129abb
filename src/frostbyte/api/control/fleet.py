"""All tenants that stand, and the versions that they run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from frostbyte import __version__
from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import READ, ControlDep, needs
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.upkeep.fleet import Member, members
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["tenants"])
Reader = Annotated[Caller, needs(READ)]


@router.get("/fleet", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.FLEET))
def fleet(
    control: ControlDep,
    caller: Reader,
    cursor: Annotated[str, Query(max_length=32, pattern="^[a-z0-9]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> dict[str, Any]:
    """Tenants that stand, by name: the version of each, what is done to it now, and how its last update ended."""
    found, more = members(control.store.unit_of_work, after=cursor, limit=limit)
    return {"version": __version__, "tenants": [_shown(one) for one in found], "cursor": more or None}


def _shown(one: Member) -> dict[str, Any]:
    return {
        "tenant_id": one.tenant.tenant_id,
        "project_id": one.tenant.project_id,
        "state": one.tenant.state.value,
        "release": one.release or None,
        "duty": shown.operation(one.duty) if one.duty else None,
        "updated": shown.operation(one.updated) if one.updated else None,
    }
