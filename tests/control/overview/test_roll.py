"""The list of tenants: by name, filtered, each with its health, its cost and what is done to it now."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from control.offices import Office
from control.registry_rows import Registry
from frostbyte.control_plane.overview.costs import Costs
from frostbyte.control_plane.overview.roll import Roll
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.watch.verdict import Level, Reason, Seen, Verdict
from frostbyte.control_plane.watch.view import TenantHealth


def seen(tenant_id: str, level: Level) -> TenantHealth:
    reason = Reason(level=level, code="gateway_down", message="It does not answer.", section="x")
    return TenantHealth(
        tenant_id=tenant_id,
        project_id="north",
        seen=Seen(state=TenantState.ACTIVE),
        verdict=Verdict(level=level, reasons=(reason,)),
        model="",
        version="1.0",
    )


class House:
    """Tenants `a1` to `a3` in service, `b1` closed, `a2` suspended; `a3` in need."""

    def __init__(self, registry: Registry) -> None:
        self.office = Office(registry)
        for tenant_id in ("a1", "a2", "a3", "b1"):
            self.office.active(tenant_id)
        closing = self.office.begin(Move.DEPROVISION, "b1", confirmation="b1")
        self.office.operations.end(closing.operation_id)
        self.suspending = self.office.begin(Move.SUSPEND, "a2")
        view = {"a1": seen("a1", Level.OK), "a3": seen("a3", Level.CRITICAL)}
        self.look: Mapping[str, TenantHealth] = view
        costs = Costs(registry.unit_of_work, "production")
        self.roll = Roll(registry.unit_of_work, costs, lambda: self.look)

    def names(self, **asked: object) -> list[str]:
        return [line.tenant.tenant_id for line in self.roll.page(**asked)[0]]  # type: ignore[arg-type]


@pytest.fixture
def house(registry: Registry) -> House:
    return House(registry)


def test_it_lists_who_is_there_and_says_what_is_done_to_each(house: House) -> None:
    lines, more = house.roll.page()
    assert ([line.tenant.tenant_id for line in lines], more) == (["a1", "a2", "a3"], "")
    assert [line.health.verdict.level if line.health else None for line in lines] == [Level.OK, None, Level.CRITICAL]
    assert [line.running for line in lines] == [(), (house.suspending,), ()]
    assert house.roll.line(lines[1].tenant) == lines[1]


def test_it_is_filtered(house: House) -> None:
    assert house.names(state=TenantState.SUSPENDED) == ["a2"]
    assert house.names(state=TenantState.DEPROVISIONED) == ["b1"]
    assert house.names(level=Level.WARN) == ["a3"]
    assert house.names(prefix="b") == []
    assert house.names(prefix="a3") == ["a3"]
    house.look = {}
    assert house.names(level=Level.WARN) == []


def test_pages_follow_each_other(house: House) -> None:
    lines, after = house.roll.page(limit=2)
    assert ([line.tenant.tenant_id for line in lines], after) == (["a1", "a2"], "a2")
    assert house.names(after=after, limit=2) == ["a3"]
    assert house.roll.page(limit=3)[1] == ""
