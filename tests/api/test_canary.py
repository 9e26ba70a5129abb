"""What people send is in their answers and in no log, metric, event or error body (promise 10)."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
import structlog

from frostbyte.kernel.ids import new_id

pytestmark = pytest.mark.slow


def test_the_canary_is_heard_nowhere(
    api: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    structlog.reset_defaults()  # a test before may have had a server's logs set up in this process
    caplog.set_level(logging.DEBUG)
    canary = f"zanarivogel{new_id().hex[-12:]}"
    item = api.indexed(f"{canary}.txt", f"The {canary} sings in the freezer at night.".encode())
    found = api.call("POST", "/query", json={"query": f"where does the {canary} sing", "top_k": 50})
    assert canary in found.text, "the sender's own answers do show it"
    errors = [
        api.call("POST", "/query", json={"query": 7, canary: canary}),
        api.call("POST", "/query", json={"query": canary, "mode": canary}),
        api.call("GET", f"/documents/{canary}"),
        api.call("GET", f"/{canary}"),
        api.call("GET", "/documents", token=canary),
        api.call("GET", "/documents", params={"cursor": canary, canary: canary}),
        api.call("GET", f"/export/chunks?cursor={canary}"),
        api.call("PUT", "/config", json={"top_k": canary}, headers={"If-Match": '"0"'}),
        api.call("POST", "/tokens", json={"subject": canary, "scopes": [canary]}),
        api.call("POST", f"/review/documents/{item['doc_id']}", json={"classification": canary, "reason": canary}),
        api.call("POST", "/ingest", content=canary.encode(), headers={"Content-Type": f"text/{canary}"}),
    ]
    assert all(400 <= answer.status_code < 500 for answer in errors), [answer.status_code for answer in errors]
    assert [answer.text for answer in errors if canary in answer.text] == []
    assert canary not in api.client.get("/metrics").text
    assert canary not in api.client.get("/ready").text
    captured = capfd.readouterr()
    # The test's own client logs the addresses it calls.
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert canary not in captured.out + captured.err + logged
    assert "answered" in captured.out + captured.err + logged, "logs were not captured at all"
    assert canary not in json.dumps(events_of(api, item["doc_id"]))


def events_of(api: Any, doc_id: str) -> list[dict[str, Any]]:
    """Every numbered event, once the document's own are among them."""
    deadline = time.monotonic() + 20
    while True:
        told: list[dict[str, Any]] = []
        cursor: int | None = -1
        while cursor is not None:
            page = api.call("GET", "/audit/events", params={"cursor": cursor, "limit": 1000}).json()
            told += page["events"]
            cursor = page["next_cursor"]
        if doc_id in [event["resource_id"] for event in told]:
            return told
        assert time.monotonic() < deadline
        time.sleep(0.1)
