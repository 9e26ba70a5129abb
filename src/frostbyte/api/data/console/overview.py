"""Where one stands: the first page after signing in."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from frostbyte.api.data.access import PlaneDep, own
from frostbyte.api.data.console.access import page, visiting
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console", include_in_schema=False)
_LATEST: Final = 5


@router.get("/")
def overview(request: Request, plane: PlaneDep, visit: Annotated[Visit, visiting(*Scope)]) -> Response:
    """What the plane is doing; who may see their own uploads alone is shown those alone."""
    subject = own(visit.caller)
    return page(
        request,
        plane,
        visit,
        "data/overview.html",
        who=visit,
        health=plane.health(),
        whole=plane.overview.show() if subject is None else None,
        under_way=plane.lists.batches(subject, unfinished=True, limit=_LATEST),
        latest=plane.lists.batches(subject, limit=_LATEST)["batches"],
        witness=plane.sequencer.trouble,
    )
