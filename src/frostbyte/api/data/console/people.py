"""The plane's people: signing in, one's own account, everybody's (see api.http.people)."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from frostbyte.api.data.console.access import page, visiting
from frostbyte.api.http.people import House, rooms
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Scope


def _plane(request: Request) -> Plane:
    plane = request.app.state.plane
    assert isinstance(plane, Plane)
    return plane


def _page(request: Request, visit: Visit | None, template: str, *, status: int = 200, **view: Any) -> HTMLResponse:
    return page(request, _plane(request), visit, template, status=status, **view)


router = rooms(
    House(
        people=lambda request: _plane(request).people,
        place=lambda request: _plane(request).settings.tenant_id,
        oidc=lambda request: _plane(request).oidc,
        page=_page,
        anybody=visiting(*Scope),
        administrator=visiting(Scope.ADMIN),
    )
)
