"""What machines ask the control plane: does it live, can it work, how is it doing. No token, no tenant's name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from frostbyte import __version__
from frostbyte.api.control.access import ControlDep
from frostbyte.api.http.meters import RequestMeters
from frostbyte.api.http.pages import POLICY
from frostbyte.api.http.problems import responses
from frostbyte.api.http.reference import reference_page

router = APIRouter(tags=["system"])


@router.get("/health")
def health(control: ControlDep) -> dict[str, Any]:
    """Whether the process lives, and what a person should know about it."""
    return control.health()


@router.get("/ready", responses=responses(503))
def ready(control: ControlDep) -> dict[str, Any]:
    """Whether the registry answers, and how many tenants stand where."""
    states: dict[str, int] = {}
    for row in control.tenants.tally():
        states[row.state.value] = states.get(row.state.value, 0) + row.count
    return control.ready() | {"version": __version__, "tenants": states}


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Prometheus metrics: counts and times, no names."""
    meters = request.app.state.meters
    assert isinstance(meters, RequestMeters)
    meters.streams.set(request.app.state.streams.count)
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """The API for people; needs nothing from outside."""
    return HTMLResponse(reference_page(request.app.openapi()), headers={"Content-Security-Policy": POLICY})
