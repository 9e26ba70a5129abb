"""Operations watched: step by step, from where it broke off, to the end and not beyond it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from control.memory_plane import Admin, events
from frostbyte.api.control import operations, trees
from frostbyte.api.http.streams import Streams
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what people would not notice."""
    monkeypatch.setattr(operations, "_POLL_SECONDS", 0.005)
    monkeypatch.setattr(operations, "_IDLE_POLL_SECONDS", 0.005)


def begun(admin: Admin) -> str:
    """A suspension that nobody carries out yet."""
    tenant = admin.tenant("ACTIVE")
    admin.hands.at_once = False
    return str(admin.made(f"/tenants/{tenant}/suspend", {"reason": "payment"})["operation_id"])


def test_steps_are_told_as_they_happen(admin: Admin) -> None:
    operation = begun(admin)
    heard: list[Any] = []

    def listen() -> None:
        heard.extend(events(admin.call("GET", f"/operations/{operation}/events").text))

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.05)
    assert listener.is_alive(), "a stream ended before its operation"
    admin.hands.finish(operation)
    listener.join(10)
    assert [(number, name) for number, name, _ in heard] == [("1", "step"), ("2", "step"), ("", "done")]
    assert [data.get("step") for _, _, data in heard[:2]] == ["edge_closed", "plane_acknowledged"]
    assert heard[2][2]["status"] == "succeeded"


@pytest.mark.parametrize(("last", "told"), [("1", ["2", ""]), ("2", [""]), ("99", [""]), ("x", ["1", "2", ""])])
def test_a_stream_goes_on_where_it_broke_off(last: str, told: list[str], admin: Admin) -> None:
    operation = begun(admin)
    admin.hands.finish(operation)
    answer = admin.call("GET", f"/operations/{operation}/events", headers={"Last-Event-ID": last})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [number for number, _, _ in events(answer.text)] == told


class Request:
    """A client that stays for a number of looks."""

    def __init__(self, looks: int = 10**6) -> None:
        self.looks = looks

    async def is_disconnected(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def watched(admin: Admin, operation: str, request: Request, streams: Streams | None = None) -> str:
    """What a client hears."""

    async def run() -> str:
        first = operations._read(admin.control, UUID(operation))
        heard = operations._steps(admin.control, first, 0, request, streams or Streams())  # type: ignore[arg-type]
        return "".join([block async for block in heard])

    return asyncio.run(run())


def test_a_silent_stream_beats(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "HEARTBEAT_SECONDS", 0.0)
    assert watched(admin, begun(admin), Request(3)).count(": still here\n\n") == 4


def test_it_ends_when_the_client_the_server_or_the_time_ends(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = begun(admin)
    assert watched(admin, operation, Request(0)) == ""
    closing = Streams()
    closing.closing.set()
    assert watched(admin, operation, Request(), closing) == ""
    monkeypatch.setattr(operations, "LONGEST_SECONDS", 0.0)
    assert watched(admin, operation, Request()) == ""


@pytest.mark.parametrize(
    ("error", "done"),
    [(Unavailable("database_unavailable", "It is away.", "Wait."), True), (Conflict("x_y", "No.", "No."), False)],
)
def test_an_outage_is_waited_for_and_other_errors_end_it(
    error: FrostbyteError, done: bool, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = begun(admin)
    real, calls = operations._read, 0

    def read(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in (2, 3):
            raise error
        if calls == 4:
            admin.hands.finish(operation)
        return real(*args)

    monkeypatch.setattr(operations, "_read", read)
    assert ("event: done" in watched(admin, operation, Request())) is done


def test_places_are_few_and_are_given_back(admin: Admin, refused: Callable[[Any, int, str], dict[str, Any]]) -> None:
    operation = begun(admin)
    admin.hands.finish(operation)
    admin.app.state.streams = Streams(most=1)
    path = f"/operations/{operation}/events"
    for _ in range(3):
        assert admin.call("GET", path).status_code == 200
    admin.app.state.streams.enter()
    answer = admin.call("GET", path)
    refused(answer, 503, "streams_busy")
    assert int(answer.headers["retry-after"]) > 0


def test_a_tree_says_what_comes_and_how_long_the_edge_took(admin: Admin) -> None:
    operation = begun(admin)
    told = admin.call("GET", f"/operations/{operation}/tree").json()
    assert [(node["key"], node["state"]) for node in told["nodes"]] == [
        ("registry_committed", "done"),
        ("edge_closed", "expected"),
        ("plane_acknowledged", "expected"),
    ]
    assert (told["edge_seconds"], told["ended_at"]) == (None, None)
    admin.hands.finish(operation)
    told = admin.call("GET", f"/operations/{operation}/tree").json()
    assert (told["done"], told["of"], told["status"]) == (3, 3, "succeeded")
    assert 0 <= told["edge_seconds"] <= told["plane_seconds"] <= told["seconds"]
    assert told.keys() == trees.EXAMPLE.keys()
    assert told["nodes"][0].keys() == trees.EXAMPLE["nodes"][0].keys()


def test_what_is_no_operation_has_no_tree(admin: Admin, refused: Callable[[Any, int, str], dict[str, Any]]) -> None:
    refused(admin.call("GET", f"/operations/{uuid4()}/tree"), 404, "operation_not_found")
