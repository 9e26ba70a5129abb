"""Questions, documents, passages and their proofs over HTTP."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from PIL import Image

from frostbyte.api.data.app import create_app
from frostbyte.cli.verifier import verify_proof
from frostbyte.data_plane.serve.custody import Standing
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.limits import Limiter
from frostbyte.kernel.tokens import Scope

Refused = Callable[[Any, int, str], dict[str, Any]]
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def passage(api: Any, contract: Any) -> dict[str, Any]:
    """The best passage about notice periods."""
    answer = api.call(
        "POST", "/query", json={"query": "notice to terminate", "filters": {"doc_ids": [contract["doc_id"]]}}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["results"][0]
    return found


@pytest.fixture(scope="module")
def pdf(api: Any) -> dict[str, Any]:
    """An indexed document with pages to look at."""
    item: dict[str, Any] = api.indexed("agreement.pdf", (SAMPLES / "services-agreement.pdf").read_bytes())
    return item


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_question_is_answered_with_its_source(mode: str, api: Any, contract: Any) -> None:
    question = {"query": "notice to terminate the agreement", "mode": mode, "top_k": 3}
    told = api.call("POST", "/query", json=question).json()
    assert UUID(told["query_id"])
    assert told["embedding"]["remote"] is False
    assert contract["doc_id"] in [item["doc_id"] for item in told["results"]]
    assert [item["rank"] for item in told["results"]] == list(range(1, len(told["results"]) + 1))
    best = next(item for item in told["results"] if item["doc_id"] == contract["doc_id"])
    assert "ninety days" in best["text"]
    assert "unscanned" in best["flags"]
    assert api.call("GET", best["links"]["proof"]).status_code == 200


def test_filters_narrow(api: Any, contract: Any) -> None:
    def found(**filters: Any) -> set[str]:
        answer = api.call("POST", "/query", json={"query": "notice", "filters": filters, "top_k": 50})
        assert answer.status_code == 200, answer.text
        return {item["doc_id"] for item in answer.json()["results"]}

    assert found(doc_ids=[contract["doc_id"]]) == {contract["doc_id"]}
    assert found(doc_ids=[]) == set()
    assert found(doc_ids=[str(new_id())]) == set()
    assert contract["doc_id"] in found(classification=contract["classification"])
    assert found(classification="no-such-class") == set()
    assert contract["doc_id"] in found(received_from="2020-01-01T00:00:00Z", received_to="2100-01-01T00:00:00")
    assert found(received_to="2020-01-01T00:00:00Z") == set()


@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "x" * 8001},
        {"query": "x", "top_k": 0},
        {"query": "x", "top_k": 51},
        {"query": "x", "mode": "telepathic"},
        {"query": "x", "tenant": "other"},
        {"query": "x", "filters": {"tenant_id": "other"}},
        {"query": "x", "filters": {"doc_ids": ["x"]}},
        {"query": 7},
        {},
    ],
)
def test_questions_that_are_none(body: dict[str, Any], api: Any, refused: Refused) -> None:
    refused(api.call("POST", "/query", json=body), 422, "request_invalid")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"query": "\\ud800 half a character"}',
        b'{"query": "a\\u0000b"}',
        b'{"query": "x", "filters": {"classification": "a\\u0000b"}}',
        b'{"query": "x", "filters": {"classification": "\\ud800"}}',
        b'{"query": "x", "filters": {"received_from": "0001-01-01T00:00:00+14:00"}}',
        b'{"query": "x", "filters": {"received_to": "9999-12-31T23:59:59-14:00"}}',
    ],
)
def test_bodies_from_the_edge_of_json_break_nothing(content: bytes, api: Any) -> None:
    answer = api.call("POST", "/query", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422), answer.text


def test_bodies_without_a_known_length(api: Any, refused: Refused) -> None:
    refused(api.call("POST", "/query", content=b"{" + b" " * (1 << 20) + b"}"), 413, "body_too_large")
    pieces = (b" " * (1 << 16) for _ in range(17))
    answer = api.call("POST", "/query", content=pieces)
    refused(answer, answer.status_code, {411: "length_required", 413: "body_too_large"}[answer.status_code])


@pytest.mark.slow
def test_documents_page_by_page(api: Any, contract: Any, pdf: Any) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 1, "state": "indexed"} | ({"cursor": cursor} if cursor else {})
        page = api.call("GET", "/documents", params=params).json()
        seen += [item["doc_id"] for item in page["documents"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen))
    assert {contract["doc_id"], pdf["doc_id"]} <= set(seen)


def test_a_document_and_its_content(api: Any, contract: Any) -> None:
    root = f"/documents/{contract['doc_id']}"
    told = api.call("GET", root).json()
    assert (told["state"], told["filename"], told["mime"]) == ("indexed", "contract.txt", "text/plain")
    assert told["account"]["characters"]["found"] > 0
    markdown = api.call("GET", f"{root}/content")
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "ninety days written notice" in markdown.text
    structure = api.call("GET", f"{root}/content?format=json").json()
    assert structure["doc_id"] == contract["doc_id"]
    assert "ninety days written notice" in json.dumps(structure)


def test_what_is_redacted_stays_so_in_every_form(api: Any) -> None:
    number = "anna.miller@halden-instruments.eu"
    text = f"Payment is confirmed to {number} of the supplier within ten days. {new_id()}\n"
    item = api.indexed("address.txt", text.encode())
    root = f"/documents/{item['doc_id']}"
    forms = [
        api.call("GET", f"{root}/content").text,
        api.call("GET", f"{root}/content?format=json").text,
        api.call("GET", "/export/chunks").text,
        api.call("POST", "/query", json={"query": "confirmed to the supplier", "top_k": 50}).text,
        api.call("GET", f"/ingest/{item['batch_id']}/report").text,
    ]
    assert [number in form for form in forms] == [False] * len(forms)
    assert number in api.call("GET", f"{root}/source").text


def test_pictures_of_pages(api: Any, pdf: Any, refused: Refused) -> None:
    root = f"/documents/{pdf['doc_id']}/pages"
    bounds = {"doc_ids": [pdf["doc_id"]]}
    chunk = api.call("POST", "/query", json={"query": "termination", "filters": bounds}).json()["results"][0]
    reader = api.token(Scope.QUERY)
    plain = api.call("GET", f"{root}/{chunk['page']}.png", token=reader)
    marked = api.call("GET", f"{root}/{chunk['page']}.png?highlight={chunk['chunk_id']}", token=reader)
    for answer in (plain, marked):
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).size[0] > 300
    assert plain.content != marked.content
    for number in ("0", "-1", "999", "9" * 30):
        refused(api.call("GET", f"{root}/{number}.png", token=reader), 404, "page_not_found")
    wrong = api.call("GET", f"{root}/{chunk['page']}.png?highlight={new_id()}", token=reader)
    refused(wrong, 404, "chunk_not_found")


def test_a_passage_and_its_proof(api: Any, contract: Any, passage: dict[str, Any], tmp_path: Path) -> None:
    shown = api.call("GET", f"/chunks/{passage['chunk_id']}").json()
    assert shown["text"] == passage["text"]
    source = tmp_path / "contract.txt"
    source.write_bytes(api.call("GET", f"/documents/{contract['doc_id']}/source").content)
    proof = api.call("GET", f"/chunks/{passage['chunk_id']}/proof").json()
    key = api.call("GET", "/audit/checkpoints").json()["public_key"]
    verdict = verify_proof(proof, key, source)
    assert verdict.ok, verdict.text()
    source.write_bytes(b"another file")
    assert not verify_proof(proof, key, source).ok
    blind = api.call("GET", f"/chunks/{passage['chunk_id']}/proof", token=api.token(Scope.QUERY)).json()
    assert verify_proof(blind, key).ok
    assert json.dumps(blind) != json.dumps(proof)


def test_the_source_is_as_it_came_and_its_reading_is_on_record(api: Any, contract: Any) -> None:
    reader = api.token(Scope.SOURCE, subject="source-reader")
    answer = api.call("GET", f"/documents/{contract['doc_id']}/source", token=reader)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''contract.txt"
    assert int(answer.headers["content-length"]) == len(answer.content) == contract["size"]
    deadline = time.monotonic() + 20
    while True:
        told = api.call("GET", "/audit/events", params={"resource_id": contract["doc_id"], "limit": 1000}).json()
        if "source-reader" in [event["actor"] for event in told["events"]]:
            break
        assert time.monotonic() < deadline, "the reading is not on record"
        time.sleep(0.1)


def test_export_as_lines_and_as_a_table(api: Any, contract: Any, pdf: Any) -> None:
    lines: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = api.call("GET", "/export/chunks", params={"limit": 2, "cursor": cursor})
        lines += [json.loads(line) for line in answer.text.splitlines()]
        cursor = answer.headers.get("x-next-cursor", "")
        if not cursor:
            break
    ids = [line["chunk_id"] for line in lines]
    assert len(ids) == len(set(ids))
    assert {contract["doc_id"], pdf["doc_id"]} <= {line["doc_id"] for line in lines}
    table = pq.read_table(io.BytesIO(api.call("GET", "/export/chunks?format=parquet&limit=5000").content))
    assert table.column("chunk_id").to_pylist() == ids
    # Written by one library, read by another: every column says what the lines say.
    assert [dict(row) for row in table.to_pylist()] == lines


@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "ÿ", "YS9i", "===="],
)
def test_cursors_of_nothing(cursor: str, api: Any, refused: Refused) -> None:
    refused(api.call("GET", f"/export/chunks?cursor={cursor}"), 422, "cursor_invalid")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/documents/{}", "document_not_found"),
        ("/documents/{}/content", "document_not_found"),
        ("/documents/{}/source", "document_not_found"),
        ("/documents/{}/pages/1.png", "document_not_found"),
        ("/chunks/{}", "chunk_not_found"),
        ("/chunks/{}/proof", "chunk_not_found"),
        ("/ingest/{}", "batch_not_found"),
        ("/ingest/{}/events", "batch_not_found"),
        ("/ingest/{}/report", "batch_not_found"),
        ("/receipts/{}", "receipt_not_found"),
        ("/erasures/{}", "erasure_not_found"),
        ("/audit/proof/{}", "event_not_found"),
        ("/audit/chain/{}", "resource_not_found"),
    ],
)
def test_what_does_not_exist(path: str, code: str, api: Any, refused: Refused) -> None:
    refused(api.call("GET", path.format(new_id())), 404, code)
    refused(api.call("GET", path.format("not-an-id")), 422, "request_invalid")


def test_routes_that_do_not_exist(api: Any, refused: Refused) -> None:
    refused(api.call("GET", "/nothing"), 404, "route_not_found")
    refused(api.call("PATCH", "/documents"), 405, "method_not_allowed")


def test_too_many_requests(api: Any, refused: Refused) -> None:
    narrow = type(api)(api.plane, create_app(api.plane, Limiter({"ingest": 1, "query": 2, "audit": 1, "total": 100})))
    assert [narrow.call("GET", "/documents").status_code for _ in range(2)] == [200, 200]
    answer = narrow.call("GET", "/documents")
    refused(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert narrow.call("GET", "/audit/events").status_code == 200, "groups are counted apart"
    refused(narrow.client.get("/api/v1/documents"), 401, "token_missing")


@pytest.mark.slow
def test_all_requests_together_have_a_limit_that_is_exact(api: Any, refused: Refused) -> None:
    now = 0.0
    limits = {"ingest": 9, "query": 9, "audit": 9, "total": 4}
    narrow = type(api)(api.plane, create_app(api.plane, Limiter(limits, lambda: now)))

    def machines() -> None:
        """What does not count, and is answered when nothing else is."""
        for path in ("/health", "/ready", "/metrics"):
            assert narrow.client.get(path).status_code == 200

    machines()
    asked = [narrow.call("GET", "/documents"), narrow.call("GET", "/audit/events"), narrow.client.get("/docs")]
    assert [answer.status_code for answer in asked] == [200, 200, 200]
    now = 20.0
    assert narrow.client.get("/api/v1/nothing").status_code == 404
    machines()
    answer = narrow.client.post("/api/v1/ingest", files={"files": ("a.txt", b"x" * 100_000)})
    refused(answer, 429, "rate_limited")
    assert answer.headers["retry-after"] == "40"
    assert answer.headers["x-content-type-options"] == "nosniff"
    machines()
    now = 60.0
    assert [narrow.call("GET", "/documents").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_every_answer_says_how_to_treat_it(api: Any) -> None:
    for path in ("/health", "/api/v1/documents", "/api/v1/nothing"):
        headers = api.client.get(path, headers={"X-Request-Id": "my-request-1"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"] == "my-request-1"
    assert api.client.get("/health", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_the_custody_of_a_passage_is_what_its_audit_says(api: Any) -> None:
    doc = api.indexed("custody.txt", b"Custody\n\nThe keys are kept by two people in two countries.\n")
    [hit, *_] = api.call("POST", "/query", json={"query": "keys kept by two people", "top_k": 1}).json()["results"]
    custody = api.plane.custody.passage(UUID(hit["chunk_id"]))
    assert [step.link.value for step in custody.steps] == "received scanned parsed judged embedded indexed".split()
    assert {step.standing for step in custody.steps} == {Standing.DONE}
    assert all(step.version for step in custody.steps[1:])
    chain = api.call("GET", f"/audit/chain/{doc['doc_id']}").json()["events"]
    assert [step.event_id for step in custody.steps] == [
        event["event_id"] for event in chain if event["event_id"] in {step.event_id for step in custody.steps}
    ]
    assert api.plane.custody.document(UUID(doc["doc_id"])).steps == custody.steps
