"""Over a program's own input and output: a message a line, several at once, and a clean end."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from frostbyte.api.mcp.protocol import Service
from frostbyte.api.mcp.stdio import LONGEST, Stdio
from mcp.conftest import Answering

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"}}}


def line(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n"


def said(service: Service, sent: bytes) -> list[dict[str, Any]]:
    sink = io.BytesIO()
    Stdio(service, "token", io.BytesIO(sent), sink).run()
    assert sink.getvalue().endswith(b"\n") or not sink.getvalue()
    return [json.loads(one) for one in sink.getvalue().splitlines()]


def test_each_line_is_answered_by_a_line_and_the_end_of_input_is_the_end(service: Service, plane: Answering) -> None:
    sent = line(id=1, method="ping") + b"\n" + line(method="notifications/initialized") + line(**CALL | {"id": "b"})
    replies = {reply["id"]: reply for reply in said(service, sent)}
    assert set(replies) == {1, "b"}
    assert replies["b"]["result"]["structuredContent"]["query_id"] == "q1"
    assert plane.asked[0][3] == "Bearer token"


def test_lines_that_are_no_message_do_not_end_it(service: Service) -> None:
    sent = b"{\n" + b"\xff\n" + b'"' + b"x" * (3 * LONGEST) + b'"\n' + line(id=9, method="ping")
    replies = said(service, sent)
    assert sorted(reply["error"]["code"] for reply in replies if "error" in reply) == [-32700, -32700, -32600]
    assert [reply["id"] for reply in replies if "result" in reply] == [9]


def test_a_last_line_without_an_end_is_a_message(service: Service) -> None:
    assert [reply["id"] for reply in said(service, line(id=3, method="ping").rstrip())] == [3]


@contextmanager
def held(service: Service, plane: Answering) -> Iterator[tuple[BinaryIO, BinaryIO, threading.Event]]:
    """A conversation in which the plane answers once it is let go: what the client writes, reads, and the latch."""
    go, answer = threading.Event(), plane.json

    def waits(*args: Any, **more: Any) -> Any:
        assert go.wait(10)
        return answer(*args, **more)

    plane.json = waits  # type: ignore[method-assign]
    (source, to_server), (from_server, sink) = os.pipe(), os.pipe()
    with (
        os.fdopen(source, "rb") as reads,
        os.fdopen(sink, "wb") as writes,
        os.fdopen(to_server, "wb", buffering=0) as client,
        os.fdopen(from_server, "rb") as heard,
    ):
        thread = threading.Thread(target=Stdio(service, "token", reads, writes).run, daemon=True)
        thread.start()
        yield client, heard, go
        go.set()
        client.close()
        thread.join(10)
        assert not thread.is_alive()


def test_a_ping_does_not_wait_for_a_search(service: Service, plane: Answering) -> None:
    with held(service, plane) as (client, heard, go):
        client.write(line(**CALL) + line(id=2, method="ping"))
        assert json.loads(heard.readline())["id"] == 2
        go.set()
        assert json.loads(heard.readline())["id"] == 1


def test_what_was_cancelled_is_not_answered(service: Service, plane: Answering) -> None:
    with held(service, plane) as (client, heard, go):
        client.write(line(**CALL) + line(method="notifications/cancelled", params={"requestId": 1}))
        client.write(line(id=2, method="ping"))
        assert json.loads(heard.readline())["id"] == 2
        go.set()
        client.write(line(id=1, method="ping"))  # an id that is free again
        assert json.loads(heard.readline()) == {"jsonrpc": "2.0", "id": 1, "result": {}}
