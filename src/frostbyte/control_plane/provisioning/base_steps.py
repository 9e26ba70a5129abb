"""The steps of a project's base: the edge with the control plane, the bastion, and what all tenants share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from frostbyte.control_plane.provisioning import firewalls
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.choosing import Choice
from frostbyte.control_plane.provisioning.desired import DesiredBase, Host
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.specs import (
    ContainersSpec,
    FilesSpec,
    HandoverSpec,
    HostSpec,
    PrimaryIpSpec,
    RecordSpec,
    SecretsSpec,
    ServerSpec,
    SshKeySpec,
    StartSpec,
)
from frostbyte.control_plane.provisioning.steps import Action, Step
from frostbyte.control_plane.provisioning.tenant_steps import SSH_KEY, TTL, below

_EDGE: Final = "@primary_ip.edge"
_BASTION: Final = "@primary_ip.bastion"
_FIREWALLS: Final = (HostRole.EDGE, HostRole.BASTION, HostRole.GATEWAY)


def base_steps(wanted: DesiredBase, choices: Mapping[str, Choice], sold: Catalogue) -> Iterator[Step]:
    """All steps, each after what it needs.

    Args:
        choices: by host.
        sold: for what things cost.
    """
    yield _ssh_key(wanted)
    for host in wanted.hosts:
        yield _primary_ip(wanted, host, choices[host.name], sold)
    for role in _FIREWALLS:
        yield _firewall(wanted, role)
    yield _secrets(wanted)
    for host in wanted.hosts:
        yield _server(wanted, host, choices[host.name])
    for host in wanted.hosts:
        yield _start(host)
    for host in wanted.hosts[::-1]:
        yield _settle(host)
    for host in wanted.hosts:
        yield _files(wanted, host)
    yield _deploy(wanted)
    for hostname in wanted.hostnames:
        yield _record(wanted, hostname)
    yield _handover(wanted)


def _ssh_key(wanted: DesiredBase) -> Step:
    spec: SshKeySpec = {"public_key": wanted.ssh_public_key}
    return Step(key="ssh_key", action=Action.SSH_KEY, name=wanted.owner.name(SSH_KEY), spec=spec)


def _primary_ip(wanted: DesiredBase, host: Host, choice: Choice, sold: Catalogue) -> Step:
    location = choice.best.location if choice.best else wanted.locations[0]
    spec: PrimaryIpSpec = {"host": host.name, "location": location}
    return Step(
        key=f"primary_ip.{host.name}",
        action=Action.PRIMARY_IP,
        name=wanted.owner.name(host.name),
        spec=spec,
        seconds=2,
        monthly=sold.primary_ip_month.get(location, Decimal(0)),
    )


def _firewall(wanted: DesiredBase, role: HostRole) -> Step:
    spec = firewalls.firewall(role, wanted.owner.environment, _EDGE, _BASTION, wanted.operators)
    return Step(
        key=f"firewall.{role.value}",
        action=Action.FIREWALL,
        name=wanted.owner.name(role.value),
        needs=("primary_ip.edge", "primary_ip.bastion"),
        spec=spec,
        row=3,
        seconds=2,
    )


def _server(wanted: DesiredBase, host: Host, choice: Choice) -> Step:
    # The address was made where the best candidate is; a server takes only an address of its own location.
    here = [one for one in choice.candidates if choice.best and one.location == choice.best.location]
    spec: ServerSpec = {
        "host": host.name,
        "role": host.role.value,
        "candidates": [one.spec for one in here],
        "images": {**wanted.ground.images},
        "public": True,
        "primary_ip": f"primary_ip.{host.name}",
        "firewalls": [wanted.owner.name(host.role.value)],
        "ssh_keys": [wanted.owner.name(SSH_KEY)],
        "address": "",
        "subnet": "",
        "edge": _EDGE,
        "bastion": _BASTION,
        "peers": {},
        "egress": [],
        "volume": False,
        "operators": list(wanted.operators) if host.role is HostRole.BASTION else [],
    }
    return Step(
        key=host.server,
        action=Action.SERVER,
        name=wanted.owner.name(host.name),
        needs=("ssh_key", "primary_ip.edge", "primary_ip.bastion", f"firewall.{host.role.value}"),
        spec=spec,
        seconds=10,
        monthly=choice.best.monthly if choice.best else Decimal(0),
    )


def _start(host: Host) -> Step:
    spec: StartSpec = {"server": host.server}
    return Step(key=f"start.{host.name}", action=Action.START, needs=(host.server,), spec=spec, seconds=5)


def _way(host: Host) -> HostSpec:
    return {
        "host": host.name,
        "role": host.role.value,
        "server": host.server,
        "address": "",
        "via": [] if host.role is HostRole.BASTION else ["bastion"],
    }


def _settle(host: Host) -> Step:
    before = () if host.role is HostRole.BASTION else ("settle.bastion",)
    return Step(
        key=f"settle.{host.name}",
        action=Action.SETTLE,
        needs=(f"start.{host.name}", *before),
        spec=_way(host),
        seconds=40,
    )


def _secrets(wanted: DesiredBase) -> Step:
    spec: SecretsSpec = {"hosts": {host.name: host.role.value for host in wanted.hosts}}
    return Step(key="secrets", action=Action.SECRETS, spec=spec, row=10, seconds=2)


def _files(wanted: DesiredBase, host: Host) -> Step:
    spec: FilesSpec = {
        **_way(host),
        "release": wanted.ground.release,
        "peers": {},
        "subnet": "",
        "names": list(wanted.hostnames),
        "egress": [],
        "edge": _EDGE,
        "bastion": _BASTION,
        "operators": list(wanted.operators) if host.role is HostRole.BASTION else [],
    }
    return Step(
        key=f"files.{host.name}",
        action=Action.FILES,
        needs=(f"settle.{host.name}", "secrets", "primary_ip.edge", "primary_ip.bastion"),
        spec=spec,
        row=12,
        seconds=3,
    )


def _deploy(wanted: DesiredBase) -> Step:
    edge = wanted.hosts[0]
    spec: ContainersSpec = {
        **_way(edge),
        "release": wanted.ground.release,
    }
    return Step(key="deploy.edge", action=Action.DEPLOY, needs=("files.edge",), spec=spec, row=12, seconds=30)


def _record(wanted: DesiredBase, hostname: str) -> Step:
    zone = wanted.ground.zone
    spec: RecordSpec = {
        "zone": zone,
        "name": below(hostname, zone),
        "type": "A",
        "values": [_EDGE],
        "ttl": TTL,
    }
    return Step(
        key=f"record.{below(hostname, zone)}",
        action=Action.RECORD,
        name=f"{hostname}/A",
        needs=("primary_ip.edge",),
        spec=spec,
        row=11,
        seconds=5,
    )


def _handover(wanted: DesiredBase) -> Step:
    spec: HandoverSpec = {"host": "edge", "names": list(wanted.hostnames)}
    records = tuple(f"record.{below(name, wanted.ground.zone)}" for name in wanted.hostnames)
    return Step(
        key="handover", action=Action.HANDOVER, needs=("deploy.edge", "files.bastion", *records), spec=spec, seconds=10
    )
