"""What tests ask the simulator itself: faults, stock, time, projects, the bill, the requests. It needs no token, and
no client of the Cloud API ever calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.faults import KINDS, Fault
from frostbyte.adapters.hetzner.world.world import World

_T = TypeVar("_T")


class Stock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /_simulator/stock`."""

    type: str
    location: str
    available: bool


class Passing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /_simulator/time`."""

    seconds: float


class NewToken(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /_simulator/tokens`."""

    project: str
    readonly: bool = False
    quotas: dict[str, int] = {}


class Control:
    """The routes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/_simulator", self._answered(self._about)),
            Route("/_simulator/faults", self._answered(self._faults)),
            Route("/_simulator/faults", self._answered(self._add_fault), methods=["POST"]),
            Route("/_simulator/faults", self._answered(self._clear_faults), methods=["DELETE"]),
            Route("/_simulator/stock", self._answered(self._stock), methods=["PUT"]),
            Route("/_simulator/time", self._answered(self._time), methods=["POST"]),
            Route("/_simulator/tokens", self._answered(self._token), methods=["POST"]),
            Route("/_simulator/bill", self._answered(self._bill)),
            Route("/_simulator/requests", self._answered(self._requests)),
            Route("/_simulator/state", self._answered(self._state)),
            Route("/_simulator/answers", self._answered(self._names)),
        ]

    async def _about(self, request: Request) -> Any:
        return {
            "simulator": True,
            "projects": sorted(self._world.projects),
            "now": self._world.clock.now(),
            "requests_per_hour": self._world.requests_per_hour,
            "faults": {name: kind.about for name, kind in KINDS.items()},
        }

    async def _faults(self, request: Request) -> Any:
        return {"faults": self._world.faults}

    async def _add_fault(self, request: Request) -> Any:
        return {"fault": self._world.fault(await _read(request, Fault))}

    async def _clear_faults(self, request: Request) -> Any:
        self._world.clear_faults()
        return {"faults": []}

    async def _stock(self, request: Request) -> Any:
        given = await _read(request, Stock)
        try:
            self._world.stock(given.type, given.location, given.available)
        except KeyError:
            raise ValueError("that type is not sold there") from None
        return given

    async def _time(self, request: Request) -> Any:
        given = await _read(request, Passing)
        if not isinstance(self._world.clock, HandClock):
            raise ValueError("this world's time passes by itself")
        self._world.clock.advance(given.seconds)
        self._world.settle()
        return {"now": self._world.clock.now()}

    async def _token(self, request: Request) -> Any:
        given = await _read(request, NewToken)
        self._world.project(given.project).quotas.update(given.quotas)
        return {"token": self._world.token(given.project, readonly=given.readonly)}

    async def _bill(self, request: Request) -> Any:
        return self._world.bill(request.query_params.get("project", "default")).shown()

    async def _requests(self, request: Request) -> Any:
        return {
            "total": sum(self._world.counts.values()),
            "counts": dict(sorted(self._world.counts.items())),
            "last": self._world.requests[-int(request.query_params.get("last", "100")) :],
        }

    async def _state(self, request: Request) -> Any:
        return {"projects": self._world.projects}

    async def _names(self, request: Request) -> Any:
        name, kind = request.query_params.get("name", ""), request.query_params.get("type", "A")
        return {"values": self._world.answers(name, kind)}

    def _answered(self, work: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                said, status = await work(request), 200
                if request.method != "GET":
                    self._world.keep()
            except ValueError as error:
                said, status = {"error": str(error)}, 400
            return Response(msgspec.json.encode(said), status, media_type="application/json")

        return answer


async def _read(request: Request, kind: type[_T]) -> _T:
    """Raises ValueError."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
