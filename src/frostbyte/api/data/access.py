"""Who asks a plane, and what they may see."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from frostbyte.api.http.access import asking
from frostbyte.api.http.visiting import asked_by_script, visit_at
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Unauthenticated
from frostbyte.kernel.tokens import Caller, Scope

READERS: Final = (Scope.INGEST, Scope.QUERY, Scope.AUDIT, Scope.ADMIN)
"""Whoever has one of these may see uploads: with `ingest`, their own."""
_bearer = HTTPBearer(auto_error=False, description="A token or an API key of this plane")


async def plane_of(request: Request) -> Plane:
    """The plane that this application serves."""
    plane = request.app.state.plane
    assert isinstance(plane, Plane)
    return plane


PlaneDep = Annotated[Plane, Depends(plane_of)]


def visit_of(request: Request, plane: Plane) -> Visit | None:
    """The visit of whoever signed in; see visiting.visit_at."""
    return visit_at(request, plane.settings.tenant_id, plane.sessions)


def caller_of(
    request: Request,
    plane: PlaneDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller that the token or API key proves, or the session of the console, whose scripts ask here too.

    Raises:
        Unauthenticated: `token_missing`, or what `Admission.caller` and `Sessions.visit` raise.
        Forbidden: `request_forged`: with a session alone, what changes something has to come from its own page.
    """
    if credentials is None and (visit := visit_of(request, plane)) is not None:
        return asked_by_script(request, visit)
    if credentials is None:
        raise Unauthenticated("token_missing", "This route needs a token.", "Send 'Authorization: Bearer TOKEN'.")
    return plane.admission.caller(credentials.credentials)


def needs(*scopes: Scope) -> Any:
    """A dependency: the caller, if the token has one of the scopes."""
    return asking(caller_of, scopes)


def own(caller: Caller) -> str | None:
    """Whose uploads the caller may see: without a scope that reads, only their own; None for all."""
    return None if any(caller.has(scope) for scope in READERS if scope is not Scope.INGEST) else caller.subject
