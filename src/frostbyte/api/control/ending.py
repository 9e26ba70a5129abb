"""What deprovisioning a tenant would do: looked at, and not begun."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import READ, ControlDep, TenantId, needs
from frostbyte.api.control.carrying import provisioning_of
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.registry.states import Failed, Move
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["provisioning"])
Reader = Annotated[Caller, needs(READ)]
ENDING: Final[dict[str, Any]] = {
    "tenant_id": "acme",
    "state": "ACTIVE",
    "destroyed": examples.RESOURCES["resources"],
    "kept": [],
    "holds": 2,
    "problems": [
        {
            "code": "tenant_held",
            "message": "2 legal holds are in force in this tenant's plane, so it is not removed.",
            "remedy": "Have every hold released in the plane (`frostbyte hold list` shows them), then ask again.",
        }
    ],
}


@router.get("/{tenant_id}/ending", responses=responses(401, 403, 404, 422, 429, 503) | examples.answer(ENDING))
def ending(
    tenant_id: TenantId, control: ControlDep, caller: Reader, destroy_data: Annotated[bool, Query()] = False
) -> dict[str, Any]:
    """What deprovisioning would do now: what it would destroy, what it would keep, what stands in its way.

    Everything is tried as it would be begun, the plane asked for its legal holds, and nothing is changed.
    """
    row = control.tenants.show(tenant_id)
    again = row.failed is Failed.DEPROVISION
    tried = control.operations.tried(tenant_id, Move.RETRY if again else Move.DEPROVISION)
    makes = control.provisioning is not None or destroy_data
    going, kept = provisioning_of(control).ending(tenant_id, destroy_data=destroy_data) if makes else ([], [])
    return {
        "tenant_id": tenant_id,
        "state": row.state.value,
        "destroyed": [shown.entry(one) for one in going],
        "kept": [shown.entry(one) for one in kept],
        "holds": tried.holds,
        "problems": [
            {"code": error.code, "message": error.message, "remedy": error.remedy} for error in tried.refusals
        ],
    }
