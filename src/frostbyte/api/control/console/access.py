"""Who visits the control plane's console, and the pages that they are shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from frostbyte.api.control.access import ControlDep, visit_of
from frostbyte.api.http.access import asking
from frostbyte.api.http.console import is_page, problem_page, shell, shown
from frostbyte.api.http.visiting import meant, signed_in
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Role


def _session_of(request: Request, control: ControlDep) -> Visit:
    return signed_in(visit_of(request, control))


async def visitor(request: Request, visit: Annotated[Visit, Depends(_session_of)]) -> Visit:
    """Who visits; what changes something has to come from a page of theirs.

    Raises:
        Unauthenticated: `session_missing`, or what `Sessions.visit` raises.
        Forbidden: `request_forged`.
    """
    return await meant(request, visit)


def visiting(roles: tuple[Role, ...]) -> Any:
    """A dependency: the visit, if the person has one of the roles."""
    return asking(visitor, roles)


def page(
    request: Request, control: ControlPlane, visit: Visit | None, template: str, *, status: int = 200, **view: Any
) -> HTMLResponse:
    """A page of the control plane's console."""
    around = shell(request, control.settings.environment, "control", visit)
    return shown(template, around, status=status, **view)


def refused(request: Request, body: dict[str, Any]) -> Response | None:
    """A problem as a page, where a page was asked for; see problems.PageOf."""
    if not is_page(request):
        return None
    control: ControlPlane = request.app.state.control
    return problem_page(request, shell(request, control.settings.environment, "control", None), body)
