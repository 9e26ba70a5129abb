"""What exists in a project and what it has cost. What is free is on the bill as well: it can be left behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from frostbyte.adapters.hetzner.world.offers import HOURS_PER_MONTH
from frostbyte.adapters.hetzner.world.records import Charge, Project

_CENT: Final = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that exists.

    Attributes:
        kind: as in labels of ours: `server`, `volume`, `record` ...
        id: the API's own, as text; of records `name/type`.
        cost: so far, net.
        with_server: id of the server that it came with and goes with; None where it stands by itself.
    """

    kind: str
    id: str
    name: str
    since: datetime
    monthly: Decimal
    cost: Decimal
    with_server: int | None
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Of one project.

    Attributes:
        monthly: what the existing costs a month, net.
        cost: what everything has cost so far, the gone included.
    """

    project: str
    currency: str
    existing: tuple[Item, ...]
    gone: int
    monthly: Decimal
    cost: Decimal

    @property
    def empty(self) -> bool:
        """Whether nothing is left, not even what is free."""
        return not self.existing

    @property
    def owned(self) -> frozenset[tuple[str, str]]:
        """(kind, id) of everything that stands by itself: what a journal must know."""
        return frozenset((item.kind, item.id) for item in self.existing if item.with_server is None)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "project": self.project,
            "currency": self.currency,
            "monthly": str(self.monthly),
            "cost": str(self.cost),
            "gone": self.gone,
            "existing": [
                {
                    "kind": item.kind,
                    "id": item.id,
                    "name": item.name,
                    "since": item.since.isoformat(),
                    "monthly": str(item.monthly),
                    "cost": str(item.cost),
                    "with_server": item.with_server,
                    "labels": dict(item.labels),
                }
                for item in self.existing
            ],
        }


def bill_of(project: Project, currency: str, now: datetime) -> Bill:
    """The bill of a project at a moment."""
    existing = [charge for charge in project.charges if charge.until is None]
    return Bill(
        project=project.name,
        currency=currency,
        existing=tuple(
            Item(
                kind=charge.kind,
                id=charge.id,
                name=charge.name,
                since=charge.since,
                monthly=charge.monthly.quantize(_CENT),
                cost=cost(charge, now),
                with_server=charge.with_server,
                labels=charge.labels,
            )
            for charge in existing
        ),
        gone=len(project.charges) - len(existing),
        monthly=sum((charge.monthly for charge in existing), Decimal(0)).quantize(_CENT),
        cost=sum((cost(charge, now) for charge in project.charges), Decimal(0)),
    )


def cost(charge: Charge, now: datetime) -> Decimal:
    """What one thing has cost: every hour that has begun, and of no month more than its price."""
    seconds = ((charge.until or now) - charge.since).total_seconds()
    hours = max(1, math.ceil(seconds / 3600))
    months, rest = divmod(hours, HOURS_PER_MONTH)
    return (months * charge.monthly + min(rest * charge.hourly, charge.monthly)).quantize(_CENT)
