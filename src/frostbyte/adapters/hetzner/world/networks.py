"""`/networks`: private networks with their subnets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Final

import msgspec

from frostbyte.adapters.hetzner.world import addresses, labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes
from frostbyte.adapters.hetzner.world.records import Charge, Network, Route, Subnet
from frostbyte.adapters.hetzner.world.refusals import conflict, invalid, limit, protected, taken, unfit

_SMALLEST: Final = 29
"""Prefix length of the smallest subnet (public documentation: /29)."""
_TYPES: Final = ("cloud", "server", "vswitch")


class GivenSubnet(msgspec.Struct, kw_only=True):
    """Of a request."""

    type: str
    network_zone: str
    ip_range: str | None = None
    vswitch_id: int | None = None


class GivenRoute(msgspec.Struct, kw_only=True):
    """Of a request."""

    destination: str
    gateway: str


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /networks`."""

    name: str
    ip_range: str
    subnets: list[GivenSubnet] = []
    routes: list[GivenRoute] = []
    labels: dict[str, str] = {}
    expose_routes_to_vswitch: bool = False


class Change(msgspec.Struct, kw_only=True):
    """Body of `PUT /networks/{id}`."""

    name: str | None = None
    labels: dict[str, str] | None = None
    expose_routes_to_vswitch: bool | None = None


class Range(msgspec.Struct, kw_only=True):
    """Body of `delete_subnet` and `change_ip_range`."""

    ip_range: str


class Protection(msgspec.Struct, kw_only=True):
    """Body of `change_protection`."""

    delete: bool | None = None


def index(call: Call) -> Answer:
    """`GET /networks`."""
    found = call.project.networks.values()
    return call.listed("networks", found, lambda one: shown.network(call.world, call.project, one))


def of(call: Call) -> Network:
    """The network that the path names."""
    return call.get("network", call.project.networks, call.number())


def show(call: Call) -> Answer:
    """`GET /networks/{id}`."""
    return _shown(call, of(call), 200)


def _shown(call: Call, network: Network, status: int) -> Answer:
    return Answer(status, {"network": shown.network(call.world, call.project, network)})


def create(call: Call) -> Answer:
    """`POST /networks`: there at its answer, without an action."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.name_of(given.name)
    labels.check(given.labels)
    whole = addresses.cidr(given.ip_range, "ip_range")
    if len(given.subnets) > limits.SUBNETS_PER_NETWORK:
        raise limit("subnets_per_network_limit")
    subnets: list[Subnet] = []
    for one in given.subnets:
        subnets.append(_subnet(call, one, whole, subnets))
    routes: list[Route] = []
    for way in given.routes:
        routes.append(_route(way, whole, subnets, routes))
    if any(network.name == given.name for network in project.networks.values()):
        raise taken("network name", "name")
    world.quota(project, "networks")
    network = Network(
        id=world.next_id(),
        name=given.name,
        created=world.clock.now(),
        labels=given.labels,
        ip_range=str(whole),
        subnets=subnets,
        routes=routes,
        expose_routes_to_vswitch=given.expose_routes_to_vswitch,
    )
    project.networks[network.id] = network
    world.charge(
        project,
        Charge(kind="network", id=str(network.id), name=network.name, since=network.created, labels=network.labels),
    )
    return _in_time(call, _shown(call, network, 201))


def _in_time(call: Call, answer: Answer) -> Answer:
    """There is no action to wait for: the request itself takes the time."""
    if seconds := call.world.latency.network:
        answer.wait = call.world.clock.wait(seconds)
    return answer


def _subnet(call: Call, given: GivenSubnet, whole: IPv4Network, others: list[Subnet]) -> Subnet:
    """Raises Refused where it lies outside, overlaps, or has a zone that does not exist."""
    if given.type not in _TYPES:
        raise invalid("type", "is not a type of subnet")
    if given.type == "vswitch":
        raise invalid("type", "vSwitches are not simulated")
    if given.network_zone not in {place.network_zone for place in call.world.offers.prices.locations}:
        raise invalid("network_zone", "does not exist")
    if given.ip_range is None:
        free = (part for part in whole.subnets(new_prefix=max(24, whole.prefixlen)) if not _overlaps(part, others))
        part = next(free, None)
        if part is None:
            raise unfit("no_subnet_available", "no subnet is available in the network")
    else:
        part = addresses.cidr(given.ip_range, "subnets.ip_range")
    if not part.subnet_of(whole):
        raise invalid("subnets.ip_range", "must be a subset of the network's ip_range")
    if part.prefixlen > _SMALLEST:
        raise invalid("subnets.ip_range", "is too small")
    if _overlaps(part, others):
        raise invalid("subnets.ip_range", "overlaps with another subnet")
    return Subnet(ip_range=str(part), zone=given.network_zone, type="cloud" if given.type == "server" else given.type)


def _overlaps(part: IPv4Network, others: list[Subnet]) -> bool:
    return any(part.overlaps(IPv4Network(other.ip_range)) for other in others)


def _route(given: GivenRoute, whole: IPv4Network, subnets: list[Subnet], others: list[Route]) -> Route:
    try:
        destination, gateway = IPv4Network(given.destination), IPv4Address(given.gateway)
    except ValueError:
        raise invalid("routes", "is not a valid route") from None
    if gateway not in whole or gateway == whole[1]:
        raise invalid("routes.gateway", "must be in the network and not its first address")
    if _overlaps(destination, subnets):
        raise invalid("routes.destination", "overlaps with a subnet")
    if any(destination == IPv4Network(other.destination) for other in others):
        raise invalid("routes.destination", "is routed already")
    return Route(destination=str(destination), gateway=str(gateway))


def update(call: Call) -> Answer:
    """`PUT /networks/{id}`."""
    network, given = of(call), call.parse(Change)
    if given.name is not None and given.name != network.name:
        limits.name_of(given.name)
        if any(other.name == given.name for other in call.project.networks.values()):
            raise taken("network name", "name")
        network.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        network.labels = given.labels
    if given.expose_routes_to_vswitch is not None:
        network.expose_routes_to_vswitch = given.expose_routes_to_vswitch
    call.world.relabel(call.project, "network", network)
    return _shown(call, network, 200)


def delete(call: Call) -> Answer:
    """`DELETE /networks/{id}`: servers that are in it are taken out without a word."""
    network = of(call)
    if network.protected:
        raise protected("network")
    call.world.engine.free(("network", network.id))
    for server, _ in addresses.members(call.project, network):
        call.world.engine.free(("server", server.id))
    for server, _ in addresses.members(call.project, network):
        server.private = [net for net in server.private if net.network != network.id]
    del call.project.networks[network.id]
    call.world.discharge(call.project, "network", network.id)
    return _in_time(call, Answer(204))


def _action(call: Call, network: Network, command: str) -> Answer:
    """The change is made; its action takes its time."""
    ref = ("network", network.id)
    action = call.world.begin(call, command, [ref], "nothing", {}, takes="network", locks=[ref])
    return Answer(201, {"action": shown.action(call.world, action)})


def _free(call: Call) -> Network:
    network = of(call)
    call.world.engine.free(("network", network.id))
    return network


def add_subnet(call: Call) -> Answer:
    """`add_subnet`."""
    network, given = _free(call), call.parse(GivenSubnet)
    if len(network.subnets) >= limits.SUBNETS_PER_NETWORK:
        raise limit("subnets_per_network_limit")
    network.subnets.append(_subnet(call, given, IPv4Network(network.ip_range), network.subnets))
    return _action(call, network, "add_subnet")


def delete_subnet(call: Call) -> Answer:
    """`delete_subnet`: only an empty one."""
    network, given = _free(call), call.parse(Range)
    if not any(subnet.ip_range == given.ip_range for subnet in network.subnets):
        raise invalid("ip_range", "is not a subnet of the network")
    if any(net.subnet == given.ip_range for _, net in addresses.members(call.project, network)):
        raise conflict("resource_in_use", "the subnet still has servers attached")
    network.subnets = [subnet for subnet in network.subnets if subnet.ip_range != given.ip_range]
    return _action(call, network, "delete_subnet")


def add_route(call: Call) -> Answer:
    """`add_route`."""
    network, given = _free(call), call.parse(GivenRoute)
    network.routes.append(_route(given, IPv4Network(network.ip_range), network.subnets, network.routes))
    return _action(call, network, "add_route")


def delete_route(call: Call) -> Answer:
    """`delete_route`."""
    network, given = _free(call), call.parse(GivenRoute)
    kept = [one for one in network.routes if (one.destination, one.gateway) != (given.destination, given.gateway)]
    if len(kept) == len(network.routes):
        raise invalid("destination", "is not routed")
    network.routes = kept
    return _action(call, network, "delete_route")


def change_range(call: Call) -> Answer:
    """`change_ip_range`: only wider."""
    network, given = _free(call), call.parse(Range)
    whole = addresses.cidr(given.ip_range, "ip_range")
    if not IPv4Network(network.ip_range).subnet_of(whole):
        raise invalid("ip_range", "must contain the network's range")
    network.ip_range = str(whole)
    return _action(call, network, "change_ip_range")


def protect(call: Call) -> Answer:
    """`change_protection`."""
    network, given = _free(call), call.parse(Protection)
    if given.delete is not None:
        network.protected = given.delete
    return _action(call, network, "change_protection")


def members(call: Call) -> Answer:
    """`GET /networks/{id}/members`."""
    network = of(call)
    found = addresses.members(call.project, network)
    return call.paged(
        "members",
        found,
        lambda pair: {
            "id": pair[0].id,
            "type": "server",
            "ip": pair[1].ip,
            "alias_ips": pair[1].alias_ips,
            "subnet": pair[1].subnet,
            "status": "ok",
        },
    )


ROUTES: Routes = (
    ("GET", "/networks", index),
    ("POST", "/networks", create),
    ("GET", "/networks/{id}", show),
    ("PUT", "/networks/{id}", update),
    ("DELETE", "/networks/{id}", delete),
    ("GET", "/networks/{id}/members", members),
    ("POST", "/networks/{id}/actions/add_subnet", add_subnet),
    ("POST", "/networks/{id}/actions/delete_subnet", delete_subnet),
    ("POST", "/networks/{id}/actions/add_route", add_route),
    ("POST", "/networks/{id}/actions/delete_route", delete_route),
    ("POST", "/networks/{id}/actions/change_ip_range", change_range),
    ("POST", "/networks/{id}/actions/change_protection", protect),
)
