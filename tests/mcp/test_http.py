"""Over HTTP: who is let in, what headers have to say, and statuses."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import pytest

from frostbyte.api.mcp.app import LONGEST, create_app
from frostbyte.api.mcp.protocol import Service
from frostbyte.kernel.errors import Unauthenticated
from mcp.conftest import Answering

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
TOKEN = {"Authorization": "Bearer abc"}


def call(name: str = "search", **meta: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": {"query": "x"}} | meta
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def ask(
    service: Service, message: Any = None, method: str = "POST", base: str = "http://127.0.0.1:80", **more: Any
) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(service)), base_url=base) as client:
            sent = {"json": message} if message is not None else {}
            return await client.request(method, "/mcp", **({"headers": TOKEN} | sent | more))

    return asyncio.run(go())


def test_a_message_is_answered_and_the_callers_token_goes_to_the_plane(service: Service, plane: Answering) -> None:
    answer = ask(service, call())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["result"]["isError"] is False
    assert plane.asked[0][3] == "Bearer abc"


def test_a_notification_is_taken_without_an_answer(service: Service) -> None:
    answer = ask(service, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_are_no_streams_and_no_sessions(method: str, service: Service) -> None:
    assert ask(service, method=method).status_code == 405


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer "}])
def test_nobody_is_served_without_a_token(headers: dict[str, str], service: Service, plane: Answering) -> None:
    answer = ask(service, PING, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert plane.asked == []


def test_a_token_that_the_plane_refuses_is_refused(service: Service, plane: Answering) -> None:
    plane.answers["POST", "/query"] = Unauthenticated("token_expired", "This token has expired.", "Get a new one.")
    answer = ask(service, call())
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "This token has expired" in answer.text


FOREIGN = [
    ("http://plane.example:80", {}),
    ("http://127.0.0.1.evil.example", {}),
    ("http://127.0.0.1:80", {"Origin": "https://evil.example"}),
    ("http://127.0.0.1:80", {"Origin": "null"}),
    ("http://127.0.0.1:80", {"Origin": "http://localhost.evil.example"}),
]


@pytest.mark.parametrize(("base", "headers"), FOREIGN)
def test_pages_of_others_are_refused(base: str, headers: dict[str, str], service: Service, plane: Answering) -> None:
    assert ask(service, call(), base=base, headers=TOKEN | headers).status_code == 403
    assert plane.asked == []


@pytest.mark.parametrize("base", ["http://localhost:9", "http://[::1]:9", "http://127.0.0.1"])
def test_this_machine_is_served_by_any_of_its_names(base: str, service: Service) -> None:
    assert ask(service, PING, base=base, headers=TOKEN | {"Origin": "http://localhost:3000"}).status_code == 200


BODIES = [
    ({"content": b"{", "headers": TOKEN | {"Content-Type": "application/json"}}, 400),
    ({"content": b'"\xff"', "headers": TOKEN | {"Content-Type": "application/json"}}, 400),
    ({"content": b"[" * 200_000, "headers": TOKEN | {"Content-Type": "application/json"}}, 400),
    ({"content": b"{}", "headers": TOKEN | {"Content-Type": "text/plain"}}, 415),
    ({"content": b" " * (LONGEST + 1), "headers": TOKEN | {"Content-Type": "application/json"}}, 413),
    ({"json": PING, "headers": TOKEN | {"Accept": "text/html"}}, 406),
]


@pytest.mark.parametrize(("sent", "status"), BODIES)
def test_bodies_that_are_no_message(sent: dict[str, Any], status: int, service: Service) -> None:
    answer = ask(service, **sent)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


NOW = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "search"}
ENCODED = f"=?base64?{base64.b64encode(b'search').decode()}?="
HEADERS: list[tuple[dict[str, str], dict[str, Any], int, int | None]] = [
    ({}, call(), 200, None),
    ({"MCP-Protocol-Version": "2025-06-18"}, call(), 200, None),
    ({"MCP-Protocol-Version": "1999-01-01"}, call(), 400, -32022),
    (NOW, call(_meta=META), 200, None),
    (NOW | {"Mcp-Name": ENCODED}, call(_meta=META), 200, None),
    (NOW | {"Mcp-Name": "fetch"}, call(_meta=META), 400, -32020),
    (NOW | {"Mcp-Name": "=?base64?!?="}, call(_meta=META), 400, -32020),
    (NOW | {"Mcp-Method": "ping"}, call(_meta=META), 400, -32020),
    ({name: value for name, value in NOW.items() if name != "Mcp-Method"}, call(_meta=META), 400, -32020),
    ({"Mcp-Method": "tools/call", "Mcp-Name": "search"}, call(_meta=META), 400, -32020),
    (NOW | {"MCP-Protocol-Version": "2025-11-25"}, call(_meta=META), 400, -32020),
    (NOW, call(), 400, -32020),
]


@pytest.mark.parametrize(("headers", "message", "status", "code"), HEADERS)
def test_headers_say_what_the_message_says(
    headers: dict[str, str], message: dict[str, Any], status: int, code: int | None, service: Service
) -> None:
    answer = ask(service, message, headers=TOKEN | headers)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error", {}).get("code") == code


def test_several_at_once_are_for_the_version_that_has_them(service: Service) -> None:
    assert len(ask(service, [PING, PING | {"id": 2}]).json()) == 2
    assert ask(service, [PING], headers=TOKEN | {"MCP-Protocol-Version": "2025-06-18"}).status_code == 400
