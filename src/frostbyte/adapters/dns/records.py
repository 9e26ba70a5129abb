"""What all providers' records have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from frostbyte.control_plane.provisioning.resources import (
    ENVIRONMENT,
    FROSTBYTE,
    MANAGED_BY,
    OWNER,
    Found,
    Kind,
    WantedRecord,
)
from frostbyte.kernel.errors import Conflict, Unavailable

IDENTITY = (MANAGED_BY, ENVIRONMENT, OWNER)


def found(
    zone: str,
    name: str,
    type: str,
    values: Iterable[str],
    ttl: int,
    labels: Mapping[str, str],
    created_at: str = "",
) -> Found:
    """Records of one name and type."""
    facts = {"zone": zone, "values": sorted(plain(type, value) for value in values), "ttl": ttl}
    return Found(
        kind=Kind.RECORD,
        resource_id=f"{name}/{type}",
        name=name,
        labels=dict(labels),
        facts=facts,
        created_at=created_at,
    )


def plain(type: str, value: str) -> str:
    """A value as it is compared: a host's name in small letters and without the last dot."""
    return value.rstrip(".").lower() if type == "CNAME" else value


def fresh(wanted: WantedRecord, there: Found | None) -> bool:
    """Whether what is there is what is wanted already.

    Raises:
        Conflict: `record_not_ours`: somebody else's, or another owner's.
    """
    if there is None:
        return False
    if any(there.labels.get(key) != wanted.labels.get(key) for key in IDENTITY):
        raise not_ours(wanted.name, wanted.zone)
    values = sorted(plain(wanted.type, value) for value in wanted.values)
    return (there.facts["values"], there.facts["ttl"]) == (values, wanted.ttl)


def removable(there: Found | None, zone: str) -> bool:
    """Whether there is something to remove. Raises Conflict("record_not_ours")."""
    if there is not None and there.labels.get(MANAGED_BY) != FROSTBYTE:
        raise not_ours(there.name, zone)
    return there is not None


def not_ours(name: str, zone: str) -> Conflict:
    """Somebody has made it, and it is left alone."""
    return Conflict(
        "record_not_ours",
        f"The zone {zone} has records of the name {name} that are not this owner's.",
        "Look whose they are; remove or rename them at the provider, then try again.",
    )


def zone_missing(zone: str) -> Conflict:
    """The provider has no such zone, or the token does not see it."""
    return Conflict(
        "dns_zone_missing",
        f"The provider shows no zone {zone}.",
        "Create the zone there, or correct FROSTBYTE_DNS_ZONE; there are no zones for names below a zone.",
    )


def unreachable(detail: str) -> Unavailable:
    """Nobody answers for the zone."""
    return Unavailable(
        "dns_unreachable",
        f"DNS does not answer: {detail}.",
        "Look at the way to the internet (UDP and TCP, port 53) and at the zone's delegation; it is tried again.",
    )
