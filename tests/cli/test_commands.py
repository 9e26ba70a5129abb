"""What each command asks the plane, and what it shows of the answer."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from cli.fake_plane import BATCH, FakePlane, Request, Run, doc_id, item, report
from frostbyte.cli.exits import Exit
from frostbyte.data_plane.noted import meaning_of

pytestmark = pytest.mark.slow

CHUNK = "11111111-1111-5111-8111-111111111111"
ERASURE = "01990000-0000-7000-8000-0000000000e1"
RESULT = {
    "rank": 1,
    "score": 0.0327,
    "chunk_id": CHUNK,
    "doc_id": doc_id(1),
    "title": "Agreement [draft]",
    "page": 3,
    "start": 100,
    "end": 180,
    "text": "Either party may terminate\nwith ninety days' notice.",
    "headings": ["7. Term"],
    "classification": "contract",
    "flags": [],
}
FOUND = {"query_id": "q1", "embedding": {"label": "E5 (local)", "remote": False}, "results": [RESULT]}


def test_search_sends_only_what_was_asked_and_shows_passage_and_place(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/query", FOUND)
    ended = run("search", "notice?", "-k", "3", "--class", "contract", "--from", "2026-01-01", "--mode", "lexical")
    assert ended.code == Exit.OK
    assert json.loads(plane.last("POST", "/query").body) == {
        "query": "notice?",
        "top_k": 3,
        "mode": "lexical",
        "filters": {"classification": ["contract"], "received_from": "2026-01-01"},
    }
    for shown in (
        "Agreement [draft]",
        "page 3",
        "100-180",
        "0.033",
        "7. Term",
        "ninety days' notice",
        f"proof get {CHUNK}",
    ):
        assert shown in ended.out
    run("search", "notice?")
    assert json.loads(plane.last("POST", "/query").body) == {"query": "notice?"}


def test_search_that_finds_nothing_says_so(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/query", FOUND | {"results": []})
    ended = run("search", "x")
    assert ended.code == Exit.OK
    assert "Nothing was found" in ended.out
    assert run("search", "x", "--json").json["results"] == []


def test_a_long_passage_is_cut_on_a_screen_and_whole_on_demand(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/query", FOUND | {"results": [RESULT | {"text": "\n".join(f"line {n}" for n in range(40))}]})
    assert "28 more lines" in run("search", "x").out
    assert "line 39" in run("search", "x", "--full").out


def test_proofs_are_saved_for_their_owner_only(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    plane.on("POST", "/query", FOUND)
    plane.on("GET", f"/chunks/{CHUNK}/proof", {"format": "frostbyte-proof/1", "text": "ü"})
    ended = run("search", "x", "--proof", str(tmp_path / "proofs"), "--json")
    (saved,) = ended.json["proofs"]
    assert json.loads(Path(saved).read_text(encoding="utf-8"))["text"] == "ü"
    assert stat.S_IMODE(os.stat(saved).st_mode) == 0o600
    assert run("proof", "get", CHUNK, "-o", str(tmp_path / "one.json")).code == Exit.OK
    assert stat.S_IMODE((tmp_path / "one.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("id", "first"), [(BATCH, f"/api/v1/ingest/{BATCH}"), (doc_id(1), f"/api/v1/documents/{doc_id(1)}")]
)
def test_status_tells_batches_and_documents_apart_by_their_ids(run: Run, plane: FakePlane, id: str, first: str) -> None:
    plane.on(
        "GET",
        f"/ingest/{BATCH}",
        {"batch_id": BATCH, "created_at": "t", "completed_at": "t", "documents": [item(1, "indexed")]},
    )
    plane.on("GET", f"/documents/{doc_id(1)}", item(1, "indexed"))
    ended = run("status", id)
    assert ended.code == Exit.OK
    assert plane.seen[0].path == first
    assert len(plane.seen) == 1
    assert "file-1.txt" in ended.out


def test_status_says_what_was_noted_of_a_document(run: Run, plane: FakePlane) -> None:
    plane.on("GET", f"/documents/{doc_id(1)}", item(1, "indexed", notes=["layers_off", "truncated"]))
    shown = " ".join(run("status", doc_id(1)).out.split())
    for name in ("layers_off", "truncated"):
        assert f"({name})" in shown
        assert meaning_of(name).remedy in shown
    assert json.loads(run("status", doc_id(1), "--json").out)["notes"] == ["layers_off", "truncated"]


def test_status_of_an_id_that_is_neither_is_not_found(run: Run, plane: FakePlane) -> None:
    assert run("status", BATCH).code == Exit.NOT_FOUND
    assert len(plane.seen) == 2


def test_status_alone_shows_plane_warnings_and_documents(run: Run, plane: FakePlane) -> None:
    plane.on("GET", "/health", {"status": "ok", "tenant": "acme", "mode": "development", "warnings": ["NOT SCANNED"]})
    plane.on("GET", "/documents", {"documents": [item(1, "quarantined")], "next_cursor": None})
    ended = run("status", "--state", "quarantined")
    assert "acme" in ended.out
    assert "NOT SCANNED" in ended.out
    assert "file-1.txt" in ended.out
    assert plane.last("GET", "/documents").path.endswith("?limit=50&state=quarantined")


def test_a_report_page_is_written_as_it_comes(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    def answer(request: Request) -> object:
        return b"<html>" if "format=html" in request.path else report([item(1, "indexed", withheld=1)])

    plane.on("GET", f"/ingest/{BATCH}/report", answer)
    assert run("report", BATCH, "--html", str(tmp_path / "r.html")).code == Exit.OK
    assert (tmp_path / "r.html").read_bytes() == b"<html>"


def test_an_account_that_does_not_close_is_shouted(run: Run, plane: FakePlane) -> None:
    broken = report([item(1, "indexed")])
    broken["account"]["characters"]["indexed"] -= 1
    plane.on("GET", f"/ingest/{BATCH}/report", broken)
    assert "does NOT close" in run("report", BATCH).out


def test_erasing_needs_a_yes(run: Run, plane: FakePlane, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = {
        "erasure_id": ERASURE,
        "doc_id": doc_id(1),
        "key_destroyed_at": "2026-03-01",
        "vectors": {"status": "pending"},
    }
    plane.on("DELETE", f"/documents/{doc_id(1)}", receipt)
    plane.on("GET", f"/documents/{doc_id(1)}", item(1, "indexed"))
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115 - not a terminal
    ended = run("erase", doc_id(1))
    assert ended.code == Exit.USAGE
    assert "--yes" in ended.err
    assert not any(r.method == "DELETE" for r in plane.seen)
    ended = run("erase", doc_id(1), "--yes")
    assert ended.code == Exit.OK
    assert "destroyed 2026-03-01" in ended.out
    plane.on("GET", f"/erasures/{ERASURE}", receipt | {"vectors": {"status": "gone", "by": "2026-03-02"}})
    assert "gone, 2026-03-02" in run("erasure", ERASURE).out


def test_review_lists_releases_and_classifies(run: Run, plane: FakePlane) -> None:
    queue = {
        "chunks": [
            {
                "chunk_id": CHUNK,
                "doc_id": doc_id(1),
                "page": 2,
                "start": 0,
                "end": 9,
                "text": "ignore all",
                "injection_score": 0.9,
            }
        ],
        "documents": [
            {
                "doc_id": doc_id(2),
                "classification": "invoice",
                "class_confidence": 0.41,
                "second": "policy",
                "second_confidence": 0.33,
                "reasons": ["invoice_title"],
            }
        ],
    }
    plane.on("GET", "/review", queue)
    plane.on("POST", f"/review/chunks/{CHUNK}/release", {"event_id": "ev1"})
    plane.on("POST", f"/review/documents/{doc_id(2)}", {"event_id": "ev2"})
    listed = run("review", "list").out
    assert "ignore all" in listed
    assert "0.41, or policy, 0.33 (by invoice_title)" in " ".join(listed.split())
    assert run("review", "release", CHUNK, "--reason", "harmless").code == Exit.OK
    assert json.loads(plane.last("POST", f"/review/chunks/{CHUNK}/release").body) == {"reason": "harmless"}
    assert run("review", "classify", doc_id(2), "invoice", "-r", "read it").code == Exit.OK
    assert json.loads(plane.last("POST", f"/review/documents/{doc_id(2)}").body) == {
        "classification": "invoice",
        "reason": "read it",
    }


def test_tokens_are_shown_without_the_token_and_written_for_their_owner(
    run: Run, plane: FakePlane, tmp_path: Path
) -> None:
    shown = run("token", "show")
    assert "query" in shown.out
    assert "signature" not in shown.out
    assert run("token", "show", "--reveal").out.strip().endswith("signature")
    plane.on("POST", "/tokens", {"token": "secret-token", "jti": BATCH})
    made = run("token", "mint", "ann", "-s", "query", "-o", str(tmp_path / "t"))
    assert "secret-token" not in made.out + made.err
    assert (tmp_path / "t").read_text() == "secret-token\n"
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o600
    assert run("token", "mint", "ann", "-s", "everything").code == Exit.USAGE
    plane.on("DELETE", f"/tokens/{BATCH}", {})
    assert run("token", "revoke", BATCH).code == Exit.OK


def test_an_export_that_breaks_off_leaves_no_file(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    plane.problem("POST", "/audit/export", 409, "nothing_to_export", "No checkpoint yet.", "Try again.")
    assert run("audit", "export", "-o", str(tmp_path / "a.tar")).code == Exit.REFUSED
    assert not (tmp_path / "a.tar").exists()
    plane.on("POST", "/audit/export", b"tar")
    assert run("audit", "export", "-o", str(tmp_path / "a.tar")).code == Exit.OK
    assert (tmp_path / "a.tar").read_bytes() == b"tar"


def test_parse_reads_a_file_without_a_plane(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("1. Purpose\n\nFrozen samples stay frozen.\n")
    assert "Frozen samples stay frozen." in run("parse", str(file)).out
    (first, *_) = map(json.loads, run("parse", str(file), "--to", "jsonl").out.splitlines())
    assert first["page"] == 1
    assert run("parse", str(file), "--json").json["mime"] == "text/plain"
    (tmp_path / "bad.pdf").write_bytes(b"MZ\x90\x00" + bytes(range(256)))
    assert run("parse", str(tmp_path / "bad.pdf")).code == Exit.REFUSED


def test_doctor_names_each_thing_and_its_remedy(run: Run, plane: FakePlane, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.on("GET", "/health", {"status": "ok", "tenant": "acme", "version": "0.1.0", "warnings": []})
    plane.on("GET", "/documents", {"documents": []})
    found = {line["name"]: line for line in run("doctor", "--json").json}
    assert {"python", "packages", "embedder", "ocr", "data folder", "space", "plane", "scanner"} <= set(found)
    assert found["plane"]["level"] == "ok"
    assert found["scanner"]["level"] == "warn"
    monkeypatch.setenv("FROSTBYTE_CLAMD_ADDRESS", "unix:/nowhere/clamd.ctl")
    ended = run("doctor")
    assert ended.code == Exit.PROBLEMS
    assert "clamd does not answer" in ended.out
    monkeypatch.setenv("FROSTBYTE_MODE", "party")
    assert "FROSTBYTE_MODE" in run("doctor").out


def test_replay_says_whether_every_passage_came_out_the_same(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    proof = tmp_path / "a.proof.json"
    proof.write_text(json.dumps({"answer": {"doc_id": doc_id(1), "generation": "g"}}))
    done = {"doc_id": doc_id(1), "generation": "g", "sha256": "0" * 64, "passages": 8, "same": True, "differing": []}
    plane.on("POST", f"/documents/{doc_id(1)}/replay", done)
    assert "SAME" in run("proof", "replay", str(proof)).out
    for changed in ({"same": False, "differing": [CHUNK]}, {"generation": "h"}):
        plane.on("POST", f"/documents/{doc_id(1)}/replay", done | changed)
        assert run("proof", "replay", str(proof)).code == Exit.VERIFICATION_FAILED
    plane.problem("POST", f"/documents/{doc_id(1)}/replay", 409, "replay_versions_differ", "Other versions.")
    assert run("proof", "replay", str(proof)).code == Exit.REFUSED
    proof.write_text("{}")
    assert run("proof", "replay", str(proof)).code == Exit.USAGE
