"""A plane that is updated answers questions and takes nothing; a frozen one does nothing that is written down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channel.test_gate import answer, hang, scope
from frostbyte.api.data.app import routes
from frostbyte.api.data.standing import Standing, Watching, writes
from frostbyte.data_plane.gate import Gate
from frostbyte.kernel.records import PlaneState, Upkeep

QUESTIONS = {
    ("POST", "/api/v1/query"),
    ("POST", "/api/v1/documents/{doc_id}/replay"),
    ("POST", "/api/v1/audit/export"),
    ("POST", "/api/v1/policy/test"),
}
"""What is posted and changes nothing."""


async def ask(app: Standing, method: str, path: str) -> int:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(scope(path) | {"method": method}, receive, send)
    status = sent[0]["status"]
    assert status == 200 or b'"code":"plane_updating"' in sent[1]["body"]
    return int(status)


def test_every_route_that_is_not_for_reading_is_closed_but_for_questions() -> None:
    found = {(method, route.path) for route in routes() for method in route.methods}
    for method, path in sorted(found):
        named = path.replace("{doc_id}", "018f-7")
        assert writes(method, named) is (method != "GET" and (method, path) not in QUESTIONS), (method, path)
    assert found >= QUESTIONS


@pytest.mark.parametrize(
    ("upkeep", "method", "path", "status"),
    [
        (Upkeep.OPEN, "POST", "/api/v1/ingest", 200),
        (Upkeep.READING, "POST", "/api/v1/ingest", 503),
        (Upkeep.READING, "DELETE", "/api/v1/documents/018f", 503),
        (Upkeep.READING, "PUT", "/api/v1/config", 503),
        (Upkeep.READING, "POST", "/api/v1/query/more", 503),
        (Upkeep.READING, "POST", "/api/v1/documents/a/b/replay", 503),
        (Upkeep.READING, "POST", "/api/v1/query", 200),
        (Upkeep.READING, "GET", "/api/v1/documents", 200),
        (Upkeep.FROZEN, "POST", "/api/v1/query", 503),
        (Upkeep.FROZEN, "GET", "/api/v1/documents", 503),
        (Upkeep.FROZEN, "GET", "/health", 200),
        (Upkeep.FROZEN, "GET", "/ready", 200),
    ],
)
def test_what_is_answered_while_the_plane_is_updated(
    upkeep: Upkeep, method: str, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostbyte.api.data.standing.WAIT_SECONDS", 0.1)
    gate = Gate()
    gate.tell(PlaneState.ACTIVE, None, upkeep)
    assert asyncio.run(ask(Standing(answer, gate), method, path)) == status


def test_a_suspended_plane_says_that_it_is_suspended() -> None:
    gate = Gate()
    gate.tell(PlaneState.SUSPENDED, None, Upkeep.FROZEN)
    assert gate.refusal is not None
    assert gate.refusal.code == "tenant_suspended"


def test_an_upload_that_is_under_way_gets_its_time_and_a_question_is_left_alone() -> None:
    gate = Gate()
    app = Standing(hang, gate, grace=0.05)

    async def run() -> None:
        upload = asyncio.create_task(ask(app, "POST", "/api/v1/ingest"))
        question = asyncio.create_task(ask(app, "GET", "/api/v1/documents"))
        await asyncio.sleep(0.02)
        assert (gate.in_flight, gate.writing) == (2, 1)
        gate.tell(PlaneState.ACTIVE, None, Upkeep.READING)
        assert await asyncio.wait_for(upload, 5) == 503
        await asyncio.sleep(0.1)
        assert not question.done()
        assert (gate.in_flight, gate.writing) == (1, 0)
        gate.tell(PlaneState.ACTIVE, None, Upkeep.FROZEN)
        assert await asyncio.wait_for(question, 5) == 503

    asyncio.run(run())


def test_an_endless_answer_goes_on_while_questions_are_answered() -> None:
    gate = Gate()

    async def run() -> None:
        with Watching(gate) as stopping:
            gate.tell(PlaneState.ACTIVE, None, Upkeep.READING)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stopping.sleep(60), 0.1)
            assert stopping.told is None
            gate.tell(PlaneState.ACTIVE, None, Upkeep.FROZEN)
            await asyncio.wait_for(stopping.sleep(60), 5)
            assert stopping.told is not None

    asyncio.run(run())


def test_requests_wait_at_a_plane_that_was_started_in_the_middle_of_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """And at no other: who is asked to come again would only hold up the end of the process that is exchanged."""

    async def passed(scope: Any, receive: Any, send: Any) -> None:
        await answer(scope, receive, send)

    async def asked(gate: Gate, then: Upkeep | None) -> tuple[int, float]:
        app, loop = Standing(passed, gate), asyncio.get_running_loop()
        began, request = loop.time(), asyncio.create_task(ask(app, "POST", "/api/v1/ingest"))
        await asyncio.sleep(0.05)
        if then is not None:
            await asyncio.to_thread(gate.tell, PlaneState.ACTIVE, None, then)
        return await request, loop.time() - began

    def still() -> Gate:
        gate = Gate()
        gate.tell(PlaneState.ACTIVE, None, Upkeep.FROZEN)
        return gate

    assert asyncio.run(asked(still(), Upkeep.OPEN))[0] == 200
    assert asyncio.run(asked(still(), Upkeep.READING))[0] == 503
    monkeypatch.setattr("frostbyte.api.data.standing.WAIT_SECONDS", 0.2)
    status, seconds = asyncio.run(asked(still(), None))
    assert (status, seconds >= 0.2) == (503, True)
    closed = Gate()
    closed.tell(PlaneState.ACTIVE, None, Upkeep.READING)
    assert asyncio.run(asked(closed, None))[1] < 0.2
    suspended = Gate()
    suspended.tell(PlaneState.SUSPENDED, None, Upkeep.FROZEN)
    assert asyncio.run(asyncio.wait_for(Standing(passed, suspended)(*scoped()), 0.1)) is None


def scoped() -> tuple[Any, Any, Any]:
    """A question whose answer nobody looks at."""

    async def nothing(*message: Any) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    return scope("/api/v1/query") | {"method": "POST"}, nothing, nothing
