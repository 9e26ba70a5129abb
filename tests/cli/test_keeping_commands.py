"""`frostbyte hold` and `frostbyte retention`: what they ask the plane, and what they show of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.fake_plane import FakePlane, Run, doc_id
from frostbyte.cli.exits import Exit

HOLD_ID = "01990000-0000-7000-8000-0000000000a1"
RUN_ID = "01990000-0000-7000-8000-0000000000b2"


def hold(**said: Any) -> dict[str, Any]:
    return {
        "hold_id": HOLD_ID,
        "matter": "2026-0147",
        "reason": "litigation",
        "everything": False,
        "doc_ids": [doc_id(1), doc_id(2)],
        "in_force": True,
        "placed_at": "2026-03-01T12:00:00Z",
        "placed_by": "counsel",
        "released_at": None,
        "released_by": "",
        "release_reason": "",
    } | said


def test_placing_takes_ids_from_options_and_from_a_file(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    plane.on("POST", "/holds", hold())
    ids = tmp_path / "ids.txt"
    ids.write_text(f"# of the matter\n{doc_id(2)}\n\n")
    ended = run("hold", "place", "2026-0147", "-r", "litigation", "-d", doc_id(1), "--documents", str(ids))
    assert ended.code == Exit.OK
    asked = json.loads(plane.last("POST", "/holds").body)
    assert asked == {
        "matter": "2026-0147",
        "reason": "litigation",
        "doc_ids": [doc_id(1), doc_id(2)],
        "everything": False,
    }
    assert "2 documents" in ended.out
    assert f"hold release {HOLD_ID}" in ended.out + ended.err


def test_everything_may_be_held(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/holds", hold(everything=True, doc_ids=[]))
    ended = run("hold", "place", "2026-0147", "-r", "audit", "--everything")
    assert json.loads(plane.last("POST", "/holds").body)["everything"] is True
    assert "everything" in ended.out


def test_a_file_that_is_not_there_sends_nothing(run: Run, plane: FakePlane, tmp_path: Path) -> None:
    ended = run("hold", "place", "2026-0147", "-r", "audit", "--documents", str(tmp_path / "none.txt"))
    assert ended.code != Exit.OK
    assert "file_unreadable" in ended.err
    assert not any(request.method == "POST" for request in plane.seen)


def test_listing_and_releasing(run: Run, plane: FakePlane) -> None:
    gone = hold(in_force=False, released_at="2026-04-01T12:00:00Z", released_by="chief", release_reason="closed")
    plane.on("GET", "/holds", {"holds": [hold(), gone], "in_force": 1, "cursor": None})
    ended = run("hold", "list", "--document", doc_id(1), "--released")
    assert f"doc_id={doc_id(1)}" in plane.last("GET", "/holds").path
    assert "released=true" in plane.last("GET", "/holds").path
    for word in ("2026-0147", "2 documents", "2026-03-01", "2026-04-01"):
        assert word in ended.out
    assert "counsel" in run("hold", "list").out
    plane.on("DELETE", f"/holds/{HOLD_ID}", gone)
    ended = run("hold", "release", HOLD_ID, "--reason", "closed")
    assert plane.last("DELETE", f"/holds/{HOLD_ID}").path.endswith("?reason=closed")
    assert "2 documents of 2026-0147" in ended.out
    plane.on("GET", "/holds", {"holds": [], "in_force": 0, "cursor": None})
    assert "Nothing is held." in run("hold", "list").out


PLAN = {
    "retention_days": 30,
    "at": "2026-03-01T12:00:00Z",
    "cutoff": "2026-01-30T12:00:00Z",
    "due": 3,
    "held": 1,
    "most_per_run": 10000,
    "documents": [
        {"doc_id": doc_id(1), "received_at": "2026-01-01T00:00:00Z", "due_since": "2026-01-31T00:00:00Z", "size": 2048}
    ],
    "running": False,
    "next_run_at": "2026-03-02T11:00:00Z",
    "waits": "",
    "waits_because": "",
}


def test_a_plan_says_what_would_go_and_when(run: Run, plane: FakePlane) -> None:
    plane.on("GET", "/retention/plan", PLAN)
    ended = run("retention", "plan", "--days", "30", "--ahead", "7")
    assert {"days=30", "ahead=7"} <= set(plane.last("GET", "/retention/plan").path.partition("?")[2].split("&"))
    for word in ("3 to be erased", "1 kept by a legal hold", doc_id(1), "2026-01-31", "next run 2026-03-02T11:00Z"):
        assert word in ended.out
    assert "The oldest 1 are shown" in ended.out + ended.err


def test_a_plan_says_that_the_clock_is_doubted(run: Run, plane: FakePlane) -> None:
    plane.on("GET", "/retention/plan", PLAN | {"waits": "clock_leapt", "waits_because": "The clock is far ahead."})
    ended = run("retention", "plan")
    assert "The clock is far ahead. Nothing is erased until that is settled." in ended.out
    assert "confirm-clock" in ended.out + ended.err
    assert "next run" not in ended.out


@pytest.mark.parametrize(
    ("finished", "word"), [("2026-03-01T12:01:00Z", "ended 2026-03-01T12:01Z"), (None, "under way")]
)
def test_runs_and_what_they_erased(run: Run, plane: FakePlane, finished: str | None, word: str) -> None:
    row = {
        "run_id": RUN_ID,
        "began_at": "2026-03-01T12:00:00Z",
        "finished_at": finished,
        "cutoff": "2026-01-30T12:00:00Z",
        "retention_days": 30,
        "config_version": 2,
        "erased": 41,
        "held": 7,
        "remaining": 0,
    }
    plane.on("GET", "/retention/runs", {"runs": [row], "cursor": None})
    shown = run("retention", "list").out
    assert RUN_ID in shown
    assert "41" in shown
    erasure = {"erasure_id": HOLD_ID, "doc_id": doc_id(3), "requested_at": "2026-03-01T12:00:05Z"}
    plane.on("GET", f"/retention/runs/{RUN_ID}", row | {"erasures": [erasure], "cursor": None})
    ended = run("retention", "show", RUN_ID)
    for part in (word, "41 erased, 7 held, 0 left", HOLD_ID, doc_id(3)):
        assert part in ended.out


def test_confirming_the_clock(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/retention/clock", {"believed_at": "2026-11-27T07:00:00Z"})
    assert "2026-11-27T07:00:00Z" in run("retention", "confirm-clock", "2026-11-27").out
    assert json.loads(plane.last("POST", "/retention/clock").body) == {"today": "2026-11-27"}
