"""Which message is answered with what, in every version that is spoken."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.api.mcp.protocol import MOST_AT_ONCE, Reply, Service
from frostbyte.api.mcp.tools import Tools
from mcp.conftest import Answering, verify

CASES = tomllib.loads((Path(__file__).parent / "messages.toml").read_text(encoding="utf-8"))["case"]


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_message_has_its_answer(case: dict[str, Any], service: Service) -> None:
    reply = service.answer(json.loads(case["sent"]), "token")
    if case.get("silent"):
        assert reply.message is None
    for path, value in case.get("says", {}).items():
        assert at(reply.message, path) == value, reply.message
    if "status" in case:
        assert reply.status == case["status"]


def test_more_at_once_than_is_taken_is_refused_whole(service: Service, plane: Answering) -> None:
    call = {"method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"}}}
    message = [{"jsonrpc": "2.0", "id": number} | call for number in range(MOST_AT_ONCE + 1)]
    assert at(service.answer(message, "t").message, "error.code") == -32600
    assert plane.asked == []


def test_an_unforeseen_failure_is_an_answer_and_tells_nothing(plane: Answering, service: Service) -> None:
    plane.answers["POST", "/query"] = {"results": [{"chunk_id": "secret text"}]}  # not as a plane answers
    call = {"method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"}}}
    reply = service.answer({"jsonrpc": "2.0", "id": 1} | call, "t")
    assert (at(reply.message, "error.code"), reply.status) == (-32603, 500)
    assert "secret" not in json.dumps(reply.message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["initialize", "ping", "tools/list", "tools/call", "server/discover"])
META = st.dictionaries(
    st.sampled_from(["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"]),
    st.sampled_from(["2026-07-28", "1999-01-01", {}]) | JSON,
)
PARAMS = st.fixed_dictionaries({}, optional={"name": st.just("search") | JSON, "arguments": JSON, "_meta": META | JSON})
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | JSON},
    optional={"id": st.integers() | JSON, "method": NAMES | JSON, "params": PARAMS | JSON},
)


@settings(max_examples=60, deadline=None)
@given(message=MESSAGES | JSON | st.lists(MESSAGES, max_size=3))
def test_whatever_comes_is_answered_or_passed_over(message: Any) -> None:
    reply = Service(Tools(Answering(), "", verify, ""), "0").answer(message, "t")
    assert isinstance(reply, Reply)
    said = reply.message if isinstance(reply.message, list) else [reply.message] if reply.message else []
    for one in said:
        assert one["jsonrpc"] == "2.0"
        assert ("result" in one) is not ("error" in one)
        assert one.get("error", {}).get("code") != -32603, "an unforeseen failure"
