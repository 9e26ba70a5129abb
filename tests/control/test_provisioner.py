"""The engine on the real journal, and the loop that finds what is to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from control.registry_rows import NOW
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.journal import Direction, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.provisioner import Provisioner
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.registry.records import ProjectRow
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable
from provisioning.scripted import Doing, House, Killed, Process, plan

BASE = Owner(environment="production", project_id="north")


def test_on_postgres_a_run_goes_up_and_down_with_many_threads(postgres: PostgresRegistry) -> None:
    house = House(registry=postgres, threads=8)
    run_id = house.begin()
    assert house.to_the_end(run_id).state is RunState.SUCCEEDED
    house.is_up()
    told = [step for step, status, _ in house.told(run_id) if status == "succeeded"]
    assert sorted(told) == sorted(["plan", *(step.key for step in plan().steps)])
    assert house.to_the_end(house.begin(Direction.DOWN)).state is RunState.SUCCEEDED
    house.is_clean()


@pytest.mark.parametrize("broken", [False, True])
def test_on_postgres_it_is_killed_now_and_then_and_ends_up_or_clean(postgres: PostgresRegistry, broken: bool) -> None:
    house = House(registry=postgres, threads=2)
    if broken:
        quota = CloudError("cloud_quota", "Full.")
        house.world.script = lambda phase, key, nth: ("before", quota) if (phase, key) == ("do", "endpoints") else None
    run_id = house.begin()
    lives = 0
    while house.run(run_id).state is RunState.RUNNING:
        lives += 1
        try:
            house.live(run_id, dies_at=9 + 2 * lives)
        except Killed:
            house.nothing_is_unowned()
    assert lives > 4
    assert house.run(run_id).state is (RunState.FAILED if broken else RunState.SUCCEEDED)
    house.is_clean() if broken else house.is_up()
    assert max(house.world.made.values()) == 1


def until(there: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


class Loop:
    """A provisioner in a thread."""

    def __init__(self, house: House, workshops: Any = None) -> None:
        self.provisioning = Provisioning(house.store.unit_of_work, house.clock)
        pace = Pace(late_seconds=0.0, pause=lambda event, seconds: None)
        found = workshops or (lambda owner: house.workshop)
        engine = Engine(house.store.unit_of_work, house.clock, found, holder="control", pace=pace)
        self.stop = threading.Event()
        self.provisioner = Provisioner(self.provisioning, engine)
        self._thread = threading.Thread(target=self.provisioner.run, args=(self.stop,))

    def __enter__(self) -> Provisioning:
        self._thread.start()
        return self.provisioning

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.provisioning.wake()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_the_loop_finds_what_was_left_running_and_what_begins() -> None:
    house = House()
    left = house.begin()
    with pytest.raises(Killed):
        house.live(left, dies_at=20)
    house.world.process = Process()
    with Loop(house) as provisioning:
        until(lambda: house.run(left).state is RunState.SUCCEEDED)
        house.is_up()
        base = provisioning.begin_base("north", Direction.UP, {"locations": ["nbg1"]}, actor="alice")
        until(lambda: house.run(base.run_id).state is not RunState.RUNNING)


@pytest.mark.slow
def test_one_that_is_halted_ends_its_call_and_begins_nothing_more() -> None:
    house = House()
    begun, go_on = threading.Event(), threading.Event()

    def held(_: Any) -> Any:
        begun.set()
        assert go_on.wait(10)
        return house.workshop

    loop = Loop(house, held)
    with loop:
        run_id = house.begin()
        assert begun.wait(10)
        assert not loop.provisioner.halt(0.01), "a call is under way"
        go_on.set()
        assert loop.provisioner.halt(10)
        assert house.run(run_id).state is RunState.RUNNING
        assert list(house.world.made) == ["fb-other-network"]


def test_a_base_has_runs_of_its_own_without_any_operation() -> None:
    house = House(plan(BASE))
    provisioning = Provisioning(house.store.unit_of_work, house.clock)
    run = provisioning.begin_base("north", Direction.UP, {"a": 1}, actor="alice")
    with pytest.raises(Conflict) as caught:
        provisioning.begin_base("north", Direction.DOWN, {}, actor="alice")
    assert caught.value.code == "run_running"
    with pytest.raises(NotFound):
        provisioning.begin_base("nowhere", Direction.UP, {}, actor="alice")
    assert house.to_the_end(run.run_id).state is RunState.SUCCEEDED
    assert {thing.name for thing in house.world.owned(BASE)} == {row.name for row in provisioning.remaining(BASE)}
    assert [row.request for row in provisioning.runs(BASE)] == [{"a": 1}]
    down = provisioning.begin_base("north", Direction.DOWN, {}, actor="alice")
    assert house.to_the_end(down.run_id).state is RunState.SUCCEEDED
    assert [thing.name for thing in house.world.owned(BASE)] == ["fb-volume"]  # it was in service, and may hold data
    again = provisioning.begin_base("north", Direction.DOWN, {"destroy_data": True}, actor="alice")
    assert house.to_the_end(again.run_id).state is RunState.SUCCEEDED
    assert house.world.owned(BASE) == []


def test_twenty_tenants_of_as_many_projects_at_once() -> None:
    house = House()
    owners = [Owner(environment="production", project_id=f"p{number}") for number in range(20)]
    with house.registry.unit_of_work() as uow:
        for owner in owners:
            uow.projects.add(ProjectRow(project_id=owner.project_id, environment="production", created_at=NOW))
        uow.commit()
    worlds = {owner: House(plan(owner)).workshop for owner in owners}
    with Loop(house, lambda owner: worlds[owner]) as provisioning:
        for owner in owners:
            provisioning.begin_base(owner.project_id, Direction.UP, {}, actor="alice")
        until(lambda: not provisioning.due(), 20)
    for owner in owners:
        assert provisioning.runs(owner)[0].state is RunState.SUCCEEDED
        assert len(worlds[owner].world.owned(owner)) == 5


def test_a_project_that_nobody_can_work_in_fails_visibly() -> None:
    house = House()

    def missing(owner: Owner) -> Any:
        raise Unavailable("cloud_token_missing", "No token.", "Set one.")

    run_id = house.begin()
    with Loop(house, missing):
        until(lambda: house.run(run_id).state is RunState.FAILED)
    assert house.run(run_id).code == "cloud_token_missing"
    assert ("plan", "failed", "cloud_token_missing") in house.told(run_id)
    assert house.entries() == {}


def test_the_journal_goes_away_in_the_middle_and_the_run_goes_on_when_it_is_back() -> None:
    house = House()
    away = threading.Event()
    real = house.store.unit_of_work

    def unit_of_work() -> Any:
        if away.is_set():
            raise Unavailable("database_unavailable", "Away.")
        return real()

    house.store.unit_of_work = unit_of_work  # type: ignore[method-assign]
    house.world.script = lambda phase, key, nth: away.set() if (phase, key, nth) == ("do", "volume", 1) else None  # type: ignore[func-returns-value]
    run_id = house.begin()
    assert house.live(run_id) is None
    assert house.run(run_id).state is RunState.RUNNING
    away.clear()
    assert house.to_the_end(run_id).state is RunState.SUCCEEDED
    house.is_up()
    assert max(house.world.made.values()) == 1


@pytest.mark.slow
def test_the_wall_time_of_a_run_is_that_of_its_longest_way() -> None:
    """With calls that take as long as they say: the engine's own work must not be seen beside them."""
    house = House(threads=12)
    takes = {"network": 0.1, "server.gateway": 0.4, "server.db": 0.5, "volume": 0.2, "secrets": 0.3, "record": 0.1}

    class Slow(Doing):
        def do(self, step: Any, context: Any) -> Any:
            time.sleep(takes.get(step.key, 0.05))
            return super().do(step, context)

    house.workshop.doings = {action: Slow(house.world) for action in house.workshop.doings}
    ends: dict[str, float] = {}
    for step in plan().steps:
        ends[step.key] = max((ends[key] for key in step.needs), default=0.0) + takes.get(step.key, 0.05)
    run_id = house.begin()
    began = time.monotonic()
    assert house.to_the_end(run_id).state is RunState.SUCCEEDED
    wall, longest = time.monotonic() - began, max(ends.values())
    assert longest <= wall <= 1.1 * longest + 0.25, f"{wall:.3f} s, and the longest way is {longest:.3f} s"
