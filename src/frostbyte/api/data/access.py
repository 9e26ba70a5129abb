"""Who asks, whether they may, and how often."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from frostbyte.api.data.problems import TooMany
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.errors import Unauthenticated
from frostbyte.kernel.tokens import Caller, Scope

LIMITS: Final = {"ingest": 100, "query": 1000, "audit": 300}
"""Requests a minute and tenant, by group of routes."""
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

    check.scopes = scopes  # type: ignore[attr-defined]  # read by the test that holds docs/security.md to the routes
    return Depends(check)


class Limiter:
    """Sliding windows of one minute. One tenant, one process: the plane's own."""

    def __init__(self, limits: dict[str, int] | None = None) -> None:
        self._limits = limits or LIMITS
        self._times: dict[str, deque[float]] = {group: deque() for group in self._limits}
        self._lock = threading.Lock()

    def take(self, group: str) -> None:
        """Count one request. Raises TooMany."""
        now = time.monotonic()
        with self._lock:
            times = self._times[group]
            while times and times[0] <= now - 60.0:
                times.popleft()
            if len(times) >= self._limits[group]:
                raise TooMany(max(1, int(times[0] + 60.0 - now) + 1))
            times.append(now)


def limited(group: str) -> Any:
    """A dependency that counts the request in its group."""

    def count(request: Request) -> None:
        limiter = request.app.state.limiter
        assert isinstance(limiter, Limiter)
        limiter.take(group)

    return Depends(count)
