"""What the world sells: locations, server types, system images and prices, read from `offers.json`.

Figures are shaped like the public price list and rounded to it; nobody's plan for the real cloud may use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

ZERO: Final = Decimal(0)
HOURS_PER_MONTH: Final = 730
"""For prices that are told by the month alone."""


class Place(msgspec.Struct, kw_only=True, frozen=True):
    """A location."""

    id: int
    name: str
    description: str
    country: str
    city: str
    latitude: float
    longitude: float
    network_zone: str


class TypeSold(msgspec.Struct, kw_only=True, frozen=True):
    """A server type, at the same price in all its locations."""

    id: int
    name: str
    cores: int
    memory: float
    disk: int
    cpu_type: str
    category: str
    architecture: str
    hourly: Decimal
    monthly: Decimal
    locations: tuple[str, ...]
    announced: datetime | None = None
    unavailable_after: datetime | None = None


class ImageSold(msgspec.Struct, kw_only=True, frozen=True):
    """A system image."""

    id: int
    name: str
    description: str
    architecture: str
    disk_size: int
    os_flavor: str
    os_version: str
    announced: datetime | None = None
    unavailable_after: datetime | None = None


class Price(msgspec.Struct, kw_only=True, frozen=True):
    """Net."""

    hourly: Decimal
    monthly: Decimal


class PriceList(msgspec.Struct, kw_only=True, frozen=True):
    """The whole file."""

    currency: str
    vat_rate: Decimal
    volume_gb_month: Decimal
    image_gb_month: Decimal
    server_backup_percent: Decimal
    primary_ipv4: Price
    locations: tuple[Place, ...]
    server_types: tuple[TypeSold, ...]
    images: tuple[ImageSold, ...]


@cache
def price_list() -> PriceList:
    """The file that ships with the package."""
    text = files("frostbyte.adapters.hetzner.world").joinpath("offers.json").read_bytes()
    return msgspec.json.decode(text, type=PriceList)


@dataclass
class Offers:
    """A price list and what of it is in stock now."""

    prices: PriceList = field(default_factory=price_list)
    sold_out: set[tuple[str, str]] = field(default_factory=set)
    """(type, location) that the catalogue says to be unavailable."""

    def location(self, which: int | str) -> Place | None:
        """By id or name."""
        return next((place for place in self.prices.locations if which in (place.name, place.id, str(place.id))), None)

    def type(self, which: int | str) -> TypeSold | None:
        """By id or name."""
        return next((sold for sold in self.prices.server_types if which in (sold.name, sold.id, str(sold.id))), None)

    def available(self, sold: TypeSold, location: str, now: datetime) -> bool:
        """Whether one can be ordered there now, as the catalogue says it."""
        gone = sold.unavailable_after is not None and now >= sold.unavailable_after
        return location in sold.locations and not gone and (sold.name, location) not in self.sold_out

    def volume(self, size_gb: int) -> Price:
        """What a volume costs."""
        return _by_month(self.prices.volume_gb_month * size_gb)

    def snapshot(self, size_gb: float) -> Price:
        """What a snapshot costs."""
        return _by_month(self.prices.image_gb_month * Decimal(str(size_gb)))

    def gross(self, net: Decimal) -> Decimal:
        """With value added tax."""
        return net * (1 + self.prices.vat_rate / 100)


def _by_month(monthly: Decimal) -> Price:
    return Price(hourly=monthly / HOURS_PER_MONTH, monthly=monthly)


def shown_price(net: Decimal, gross: Decimal) -> Mapping[str, str]:
    """A price as the API writes it."""
    return {"net": f"{net:.10f}", "gross": f"{gross:.10f}"}
