"""What faces ask: refused before anything is begun, and kept with the run as it was planned."""

from __future__ import annotations

from typing import Any

import pytest

from control.offices import log_key
from control.registry_rows import prepared, tenant
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.provisioning.desired import request_from
from frostbyte.control_plane.provisioning.desk import Desk
from frostbyte.control_plane.provisioning.planner import Planned
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Plan, Problem
from frostbyte.control_plane.registry.idempotency import once
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.kernel.errors import Conflict, NotFound
from provisioning.scripted import OWNER, plan


class Planning:
    """A planner that lays what is asked for over two workers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.problems: tuple[Problem, ...] = ()

    def tenant(self, tenant_id: str, values: Any = None, *, octet: int | None = None) -> Planned:
        self.asked.append((values, octet))
        made = plan()
        return Planned(
            plan=Plan(owner=OWNER, steps=made.steps, problems=self.problems),
            request=request_from({"workers": 2, **(values or {})}),
        )


class Counter:
    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        prepared(self.registry, tenant())
        self.planning = Planning()
        clock = ManualClock()
        self.provisioning = Provisioning(self.registry.unit_of_work, clock)
        self.operations = Operations(self.registry.unit_of_work, clock, self.provisioning)
        self.desk = Desk(self.registry.unit_of_work, self.planning, self.provisioning, self.operations)  # type: ignore[arg-type]

    def begin(self, move: Move, values: Any = None, **more: Any) -> Any:
        more.setdefault("confirmation", "acme")
        return self.desk.begin("acme", move, values, actor="alice", reason="requested", **more)

    def state(self) -> TenantState:
        with self.registry.unit_of_work() as uow:
            row = uow.tenants.get("acme")
        assert row is not None
        return row.state


def test_what_was_planned_is_kept_with_the_run() -> None:
    counter = Counter()
    operation = counter.begin(Move.PROVISION, {"shape": "small"}, octet=1)
    assert counter.planning.asked == [({"shape": "small"}, 1)]
    (run,) = counter.provisioning.due()
    assert run.run_id == operation.operation_id
    assert (run.request["shape"], run.request["workers"]) == ("small", 2)


def test_a_plan_that_cannot_be_carried_out_begins_nothing() -> None:
    counter = Counter()
    counter.planning.problems = (Problem(code="no_stock", message="Nothing is to be had.", remedy="Wait."),)
    with pytest.raises(Conflict) as caught:
        counter.begin(Move.PROVISION)
    assert caught.value.code == "no_stock"
    assert counter.state() is TenantState.PENDING
    assert counter.provisioning.due() == []
    with pytest.raises(NotFound):
        counter.desk.begin("nobody", Move.PROVISION, actor="alice", reason="requested")


def test_the_same_request_again_is_answered_and_planned_no_more() -> None:
    counter = Counter()
    request = once("alice", "k1", "POST", {})
    first = counter.begin(Move.PROVISION, once=request)
    counter.planning.problems = (Problem(code="no_stock", message="Nothing is to be had.", remedy="Wait."),)
    assert counter.begin(Move.PROVISION, once=request) == first
    assert len(counter.planning.asked) == 1
    with pytest.raises(Conflict) as caught:
        counter.begin(Move.PROVISION)
    assert caught.value.code == "move_illegal"


def test_a_retry_plans_anew_and_one_of_a_plane_attached_by_hand_does_not() -> None:
    counter = Counter()
    operation = counter.begin(Move.PROVISION)
    counter.operations.end(operation.operation_id, code="cloud_quota")
    (run,) = counter.provisioning.due()
    assert run.direction == "back"  # it was ended from outside: what was begun is taken back first
    with pytest.raises(Conflict) as caught:
        counter.begin(Move.RETRY)
    assert caught.value.code == "run_running"
    assert len(counter.planning.asked) == 2

    by_hand = Counter()
    attached = by_hand.operations.attach(
        "acme",
        gateway_url="https://10.1.1.2:8080",
        channel_url="https://10.1.1.2:8443",
        ca_pem="-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n",
        log_key=log_key("frostbyte/acme/plane"),
        actor="alice",
        reason="requested",
    )
    by_hand.operations.end(attached.operation_id, code="plane_silent")
    by_hand.begin(Move.RETRY)
    assert by_hand.planning.asked == []
    assert by_hand.provisioning.due() == []
    assert by_hand.desk.remains("acme") == []
