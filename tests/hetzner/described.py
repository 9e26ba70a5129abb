"""Holds a reply of the Cloud API to its description (replies.py): which request is answered with what."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from frostbyte.adapters.hetzner.world.call import Answer
from hetzner.replies import (
    Action,
    Datacenter,
    DnsZone,
    Firewall,
    Image,
    Location,
    Member,
    Network,
    Paged,
    Pricing,
    PrimaryIp,
    RecordSet,
    Refusal,
    Server,
    ServerType,
    SshKey,
    Volume,
)

ONE: Final = {
    "servers": ("server", Server),
    "networks": ("network", Network),
    "firewalls": ("firewall", Firewall),
    "volumes": ("volume", Volume),
    "primary_ips": ("primary_ip", PrimaryIp),
    "ssh_keys": ("ssh_key", SshKey),
    "images": ("image", Image),
    "locations": ("location", Location),
    "datacenters": ("datacenter", Datacenter),
    "server_types": ("server_type", ServerType),
    "zones": ("zone", DnsZone),
    "rrsets": ("rrset", RecordSet),
    "actions": ("action", Action),
    "members": ("member", Member),
}
MORE: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "servers"): {"action": Action, "next_actions": list[Action], "root_password": str | None},
    ("POST", "firewalls"): {"actions": list[Action]},
    ("POST", "volumes"): {"action": Action, "next_actions": list[Action]},
    ("POST", "primary_ips"): {"action": Action | None},
    ("POST", "zones"): {"action": Action},
    ("POST", "rrsets"): {"action": Action},
}
"""What a creation answers besides the thing itself."""
EMPTY: Final = {"networks", "firewalls", "volumes", "primary_ips", "ssh_keys", "images"}
"""What is deleted without an action."""
SEVERAL: Final = {"set_rules", "apply_to_resources", "remove_from_resources"}
WITH_IMAGE: Final = {"create_image": {"image": Image}, "rebuild": {"root_password": str | None}}
_PATH: Final = re.compile(r"(?:.*/)?(?P<kind>[a-z_]+)(?:/(?P<id>[^/]+))?")
_RRSET: Final = re.compile(r"/zones/[^/]+/rrsets(?P<one>/[^/]+/[A-Z]+)?")


def expected(method: str, path: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a request that was done."""
    if action := re.fullmatch(r".*/actions/([a-z_]+)", path) if method == "POST" else None:
        name = action[1]
        shape: dict[str, Any] = {"actions": list[Action]} if name in SEVERAL else {"action": Action}
        return 201, shape | WITH_IMAGE.get(name, {})
    if path == "/pricing":
        return 200, {"pricing": Pricing}
    if found := _RRSET.fullmatch(path):
        kind, which = "rrsets", found["one"]
    else:
        match = _PATH.fullmatch(path)
        assert match, path
        kind, which = match["kind"], match["id"]
        if which and not which.isdigit() and kind != "zones":
            kind, which = which, None
    key, shape_of = ONE.get(kind, (kind, Any))
    if method == "GET":
        return 200, {key: shape_of} if which else {kind: list[shape_of], "meta": Paged}  # type: ignore[valid-type]
    if method == "POST":
        return 201, {key: shape_of} | MORE.get((method, kind), {})
    if method == "PUT":
        return 200, {key: shape_of}
    if kind in EMPTY:
        return 204, {}
    return (200 if kind == "servers" else 201), {"action": Action}


def check(method: str, path: str, answer: Answer) -> None:
    """Raises AssertionError or msgspec.ValidationError where a reply is not as it is described."""
    path = path.removeprefix("/v1").rstrip("/")
    if answer.broken or answer.page:
        return
    text = msgspec.json.encode(answer.body) if answer.body is not None else b"{}"
    if answer.status >= 400:
        msgspec.json.decode(text, type=Refusal)
        return
    status, shape = expected(method, path)
    assert answer.status == status, f"{method} {path}: {answer.status}"
    assert (answer.body is None) == (status == 204)
    shape = shape if status != 204 else {}
    read: dict[str, msgspec.Raw] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    assert set(read) == set(shape), f"{method} {path}: {set(read) ^ set(shape)}"
    for name, kind in shape.items():
        msgspec.json.decode(read[name], type=kind)
