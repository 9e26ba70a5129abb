"""Who asks, whether they may, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.errors import Unauthenticated
from frostbyte.kernel.limits import Limiter as Limiter
from frostbyte.kernel.tokens import Caller, Scope

READERS: Final = (Scope.INGEST, Scope.QUERY, Scope.AUDIT, Scope.ADMIN)
"""Whoever has one of these may see uploads: with `ingest`, their own."""
_bearer = HTTPBearer(auto_error=False, description="A token of this plane")


def plane_of(request: Request) -> Plane:
    """The plane that this application serves."""
    plane = request.app.state.plane
    assert isinstance(plane, Plane)
    return plane


PlaneDep = Annotated[Plane, Depends(plane_of)]


def caller_of(plane: PlaneDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """The caller that the token proves.

    Raises:
        Unauthenticated: `token_missing`, `token_revoked`, or what `TokenVerifier.verify` raises.
    """
    if credentials is None:
        raise Unauthenticated("token_missing", "This route needs a token.", "Send 'Authorization: Bearer TOKEN'.")
    caller = plane.verifier.verify(credentials.credentials)
    with plane.store.unit_of_work() as uow:
        revoked = uow.access.revoked(caller.token_id)
    if revoked:
        raise Unauthenticated("token_revoked", "This token was revoked.", "Get a new token.")
    return caller


def needs(*scopes: Scope) -> Any:
    """A dependency: the caller, if the token has one of the scopes."""

    def check(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        if not any(caller.has(scope) for scope in scopes):
            caller.require(scopes[0])
        return caller

    check.scopes = scopes  # type: ignore[attr-defined]  # read by scopes_of
    return Depends(check)


def own(caller: Caller) -> str | None:
    """Whose uploads the caller may see: without a scope that reads, only their own; None for all."""
    return None if any(caller.has(scope) for scope in READERS if scope is not Scope.INGEST) else caller.subject


def limited(group: str) -> Any:
    """A dependency that counts the request in its group."""

    def count(request: Request) -> None:
        limiter = request.app.state.limiter
        assert isinstance(limiter, Limiter)
        limiter.take(group)

    count.group = group  # type: ignore[attr-defined]  # read by group_of
    return Depends(count)


def scopes_of(route: APIRoute) -> tuple[Scope, ...]:
    """The scopes of which the route asks for one; () if it asks for no token."""
    return next((call.scopes for call in _calls(route.dependant) if hasattr(call, "scopes")), ())


def group_of(route: APIRoute) -> str:
    """The group of requests that the route is counted in, or ''."""
    return next((call.group for call in _calls(route.dependant) if hasattr(call, "group")), "")


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)
