"""Who asks a plane, and what they may see."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from frostbyte.api.http.access import asking
from frostbyte.bootstrap.data import Plane
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


def caller_of(plane: PlaneDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """The caller that the token or API key proves.

    Raises:
        Unauthenticated: `token_missing`, or what `Admission.caller` raises.
    """
    if credentials is None:
        raise Unauthenticated("token_missing", "This route needs a token.", "Send 'Authorization: Bearer TOKEN'.")
    return plane.admission.caller(credentials.credentials)


def needs(*scopes: Scope) -> Any:
    """A dependency: the caller, if the token has one of the scopes."""
    return asking(caller_of, scopes)


def own(caller: Caller) -> str | None:
    """Whose uploads the caller may see: without a scope that reads, only their own; None for all."""
    return None if any(caller.has(scope) for scope in READERS if scope is not Scope.INGEST) else caller.subject
