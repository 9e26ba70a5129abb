"""`/firewalls`: rules, and the servers that they apply to by name or by label."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

import msgspec

from frostbyte.adapters.hetzner.world import labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes, Update
from frostbyte.adapters.hetzner.world.records import Action, Charge, Firewall, Rule, Server
from frostbyte.adapters.hetzner.world.refusals import Refused, conflict, invalid, limit, taken, unfit

_PORT: Final = re.compile(r"any|([0-9]{1,5})(?:-([0-9]{1,5}))?")
_MOST_PORT: Final = 65_535
_DESCRIPTION: Final = 255
_WITH_PORT: Final = ("tcp", "udp")
_PROTOCOLS: Final = (*_WITH_PORT, "icmp", "esp", "gre")


class GivenRule(msgspec.Struct, kw_only=True):
    """Of a request."""

    direction: str
    protocol: str
    port: str | None = None
    source_ips: list[str] = []
    destination_ips: list[str] = []
    description: str | None = None


class ServerRef(msgspec.Struct, kw_only=True):
    """Of a request."""

    id: int


class SelectorRef(msgspec.Struct, kw_only=True):
    """Of a request."""

    selector: str


class Resource(msgspec.Struct, kw_only=True):
    """Of a request: a server, or a selector."""

    type: str
    server: ServerRef | None = None
    label_selector: SelectorRef | None = None


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /firewalls`."""

    name: str
    labels: dict[str, str] = {}
    rules: list[GivenRule] = []
    apply_to: list[Resource] = []


class SetRules(msgspec.Struct, kw_only=True):
    """Body of `set_rules`."""

    rules: list[GivenRule]


class ApplyTo(msgspec.Struct, kw_only=True):
    """Body of `apply_to_resources`."""

    apply_to: list[Resource]


class RemoveFrom(msgspec.Struct, kw_only=True):
    """Body of `remove_from_resources`."""

    remove_from: list[Resource]


def of(call: Call) -> Firewall:
    """The firewall that the path names."""
    return call.get("firewall", call.project.firewalls, call.number())


def _show(call: Call, wall: Firewall) -> dict[str, object]:
    """Its selectors show the servers that they have got so far."""
    selected = {
        text: [
            which
            for which in wall.applied
            if which not in wall.servers
            and which in call.project.servers
            and labels.selector(text)(call.project.servers[which].labels)
        ]
        for text in wall.selectors
    }
    return shown.firewall(call.project, wall, selected)


def index(call: Call) -> Answer:
    """`GET /firewalls`."""
    return call.listed("firewalls", call.project.firewalls.values(), lambda one: _show(call, one))


def show(call: Call) -> Answer:
    """`GET /firewalls/{id}`."""
    return Answer(200, {"firewall": _show(call, of(call))})


def create(call: Call) -> Answer:
    """`POST /firewalls`."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.name_of(given.name)
    labels.check(given.labels)
    rules = _rules(given.rules)
    if any(wall.name == given.name for wall in project.firewalls.values()):
        raise taken("firewall name", "name")
    world.quota(project, "firewalls")
    wall = Firewall(id=world.next_id(), name=given.name, created=world.clock.now(), labels=given.labels, rules=rules)
    servers, selectors = _resources(call, wall, given.apply_to)
    project.firewalls[wall.id] = wall
    world.charge(
        project, Charge(kind="firewall", id=str(wall.id), name=wall.name, since=wall.created, labels=wall.labels)
    )
    actions = [_changed(call, wall)] if rules else []
    actions += _apply(call, wall, servers, selectors)
    return Answer(201, {"firewall": _show(call, wall), "actions": [shown.action(world, action) for action in actions]})


def _rules(given: list[GivenRule]) -> list[Rule]:
    """Raises Refused for a rule that cannot be."""
    if len(given) > limits.RULES_PER_FIREWALL:
        raise limit("rules_per_firewall_limit")
    return [_rule(at, one) for at, one in enumerate(given)]


def _rule(at: int, given: GivenRule) -> Rule:
    where = f"rules[{at}]"
    if given.direction not in ("in", "out"):
        raise invalid(f"{where}.direction", "must be one of in, out")
    if given.protocol not in _PROTOCOLS:
        raise invalid(f"{where}.protocol", f"must be one of {', '.join(_PROTOCOLS)}")
    if given.protocol in _WITH_PORT:
        _port(f"{where}.port", given.port or "")
    elif given.port is not None:
        raise invalid(f"{where}.port", "is only possible with tcp and udp")
    used, other = (
        (given.source_ips, given.destination_ips)
        if given.direction == "in"
        else (given.destination_ips, given.source_ips)
    )
    field = f"{where}.{'source_ips' if given.direction == 'in' else 'destination_ips'}"
    if not used or other:
        raise invalid(field, "is required, and only it, for this direction")
    if len(used) > limits.ADDRESSES_PER_RULE:
        raise invalid(field, f"has more than {limits.ADDRESSES_PER_RULE} addresses")
    for text in used:
        try:
            ip_network(text)
        except ValueError:
            raise invalid(field, "is not a valid range in CIDR notation") from None
    if len(given.description or "") > _DESCRIPTION:
        raise invalid(f"{where}.description", "is too long")
    return Rule(
        direction=given.direction,
        protocol=given.protocol,
        port=given.port,
        source_ips=given.source_ips,
        destination_ips=given.destination_ips,
        description=given.description,
    )


def _port(field: str, text: str) -> None:
    match = _PORT.fullmatch(text)
    if match and match[1]:
        first, last = int(match[1]), int(match[2] or match[1])
        match = match if 1 <= first <= last <= _MOST_PORT else None
    if not match:
        raise invalid(field, "must be a port, a range of ports or any")


def _resources(call: Call, wall: Firewall, given: list[Resource]) -> tuple[list[Server], list[str]]:
    """Servers and selectors that a firewall may be applied to. Raises Refused."""
    servers: list[Server] = []
    selectors: list[str] = []
    for one in given:
        if one.type == "server" and one.server is not None:
            server = call.project.servers.get(one.server.id)
            if server is None:
                raise Refused(404, "firewall_resource_not_found", "the server was not found")
            if not server.public:
                raise unfit("private_net_only_server", "the server has no public interface")
            if wall.id and (server.id in wall.servers or server in servers):
                raise conflict("firewall_already_applied", "the firewall is already applied to the server")
            _room(call, server)
            servers.append(server)
        elif one.type == "label_selector" and one.label_selector is not None:
            text = one.label_selector.selector
            labels.selector(text)
            if not text.strip():
                raise invalid("label_selector", "can't be blank")
            if text in wall.selectors:
                raise conflict("firewall_already_applied", "the firewall is already applied to the selector")
            selectors.append(text)
        else:
            raise invalid("apply_to", "is neither a server nor a label selector")
    return servers, selectors


def _room(call: Call, server: Server) -> None:
    walls = sum(server.id in wall.applied for wall in call.project.firewalls.values())
    if walls >= limits.FIREWALLS_PER_SERVER:
        raise limit("firewalls_per_server_limit")


def _apply(call: Call, wall: Firewall, servers: list[Server], selectors: list[str]) -> list[Action]:
    actions = []
    for server in servers:
        wall.servers.append(server.id)
        wall.applied.setdefault(server.id, "pending")
        actions.append(_act(call, wall, server, "apply_firewall", "firewall_applied"))
    if selectors:
        wall.selectors += selectors
        call.world.reselect(call.project)
        actions.append(_changed(call, wall, "apply_firewall"))
    return actions


def _act(call: Call, wall: Firewall, server: Server, command: str, effect: str) -> Action:
    refs = [("firewall", wall.id), ("server", server.id)]
    given = {"firewall": wall.id, "server": server.id}
    return call.world.begin(call, command, refs, effect, given, takes="firewall")


def _changed(call: Call, wall: Firewall, command: str = "set_firewall_rules") -> Action:
    ref = ("firewall", wall.id)
    return call.world.begin(call, command, [ref], "filtered", {"firewall": wall.id}, takes="firewall")


def update(call: Call) -> Answer:
    """`PUT /firewalls/{id}`."""
    wall, given = of(call), call.parse(Update)
    if given.name is not None and given.name != wall.name:
        limits.name_of(given.name)
        if any(other.name == given.name for other in call.project.firewalls.values()):
            raise taken("firewall name", "name")
        wall.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        wall.labels = given.labels
    call.world.relabel(call.project, "firewall", wall)
    return Answer(200, {"firewall": _show(call, wall)})


def delete(call: Call) -> Answer:
    """`DELETE /firewalls/{id}`: not while it applies anywhere, by name or by label, nor shortly after."""
    wall = of(call)
    if wall.servers or wall.selectors or wall.applied or wall.lingering:
        raise unfit("resource_in_use", f"firewall with ID '{wall.id}' is still in use")
    del call.project.firewalls[wall.id]
    call.world.discharge(call.project, "firewall", wall.id)
    return Answer(204)


def set_rules(call: Call) -> Answer:
    """`set_rules`: all of them anew."""
    wall, given = of(call), call.parse(SetRules)
    wall.rules = _rules(given.rules)
    return _actions(call, [_changed(call, wall)])


def _actions(call: Call, actions: list[Action]) -> Answer:
    return Answer(201, {"actions": [shown.action(call.world, action) for action in actions]})


def apply_to(call: Call) -> Answer:
    """`apply_to_resources`."""
    wall, given = of(call), call.parse(ApplyTo)
    servers, selectors = _resources(call, wall, given.apply_to)
    return _actions(call, _apply(call, wall, servers, selectors))


def remove_from(call: Call) -> Answer:
    """`remove_from_resources`."""
    wall, given = of(call), call.parse(RemoveFrom)
    servers, selectors = [], []
    for one in given.remove_from:
        if one.type == "server" and one.server is not None:
            server = call.project.servers.get(one.server.id)
            if server is None or server.id not in wall.applied:
                raise Refused(404, "firewall_resource_not_found", "the firewall is not applied to the server")
            if server.id not in wall.servers:
                raise unfit("firewall_managed_by_label_selector", "the firewall is applied by a label selector")
            servers.append(server)
        elif one.type == "label_selector" and one.label_selector is not None:
            if one.label_selector.selector not in wall.selectors:
                raise Refused(404, "firewall_resource_not_found", "the firewall is not applied to the selector")
            selectors.append(one.label_selector.selector)
        else:
            raise invalid("remove_from", "is neither a server nor a label selector")
    actions = []
    for server in servers:
        wall.servers.remove(server.id)
        actions.append(_act(call, wall, server, "remove_firewall", "firewall_removed"))
    if selectors:
        wall.selectors = [text for text in wall.selectors if text not in selectors]
        call.world.later(call.project, call.world.latency.select, "selected", {})
        actions.append(_changed(call, wall, "remove_firewall"))
    return _actions(call, actions)


ROUTES: Routes = (
    ("GET", "/firewalls", index),
    ("POST", "/firewalls", create),
    ("GET", "/firewalls/{id}", show),
    ("PUT", "/firewalls/{id}", update),
    ("DELETE", "/firewalls/{id}", delete),
    ("POST", "/firewalls/{id}/actions/set_rules", set_rules),
    ("POST", "/firewalls/{id}/actions/apply_to_resources", apply_to),
    ("POST", "/firewalls/{id}/actions/remove_from_resources", remove_from),
)
