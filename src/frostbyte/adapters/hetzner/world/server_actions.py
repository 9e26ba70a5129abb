"""`/servers/{id}/actions/...`: what is done with a server that is there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec

from frostbyte.adapters.hetzner.world import addresses, labels, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes
from frostbyte.adapters.hetzner.world.records import Action, Charge, Image, Server
from frostbyte.adapters.hetzner.world.refusals import invalid, protected, unfit
from frostbyte.adapters.hetzner.world.servers import image_for, of


class Join(msgspec.Struct, kw_only=True):
    """Body of `attach_to_network`."""

    network: int
    ip: str | None = None
    alias_ips: list[str] = []
    ip_range: str | None = None


class Aliases(msgspec.Struct, kw_only=True):
    """Body of `change_alias_ips`."""

    network: int
    alias_ips: list[str]


class Leave(msgspec.Struct, kw_only=True):
    """Body of `detach_from_network`."""

    network: int


class CreateImage(msgspec.Struct, kw_only=True):
    """Body of `create_image`."""

    type: str = "snapshot"
    description: str | None = None
    labels: dict[str, str] = {}


class ChangeType(msgspec.Struct, kw_only=True):
    """Body of `change_type`."""

    server_type: int | str
    upgrade_disk: bool


class Rebuild(msgspec.Struct, kw_only=True):
    """Body of `rebuild`."""

    image: int | str
    user_data: str | None = None


class Protection(msgspec.Struct, kw_only=True):
    """Body of `change_protection`."""

    delete: bool | None = None
    rebuild: bool | None = None


def _begin(
    call: Call, server: Server, command: str, effect: str, given: Mapping[str, Any], *, takes: str, drives: str = ""
) -> Action:
    """An action on a server on which no other one runs. Raises Refused: `locked`."""
    ref = ("server", server.id)
    call.world.engine.free(ref)
    arguments = {"server": server.id} | dict(given)
    refs = [ref] + [(kind, given[kind]) for kind in ("network", "image") if kind in given]
    return call.world.begin(call, command, refs, effect, arguments, takes=takes, drives=drives, locks=[ref])


def _answer(call: Call, action: Action, **more: Any) -> Answer:
    return Answer(201, {"action": shown.action(call.world, action)} | more)


def poweron(call: Call) -> Answer:
    """Switch it on; one that runs stays as it is."""
    server = of(call)
    if not server.public and not server.private:
        raise unfit("invalid_input", "a server without public and without private network cannot be started")
    if server.status == "running":
        return _answer(call, _begin(call, server, "start_server", "nothing", {}, takes="start"))
    return _answer(call, _begin(call, server, "start_server", "server_started", {}, takes="start", drives="started"))


def poweroff(call: Call) -> Answer:
    """Cut its power; one that is off stays so."""
    server = of(call)
    if server.status == "off":
        return _answer(call, _begin(call, server, "stop_server", "nothing", {}, takes="stop"))
    return _answer(call, _begin(call, server, "stop_server", "server_stopped", {}, takes="stop", drives="stopped"))


def shutdown(call: Call) -> Answer:
    """Ask it to stop: the action is over long before it has."""
    server = of(call)
    running = server.status == "running"
    return _answer(
        call,
        _begin(
            call,
            server,
            "shutdown_server",
            "server_shut" if running else "nothing",
            {},
            takes="shutdown",
            drives="stopped" if running else "",
        ),
    )


def reboot(call: Call) -> Answer:
    """Restart it, gently or not: here it only takes its time."""
    server = of(call)
    command = "reset_server" if call.path.endswith("/reset") else "reboot_server"
    drives, effect = ("restarted", "server_restarted") if server.status == "running" else ("", "nothing")
    return _answer(call, _begin(call, server, command, effect, {}, takes="start", drives=drives))


def join(call: Call) -> Answer:
    """`attach_to_network`."""
    server, given = of(call), call.parse(Join)
    world, project = call.world, call.project
    network = call.get("network", project.networks, given.network)
    world.engine.free(("server", server.id))
    addresses.joinable(project, [project.networks[net.network] for net in server.private], network)
    place = world.offers.location(server.location)
    assert place is not None
    net = addresses.place(project, server, network, place.network_zone, given.ip or "", given.ip_range)
    net.alias_ips = _aliases(call, network.id, given.alias_ips, net.subnet, net.ip)
    server.private.append(net)
    action = _begin(
        call, server, "attach_to_network", "server_joined", {"network": network.id}, takes="join", drives="joined"
    )
    return _answer(call, action)


def _aliases(call: Call, network: int, wanted: list[str], subnet: str, own: str) -> list[str]:
    """Further addresses. Raises Refused."""
    taken = {str(one) for one in addresses.used(call.project, call.project.networks[network])} | {own}
    for text in wanted:
        try:
            inside = IPv4Address(text) in IPv4Network(subnet)
        except ValueError:
            raise invalid("alias_ips", "is not a valid IPv4 address") from None
        if not inside or text in taken:
            raise unfit("ip_not_available", "the IP is not available")
    return list(wanted)


def leave(call: Call) -> Answer:
    """`detach_from_network`."""
    server, given = of(call), call.parse(Leave)
    if not any(net.network == given.network for net in server.private):
        raise unfit("invalid_input", "the server is not attached to the network")
    action = _begin(
        call, server, "detach_from_network", "server_left", {"network": given.network}, takes="join", drives="joined"
    )
    return _answer(call, action)


def aliases(call: Call) -> Answer:
    """`change_alias_ips`."""
    server, given = of(call), call.parse(Aliases)
    net = next((one for one in server.private if one.network == given.network), None)
    if net is None:
        raise unfit("invalid_input", "the server is not attached to the network")
    others = [text for text in given.alias_ips if text not in net.alias_ips]
    _aliases(call, given.network, others, net.subnet, net.ip)
    changed = {"network": given.network, "alias_ips": given.alias_ips}
    return _answer(
        call, _begin(call, server, "change_alias_ips", "server_aliased", changed, takes="join", drives="joined")
    )


def create_image(call: Call) -> Answer:
    """A snapshot of its own disk; volumes are not in it."""
    server, given = of(call), call.parse(CreateImage)
    world, project = call.world, call.project
    if given.type != "snapshot":
        raise invalid("type", "only snapshots are simulated")
    labels.check(given.labels)
    world.quota(project, "images")
    world.engine.free(("server", server.id))
    sold, source = world.offers.type(server.type), world.image(project, server.image or 0)
    assert sold is not None
    image = Image(
        id=world.next_id(),
        name="",
        created=world.clock.now(),
        labels=given.labels,
        type="snapshot",
        status="creating",
        description=given.description or f"snapshot {shown.moment(world.clock.now())}",
        architecture=sold.architecture,
        disk_size=server.disk,
        os_flavor=source.os_flavor if source else "unknown",
        os_version=source.os_version if source else None,
        created_from=(server.id, server.name),
    )
    project.images[image.id] = image
    world.charge(
        project,
        Charge(kind="snapshot", id=str(image.id), name=image.description, since=image.created, labels=image.labels),
    )
    action = _begin(
        call, server, "create_image", "server_imaged", {"image": image.id}, takes="create_image", drives="imaged"
    )
    return _answer(call, action, image=shown.image(image))


def change_type(call: Call) -> Answer:
    """Another type; the server must be off, and its disk may stay as small as it is."""
    server, given = of(call), call.parse(ChangeType)
    offers = call.world.offers
    sold, before = offers.type(given.server_type), offers.type(server.type)
    assert before is not None
    if sold is None:
        raise unfit("invalid_server_type", "the server type does not exist")
    if server.status != "off":
        raise unfit("server_not_stopped", "the server must be stopped")
    if sold.name == server.type or sold.architecture != before.architecture or sold.disk < server.disk:
        raise unfit("invalid_server_type", "the server type does not fit")
    if not offers.available(sold, server.location, call.world.clock.now()):
        raise unfit("placement_error", "error during placement")
    disk = sold.disk if given.upgrade_disk else server.disk
    action = _begin(
        call, server, "change_server_type", "server_typed", {"type": sold.name, "disk": disk}, takes="change_type"
    )
    return _answer(call, action)


def rebuild(call: Call) -> Answer:
    """Its own disk anew from an image; it is started."""
    server, given = of(call), call.parse(Rebuild)
    if server.rebuild_protected:
        raise protected("server")
    sold = call.world.offers.type(server.type)
    assert sold is not None
    image = image_for(call, given.image, sold)
    if given.user_data is not None:
        server.user_data = given.user_data
    action = _begin(
        call, server, "rebuild_server", "server_rebuilt", {"image": image.id}, takes="create_server", drives="rebuilt"
    )
    return _answer(call, action, root_password=None if server.ssh_keys else secrets.token_urlsafe(15))


def protect(call: Call) -> Answer:
    """`change_protection`: deletion and rebuilding go together."""
    server, given = of(call), call.parse(Protection)
    if given.delete != given.rebuild:
        raise invalid("rebuild", "must be equal to delete")
    changed = {"kind": "servers", "id": server.id, "delete": given.delete, "rebuild": given.rebuild}
    return _answer(call, _begin(call, server, "change_server_protection", "protected", changed, takes="protection"))


ROUTES: Routes = tuple(
    ("POST", f"/servers/{{id}}/actions/{name}", handler)
    for name, handler in (
        ("poweron", poweron),
        ("poweroff", poweroff),
        ("shutdown", shutdown),
        ("reboot", reboot),
        ("reset", reboot),
        ("attach_to_network", join),
        ("detach_from_network", leave),
        ("change_alias_ips", aliases),
        ("create_image", create_image),
        ("change_type", change_type),
        ("rebuild", rebuild),
        ("change_protection", protect),
    )
)
