"""Who visits a plane's console, and the pages that they are shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from frostbyte.api.data.access import PlaneDep, visit_of
from frostbyte.api.http.access import asking
from frostbyte.api.http.console import is_page, problem_page, shell, shown
from frostbyte.api.http.visiting import meant, signed_in
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Scope


def session_of(request: Request, plane: PlaneDep) -> Visit:
    """Whose session it is. Raises Unauthenticated("session_missing"), or what `Sessions.visit` raises."""
    return signed_in(visit_of(request, plane))


async def visitor(request: Request, visit: Annotated[Visit, Depends(session_of)]) -> Visit:
    """Who visits; what changes something has to come from a page of theirs.

    Raises:
        Unauthenticated: `session_missing`, or what `Sessions.visit` raises.
        Forbidden: `request_forged`.
    """
    return await meant(request, visit)


def visiting(*scopes: Scope) -> Any:
    """A dependency: the visit, if the person has one of the scopes."""
    return asking(visitor, scopes)


def page(
    request: Request, plane: Plane, visit: Visit | None, template: str, *, status: int = 200, **view: Any
) -> HTMLResponse:
    """A page of the plane's console."""
    around = shell(request, plane.settings.tenant_id, "plane", visit, tuple(plane.health()["warnings"]))
    return shown(template, around, status=status, **view)


def refused(request: Request, body: dict[str, Any]) -> Response | None:
    """A problem as a page, where a page was asked for; see problems.PageOf."""
    if not is_page(request):
        return None
    plane: Plane = request.app.state.plane
    return problem_page(request, shell(request, plane.settings.tenant_id, "plane", None), body)
