"""The control plane's HTTP application: the Admin API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from frostbyte import __version__
from frostbyte.api.control import (
    backups,
    base,
    deliveries,
    ending,
    fleet,
    granting,
    health,
    history,
    ledger,
    operations,
    orphans,
    people,
    projects,
    provisioning,
    receipts,
    support,
    system,
    tenants,
    upkeep,
)
from frostbyte.api.control.access import PER_MINUTE
from frostbyte.api.control.backup_meters import BackupMeters
from frostbyte.api.control.console import access as visits
from frostbyte.api.control.console.pages import PAGES
from frostbyte.api.control.gauges import ControlGauges
from frostbyte.api.control.ledger_meters import LedgerMeters
from frostbyte.api.http import problems
from frostbyte.api.http.access import describe
from frostbyte.api.http.console import assets
from frostbyte.api.http.meters import RequestMeters
from frostbyte.api.http.observing import Observer
from frostbyte.api.http.streams import Streams
from frostbyte.api.http.visiting import Renewing
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.kernel.limits import Limiter

ROUTERS: Final[tuple[APIRouter, ...]] = (
    projects.router,
    base.router,
    tenants.router,
    provisioning.router,
    ending.router,
    receipts.router,
    orphans.router,
    upkeep.router,
    fleet.router,
    deliveries.router,
    operations.router,
    granting.router,
    people.router,
    health.router,
    history.router,
    ledger.router,
    support.router,
    backups.router,
    backups.tenants,
    system.router,
)


def create_app(control: ControlPlane, limiter: Limiter | None = None) -> FastAPI:
    """The application for a control plane. It starts and stops nothing: whoever serves it does.

    Args:
        control: built, and started by whoever serves.
        limiter: requests a minute of each caller; default: the design's.
    """
    meters = RequestMeters()
    if control.switching is not None:
        meters.registry.register(ControlGauges(control.switching))
    app = FastAPI(
        title="Frostbyte control plane",
        version=__version__,
        docs_url=None,  # FastAPI's page loads scripts from outside; system.py has one that does not
        redoc_url=None,
        middleware=[Middleware(Observer, meters=meters, uploads=frozenset({ledger.UPLOAD})), Middleware(Renewing)],
    )
    if control.ledger is not None:
        meters.registry.register(LedgerMeters(control.ledger, control.clock))
    meters.registry.register(BackupMeters(control.backups, control.clock))
    app.state.control = control
    app.state.limiter = limiter or Limiter(PER_MINUTE)
    app.state.meters = meters
    app.state.streams = Streams()
    app.state.problem_page = visits.refused
    problems.install(app)
    for router in (*ROUTERS, *PAGES, assets):
        app.include_router(router)
    return app


def routes() -> Iterator[APIRoute]:
    """Every route of the application."""
    for router in ROUTERS:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


for _route in routes():
    describe(_route, PER_MINUTE, "Role")
