"""Assistants against a real plane: what they get is what the API gives, proven, and on record as the API's."""

from __future__ import annotations

from typing import Any

import pytest

from api.conftest import Api
from frostbyte.api.mcp.protocol import Service
from frostbyte.api.mcp.tools import Judged, Tools
from frostbyte.cli import verifier
from frostbyte.cli.client import problem
from frostbyte.kernel.tokens import Scope


class Asking:
    """The plane's API, in this process."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def json(self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        answer = self._api.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        if answer.is_error:
            raise problem(answer)
        return answer.json()


@pytest.fixture
def service(api: Api) -> Service:
    """The server in front of the plane, with the plane's own log key."""

    def verify(proof: Any) -> Judged:
        verdict = verifier.verify_proof(proof, api.plane.signer.verifier_key)
        return Judged(verdict.ok, verdict.checked, verdict.attested, [item.name for item in verdict.failures])

    return Service(Tools(Asking(api), "http://plane", verify, "test"), "0")


def call(service: Service, token: str, name: str, **arguments: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    reply = service.answer(message, token)
    assert isinstance(reply.message, dict)
    result: dict[str, Any] = reply.message["result"]
    return result


def test_a_question_is_answered_proven_and_on_record(api: Api, contract: dict[str, Any], service: Service) -> None:
    token = api.token(Scope.QUERY, subject="assistant-of-mia")
    found = call(service, token, "search", query="notice to terminate", doc_ids=[contract["doc_id"]], top_k=1)
    assert found["isError"] is False, found
    [item] = found["structuredContent"]["results"]
    got = call(service, token, "fetch", id=item["id"])["structuredContent"]
    assert got["text"] == item["text"]
    assert got["proof"]["holds"] is True
    assert "ninety days" in got["text"]
    while api.plane.sequencer.run_once():
        pass
    kept = api.call("GET", f"/audit/events?resource_id={found['structuredContent']['query_id']}").json()["events"]
    assert [(event["type"], event["actor"]) for event in kept] == [("RETRIEVAL_EXECUTED", "assistant-of-mia")]


def test_a_token_opens_no_more_here_than_at_the_api(api: Api, contract: dict[str, Any], service: Service) -> None:
    refused = call(service, api.token(Scope.INGEST), "search", query="notice")
    assert refused["isError"] is True
    assert "structuredContent" not in refused
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "x"}},
    }
    assert service.answer(message, "no token at all").status == 401


def test_filters_that_the_plane_does_not_take_are_told(api: Api, service: Service) -> None:
    refused = call(service, api.token(Scope.QUERY), "search", query="x", received_from="yesterday")
    assert refused["isError"] is True
    assert "received_from" in refused["content"][0]["text"]
