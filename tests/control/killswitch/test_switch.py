"""Operations step by step, with planes in memory."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from control.killswitch.planes import KEY, UNREACHABLE, World
from control.registry_rows import operation
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.control_plane.killswitch import switch as switching
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus, TenantRow
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.verifying_keys import PinnedKeys


@pytest.fixture
def world() -> World:
    made = World()
    made.tenants("acme", "globex", "initech")
    return made


@pytest.fixture
def running(world: World) -> World:
    for name in ("acme", "globex", "initech"):
        assert world.attach(name).status is OperationStatus.SUCCEEDED
    return world


def test_attaching_asks_the_plane_and_opens_the_edge_last(world: World) -> None:
    done = world.attach("acme")
    assert done.status is OperationStatus.SUCCEEDED
    assert world.steps(done) == [
        "registry_committed",
        "plane_answered",
        "plane_recognised",
        "plane_acknowledged",
        "edge_prepared",
    ]
    assert world.tenant("acme").state is TenantState.ACTIVE
    assert world.edge.history == [("acme", "closed"), ("acme", "open")]
    assert world.plane("acme").standing().state is PlaneState.ACTIVE


def test_a_plane_of_another_tenant_is_not_taken_into_service(world: World) -> None:
    world.planes[world.url("acme")] = world.plane("globex")
    done = world.attach("acme")
    assert (done.status, done.code) == (OperationStatus.FAILED, "plane_foreign_tenant")
    assert world.tenant("acme").state is TenantState.FAILED
    assert world.edge.gates == {}
    assert world.plane("globex").standing().version == 0, "it was told nothing"


def test_a_plane_with_another_log_is_not_taken_into_service_and_a_retry_with_the_right_one_is(world: World) -> None:
    right = world.plane("acme")
    world.planes[world.url("acme")] = MemoryPlane("acme", PinnedKeys((KEY.public,)), log_seed=bytes([3]) * 32)
    assert world.attach("acme").code == "standing_log_key"
    world.planes[world.url("acme")] = right
    again = world.do(Move.RETRY, "acme", actor="alice")
    world.settle()
    assert world.operations.show(again.operation_id).status is OperationStatus.SUCCEEDED
    assert world.edge.gates == {"acme": Gate.OPEN}
    assert world.alarms.ringing() == {}


def test_attaching_a_dead_host_fails_after_its_patience(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plane("acme").trouble = UNREACHABLE
    running = world.attaching("acme")
    world.settle()
    assert world.operations.show(running.operation_id).status is OperationStatus.RUNNING
    assert world.steps(running)[-1] == "plane_answered:plane_unreachable"
    later = switching.time.monotonic() + 31
    monkeypatch.setattr(switching.time, "monotonic", lambda: later)
    world.switch.turn()
    assert world.operations.show(running.operation_id).code == "plane_unreachable"
    assert world.tenant("acme").state is TenantState.FAILED
    assert world.edge.gates == {}


def test_suspending_shuts_the_edge_before_the_call_returns_and_only_for_this_tenant(running: World) -> None:
    operation = running.do(Move.SUSPEND, "acme", reason="payment")
    assert running.edge.gates == {"acme": Gate.CLOSED, "globex": Gate.OPEN, "initech": Gate.OPEN}
    assert running.steps(operation) == ["registry_committed", "edge_closed"]
    assert operation.status is OperationStatus.RUNNING
    running.settle()
    assert running.steps(operation) == ["registry_committed", "edge_closed", "plane_acknowledged"]
    assert running.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
    assert running.plane("acme").standing().state is PlaneState.SUSPENDED
    assert running.plane("globex").standing().state is PlaneState.ACTIVE


def test_an_acknowledgement_that_is_stored_while_its_operation_is_looked_at_is_not_missed(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = running.do(Move.SUSPEND, "acme")
    store, stored = running.pusher.store, running.switch._stored_acknowledgement
    monkeypatch.setattr(running.pusher, "store", lambda: None)
    running.pusher.exchange(running.entry("acme"))  # known, and not stored yet

    def read_too_soon(tenant: TenantRow) -> bool:
        found = stored(tenant)
        store()
        return found

    monkeypatch.setattr(running.switch, "_stored_acknowledgement", read_too_soon)
    running.switch.turn()
    running.switch.turn()
    assert running.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_a_duty_is_left_to_its_foreman_and_nothing_waits_for_it(running: World) -> None:
    duty = operation("acme", kind=OperationKind.SCALE)
    with running.registry.unit_of_work() as uow:
        uow.operations.add(duty)
        uow.commit()
    with capture_logs() as logged:
        asked = running.do(Move.SUSPEND, "acme")
        running.settle()
        running.switch.heard("acme")
    assert running.operations.show(asked.operation_id).status is OperationStatus.SUCCEEDED
    assert running.steps(duty) == []
    assert running.operations.show(duty.operation_id).status is OperationStatus.RUNNING
    assert [line["event"] for line in logged if line["log_level"] == "error"] == []


def test_a_dead_host_is_suspended_all_the_same_and_told_when_it_comes_back(running: World) -> None:
    running.plane("acme").trouble = UNREACHABLE
    operation = running.do(Move.SUSPEND, "acme")
    running.settle()
    assert running.edge.gates["acme"] is Gate.CLOSED
    assert running.steps(operation)[-1] == "plane_acknowledged:plane_unreachable"
    assert running.operations.show(operation.operation_id).status is OperationStatus.RUNNING
    running.settle()
    assert len(running.steps(operation)) == 3, "what is known is not noted again and again"
    running.plane("acme").trouble = None
    running.settle()
    assert running.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_resuming_opens_the_edge_only_after_the_plane_has_acknowledged(running: World) -> None:
    running.do(Move.SUSPEND, "acme", reason="payment")
    running.settle()
    running.plane("acme").trouble = UNREACHABLE
    operation = running.do(Move.RESUME, "acme", reason="payment")
    running.settle()
    assert running.tenant("acme").state is TenantState.ACTIVE
    assert running.edge.gates["acme"] is Gate.CLOSED
    running.plane("acme").trouble = None
    running.settle()
    assert running.edge.gates["acme"] is Gate.OPEN
    assert [step for step in running.steps(operation) if ":" not in step] == [
        "registry_committed",
        "plane_acknowledged",
        "edge_opened",
    ]


def test_whoever_comes_too_late_is_told_and_changes_nothing(running: World) -> None:
    seen = running.tenant("acme").version
    running.do(Move.SUSPEND, "acme", reason="payment", expected=seen)
    with pytest.raises(Conflict) as refused:
        running.do(Move.SUSPEND, "acme", actor="carol", expected=seen)
    assert refused.value.code == "tenant_changed"
    assert running.events("acme").count("TENANT_SUSPENDED") == 1


def test_a_newer_decision_ends_the_older_operation(running: World) -> None:
    running.plane("acme").trouble = UNREACHABLE
    first = running.do(Move.SUSPEND, "acme", reason="payment")
    second = running.do(Move.RESUME, "acme", actor="carol", reason="payment")
    third = running.do(Move.SUSPEND, "acme", reason="payment")
    running.plane("acme").trouble = None
    running.settle()
    ends = [running.operations.show(row.operation_id) for row in (first, second, third)]
    assert [row.code for row in ends] == ["operation_superseded", "operation_superseded", ""]
    assert running.edge.gates["acme"] is Gate.CLOSED
    assert running.plane("acme").standing().state is PlaneState.SUSPENDED


def test_an_edge_that_cannot_be_written_stops_nobody_from_telling_the_plane(running: World) -> None:
    running.edge.trouble = Unavailable("edge_unwritable", "The disk is full.", "")
    operation = running.do(Move.SUSPEND, "acme")
    running.settle()
    assert running.plane("acme").standing().state is PlaneState.SUSPENDED
    assert running.steps(operation)[-1] == "edge_closed:edge_unwritable"
    assert running.switch.edge_trouble == {"acme": "edge_unwritable"}
    running.edge.trouble = None
    running.settle()
    assert running.edge.gates["acme"] is Gate.CLOSED
    assert running.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_deprovisioning_shuts_closes_pulls_and_gives_back(running: World) -> None:
    running.ledger_whole = False
    operation = running.do(Move.DEPROVISION, "acme", reason="contract_ended")
    running.settle()
    assert running.plane("acme").standing().state is PlaneState.CLOSED
    assert running.tenant("acme").state is TenantState.DEPROVISIONING
    running.ledger_whole = True
    running.settle()
    done = running.operations.show(operation.operation_id)
    assert done.status is OperationStatus.SUCCEEDED
    assert running.steps(operation) == ["registry_committed", "edge_closed", "plane_closed", "ledger_pulled"]
    row = running.tenant("acme")
    assert (row.state, row.octet) == (TenantState.DEPROVISIONED, None)
    assert "acme" not in running.edge.gates
    assert set(running.pulled) == {"acme"}


def test_a_dead_host_keeps_deprovisioning_until_somebody_says_that_it_is_gone(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.plane("acme").trouble = UNREACHABLE
    operation = running.do(Move.DEPROVISION, "acme", reason="contract_ended")
    running.settle()
    later = switching.time.monotonic() + 121
    monkeypatch.setattr(switching.time, "monotonic", lambda: later)
    running.switch.turn()
    assert running.operations.show(operation.operation_id).code == "plane_unreachable"
    assert running.tenant("acme").state is TenantState.FAILED
    assert running.edge.gates["acme"] is Gate.CLOSED
    running.do(Move.RETRY, "acme", reason="host_gone")
    running.settle()
    assert running.tenant("acme").state is TenantState.DEPROVISIONED
    assert "acme" not in running.edge.gates


def test_a_tenant_that_was_never_reached_is_given_up_without_its_plane(world: World) -> None:
    world.planes[world.url("acme")] = world.plane("globex")
    world.attach("acme")
    world.do(Move.ABANDON, "acme", reason="wrong_address")
    world.settle()
    assert world.tenant("acme").state is TenantState.DEPROVISIONED
    assert world.plane("globex").standing().version == 0


def test_at_start_what_must_be_shut_is_shut_first(running: World) -> None:
    running.do(Move.SUSPEND, "globex")
    running.settle()
    running.edge.gates = {"globex": Gate.OPEN, "stranger": Gate.OPEN}
    running.edge.history.clear()
    running.start()
    assert running.edge.history[0] == ("globex", "closed")
    assert running.edge.gates == {"acme": Gate.OPEN, "globex": Gate.CLOSED, "initech": Gate.OPEN}


def test_a_control_plane_that_cannot_shut_an_edge_does_not_start(running: World) -> None:
    running.do(Move.SUSPEND, "globex")
    running.edge.gates["globex"] = Gate.OPEN
    running.edge.trouble = Unavailable("edge_unwritable", "The disk is full.", "")
    with pytest.raises(Unavailable, match="must be shut"):
        running.start()


def test_the_edge_is_shut_also_if_the_registry_goes_away_right_after_the_decision(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = running.operations.begin("acme", Move.SUSPEND, actor="bob", reason="incident")

    def away() -> Any:
        raise Unavailable("database_unavailable", "Away.", "")

    monkeypatch.setattr(running.switch, "_unit_of_work", away)
    running.switch.carry(operation)
    assert running.edge.gates == {"acme": Gate.CLOSED, "globex": Gate.OPEN, "initech": Gate.OPEN}
    assert running.pusher.exchange(running.entry("acme"))
    assert running.plane("acme").standing().state is PlaneState.SUSPENDED
    monkeypatch.undo()
    running.switch.compare()
    running.settle()
    assert running.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


class Died(BaseException):
    """The process is gone: nothing catches this."""


COMMANDS = {
    "suspend": lambda world: world.do(Move.SUSPEND, "acme"),
    "resume": lambda world: world.do(Move.RESUME, "acme"),
    "deprovision": lambda world: world.do(Move.DEPROVISION, "acme", reason="contract_ended"),
    "attach": lambda world: world.attaching("acme"),
}
ENDS = {
    "suspend": (TenantState.SUSPENDED, Gate.CLOSED, PlaneState.SUSPENDED),
    "resume": (TenantState.ACTIVE, Gate.OPEN, PlaneState.ACTIVE),
    "deprovision": (TenantState.DEPROVISIONED, None, PlaneState.CLOSED),
    "attach": (TenantState.ACTIVE, Gate.OPEN, PlaneState.ACTIVE),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_around_every_act_it_ends_as_if_nothing_had_happened(command: str) -> None:
    """Every write to the registry, to the edge and every exchange with a plane is one moment, before and after it."""
    moments = 0
    while True:
        world = World()
        world.tenants("acme")
        if command != "attach":
            world.attach("acme")
        if command == "resume":
            world.do(Move.SUSPEND, "acme")
            world.settle()
        before = world.tenant("acme").state
        bomb = Bomb(world, moments)
        try:
            COMMANDS[command](world)
            world.settle()
        except Died:
            pass
        bomb.defuse()
        if not bomb.went_off:
            break
        moments += 1
        assert_safe(world)
        world.start()
        assert_safe(world)
        world.settle()
        if world.tenant("acme").state is before:
            COMMANDS[command](world)  # killed before the decision was committed: nothing had happened
            world.settle()
        state, gate, told = ENDS[command]
        assert world.tenant("acme").state is state
        assert world.edge.gates.get("acme") is gate
        assert world.plane("acme").standing().state is told
        with world.registry.unit_of_work() as uow:
            assert uow.operations.running() == []
            ends = [row.status for row in uow.operations.page(tenant_id="acme")]
        assert set(ends) == {OperationStatus.SUCCEEDED}
    assert moments >= 8


def assert_safe(world: World) -> None:
    """Nobody is led to a tenant that the registry does not call ACTIVE; right after a kill as well, but for the moment
    between the decision and the edge, which the start closes before anything is answered."""
    state, gate = world.tenant("acme").state, world.edge.gates.get("acme")
    if gate is Gate.OPEN and state is not TenantState.ACTIVE:
        world.start()
        assert world.edge.gates.get("acme") is not Gate.OPEN


class Bomb:
    """Dies at the given act, counted over all ports: even ones before the act, odd ones after it."""

    def __init__(self, world: World, moment: int) -> None:
        self.moment, self.count, self.went_off = moment, 0, False
        self._undo: list[tuple[Any, str, Any]] = []
        self._arm(world.edge, "show")
        self._arm(world.plane("acme"), "put")
        for name in ("begin", "attach", "step", "end"):
            self._arm(world.operations, name)
        self._arm(world.pusher._standings, "put")

    def _arm(self, target: Any, name: str) -> None:
        real = getattr(target, name)

        def armed(*given: Any, **named: Any) -> Any:
            self._tick()
            result = real(*given, **named)
            self._tick()
            return result

        self._undo.append((target, name, real))
        setattr(target, name, armed)

    def _tick(self) -> None:
        if self.went_off:
            raise Died  # whatever still runs of the dead process does nothing more
        if self.count == self.moment:
            self.went_off = True
            raise Died
        self.count += 1

    def defuse(self) -> None:
        for target, name, real in self._undo:
            setattr(target, name, real)
