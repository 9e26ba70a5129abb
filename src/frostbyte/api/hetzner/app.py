"""The Cloud API over HTTP, and beside it a path for tests: `/_simulator/...`, which the real one does not have.

The world answers within a millisecond, so its requests are worked off in the server's one loop; only the waiting that
latencies and faults ask for goes on beside others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from frostbyte.adapters.hetzner.world.call import BODY_BYTES, Answer
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.control import Control

ABORT: Final = "frostbyte.abort"
"""Extension of the scope: a function that breaks the connection (serving.py puts it there)."""
NOTICE: Final = "frostbyte: simulated Hetzner Cloud"
_METHODS: Final = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class Face:
    """The routes over a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or break its connection."""
        request = Request(scope, receive, send)
        try:
            body = await _body(request)
        except ClientDisconnect:
            return
        if body is None:
            await PlainTextResponse("Request Entity Too Large", 413)(scope, receive, send)
            return
        query: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        answer = self._world.call(token, request.method, request.url.path, query, body)
        if answer.wait:
            await asyncio.sleep(answer.wait)
        if answer.broken:
            await _break(scope, receive)
            return
        await said(answer)(scope, receive, send)


async def _body(request: Request) -> bytes | None:
    """None for one that is too long."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


async def _break(scope: Scope, receive: Receive) -> None:
    """Break the connection, and return once the server knows."""
    abort: Callable[[], None] = scope["extensions"][ABORT]
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def said(answer: Answer) -> Response:
    """An answer as HTTP."""
    headers = answer.headers | {"X-Simulator": NOTICE}
    if answer.page:
        return Response(answer.page, answer.status, headers, media_type="text/html")
    if answer.body is None:
        return Response(None, answer.status, headers)
    return Response(msgspec.json.encode(answer.body), answer.status, headers, media_type="application/json")


def create_app(world: World) -> Starlette:
    """The application over a world, which whoever serves it closes."""
    control = Control(world)
    routes: list[Any] = [*control.routes(), Route("/v1/{path:path}", Face(world), methods=_METHODS)]
    return Starlette(routes=routes)
