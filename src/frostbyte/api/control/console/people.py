"""The control plane's people: signing in, one's own account, everybody's (see api.http.people)."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from frostbyte.api.control.access import ALL, READ, control_of
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.http.people import House, rooms
from frostbyte.kernel.accounts.sessions import Visit


def _page(request: Request, visit: Visit | None, template: str, *, status: int = 200, **view: Any) -> HTMLResponse:
    return page(request, control_of(request), visit, template, status=status, **view)


router = rooms(
    House(
        people=lambda request: control_of(request).people,
        place=lambda request: control_of(request).settings.environment,
        oidc=lambda request: control_of(request).oidc,
        page=_page,
        anybody=visiting(READ),
        administrator=visiting(ALL),
    )
)
