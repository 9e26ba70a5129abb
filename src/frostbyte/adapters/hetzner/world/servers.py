"""`/servers`: made, shown, renamed, deleted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import msgspec

from frostbyte.adapters.hetzner.world import addresses, labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes, Update
from frostbyte.adapters.hetzner.world.offers import Place, TypeSold
from frostbyte.adapters.hetzner.world.records import (
    Action,
    Charge,
    Firewall,
    Image,
    Network,
    PrimaryIp,
    Server,
    Volume,
)
from frostbyte.adapters.hetzner.world.refusals import Refused, invalid, limit, not_found, protected, taken, unfit


class PublicNet(msgspec.Struct, kw_only=True):
    """Of a request."""

    enable_ipv4: bool = True
    enable_ipv6: bool = True
    ipv4: int | None = None
    ipv6: int | None = None


class FirewallRef(msgspec.Struct, kw_only=True):
    """Of a request."""

    firewall: int


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /servers`."""

    name: str
    server_type: int | str
    image: int | str
    location: int | str | None = None
    ssh_keys: list[int | str] = []
    volumes: list[int] = []
    networks: list[int] = []
    firewalls: list[FirewallRef] = []
    user_data: str = ""
    labels: dict[str, str] = {}
    start_after_create: bool = True
    automount: bool = False
    public_net: PublicNet = msgspec.field(default_factory=PublicNet)
    placement_group: int | None = None


@dataclass
class _Order:
    """A request whose references are resolved and fit together."""

    given: Create
    sold: TypeSold
    place: Place
    image: Image
    keys: list[str] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    firewalls: list[Firewall] = field(default_factory=list)
    ipv4: PrimaryIp | None = None
    ipv6: PrimaryIp | None = None


def index(call: Call) -> Answer:
    """`GET /servers`."""
    wanted = call.query.get("status", ())
    found = [one for one in call.project.servers.values() if not wanted or one.status in wanted]
    return call.listed("servers", found, lambda one: shown.server(call.world, call.project, one))


def show(call: Call) -> Answer:
    """`GET /servers/{id}`."""
    return Answer(200, {"server": shown.server(call.world, call.project, of(call))})


def of(call: Call) -> Server:
    """The server that the path names."""
    return call.get("server", call.project.servers, call.number())


def update(call: Call) -> Answer:
    """`PUT /servers/{id}`."""
    server, given = of(call), call.parse(Update)
    if given.name is not None and given.name != server.name:
        limits.hostname(given.name)
        unique(call, given.name)
        server.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        server.labels = given.labels
        call.world.reselect(call.project)
    call.world.relabel(call.project, "server", server)
    return Answer(200, {"server": shown.server(call.world, call.project, server)})


def delete(call: Call) -> Answer:
    """`DELETE /servers/{id}`."""
    server = of(call)
    if server.protected:
        raise protected("server")
    ref = ("server", server.id)
    call.world.engine.free(ref)
    action = call.world.begin(
        call,
        "delete_server",
        [ref],
        "server_deleted",
        {"server": server.id},
        takes="delete_server",
        drives="deleted",
        locks=[ref],
    )
    return Answer(200, {"action": shown.action(call.world, action)})


def unique(call: Call, name: str) -> None:
    """Raises Refused: `uniqueness_error`."""
    if any(server.name == name for server in call.project.servers.values()):
        raise taken("server name", "name")


def create(call: Call) -> Answer:
    """`POST /servers`."""
    order = _ordered(call)
    server = _made(call, order)
    ref = ("server", server.id)
    from_snapshot = order.image.type != "system"
    first = call.world.begin(
        call,
        "create_server",
        [ref],
        "server_created",
        {"server": server.id},
        takes="create_from_snapshot" if from_snapshot else "create_server",
        drives="created",
        locks=[ref],
    )
    following = _following(call, order, server, first)
    if server.public:
        call.world.reselect(call.project)
    return Answer(
        201,
        {
            "server": shown.server(call.world, call.project, server),
            "action": shown.action(call.world, first),
            "next_actions": [shown.action(call.world, action) for action in following],
            "root_password": None if order.keys else secrets.token_urlsafe(15),
        },
    )


def _ordered(call: Call) -> _Order:
    """Check everything before anything is made. Raises Refused."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.hostname(given.name)
    labels.check(given.labels)
    if len(given.user_data.encode()) > limits.USER_DATA_BYTES:
        raise invalid("user_data", "is longer than 32 KiB")
    if given.placement_group is not None:
        raise not_found("placement group", given.placement_group)
    sold, place = _type_at(call, given)
    order = _Order(given=given, sold=sold, place=place, image=_image(call, given, sold))
    order.keys = [_key(call, which) for which in given.ssh_keys]
    _networks(call, order)
    _addresses(call, order)
    public = given.public_net.enable_ipv4 or given.public_net.enable_ipv6
    if given.start_after_create and not public and not given.networks:
        raise invalid("public_net", "a server without public and without private network cannot be started")
    _firewalls(call, order, public)
    _volumes(call, order)
    unique(call, given.name)
    world.quota(project, "servers")
    now = world.clock.now()
    if not world.offers.available(sold, place.name, now):
        raise Refused(412, "resource_unavailable", "error during placement")
    return order


def _type_at(call: Call, given: Create) -> tuple[TypeSold, Place]:
    offers = call.world.offers
    sold = offers.type(given.server_type)
    if sold is None:
        raise not_found("server type", given.server_type)
    if sold.unavailable_after is not None and call.world.clock.now() >= sold.unavailable_after:
        raise unfit("invalid_server_type", f"server type {sold.id} is deprecated")
    place = offers.location(given.location if given.location is not None else sold.locations[0])
    if place is None:
        raise not_found("location", given.location or "")
    if place.name not in sold.locations:
        raise unfit("invalid_input", "unsupported location for server type")
    return sold, place


def image_for(call: Call, which: int | str, sold: TypeSold) -> Image:
    """An image that a type can be made from. Raises Refused."""
    found = [one for one in call.world.images(call.project) if which == one.id or str(which) == str(one.id)]
    if not found:
        found = [one for one in call.world.images(call.project) if one.type == "system" and one.name == which]
        found = [one for one in found if one.architecture == sold.architecture] or found
    if not found:
        raise not_found("image", which)
    image = found[0]
    gone = image.unavailable_after is not None and call.world.clock.now() >= image.unavailable_after
    if image.status != "available" or gone:
        raise unfit("invalid_input", "image is not available")
    if image.architecture != sold.architecture:
        raise unfit("invalid_input", "image architecture is not compatible with server type")
    return image


def _image(call: Call, given: Create, sold: TypeSold) -> Image:
    image = image_for(call, given.image, sold)
    if image.disk_size > sold.disk:
        raise unfit("invalid_input", "image disk is bigger than server type disk")
    return image


def _key(call: Call, which: int | str) -> str:
    for key in call.project.ssh_keys.values():
        if which in (key.id, key.name) or str(which) == str(key.id):
            return key.public_key
    raise not_found("SSH key", which)


def _networks(call: Call, order: _Order) -> None:
    if len(order.given.networks) > limits.NETWORKS_PER_SERVER:
        raise invalid("networks", f"a server joins at most {limits.NETWORKS_PER_SERVER} networks")
    for which in order.given.networks:
        network = call.get("network", call.project.networks, which)
        addresses.joinable(call.project, order.networks, network)
        addresses.free_place(call.project, network, order.place.network_zone, "")
        order.networks.append(network)


def _addresses(call: Call, order: _Order) -> None:
    """Primary IPs that were made before."""
    net = order.given.public_net
    for kind, enabled, which in (("ipv4", net.enable_ipv4, net.ipv4), ("ipv6", net.enable_ipv6, net.ipv6)):
        if which is None:
            continue
        if not enabled:
            raise invalid(f"public_net.{kind}", f"cannot be given while enable_{kind} is false")
        address = call.get("primary IP", call.project.primary_ips, which)
        if address.type != kind:
            raise unfit("primary_ip_version_mismatch", "the primary IP has another version")
        if address.assignee is not None:
            raise unfit("primary_ip_assigned", "the primary IP is already assigned to a server")
        if address.location != order.place.name:
            raise unfit("primary_ip_datacenter_mismatch", "the primary IP is in another location")
        if kind == "ipv4":
            order.ipv4 = address
        else:
            order.ipv6 = address


def _firewalls(call: Call, order: _Order, public: bool) -> None:
    given = order.given.firewalls
    if given and not public:
        raise unfit("private_net_only_server", "firewalls cannot be applied to a server without public interface")
    if len(given) > limits.FIREWALLS_PER_SERVER:
        raise invalid("firewalls", f"a server has at most {limits.FIREWALLS_PER_SERVER} firewalls")
    order.firewalls = [call.get("firewall", call.project.firewalls, one.firewall) for one in given]
    if sum(len(wall.rules) for wall in order.firewalls) > limits.RULES_PER_SERVER:
        raise limit("rules_per_server_limit")


def _volumes(call: Call, order: _Order) -> None:
    if len(order.given.volumes) > limits.VOLUMES_PER_SERVER:
        raise invalid("volumes", f"a server has at most {limits.VOLUMES_PER_SERVER} volumes")
    if order.given.automount and not order.given.volumes:
        raise invalid("automount", "needs volumes")
    for which in order.given.volumes:
        volume = call.get("volume", call.project.volumes, which)
        if volume.server is not None:
            raise unfit("volume_already_attached", "the volume is already attached to a server")
        if volume.location != order.place.name:
            raise invalid("volumes", "volume and server must be in the same location")
        call.world.engine.free(("volume", volume.id))
        order.volumes.append(volume)


def _made(call: Call, order: _Order) -> Server:
    """The server's record, with its addresses; it is charged from now on."""
    world, project, given = call.world, call.project, order.given
    server = Server(
        id=world.next_id(),
        name=given.name,
        created=world.clock.now(),
        labels=given.labels,
        type=order.sold.name,
        location=order.place.name,
        image=order.image.id,
        status="initializing",
        disk=order.sold.disk,
        user_data=given.user_data,
        ssh_keys=order.keys,
    )
    project.servers[server.id] = server
    world.charge(
        project,
        Charge(
            kind="server",
            id=str(server.id),
            name=server.name,
            since=server.created,
            hourly=order.sold.hourly,
            monthly=order.sold.monthly,
            labels=server.labels,
        ),
    )
    for kind, enabled, address in (
        ("ipv4", given.public_net.enable_ipv4, order.ipv4),
        ("ipv6", given.public_net.enable_ipv6, order.ipv6),
    ):
        if enabled:
            address = address or addresses.primary_ip(world, project, kind, order.place.name, with_server=server.id)
            address.assignee = server.id
            if kind == "ipv4":
                server.ipv4 = address.id
            else:
                server.ipv6 = address.id
    return server


def _following(call: Call, order: _Order, server: Server, first: Action) -> list[Action]:
    """What comes after the server was made, one after the other; starting is the last."""
    world, project, ref, last = call.world, call.project, ("server", server.id), first
    following = []

    def held(refs: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Networks and firewalls are shared: many servers may join at once."""
        return [one for one in refs if one[0] in ("server", "volume")]

    def next_one(command: str, refs: list[tuple[str, int]], effect: str, given: dict[str, Any], **how: Any) -> None:
        nonlocal last
        last = world.begin(
            call, command, refs, effect, {"server": server.id} | given, locks=held(refs), after=last, **how
        )
        following.append(last)

    for network in order.networks:
        server.private.append(addresses.place(project, server, network, order.place.network_zone, ""))
        refs = [ref, ("network", network.id)]
        next_one("attach_to_network", refs, "server_joined", {"network": network.id}, takes="join", drives="joined")
    for wall in order.firewalls:
        wall.servers.append(server.id)
        wall.applied[server.id] = "pending"
        next_one(
            "apply_firewall", [ref, ("firewall", wall.id)], "firewall_applied", {"firewall": wall.id}, takes="firewall"
        )
    for volume in order.volumes:
        next_one(
            "attach_volume",
            [ref, ("volume", volume.id)],
            "volume_attached",
            {"volume": volume.id},
            takes="attach",
            drives="attached",
        )
    if order.given.start_after_create:
        next_one("start_server", [ref], "server_started", {}, takes="start", drives="started")
    return following


ROUTES: Routes = (
    ("GET", "/servers", index),
    ("POST", "/servers", create),
    ("GET", "/servers/{id}", show),
    ("PUT", "/servers/{id}", update),
    ("DELETE", "/servers/{id}", delete),
)
