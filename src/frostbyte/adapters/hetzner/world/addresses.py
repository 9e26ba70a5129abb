"""Which addresses servers get: private ones within a network's subnets, and public ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import TYPE_CHECKING, Final

from frostbyte.adapters.hetzner.world import limits
from frostbyte.adapters.hetzner.world.offers import ZERO
from frostbyte.adapters.hetzner.world.records import (
    Charge,
    Network,
    PrimaryIp,
    PrivateNet,
    Project,
    Server,
    Subnet,
)
from frostbyte.adapters.hetzner.world.refusals import Refused, conflict, invalid, limit, unfit

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.world import World

PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
RESERVED: Final = IPv4Address("172.31.1.1")
"""The gateway of every server's public interface."""


def cidr(text: str, field: str) -> IPv4Network:
    """A private range, written with its first address. Raises Refused."""
    try:
        network = IPv4Network(text)
    except ValueError:
        raise invalid(field, "is not a valid IPv4 range in CIDR notation") from None
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise invalid(field, "must be within a private range of RFC 1918")
    return network


def members(project: Project, network: Network) -> list[tuple[Server, PrivateNet]]:
    """Who is in a network."""
    return [(server, net) for server in project.servers.values() for net in server.private if net.network == network.id]


def joinable(project: Project, joined: Iterable[Network], network: Network) -> None:
    """Raises Refused where a server that is in `joined` cannot be in `network` as well."""
    others = list(joined)
    if any(other.id == network.id for other in others):
        raise conflict("server_already_attached", "the server is already attached to the network")
    if len(others) >= limits.NETWORKS_PER_SERVER:
        raise limit("networks_per_server_limit")
    mine = ip_network(network.ip_range)
    if any(mine.overlaps(ip_network(other.ip_range)) for other in others):
        raise conflict("networks_overlap", "the network overlaps with another one of the server")
    if len(members(project, network)) >= limits.SERVERS_PER_NETWORK:
        raise limit("servers_per_network_limit")


def used(project: Project, network: Network) -> set[IPv4Address]:
    """Addresses of a network that somebody has."""
    return {IPv4Address(text) for _, net in members(project, network) for text in (net.ip, *net.alias_ips) if text}


def reserved(network: Network, subnet: Subnet) -> set[IPv4Address]:
    """Addresses that nobody gets: the network's first one, and the ends of the subnet."""
    whole, part = IPv4Network(network.ip_range), IPv4Network(subnet.ip_range)
    return {whole.network_address, whole[1], part.network_address, part.broadcast_address, RESERVED}


def free_place(
    project: Project, network: Network, zone: str, wanted: str, ip_range: str | None = None
) -> tuple[Subnet, IPv4Address]:
    """A free address of a network, or the wanted one.

    Raises:
        Refused: `no_subnet_available` or `ip_not_available`.
    """
    fitting = [
        subnet
        for subnet in network.subnets
        if subnet.type != "vswitch" and subnet.zone == zone and ip_range in (None, subnet.ip_range)
    ]
    if not fitting:
        raise unfit("no_subnet_available", "no subnet or IP is available in the network")
    taken = used(project, network)
    if wanted:
        return _wanted(network, fitting, wanted, taken)
    for subnet in fitting:
        kept = reserved(network, subnet)
        for address in IPv4Network(subnet.ip_range).hosts():
            if address not in taken and address not in kept:
                return subnet, address
    raise unfit("no_subnet_available", "no subnet or IP is available in the network")


def _wanted(
    network: Network, fitting: list[Subnet], wanted: str, taken: set[IPv4Address]
) -> tuple[Subnet, IPv4Address]:
    try:
        address = IPv4Address(wanted)
    except ValueError:
        raise invalid("ip", "is not a valid IPv4 address") from None
    for subnet in fitting:
        if address in IPv4Network(subnet.ip_range):
            if address in taken or address in reserved(network, subnet):
                raise conflict("ip_not_available", "the IP is not available")
            return subnet, address
    raise unfit("no_subnet_available", "the IP is in no subnet of the network")


def place(
    project: Project, server: Server, network: Network, zone: str, wanted: str, ip_range: str | None = None
) -> PrivateNet:
    """A server's place in a network; it is taken from now on."""
    subnet, address = free_place(project, network, zone, wanted, ip_range)
    mac = f"86:00:00:{server.id >> 16 & 255:02x}:{server.id >> 8 & 255:02x}:{server.id & 255:02x}"
    return PrivateNet(network=network.id, ip=str(address), subnet=subnet.ip_range, mac_address=mac)


def primary_ip(
    world: World, project: Project, kind: str, location: str, *, with_server: int | None = None, name: str = ""
) -> PrimaryIp:
    """Make a public address. Raises Refused."""
    world.quota(project, "primary_ips")
    which = world.next_id()
    address = PrimaryIp(
        id=which,
        name=name or f"primary_ip-{which}",
        created=world.clock.now(),
        labels={},
        ip=_public(world, kind, which),
        type=kind,
        location=location,
        auto_delete=with_server is not None,
    )
    project.primary_ips[which] = address
    price = world.offers.prices.primary_ipv4
    paid = kind == "ipv4"
    world.charge(
        project,
        Charge(
            kind="primary_ip",
            id=str(which),
            name=address.name,
            since=address.created,
            hourly=price.hourly if paid else ZERO,
            monthly=price.monthly if paid else ZERO,
            with_server=with_server,
        ),
    )
    return address


def _public(world: World, kind: str, which: int) -> str:
    """The next address that nobody in the world has; one that was given back is not given out again at once."""
    if kind == "ipv6":
        return f"2001:db8:{which >> 16 & 0xFFFF:x}:{which & 0xFFFF:x}::/64"
    taken = {one.ip for project in world.projects.values() for one in project.primary_ips.values()}
    pool = IPv4Network(world.addresses)
    for address in _from(pool, which):
        if str(address) not in taken:
            return str(address)
    raise Refused(412, "resource_unavailable", "no address is left")


def _from(pool: IPv4Network, which: int) -> Iterator[IPv4Address]:
    usable = pool.num_addresses - 2
    for step in range(usable):
        yield pool[1 + (which + step) % usable]
