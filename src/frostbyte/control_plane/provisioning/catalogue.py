"""What a cloud sells now: server types, where they are to be had, what they cost. Read anew for every plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A server type at a location.

    Attributes:
        available: whether one can be ordered now.
        monthly, hourly: net price in `Catalogue.currency`, without a public address.
    """

    location: str
    available: bool
    monthly: Decimal
    hourly: Decimal
    deprecated: datetime | None = None
    """When it was announced that it goes away; None while it stays."""
    unavailable_after: datetime | None = None
    """From when it cannot be ordered any more."""


@dataclass(frozen=True, kw_only=True)
class ServerType:
    """A size of server.

    Attributes:
        architecture: `x86` or `arm`.
        memory_mb: mebibytes.
        disk_gb: gigabytes of its own disk.
    """

    name: str
    architecture: str
    cores: int
    memory_mb: int
    disk_gb: int
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By location."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place with servers.

    Attributes:
        zone: network zone; a network's servers are of one zone.
        country: ISO 3166-1 alpha-2, for residency.
    """

    name: str
    zone: str
    country: str
    city: str


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything that is sold."""

    types: Mapping[str, ServerType]
    locations: Mapping[str, Location]
    currency: str
    volume_gb_month: Decimal
    """Net price of one gigabyte of a volume, a month."""
    primary_ip_month: Mapping[str, Decimal]
    """Net price of a public IPv4 address, a month, by location."""
    snapshot_gb_month: Decimal
