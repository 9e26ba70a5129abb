"""The control channel's application: past Traefik and tokens, and open while the plane is suspended.

Who asks is known by their certificate before they can ask anything: it is by the tenant's own authority and its common
name is `control`, or the connection is closed (cli/serve_channel.py). The edge's certificate opens nothing here.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware import Middleware

from frostbyte import __version__
from frostbyte.api.http import problems
from frostbyte.api.http.meters import RequestMeters
from frostbyte.api.http.observing import Observer
from frostbyte.api.http.problems import STATUS, Problem, problem, responses
from frostbyte.data_plane.obeying import Obeying
from frostbyte.kernel.audit.feed import Feed
from frostbyte.kernel.channel import EVENTS_LIMIT, PlaneHealth, PlaneUpkeep
from frostbyte.kernel.directive import NonceOld
from frostbyte.kernel.errors import Kind
from frostbyte.kernel.records import Upkeep

_FAILS = responses(422, 503)


class Serves(Protocol):
    """What answers at the channel."""

    @property
    def obeying(self) -> Obeying: ...
    @property
    def feed(self) -> Feed: ...
    def health(self) -> PlaneHealth: ...
    def upkeep(self, *, tried: bool) -> PlaneUpkeep: ...
    def keep(self, upkeep: Upkeep, *, updated_to: str) -> PlaneUpkeep: ...


def channel_of(request: Request) -> Serves:
    """The channel that this application serves."""
    serves: Serves = request.app.state.channel
    return serves


ChannelDep = Annotated[Serves, Depends(channel_of)]
router = APIRouter(prefix="/channel/v1", tags=["channel"])


class Told(BaseModel):
    """What the control plane tells."""

    model_config = ConfigDict(extra="forbid")
    directive: str = Field(description="A signed directive (compact JWS)")


class Kept(BaseModel):
    """What the plane takes from now on."""

    model_config = ConfigDict(extra="forbid")
    upkeep: Upkeep
    updated_to: str = Field(default="", max_length=64, pattern=r"^[0-9A-Za-z.:+-]*$", description="What it became")


class Cosignature(BaseModel):
    """What its ledger adds to a checkpoint."""

    model_config = ConfigDict(extra="forbid")
    size: int = Field(ge=1, le=2**53 - 1)
    line: str = Field(max_length=1024, description="A cosignature line (C2SP tlog-cosignature)")


@router.get("/standing", responses=_FAILS)
def standing(channel: ChannelDep) -> Response:
    """How the plane stands, with a fresh nonce for the next directive."""
    return _shown(channel.obeying.standing())


@router.put("/standing", responses=responses(403, 409, 422, 503))
def put_standing(told: Told, channel: ChannelDep) -> Response:
    """Act on a directive; the plane's standing after it."""
    return _shown(channel.obeying.obey(told.directive))


@router.get("/audit/events", responses=_FAILS, response_class=Response)
def events(
    channel: ChannelDep,
    after: Annotated[int, Query(ge=-1, le=2**53 - 1)] = -1,
    limit: Annotated[int, Query(ge=1, le=EVENTS_LIMIT)] = EVENTS_LIMIT,
) -> Response:
    """Lines of the audit log as an export has them, of events numbered above `after` and under a checkpoint."""
    return Response(channel.feed.events(after, limit), media_type="application/jsonl")


@router.get("/audit/checkpoints", responses=_FAILS)
def checkpoints(channel: ChannelDep, after_size: Annotated[int, Query(ge=-1, le=2**53 - 1)] = -1) -> Response:
    """Signed checkpoints over more events than `after_size`, smallest first, and the newest of all."""
    return _shown(channel.feed.checkpoints(after_size))


@router.post("/cosignatures", status_code=204, responses=_FAILS)
def cosign(body: Cosignature, channel: ChannelDep) -> Response:
    """Keep a cosignature beside a checkpoint, and show it with it from now on."""
    channel.obeying.cosigned(body.size, body.line)
    return Response(status_code=204)


@router.get("/upkeep", responses=_FAILS)
def upkeep(channel: ChannelDep, tried: Annotated[bool, Query()] = False) -> Response:
    """How far the plane has come with standing still, and what it holds; with `tried`, how each of its parts is."""
    return _shown(channel.upkeep(tried=tried))


@router.put("/upkeep", responses=_FAILS)
def put_upkeep(kept: Kept, channel: ChannelDep) -> Response:
    """Take nothing new, write nothing down, or take everything again. It answers at once."""
    return _shown(channel.keep(kept.upkeep, updated_to=kept.updated_to))


@router.get("/health", responses=_FAILS)
def health(channel: ChannelDep) -> Response:
    """How the plane does."""
    return _shown(channel.health())


def _shown(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def create_app(channel: Serves, meters: RequestMeters | None = None) -> FastAPI:
    """The application of a plane's channel; whoever serves it lets the control plane in and nobody else."""
    app = FastAPI(
        title="Frostbyte control channel",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[Middleware(Observer, meters=meters or RequestMeters())],
    )
    app.state.channel = channel
    problems.install(app)
    app.add_exception_handler(NonceOld, _nonce_old)
    app.include_router(router)
    return app


async def _nonce_old(request: Request, error: Exception) -> Problem:
    assert isinstance(error, NonceOld)
    said = problem(request, STATUS[Kind.CONFLICT], error.code, error.message, error.remedy)
    body: dict[str, Any] = json.loads(bytes(said.body))
    return Problem(body | {"nonce": error.nonce}, status_code=said.status_code)
