"""The application: who may ask, how much, and what is said when it cannot be answered. No line of it logs a text."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from frostbyte import __version__
from frostbyte.adapters.embeddings.gguf import Busy
from frostbyte.adapters.embeddings.gguf.model import Matrix
from frostbyte.api.embedder import asking
from frostbyte.bootstrap.embedder import Served
from frostbyte.kernel.errors import FrostbyteError, Invalid, Kind, NotFound, Unauthenticated
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.logging import where

STUCK_SECONDS: Final = 300.0
"""A batch that takes longer is not coming back: /health then asks for a restart."""
_STATUS: Final = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.NOT_FOUND: 404,
    Kind.TOO_LARGE: 413,
    Kind.RATE_LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}
_RETRY_SECONDS: Final = "5"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_UNREADABLE: Final = 499
_log = structlog.get_logger("frostbyte.embedder")


class Meters:
    """The embedder's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = {"registry": self.registry}
        by = ["status"]
        self.seconds = Histogram("frostbyte_embedder_request_seconds", "Time to answer", **made)  # type: ignore[arg-type]
        self.answers = Counter("frostbyte_embedder_answers_total", "Answers", by, **made)  # type: ignore[arg-type]
        self.batch_seconds = Histogram("frostbyte_embedder_batch_seconds", "Time in the model", **made)  # type: ignore[arg-type]
        self.batch_texts = Histogram(
            "frostbyte_embedder_batch_texts", "Texts a batch", buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry
        )
        self.tokens = Counter("frostbyte_embedder_tokens_total", "Tokens read", **made)  # type: ignore[arg-type]
        self.waiting = Gauge("frostbyte_embedder_waiting_tokens", "Tokens not begun", **made)  # type: ignore[arg-type]
        self.ready = Gauge("frostbyte_embedder_ready_bool", "1 if the model answers", **made)  # type: ignore[arg-type]

    def batch(self, texts: int, tokens: int, seconds: float) -> None:
        """Note one batch."""
        self.batch_seconds.observe(seconds)
        self.batch_texts.observe(texts)
        self.tokens.inc(tokens)


def create_app(served: Served) -> Starlette:
    """The application. It starts and stops nothing: whoever serves it does."""
    meters = Meters()
    served.batcher.told = meters.batch
    embeddings = _Embeddings(served, meters)
    app = Starlette(
        routes=[
            Route("/embeddings", embeddings, methods=["POST"]),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
            Route("/metrics", _metrics, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _no_such_route},
    )
    app.state.served = served
    app.state.meters = meters
    return app


async def _health(request: Request) -> Response:
    """Which model it is and whether it answers. 503 if a batch does not come back."""
    served: Served = request.app.state.served
    stuck = served.batcher.stuck_for > STUCK_SECONDS
    header = served.model.header
    body = {
        "status": "stuck" if stuck else "ok",
        "version": __version__,
        "model": served.name,
        "architecture": header.architecture,
        "sha256": served.model.sha256,
        "dimensions": header.dimensions,
        "max_tokens": served.model.longest,
        "lanes": len(served.model.lanes),
        "waiting_tokens": served.batcher.waiting,
    }
    return JSONResponse(body, status_code=503 if stuck else 200)


async def _metrics(request: Request) -> Response:
    served: Served = request.app.state.served
    meters: Meters = request.app.state.meters
    meters.waiting.set(served.batcher.waiting)
    meters.ready.set(served.batcher.stuck_for <= STUCK_SECONDS)
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


class _Embeddings:
    """POST /embeddings, as an ASGI application of its own: it must notice that a caller went away."""

    def __init__(self, served: Served, meters: Meters) -> None:
        self._served = served
        self._meters = meters
        self._reading = asyncio.Semaphore(2)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        began = time.perf_counter()
        told: dict[str, Any] = {}
        try:
            response = Response(await self._answer(request), media_type="application/json")
        except FrostbyteError as error:
            told["code"] = error.code
            response = _refused(error)
        except (ClientDisconnect, asyncio.CancelledError):
            response = None
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer must not show it
            told |= {"error": type(error).__name__, "where": where(error)}
            response = _refused(FrostbyteError("internal_error", "Something unforeseen happened.", "Report it."))
        status = response.status_code if response is not None else _UNREADABLE
        took = time.perf_counter() - began
        self._meters.seconds.observe(took)
        self._meters.answers.labels(status=str(status)).inc()
        level = _log.warning if status >= 500 else _log.info
        level("answered", status=status, duration_ms=int(took * 1000), request_id=request_id, **told)
        if response is not None:
            response.headers["X-Request-Id"] = request_id
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> bytes:
        served = self._served
        if served.api_key and not hmac.compare_digest(_bearer(request).encode(), served.api_key.encode()):
            raise Unauthenticated("unauthenticated", "The API key is missing or wrong.", "Send it as a bearer token.")
        body = await _body(request)
        async with self._reading:  # it costs processor time: what waits here holds a few MiB at most
            ask, texts = await asyncio.to_thread(self._read, body)
        rows = await _present(served.batcher.submit(texts), request)
        return asking.answer(ask, served.model, rows, sum(map(len, texts)))

    def _read(self, body: bytes) -> tuple[asking.Ask, list[Any]]:
        ask = asking.read(body)
        return ask, asking.tokens(ask, self._served.model, self._served.name, self._served.most)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


async def _body(request: Request) -> bytes:
    """The whole body, if it is not too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > asking.BODY_BYTES:
            raise FrostbyteError(
                "body_too_large",
                f"The body is longer than {asking.BODY_BYTES >> 20} MiB.",
                "Send fewer texts at once.",
                kind=Kind.TOO_LARGE,
            )
    return bytes(body)


async def _present(future: Future[Matrix], request: Request) -> Matrix:
    """Wait for the vectors as long as the caller does: what nobody waits for is not computed."""
    made: asyncio.Future[Any] = asyncio.wrap_future(future)
    gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait([made, gone], return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            raise ClientDisconnect
        rows: Matrix = made.result()
        return rows
    finally:
        made.cancel()
        gone.cancel()


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        return _refused(NotFound("route_not_found", "There is no such route.", "POST /v1/embeddings, or GET /health."))
    refused = _refused(Invalid("method_not_allowed", "This route does not do that.", "POST /v1/embeddings."))
    refused.status_code = 405
    refused.headers.update(error.headers or {})
    return refused


def _refused(error: FrostbyteError) -> Response:
    status = _STATUS.get(error.kind, 500)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = str(error.retry_after) if isinstance(error, Busy) else _RETRY_SECONDS
    return Response(asking.refusal(error), status_code=status, headers=headers, media_type="application/json")
