"""The gateway passes the reading routes to serving, where the two run apart: it stays the only door.

The answer is passed on as it comes, in pieces, with its status and its headers. What serving refuses it refuses itself:
the gateway looks into nothing and adds nothing but the caller's request id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from frostbyte.api.http.problems import problem
from frostbyte.api.http.visiting import secure

_SECONDS: Final = httpx.Timeout(120.0, connect=5.0)
"""For an answer's next piece: a proof waits for its checkpoint, a replay for a document to be read again."""
_HOP: Final = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
"""Headers of one connection (RFC 9110, section 7.6.1). The host stays: serving compares it with a page's origin."""


class Passing:
    """Sends what `routes` match to another server.

    Args:
        app: answers everything else.
        routes: the routes that the other server has.
        url: the other server, without a path.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], url: str) -> None:
        self._app = app
        self._routes = routes
        # No proxy of the environment: serving is a neighbour.
        self._client = httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = next((r for r in self._routes if scope["type"] == "http" and r.matches(scope)[0] is Match.FULL), None)
        if found is not None:
            scope["route"] = found  # its pattern, for metrics and logs
            await self._pass(Request(scope, receive), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _pass(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        body = await request.body()  # of a question; the layer around this one bounds it
        target = scope.get("raw_path", scope["path"].encode()).split(b"?")[0]
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = self._client.base_url.copy_with(raw_path=target + query)
        kept = (*_HOP, "x-request-id", "x-forwarded-proto")
        headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in kept]
        headers.append((b"x-request-id", str(scope["state"]["request_id"]).encode()))
        # A cookie's name depends on it.
        headers.append((b"x-forwarded-proto", b"https" if secure(request) else b"http"))
        try:
            answer = await self._client.send(
                self._client.build_request(request.method, url, headers=headers, content=body), stream=True
            )
        except httpx.HTTPError:
            said = problem(
                request,
                503,
                "serving_unavailable",
                "The part of the plane that answers questions does not answer.",
                "Nothing is lost and uploads go on; try again in a moment.",
            )
            await said(scope, receive, send)
            return
        response = StreamingResponse(_pieces(answer), status_code=answer.status_code)
        response.raw_headers = [
            (name.lower(), value) for name, value in answer.headers.raw if name.lower().decode("latin-1") not in _HOP
        ]
        await response(scope, receive, send)


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
