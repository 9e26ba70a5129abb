"""Gateway and serving apart: what is passed on, and that everything else is not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from frostbyte.api.data import reading
from frostbyte.api.data.app import ROUTERS, answered
from frostbyte.api.data.passing import Passing
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Roles, load

READING = [route for route in reading.router.routes if isinstance(route, APIRoute)]


async def _serving(request: Request) -> Response:
    body = (await request.body()).decode()
    said = {"path": request.scope["raw_path"].decode(), "query": request.url.query, "body": body}
    return JSONResponse(said | {"id": request.headers["x-request-id"]}, 418, headers={"x-next": "kept"})


def passing(serving: ASGIApp | None) -> ASGIApp:
    """A gateway; without a serving behind it nothing listens there."""

    async def own(request: Request) -> Response:
        return JSONResponse({"own": True})

    inner = Starlette(routes=[Route("/{rest:path}", own, methods=["GET", "POST", "DELETE"])])
    layer = Passing(inner, READING, "http://127.0.0.1:9")
    if serving is not None:
        layer._client = httpx.AsyncClient(transport=httpx.ASGITransport(serving), base_url="http://serving")

    async def named(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["request_id"] = "request-0001"
        await layer(scope, receive, send)

    return named


def ask(app: ASGIApp, method: str, path: str, content: bytes = b"") -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.request(method, path, content=content, headers={"x-request-id": "spoofed-0002"})

    return asyncio.run(go())


@pytest.mark.parametrize("route", READING, ids=lambda route: route.path)
def test_every_reading_route_is_passed_on_with_all_that_belongs_to_it(route: APIRoute) -> None:
    serving = Starlette(routes=[Route("/{rest:path}", _serving, methods=["GET", "POST"])])
    path = route.path.format(doc_id="a%20b", chunk_id="c%20d", number=1)
    answer = ask(passing(serving), sorted(route.methods)[0], f"{path}?top_k=3&x=%C3%BC", b"{}")
    assert answer.status_code == 418
    assert answer.headers["x-next"] == "kept"
    assert answer.json() == {"path": path, "query": "top_k=3&x=%C3%BC", "body": "{}", "id": "request-0001"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/ingest"), ("DELETE", "/api/v1/documents/x"), ("GET", "/health"), ("POST", "/api/v1/documents")],
)
def test_all_else_is_the_gateway_s(method: str, path: str) -> None:
    assert ask(passing(None), method, path).json() != {} or method == "POST"
    assert ask(passing(None), method, path).status_code in (200, 405)


def test_serving_that_is_away_is_said_with_a_remedy() -> None:
    answer = ask(passing(None), "POST", "/api/v1/query", b"{}")
    assert (answer.status_code, answer.json()["code"]) == (503, "serving_unavailable")
    assert answer.headers["retry-after"]


def test_serving_has_the_reading_routes_and_no_others() -> None:
    assert answered(Roles.BOTH) == answered(Roles.INTAKE) == ROUTERS
    paths = {route.path for router in answered(Roles.SERVING) for route in router.routes if isinstance(route, APIRoute)}
    assert "/api/v1/query" in paths
    assert not [path for path in paths if "ingest" in path or "token" in path or "audit" in path]


@pytest.mark.parametrize(
    "given",
    [
        {"FROSTBYTE_ROLES": "intake"},
        {"FROSTBYTE_ROLES": "serving", "FROSTBYTE_SERVING_URL": "http://serving:8080"},
        {"FROSTBYTE_SERVING_URL": "http://serving:8080"},
        {"FROSTBYTE_ROLES": "reader"},
    ],
)
def test_roles_that_do_not_fit_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        load(given)
    assert refused.value.code == "settings_invalid"
