"""What a route asks for, written where the route is: a scope of the caller's, and a group in which it is counted.

Each application says who its caller is; here is only what all of them do with that. What waits for nothing is a
coroutine: each plain function would cost its request a change to another thread and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from frostbyte.kernel.limits import Limiter


def asking(caller_of: Callable[..., Any], scopes: tuple[StrEnum, ...]) -> Any:
    """A dependency: the caller, if it has one of the scopes.

    Args:
        caller_of: the dependency that finds out who asks.
        scopes: one of them is enough; the first is named where none is there.
    """

    async def check(caller: Any = Depends(caller_of)) -> Any:
        if not any(caller.has(scope) for scope in scopes):
            caller.require(scopes[0])
        return caller

    check.scopes = scopes  # type: ignore[attr-defined]  # read by scopes_of
    return Depends(check)


def limited(group: str) -> Any:
    """A dependency that counts the request in its group."""

    async def count(request: Request) -> None:
        limiter_of(request).take(group)

    count.group = group  # type: ignore[attr-defined]  # read by group_of
    return Depends(count)


def limiter_of(request: Request) -> Limiter:
    """The application's limiter."""
    limiter = request.app.state.limiter
    assert isinstance(limiter, Limiter)
    return limiter


def scopes_of(route: APIRoute) -> tuple[StrEnum, ...]:
    """The scopes of which the route asks for one; () if it asks for no token."""
    return next((call.scopes for call in _calls(route.dependant) if hasattr(call, "scopes")), ())


def group_of(route: APIRoute) -> str:
    """The group of requests that the route is counted in, or ''."""
    return next((call.group for call in _calls(route.dependant) if hasattr(call, "group")), "")


def describe(route: APIRoute, per_minute: Mapping[str, int], word: str = "Scope") -> None:
    """Write the route's scopes and limit where OpenAPI shows them.

    Args:
        per_minute: the limit of each group.
        word: what scopes are called.
    """
    scopes, group = [scope.value for scope in scopes_of(route)], group_of(route)
    if scopes:
        route.description += f"\n\n{word}: {' or '.join(f'`{name}`' for name in scopes)}."
    if group:
        route.description += f" At most {per_minute[group]} requests a minute (`{group}`)."
    route.openapi_extra = (route.openapi_extra or {}) | {"x-scopes": scopes}


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)
