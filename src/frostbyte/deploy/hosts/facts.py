"""Refuses facts that a rule, a unit or a script could read as something else: nothing is quoted, all is checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from frostbyte.control_plane.provisioning.hosting import Surroundings
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.hosts import layout
from frostbyte.kernel.errors import Invalid

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
_PART: Final = re.compile(r"gateway|db|single|worker-[1-9][0-9]{0,3}")
_WAY: Final = re.compile(r"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]:([1-9][0-9]{0,4})")


def check(host: Surroundings) -> None:
    """Raises Invalid("host_facts"), naming the fact."""
    if not _NAME.fullmatch(host.name):
        raise _wrong("name", "a host's name is small letters, digits and '-', at most 63")
    for part, address in host.hosts.items():
        if not _PART.fullmatch(part):
            raise _wrong("hosts", "the parts of a tenant are gateway, db, worker-N or single")
        _address("hosts", address)
    if host.address:
        _address("address", host.address)
    for fact in ("edge", "control", "bastion"):
        for network in getattr(host, fact):
            _network(fact, network)
    for fact in ("time_servers", "resolvers"):
        for address in getattr(host, fact):
            _address(fact, address)
    for way in host.ways_out:
        found = _WAY.fullmatch(way)
        if not found or int(found[2]) > 65_535:
            raise _wrong("ways_out", "what may be reached is written host.example:443, in lower case, as a name")
    _enough(host)


def _enough(host: Surroundings) -> None:
    """What a role cannot do without: with an empty set there would be no rule, or one that lets everybody in."""
    needed: list[tuple[str, bool]] = []
    if host.role in layout.GATES:
        needed += [("edge", bool(host.edge)), ("control", bool(host.control))]
    if host.role not in (HostRole.WORKER, HostRole.DB):
        needed += [("time_servers", bool(host.time_servers))]
        if host.role is not HostRole.BUILDER:
            needed += [("bastion", bool(host.bastion))]
    if host.role in (HostRole.GATEWAY, HostRole.WORKER, HostRole.DB):
        needed += [("hosts", bool(host.gateway and host.db)), ("subnet", bool(host.subnet))]
    if host.role is HostRole.EDGE or (host.role in layout.GATES and host.ways_out):
        needed += [("resolvers", bool(host.resolvers))]
    for fact, there in needed:
        if not there:
            raise _wrong(fact, f"a host of the role {host.role.value} needs it")
    if host.subnet:
        inside = _network("subnet", host.subnet)
        if any(IPv4Address(address) not in inside for address in _known((host.address, *host.hosts.values()))):
            raise _wrong("subnet", "a host's address lies outside it")
        if any(inside.overlaps(IPv4Network(own)) for own in (layout.PLANE_NETWORK, layout.HOSTS_NETWORK)):
            raise _wrong("subnet", "it overlaps the networks of the containers")


def _known(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if address]


def _address(fact: str, text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise _wrong(fact, "an address is not written as one (IPv4)") from None


def _network(fact: str, text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError:
        raise _wrong(fact, "a network is not written as one (IPv4, such as 198.51.100.0/24)") from None


def _wrong(fact: str, why: str) -> Invalid:
    return Invalid("host_facts", f"A host cannot be described: `{fact}`: {why}.", "Correct it in the plan or settings.")
