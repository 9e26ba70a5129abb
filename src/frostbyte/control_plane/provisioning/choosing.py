"""Which servers may be ordered for a host, in which order: pure, from what is sold now.

First where, then what: all types of the best allowed location come before any of the next one, so that a tenant's hosts
stand together as long as anything at all is to be had there. Another location than the allowed ones is never taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.catalogue import Catalogue, Offer
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.specs import CandidateSpec

SOON: Final = timedelta(days=90)
"""A type that cannot be ordered after this time is taken for no new server: it could not be made a second time."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A server that may be ordered.

    Attributes:
        memory_mb: that it is sold with.
        monthly: net price, without a public address.
    """

    type: str
    location: str
    architecture: str
    memory_mb: int
    monthly: Decimal

    @property
    def spec(self) -> CandidateSpec:
        """As a server's spec has it."""
        return {"type": self.type, "location": self.location, "architecture": self.architecture}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why one that was listed is not taken.

    Attributes:
        why: `unknown_type`, `unknown_location`, `other_zone`, `too_small`, `no_image`, `not_sold_there`,
            `out_of_stock`, `going_away`; of a server that stands, `other_architecture`, `smaller_disk`.
    """

    type: str
    location: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What came of it.

    Attributes:
        candidates: best first; () where nothing can be ordered.
        best: what stands already, or else the first candidate.
        kept: it was chosen by an earlier plan, and stays.
    """

    candidates: tuple[Candidate, ...]
    best: Candidate | None = None
    refused: tuple[Refusal, ...] = ()
    kept: bool = False


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What an earlier plan chose.

    Attributes:
        candidates: as in the server's spec.
        made: (type, location) of the server that stands; None while it is only intended.
    """

    candidates: Sequence[Mapping[str, str]]
    made: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of a server.

    Attributes:
        types, locations: allowed ones, best first.
        zone: that every location has to lie in.
        architectures: for which there is an image.
        tied: the only one of the locations that a new server can be in; '' for any of them.
        insists: the types were asked for by name; another one that stands does not do.
        disk_gb, becomes: size of the own disk and architecture of a server that stands, which is to become one of
            another type; 0 and '' for a new one.
    """

    role: HostRole
    types: Sequence[str]
    locations: Sequence[str]
    zone: str
    architectures: frozenset[str]
    tied: str = ""
    insists: bool = False
    disk_gb: int = 0
    becomes: str = ""


def choose(wish: Wish, catalogue: Catalogue, now: datetime, kept: Kept | None = None) -> Choice:
    """What may be ordered.

    Args:
        kept: of a server that was intended or made before. It stays as it is, whatever is sold today, unless residency,
            the role's memory or the types asked for no longer allow it.
    """
    if kept is not None and (stays := _stays(wish, catalogue, kept)) is not None:
        return stays
    wish = _standing(wish, catalogue, kept)
    good: list[Candidate] = []
    later: list[Candidate] = []
    refused: list[Refusal] = []
    places = (wish.tied,) if wish.tied else wish.locations
    for type_name, location in ((each, place) for place in places for each in wish.types):
        why = _why_not(wish, catalogue, type_name, location, now)
        if why:
            refused.append(Refusal(type=type_name, location=location, why=why))
            continue
        sold = catalogue.types[type_name].offers[location]
        (later if _goes(sold) else good).append(_candidate(catalogue, type_name, location))
    found = (*good, *later)
    return Choice(candidates=found, best=found[0] if found else None, refused=tuple(refused))


def _standing(wish: Wish, catalogue: Catalogue, kept: Kept | None) -> Wish:
    """A server that stands becomes one of another type where it is: its place, architecture and disk stay."""
    if kept is None or kept.made is None or kept.made[1] not in wish.locations:
        return replace(wish, disk_gb=0)
    name, location = kept.made
    known = catalogue.types.get(name)
    own = known.architecture if known else next((one["architecture"] for one in kept.candidates), "")
    disk = wish.disk_gb or (known.disk_gb if known else 0)
    return replace(wish, tied=location, becomes=own, disk_gb=disk)


def _why_not(wish: Wish, catalogue: Catalogue, type_name: str, location: str, now: datetime) -> str:
    kind, place = catalogue.types.get(type_name), catalogue.locations.get(location)
    if place is None:
        return "unknown_location"
    if place.zone != wish.zone:
        return "other_zone"
    if kind is None:
        return "unknown_type"
    if not placement.fits(wish.role, kind.memory_mb):
        return "too_small"
    if kind.architecture not in wish.architectures:
        return "no_image"
    if wish.becomes and kind.architecture != wish.becomes:
        return "other_architecture"
    if kind.disk_gb < wish.disk_gb:
        return "smaller_disk"
    offer = kind.offers.get(location)
    if offer is None:
        return "not_sold_there"
    if offer.unavailable_after is not None and offer.unavailable_after <= now + SOON:
        return "going_away"
    return "" if offer.available else "out_of_stock"


def _goes(offer: Offer) -> bool:
    return offer.deprecated is not None or offer.unavailable_after is not None


def _candidate(catalogue: Catalogue, type_name: str, location: str, architecture: str = "") -> Candidate:
    """A type that is sold no more has no price and no size here: what runs goes on, and its bill tells."""
    kind = catalogue.types.get(type_name)
    offer = kind.offers.get(location) if kind else None
    return Candidate(
        type=type_name,
        location=location,
        architecture=kind.architecture if kind else architecture,
        memory_mb=kind.memory_mb if kind else 0,
        monthly=offer.monthly if offer else Decimal(0),
    )


def _stays(wish: Wish, catalogue: Catalogue, kept: Kept) -> Choice | None:
    """The earlier choice; None where it is not allowed any more: of one that is made that one, else all of it."""
    found = tuple(_candidate(catalogue, one["type"], one["location"], one["architecture"]) for one in kept.candidates)
    judged = tuple(one for one in found if kept.made in (None, (one.type, one.location)))
    allowed = bool(judged) and all(
        one.location in wish.locations
        and (not one.memory_mb or placement.fits(wish.role, one.memory_mb))
        and (not wish.insists or one.type in wish.types)
        for one in judged
    )
    return Choice(candidates=found, best=judged[0], kept=True) if allowed else None
