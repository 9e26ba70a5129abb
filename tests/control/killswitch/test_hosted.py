"""Tenants whose hosts are made and taken away by us: operation, run and kill-switch together, to every end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from control.killswitch.planes import UNREACHABLE, World
from control.registry_rows import endpoints
from frostbyte.control_plane.killswitch import switch as switching
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action, Context, Outcome, Step
from frostbyte.control_plane.registry.changes import changed, found
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Unavailable
from provisioning.scripted import NEIGHBOUR, OWNER, Doing, Killed, Store, Workshop, plan
from provisioning.scripted import Process as Life
from provisioning.scripted import World as CloudWorld


class Registering(Doing):
    """What the last step does: says how the plane that was made is reached."""

    def __init__(self, cloud: CloudWorld, world: HostedWorld) -> None:
        super().__init__(cloud)
        self._house = world

    def do(self, step: Step, context: Context) -> Outcome:
        outcome = super().do(step, context)
        name, house = context.owner.tenant_id, self._house
        row = endpoints(
            name,
            gateway_url="http://127.0.0.1:8080",
            channel_url=house.url(name),
            ca_pem="",
            log_key=house.log_keys[name],
        )
        with house.registry.unit_of_work() as uow:
            uow.endpoints.put(row)
            changed(
                *(uow, house.clock, found(uow, name, lock=True), EventType.TENANT_ENDPOINTS_SET, "x"),
                {"status": "changed"},
            )
            uow.commit()
        return outcome


class HostedWorld(World):
    """A control plane that makes its tenants' hosts, in a cloud in memory."""

    def __post_init__(self) -> None:
        self.cloud = CloudWorld()
        inner = self.registry
        self.registry = Store(inner, self.cloud)
        self.receipts: list[UUID] = []
        self.no_receipt: FrostbyteError | None = None
        super().__post_init__()

    def start(self) -> None:
        self.cloud.process = Life()
        workshop = Workshop(self.cloud, plan())
        workshop.doings[Action.ENDPOINTS] = Registering(self.cloud, self)
        self.provisioning = Provisioning(self.registry.unit_of_work, self.clock, self._receipt)
        pace = Pace(threads=1, late_seconds=0.0, pause=lambda event, seconds: None)
        self.engine = Engine(
            self.registry.unit_of_work, self.clock, lambda owner: workshop, holder="control", pace=pace
        )
        super().start()

    def _receipt(self, operation_id: UUID) -> None:
        if self.no_receipt is not None:
            raise self.no_receipt
        if operation_id not in self.receipts:
            self.receipts.append(operation_id)

    def settle(self, rounds: int = 4) -> None:
        for _ in range(3):
            for run in self.provisioning.due():
                self.engine.carry(run.run_id, threading.Event())
            super().settle(rounds)

    def provision(self, **request: Any) -> OperationRow:
        return self.do(Move.PROVISION, "acme", reason="requested", request=request)

    def status(self, operation: OperationRow) -> tuple[OperationStatus, str]:
        row = self.operations.show(operation.operation_id)
        return row.status, row.code

    def owned(self) -> set[str]:
        return {thing.name for thing in self.cloud.owned(OWNER)}


WELL = (OperationStatus.SUCCEEDED, "")
ALL = {"fb-acme-network", "fb-acme-server-gateway", "fb-acme-server-db", "fb-acme-volume", "fb-acme-record"}


@pytest.fixture
def world() -> HostedWorld:
    made = HostedWorld()
    made.tenants("acme", "other")
    return made


def done(world: HostedWorld, operation: OperationRow) -> list[str]:
    """What the kill-switch did, without the steps of the run."""
    own = {str(step) for step in switching.Step}
    return [step for step in world.steps(operation) if step.partition(":")[0] in own]


def test_one_command_makes_the_hosts_and_takes_the_plane_into_service(world: HostedWorld) -> None:
    operation = world.provision(shape="small")
    assert world.tenant("acme").state is TenantState.PROVISIONING
    assert [run.run_id for run in world.provisioning.due()] == [operation.operation_id]
    world.settle()
    assert world.status(operation) == WELL
    assert world.tenant("acme").state is TenantState.ACTIVE
    assert world.edge.gates == {"acme": Gate.OPEN}
    assert world.owned() == ALL
    assert done(world, operation) == [
        *("registry_committed", "hosts_ready", "plane_answered", "plane_recognised"),
        *("plane_acknowledged", "edge_prepared"),
    ]
    steps = world.steps(operation)
    assert steps.index("endpoints") < steps.index("hosts_ready")  # the run's own steps are seen in the same list
    assert world.provisioning.runs(OWNER)[0].request["shape"] == "small"
    assert world.provisioning.remaining(NEIGHBOUR) == []


def test_nobody_loses_patience_with_hosts_that_take_their_time(
    world: HostedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = world.provision()
    later = switching.time.monotonic() + 3600
    monkeypatch.setattr(switching.time, "monotonic", lambda: later)
    world.switch.turn()
    assert world.status(operation) == (OperationStatus.RUNNING, "")
    monkeypatch.undo()
    world.settle()
    assert world.status(operation) == WELL


def test_a_run_that_fails_is_taken_back_before_its_operation_ends(world: HostedWorld) -> None:
    world.cloud.script = lambda phase, key, nth: (
        ("before", CloudError("cloud_quota", "Full.")) if (phase, key) == ("do", "record") else None
    )
    operation = world.provision()
    world.settle()
    assert world.status(operation) == (OperationStatus.FAILED, "cloud_quota")
    assert world.owned() == set()
    row = world.tenant("acme")
    assert (row.state, row.octet) == (TenantState.FAILED, 1)
    assert done(world, operation)[-1] == "hosts_ready:cloud_quota"
    assert "acme" not in world.edge.gates
    world.cloud.script = lambda phase, key, nth: None
    again = world.do(Move.RETRY, "acme", reason="requested")  # with what was asked for last
    world.settle()
    assert world.status(again) == WELL
    assert world.tenant("acme").state is TenantState.ACTIVE
    assert len(world.provisioning.runs(OWNER)) == 2


def test_hosts_whose_plane_never_answers_are_taken_back(world: HostedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plane("acme").trouble = UNREACHABLE
    operation = world.provision()
    world.settle()
    assert world.status(operation) == (OperationStatus.RUNNING, "")
    assert world.owned() == ALL
    later = switching.time.monotonic() + 31
    monkeypatch.setattr(switching.time, "monotonic", lambda: later)
    world.switch.turn()
    monkeypatch.undo()
    assert world.status(operation) == (OperationStatus.RUNNING, "")  # not before they are gone
    assert world.provisioning.runs(OWNER)[0].code == "plane_unreachable"
    world.start()  # and in another process
    world.settle()
    assert world.status(operation) == (OperationStatus.FAILED, "plane_unreachable")
    assert world.owned() == set()
    assert done(world, operation)[-1] == "plane_answered:plane_unreachable"
    assert world.tenant("acme").state is TenantState.FAILED


def test_a_plane_that_is_another_one_is_taken_back_at_once(world: HostedWorld) -> None:
    world.log_keys["acme"], right = world.log_keys["other"].replace("other", "acme"), world.log_keys["acme"]
    operation = world.provision()
    world.settle()
    assert world.status(operation)[0] is OperationStatus.FAILED
    assert world.owned() == set()
    world.log_keys["acme"] = right
    world.do(Move.RETRY, "acme", reason="requested")
    world.settle()
    assert world.tenant("acme").state is TenantState.ACTIVE


def test_deprovisioning_takes_the_hosts_when_the_log_is_safe_and_ends_with_a_receipt(world: HostedWorld) -> None:
    world.provision()
    world.settle()
    world.ledger_whole = False
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended", request={"destroy_data": True})
    world.settle()
    assert world.owned() == ALL  # nothing goes before
    assert world.provisioning.due() == []
    world.ledger_whole, world.no_receipt = True, Unavailable("database_unavailable", "Away.")
    world.settle()
    assert world.owned() == set()
    assert world.status(operation) == (OperationStatus.RUNNING, "")
    assert world.tenant("acme").octet == 1
    world.no_receipt = None
    world.settle()
    assert world.status(operation) == WELL
    assert world.receipts == [operation.operation_id]
    row = world.tenant("acme")
    assert (row.state, row.octet) == (TenantState.DEPROVISIONED, None)
    assert done(world, operation)[-1] == "resources_gone"


def test_a_volume_outlives_its_tenant_unless_its_destruction_was_said(world: HostedWorld) -> None:
    world.provision()
    world.settle()
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended")
    world.settle()
    assert world.status(operation) == WELL
    assert world.owned() == {"fb-acme-volume"}
    (kept,) = world.provisioning.remaining(OWNER)
    assert (kept.key, kept.state, kept.facts["kept"]) == ("volume", EntryState.DONE, True)


def test_what_cannot_be_taken_away_fails_with_what_remains_and_is_tried_again(world: HostedWorld) -> None:
    world.provision()
    world.settle()
    world.cloud.script = lambda phase, key, nth: (
        ("before", CloudError("cloud_protected", "No.")) if (phase, key) == ("undo", "server.db") else None
    )
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended", request={"destroy_data": True})
    world.settle()
    assert world.status(operation) == (OperationStatus.FAILED, "cloud_protected")
    assert [row.key for row in world.provisioning.remaining(OWNER)] == ["server.db"]
    row = world.tenant("acme")
    assert (row.state, row.octet) == (TenantState.FAILED, 1)
    assert world.receipts == []
    world.cloud.script = lambda phase, key, nth: None
    again = world.do(Move.RETRY, "acme", reason="host_gone")
    world.settle()
    assert world.status(again) == WELL
    assert world.provisioning.runs(OWNER)[0].request == {"destroy_data": True}  # as was said before
    assert world.tenant("acme").state is TenantState.DEPROVISIONED
    assert world.receipts == [again.operation_id]


def test_a_plane_that_does_not_close_keeps_its_hosts_and_the_next_attempt_takes_them(
    world: HostedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.provision()
    world.settle()
    world.plane("acme").trouble = UNREACHABLE
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended", request={"destroy_data": True})
    world.settle()
    later = switching.time.monotonic() + 121
    monkeypatch.setattr(switching.time, "monotonic", lambda: later)
    world.switch.turn()
    monkeypatch.undo()
    assert world.status(operation) == (OperationStatus.FAILED, "plane_unreachable")
    assert world.provisioning.runs(OWNER)[0].state is RunState.FAILED
    assert world.owned() == ALL
    again = world.do(Move.RETRY, "acme", reason="host_gone")
    world.settle()
    assert world.status(again) == WELL
    assert world.owned() == set()


@pytest.mark.parametrize("broken", ["before anything", "after the plane acknowledged", "nothing can be removed"])
def test_what_failed_can_be_given_up_at_every_point(
    world: HostedWorld, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def script(phase: str, key: str, nth: int) -> Any:
        hit = {
            "before anything": (phase == "plan"),
            "nothing can be removed": (phase, key) == ("do", "record") or phase == "undo",
        }.get(broken, False)
        return ("before", CloudError("cloud_refused", "No.")) if hit else None

    world.cloud.script = script
    late = broken == "after the plane acknowledged"
    world.edge.trouble = Unavailable("edge_unwritable", "No.") if late else None
    operation = world.provision()
    world.settle()
    if late:
        assert world.steps(operation)[-1] == "edge_prepared:edge_unwritable"
        later = switching.time.monotonic() + 31
        monkeypatch.setattr(switching.time, "monotonic", lambda: later)
        world.switch.turn()
        monkeypatch.undo()
        world.settle()
        assert world.owned() == set()
        world.edge.trouble = None
    assert world.status(operation)[0] is OperationStatus.FAILED
    assert world.tenant("acme").octet == 1
    world.cloud.script = lambda phase, key, nth: None
    given_up = world.do(Move.ABANDON, "acme", reason="requested")
    world.settle()
    assert world.status(given_up) == WELL
    assert world.owned() == set()
    assert (world.tenant("acme").state, world.tenant("acme").octet) == (TenantState.DEPROVISIONED, None)


def test_without_a_request_a_tenant_is_attached_by_hand_as_before(world: HostedWorld) -> None:
    with pytest.raises(Conflict) as caught:
        world.do(Move.PROVISION, "acme")
    assert caught.value.code == "endpoints_missing"
    assert world.attach("acme").status is OperationStatus.SUCCEEDED
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended")
    world.settle()
    assert world.status(operation) == WELL
    assert done(world, operation) == ["registry_committed", "edge_closed", "plane_closed", "ledger_pulled"]
    assert world.provisioning.runs(OWNER) == []


@pytest.mark.parametrize("request_", [{"shape": "enormous"}, {"colour": "red"}])
def test_a_request_that_nobody_can_carry_out_begins_nothing(world: HostedWorld, request_: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        world.provision(**request_)
    assert world.tenant("acme").state is TenantState.PENDING
    assert world.provisioning.runs(OWNER) == []
    world.provision()
    world.settle()
    with pytest.raises(Invalid):
        world.do(Move.DEPROVISION, "acme", reason="x", request={"destroy_data": "yes"})
    assert world.tenant("acme").state is TenantState.ACTIVE


def test_an_operation_that_was_ended_from_outside_takes_its_run_back(world: HostedWorld) -> None:
    operation = world.provision()
    world.cloud.script = lambda phase, key, nth: (
        world.operations.end(operation.operation_id, code="operation_interrupted") and None
        if (phase, key) == ("do", "server.db")
        else None
    )
    world.settle()
    assert world.status(operation) == (OperationStatus.FAILED, "operation_interrupted")
    assert world.owned() == set()
    assert world.provisioning.runs(OWNER)[0].code == "operation_interrupted"


# Killed at every moment of everything


def story_provision(world: HostedWorld) -> None:
    world.provision()
    world.settle()


def story_deprovision(world: HostedWorld) -> None:
    world.do(Move.DEPROVISION, "acme", reason="contract_ended", request={"destroy_data": True})
    world.settle()


def story_fails(world: HostedWorld) -> None:
    world.cloud.script = lambda phase, key, nth: (
        ("before", CloudError("cloud_quota", "Full.")) if (phase, key) == ("do", "files.db") else None
    )
    world.provision()
    world.settle()


STORIES: dict[str, tuple[Callable[[HostedWorld], None], TenantState, set[str]]] = {
    "provision": (story_provision, TenantState.ACTIVE, ALL),
    "deprovision": (story_deprovision, TenantState.DEPROVISIONED, set()),
    "fails": (story_fails, TenantState.FAILED, set()),
}


@pytest.mark.parametrize("apart", [pytest.param(1, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_every_moment_it_ends_where_it_would_have_ended(name: str, apart: int) -> None:
    """Every fifth moment in the fast lane: before and after acts in turn."""
    story, state, owned = STORIES[name]
    moment = 1 - apart
    while True:
        moment += apart
        world = HostedWorld()
        world.tenants("acme", "other")
        if name == "deprovision":
            story_provision(world)
        before = world.tenant("acme").state
        world.cloud.process = Life(moment)
        try:
            story(world)
        except Killed:
            pass
        else:
            if not world.cloud.process.dead:
                break
        journalled = {row.name for row in world.provisioning.entries(OWNER) if row.state is not EntryState.GONE}
        assert world.owned() <= journalled
        world.start()
        world.settle()
        if world.tenant("acme").state is before and name != "fails":
            story(world)  # killed before the decision was committed: nothing had happened
        elif world.tenant("acme").state is TenantState.PENDING:
            story(world)
        assert world.tenant("acme").state is state, moment
        assert world.owned() == owned
        with world.registry.unit_of_work() as uow:
            assert uow.operations.running() == []
            assert uow.journal.running() == []
            ends = {row.status for row in uow.operations.page(tenant_id="acme")}
        assert ends == {OperationStatus.FAILED if name == "fails" else OperationStatus.SUCCEEDED}
        if name == "deprovision":
            assert len(world.receipts) == 1
        kinds = {OperationKind.PROVISION, OperationKind.DEPROVISION}
        assert world.operations.page(tenant_id="acme")[0].kind in kinds
    assert moment > 60
