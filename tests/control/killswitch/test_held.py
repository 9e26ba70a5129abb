"""A tenant whose plane has legal holds is not removed, whatever answers, whenever the hold was placed."""

from __future__ import annotations

from uuid import UUID

import pytest

from control.killswitch.planes import UNREACHABLE, World
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.registry.idempotency import Once
from frostbyte.control_plane.registry.records import OperationStatus
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.data_plane.lifecycle.holds import Holds, Reason, ReleaseReason
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.records import PlaneState


@pytest.fixture
def world() -> World:
    made = World()
    made.tenants("acme", "globex")
    for name in ("acme", "globex"):
        assert made.attach(name).status is OperationStatus.SUCCEEDED
    return made


def holds(world: World, name: str = "acme") -> Holds:
    return Holds(name, world.plane(name).store.unit_of_work, ManualClock())


def place(world: World, name: str = "acme") -> UUID:
    shown = holds(world, name).place("2026-0147", Reason.REGULATOR, everything=True, actor="counsel")
    return UUID(shown["hold_id"])


def release(world: World, hold: UUID) -> None:
    holds(world).release(hold, ReleaseReason.CLOSED, actor="counsel")


def heard(world: World, name: str = "acme") -> int:
    """What the registry remembers."""
    with world.registry.unit_of_work() as uow:
        found = uow.standings.get(name)
    assert found is not None
    return found.holds


def refused(world: World, move: Move = Move.DEPROVISION, reason: str = "contract_ended") -> None:
    before = world.tenant("acme")
    with pytest.raises(Conflict) as caught:
        world.do(move, "acme", reason=reason)
    assert caught.value.code == "tenant_held"
    assert world.tenant("acme") == before, "nothing was begun"


def test_it_is_asked_before_anything_begins(world: World) -> None:
    hold = place(world)
    refused(world)
    assert world.edge.gates["acme"] is Gate.OPEN
    world.do(Move.DEPROVISION, "globex", reason="contract_ended")
    world.settle()
    assert world.tenant("globex").state is TenantState.DEPROVISIONED, "a hold is its own tenant's"
    release(world, hold)
    world.do(Move.DEPROVISION, "acme", reason="contract_ended")
    world.settle()
    assert world.tenant("acme").state is TenantState.DEPROVISIONED


def test_each_lease_brings_how_many_there_are(world: World) -> None:
    assert heard(world) == 0
    hold, _ = place(world), place(world)
    world.pusher.exchange(world.entry("acme"))
    assert heard(world) == 2, "stored at once: the next answer may be the last"
    release(world, hold)
    world.pusher.exchange(world.entry("acme"))
    assert heard(world) == 1


@pytest.mark.parametrize("reason", ["contract_ended", "host_gone"])
def test_a_plane_that_answers_no_more_is_taken_at_its_last_word(world: World, reason: str) -> None:
    place(world)
    world.pusher.exchange(world.entry("acme"))
    world.plane("acme").trouble = UNREACHABLE
    world.pusher.exchange(world.entry("acme"))
    refused(world, reason=reason)
    world.start()
    refused(world, reason=reason)


def test_another_plane_in_its_place_does_not_answer_for_it(world: World) -> None:
    place(world)
    world.pusher.exchange(world.entry("acme"))
    world.planes[world.url("acme")] = world.plane("globex")
    refused(world)


def test_a_suspended_tenant_is_asked_too(world: World) -> None:
    place(world)
    world.do(Move.SUSPEND, "acme", reason="payment")
    world.settle()
    refused(world)
    assert world.tenant("acme").state is TenantState.SUSPENDED


def test_a_hold_that_is_placed_after_the_question_keeps_the_plane_from_closing(world: World) -> None:
    plane = world.plane("acme")
    plane.trouble = UNREACHABLE  # so that the last word, none, is all there is to go by
    operation = world.do(Move.DEPROVISION, "acme", reason="contract_ended")
    plane.trouble = None
    hold = place(world)
    world.settle()
    done = world.operations.show(operation.operation_id)
    assert (done.status, done.code) == (OperationStatus.FAILED, "tenant_held")
    assert plane.standing().state is PlaneState.ACTIVE
    assert world.tenant("acme").state is TenantState.FAILED
    assert world.edge.gates["acme"] is Gate.CLOSED
    refused(world, Move.RETRY)
    release(world, hold)
    world.do(Move.RETRY, "acme", reason="contract_ended")
    world.settle()
    assert world.tenant("acme").state is TenantState.DEPROVISIONED


def test_nobody_places_a_hold_on_a_plane_that_was_closed(world: World) -> None:
    world.do(Move.DEPROVISION, "acme", reason="contract_ended")
    world.settle()
    with pytest.raises(Unavailable) as caught:
        place(world)
    assert caught.value.code == "tenant_suspended"


def test_a_request_that_is_repeated_gets_its_answer_though_a_hold_came_since(world: World) -> None:
    once = Once(subject="bob", key="k1", digest=b"d" * 32)
    world.plane("acme").trouble = UNREACHABLE
    first = world.do(Move.DEPROVISION, "acme", reason="contract_ended", once=once)
    world.plane("acme").trouble = None
    place(world)
    assert world.do(Move.DEPROVISION, "acme", reason="contract_ended", once=once).operation_id == first.operation_id
