"""The ledger among the control plane's parts: whom it follows, and what it tells the kill-switch and the watch."""

from __future__ import annotations

from typing import Any

import pytest

from control.offices import Office
from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.control_plane.registry.states import Move
from frostbyte.kernel.errors import NotFound, Unavailable
from ledger.planes import Shown, SimulatedPlane
from ledger.test_pull import WITNESS


class World:
    """Tenants in service, their planes simulated."""

    def __init__(self, *names: str) -> None:
        self.office = Office(MemoryRegistry())
        self.planes = {name: SimulatedPlane(name).grow(9) for name in names}
        for name, plane in self.planes.items():
            self.office.tenants.create(name, "north", actor="alice")
            operation = self.office.attach(name, log_key=plane.signer.verifier_key)
            self.office.operations.end(operation.operation_id)
        self.ledger = Ledger(MemoryLedger(), self.office.store.unit_of_work, self._channel, WITNESS, self.office.clock)

    def _channel(self, endpoints: EndpointsRow) -> Any:
        return self.planes[endpoints.tenant_id]


@pytest.fixture
def world() -> World:
    return World("acme", "globex")


def test_tenants_in_service_are_followed_and_pulled_to_their_end(world: World) -> None:
    assert world.ledger.last_pull("acme")
    assert not world.ledger.last_pull("nobody")
    lag = world.ledger.lags()["acme"]
    assert (lag.seconds, lag.events) == (0.0, 0)
    world.office.tenants.create("pending", "north", actor="alice")
    assert not world.ledger.last_pull("pending")


def test_a_suspended_and_a_closing_tenant_are_pulled_too(world: World) -> None:
    world.office.operations.end(world.office.begin(Move.SUSPEND).operation_id)
    world.planes["acme"].grow(3)
    assert world.ledger.last_pull("acme")
    world.office.begin(Move.DEPROVISION, confirmation="acme")
    world.planes["acme"].grow(3)
    assert world.ledger.last_pull("acme")
    assert world.ledger.lags()["acme"].events == 0


def test_a_plane_that_does_not_answer_is_not_at_its_end(world: World) -> None:
    def unreachable(after_size: int) -> Shown:
        raise Unavailable("plane_unreachable", "It does not answer.", "Look.")

    world.planes["acme"].checkpoints = unreachable  # type: ignore[method-assign]
    assert not world.ledger.last_pull("acme")
    assert world.ledger.lags()["acme"].seconds is None


def test_findings_are_told_by_tenant(world: World) -> None:
    world.planes["acme"].page_hook = lambda data, first: b"{}\n"
    assert world.ledger.last_pull("acme"), "nothing more can be had of it"
    assert world.ledger.last_pull("globex")
    assert world.ledger.findings() == {"acme": ("ledger_malformed",)}


def test_only_tenants_of_the_register_may_be_imported(world: World) -> None:
    world.ledger.known("acme")
    with pytest.raises(NotFound):
        world.ledger.known("nobody")
