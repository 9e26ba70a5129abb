"""What tenants cost a month: the things that exist of each, at the prices that the plans of their runs have told.

The journal says what exists, or may: nothing that costs money is without an entry. A plan says what each of its things
costs; it is never changed, so the prices of a run are read once. What is bought at a cloud without us, traffic and
taxes are in no plan and not in this sum.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, PricesRow
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Kind

FREE = frozenset({Kind.SSH_KEY, Kind.NETWORK, Kind.FIREWALL, Kind.RECORD})
"""Kinds that cost nothing (Hetzner's price list; records lie in a zone that is there anyway)."""
Whose = tuple[str, str]
"""(project, tenant); the tenant is '' for a project's base."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner's things cost."""

    monthly: Decimal
    """Net."""
    currency: str
    """'' where nothing has a price."""
    things: int
    """That cost something."""
    unpriced: int
    """Of these: whose price is not known, such as a server of another type than was planned."""


class Costs:
    """Tells it.

    Args:
        unit_of_work: of registry and journal.
        environment: whose tenants.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, environment: str) -> None:
        self._unit_of_work, self._environment = unit_of_work, environment
        self._told: dict[UUID, PricesRow] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[Whose, Cost]:
        """Of every owner of whom something exists. Raises Unavailable("database_unavailable")."""
        with self._lock:
            with self._unit_of_work() as uow:
                entries = uow.journal.owned(self._environment)
                told = uow.journal.prices(self._environment, self._told.keys())
            self._told |= {row.run_id: row for row in told}
            prices = [*self._told.values()]
        return costs(entries, prices)


def costs(entries: Iterable[EntryRow], prices: Iterable[PricesRow]) -> dict[Whose, Cost]:
    """The same, of what was read. Pure.

    Args:
        entries: what exists or may.
        prices: of all runs; of two that price the same thing the later one holds.
    """
    told: dict[Whose, list[PricesRow]] = defaultdict(list)
    for row in sorted(prices, key=lambda row: row.run_id, reverse=True):
        told[row.project_id, row.tenant_id].append(row)
    found: dict[Whose, list[Decimal | None]] = defaultdict(list)
    for entry in entries:
        if entry.kind and entry.kind not in FREE and entry.state is not EntryState.GONE:
            whose = (entry.project_id, entry.tenant_id)
            found[whose].append(_price(entry, told[whose]))
    return {
        whose: Cost(
            monthly=sum((each for each in each_price if each is not None), Decimal(0)),
            currency=next((row.currency for row in told[whose] if row.currency), ""),
            things=len(each_price),
            unpriced=sum(each is None for each in each_price),
        )
        for whose, each_price in found.items()
    }


def total(each: Iterable[Cost]) -> list[Cost]:
    """The sum, one for each currency; things without a price count where there is one."""
    by: dict[str, list[Cost]] = defaultdict(list)
    for one in each:
        by[one.currency].append(one)
    return [
        Cost(
            monthly=sum((one.monthly for one in ones), Decimal(0)),
            currency=currency,
            things=sum(one.things for one in ones),
            unpriced=sum(one.unpriced for one in ones),
        )
        for currency, ones in sorted(by.items(), reverse=True)
    ]


def _price(entry: EntryRow, newest_first: Sequence[PricesRow]) -> Decimal | None:
    """By the newest plan that has a price for it; None where none holds for what stands there."""
    for row in newest_first:
        if entry.key in row.steps:
            return Decimal(row.steps[entry.key]) if _as_planned(entry, row.servers) else None
    return None


def _as_planned(entry: EntryRow, servers: Sequence[Mapping[str, object]]) -> bool:
    """Whether a server is of the type that the plan reckoned with, and where: another was had where it was sold out."""
    if entry.kind != Kind.SERVER or not entry.facts.get("type"):
        return True
    stands = (entry.facts.get("type"), entry.facts.get("location"))
    host = entry.spec.get("host")
    planned = next((one for one in servers if one.get("host") == host), None)
    return planned is None or (planned.get("type"), planned.get("location")) == stands
