"""What was kept long enough is erased once a day, bounded, whatever is killed meanwhile, and never by a wrong clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbyte.adapters.memory.unit_of_work import MemoryUnitOfWork
from frostbyte.data_plane.lifecycle import retention as module
from frostbyte.data_plane.lifecycle.holds import Reason, ReleaseReason
from frostbyte.kernel.errors import NotFound, Unavailable
from frostbyte.kernel.ids import new_id
from lifecycle.conftest import Keeping

DAY = timedelta(days=1)


def settled(plane: Keeping) -> int:
    return plane.retention.turn()


def ran(plane: Keeping) -> list[dict[str, Any]]:
    """What the runs' events say."""
    names = ("erased", "held", "remaining", "retention_days")
    return [{name: event.details[name] for name in names} for event in plane.events("RETENTION_RUN")]


def test_a_run_erases_what_was_kept_long_enough_and_leaves_receipts(plane: Keeping) -> None:
    plane.keep_for(30)
    old, older, new = plane.document(31 * DAY), plane.document(40 * DAY), plane.document(29 * DAY)
    assert settled(plane) == 2
    assert plane.erased(old, older, new) == [True, True, False]
    assert ran(plane) == [{"erased": 2, "held": 0, "remaining": 0, "retention_days": 30}]
    events = plane.events("DOCUMENT_ERASED")
    assert [UUID(event.resource_id) for event in events] == [older, old], "the oldest first"
    run = plane.retention.runs()["runs"][0]
    assert {(event.actor, event.details["reason"], event.details["run_id"]) for event in events} == {
        ("plane", "retention", run["run_id"])
    }
    shown = plane.retention.run(UUID(run["run_id"]))
    assert (shown["erased"], [item["doc_id"] for item in shown["erasures"]]) == (2, [str(older), str(old)])
    receipt = plane.erasure.receipt(UUID(shown["erasures"][0]["erasure_id"]))
    assert (receipt["reason"], receipt["run_id"]) == ("retention", run["run_id"])
    assert receipt["key_destroyed_at"]


def test_it_runs_once_a_day_and_says_so_when_there_was_nothing(plane: Keeping) -> None:
    plane.keep_for(30)
    assert settled(plane) == 0
    doc_id = plane.document(31 * DAY)
    for hours in (1, 11, 11):
        plane.passes(hours=hours)
        assert settled(plane) == 0
    assert plane.erased(doc_id) == [False]
    plane.passes(hours=1)
    assert settled(plane) == 1
    assert [run["erased"] for run in ran(plane)] == [0, 1]


def test_time_brings_a_document_to_its_end_on_its_day(plane: Keeping) -> None:
    plane.keep_for(30)
    doc_id = plane.document()
    for day in range(31):
        assert settled(plane) == 0, day
        plane.passes(days=1)
    assert settled(plane) == 1
    assert plane.erased(doc_id) == [True]


def test_a_clock_that_leaps_ahead_erases_nothing(plane: Keeping) -> None:
    plane.keep_for(30)
    documents = [plane.document(age * DAY) for age in range(29)]
    settled(plane)
    plane.leaps(days=36_500)
    for _ in range(5):
        plane.passes(days=1)
        with pytest.raises(Unavailable) as caught:
            settled(plane)
        assert caught.value.code == "clock_doubted"
    assert not any(plane.erased(*documents))
    shown = plane.retention.plan()
    assert (shown["waits"], bool(shown["waits_because"])) == ("clock_leapt", True)
    assert shown["due"] == 3, "a preview goes by the time that is sure"
    plane.leaps(days=-36_500)
    plane.passes(minutes=1)
    assert settled(plane) == 4, "the fourth is thirty days and a minute old"
    assert len(ran(plane)) == 2


def test_a_clock_that_leaps_in_the_middle_of_a_run_stops_it(plane: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(3)]
    young = plane.document(DAY)
    calls = iter([True, False])
    assert plane.retention.turn(lambda: next(calls)) == 1
    plane.leaps(days=400)
    with pytest.raises(Unavailable):
        settled(plane)
    assert sum(plane.erased(*documents)) == 1
    plane.leaps(days=-400)
    assert settled(plane) == 2
    assert plane.erased(young) == [False]
    assert [run["erased"] for run in ran(plane)] == [3]


def test_holds_keep_what_is_due_until_the_last_one_is_released(plane: Keeping) -> None:
    plane.keep_for(30)
    kept, gone = plane.document(31 * DAY), plane.document(31 * DAY)
    holds = [plane.holds.place("2026-1", Reason.AUDIT, doc_ids=[kept], actor="counsel")["hold_id"] for _ in range(2)]
    assert settled(plane) == 1
    assert plane.erased(kept, gone) == [False, True]
    assert ran(plane)[-1] == {"erased": 1, "held": 1, "remaining": 0, "retention_days": 30}
    for hold, erased in zip(holds, (False, True), strict=True):
        plane.holds.release(UUID(hold), ReleaseReason.CLOSED, actor="counsel")
        plane.passes(days=1)
        settled(plane)
        assert plane.erased(kept) == [erased]


def test_a_hold_on_everything_keeps_everything(plane: Keeping) -> None:
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(3)]
    plane.holds.place("2026-1", Reason.LITIGATION, everything=True, actor="counsel")
    assert settled(plane) == 0
    assert not any(plane.erased(*documents))
    assert ran(plane)[-1]["held"] == 3


def test_a_hold_that_is_placed_in_the_middle_of_a_run_holds(plane: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.keep_for(30)
    first, second = plane.document(32 * DAY), plane.document(31 * DAY)
    erase = plane.erasure.erase

    def placing(doc_id: UUID, **said: Any) -> Any:
        if doc_id == first:
            plane.holds.place("2026-1", Reason.AUDIT, doc_ids=[second], actor="counsel")
        return erase(doc_id, **said)

    monkeypatch.setattr(plane.erasure, "erase", placing)
    assert settled(plane) == 1
    assert plane.erased(first, second) == [True, False]
    assert ran(plane)[-1]["held"] == 1


def test_a_run_is_bounded_and_what_is_left_comes_an_hour_later(plane: Keeping) -> None:
    plane.most = 2
    plane.start()
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(5)]
    for erased, left in ((2, 3), (4, 1)):
        assert settled(plane) == 2
        assert sum(plane.erased(*documents)) == erased
        assert ran(plane)[-1]["remaining"] == left
        assert settled(plane) == 0, "not before an hour has passed"
        plane.passes(hours=1)
    assert settled(plane) == 1
    plane.passes(hours=1)
    assert settled(plane) == 0
    assert len(ran(plane)) == 3


def test_who_keeps_longer_after_all_stops_a_run_that_was_begun(plane: Keeping) -> None:
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(3)]
    calls = iter([True, False])
    plane.retention.turn(lambda: next(calls))
    plane.keep_for(2555)
    assert settled(plane) == 0
    assert sum(plane.erased(*documents)) == 1
    assert ran(plane) == [{"erased": 1, "held": 0, "remaining": 0, "retention_days": 30}]


def test_a_long_run_makes_room_for_other_work(plane: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(3)]
    monkeypatch.setattr(module, "TURN_SECONDS", -1.0)
    assert settled(plane) == 0
    assert ran(plane) == []
    monkeypatch.undo()
    assert settled(plane) == 3
    assert all(plane.erased(*documents))


class Killed(BaseException):
    """The process is gone."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.integers(1, 12), max_size=6), held=st.integers(0, 2))
def test_killed_at_any_commit_it_goes_on_and_counts_right(kills: list[int], held: int) -> None:
    """Every commit and every destroyed key is a moment to be killed at, again and again."""
    plane = Keeping()
    plane.keep_for(30)
    documents = [plane.document(31 * DAY) for _ in range(4)]
    for doc_id in documents[:held]:
        plane.holds.place("2026-1", Reason.AUDIT, doc_ids=[doc_id], actor="counsel")
    young = plane.document()
    for moment in kills:
        _kill_at(plane, moment)
        plane.start()
    plane.erasure.resume()
    settled(plane)
    assert plane.erased(*documents, young) == [n >= held for n in range(4)] + [False]
    assert ran(plane) == [{"erased": 4 - held, "held": held, "remaining": 0, "retention_days": 30}]
    assert len(plane.events("DOCUMENT_ERASED")) == 4 - held, "nothing is erased twice"


def _kill_at(plane: Keeping, moment: int) -> None:
    """One turn of maintenance that dies before its n-th commit or destroyed key; or lives, if there are fewer."""
    left = [moment]

    def counted() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    commit, destroy = MemoryUnitOfWork.commit, plane.vault.destroy_key

    def committing(self: MemoryUnitOfWork) -> None:
        counted()
        commit(self)

    def destroying(name: str) -> None:
        counted()
        destroy(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryUnitOfWork, "commit", committing)
        patch.setattr(plane.vault, "destroy_key", destroying)
        try:
            plane.erasure.resume()
            settled(plane)
        except Killed:
            return


def test_a_plan_names_what_would_go_and_changes_nothing(plane: Keeping) -> None:
    plane.keep_for(30)
    old, older, soon, held = (plane.document(age * DAY) for age in (31, 40, 25, 50))
    plane.holds.place("2026-1", Reason.AUDIT, doc_ids=[held], actor="counsel")
    before = len(plane.events("CLOCK_DOUBTED", "RETENTION_RUN", "DOCUMENT_ERASED"))
    shown = plane.retention.plan()
    assert (shown["due"], shown["held"], shown["retention_days"], shown["waits"]) == (2, 1, 30, "")
    assert [item["doc_id"] for item in shown["documents"]] == [str(older), str(old)]
    assert shown["next_run_at"] is None
    assert [item["doc_id"] for item in plane.retention.plan(limit=1)["documents"]] == [str(older)]
    assert plane.retention.plan(ahead=6)["documents"][-1]["doc_id"] == str(soon)
    assert plane.retention.plan(days=45)["due"] == 0
    assert plane.retention.plan(days=20)["due"] == 3
    assert len(plane.events("CLOCK_DOUBTED", "RETENTION_RUN", "DOCUMENT_ERASED")) == before
    assert not any(plane.erased(old, older, soon, held))
    settled(plane)
    assert plane.retention.plan()["next_run_at"]
    assert plane.erased(old, older, soon, held) == [True, True, False, False]


def test_what_is_planned_is_what_is_done(plane: Keeping) -> None:
    plane.keep_for(30)
    for age in (10, 31, 45, 29, 60):
        plane.document(age * DAY)
    planned = [item["doc_id"] for item in plane.retention.plan()["documents"]]
    settled(plane)
    assert [event.resource_id for event in plane.events("DOCUMENT_ERASED")] == planned != []


def test_an_unknown_run(plane: Keeping) -> None:
    with pytest.raises(NotFound) as caught:
        plane.retention.run(new_id())
    assert caught.value.code == "run_not_found"
