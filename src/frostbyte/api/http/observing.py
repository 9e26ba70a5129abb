"""What surrounds every request: an id, bounds on the body, security headers, numbers, one log line, and a safe answer
to whatever was not foreseen.

Plain ASGI and not a FastAPI middleware: those pass bodies through a queue of their own, which costs an upload half of
its speed and hides that a client went away.
"""

from __future__ import annotations

import re
import time
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frostbyte.api.http.meters import RequestMeters
from frostbyte.api.http.problems import refusal, unforeseen
from frostbyte.kernel.ids import new_id

JSON_BYTES: Final = 1 << 20
"""Longest body of every route but an upload."""
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_log = structlog.get_logger("frostbyte.api")


class Observer:
    """The outermost layer.

    Args:
        app: what is inside.
        meters: where numbers go.
        uploads: paths to which bodies of any length may be posted; what reads them bounds them.
    """

    def __init__(self, app: ASGIApp, meters: RequestMeters, uploads: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._meters = meters
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._uploads)
        began = time.perf_counter()
        try:
            if exchange.refused is not None:
                await exchange.answer(exchange.refused)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499  # nobody is there to be answered; nginx's number for it
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer must not show it
            said = unforeseen(Request(scope), error)
            if not exchange.status:
                await exchange.answer(said)
            # An answer that had begun stays without its end, and the server closes the connection.
        finally:
            self._note(exchange, time.perf_counter() - began)

    def _note(self, exchange: _Exchange, took: float) -> None:
        scope = exchange.scope
        route = getattr(scope.get("route"), "path", "none")  # the pattern: ids stay out of metrics and logs
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._meters.seconds.labels(route=route, method=method).observe(took)
        self._meters.answers.labels(route=route, status=str(exchange.status)).inc()
        if exchange.code:
            self._meters.problems.labels(code=exchange.code).inc()
        if exchange.received:
            self._meters.received.labels(route=route).inc(exchange.received)
        _log.info(
            "answered",
            route=route,
            method=method,
            status=exchange.status,
            duration_ms=int(took * 1000),
            request_id=exchange.id,
            **({"code": exchange.code} if exchange.code else {}),
        )


class _Exchange:
    """One request and its answer, as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, uploads: frozenset[str]) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.scope = scope
        self.id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        self.status = 0
        self.received = 0
        self._receive = receive
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.id
        upload = scope["method"] == "POST" and scope["path"] in uploads
        self.refused = None if upload else self._bounded(headers)

    def _bounded(self, headers: Headers) -> Response | None:
        """The refusal of a body that is or may be too large to be held. The server holds a body to its length."""
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
            return refusal(Request(self.scope), 411)
        return refusal(Request(self.scope), 413) if len(length) > 9 or int(length) > JSON_BYTES else None

    @property
    def code(self) -> str:
        """Of the problem that it was answered with; '' for none."""
        return str(self.scope["state"].get("problem", ""))

    async def receive(self) -> Message:
        """Pass a piece of the body on."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Pass a piece of the answer on, with our headers on its first."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["X-Request-Id"] = self.id
        await self._send(message)

    async def answer(self, said: Response) -> None:
        """Send a problem document."""
        await said(self.scope, self.receive, self.send)
