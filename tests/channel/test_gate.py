"""A plane that was told to stop answers nobody, before it looks at anything; and what runs then gets its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from frostbyte.api.data.standing import Standing
from frostbyte.data_plane.gate import Gate
from frostbyte.kernel.records import PlaneState

App = Callable[..., Awaitable[None]]


def scope(path: str = "/api/v1/query") -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "state": {"request_id": "r"}}


async def ask(app: Standing, path: str = "/api/v1/query") -> list[dict[str, Any]]:
    """What the server is given to send."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(scope(path), receive, send)
    return sent


async def answer(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"yes"})


async def hang(_: Any, __: Any, ___: Any) -> None:
    await asyncio.sleep(60)


async def begin_and_hang(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(60)


@pytest.mark.parametrize("state", [PlaneState.SUSPENDED, PlaneState.CLOSED])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", 200),
        ("/ready", 200),
        ("/metrics", 200),
        ("/api/v1/query", 503),
        ("/api/v1/ingest", 503),
        ("/docs", 503),
        ("/openapi.json", 503),
        ("/nowhere", 503),
        ("/health/", 503),
        ("/metrics/x", 503),
    ],
)
def test_what_is_answered_while_suspended(path: str, status: int, state: PlaneState) -> None:
    gate = Gate()
    gate.tell(state, None)
    sent = asyncio.run(ask(Standing(answer, gate), path))
    assert sent[0]["status"] == status
    if status == 503:
        headers = dict(sent[0]["headers"])
        assert headers[b"retry-after"] == b"60"
        assert headers[b"content-type"] == b"application/problem+json"
        assert b'"code":"tenant_suspended"' in sent[1]["body"]


def test_everything_is_answered_again_once_it_is_resumed() -> None:
    gate = Gate()
    app = Standing(answer, gate)
    gate.tell(PlaneState.SUSPENDED, None)
    gate.tell(PlaneState.ACTIVE, None)
    assert asyncio.run(ask(app))[0]["status"] == 200


def test_requests_in_flight_are_counted_and_end_with_the_refusal() -> None:
    gate = Gate()
    app = Standing(hang, gate, grace=0.05)

    async def run() -> list[dict[str, Any]]:
        request = asyncio.create_task(ask(app))
        await asyncio.sleep(0.02)
        assert gate.in_flight == 1
        await asyncio.to_thread(gate.tell, PlaneState.SUSPENDED, None)  # as the channel's thread tells it
        assert not request.done()
        return await request

    sent = asyncio.run(run())
    assert sent[0]["status"] == 503
    assert gate.in_flight == 0


def test_an_answer_that_had_begun_is_cut_and_not_completed() -> None:
    gate = Gate()
    app = Standing(begin_and_hang, gate, grace=0.05)

    async def run() -> None:
        request = asyncio.create_task(ask(app))
        await asyncio.sleep(0.02)
        gate.tell(PlaneState.SUSPENDED, None)
        with pytest.raises(ClientDisconnect) as caught:
            await request
        assert type(caught.value).__name__ == "_Cut"

    asyncio.run(run())


def test_who_ends_in_time_is_answered_and_who_is_resumed_in_time_is_not_cut() -> None:
    gate = Gate()

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.15)
        await answer(scope, receive, send)

    async def run(grace: float, resume: bool) -> list[dict[str, Any]]:
        request = asyncio.create_task(ask(Standing(slowly, gate, grace=grace)))
        await asyncio.sleep(0.02)
        gate.tell(PlaneState.SUSPENDED, None)
        if resume:
            gate.tell(PlaneState.ACTIVE, None)
        return await request

    assert asyncio.run(run(5.0, False))[0]["status"] == 200
    gate.tell(PlaneState.ACTIVE, None)
    assert asyncio.run(run(0.01, True))[0]["status"] == 200


def test_a_client_that_goes_away_is_no_suspension() -> None:
    async def run() -> None:
        request = asyncio.create_task(ask(Standing(hang, Gate())))
        await asyncio.sleep(0.02)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(run())
