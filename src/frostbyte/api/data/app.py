"""The data plane's HTTP application."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from frostbyte import __version__
from frostbyte.api.data import deciding, ingest, problems, reading
from frostbyte.api.data.access import Limiter, PlaneDep
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.ids import new_id

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_JSON_BYTES: Final = 1 << 20


def create_app(plane: Plane, limiter: Limiter | None = None) -> FastAPI:
    """The application for a plane. It starts and stops nothing: whoever serves it does."""
    app = FastAPI(title="Frostbyte data plane", version=__version__, docs_url="/docs", redoc_url=None)
    app.state.plane = plane
    app.state.limiter = limiter or Limiter()
    problems.install(app)
    for router in (ingest.router, reading.router, deciding.router):
        app.include_router(router)
    _system(app)
    _observe(app)
    return app


def _system(app: FastAPI) -> None:
    @app.get("/health", tags=["system"])
    def health(plane: PlaneDep) -> dict[str, Any]:
        """Whether the process lives."""
        return plane.health()

    @app.get("/ready", tags=["system"], responses=problems.responses(503))
    def ready(plane: PlaneDep) -> dict[str, Any]:
        """Whether the plane can work, and what waits."""
        return plane.ready()


def _observe(app: FastAPI) -> None:
    registry = CollectorRegistry()
    seconds = Histogram("frostbyte_api_request_seconds", "Time to answer", ["route", "method"], registry=registry)
    answers = Counter("frostbyte_api_answers_total", "Answers by status", ["route", "status"], registry=registry)
    waiting = Gauge("frostbyte_jobs_open_count", "Open jobs by stage", ["stage"], registry=registry)
    log = structlog.get_logger("frostbyte.api")

    @app.get("/metrics", tags=["system"])
    def metrics(plane: PlaneDep) -> Response:
        """Prometheus metrics: counts and times, no names."""
        for stage, count in plane.ready()["jobs"].items():
            waiting.labels(stage=stage).set(count)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.middleware("http")
    async def observe(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.headers.get("x-request-id", "")
        request.state.request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        began = time.perf_counter()
        length = request.headers.get("content-length", "0")
        if request.url.path != "/api/v1/ingest" and length.isdigit() and int(length) > _JSON_BYTES:
            answer: Response = problems.problem(request, 413, "body_too_large", "The body is too large.", "Send less.")
        else:
            try:
                answer = await call(request)
            except Exception as error:  # nobody foresaw it: the answer and the log say so without quoting it
                answer = problems.unforeseen(request, error)
        route = getattr(request.scope.get("route"), "path", "none")  # the pattern: ids stay out of metrics and logs
        took = time.perf_counter() - began
        seconds.labels(route=route, method=request.method).observe(took)
        answers.labels(route=route, status=str(answer.status_code)).inc()
        log.info(
            "answered",
            route=route,
            method=request.method,
            status=answer.status_code,
            duration_ms=int(took * 1000),
            request_id=request.state.request_id,
        )
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers["X-Request-Id"] = request.state.request_id
        return answer
