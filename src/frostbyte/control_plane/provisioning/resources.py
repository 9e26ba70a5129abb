"""What is asked of a cloud and what is found there. Pure types; no vendor is known here.

Everything that costs money or can be left behind has a kind, a deterministic name and labels that say whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

MANAGED_BY: Final = "managed-by"
FROSTBYTE: Final = "frostbyte"
ENVIRONMENT: Final = "frostbyte-environment"
OWNER: Final = "frostbyte-owner"
RUN: Final = "frostbyte-run"
STEP: Final = "frostbyte-step"
ROLE: Final = "frostbyte-role"
VOLUME: Final = "frostbyte-volume"
"""Of a volume that was opened once: how. Nothing on it is ever made anew from then on."""
LUKS: Final = "luks"
LABEL_VALUE: Final = re.compile(r"|[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
"""What Hetzner takes as a label's value (public API reference, labels)."""


class Kind(StrEnum):
    """What can be left behind."""

    SSH_KEY = "ssh_key"
    NETWORK = "network"
    FIREWALL = "firewall"
    PRIMARY_IP = "primary_ip"
    SERVER = "server"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    """A set of DNS records; its id is `name/type`."""


class HostRole(StrEnum):
    """What a server is for."""

    EDGE = "edge"
    """Traefik, and the control plane that writes its files."""
    BASTION = "bastion"
    GATEWAY = "gateway"
    WORKER = "worker"
    DB = "db"
    SINGLE = "single"
    """Everything of a tenant on one server (shape `small`)."""
    BUILDER = "builder"
    """Becomes a snapshot, and is no more."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose a resource is: a tenant's, or the base's that all tenants of a project share."""

    environment: str
    project_id: str
    tenant_id: str = ""
    """'' for the base."""

    @property
    def label(self) -> str:
        """The value of the label `frostbyte-owner`."""
        return f"tenant.{self.tenant_id}" if self.tenant_id else "base"

    def name(self, part: str) -> str:
        """A resource's name: `fb-acme-worker-1`, `fb-edge`. A tenant's id has no '-', so two never meet."""
        return "-".join(("fb", self.tenant_id, part) if self.tenant_id else ("fb", part))

    def labels(self, run: UUID, step: str, role: HostRole | None = None) -> dict[str, str]:
        """What a resource of ours carries."""
        return {
            MANAGED_BY: FROSTBYTE,
            ENVIRONMENT: self.environment,
            OWNER: self.label,
            RUN: str(run),
            STEP: step,
            **({ROLE: role.value} if role else {}),
        }

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether labels say that it is this owner's."""
        return (labels.get(MANAGED_BY), labels.get(ENVIRONMENT), labels.get(OWNER)) == (
            FROSTBYTE,
            self.environment,
            self.label,
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource as the cloud tells it.

    Attributes:
        resource_id: the cloud's own id, as text.
        facts: what of it matters to a plan, by kind:
            network: `cidr`, `subnets` (list of {cidr, zone}), `servers` (ids)
            firewall: `rules` (as in WantedFirewall), `selectors` (label selectors it applies to), `servers` (ids)
            primary_ip: `address`, `location`, `assignee` (a server's id or '')
            server: `status`, `type`, `location`, `image`, `public_address` ('' for none), `private_address`
                ('' until it has joined), `networks` (ids), `volumes` (ids), `firewalls` (ids), `locked`,
                `disk_gb` (of its own disk)
            volume: `size_gb`, `location`, `server` (id or ''), `device`
            snapshot: `status`, `architecture`, `size_gb`
            ssh_key: `fingerprint`, `public_key`
            record: `values` (list), `ttl`
        created_at: ISO 8601, UTC; '' where the cloud does not say.
    """

    kind: Kind
    resource_id: str
    name: str
    labels: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""


@dataclass(frozen=True, kw_only=True)
class WantedNetwork:
    """A network with one subnet."""

    name: str
    labels: Mapping[str, str]
    cidr: str
    subnet: str
    zone: str
    """Hetzner's network zone: `eu-central`."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a firewall; whatever no rule lets in is refused.

    Attributes:
        direction: `in` or `out`.
        protocol: `tcp`, `udp`, `icmp`.
        port: `443`, `8000-8010` or `any`; '' for icmp.
        addresses: networks (CIDR) that it lets through.
    """

    direction: str
    protocol: str
    port: str
    addresses: tuple[str, ...]
    description: str


@dataclass(frozen=True, kw_only=True)
class WantedFirewall:
    """Rules shared by role: it applies to every server that the label selector matches."""

    name: str
    labels: Mapping[str, str]
    rules: tuple[Rule, ...]
    selector: str


@dataclass(frozen=True, kw_only=True)
class WantedServer:
    """A server. It is made switched off: it joins its network at a chosen address first, then it is started.

    Attributes:
        image: id of the snapshot, or the name of a system image.
        public: whether it has a public IPv4 address; without one it has no firewall of the cloud's either.
        primary_ip: id of an address that was made before; '' for one that goes with the server.
    """

    name: str
    labels: Mapping[str, str]
    type: str
    location: str
    image: str
    user_data: str
    ssh_keys: tuple[str, ...] = ()
    firewalls: tuple[str, ...] = ()
    public: bool = False
    primary_ip: str = ""


@dataclass(frozen=True, kw_only=True)
class WantedVolume:
    """A volume, mounted by the host itself.

    Attributes:
        empty: without a file system: its host encrypts it first. Otherwise the cloud formats it as ext4.
    """

    name: str
    labels: Mapping[str, str]
    size_gb: int
    location: str
    empty: bool = False


@dataclass(frozen=True, kw_only=True)
class WantedSshKey:
    """A public key that new servers let in."""

    name: str
    labels: Mapping[str, str]
    public_key: str


@dataclass(frozen=True, kw_only=True)
class WantedPrimaryIp:
    """A public IPv4 address that outlives the server it is given to."""

    name: str
    labels: Mapping[str, str]
    location: str


@dataclass(frozen=True, kw_only=True)
class WantedRecord:
    """DNS records of one name and type.

    Attributes:
        zone: `frostbyte.io`.
        name: below the zone: `acme.pipeline`, `*.pipeline`.
        type: `A`, `AAAA`, `CNAME`, `TXT`.
        ttl: seconds.
    """

    zone: str
    name: str
    type: str
    values: tuple[str, ...]
    labels: Mapping[str, str]
    ttl: int = 300
