"""What an assistant gets: passages to cite, proofs that were checked, warnings, and errors that it can act on."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.api.mcp.tools import NOTICE, WARNING, Tools, visible
from frostbyte.kernel.errors import Forbidden, FrostbyteError, Kind, Unauthenticated
from mcp.conftest import CHUNK, VECTORS, Answering, passage


def made(tools: Tools, name: str, **arguments: Any) -> dict[str, Any]:
    """A tool's result that is no error, of which both forms say the same."""
    result = tools.call(name, arguments, "secret-token").result
    assert result["isError"] is False, result
    [text] = result["content"]
    assert json.loads(text["text"]) == result["structuredContent"]
    found: dict[str, Any] = result["structuredContent"]
    return found


def refusal(tools: Tools, name: str, **arguments: Any) -> str:
    result = tools.call(name, arguments, "secret-token").result
    assert result["isError"] is True
    assert "structuredContent" not in result
    return str(result["content"][0]["text"])


def test_a_search_is_the_callers_and_its_results_can_be_cited(plane: Answering, tools: Tools) -> None:
    found = made(tools, "search", query="Kündigung", top_k=3, classification=["contract"], received_to="2026-01-31")
    [(method, path, body, authorization)] = plane.asked
    assert (method, path, authorization) == ("POST", "/query", "Bearer secret-token")
    assert body == {
        "query": "Kündigung",
        "top_k": 3,
        "filters": {"classification": ["contract"], "received_to": "2026-01-31T23:59:59.999999Z"},
    }
    [item] = found["results"]
    assert item["url"] == f"https://docs.example/console/passages/{CHUNK}"
    assert (item["id"], item["title"], item["page"]) == (CHUNK, "Vertrag, page 1", 1)
    assert found["notice"] == NOTICE
    assert "warning" not in item


def test_a_suspicious_passage_comes_with_a_warning(plane: Answering, tools: Tools) -> None:
    plane.answers["POST", "/query"] = {"query_id": "q", "results": [passage(flags=["injection_suspected"])]}
    plane.answers["GET", f"/chunks/{CHUNK}"] = passage(injection_score=0.31)
    assert made(tools, "search", query="x")["results"][0]["warning"] == WARNING
    assert made(tools, "fetch", id=CHUNK)["warning"] == WARNING
    plane.answers["GET", f"/chunks/{CHUNK}"] = passage(injection_score=0.29)
    assert "warning" not in made(tools, "fetch", id=CHUNK)


def test_a_passage_is_handed_on_as_its_proof_has_it(plane: Answering, tools: Tools) -> None:
    plane.answers["GET", f"/chunks/{CHUNK}"] = passage(text="something that nobody signed")
    got = made(tools, "fetch", id=CHUNK)
    assert got["text"] == VECTORS["proof"]["answer"]["text"]
    assert got["proof"]["holds"] is True
    assert any("signed by" in line for line in got["proof"]["checked"])
    assert "proof_document" not in got
    assert made(tools, "fetch", id=CHUNK, include_proof=True)["proof_document"] == VECTORS["proof"]


@pytest.mark.parametrize("change", VECTORS["changes"], ids=lambda change: ".".join(map(str, change["path"])))
def test_no_passage_without_a_proof_that_holds(change: dict[str, Any], plane: Answering, tools: Tools) -> None:
    proof = copy.deepcopy(VECTORS["proof"])
    at = proof
    for step in change["path"][:-1]:
        at = at[step]
    at[change["path"][-1]] = change["value"]
    plane.answers["GET", f"/chunks/{CHUNK}/proof"] = proof
    said = refusal(tools, "fetch", id=CHUNK)
    assert change["failure"] in said
    assert said.endswith("(proof_does_not_hold)")
    assert VECTORS["proof"]["answer"]["text"] not in said


@pytest.mark.parametrize("proof", [{}, {"format": "frostbyte-proof/9"}, [], None, {"answer": {}}])
def test_no_passage_with_what_is_no_proof(proof: Any, plane: Answering, tools: Tools) -> None:
    plane.answers["GET", f"/chunks/{CHUNK}/proof"] = proof
    assert "it cannot be read" in refusal(tools, "fetch", id=CHUNK)


def test_no_passage_with_the_proof_of_another(plane: Answering, tools: Tools) -> None:
    other = "00000000-0000-0000-0000-0000000000c2"
    plane.answers["GET", f"/chunks/{other}"] = passage()
    plane.answers["GET", f"/chunks/{other}/proof"] = VECTORS["proof"]
    assert "about another passage" in refusal(tools, "fetch", id=other)


ERRORS: list[tuple[FrostbyteError, bool]] = [
    (Forbidden("scope_missing", "This token does not allow it.", "Ask for 'query'."), False),
    (FrostbyteError("rate_limited", "Too many requests.", "Wait 7 seconds.", kind=Kind.RATE_LIMITED), False),
    (Unauthenticated("token_revoked", "This token was revoked.", "Get a new token."), True),
]


@pytest.mark.parametrize(("error", "stranger"), ERRORS, ids=lambda value: getattr(value, "code", ""))
def test_what_the_plane_refuses_is_told_with_its_remedy(
    error: FrostbyteError, stranger: bool, plane: Answering, tools: Tools
) -> None:
    plane.answers["POST", "/query"] = error
    done = tools.call("search", {"query": "x"}, "t")
    assert done.stranger is stranger
    assert done.result["isError"] is True
    assert done.result["content"][0]["text"] == f"{error.message} {error.remedy} ({error.code})"


def test_an_id_cannot_become_another_route(plane: Answering, tools: Tools) -> None:
    for id in ("../audit/events", "", "x", f"{CHUNK}/../..", CHUNK + "?a=b"):
        assert "arguments_invalid" in refusal(tools, "fetch", id=id)
    assert plane.asked == []


def test_what_a_model_reads_hides_nothing(plane: Answering, tools: Tools) -> None:
    hidden = "pay\u200b now\u202e \U000e0041\U000e0042 ok é 漢"
    plane.answers["POST", "/query"] = {"query_id": "q", "results": [passage(text=hidden)]}
    result = tools.call("search", {"query": "x"}, "t").result
    text = result["content"][0]["text"]
    assert all(escape in text for escape in ("\\u200b", "\\u202e", "\\udb40\\udc41", "é", "漢"))
    assert not set(text) & set("\u200b\u202e\U000e0041")
    assert result["structuredContent"]["results"][0]["text"] == hidden


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_writing_out_what_is_hidden_changes_no_value(text: str) -> None:
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


def test_schemas_stand_by_themselves(tools: Tools) -> None:
    for tool in tools.list():
        assert "$ref" not in json.dumps(tool)
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
