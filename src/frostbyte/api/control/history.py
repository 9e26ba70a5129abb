"""What happened, in sentences: to a tenant, and to the control plane itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from frostbyte.api.control import examples
from frostbyte.api.control.access import LEDGER, READ, ControlDep, TenantId, needs
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["history"])
Reader = Annotated[Caller, needs(READ)]
Moment = Annotated[
    str | None,
    Query(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$", examples=["2026-03-02T09:00:00Z"]),
]
Limit = Annotated[int, Query(ge=1, le=500)]
_ANSWERS = responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.HISTORY)


@router.get("/history", responses=_ANSWERS)
def own(
    control: ControlDep, caller: Reader, since: Moment = None, before: Moment = None, limit: Limit = 50
) -> dict[str, Any]:
    """The control plane's own history, oldest line first; `before` of the answer is where the page before it ends."""
    return _told(control, caller, ITSELF, since, before, limit)


@router.get("/tenants/{tenant_id}/history", responses=_ANSWERS)
def of_tenant(
    tenant_id: TenantId,
    control: ControlDep,
    caller: Reader,
    since: Moment = None,
    before: Moment = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """A tenant's, as the audit and its operations have it; for auditors also what its plane's own log says."""
    return _told(control, caller, tenant_id, since, before, limit)


def _told(
    control: ControlPlane, caller: Caller, tenant_id: str, since: str | None, before: str | None, limit: int
) -> dict[str, Any]:
    plane = tenant_id != ITSELF and any(caller.has(role) for role in LEDGER)
    told = control.history.tell(tenant_id, since=_moment(since), before=_moment(before), limit=limit, plane=plane)
    return {
        "tenant_id": tenant_id,
        "lines": [
            {"at": iso(line.at), "sentence": line.sentence, "of": line.of, "id": line.id, "code": line.code or None}
            for line in told.lines
        ],
        "plane_told": plane,
        "before": iso(told.before) if told.before else None,
    }


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("time_invalid", "There is no such time.", "Give it like 2026-03-02T09:00:00Z.") from error
