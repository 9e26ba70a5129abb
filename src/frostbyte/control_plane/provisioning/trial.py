"""What trying everything on a real account is made of, and what it can cost at most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final

from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.choosing import Wish, choose
from frostbyte.control_plane.provisioning.placement import TYPES
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.kernel.errors import Conflict

HOURS_A_MONTH: Final = 600
"""Hetzner's hour costs a 625th of the month. Fewer here, so that what is said is above what is charged."""
VOLUME_GB: Final = 10
"""The smallest volume that is sold."""
SNAPSHOT_GB: Final = 40
"""More than a snapshot of ours has: compressed, it is smaller than the builder's disk."""
SERVERS: Final = (HostRole.BUILDER, HostRole.EDGE, HostRole.BASTION, HostRole.SINGLE)
"""Each with a public address of its own; the first is there while the snapshot is built."""
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that costs.

    Attributes:
        what: in words.
        kind: server type and place, or size.
        monthly: net price a month.
        dearest: the same of what is taken where this has sold out.
    """

    what: str
    kind: str
    monthly: Decimal
    dearest: Decimal


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a try is made of.

    Attributes:
        items: everything that costs, each once.
        hours: how many begun hours each is there for, at most.
        currency: of all prices.
    """

    items: tuple[Item, ...]
    hours: int
    currency: str

    @property
    def most(self) -> Decimal:
        """What it can cost, net, rounded up to a cent: the dearest of each, for all hours."""
        monthly = sum((item.dearest for item in self.items), Decimal(0))
        return (monthly / HOURS_A_MONTH * self.hours).quantize(_CENT, ROUND_CEILING)


def hours(seconds: float) -> int:
    """Begun hours of something that is there for a time: one more than the time itself, since going takes a while."""
    return -int(-seconds // 3600) + 1


def cost(sold: Catalogue, locations: Sequence[str], now: datetime, seconds: float) -> Cost:
    """What a snapshot, a base and one small tenant cost.

    Args:
        sold: what is sold now.
        locations: where servers may be, best first.
        now: for what is announced to go away.
        seconds: how long all of it is there.

    Raises:
        Conflict: `no_server_to_be_had`: of a role, nothing can be ordered.
    """
    place = sold.locations.get(locations[0])
    items: list[Item] = []
    for role in SERVERS:
        wish = Wish(
            role=role,
            types=TYPES[role],
            locations=tuple(locations),
            zone=place.zone if place else "",
            architectures=frozenset({"x86"}),
        )
        choice = choose(wish, sold, now)
        if choice.best is None:
            raise Conflict(
                "no_server_to_be_had",
                f"Nothing can be ordered now for {role.value} in {', '.join(locations)}.",
                "Allow another place (FROSTBYTE_LOCATIONS), or wait: stock changes by the day.",
            )
        items.append(
            Item(
                what=f"server: {role.value}",
                kind=f"{choice.best.type} in {choice.best.location}",
                monthly=choice.best.monthly,
                dearest=max(one.monthly for one in choice.candidates),
            )
        )
    for what, kind, monthly in (
        (f"{len(SERVERS)} public addresses", "IPv4", len(SERVERS) * max(sold.primary_ip_month.values())),
        ("volume", f"{VOLUME_GB} GB", VOLUME_GB * sold.volume_gb_month),
        ("snapshot", f"at most {SNAPSHOT_GB} GB", SNAPSHOT_GB * sold.snapshot_gb_month),
    ):
        items.append(Item(what=what, kind=kind, monthly=monthly, dearest=monthly))
    return Cost(items=tuple(items), hours=hours(seconds), currency=sold.currency)
