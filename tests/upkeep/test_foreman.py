"""Duties: journalled stage by stage, gone on with after any crash, taken back where they cannot be finished."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from control.registry_rows import change_tenant, prepared
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.upkeep.duty import Stage, Task
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

NEVER = threading.Event()


class Killed(BaseException):
    """A process that ends here."""


class Walls:
    """A duty of three stages that leave something in the world: bricks, by name."""

    kinds = frozenset({OperationKind.SCALE})
    event = EventType.TENANT_SCALED

    def __init__(self, *, final: str = "") -> None:
        self.bricks: set[str] = set()
        self.calls: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.killed_at = 0
        self._final = final

    def asked(self, uow: Any, tenant: Any, kind: OperationKind, request: Mapping[str, Any]) -> dict[str, Any]:
        if request.get("height") == 0:
            raise Conflict("wall_too_low", "A wall has a height.", "Ask for more.")
        return {**request, "before": sorted(self.bricks)}

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        return tuple(
            Stage(name=name, do=self._laid(name), undo=self._taken(name), final=name == self._final)
            for name in ("first", "second", "third")
        )

    def details(self, task: Task) -> Mapping[str, Any]:
        return {"count": len(self.bricks)}

    def _laid(self, name: str) -> Callable[[Task], Mapping[str, Any]]:
        def do(task: Task) -> Mapping[str, Any]:
            self._call(name)
            self.bricks.add(name)
            self._call("")
            return {"brick": name}

        return do

    def _taken(self, name: str) -> Callable[[Task], None]:
        def undo(task: Task) -> None:
            self._call(f"undo.{name}")
            self.bricks.discard(name)
            self._call("")

        return undo

    def _call(self, name: str) -> None:
        if name:
            self.calls.append(name)
        if self.killed_at:
            self.killed_at -= 1
            if not self.killed_at:
                raise Killed
        for error in self.fails.get(name, [])[:1]:
            self.fails[name].pop(0)
            raise error


class Site:
    def __init__(self, duty: Walls) -> None:
        self.duty, self.store = duty, MemoryRegistry()
        self.clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.operations = Operations(self.store.unit_of_work, self.clock)
        (tenant,) = prepared(self.store)
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                tenant = change_tenant(uow, tenant, state=state)
                uow.commit()
        self.restart()

    def restart(self) -> None:
        """Another process of the control plane."""
        self.foreman = Foreman(self.store.unit_of_work, self.operations, self.clock, [self.duty], first_pause=0.0)

    def begun(self, kind: OperationKind = OperationKind.SCALE, **request: Any) -> OperationRow:
        return self.foreman.begin("acme", kind, request, actor="alice", reason="requested")

    def steps(self, operation: OperationRow) -> list[tuple[str, str]]:
        return [(row.step, row.code) for row in self.operations.steps(operation.operation_id)]

    def told(self) -> list[Mapping[str, Any]]:
        with self.store.unit_of_work() as uow:
            events = uow.audit.unsequenced(1000)
        return [event.details for event in events if event.type == EventType.TENANT_SCALED]


@pytest.fixture
def site() -> Site:
    return Site(Walls())


def lasting() -> FrostbyteError:
    return Conflict("brick_broken", "A brick is broken.", "Take another.")


def test_stages_are_done_in_order_and_what_they_came_to_is_kept(site: Site) -> None:
    site.duty.bricks.add("old")
    operation = site.begun(height=3)
    assert operation.request == {"height": 3, "before": ["old"]}
    site.foreman.turn(NEVER)
    assert site.steps(operation) == [("first", ""), ("second", ""), ("third", "")]
    assert site.operations.steps(operation.operation_id)[1].facts == {"brick": "second"}
    assert site.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
    [said] = site.told()
    assert (said["status"], said["count"], said["reason"]) == ("succeeded", 4, "requested")


def test_what_lasts_turns_everything_back_that_may_have_begun(site: Site) -> None:
    site.duty.fails["third"] = [lasting()]
    operation = site.begun()
    site.foreman.turn(NEVER)
    expected = ["third", "turned_back", "undo.third", "undo.second", "undo.first"]
    assert [name for name, _ in site.steps(operation)][2:] == expected
    assert site.operations.show(operation.operation_id).code == "brick_broken"
    assert site.duty.bricks == set()
    assert site.told()[0]["code"] == "brick_broken"


def test_what_passes_is_tried_again(site: Site) -> None:
    site.duty.fails["second"] = [Unavailable("host_unreachable", "Away.", "")] * 3
    operation = site.begun()
    site.foreman.turn(NEVER)
    assert site.duty.calls.count("second") == 4
    assert site.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_what_passes_for_ever_ends_at_last(site: Site) -> None:
    site.duty.fails["second"] = [Unavailable("host_unreachable", "Away.", "")] * 100
    operation = site.begun()
    site.foreman.turn(NEVER)
    assert site.operations.show(operation.operation_id).code == "host_unreachable"


def test_after_a_final_stage_nothing_is_taken_back() -> None:
    site = Site(Walls(final="second"))
    site.duty.fails["third"] = [lasting()]
    operation = site.begun()
    site.foreman.turn(NEVER)
    assert site.duty.bricks == {"first", "second"}
    assert site.steps(operation)[-1] == ("third", "brick_broken")
    assert site.operations.show(operation.operation_id).code == "brick_broken"


def test_what_cannot_be_taken_back_is_said_and_nothing_before_it_is_touched(site: Site) -> None:
    site.duty.fails = {"third": [lasting()], "undo.second": [lasting()]}
    operation = site.begun()
    site.foreman.turn(NEVER)
    assert site.steps(operation)[-1] == ("undo.second", "brick_broken")
    assert site.duty.bricks == {"first", "second"}
    assert site.operations.show(operation.operation_id).code == "upkeep_remains"


def test_a_stage_that_breaks_ends_its_duty_and_is_taken_back(site: Site) -> None:
    site.duty.fails["third"] = [KeyError("brick")]
    operation = site.begun()
    site.foreman.turn(NEVER)
    assert site.operations.show(operation.operation_id).code == "step_broken"
    assert site.duty.bricks == set()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("killed_at", range(1, 14))
def test_a_killed_process_is_gone_on_with_to_the_same_end(killed_at: int, fails: bool) -> None:
    """Before and after each stage, each way back, and each line of the journal."""
    site = Site(Walls())
    operation = site.begun()
    site.duty.killed_at = killed_at
    if fails:
        site.duty.fails["third"] = [lasting()] * 2
    for _ in range(2):
        try:
            site.foreman.turn(NEVER)
        except Killed:
            site.restart()
    ended = site.operations.show(operation.operation_id)
    assert ended.code == ("brick_broken" if fails else "")
    assert site.duty.bricks == (set() if fails else {"first", "second", "third"})
    assert len(site.told()) == 1


@pytest.mark.parametrize("killed_at", range(1, 9))
def test_a_process_killed_at_the_journal_goes_on(killed_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    site, calls = Site(Walls()), 0
    site.duty.fails["third"] = [lasting()] * 2
    operation, real = site.begun(), site.operations.step

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == killed_at and killed_at % 2:
            raise Killed
        row = real(*arguments, **named)
        if calls == killed_at:
            raise Killed
        return row

    with monkeypatch.context() as patched:
        patched.setattr(site.operations, "step", step)
        try:
            site.foreman.turn(NEVER)
        except Killed:
            site.restart()
    site.foreman.turn(NEVER)
    assert site.operations.show(operation.operation_id).code == "brick_broken"
    assert site.duty.bricks == set()


def test_a_process_that_is_to_end_leaves_the_rest_for_the_next(site: Site) -> None:
    site.duty.fails["second"] = [Unavailable("host_unreachable", "Away.", "")]
    operation, stop = site.begun(), threading.Event()
    stop.set()
    site.foreman.turn(stop)
    assert site.operations.show(operation.operation_id).status is OperationStatus.RUNNING
    site.restart()
    site.foreman.turn(NEVER)
    assert site.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_one_duty_at_a_time_and_suspending_goes_beside_it(site: Site) -> None:
    operation = site.begun()
    with pytest.raises(Conflict) as refused:
        site.begun()
    assert (refused.value.code, "alice" in refused.value.message) == ("operation_running", True)
    site.operations.begin("acme", Move.SUSPEND, actor="bob", reason="incident")
    with pytest.raises(Conflict) as refused:
        site.operations.begin("acme", Move.DEPROVISION, actor="bob", reason="ended", confirmation="acme")
    assert refused.value.code == "operation_running"
    site.foreman.turn(NEVER)
    assert site.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
    site.operations.begin("acme", Move.DEPROVISION, actor="bob", reason="ended", confirmation="acme")
    with pytest.raises(Conflict) as refused:
        site.begun()
    assert refused.value.code == "tenant_not_standing"


def test_what_cannot_be_asked_for_is_refused_before_anything_begins(site: Site) -> None:
    for kind, request, code in (
        (OperationKind.SCALE, {"height": 0}, "wall_too_low"),
        (OperationKind.UPDATE, {}, "duty_missing"),
    ):
        with pytest.raises(Conflict) as refused:
            site.begun(kind, **request)
        assert refused.value.code == code
    with site.store.unit_of_work() as uow:
        assert uow.operations.running() == []


def test_the_loop_carries_duties_out_and_ends(site: Site) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=site.foreman.run, args=(stop,))
    thread.start()
    operation = site.begun()
    for _ in range(100):
        if site.operations.show(operation.operation_id).status is not OperationStatus.RUNNING:
            break
        stop.wait(0.05)
    stop.set()
    site.foreman.carry(operation)
    thread.join(10)
    assert not thread.is_alive()
    assert site.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
