"""The data plane's HTTP application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from frostbyte import __version__
from frostbyte.api.data import deciding, granting, ingest, jobs, keeping, people, reading, streams, system, webhooks
from frostbyte.api.data.console import access as visits
from frostbyte.api.data.console.pages import PAGES, READING
from frostbyte.api.data.counting import Counting
from frostbyte.api.data.meters import attach
from frostbyte.api.data.passing import Passing
from frostbyte.api.data.standing import Standing
from frostbyte.api.http import problems
from frostbyte.api.http.access import describe
from frostbyte.api.http.console import assets
from frostbyte.api.http.observing import Observer
from frostbyte.api.http.streams import Streams
from frostbyte.api.http.visiting import Renewing
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.limits import PER_MINUTE, Limiter
from frostbyte.kernel.settings import Roles

ROUTERS: Final[tuple[APIRouter, ...]] = (
    ingest.router,
    streams.router,
    reading.router,
    deciding.router,
    keeping.router,
    granting.router,
    people.router,
    jobs.router,
    webhooks.router,
    system.router,
)

UPLOADS: Final = frozenset({"/api/v1/ingest", "/console/upload"})
"""Routes whose bodies are read in pieces and bounded by what reads them."""


def create_app(plane: Plane, limiter: Limiter | None = None) -> FastAPI:
    """The application for a plane. It starts and stops nothing: whoever serves it does.

    Args:
        plane: built, and started by whoever serves.
        limiter: requests a minute; default: the design's.
    """
    meters = attach(plane)
    limiter = limiter or Limiter()
    roles = plane.settings.roles
    # The Observer is the outermost: what is refused or passed on is bounded, counted and named as everything else.
    layers = [Middleware(Observer, meters=meters, uploads=UPLOADS), Middleware(Standing, gate=plane.gate)]
    if roles is not Roles.SERVING:
        layers.append(Middleware(Counting, limiter=limiter))
    if roles is Roles.INTAKE:
        passed = [route for router in (reading.router, *READING) for route in router.routes]
        layers.append(Middleware(Passing, routes=passed, url=plane.settings.serving_url))
    layers.append(Middleware(Renewing))
    app = FastAPI(
        title="Frostbyte data plane",
        version=__version__,
        docs_url=None,  # FastAPI's page loads scripts from outside; system.py has one that does not
        redoc_url=None,
        middleware=layers,
    )
    app.state.plane = plane
    app.state.limiter = limiter
    app.state.meters = meters
    app.state.streams = Streams()
    app.state.problem_page = visits.refused
    problems.install(app)
    for router in (*answered(roles), *(READING if roles is Roles.SERVING else (*READING, *PAGES)), assets):
        app.include_router(router)
    return app


def answered(roles: Roles) -> tuple[APIRouter, ...]:
    """The routes that a process of these roles has itself; those that it passes on are described by it as well."""
    return (reading.router, system.router) if roles is Roles.SERVING else ROUTERS


def routes() -> Iterator[APIRoute]:
    """Every route of the application."""
    for router in ROUTERS:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


for _route in routes():
    describe(_route, PER_MINUTE)
