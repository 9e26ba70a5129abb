"""One document's way is found in the logs: from the request that brought it to each stage, in whatever process."""

from __future__ import annotations

import io
import json
import logging as python_logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog

from frostbyte.bootstrap.data import Plane
from frostbyte.kernel import logging
from frostbyte.kernel.tokens import Scope


@pytest.fixture
def lines() -> Iterator[Any]:
    stream, root, before = io.StringIO(), python_logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    logging.configure(level="info", tenant="demo", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_request_batch_document_and_stages_are_tied(plane: Plane, client: Any, lines: Any) -> None:
    token, _ = plane.tokens.mint("tester", frozenset(Scope), timedelta(hours=1))
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "0123456789-trace"}
    files = [("files", ("secret-name.txt", b"Traced words of a secret.", "text/plain"))]
    taken = client.post("/api/v1/ingest", files=files, headers=headers).json()
    while plane.runner.run_one():
        pass
    said = lines()
    [received] = [line for line in said if line["event"] == "document_received"]
    [answered] = [line for line in said if line["event"] == "answered"]
    doc_id = taken["accepted"][0]["doc_id"]
    assert received["request_id"] == answered["request_id"] == "0123456789-trace"
    assert received["batch_id"] == taken["batch_id"]
    assert received["doc_id"] == doc_id
    stages = [line for line in said if line["event"] == "stage_ended"]
    assert [line["stage"] for line in stages] == ["scan", "parse", "policy", "embed", "index"]
    assert [line["status"] for line in stages] == ["done"] * 4 + ["indexed"]
    assert {line["doc_id"] for line in stages} == {doc_id}
    assert all(line["tenant"] == "demo" and line["job_id"] and line["duration_ms"] >= 0 for line in stages)
    assert "secret" not in json.dumps(said).lower()
    assert not any("dropped" in line for line in said)
