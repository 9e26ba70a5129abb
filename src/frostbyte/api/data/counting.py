"""The tenant's limit of all requests together: exactly so many in any minute, whoever sends them.

The edge in front counts too, but about (docs/edge.md); here it is exact. What a machine asks of a plane to know how it
is does not count, for it must be answered when a plane is busy, nor do styles and scripts, which a browser keeps. What
a gateway passes on to serving has counted once.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from frostbyte.api.http.problems import known
from frostbyte.console.assets import PREFIX
from frostbyte.kernel.limits import Limiter, TooMany

UNCOUNTED: Final = frozenset({"/health", "/ready", "/metrics"})


class Counting:
    """Refuses a request that is one too many with 429, before anything is read of it.

    Args:
        app: answers the others.
        limiter: has the group `total`.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] not in UNCOUNTED and not scope["path"].startswith(PREFIX):
            try:
                self._limiter.take("total")
            except TooMany as error:
                await known(Request(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
