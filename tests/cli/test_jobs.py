"""`frostbyte jobs`: what it asks the plane and what it shows."""

from __future__ import annotations

import json

from cli.fake_plane import FakePlane, Run, doc_id
from frostbyte.cli.exits import Exit

JOB = "01990000-0000-7000-8000-0000000000a1"
DEAD = {
    "job_id": JOB,
    "doc_id": doc_id(1),
    "stage": "parse",
    "state": "dead",
    "attempt": 4,
    "attempts": 4,
    "not_before": "2026-03-01T10:00:00Z",
    "leased_until": None,
    "worker": "",
    "code": "internal_error",
    "message": "The parse stage broke (ValueError).",
    "remedy": "",
}


def test_jobs_are_listed_and_dead_letters_are_a_problem(run: Run, plane: FakePlane) -> None:
    plane.on("GET", "/jobs", {"jobs": [DEAD], "counts": {"parse": 2, "dead": 1}, "cursor": None})
    ended = run("jobs", "list", "--dead", "--stage", "parse")
    assert ended.code == Exit.PROBLEMS
    assert plane.last("GET", "/jobs").path.endswith("?dead=true&stage=parse&limit=100")
    for shown in (JOB, "parse", "dead", "4/4", "internal_error"):
        assert shown in ended.out
    assert run("jobs", "list", "--json").json["jobs"] == [DEAD]
    plane.on("GET", "/jobs", {"jobs": [], "counts": {"dead": 0}, "cursor": None})
    ended = run("jobs", "list")
    assert (ended.code, "No such jobs" in ended.out) == (Exit.OK, True)


def test_one_job_is_shown_with_its_reason(run: Run, plane: FakePlane) -> None:
    plane.on("GET", f"/jobs/{JOB}", DEAD)
    assert "The parse stage broke" in run("jobs", "show", JOB).out
    assert run("jobs", "show", JOB, "--json").json == DEAD
    assert run("jobs", "show", doc_id(9)).code == Exit.NOT_FOUND


def test_a_job_is_tried_again_or_discarded_with_a_reason(run: Run, plane: FakePlane) -> None:
    plane.on("POST", f"/jobs/{JOB}/retry", {"job_id": JOB, "doc_id": doc_id(1), "incarnation": 2})
    assert "tried again" in run("jobs", "retry", JOB).out
    plane.on("POST", f"/jobs/{JOB}/discard", {"job_id": JOB, "doc_id": doc_id(1), "state": "failed", "event_id": "e1"})
    assert "stays failed" in run("jobs", "discard", JOB, "--reason", "sent by mistake").out
    assert json.loads(plane.last("POST", f"/jobs/{JOB}/discard").body) == {"reason": "sent by mistake"}
    plane.problem("POST", f"/jobs/{JOB}/discard", 409, "job_not_dead", "Only a dead one.")
    assert run("jobs", "discard", JOB, "-r", "x", "--json").code == Exit.REFUSED
