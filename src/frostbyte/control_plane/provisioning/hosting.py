"""What a host is told and given. Pure types: who writes files of them stands behind the port `Renderer`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from frostbyte.control_plane.provisioning.resources import HostRole

GATEWAY_PORT: Final = 8080
"""On a gateway's public address: people's requests, passed on by the edge (mTLS)."""
CHANNEL_PORT: Final = 8443
"""On a gateway's public address: the control channel (mTLS)."""
VOLUME_PROGRAM: Final = "/usr/local/sbin/frostbyte-volume"
"""On hosts with a volume: says how it stands, and opens it (deploy/hosts/volume.sh)."""


@dataclass(frozen=True, kw_only=True)
class HostKey:
    """An SSH host key.

    Attributes:
        private: OpenSSH's own format, PEM.
        public: `ssh-ed25519 AAAA...`, without a comment.
    """

    public: str
    private: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """A host and what is around it, as far as its rules and files name it.

    All of it is known before the host is made. Addresses are IPv4.

    Attributes:
        name: of the server: `fb-acme-worker-1`.
        role: what it is for.
        address: in its network; '' for one that is in none.
        subnet: of its network; '' for one that is in none.
        hosts: private addresses of all hosts of the tenant, by part: `gateway`, `db`, `worker-1`, or `single`.
        edge: addresses that people's requests come from.
        control: addresses that the control plane comes from.
        bastion: addresses that SSH comes from; of a bastion itself: its operators' networks.
        ways_out: what the egress proxy lets through: `host:port`, in lower case.
        time_servers: addresses that a host with a public address asks for the time.
        resolvers: addresses of the name servers that the egress proxy asks.
    """

    name: str
    role: HostRole
    address: str = ""
    subnet: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    edge: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    bastion: tuple[str, ...] = ()
    ways_out: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ("213.239.239.164", "213.239.239.165", "213.239.239.166")
    """Hetzner's ntp1 to ntp3."""
    resolvers: tuple[str, ...] = ("185.12.64.1", "185.12.64.2")
    """Hetzner's recursive name servers."""

    @property
    def workers(self) -> tuple[str, ...]:
        """Private addresses of the workers."""
        return tuple(address for part, address in self.hosts.items() if part.startswith("worker"))

    @property
    def gateway(self) -> str:
        """Private address of the host with the gateway; '' where there is none."""
        return self.hosts.get("gateway") or self.hosts.get("single") or ""

    @property
    def db(self) -> str:
        """Private address of the host with the stores; '' where there is none."""
        return self.hosts.get("db") or self.hosts.get("single") or ""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A server's certificate, with its chain, and its key: PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An embedding server outside the plane, in place of the tenant's own.

    Attributes:
        endpoint: `https://host/v1/embeddings`; its host and port must be among the ways out.
    """

    endpoint: str
    model: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a version of Frostbyte runs on tenants' hosts. Attributes as of `Given`, and:

    Attributes:
        archives: by the image's id, the SHA-256 of its archive (`docker save`) among the control plane's images, for
            hosts that stand and lack it.
    """

    images: Mapping[str, str]
    model_sha256: str = ""
    dimensions: int = 768
    remote: Remote | None = None
    stand_in_vectors: bool = False
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    archives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where a tenant's plane keeps its backups, and who can open them.

    Attributes:
        url: of the tenant's own repository, as FROSTBYTE_BACKUP_URL of the plane.
        endpoint: `host:port` that has to be reached for it; '' for a folder.
        region: what requests are signed for; '' for the usual.
        recipients: public keys of age.
        authority: certificates that the place's must be signed by, PEM; '' for the system's.
    """

    url: str
    endpoint: str = ""
    region: str = ""
    recipients: tuple[str, ...] = ()
    authority: str = field(default="", repr=False)
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    @property
    def mark(self) -> str:
        """Another one is another way of keeping: hosts are told."""
        parts = (self.url, self.region, *self.recipients, self.authority, self.access_key, self.secret_key)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a tenant's hosts are given; each gets its part of it.

    Attributes:
        images: reference or id of each image, by the names that `Renderer.images` says.
        secrets: by the names that `Renderer.secrets` says; `embedding-key` too where `remote` is set.
        authority: the tenant's certificate authority: PEM, without its key.
        certificates: by the names that `Renderer.certificates` says.
        control_keys: the control plane's verifying keys, one a line.
        model_sha256: what the embedding model's file must be; '' takes what the snapshot has.
        dimensions: of the model's vectors.
        stand_in_vectors: our stand-in in place of a Qdrant server; everything then says NOT FOR PRODUCTION.
        memory_mb: memory of services in mebibytes, where it differs from the usual, by service.
    """

    tenant: str
    images: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    authority: str
    certificates: Mapping[str, Credentials] = field(repr=False)
    control_keys: str
    model_sha256: str = ""
    dimensions: int = 768
    remote: Remote | None = None
    stand_in_vectors: bool = False
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    keeping: Keeping | None = None
    """None for a plane that is not backed up."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A role's compose project.

    Attributes:
        folder: where it lies on the host.
        services: what runs on, in an order that can start.
        stores: those of them that hold data and come up before anything else of the tenant.
        tasks: what does one thing and ends, in order; never part of `up`.
        erasing: the task that empties every store of the tenant and tells so as JSON (`frostbyte storage destroy`);
            '' where there is no store.
        backing: the task that backs the plane up and puts it back (`frostbyte plane backup`); '' on other hosts.
        reread: services that read their certificates anew at SIGHUP; those that are in no list see changed files.
        restart: services that take another certificate only at a start, and may be away for a second.
        working: services that work on jobs, and are asked to end first where a host leaves.
        signing: the folder of the keys that sign; '' where there is none.
        keeping: the folder where another host's keys that sign are kept a second time; '' where none are.
        scanner: the service that looks for malware; '' where none does.
        signatures, signatures_owner: its folder on the host, and `uid:gid` of who reads there.
    """

    folder: str
    services: tuple[str, ...]
    stores: tuple[str, ...]
    tasks: tuple[str, ...]
    erasing: str = ""
    backing: str = ""
    reread: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    working: tuple[str, ...] = ()
    signing: str = ""
    keeping: str = ""
    scanner: str = ""
    signatures: str = ""
    signatures_owner: str = ""
