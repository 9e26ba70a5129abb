"""What machines ask a plane: does it live, can it work, how is it doing. No token, no content."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.meters import Meters
from frostbyte.api.http.pages import POLICY
from frostbyte.api.http.problems import responses
from frostbyte.api.http.reference import reference_page

router = APIRouter(tags=["system"])


@router.get("/health")
def health(plane: PlaneDep) -> dict[str, Any]:
    """Whether the process lives, and what a person should know about it."""
    return plane.health()


@router.get("/ready", responses=responses(503))
def ready(plane: PlaneDep) -> dict[str, Any]:
    """Whether the plane can work, and what waits."""
    return plane.ready()


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Prometheus metrics: counts and times, no names. They are there also while the plane is not ready."""
    meters = request.app.state.meters
    assert isinstance(meters, Meters)
    meters.streams.set(request.app.state.streams.count)
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """The API for people; needs nothing from outside."""
    return HTMLResponse(reference_page(request.app.openapi()), headers={"Content-Security-Policy": POLICY})
