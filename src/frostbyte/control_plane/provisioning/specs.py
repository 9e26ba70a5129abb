"""What a step's `spec` says, one type an action: written by the plan, read by what does the step.

A spec is hashed and kept, so it holds what a thing is to be and nothing that changes by itself: no price, no time, no
secret. Two notations stand in for what is known only while the plan runs:

    "@primary_ip.edge"   in place of an address: the `address` fact of that step's outcome
    server, volume ...   a step's key: its outcome's `resource_id` is meant

A host is named by its part (`gateway`, `worker-1`, `db`, `single`; `edge`, `bastion`), a shared resource of the base by
its whole name (`fb-gateway`).
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class SshKeySpec(TypedDict):
    """SSH_KEY."""

    public_key: str


class NetworkSpec(TypedDict):
    """NETWORK."""

    cidr: str
    """`10.7.0.0/16`."""
    subnet: str
    """`10.7.1.0/24`."""
    zone: str
    """`eu-central`."""


class RuleSpec(TypedDict):
    """One rule, as `resources.Rule`."""

    direction: str
    protocol: str
    port: str
    addresses: list[str]
    """Networks (CIDR); one that begins with '@' is a step whose address is meant, alone (/32)."""
    description: str


class FirewallSpec(TypedDict):
    """FIREWALL (made) and FIREWALL_SEEN (found to be so). The step's name is the firewall's."""

    role: str
    """Whose servers it guards: `gateway` for those of `single` too."""
    selector: str
    """The label selector that it applies to."""
    rules: list[RuleSpec]


class PrimaryIpSpec(TypedDict):
    """PRIMARY_IP. It lies where its server is wanted first; its outcome's facts have `address` and `location`."""

    host: str
    location: str


class CandidateSpec(TypedDict):
    """What may be ordered for a server."""

    type: str
    location: str
    architecture: str
    """`x86` or `arm`."""


class ServerSpec(TypedDict):
    """SERVER, made switched off. Its outcome's facts: `type`, `location`, `architecture`, `address` ('' if private)."""

    host: str
    role: str
    candidates: list[CandidateSpec]
    """In this order; the next one where one is out of stock. Never another."""
    images: dict[str, str]
    """By architecture: the snapshot's id, or a system image's name."""
    public: bool
    primary_ip: str
    """Key of the step that made the address; '' for one that goes with the server."""
    firewalls: list[str]
    """Names of the base's firewalls."""
    ssh_keys: list[str]
    """Names of the base's keys."""
    address: str
    """In the tenant's network; '' for the base's servers, which have none."""
    subnet: str
    """'' as above."""
    volume: bool
    """Whether a volume will be attached to it."""
    edge: str
    """The edge's public address. This and what follows is told the host when it boots, and sent to it when it changes
    (FILES)."""
    bastion: str
    """The bastion's public address."""
    peers: dict[str, str]
    """Every host of the tenant, itself too, with its address in the network."""
    egress: list[str]
    """`host:port` that the tenant's egress proxy lets through."""
    operators: list[str]
    """Networks (CIDR) that may reach SSH; the bastion's alone has any."""


class JoinSpec(TypedDict):
    """JOIN."""

    server: str
    network: str
    address: str


class VolumeSpec(TypedDict):
    """VOLUME, where its server is."""

    size_gb: int
    server: str
    encrypted: NotRequired[bool]
    """Whether its host encrypts it; left out for one that is not."""


class AttachSpec(TypedDict):
    """ATTACH."""

    volume: str
    server: str


class StartSpec(TypedDict):
    """START."""

    server: str


class HostSpec(TypedDict):
    """SETTLE: which host, and the way to it. What runs on a host (FILES, STORAGE, DEPLOY) is told this as well.

    The key to pin is in the facts of `settle.<host>`: `host_key`.
    """

    host: str
    role: str
    server: str
    """Key of its server step."""
    address: str
    """In the tenant's network; '' where it is reached at its server's public address."""
    via: list[str]
    """Hosts that lie before it, outermost first: `bastion` is the base's."""


class UnlockSpec(HostSpec):
    """UNLOCK."""

    volume: str


class SecretsSpec(TypedDict):
    """SECRETS: generated and sealed before any host needs them."""

    hosts: dict[str, str]
    """Host: its role."""


class CertificateHost(TypedDict):
    """Whom a certificate is for."""

    role: str
    address: str
    server: str
    """Key of the server whose public address it shows; '' for a private host."""


class CertificatesSpec(TypedDict):
    """CERTIFICATES: the tenant's authority and what it signs, for the edge's way in and between hosts."""

    hosts: dict[str, CertificateHost]
    names: list[str]
    """Names that the gateway is called by."""


class FilesSpec(HostSpec):
    """FILES: what a host is given; what is in it, the renderer knows."""

    release: str
    """Version of Frostbyte that runs there."""
    peers: dict[str, str]
    """Every host of the tenant, with its address in the network."""
    subnet: str
    names: list[str]
    """Names that the plane is called by from outside."""
    egress: list[str]
    """`host:port` that the egress proxy lets through."""
    edge: str
    bastion: str
    operators: list[str]


class ContainersSpec(HostSpec):
    """STORAGE and DEPLOY: what runs on a host of its role, in this release."""

    release: str


class GrowSpec(HostSpec):
    """GROW, on the host with the volume."""

    size_gb: int
    encrypted: bool


class DrainSpec(HostSpec):
    """DRAIN, of a host that stands and is not wanted any more."""

    heir: str
    """The host that is given what lies on this one alone; '' where there is nothing."""


class SigningSpec(HostSpec):
    """SIGNING, of a gateway."""

    keeper: str
    """The host with the volume."""


class RecordSpec(TypedDict):
    """RECORD; the step's name is its whole name with its type: `acme.pipeline.frostbyte.io/A`."""

    zone: str
    name: str
    """Below the zone."""
    type: str
    values: list[str]
    """Addresses; one that begins with '@' is a step's."""
    ttl: int


class ArchiveSpec(TypedDict):
    """An archive of images on the control host."""

    path: str
    sha256: str


class ExtraSpec(ArchiveSpec):
    """A file of the control host that hosts have from the beginning."""

    target: str
    """Where, on hosts."""


class InstallSpec(HostSpec):
    """INSTALL: what a builder gets. Its outcome's facts: `packages` (name: version), `images` (by the archive's hash:
    name: id)."""

    scripts: str
    """SHA-256 of what is run there."""
    archives: list[ArchiveSpec]
    extras: list[ExtraSpec]


class SealSpec(HostSpec):
    """SEAL."""

    scripts: str


class SnapshotSpec(TypedDict):
    """SNAPSHOT, of a server that is off."""

    server: str
    architecture: str
    contents: dict[str, Any]
    """What its name is a hash of."""


class EndpointsSpec(TypedDict):
    """ENDPOINTS: registered for the kill-switch, which takes the plane into service."""

    server: str
    """Key of the server whose public address is meant."""
    gateway_port: int
    channel_port: int


class HandoverSpec(TypedDict):
    """HANDOVER: the control plane on its own host is given journal and keys."""

    host: str
    names: list[str]
