"""How the API shows what exists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from frostbyte.adapters.hetzner.world.offers import Place, TypeSold, shown_price
from frostbyte.adapters.hetzner.world.records import (
    Action,
    Firewall,
    Image,
    Network,
    PrimaryIp,
    Project,
    RecordSet,
    Rule,
    Server,
    SshKey,
    Volume,
    Zone,
)

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.world import World

TERABYTE = 1 << 40
NAME_SERVERS = ("hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de.")


def moment(at: datetime | None) -> str | None:
    """A time as the API writes it."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def location(place: Place) -> dict[str, Any]:
    """A location."""
    return {
        "id": place.id,
        "name": place.name,
        "description": place.description,
        "country": place.country,
        "city": place.city,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "network_zone": place.network_zone,
    }


def place_of(world: World, name: str) -> dict[str, Any]:
    """The location of that name."""
    place = world.offers.location(name)
    assert place is not None
    return location(place)


def deprecation(announced: datetime | None, unavailable_after: datetime | None) -> dict[str, Any] | None:
    """When something goes away."""
    if announced is None:
        return None
    return {"announced": moment(announced), "unavailable_after": moment(unavailable_after or announced)}


def price(world: World, net: Decimal) -> Mapping[str, str]:
    """Net and gross."""
    return shown_price(net, world.offers.gross(net))


def server_type(world: World, sold: TypeSold) -> dict[str, Any]:
    """A server type with where it is to be had."""
    now = world.clock.now()
    gone = deprecation(sold.announced, sold.unavailable_after)
    places = [place for name in sold.locations if (place := world.offers.location(name))]
    return {
        "id": sold.id,
        "name": sold.name,
        "description": sold.name.upper(),
        "category": sold.category,
        "cores": sold.cores,
        "memory": sold.memory,
        "disk": sold.disk,
        "deprecated": gone is not None,
        "deprecation": gone,
        "storage_type": "local",
        "cpu_type": sold.cpu_type,
        "architecture": sold.architecture,
        "prices": [
            {
                "location": place.name,
                "price_hourly": price(world, sold.hourly),
                "price_monthly": price(world, sold.monthly),
                "included_traffic": 20 * TERABYTE,
                "price_per_tb_traffic": price(world, Decimal(1)),
            }
            for place in places
        ],
        "locations": [
            {
                "id": place.id,
                "name": place.name,
                "deprecation": gone,
                "available": world.offers.available(sold, place.name, now),
                "recommended": gone is None,
            }
            for place in places
        ],
    }


def action(world: World, one: Action) -> dict[str, Any]:
    """An action; while it runs, how far it is."""
    progress = 100
    if one.status == "running":
        progress = 0
        if one.due is not None and one.seconds > 0:
            left = (one.due - world.clock.now()).total_seconds()
            progress = min(95, max(0, int(100 * (1 - left / one.seconds))))
    return {
        "id": one.id,
        "command": one.command,
        "status": one.status,
        "progress": progress,
        "started": moment(one.started),
        "finished": moment(one.finished),
        "resources": [{"id": which, "type": kind} for kind, which in one.resources],
        "error": {"code": one.error, "message": "Action failed"} if one.error else None,
    }


def server(world: World, project: Project, one: Server) -> dict[str, Any]:
    """A server with everything that hangs on it."""
    sold = world.offers.type(one.type)
    assert sold is not None
    held = world.image(project, one.image) if one.image is not None else None
    v4 = project.primary_ips[one.ipv4] if one.ipv4 is not None else None
    v6 = project.primary_ips[one.ipv6] if one.ipv6 is not None else None
    return {
        "id": one.id,
        "name": one.name,
        "status": one.status,
        "created": moment(one.created),
        "public_net": {
            "ipv4": v4
            and {"id": v4.id, "ip": v4.ip, "blocked": False, "dns_ptr": f"static.{v4.ip}.clients.your-server.de"},
            "ipv6": v6 and {"id": v6.id, "ip": v6.ip, "blocked": False, "dns_ptr": []},
            "floating_ips": [],
            "firewalls": [
                {"id": wall.id, "status": wall.applied[one.id]}
                for wall in project.firewalls.values()
                if one.id in wall.applied
            ],
        },
        "private_net": [
            {"network": net.network, "ip": net.ip, "alias_ips": net.alias_ips, "mac_address": net.mac_address}
            for net in one.private
        ],
        "server_type": server_type(world, sold),
        "location": place_of(world, one.location),
        "datacenter": datacenter(world, one.location),
        "image": held and image(held),
        "iso": None,
        "rescue_enabled": False,
        "locked": world.engine.busy(("server", one.id)),
        "backup_window": None,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 20 * TERABYTE,
        "protection": {"delete": one.protected, "rebuild": one.rebuild_protected},
        "labels": one.labels,
        "volumes": [volume.id for volume in project.volumes.values() if volume.server == one.id],
        "load_balancers": [],
        "primary_disk_size": one.disk,
        "placement_group": None,
    }


def datacenter(world: World, name: str) -> dict[str, Any]:
    """The one data centre of a location, as older clients want it."""
    place = world.offers.location(name)
    assert place is not None
    sold = world.offers.prices.server_types
    now = world.clock.now()
    supported = [one.id for one in sold if name in one.locations]
    available = [one.id for one in sold if world.offers.available(one, name, now)]
    return {
        "id": place.id,
        "name": f"{name}-dc1",
        "description": f"{place.city} 1 virtual DC 1",
        "location": location(place),
        "server_types": {
            "supported": supported,
            "available": available,
            "available_for_migration": available,
        },
    }


def network(world: World, project: Project, one: Network) -> dict[str, Any]:
    """A network with its members."""
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "ip_range": one.ip_range,
        "subnets": [
            {
                "type": subnet.type,
                "ip_range": subnet.ip_range,
                "network_zone": subnet.zone,
                "gateway": str(ip_network(one.ip_range)[1]),
                "vswitch_id": None,
            }
            for subnet in one.subnets
        ],
        "routes": [{"destination": route.destination, "gateway": route.gateway} for route in one.routes],
        "expose_routes_to_vswitch": one.expose_routes_to_vswitch,
        "servers": [
            server.id for server in project.servers.values() if any(net.network == one.id for net in server.private)
        ],
        "load_balancers": [],
        "protection": {"delete": one.protected},
        "labels": one.labels,
    }


def rule(one: Rule) -> dict[str, Any]:
    """A rule."""
    return {
        "direction": one.direction,
        "protocol": one.protocol,
        "port": one.port,
        "source_ips": one.source_ips,
        "destination_ips": one.destination_ips,
        "description": one.description,
    }


def firewall(project: Project, one: Firewall, selected: Mapping[str, list[int]]) -> dict[str, Any]:
    """A firewall. `selected`: the servers that each of its selectors has got."""
    by_name: list[dict[str, Any]] = [{"type": "server", "server": {"id": which}} for which in one.servers]
    by_label: list[dict[str, Any]] = [
        {
            "type": "label_selector",
            "label_selector": {"selector": text},
            "applied_to_resources": [{"type": "server", "server": {"id": which}} for which in selected[text]],
        }
        for text in one.selectors
    ]
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "labels": one.labels,
        "rules": [rule(each) for each in one.rules],
        "applied_to": by_name + by_label,
    }


def volume(world: World, one: Volume) -> dict[str, Any]:
    """A volume."""
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "server": one.server,
        "location": place_of(world, one.location),
        "size": one.size,
        "linux_device": one.device,
        "format": one.format,
        "status": one.status,
        "protection": {"delete": one.protected},
        "labels": one.labels,
    }


def primary_ip(world: World, one: PrimaryIp) -> dict[str, Any]:
    """An address."""
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "ip": one.ip,
        "type": one.type,
        "location": place_of(world, one.location),
        "datacenter": datacenter(world, one.location),
        "assignee_id": one.assignee,
        "assignee_type": "server",
        "auto_delete": one.auto_delete,
        "blocked": False,
        "dns_ptr": [],
        "protection": {"delete": one.protected},
        "labels": one.labels,
    }


def ssh_key(one: SshKey) -> dict[str, Any]:
    """A public key."""
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "fingerprint": one.fingerprint,
        "public_key": one.public_key,
        "labels": one.labels,
    }


def image(one: Image) -> dict[str, Any]:
    """An image."""
    made_from = one.created_from
    return {
        "id": one.id,
        "type": one.type,
        "status": one.status,
        "name": one.name if one.type == "system" else None,
        "description": one.description,
        "image_size": one.image_size,
        "disk_size": one.disk_size,
        "created": moment(one.created),
        "created_from": made_from and {"id": made_from[0], "name": made_from[1]},
        "bound_to": None,
        "os_flavor": one.os_flavor,
        "os_version": one.os_version,
        "rapid_deploy": one.type == "system",
        "protection": {"delete": one.protected},
        "deprecated": moment(one.announced),
        "deprecation": deprecation(one.announced, one.unavailable_after),
        "labels": one.labels,
        "deleted": None,
        "architecture": one.architecture,
    }


def zone(one: Zone, settled: bool) -> dict[str, Any]:
    """A zone. `settled`: its name servers answer with what it holds."""
    return {
        "id": one.id,
        "name": one.name,
        "created": moment(one.created),
        "mode": "primary",
        "ttl": one.ttl,
        "labels": one.labels,
        "protection": {"delete": one.protected},
        "status": "ok" if settled else "updating",
        "record_count": sum(len(each.records) for each in one.sets.values()),
        "registrar": "other",
        "primary_nameservers": [],
        "authoritative_nameservers": {
            "assigned": list(NAME_SERVERS),
            "delegated": list(NAME_SERVERS),
            "delegation_last_check": moment(one.created),
            "delegation_status": "valid",
        },
    }


def record_set(owner: Zone, one: RecordSet) -> dict[str, Any]:
    """A set of records."""
    return {
        "zone": owner.id,
        "id": f"{one.name}/{one.type}",
        "name": one.name,
        "type": one.type,
        "ttl": one.ttl,
        "labels": one.labels,
        "protection": {"change": one.protected},
        "records": [{"value": each.value, "comment": each.comment} for each in one.records],
    }
