"""What is wanted: a tenant's plane as asked for, or the base that a project's tenants share. Pure values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.placement import Shape
from frostbyte.control_plane.provisioning.resources import HostRole, Kind, Owner
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.webhooks.addresses import places

ZONE: Final = "eu-central"
LOCATIONS: Final = ("nbg1", "fsn1")
MOST_WORKERS: Final = 64
"""Of the about 100 servers that a network takes, and few enough for one database."""
_FIRST: Final = {"gateway": 10, "single": 10, "db": 20}
"""Last part of a host's address. `.1` is the network's own router."""
_FIRST_WORKER: Final = 31
_VOLUME_FACTOR: Final = 1.5
"""Of the tenant's quota: objects take up to all of it, and half of it more is for vectors, index and database."""
_LEAST_GB: Final = 10
_MOST_GB: Final = 10_240
"""What Hetzner sells as one volume (public documentation, volumes)."""
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9]{1,15}")
_EGRESS: Final = re.compile(
    r"(?=.{1,253}:)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+:([1-9][0-9]{0,4})"
)
_RELEASE: Final = re.compile(
    r"(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})(?:\.(0|[1-9][0-9]{0,4}))?(?:(a|b|rc)([0-9]{1,4}))?"
)
_STAGES: Final = {"a": 0, "b": 1, "rc": 2, "": 3}
_ROLES: Final = frozenset({HostRole.GATEWAY, HostRole.WORKER, HostRole.DB, HostRole.SINGLE})


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """What an operator asks for. Kept with the run, so that whoever goes on with it wants the same."""

    shape: Shape = Shape.STANDARD
    workers: Annotated[int, Meta(ge=1, le=MOST_WORKERS)] = 1
    """Servers for workers; shape `small` has none of its own."""
    locations: Annotated[tuple[str, ...], Meta(min_length=1, max_length=16)] = LOCATIONS
    """Where its servers may be, best first. Nothing of it is ever made elsewhere."""
    types: dict[str, tuple[str, ...]] = {}
    """Server types by role, best first, in place of placement.TYPES."""
    volume_gb: Annotated[int, Meta(ge=0, le=_MOST_GB)] = 0
    """Gigabytes; 0 for what the tenant's quota asks for."""
    egress: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """`host:port` that the plane may reach through its egress proxy; nothing else is let out."""
    encrypted: bool = True
    """Whether a volume that is made now is encrypted. One that is there stays as it is."""
    reuse_volume: bool = False
    """Whether a volume that is left of this tenant, with its data, may be used again."""
    release: str = ""
    """Version of Frostbyte for its hosts; '' for the one that runs there, and at first for the control plane's own."""

    def values(self) -> dict[str, Any]:
        """As JSON values, for the run's row."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


def request_from(values: Mapping[str, Any]) -> Request:
    """A checked request.

    Raises:
        Invalid: `provision_request_invalid`, saying what is wrong.
    """
    try:
        request = msgspec.convert(dict(values), Request)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    if 0 < request.volume_gb < _LEAST_GB:
        raise _invalid(f"a volume has at least {_LEAST_GB} GB")
    if not all(_LOCATION.fullmatch(name) for name in request.locations):
        raise _invalid("a location is written like nbg1")
    if len(set(request.locations)) != len(request.locations):
        raise _invalid("a location is named twice")
    for role, types in request.types.items():
        if role not in _ROLES or not types or not all(_TYPE.fullmatch(name) for name in types):
            raise _invalid("types name a role (gateway, worker, db, single) and server types such as cx43")
    if request.release:
        release_order(request.release)
    for target in request.egress:
        found = _EGRESS.fullmatch(target)
        if found is None or int(found[1]) > 65_535 or _numeric(target):
            raise _invalid("what may be reached is written host.example:443, as a name and not as an address")
    return request


def laid_over(last: Mapping[str, Any], values: Mapping[str, Any]) -> Request:
    """What is asked for now, over what was asked for last; of the types, each role by itself.

    Raises:
        Invalid: as `request_from`.
    """
    kept = {name: value for name, value in last.items() if name in Request.__struct_fields__}
    types = {"types": {**kept.get("types", {}), **values["types"]}} if isinstance(values.get("types"), dict) else {}
    return request_from({**kept, **values, **types})


def release_order(release: str) -> tuple[int, ...]:
    """What a version of Frostbyte is compared by: 0.9.0rc1 comes before 0.9.0.

    Raises:
        Invalid: `release_malformed`.
    """
    found = _RELEASE.fullmatch(release)
    if found is None:
        raise Invalid(
            "release_malformed",
            "A version of Frostbyte is written like 1.4.0 or 1.5.0rc1.",
            "Name one that `releases` in the control plane's data folder describes.",
        )
    major, minor, patch, stage, number = found.groups()
    return (int(major), int(minor), int(patch or 0), _STAGES[stage or ""], int(number or 0))


def standing_release(entries: Sequence[EntryRow]) -> str:
    """The version that a tenant's hosts run, as the journal says; '' while none do."""
    deployed = (entry for entry in entries if entry.action == "deploy" and entry.state is EntryState.DONE)
    return next((str(entry.spec["release"]) for entry in deployed), "")


def _numeric(target: str) -> bool:
    return target.rpartition(":")[0].rpartition(".")[2].isdigit()


def _invalid(why: str) -> Invalid:
    return Invalid(
        "provision_request_invalid",
        f"A plane cannot be asked for like this: {why}.",
        "Correct what is named; docs/provisioning.md lists what can be asked for.",
    )


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a plan finds: the settings, and what the project's base has come to.

    Attributes:
        domain: tenants are reached at `{tenant}.{domain}`.
        zone: the DNS zone in which that lies.
        release: version of Frostbyte for new hosts.
        images: by architecture, the id of the snapshot that hosts start from.
        edge, bastion: their public addresses; '' while there is no base.
    """

    domain: str
    zone: str
    release: str
    images: Mapping[str, str] = field(default_factory=dict)
    edge: str = ""
    bastion: str = ""


def ground(entries: Sequence[EntryRow], *, domain: str, zone: str, release: str) -> Ground:
    """The ground that a project's base has laid, read from its journal.

    Of two snapshots for one architecture, the one that was made last counts.
    """
    done = [entry for entry in entries if entry.state is EntryState.DONE and not entry.tenant_id]
    images: dict[str, str] = {}
    for entry in sorted(done, key=lambda each: each.changed_at):
        if entry.kind == Kind.SNAPSHOT:
            images[str(entry.facts.get("architecture", "x86"))] = entry.resource_id
    addresses = {entry.key: str(entry.facts.get("address", "")) for entry in done if entry.kind == Kind.PRIMARY_IP}
    return Ground(
        domain=domain,
        zone=zone,
        release=release,
        images=images,
        edge=addresses.get("primary_ip.edge", ""),
        bastion=addresses.get("primary_ip.bastion", ""),
    )


@dataclass(frozen=True, kw_only=True)
class Host:
    """One server that is wanted.

    Attributes:
        name: its part: `worker-1`.
        address: in the tenant's network; '' for the base's.
        public: whether it has a public address.
        volume: whether the volume is its.
    """

    name: str
    role: HostRole
    address: str = ""
    public: bool = False
    volume: bool = False

    @property
    def server(self) -> str:
        """Key of the step that makes it."""
        return f"server.{self.name}"


@dataclass(frozen=True, kw_only=True)
class DesiredTenant:
    """A tenant's plane, with nothing left open but which of several servers will be to be had."""

    owner: Owner
    octet: int
    request: Request
    ground: Ground
    volume_gb: int
    hosts: tuple[Host, ...]
    encrypted: bool = False
    """Whether its volume is, or will be."""
    ways_out: tuple[str, ...] = ()
    """What its egress proxy lets through."""

    @property
    def cidr(self) -> str:
        """Its network."""
        return f"10.{self.octet}.0.0/16"

    @property
    def subnet(self) -> str:
        """Where its hosts are."""
        return f"10.{self.octet}.1.0/24"

    @property
    def hostname(self) -> str:
        """Where it is reached."""
        return f"{self.owner.tenant_id}.{self.ground.domain}"

    @property
    def door(self) -> Host:
        """The host that the edge reaches."""
        return next(host for host in self.hosts if host.public)

    @property
    def store(self) -> Host:
        """The host with the volume."""
        return next(host for host in self.hosts if host.volume)


def desired_tenant(
    tenant: TenantRow,
    environment: str,
    config: TenantConfig,
    asked: Request,
    on: Ground,
    standing: Mapping[str, str] | None = None,
) -> DesiredTenant:
    """What the registry's tenant is to have.

    Args:
        standing: addresses of the hosts that stand, by name: those stay, and no other host gets one of them.

    Raises:
        Conflict: `tenant_without_network`: it has given its network back.
    """
    if tenant.octet is None:
        raise Conflict(
            "tenant_without_network",
            "The tenant has given its network back.",
            "Create another tenant: none comes back.",
        )
    return DesiredTenant(
        owner=Owner(environment=environment, project_id=tenant.project_id, tenant_id=tenant.tenant_id),
        octet=tenant.octet,
        request=asked,
        ground=on,
        volume_gb=asked.volume_gb or volume_for(config.storage_quota_gb),
        encrypted=asked.encrypted,
        ways_out=ways_out(asked, config),
        hosts=_hosts(tenant.octet, asked, standing or {}),
    )


def ways_out(asked: Request, config: TenantConfig) -> tuple[str, ...]:
    """`host:port` that a tenant's egress proxy lets through: what its operator asked for, and the servers that its
    configuration has told when a batch has ended. A name without a dot is none that the internet knows."""
    told = (str(place) for place in places(config.webhook_hosts) if "." in place.host)
    return tuple(sorted({*asked.egress, *told}))


def volume_for(quota_gb: int) -> int:
    """Gigabytes of the volume for a tenant that may store so much: whole tens, within what is sold."""
    return min(_MOST_GB, max(_LEAST_GB, math.ceil(quota_gb * _VOLUME_FACTOR / 10) * 10))


def _hosts(octet: int, asked: Request, standing: Mapping[str, str]) -> tuple[Host, ...]:
    def at(name: str, last: int) -> str:
        """The usual address, or the next one where another host stands at that."""
        others = {address for other, address in standing.items() if other != name}
        free = (f"10.{octet}.1.{last + further}" for further in range(len(others) + 1))
        return standing.get(name) or next(address for address in free if address not in others)

    if asked.shape is Shape.SMALL:
        address = at("single", _FIRST["single"])
        return (Host(name="single", role=HostRole.SINGLE, address=address, public=True, volume=True),)
    workers = {f"worker-{number + 1}": _FIRST_WORKER + number for number in range(asked.workers)}
    return (
        Host(name="gateway", role=HostRole.GATEWAY, address=at("gateway", _FIRST["gateway"]), public=True),
        *(Host(name=name, role=HostRole.WORKER, address=at(name, last)) for name, last in workers.items()),
        Host(name="db", role=HostRole.DB, address=at("db", _FIRST["db"]), volume=True),
    )


@dataclass(frozen=True, kw_only=True)
class DesiredBase:
    """What a project's tenants share.

    Attributes:
        operators: networks (CIDR) from which the bastion may be reached.
        ssh_public_key: of the control host; every server lets it in.
        hostnames: names that lead to the edge itself, besides the tenants': `control.{domain}`.
        system_images: by architecture, what the base's hosts start from where no snapshot is pinned.
    """

    owner: Owner
    ground: Ground
    operators: tuple[str, ...]
    ssh_public_key: str
    hostnames: tuple[str, ...]
    locations: tuple[str, ...] = LOCATIONS
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Edge and bastion, each with a public address that outlives it."""
        return (
            Host(name="edge", role=HostRole.EDGE, public=True),
            Host(name="bastion", role=HostRole.BASTION, public=True),
        )


def checked_base(base: DesiredBase) -> DesiredBase:
    """Itself, if it can be.

    Raises:
        Invalid: `base_request_invalid`, saying what is wrong.
    """
    for network in base.operators:
        try:
            if ip_network(network).prefixlen == 0:
                raise ValueError
        except ValueError:
            raise Invalid(
                "base_request_invalid",
                "Operators' networks are written like 198.51.100.0/24, and the whole internet is none.",
                "Name the networks from which your operators come.",
            ) from None
    if not base.operators:
        raise Invalid(
            "base_request_invalid",
            "Nobody could reach the bastion: no operator's network is named.",
            "Name the networks from which your operators come.",
        )
    return base


def inside(address: str, subnet: str) -> bool:
    """Whether an address lies in a subnet and is none that the cloud keeps for itself (its first two and its last)."""
    network = IPv4Network(subnet)
    one = IPv4Address(address)
    return one in network and one not in (network[0], network[1], network[-1])
