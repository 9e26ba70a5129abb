"""The engine: up, back, down, with everything that goes wrong in between."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from frostbyte.control_plane.provisioning.journal import Direction, EntryState, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.provisioning.retry import AGAIN, MOST
from frostbyte.control_plane.provisioning.steps import Outcome, Plan, Problem, Step
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id
from provisioning.scripted import OWNER, Doing, House, Killed, Resource, fails, plan

KEYS = [step.key for step in plan().steps]


def test_a_run_makes_everything_once_verifies_it_and_writes_it_down() -> None:
    house = House()
    run_id = house.begin(shape="small")
    ended = house.to_the_end(run_id)
    assert (ended.state, ended.direction, ended.code, ended.holder) == (RunState.SUCCEEDED, Direction.UP, "", "")
    house.is_up()
    assert set(house.world.made.values()) == {1}
    assert sorted(key for phase, key in house.world.calls if phase == "verify") == sorted(KEYS)
    assert not [key for phase, key in house.world.calls if phase == "find"]  # nothing was there
    created = sorted(what for type, what in house.events() if type == "RESOURCE_CREATED")
    assert created == sorted(step.key for step in plan().steps if step.kind)
    told = house.told(run_id)
    assert next(row for row in told if row[1] == "succeeded")[0] == "plan"
    assert sorted(step for step, status, _ in told if status == "succeeded") == sorted(["plan", *KEYS])
    assert house.entries()["volume"].facts == {"size": 1}


def test_steps_come_after_what_they_need_and_independent_ones_at_once() -> None:
    house = House()
    together = threading.Barrier(2, timeout=5)

    class Meeting(Doing):
        def do(self, step: Step, context: Any) -> Outcome:
            if step.key.startswith("server."):
                together.wait()  # both are under way, or this breaks
            return super().do(step, context)

    house.workshop.doings = {action: Meeting(house.world) for action in house.workshop.doings}
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    order = [key for phase, key in house.world.calls if phase == "do"]
    for step in plan().steps:
        assert all(order.index(need) < order.index(step.key) for need in step.needs)


@pytest.mark.parametrize(
    ("code", "when"),
    # What is refused before it is done cannot fail after it.
    [(code, when) for code in sorted(AGAIN) for when in ("before", "after") if when == "before" or AGAIN[code].look],
)
def test_what_may_pass_is_tried_again_and_nothing_is_made_twice(code: str, when: str) -> None:
    house = House()
    house.world.script = fails("do", "server.db", code, when=when)
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    house.is_up()
    assert set(house.world.made.values()) == {1}
    assert (("find", "server.db") in house.world.calls) is AGAIN[code].look
    adopted = ("RESOURCE_ADOPTED", "server.db") in house.events()
    assert adopted is (when == "after")


@pytest.mark.parametrize(
    "code", [*sorted(AGAIN), "cloud_quota", "cloud_refused", "cloud_invalid", "cloud_out_of_stock"]
)
@pytest.mark.parametrize(("phase", "when"), [("do", "before"), ("verify", "before")])
def test_nothing_is_tried_for_ever_and_what_fails_leaves_nothing(code: str, phase: str, when: str) -> None:
    house = House()
    house.world.script = fails(phase, "server.db", code, times=10**6, when=when)
    run_id = house.begin()
    ended = house.to_the_end(run_id)
    assert (ended.state, ended.direction, ended.code) == (RunState.FAILED, Direction.BACK, code)
    house.is_clean()
    tried = house.world.calls.count((phase, "server.db"))
    assert tried == (AGAIN[code].times + 1 if code in AGAIN else 1) <= MOST
    assert ("server.db", "failed", code) in house.told(run_id)


def test_what_is_limited_waits_as_long_as_the_cloud_says() -> None:
    house = House()
    waited: list[float] = []
    limited = CloudError("cloud_rate_limited", "Wait.", retry_after=7.0)
    house.world.script = lambda phase, key, nth: (
        ("before", limited) if (phase, key, nth) == ("do", "volume", 1) else None
    )
    engine = house.engine()
    engine._pace = type(engine._pace)(late_seconds=0.0, pause=lambda event, seconds: waited.append(seconds))
    assert engine.carry(house.begin(), threading.Event()) is not None
    assert 7.0 <= sum(waited) <= 7.0 * 1.25 + 0.001
    limited.retry_after = 4000.0
    house.world.script = lambda phase, key, nth: ("before", limited) if (phase, key) == ("do", "volume") else None


def test_a_run_that_fails_is_undone_in_reverse() -> None:
    house = House()
    house.world.script = fails("do", "endpoints", "cloud_quota")
    house.to_the_end(house.begin())
    house.is_clean()
    order = [key for phase, key in house.world.calls if phase == "undo"]
    for step in plan().steps:
        assert all(order.index(need) > order.index(step.key) for need in step.needs if step.key in order)
    removed = sorted(what for type, what in house.events() if type == "RESOURCE_REMOVED")
    assert removed == sorted(step.key for step in plan().steps if step.kind)


def test_what_cannot_be_undone_stays_in_the_journal_and_everything_else_goes() -> None:
    house = House()

    def script(phase: str, key: str, nth: int) -> tuple[str, FrostbyteError] | None:
        if (phase, key) in (("do", "endpoints"), ("undo", "record"), ("undo", "volume")):
            return "before", CloudError("cloud_refused", "No.")
        return None

    house.world.script = script
    run_id = house.begin()
    ended = house.to_the_end(run_id)
    assert (ended.state, ended.code) == (RunState.FAILED, "cloud_refused")
    assert sorted(thing.name for thing in house.world.owned(OWNER)) == ["fb-acme-record", "fb-acme-volume"]
    left = {key: row for key, row in house.entries().items() if row.state is not EntryState.GONE}
    assert {key: (row.state, row.code) for key, row in left.items()} == dict.fromkeys(
        ("record", "volume"), (EntryState.UNDOING, "cloud_refused")
    )
    house.nothing_is_unowned()
    assert ("undo.record", "failed", "cloud_refused") in house.told(run_id)

    house.world.script = lambda phase, key, nth: None  # and is adopted when it is tried again
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    house.is_up()
    assert house.world.made["fb-acme-record"] == 1


def test_what_a_lost_reply_made_is_found_by_its_labels_at_the_end() -> None:
    house = House()
    run_id = house.begin()
    house.world.late.append(
        Resource("900", Kind.SERVER, "fb-acme-server-gateway", OWNER.labels(run_id, "server.gateway"))
    )
    house.world.late.append(Resource("901", Kind.SSH_KEY, "fb-acme-older", OWNER.labels(new_id(), "ssh_key.older")))
    house.world.script = fails("do", "endpoints", "cloud_quota")
    house.to_the_end(run_id)
    house.is_clean()
    assert house.entries()["stray.ssh_key.901"].state is EntryState.GONE


@pytest.mark.parametrize(("code", "waits"), [("cloud_unreachable", True), ("cloud_quota", False)])
def test_what_was_asked_for_and_not_answered_is_waited_for_before_the_last_look(code: str, waits: bool) -> None:
    house, waited = House(), [0.0]

    def pause(event: threading.Event, seconds: float) -> None:
        waited[0] += seconds * (house.run(run_id).direction is Direction.BACK)
        if waited[0] > 100:  # it comes just before the end of the longest time that a request can take
            house.world.things.setdefault("fb-acme-server-db", late)

    house.world.script = fails("do", "server.db", code, times=10**6)
    run_id = house.begin()
    late = Resource("900", Kind.SERVER, "fb-acme-server-db", OWNER.labels(run_id, "server.db"))
    engine = house.engine()
    engine._pace = Pace(threads=1, late_seconds=120.0, pause=pause)
    ended = engine.carry(run_id, threading.Event())
    assert ended is not None
    assert ended.code == code
    house.is_clean()
    assert (waited[0] > 110) is waits


def test_a_name_that_is_somebody_elses_is_left_alone() -> None:
    house = House()
    house.world.create(Kind.SERVER, "fb-acme-server-db", {"managed-by": "somebody"})
    ended = house.to_the_end(house.begin())
    assert (ended.state, ended.code) == (RunState.FAILED, "resource_not_ours")
    assert house.world.things["fb-acme-server-db"].labels == {"managed-by": "somebody"}
    assert house.world.owned(OWNER) == []


def test_a_plan_with_a_problem_is_not_begun() -> None:
    made = plan()
    house = House(
        Plan(owner=OWNER, steps=made.steps, problems=(Problem(code="no_stock", message="Nothing.", remedy="Wait."),))
    )
    ended = house.to_the_end(house.begin())
    assert (ended.state, ended.code) == (RunState.FAILED, "no_stock")
    assert house.entries() == {}
    backwards = House(Plan(owner=OWNER, steps=tuple(reversed(made.steps))))
    assert backwards.to_the_end(backwards.begin()).code == "plan_broken"
    assert backwards.world.owned(OWNER) == []


def test_a_step_that_breaks_ends_its_run_and_not_the_provisioner() -> None:
    house = House()

    class Broken(Doing):
        def do(self, step: Step, context: Any) -> Outcome:
            if step.key == "record":
                raise ZeroDivisionError
            if step.key == "volume":
                super().do(step, context)
                return Outcome()  # and does not say what it made
            return super().do(step, context)

    house.workshop.doings = {action: Broken(house.world) for action in house.workshop.doings}
    ended = house.to_the_end(house.begin())
    assert (ended.state, ended.code) == (RunState.FAILED, "step_broken")
    house.is_clean()


def test_a_step_that_kills_its_provisioner_every_time_is_given_up() -> None:
    house = House(threads=1)

    def script(phase: str, key: str, nth: int) -> None:
        if (phase, key) == ("do", "server.db"):
            raise Killed

    house.world.script = script
    run_id, lives = house.begin(), 0
    while house.run(run_id).state is RunState.RUNNING:
        lives += 1
        with contextlib.suppress(Killed):
            house.live(run_id)
    assert lives == MOST + 1
    assert house.run(run_id).code == "step_exhausted"
    house.is_clean()


# Who may go on


def test_a_provisioner_whose_run_was_taken_makes_no_further_call_and_writes_nothing() -> None:
    house = House(threads=1)
    run_id = house.begin()
    taken: list[int] = []

    def script(phase: str, key: str, nth: int) -> None:
        if (phase, key) == ("do", "server.gateway") and not taken:
            house.clock.pass_(10_000)
            with house.registry.unit_of_work() as uow:
                row = uow.journal.take(run_id, "another", house.clock.now(), house.clock.now())
                uow.commit()
            assert row is not None
            taken.append(len(house.world.calls))

    house.world.script = script
    assert house.engine("one").carry(run_id, threading.Event()) is None
    after = [call for call in house.world.calls[taken[0] :] if call[0] != "verify"]
    assert after == []
    assert house.entries()["server.gateway"].state is EntryState.INTENDED
    assert house.run(run_id).state is RunState.RUNNING
    assert house.to_the_end(run_id).state is RunState.SUCCEEDED
    house.is_up()
    assert set(house.world.made.values()) == {1}


def test_a_run_that_another_holds_is_left_alone() -> None:
    house = House()
    run_id = house.begin()
    with house.registry.unit_of_work() as uow:
        uow.journal.take(run_id, "another", house.clock.now(), house.clock.at.replace(year=2030))
        uow.commit()
    assert house.engine("one").carry(run_id, threading.Event()) is None
    assert house.world.calls == []


def test_a_process_that_ends_finishes_the_call_and_gives_the_lease_back() -> None:
    house = House(threads=1)
    run_id, stop = house.begin(), threading.Event()
    house.world.script = lambda phase, key, nth: stop.set() if (phase, key) == ("do", "network") else None  # type: ignore[func-returns-value]
    assert house.engine().carry(run_id, stop) is None
    assert house.run(run_id).holder == ""
    assert house.world.made["fb-acme-network"] == 1
    assert house.to_the_end(run_id).state is RunState.SUCCEEDED
    assert set(house.world.made.values()) == {1}


# Down, and what stays


@pytest.mark.parametrize("destroy", [False, True])
def test_down_takes_everything_away_and_data_only_if_that_was_said(destroy: bool) -> None:
    house = House()
    house.to_the_end(house.begin())
    run_id = house.begin(Direction.DOWN, serving=True, destroy_data=destroy)
    ended = house.to_the_end(run_id)
    assert (ended.state, ended.direction) == (RunState.SUCCEEDED, Direction.DOWN)
    if destroy:
        house.is_clean()
        return
    assert [thing.name for thing in house.world.owned(OWNER)] == ["fb-acme-volume"]
    kept = house.entries()["volume"]
    assert (kept.state, kept.facts["kept"]) == (EntryState.DONE, True)
    assert house.entries()["attach"].state is EntryState.GONE
    assert ("RESOURCE_KEPT", "volume") in house.events()
    assert ("undo.volume", "succeeded", "kept") in house.told(run_id)
    house.nothing_is_unowned()


def test_a_volume_of_a_tenant_that_was_never_in_service_is_deleted() -> None:
    house = House()
    house.to_the_end(house.begin())
    assert house.to_the_end(house.begin(Direction.DOWN)).state is RunState.SUCCEEDED
    house.is_clean()


def test_a_kept_volume_is_used_again_only_if_that_was_said() -> None:
    house = House()
    house.to_the_end(house.begin())
    house.to_the_end(house.begin(Direction.DOWN, serving=True))
    volume = house.world.things["fb-acme-volume"].resource_id
    ended = house.to_the_end(house.begin())
    assert (ended.state, ended.code) == (RunState.FAILED, "volume_kept")
    assert [thing.name for thing in house.world.owned(OWNER)] == ["fb-acme-volume"]
    assert house.to_the_end(house.begin(reuse_volume=True)).state is RunState.SUCCEEDED
    house.is_up()
    assert house.world.things["fb-acme-volume"].resource_id == volume
    assert "kept" not in house.entries()["volume"].facts


def test_a_change_that_fails_while_a_tenant_is_served_takes_back_only_what_it_made() -> None:
    house = House()
    house.to_the_end(house.begin())
    more = plan()
    extra = Step(key="server.worker-2", action=more.steps[2].action, name="fb-acme-worker-2", needs=("network",))
    late = Step(key="deploy.worker-2", action=more.steps[8].action, needs=("server.worker-2",))
    house.workshop._plan = Plan(owner=OWNER, steps=(*more.steps, extra, late))
    house.world.script = fails("do", "deploy.worker-2", "cloud_quota")
    ended = house.to_the_end(house.begin(serving=True))
    assert (ended.state, ended.direction) == (RunState.FAILED, Direction.BACK)
    assert house.entries()["server.worker-2"].state is EntryState.GONE
    del house.world.things["fb-other-network"]
    assert len(house.world.things) == 5
    assert house.entries()["volume"].state is EntryState.DONE


def test_down_fails_while_something_remains_and_goes_on_when_it_is_tried_again() -> None:
    house = House()
    house.to_the_end(house.begin())
    house.world.script = fails("undo", "network", "cloud_protected", times=1)
    ended = house.to_the_end(house.begin(Direction.DOWN))
    assert (ended.state, ended.code) == (RunState.FAILED, "cloud_protected")
    assert [thing.name for thing in house.world.owned(OWNER)] == ["fb-acme-network"]
    assert house.to_the_end(house.begin(Direction.DOWN)).state is RunState.SUCCEEDED
    house.is_clean()


# Again, and otherwise


def test_a_new_run_looks_at_what_stands_and_makes_anew_what_is_missing_and_all_that_needs_it() -> None:
    house = House()
    house.to_the_end(house.begin())
    del house.world.things["fb-acme-server-db"]
    house.world.calls.clear()
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    house.is_up()
    done = {key for phase, key in house.world.calls if phase == "do"}
    assert {"server.db", "attach", "files.db", "endpoints"} == done  # the volume is found, the rest stands


def test_another_spec_is_made_anew_or_changed_in_place_as_the_doing_can() -> None:
    house = House()
    house.to_the_end(house.begin())
    old = {name: thing.resource_id for name, thing in house.world.things.items()}
    house.workshop._plan = plan(server=2)
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    house.is_up()
    assert house.world.things["fb-acme-server-db"].resource_id != old["fb-acme-server-db"]
    assert house.entries()["server.db"].facts == {"size": 2}

    class Growing(Doing):
        def change(self, step: Step, outcome: Outcome, context: Any) -> Outcome:
            return Outcome(resource_id=outcome.resource_id, facts={"size": step.spec["size"]})

    house.workshop.doings = {action: Growing(house.world) for action in house.workshop.doings}
    house.workshop._plan = plan(server=2, volume=9)
    assert house.to_the_end(house.begin(serving=True)).state is RunState.SUCCEEDED
    assert house.world.things["fb-acme-volume"].resource_id == old["fb-acme-volume"]
    assert house.entries()["volume"].facts == {"size": 9}
    assert ("RESOURCE_CHANGED", "volume") in house.events()


def test_what_an_older_run_left_half_done_with_another_spec_is_taken_away_first() -> None:
    house = House()
    house.world.script = lambda phase, key, nth: (
        ("before", CloudError("cloud_refused", "No."))
        if (phase, key) in (("do", "endpoints"), ("undo", "server.db"))
        else None
    )
    house.to_the_end(house.begin())
    old = house.world.things["fb-acme-server-db"].resource_id
    assert house.entries()["server.db"].state is EntryState.UNDOING
    locked = CloudError("cloud_locked", "Wait.")
    house.world.script = lambda phase, key, nth: (
        ("before", locked) if (phase, key, nth) == ("undo", "server.db", 2) else None
    )
    house.workshop._plan = plan(server=2)
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    house.is_up()
    assert house.world.things["fb-acme-server-db"].resource_id != old
    assert house.entries()["server.db"].facts == {"size": 2}


def test_a_volume_with_data_is_never_made_anew() -> None:
    house = House()
    house.to_the_end(house.begin())
    house.workshop._plan = plan(volume=9)
    ended = house.to_the_end(house.begin(serving=True))
    assert (ended.state, ended.code) == (RunState.FAILED, "volume_kept")
    assert house.entries()["volume"].state is EntryState.DONE
    assert "fb-acme-volume" in house.world.things


def test_what_the_plan_does_not_hold_any_more_goes() -> None:
    house = House()
    house.to_the_end(house.begin())
    fewer = tuple(step for step in plan().steps if step.key not in ("record", "endpoints"))
    house.workshop._plan = Plan(owner=OWNER, steps=fewer)
    assert house.to_the_end(house.begin()).state is RunState.SUCCEEDED
    assert "fb-acme-record" not in house.world.things
    assert house.entries()["record"].state is EntryState.GONE
