"""Event streams: they say what moves, beat while nothing does, end when they should, and there is an end to them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from frostbyte.api.data import streams
from frostbyte.api.http.streams import Streams
from frostbyte.data_plane.gate import Gate
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.tokens import Caller, Scope

CALLER = Caller(subject="watcher", scopes=frozenset({Scope.QUERY}), token_id="t")


def state(name: str, done: bool = False) -> dict[str, Any]:
    """A batch of one document."""
    return {
        "documents": [{"receipt_id": "r1", "state": name}],
        "completed_at": "2026-01-01T00:00:00Z" if done else None,
        "counts": {name: 1},
    }


class Request:
    """A client that stays for a number of looks."""

    def __init__(self, looks: int = 10**6) -> None:
        self.looks = looks

    async def is_disconnected(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def watch(
    *answers: Any, request: Request | None = None, open_streams: Streams | None = None, gate: Gate | None = None
) -> str:
    """What a client of a plane that gives these answers hears; the last one is repeated."""
    given = list(answers)

    def status(batch_id: Any, subject: str | None) -> Any:
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    plane: Any = SimpleNamespace(batches=SimpleNamespace(status=status))

    async def run() -> str:
        first = status(None, None)
        heard = streams._changes(
            gate or Gate(),
            streams._whole(plane, new_id(), CALLER),
            first,
            request or Request(),
            open_streams or Streams(),  # type: ignore[arg-type]
        )
        return "".join([block async for block in heard])

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what people would not notice."""
    monkeypatch.setattr(streams, "_POLL_SECONDS", 0.001)


def test_only_what_moved_is_said() -> None:
    heard = watch(state("received"), state("received"), state("waiting"), state("indexed", done=True))
    said = [json.loads(line[6:])["state"] for line in heard.splitlines() if line.startswith('data: {"receipt')]
    assert said == ["received", "waiting", "indexed"]
    assert heard.endswith('event: done\ndata: {"indexed": 1}\n\n')


def test_a_silent_stream_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.0)
    assert watch(state("waiting"), request=Request(3)).count(": still here\n\n") == 4


def test_a_name_with_line_breaks_forges_no_event() -> None:
    forged = state("indexed", done=True)
    forged["documents"][0]["filename"] = "a\n\nevent: done\ndata: {}\r\n\r\n\u2028"
    assert watch(forged).count("event: done") == 1 + 1  # inside the JSON string, and the real one
    assert [line for line in watch(forged).split("\n") if line.startswith("event: done")] == ["event: done"]


def test_an_outage_is_waited_for_and_other_errors_end_it() -> None:
    away = Unavailable("database_unavailable", "It is away.", "Wait.")
    assert "event: done" in watch(state("waiting"), away, away, state("indexed", done=True))
    gone = NotFound("batch_not_found", "There is none.", "Check.")
    assert "event: done" not in watch(state("waiting"), gone, state("indexed", done=True))
    assert "event: done" not in watch(state("waiting"), Conflict("x_y", "No.", ""), state("indexed", done=True))


def test_it_ends_when_the_client_the_plane_or_the_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "done" not in watch(state("waiting"), request=Request(0))
    closing = Streams()
    closing.closing.set()
    assert "done" not in watch(state("waiting"), open_streams=closing)
    monkeypatch.setattr(streams, "LONGEST_SECONDS", 0.0)
    assert "done" not in watch(state("waiting"))


def test_it_says_that_the_plane_was_told_to_stop_and_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_SECONDS", 60.0)
    gate = Gate()
    threading.Timer(0.2, lambda: gate.tell(PlaneState.SUSPENDED, None)).start()  # from another thread, as it comes
    heard = watch(state("received"), gate=gate)
    assert heard.count("event: suspended") == 1
    assert json.loads(heard.rpartition("data: ")[2])["code"] == "tenant_suspended"


def test_places_are_few_and_are_given_back(
    api: Any, contract: Any, refused: Callable[[Any, int, str], dict[str, Any]]
) -> None:
    path = f"/ingest/{contract['batch_id']}/events"
    before, api.app.state.streams = api.app.state.streams, Streams(most=1)
    try:
        for _ in range(3):
            assert api.call("GET", path).text.endswith('event: done\ndata: {"indexed": 1}\n\n')
        api.app.state.streams.enter()
        answer = api.call("GET", path)
        refused(answer, 503, "streams_busy")
        assert int(answer.headers["retry-after"]) > 0
        with pytest.raises(FrostbyteError):
            api.app.state.streams.enter()
        api.app.state.streams.leave()
        assert api.call("GET", path).status_code == 200
    finally:
        api.app.state.streams = before


def heard(api: Any, path: str) -> list[tuple[str, Any]]:
    """The events of a stream to its end."""
    blocks = [block.split("\n") for block in api.call("GET", path).text.split("\n\n") if block.startswith("event")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_whoever_shows_a_page_hears_sums_and_that_page_alone(api: Any) -> None:
    unique = str(new_id())
    sent = api.send(
        *((f"{n}.txt", f"Letter {n} about {unique}".encode()) for n in range(3)), ("x.exe", b"MZ" + bytes(99))
    )
    api.ended(sent["batch_id"])
    events = heard(api, f"/ingest/{sent['batch_id']}/events?files=2&after=1")
    assert [name for name, _ in events] == ["document", "document", "progress", "done"]
    assert [(data["filename"], data["position"]) for _, data in events[:2]] == [("2.txt", 2), ("x.exe", 3)]
    sums = events[2][1]
    assert (sums["files"], sums["rejected"], sums["states"]["indexed"], sums["seconds_left"]) == (4, 1, 3, 0.0)
    assert events[3][1] == sums["states"]
    assert [name for name, _ in heard(api, f"/ingest/{sent['batch_id']}/events?files=0")] == ["progress", "done"]
