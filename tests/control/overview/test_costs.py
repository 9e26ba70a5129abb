"""What tenants cost: at the newest price that holds for what stands there, and unknown where none does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import prepared
from control.test_journal_contract import BASE, Registry, entry_row, run_row, write
from frostbyte.control_plane.overview.costs import Cost, Costs, costs, total
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, PricesRow, RunRow, RunState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.planned import as_json
from provisioning.planning import NOW, carried_out, catalogue, wanted

SERVERS = [{"host": "db", "type": "cx33", "location": "nbg1"}]


def prices(run: RunRow, steps: dict[str, str], servers: Any = ()) -> PricesRow:
    return PricesRow(
        run_id=run.run_id,
        project_id=run.project_id,
        tenant_id=run.tenant_id,
        currency="EUR",
        steps=steps,
        servers=list(servers),
    )


def server(run: RunRow, **values: Any) -> EntryRow:
    made = {"spec": {"host": "db"}, "facts": {"type": "cx33", "location": "nbg1"}, "state": EntryState.DONE}
    return entry_row(run, **{**made, **values})


def one(entries: list[EntryRow], *told: PricesRow) -> Cost:
    return costs(entries, told)["north", "acme"]


def test_what_exists_costs_what_the_newest_plan_said() -> None:
    first, second = run_row(), run_row()
    volume = entry_row(first, "volume", kind="volume", state=EntryState.DONE)
    dns = entry_row(first, "record", kind="record", state=EntryState.DONE)
    cost = one(
        [server(first), volume, dns],
        prices(second, {"server.db": "7.50"}, SERVERS),
        prices(first, {"server.db": "5.49", "volume": "2.20"}, SERVERS),
    )
    assert cost == Cost(monthly=Decimal("9.70"), currency="EUR", things=2, unpriced=0)


def test_what_is_gone_costs_nothing_and_what_may_exist_does() -> None:
    run = run_row()
    told = prices(run, {"server.db": "5.49"}, SERVERS)
    assert costs([server(run, state=EntryState.GONE)], [told]) == {}
    assert one([server(run, state=EntryState.INTENDED, facts={})], told).monthly == Decimal("5.49")


@pytest.mark.parametrize("facts", [{"type": "cx43", "location": "nbg1"}, {"type": "cx33", "location": "hel1"}])
def test_another_server_than_was_planned_has_no_known_price(facts: dict[str, str]) -> None:
    run = run_row()
    cost = one([server(run, facts=facts)], prices(run, {"server.db": "5.49"}, SERVERS))
    assert (cost.monthly, cost.things, cost.unpriced) == (Decimal(0), 1, 1)


def test_nobody_pays_for_anothers_things() -> None:
    acme, base = run_row(), run_row(BASE)
    told = [prices(acme, {"server.db": "5.49"}), prices(base, {"server.db": "3.00"})]
    found = costs([server(acme), server(base)], told)
    assert {whose: cost.monthly for whose, cost in found.items()} == {
        ("north", "acme"): Decimal("5.49"),
        ("north", ""): Decimal("3.00"),
    }
    assert [(each.currency, each.monthly, each.things) for each in total(found.values())] == [
        ("EUR", Decimal("8.49"), 2)
    ]


def test_sums_are_by_currency() -> None:
    euro = Cost(monthly=Decimal(1), currency="EUR", things=1, unpriced=0)
    assert [(each.currency, each.monthly) for each in total([euro, euro, replace(euro, currency="USD")])] == [
        ("USD", Decimal(1)),
        ("EUR", Decimal(2)),
    ]


def test_a_whole_plan_costs_what_it_said(registry: Registry) -> None:
    """From a real plan, through either store: the sum is that of the plan, and prices are read once."""
    prepared(registry)
    made = plan(wanted(), [], [], catalogue(), NOW)
    run = run_row(plan={})
    write(registry, lambda uow: uow.journal.begin(run))
    assert Costs(registry.unit_of_work, "production").all() == {}
    decided = replace(run, plan=as_json(made), state=RunState.RUNNING)
    write(registry, lambda uow: uow.journal.put_run(decided))
    with registry.unit_of_work() as uow:
        (told,) = uow.journal.prices("production", [])
        assert uow.journal.prices("production", [run.run_id]) == []
        assert uow.journal.prices("staging", []) == []
    entries = [replace(each, project_id="north", tenant_id="acme") for each in carried_out(made) if each.kind]
    assert one(entries, told).monthly == made.monthly > 0
    assert one(entries, told).unpriced == 0
