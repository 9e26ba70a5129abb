"""Hetzner's JSON in our words, and ours in Hetzner's. Pure. Source of the fields: the public API reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from frostbyte.adapters.hetzner.errors import odd_reply
from frostbyte.control_plane.provisioning.catalogue import Catalogue, Location, Offer, ServerType
from frostbyte.control_plane.provisioning.resources import (
    Found,
    Kind,
    Rule,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedServer,
    WantedSshKey,
    WantedVolume,
)

Json = Mapping[str, Any]

COLLECTIONS: Final = {
    Kind.SSH_KEY: ("/ssh_keys", "ssh_keys", "ssh_key"),
    Kind.NETWORK: ("/networks", "networks", "network"),
    Kind.FIREWALL: ("/firewalls", "firewalls", "firewall"),
    Kind.PRIMARY_IP: ("/primary_ips", "primary_ips", "primary_ip"),
    Kind.SERVER: ("/servers", "servers", "server"),
    Kind.VOLUME: ("/volumes", "volumes", "volume"),
    Kind.SNAPSHOT: ("/images", "images", "image"),
}
"""Path, and the keys of many and of one in a reply."""


def found(kind: Kind, data: Json) -> Found:
    """A resource. Raises CloudError where the reply is not as the reference says."""
    try:
        name = data["description"] if kind is Kind.SNAPSHOT else data["name"]
        return Found(
            kind=kind,
            resource_id=str(data["id"]),
            name=str(name or ""),
            labels={str(key): str(value) for key, value in (data.get("labels") or {}).items()},
            facts=_FACTS[kind](data),
            created_at=_moment(data.get("created")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise odd_reply(f"proper {kind.value} ({type(error).__name__})") from None


def _network(data: Json) -> dict[str, Any]:
    return {
        "cidr": data["ip_range"],
        "subnets": [{"cidr": subnet["ip_range"], "zone": subnet["network_zone"]} for subnet in data["subnets"]],
        "servers": _ids(data.get("servers")),
    }


def _firewall(data: Json) -> dict[str, Any]:
    applied = data.get("applied_to") or []
    direct = [item["server"] for item in applied if item["type"] == "server"]
    matched = [one["server"] for item in applied for one in item.get("applied_to_resources") or [] if one.get("server")]
    return {
        "rules": [rule_of(rule) for rule in data["rules"]],
        "selectors": [item["label_selector"]["selector"] for item in applied if item["type"] == "label_selector"],
        "servers": sorted(set(_ids(direct) + _ids(matched)), key=int),
    }


def rule_of(data: Json) -> dict[str, Any]:
    """A rule as `Rule` has it, as JSON values."""
    way = "source_ips" if data["direction"] == "in" else "destination_ips"
    return {
        "direction": data["direction"],
        "protocol": data["protocol"],
        "port": data.get("port") or "",
        "addresses": list(data.get(way) or []),
        "description": data.get("description") or "",
    }


def _primary_ip(data: Json) -> dict[str, Any]:
    return {"address": data["ip"], "location": _place(data), "assignee": str(data.get("assignee_id") or "")}


def _server(data: Json) -> dict[str, Any]:
    public = data.get("public_net") or {}
    private = data.get("private_net") or []
    image = data.get("image") or {}
    return {
        "status": data["status"],
        "type": data["server_type"]["name"],
        "location": _place(data),
        "image": str(image.get("name") or image.get("id") or ""),
        "public_address": str((public.get("ipv4") or {}).get("ip") or ""),
        "private_address": str(private[0]["ip"]) if private else "",
        "networks": [str(net["network"]) for net in private],
        "volumes": _ids(data.get("volumes")),
        "firewalls": _ids(public.get("firewalls")),
        "locked": bool(data.get("locked")),
        "disk_gb": data["primary_disk_size"],
    }


def _volume(data: Json) -> dict[str, Any]:
    return {
        "size_gb": int(data["size"]),
        "location": _place(data),
        "server": str(data.get("server") or ""),
        "device": str(data.get("linux_device") or ""),
    }


def _snapshot(data: Json) -> dict[str, Any]:
    return {
        "status": data["status"],
        "architecture": data.get("architecture") or "",
        "size_gb": float(data.get("image_size") or 0),
    }


def _ssh_key(data: Json) -> dict[str, Any]:
    return {"fingerprint": data["fingerprint"], "public_key": data["public_key"]}


_FACTS: Final[Mapping[Kind, Callable[[Json], dict[str, Any]]]] = {
    Kind.NETWORK: _network,
    Kind.FIREWALL: _firewall,
    Kind.PRIMARY_IP: _primary_ip,
    Kind.SERVER: _server,
    Kind.VOLUME: _volume,
    Kind.SNAPSHOT: _snapshot,
    Kind.SSH_KEY: _ssh_key,
}


def _place(data: Json) -> str:
    """A resource's location; before 2026 it was only told with its data centre."""
    place = data.get("location") or (data.get("datacenter") or {}).get("location") or {}
    return str(place["name"])


def _ids(items: Iterable[Any] | None) -> list[str]:
    return [str(item["id"] if isinstance(item, Mapping) else item) for item in items or ()]


def _moment(text: str | None) -> str:
    if not text:
        return ""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def network_body(wanted: WantedNetwork) -> dict[str, Any]:
    """For POST /networks: with its subnet at once, so that there is no moment without."""
    subnet = {"type": "cloud", "ip_range": wanted.subnet, "network_zone": wanted.zone}
    return {"name": wanted.name, "labels": dict(wanted.labels), "ip_range": wanted.cidr, "subnets": [subnet]}


def rules_body(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Rules for POST /firewalls and /firewalls/{id}/actions/set_rules."""
    return [
        {
            "direction": rule.direction,
            "protocol": rule.protocol,
            **({"port": rule.port} if rule.port else {}),
            ("source_ips" if rule.direction == "in" else "destination_ips"): list(rule.addresses),
            "description": rule.description,
        }
        for rule in rules
    ]


def firewall_body(wanted: WantedFirewall) -> dict[str, Any]:
    """For POST /firewalls."""
    applied = {"type": "label_selector", "label_selector": {"selector": wanted.selector}}
    return {
        "name": wanted.name,
        "labels": dict(wanted.labels),
        "rules": rules_body(wanted.rules),
        **({"apply_to": [applied]} if wanted.selector else {}),
    }


def server_body(wanted: WantedServer) -> dict[str, Any]:
    """For POST /servers: switched off, and without IPv6."""
    net: dict[str, Any] = {"enable_ipv4": wanted.public, "enable_ipv6": False}
    if wanted.primary_ip:
        net["ipv4"] = int(wanted.primary_ip)
    return {
        "name": wanted.name,
        "labels": dict(wanted.labels),
        "server_type": wanted.type,
        "location": wanted.location,
        "image": id_or_name(wanted.image),
        "user_data": wanted.user_data,
        "start_after_create": False,
        "public_net": net,
        **({"ssh_keys": [id_or_name(key) for key in wanted.ssh_keys]} if wanted.ssh_keys else {}),
        **({"firewalls": [{"firewall": int(one)} for one in wanted.firewalls]} if wanted.firewalls else {}),
    }


def volume_body(wanted: WantedVolume) -> dict[str, Any]:
    """For POST /volumes."""
    return {
        "name": wanted.name,
        "labels": dict(wanted.labels),
        "size": wanted.size_gb,
        "location": wanted.location,
        **({} if wanted.empty else {"format": "ext4"}),
    }


def ssh_key_body(wanted: WantedSshKey) -> dict[str, Any]:
    """For POST /ssh_keys."""
    return {"name": wanted.name, "labels": dict(wanted.labels), "public_key": wanted.public_key}


def primary_ip_body(wanted: WantedPrimaryIp) -> dict[str, Any]:
    """For POST /primary_ips: it stays when its server goes."""
    return {
        "name": wanted.name,
        "labels": dict(wanted.labels),
        "type": "ipv4",
        "location": wanted.location,
        "assignee_type": "server",
        "auto_delete": False,
    }


def id_or_name(text: str) -> int | str:
    """An id is a number in Hetzner's JSON."""
    return int(text) if text.isascii() and text.isdigit() else text


def catalogue(types: Iterable[Json], locations: Iterable[Json], pricing: Json) -> Catalogue:
    """What is sold, from /server_types, /locations and /pricing. Raises CloudError as `found` does."""
    try:
        return Catalogue(
            types={data["name"]: _type(data) for data in types},
            locations={data["name"]: _location(data) for data in locations},
            currency=str(pricing["currency"]),
            volume_gb_month=Decimal(pricing["volume"]["price_per_gb_month"]["net"]),
            primary_ip_month={
                price["location"]: Decimal(price["price_monthly"]["net"])
                for kind in pricing["primary_ips"]
                if kind["type"] == "ipv4"
                for price in kind["prices"]
            },
            snapshot_gb_month=Decimal(pricing["image"]["price_per_gb_month"]["net"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError) as error:
        raise odd_reply(f"proper catalogue ({type(error).__name__})") from None


def _location(data: Json) -> Location:
    return Location(name=data["name"], zone=data["network_zone"], country=data["country"], city=data["city"])


def _type(data: Json) -> ServerType:
    prices = {price["location"]: price for price in data["prices"]}
    offers = {
        place["name"]: _offer(place, prices[place["name"]]) for place in data["locations"] if place["name"] in prices
    }
    return ServerType(
        name=data["name"],
        architecture=data["architecture"],
        cores=int(data["cores"]),
        memory_mb=int(Decimal(str(data["memory"])) * 1024),
        disk_gb=int(data["disk"]),
        offers=offers,
    )


def _offer(place: Json, price: Json) -> Offer:
    ends = place.get("deprecation") or {}
    return Offer(
        location=place["name"],
        available=place.get("available") is not False,
        monthly=Decimal(price["price_monthly"]["net"]),
        hourly=Decimal(price["price_hourly"]["net"]),
        deprecated=_when(ends.get("announced")),
        unavailable_after=_when(ends.get("unavailable_after")),
    )


def _when(text: str | None) -> datetime | None:
    moment = _moment(text)
    return datetime.fromisoformat(moment) if moment else None
