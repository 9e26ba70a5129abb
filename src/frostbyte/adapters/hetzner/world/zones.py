"""`/zones`: DNS as part of the Cloud API, zones with sets of records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

from frostbyte.adapters.hetzner.world import labels, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes
from frostbyte.adapters.hetzner.world.records import Action, Charge, Project, RecordSet, Zone, ZoneRecord
from frostbyte.adapters.hetzner.world.refusals import Refused, invalid, not_found, protected, taken, unfit

TTL: Final = 3600
_TTLS: Final = (60, 2_147_483_647)
_TYPES: Final = (
    "A AAAA CAA CNAME DS HINFO HTTPS MX NS PTR RP SOA SRV SVCB TLSA TXT".split()  # of the public reference
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"@|(?:\*|{_LABEL})(?:\.{_LABEL})*")
_ZONE: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_TARGET: Final = re.compile(rf"@|(?:{_LABEL})(?:\.{_LABEL})*\.?")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*')
_TWO_PART: Final = frozenset({"co.uk", "org.uk", "com.au", "co.at", "or.at", "co.nz", "com.br", "co.jp"})
"""Enough endings of two parts for tests: below any other name of two parts there are no zones."""


class GivenRecord(msgspec.Struct, kw_only=True):
    """Of a request."""

    value: str
    comment: str = ""


class GivenSet(msgspec.Struct, kw_only=True):
    """Body of `POST /zones/{zone}/rrsets`."""

    name: str
    type: str
    records: list[GivenRecord]
    ttl: int | None = None
    labels: dict[str, str] = {}


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /zones`."""

    name: str
    mode: str
    ttl: int = TTL
    labels: dict[str, str] = {}
    rrsets: list[GivenSet] = []
    zonefile: str | None = None


class Labels(msgspec.Struct, kw_only=True):
    """Body of every PUT here."""

    labels: dict[str, str] | None = None


class Records(msgspec.Struct, kw_only=True):
    """Body of the actions that change records."""

    records: list[GivenRecord]
    ttl: int | None = None


class Ttl(msgspec.Struct, kw_only=True):
    """Body of `change_ttl`."""

    ttl: int | None


class ZoneProtection(msgspec.Struct, kw_only=True):
    """Body of a zone's `change_protection`."""

    delete: bool | None = None


class SetProtection(msgspec.Struct, kw_only=True):
    """Body of a set's `change_protection`."""

    change: bool | None = None


def of(call: Call) -> Zone:
    """The zone that the path names, by id or by name."""
    which = call.names["id"]
    for zone in call.project.zones.values():
        if which in (str(zone.id), zone.name):
            return zone
    raise not_found("zone", which)


def _show(zone: Zone) -> dict[str, object]:
    return shown.zone(zone, zone.published == zone.sets)


def index(call: Call) -> Answer:
    """`GET /zones`."""
    return call.listed("zones", call.project.zones.values(), _show)


def show(call: Call) -> Answer:
    """`GET /zones/{id or name}`."""
    return Answer(200, {"zone": _show(of(call))})


def create(call: Call) -> Answer:
    """`POST /zones`: a domain as it is registered, never a part of one."""
    given = call.parse(Create)
    world, project = call.world, call.project
    labels.check(given.labels)
    if given.mode != "primary":
        raise invalid("mode", "only primary zones are simulated")
    if given.zonefile is not None:
        raise invalid("zonefile", "zone files are not simulated")
    _ttl(given.ttl)
    if not _ZONE.fullmatch(given.name):
        raise invalid("name", "is not a valid domain name")
    parts = given.name.split(".")
    if len(parts) != (3 if ".".join(parts[-2:]) in _TWO_PART else 2):
        raise invalid("name", "must be a registrable domain: subdomains have no zone of their own")
    if any(zone.name == given.name for other in world.projects.values() for zone in other.zones.values()):
        raise taken("zone name", "name")
    world.quota(project, "zones")
    zone = Zone(
        id=world.next_id(),
        name=given.name,
        created=world.clock.now(),
        labels=given.labels,
        ttl=given.ttl,
        sets=_given(),
        published={},
    )
    for one in given.rrsets:
        made = _checked(zone, one)
        zone.sets[_key(made)] = made
    project.zones[zone.id] = zone
    for made in zone.sets.values():
        _charge(call, zone, made)
    action = _publish(call, zone, "create_zone")
    return Answer(201, {"zone": _show(zone), "action": shown.action(world, action)})


def _given() -> dict[str, RecordSet]:
    """What every zone begins with."""
    start = "hydrogen.ns.hetzner.com. dns.hetzner.com. 1 86400 10800 3600000 3600"
    servers = [ZoneRecord(value=name) for name in shown.NAME_SERVERS]
    soa = RecordSet(name="@", type="SOA", ttl=None, records=[ZoneRecord(value=start)], given=True)
    names = RecordSet(name="@", type="NS", ttl=None, records=servers, given=True)
    return {"@/SOA": soa, "@/NS": names}


def _key(one: RecordSet) -> str:
    return f"{one.name}/{one.type}"


def _full(zone: Zone, one: RecordSet) -> str:
    return f"{zone.name}/{one.type}" if one.name == "@" else f"{one.name}.{zone.name}/{one.type}"


def _charge(call: Call, zone: Zone, one: RecordSet) -> None:
    if not one.given:
        where, now = _full(zone, one), call.world.clock.now()
        call.world.charge(call.project, Charge(kind="record", id=_key(one), name=where, since=now, labels=one.labels))


def _publish(call: Call, zone: Zone, command: str) -> Action:
    """A change: it is in the API at once, and with the name servers a little later."""
    zone.serial += 1
    ref = ("zone", zone.id)
    call.world.later(call.project, call.world.latency.publish, "published", {"zone": zone.id, "serial": zone.serial})
    return call.world.begin(call, command, [ref], "nothing", {}, takes="publish")


def update(call: Call) -> Answer:
    """`PUT /zones/{id}`."""
    zone, given = of(call), call.parse(Labels)
    if given.labels is not None:
        labels.check(given.labels)
        zone.labels = given.labels
    return Answer(200, {"zone": _show(zone)})


def delete(call: Call) -> Answer:
    """`DELETE /zones/{id}`: with all that is in it."""
    zone = of(call)
    if zone.protected:
        raise protected("zone")
    del call.project.zones[zone.id]
    for one in zone.sets.values():
        call.world.discharge(call.project, "record", _key(one), name=_full(zone, one))
    action = call.world.begin(call, "delete_zone", [("zone", zone.id)], "nothing", {}, takes="publish")
    return Answer(201, {"action": shown.action(call.world, action)})


def protect(call: Call) -> Answer:
    """A zone's `change_protection`."""
    zone, given = of(call), call.parse(ZoneProtection)
    if given.delete is not None:
        zone.protected = given.delete
    return _action(call, _publish(call, zone, "change_protection"))


def change_ttl(call: Call) -> Answer:
    """A zone's `change_ttl`."""
    zone, given = of(call), call.parse(Ttl)
    zone.ttl = _ttl(given.ttl) or TTL
    return _action(call, _publish(call, zone, "change_ttl"))


def _ttl(ttl: int | None) -> int | None:
    least, most = _TTLS
    if ttl is not None and not least <= ttl <= most:
        raise invalid("ttl", f"must be between {least} and {most}")
    return ttl


def _action(call: Call, action: Action) -> Answer:
    return Answer(201, {"action": shown.action(call.world, action)})


# -- sets of records ----------------------------------------------------------------------------------------------


class _Listed:
    """A set as lists select it: it has a name, labels and something to sort by."""

    def __init__(self, zone: Zone, one: RecordSet) -> None:
        self.one, self.zone = one, zone
        self.id, self.name, self.labels, self.created = _key(one), one.name, one.labels, zone.created


def sets(call: Call) -> Answer:
    """`GET /zones/{id}/rrsets`."""
    zone, wanted = of(call), call.query.get("type", ())
    found = [_Listed(zone, one) for one in zone.sets.values() if not wanted or one.type in wanted]
    return call.listed("rrsets", found, lambda item: shown.record_set(zone, item.one))


def _set(call: Call) -> tuple[Zone, RecordSet]:
    zone = of(call)
    which = f"{call.names['name']}/{call.names['type']}"
    if which not in zone.sets:
        raise not_found("RRSet", which)
    return zone, zone.sets[which]


def show_set(call: Call) -> Answer:
    """`GET /zones/{id}/rrsets/{name}/{type}`."""
    return Answer(200, {"rrset": shown.record_set(*_set(call))})


def create_set(call: Call) -> Answer:
    """`POST /zones/{id}/rrsets`."""
    zone, given = of(call), call.parse(GivenSet)
    labels.check(given.labels)
    made = _checked(zone, given)
    if _key(made) in zone.sets:
        raise taken("RRSet", "name")
    zone.sets = zone.sets | {_key(made): made}
    _charge(call, zone, made)
    action = _publish(call, zone, "create_rrset")
    return Answer(201, {"rrset": shown.record_set(zone, made), "action": shown.action(call.world, action)})


def _checked(zone: Zone, given: GivenSet) -> RecordSet:
    """Raises Refused for what cannot be in a zone."""
    if given.type not in _TYPES:
        raise invalid("type", "is not a known type of record")
    if given.type == "SOA":
        raise invalid("type", "the SOA record cannot be made")
    if not _NAME.fullmatch(given.name) or len(given.name) + len(zone.name) > 252:
        raise invalid("name", "is not a valid name within the zone, in lower case")
    beside = [one for one in zone.sets.values() if one.name == given.name and one.type != given.type]
    if beside and ("CNAME" in (given.type, *(one.type for one in beside))):
        raise unfit("invalid_input", "a CNAME record cannot stand beside other records")
    return RecordSet(
        name=given.name,
        type=given.type,
        ttl=_ttl(given.ttl),
        records=_records(given.type, given.records),
        labels=given.labels,
    )


def _records(kind: str, given: list[GivenRecord]) -> list[ZoneRecord]:
    if not given:
        raise invalid("records", "can't be empty")
    if len({one.value for one in given}) != len(given):
        raise invalid("records", "has the same value twice")
    if kind == "CNAME" and len(given) > 1:
        raise invalid("records", "a CNAME has one record")
    for one in given:
        _value(kind, one.value)
    return [ZoneRecord(value=one.value, comment=one.comment) for one in given]


def _value(kind: str, value: str) -> None:
    try:
        if kind == "A":
            IPv4Address(value)
        elif kind == "AAAA":
            IPv6Address(value)
    except ValueError:
        raise invalid("records.value", f"is not valid for {kind}") from None
    if kind in ("CNAME", "NS", "PTR") and not _TARGET.fullmatch(value):
        raise invalid("records.value", f"is not valid for {kind}")
    if kind == "TXT" and not _QUOTED.fullmatch(value):
        raise invalid("records.value", "must be in quotes, at most 255 characters each")
    if not value.strip():
        raise invalid("records.value", "can't be blank")


def update_set(call: Call) -> Answer:
    """`PUT /zones/{id}/rrsets/{name}/{type}`: labels alone."""
    (zone, one), given = _set(call), call.parse(Labels)
    if given.labels is not None:
        labels.check(given.labels)
        one.labels = given.labels
        for charge in call.project.charges:
            if charge.kind == "record" and charge.name == _full(zone, one) and charge.until is None:
                charge.labels = one.labels
    return Answer(200, {"rrset": shown.record_set(zone, one)})


def _changeable(call: Call) -> tuple[Zone, RecordSet]:
    zone, one = _set(call)
    if one.protected:
        raise protected("RRSet")
    if one.type == "SOA":
        raise Refused(403, "forbidden", "the SOA record cannot be changed")
    return zone, one


def delete_set(call: Call) -> Answer:
    """`DELETE /zones/{id}/rrsets/{name}/{type}`."""
    zone, one = _changeable(call)
    return _action(call, _without(call, zone, one, "delete_rrset"))


def _without(call: Call, zone: Zone, one: RecordSet, command: str) -> Action:
    zone.sets = {key: other for key, other in zone.sets.items() if key != _key(one)}
    call.world.discharge(call.project, "record", _key(one), name=_full(zone, one))
    return _publish(call, zone, command)


def _replace(call: Call, zone: Zone, one: RecordSet, records: list[ZoneRecord], command: str) -> Answer:
    """Records anew; a set without any is gone."""
    if not records:
        return _action(call, _without(call, zone, one, command))
    zone.sets = zone.sets | {_key(one): msgspec.structs.replace(one, records=records)}
    return _action(call, _publish(call, zone, command))


def set_records(call: Call) -> Answer:
    """`set_records`."""
    (zone, one), given = _changeable(call), call.parse(Records)
    return _replace(call, zone, one, _records(one.type, given.records), "set_rrset_records")


def add_records(call: Call) -> Answer:
    """`add_records`; a set that is not there is made."""
    zone, given = of(call), call.parse(Records)
    which = f"{call.names['name']}/{call.names['type']}"
    if which not in zone.sets:
        wanted = GivenSet(name=call.names["name"], type=call.names["type"], records=given.records, ttl=given.ttl)
        made = _checked(zone, wanted)
        zone.sets = zone.sets | {which: made}
        _charge(call, zone, made)
        return _action(call, _publish(call, zone, "add_rrset_records"))
    zone, one = _changeable(call)
    if given.ttl is not None and given.ttl != one.ttl:
        raise invalid("ttl", "must be that of the set")
    both = [GivenRecord(value=record.value, comment=record.comment) for record in one.records] + given.records
    return _replace(call, zone, one, _records(one.type, both), "add_rrset_records")


def remove_records(call: Call) -> Answer:
    """`remove_records`."""
    (zone, one), given = _changeable(call), call.parse(Records)
    gone = {record.value for record in given.records}
    if not gone <= {record.value for record in one.records}:
        raise not_found("record")
    kept = [record for record in one.records if record.value not in gone]
    return _replace(call, zone, one, kept, "remove_rrset_records")


def set_ttl(call: Call) -> Answer:
    """A set's `change_ttl`."""
    (zone, one), given = _changeable(call), call.parse(Ttl)
    zone.sets = zone.sets | {_key(one): msgspec.structs.replace(one, ttl=_ttl(given.ttl))}
    return _action(call, _publish(call, zone, "change_rrset_ttl"))


def protect_set(call: Call) -> Answer:
    """A set's `change_protection`."""
    (zone, one), given = _set(call), call.parse(SetProtection)
    if given.change is not None:
        one.protected = given.change
    return _action(call, _publish(call, zone, "change_rrset_protection"))


def answers(projects: Iterable[Project], name: str, kind: str) -> list[str] | None:
    """What the name servers answer for a full name: a wildcard where no name stands, [] for nothing, None elsewhere."""
    name = name.rstrip(".").lower()
    for project in projects:
        for zone in project.zones.values():
            if name == zone.name or name.endswith(f".{zone.name}"):
                own = name[: -len(zone.name) - 1] if name != zone.name else "@"
                return [record.value for record in _answer(zone.published, own, kind)]
    return None


def _answer(published: Mapping[str, RecordSet], own: str, kind: str) -> list[ZoneRecord]:
    names = {one.name for one in published.values()}
    tried = own
    while tried not in names and not any(name.endswith(f".{tried}") for name in names):
        if tried == "@":
            return []
        _, _, above = tried.removeprefix("*.").partition(".")
        tried, at = f"*.{above}" if above else "*", tried
        if tried == at:
            return []
        if tried in names:
            break
    for one in (published.get(f"{tried}/{kind}"), published.get(f"{tried}/CNAME")):
        if one is not None:
            return one.records
    return []


ROUTES: Routes = (
    ("GET", "/zones", index),
    ("POST", "/zones", create),
    ("GET", "/zones/{id}", show),
    ("PUT", "/zones/{id}", update),
    ("DELETE", "/zones/{id}", delete),
    ("POST", "/zones/{id}/actions/change_protection", protect),
    ("POST", "/zones/{id}/actions/change_ttl", change_ttl),
    ("GET", "/zones/{id}/rrsets", sets),
    ("POST", "/zones/{id}/rrsets", create_set),
    ("GET", "/zones/{id}/rrsets/{name}/{type}", show_set),
    ("PUT", "/zones/{id}/rrsets/{name}/{type}", update_set),
    ("DELETE", "/zones/{id}/rrsets/{name}/{type}", delete_set),
    *(
        ("POST", f"/zones/{{id}}/rrsets/{{name}}/{{type}}/actions/{name}", handler)
        for name, handler in (
            ("set_records", set_records),
            ("add_records", add_records),
            ("remove_records", remove_records),
            ("change_ttl", set_ttl),
            ("change_protection", protect_set),
        )
    ),
)
