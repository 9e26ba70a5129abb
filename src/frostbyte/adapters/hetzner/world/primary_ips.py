"""`/primary_ips`: public addresses that may outlive servers."""

from __future__ import annotations

import msgspec

from frostbyte.adapters.hetzner.world import addresses, labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes
from frostbyte.adapters.hetzner.world.records import Action, PrimaryIp, Server
from frostbyte.adapters.hetzner.world.refusals import invalid, not_found, protected, taken, unfit


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /primary_ips`."""

    name: str
    type: str
    location: int | str | None = None
    assignee_id: int | None = None
    assignee_type: str = "server"
    auto_delete: bool = False
    labels: dict[str, str] = {}


class Change(msgspec.Struct, kw_only=True):
    """Body of `PUT /primary_ips/{id}`."""

    name: str | None = None
    labels: dict[str, str] | None = None
    auto_delete: bool | None = None


class Assign(msgspec.Struct, kw_only=True):
    """Body of `assign`."""

    assignee_id: int
    assignee_type: str = "server"


class Protection(msgspec.Struct, kw_only=True):
    """Body of `change_protection`."""

    delete: bool | None = None


def of(call: Call) -> PrimaryIp:
    """The address that the path names."""
    return call.get("primary IP", call.project.primary_ips, call.number())


def index(call: Call) -> Answer:
    """`GET /primary_ips`."""
    wanted = call.one("ip")
    found = [one for one in call.project.primary_ips.values() if wanted is None or one.ip == wanted]
    return call.listed("primary_ips", found, lambda one: shown.primary_ip(call.world, one))


def show(call: Call) -> Answer:
    """`GET /primary_ips/{id}`."""
    return Answer(200, {"primary_ip": shown.primary_ip(call.world, of(call))})


def create(call: Call) -> Answer:
    """`POST /primary_ips`: at a location, or for a server that is off."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.name_of(given.name)
    labels.check(given.labels)
    if given.type not in ("ipv4", "ipv6"):
        raise invalid("type", "must be one of ipv4, ipv6")
    if (given.location is None) == (given.assignee_id is None):
        raise invalid("location", "either location or assignee_id is required")
    server = call.get("server", project.servers, given.assignee_id) if given.assignee_id is not None else None
    place = world.offers.location(server.location if server else given.location or "")
    if place is None:
        raise not_found("location", given.location or "")
    if any(address.name == given.name for address in project.primary_ips.values()):
        raise taken("primary IP name", "name")
    if server is not None:
        _assignable(call, server, given.type)
    address = addresses.primary_ip(world, project, given.type, place.name, name=given.name)
    address.labels, address.auto_delete = given.labels, given.auto_delete
    world.relabel(project, "primary_ip", address)
    if server is not None:
        action = _assign(call, address, server)
    else:
        ref = ("primary_ip", address.id)
        action = world.begin(call, "create_primary_ip", [ref], "nothing", {}, takes="primary_ip", locks=[ref])
    return Answer(201, {"primary_ip": shown.primary_ip(world, address), "action": shown.action(world, action)})


def _assignable(call: Call, server: Server, kind: str) -> None:
    """Raises Refused where a server runs or has one already."""
    if server.status != "off":
        raise unfit("server_not_stopped", "the server must be stopped")
    call.world.engine.free(("server", server.id))
    if kind == "ipv4" and server.ipv4 is not None:
        raise unfit("server_has_ipv4", "the server already has an IPv4 address")
    if kind == "ipv6" and server.ipv6 is not None:
        raise unfit("server_has_ipv6", "the server already has an IPv6 network")


def _assign(call: Call, address: PrimaryIp, server: Server) -> Action:
    refs = [("primary_ip", address.id), ("server", server.id)]
    given = {"address": address.id, "server": server.id}
    return call.world.begin(call, "assign_primary_ip", refs, "ip_assigned", given, takes="primary_ip", locks=refs)


def _unassign(call: Call, address: PrimaryIp, *, delete: bool = False) -> Action:
    server = call.project.servers[address.assignee or 0]
    if server.status != "off":
        raise unfit("server_not_stopped", "the server must be stopped")
    refs = [("primary_ip", address.id), ("server", server.id)]
    call.world.engine.free(*refs)
    given = {"address": address.id, "server": server.id, "delete": delete}
    return call.world.begin(call, "unassign_primary_ip", refs, "ip_unassigned", given, takes="primary_ip", locks=refs)


def update(call: Call) -> Answer:
    """`PUT /primary_ips/{id}`."""
    address, given = of(call), call.parse(Change)
    if given.name is not None and given.name != address.name:
        limits.name_of(given.name)
        if any(other.name == given.name for other in call.project.primary_ips.values()):
            raise taken("primary IP name", "name")
        address.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        address.labels = given.labels
    if given.auto_delete is not None:
        address.auto_delete = given.auto_delete
    call.world.relabel(call.project, "primary_ip", address)
    return Answer(200, {"primary_ip": shown.primary_ip(call.world, address)})


def delete(call: Call) -> Answer:
    """`DELETE /primary_ips/{id}`: one that a server has is taken from it first; that server must be off."""
    address = of(call)
    if address.protected:
        raise protected("primary IP")
    call.world.engine.free(("primary_ip", address.id))
    if address.assignee is not None:
        _unassign(call, address, delete=True)
        return Answer(204)
    del call.project.primary_ips[address.id]
    call.world.discharge(call.project, "primary_ip", address.id)
    return Answer(204)


def assign(call: Call) -> Answer:
    """`assign`."""
    address, given = of(call), call.parse(Assign)
    server = call.get("server", call.project.servers, given.assignee_id)
    call.world.engine.free(("primary_ip", address.id))
    if address.assignee is not None:
        raise unfit("primary_ip_already_assigned", "the primary IP is already assigned to a server")
    if address.location != server.location:
        raise unfit("primary_ip_datacenter_mismatch", "the primary IP is in another location")
    _assignable(call, server, address.type)
    return _answer(call, _assign(call, address, server))


def unassign(call: Call) -> Answer:
    """`unassign`."""
    address = of(call)
    if address.assignee is None:
        raise unfit("invalid_input", "the primary IP is not assigned")
    return _answer(call, _unassign(call, address))


def protect(call: Call) -> Answer:
    """`change_protection`."""
    address, given = of(call), call.parse(Protection)
    ref = ("primary_ip", address.id)
    call.world.engine.free(ref)
    changed = {"kind": "primary_ips", "id": address.id, "delete": given.delete}
    action = call.world.begin(
        call, "change_primary_ip_protection", [ref], "protected", changed, takes="protection", locks=[ref]
    )
    return _answer(call, action)


def _answer(call: Call, action: Action) -> Answer:
    return Answer(201, {"action": shown.action(call.world, action)})


ROUTES: Routes = (
    ("GET", "/primary_ips", index),
    ("POST", "/primary_ips", create),
    ("GET", "/primary_ips/{id}", show),
    ("PUT", "/primary_ips/{id}", update),
    ("DELETE", "/primary_ips/{id}", delete),
    ("POST", "/primary_ips/{id}/actions/assign", assign),
    ("POST", "/primary_ips/{id}/actions/unassign", unassign),
    ("POST", "/primary_ips/{id}/actions/change_protection", protect),
)
