"""Versions that tenants run, and what is brought to all of them: looked at here, begun on the host."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from frostbyte import __version__
from frostbyte.api.control import shown
from frostbyte.api.control.access import READ, ControlDep
from frostbyte.api.control.console import telling
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.control.console.telling import Told
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.upkeep.fleet import Member, members
from frostbyte.kernel.accounts.sessions import Visit

router = APIRouter(prefix="/console/deliveries", include_in_schema=False)
PAGE: Final = 25
"""Tenants at once: of each its journal and its newest operations are read."""
DELIVERIES: Final = 20


@router.get("")
def deliveries(
    request: Request,
    control: ControlDep,
    visit: Annotated[Visit, visiting(READ)],
    after: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
) -> Response:
    """All tenants that stand, what was delivered to them, and what was taken to be delivered."""
    found, more = members(control.store.unit_of_work, after=after, limit=PAGE)
    rounds, hosting = control.rounds, control.hosting
    return page(
        request,
        control,
        visit,
        "control/deliveries.html",
        version=__version__,
        able=rounds is not None,
        rounds=[shown.round_(row, rounds.operations(row)) for row in rounds.page(DELIVERIES)] if rounds else [],
        supplies=[shown.supply(one) for one in hosting.shelf.supplies()] if hosting else [],
        members=[_member(one, control) for one in found],
        more=f"/console/deliveries?after={more}" if more else "",
    )


def _member(one: Member, control: ControlPlane) -> Told:
    return {
        "tenant_id": one.tenant.tenant_id,
        "state": telling.state(one.tenant),
        "release": one.release,
        "current": one.release == __version__,
        "duty": telling.operation(one.duty, control.clock) if one.duty else None,
        "updated": telling.operation(one.updated, control.clock) if one.updated else None,
    }
