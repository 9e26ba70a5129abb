"""The steps of a tenant's plane, in the order of the owner's runbook as far as that can run (docs/provisioning.md).

Everything that needs nothing of the rest may begin at once: network, servers, secrets and record do. Servers are made
switched off, because a private address can only be chosen by joining afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from frostbyte.control_plane.provisioning import firewalls
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.choosing import Choice
from frostbyte.control_plane.provisioning.desired import ZONE, DesiredTenant, Host
from frostbyte.control_plane.provisioning.hosting import CHANNEL_PORT, GATEWAY_PORT
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.specs import (
    AttachSpec,
    CertificatesSpec,
    ContainersSpec,
    DrainSpec,
    EndpointsSpec,
    FilesSpec,
    GrowSpec,
    HostSpec,
    JoinSpec,
    NetworkSpec,
    RecordSpec,
    SecretsSpec,
    ServerSpec,
    SigningSpec,
    StartSpec,
    UnlockSpec,
    VolumeSpec,
)
from frostbyte.control_plane.provisioning.steps import Action, Step

SSH_KEY: Final = "operators"
"""Part of the name of the base's key."""
TTL: Final = 300
"""Seconds that a tenant's record may be remembered."""
_ROW: Final = {"gateway": 4, "single": 4, "worker": 5, "db": 6}
"""The runbook's row of a role's server."""


def tenant_steps(
    wanted: DesiredTenant, choices: Mapping[str, Choice], sold: Catalogue, leaving: Sequence[HostSpec] = ()
) -> Iterator[Step]:
    """All steps, each after what it needs.

    Args:
        choices: by host.
        sold: for what things cost.
        leaving: hosts that stand and are not wanted any more.
    """
    inherited = [one for one in leaving if one["role"] == HostRole.SINGLE]
    drained = [one for one in leaving if one["role"] == HostRole.WORKER]
    yield _network(wanted)
    yield _firewall(wanted)
    yield _secrets(wanted)
    yield _record(wanted)
    for host in wanted.hosts:
        yield _server(wanted, host, choices[host.name], sold)
    for host in wanted.hosts:
        yield _join(host)
    yield _volume(wanted, sold)
    # What is moved away from is stopped once all others have booted, so that nobody waits for longer than is needed.
    early = [host for host in wanted.hosts if inherited and not host.volume]
    yield from (_start(host) for host in early)
    yield from (_settle(wanted, host) for host in early)
    yield from (_drain(one, early, wanted.door.name) for one in inherited)
    yield from (_drain(one) for one in drained)
    yield _attach(wanted, inherited)
    yield from (_start(host) for host in wanted.hosts if host not in early)
    yield from (_settle(wanted, host) for host in wanted.hosts if host not in early)
    if wanted.encrypted:
        yield _unlock(wanted)
    yield _certificates(wanted)
    for host in wanted.hosts:
        yield _files(wanted, host, drained)
    yield _grow(wanted)
    yield _storage(wanted)
    for host in wanted.hosts:
        if host is wanted.door or not host.volume:
            yield _deploy(wanted, host)
    if wanted.store is not wanted.door:
        yield _signing(wanted)
    yield _endpoints(wanted)


def _network(wanted: DesiredTenant) -> Step:
    spec: NetworkSpec = {"cidr": wanted.cidr, "subnet": wanted.subnet, "zone": ZONE}
    return Step(key="network", action=Action.NETWORK, name=wanted.owner.name("network"), spec=spec, row=2)


def _firewall(wanted: DesiredTenant) -> Step:
    guard, ground = firewalls.guard(wanted.door.role), wanted.ground
    spec = firewalls.firewall(guard, wanted.owner.environment, f"{ground.edge}/32", f"{ground.bastion}/32", ())
    return Step(key="firewall", action=Action.FIREWALL_SEEN, name=_base(wanted).name(guard.value), spec=spec, row=3)


def _base(wanted: DesiredTenant) -> Owner:
    return Owner(environment=wanted.owner.environment, project_id=wanted.owner.project_id)


def _server(wanted: DesiredTenant, host: Host, choice: Choice, sold: Catalogue) -> Step:
    base = _base(wanted)
    spec: ServerSpec = {
        "host": host.name,
        "role": host.role.value,
        "candidates": [one.spec for one in choice.candidates],
        "images": {**wanted.ground.images},
        "public": host.public,
        "primary_ip": "",
        "firewalls": [base.name(firewalls.guard(host.role).value)] if host.public else [],
        "ssh_keys": [base.name(SSH_KEY)],
        "address": host.address,
        "subnet": wanted.subnet,
        "edge": wanted.ground.edge,
        "bastion": wanted.ground.bastion,
        "peers": _peers(wanted),
        "egress": list(wanted.ways_out),
        "volume": host.volume,
        "operators": [],
    }
    best = choice.best
    address = sold.primary_ip_month.get(best.location, Decimal(0)) if best and host.public else Decimal(0)
    return Step(
        key=host.server,
        action=Action.SERVER,
        name=wanted.owner.name(host.name),
        needs=("firewall",) if host.public else (),
        spec=spec,
        row=_ROW[host.role.value],
        seconds=10,
        monthly=(best.monthly if best else Decimal(0)) + address,
    )


def _peers(wanted: DesiredTenant) -> dict[str, str]:
    return {peer.name: peer.address for peer in wanted.hosts}


def _join(host: Host) -> Step:
    spec: JoinSpec = {"server": host.server, "network": "network", "address": host.address}
    return Step(
        key=f"join.{host.name}",
        action=Action.JOIN,
        needs=("network", host.server),
        spec=spec,
        row=_ROW[host.role.value],
        seconds=5,
    )


def _volume(wanted: DesiredTenant, sold: Catalogue) -> Step:
    server = wanted.store.server
    spec: VolumeSpec = {"size_gb": wanted.volume_gb, "server": server}
    if wanted.encrypted:
        spec["encrypted"] = True
    return Step(
        key="volume",
        action=Action.VOLUME,
        name=wanted.owner.name("data"),
        needs=(server,),
        spec=spec,
        row=7,
        seconds=5,
        monthly=sold.volume_gb_month * wanted.volume_gb,
    )


def _attach(wanted: DesiredTenant, inherited: Sequence[HostSpec]) -> Step:
    spec: AttachSpec = {"volume": "volume", "server": wanted.store.server}
    after = tuple(f"drain.{one['host']}" for one in inherited)
    needs = ("volume", wanted.store.server, *after)
    return Step(key="attach", action=Action.ATTACH, needs=needs, spec=spec, row=7, seconds=30 if after else 3)


def _drain(one: HostSpec, after: Sequence[Host] = (), heir: str = "") -> Step:
    spec: DrainSpec = {
        "host": one["host"],
        "role": one["role"],
        "server": one["server"],
        "address": one["address"],
        "via": one["via"],
        "heir": heir,
    }
    needs = tuple(f"settle.{host.name}" for host in after)
    return Step(key=f"drain.{one['host']}", action=Action.DRAIN, needs=needs, spec=spec, seconds=30)


def _grow(wanted: DesiredTenant) -> Step:
    host = wanted.store
    spec: GrowSpec = {**_way(wanted, host), "size_gb": wanted.volume_gb, "encrypted": wanted.encrypted}
    needs = (f"settle.{host.name}", "volume", *(("unlock",) if wanted.encrypted else ()))
    return Step(key="grow", action=Action.GROW, needs=needs, spec=spec, row=7, seconds=3)


def _start(host: Host) -> Step:
    spec: StartSpec = {"server": host.server}
    needs = (f"join.{host.name}", *(("attach",) if host.volume else ()))
    return Step(
        key=f"start.{host.name}",
        action=Action.START,
        needs=needs,
        spec=spec,
        row=_ROW[host.role.value],
        seconds=5,
    )


def _way(wanted: DesiredTenant, host: Host) -> HostSpec:
    return {
        "host": host.name,
        "role": host.role.value,
        "server": host.server,
        "address": "" if host.public else host.address,
        "via": ["bastion"] if host.public else ["bastion", wanted.door.name],
    }


def _settle(wanted: DesiredTenant, host: Host) -> Step:
    before = () if host.public else (f"settle.{wanted.door.name}",)
    return Step(
        key=f"settle.{host.name}",
        action=Action.SETTLE,
        needs=(f"start.{host.name}", *before),
        spec=_way(wanted, host),
        seconds=40,
    )


def _unlock(wanted: DesiredTenant) -> Step:
    host = wanted.store
    spec: UnlockSpec = {**_way(wanted, host), "volume": "volume"}
    needs = (f"settle.{host.name}", "attach", "volume", "secrets")
    return Step(key="unlock", action=Action.UNLOCK, needs=needs, spec=spec, row=7, seconds=10)


def _secrets(wanted: DesiredTenant) -> Step:
    spec: SecretsSpec = {"hosts": {host.name: host.role.value for host in wanted.hosts}}
    return Step(key="secrets", action=Action.SECRETS, spec=spec, row=10, seconds=2)


def _certificates(wanted: DesiredTenant) -> Step:
    spec: CertificatesSpec = {
        "hosts": {
            host.name: {
                "role": host.role.value,
                "address": host.address,
                "server": host.server if host.public else "",
            }
            for host in wanted.hosts
        },
        "names": [wanted.hostname],
    }
    return Step(
        key="certificates",
        action=Action.CERTIFICATES,
        needs=("secrets", wanted.door.server),
        spec=spec,
        row=10,
    )


def _files(wanted: DesiredTenant, host: Host, drained: Sequence[HostSpec]) -> Step:
    spec: FilesSpec = {
        **_way(wanted, host),
        "release": wanted.ground.release,
        "peers": _peers(wanted),
        "subnet": wanted.subnet,
        "names": [wanted.hostname],
        "egress": list(wanted.ways_out),
        "edge": wanted.ground.edge,
        "bastion": wanted.ground.bastion,
        "operators": [],
    }
    return Step(
        key=f"files.{host.name}",
        action=Action.FILES,
        # A worker that leaves is let in until it has ended what it works on.
        needs=(f"settle.{host.name}", "secrets", "certificates", *(f"drain.{one['host']}" for one in drained)),
        spec=spec,
        row=12,
        seconds=3,
    )


def _containers(wanted: DesiredTenant, host: Host) -> ContainersSpec:
    return {**_way(wanted, host), "release": wanted.ground.release}


def _storage(wanted: DesiredTenant) -> Step:
    host = wanted.store
    return Step(
        key="storage",
        action=Action.STORAGE,
        needs=(f"files.{host.name}", "grow"),
        spec=_containers(wanted, host),
        row=9,
        seconds=30,
    )


def _deploy(wanted: DesiredTenant, host: Host) -> Step:
    # The gateway brings the database's schema up to date; a worker that came first would not find it.
    after = ("storage",) if host is wanted.door else (f"deploy.{wanted.door.name}",)
    return Step(
        key=f"deploy.{host.name}",
        action=Action.DEPLOY,
        needs=(f"files.{host.name}", *after),
        spec=_containers(wanted, host),
        row=12,
        seconds=30,
    )


def _signing(wanted: DesiredTenant) -> Step:
    spec: SigningSpec = {**_way(wanted, wanted.door), "keeper": wanted.store.name}
    needs = (f"deploy.{wanted.door.name}", "storage")
    return Step(key="signing", action=Action.SIGNING, needs=needs, spec=spec, row=12, seconds=2)


def _record(wanted: DesiredTenant) -> Step:
    zone = wanted.ground.zone
    spec: RecordSpec = {
        "zone": zone,
        "name": below(wanted.hostname, zone),
        "type": "A",
        "values": [wanted.ground.edge],
        "ttl": TTL,
    }
    return Step(key="record", action=Action.RECORD, name=f"{wanted.hostname}/A", spec=spec, row=11, seconds=5)


def below(hostname: str, zone: str) -> str:
    """A host's name as its zone has it: `acme.pipeline` in `frostbyte.io`; `@` for the zone itself."""
    return "@" if hostname == zone else hostname.removesuffix(f".{zone}")


def _endpoints(wanted: DesiredTenant) -> Step:
    spec: EndpointsSpec = {
        "server": wanted.door.server,
        "gateway_port": GATEWAY_PORT,
        "channel_port": CHANNEL_PORT,
    }
    deployed = tuple(f"deploy.{host.name}" for host in wanted.hosts if host.role is not HostRole.DB)
    return Step(
        key="endpoints", action=Action.ENDPOINTS, needs=("certificates", "record", *deployed), spec=spec, row=13
    )
