"""What differs between planes, and between the hosts of one plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

from frostbyte.kernel.errors import Invalid

VERSION_TAGS: Final = MappingProxyType(
    {
        "postgres": "postgres:17-alpine",
        "redis": "redis:8-alpine",
        "qdrant": "qdrant/qdrant:v1.13.0-unprivileged",
        "clamav": "clamav/clamav:1.4",
    }
)
IMAGES: Final = ("postgres", "redis", "minio", "qdrant", "clamav", "nomic-embed", "api", "worker")
"""What can be named otherwise with `Options.images`."""

INTERNAL: Final = "etl-internal"
EDGE: Final = "edge"
HOSTS: Final = "hosts"
OURS: Final = "10001:10001"
"""The user of Frostbyte's own images."""
QDRANT: Final = "1000:1000"
SECRETS_GROUP: Final = 10001
"""The group of the secrets' files where root writes them."""
SECRETS: Final = "/run/secrets"
CHANNEL_PORT: Final = 8443
"""In the gateway's container."""
EGRESS: Final = "egress-proxy"
KEEPING: Final = "plane-backup"
"""The task that backs a plane up."""
DOOR: Final = "door"
"""The service, and the volume with the gateway's socket."""
DOOR_FOLDER: Final = "/run/door"

STORE_PORTS: Final = MappingProxyType({"postgres": 5432, "redis": 6379, "minio": 9000, "qdrant": 6333})
"""Inside the containers, and on the private address of a host that keeps stores for others."""
EMBEDDER_PORT: Final = 8081
"""On the private address of a gateway whose workers are on other hosts."""
EGRESS_PORT: Final = 3128
"""The same."""


@dataclass(frozen=True, kw_only=True)
class OnHost:
    """One host of a plane whose hosts a control plane made. Its packet filter says who reaches what is published.

    Attributes:
        services: which of the plane's run on it.
        address: of it in the tenant's network.
        gateway, db: of the hosts with the gateway and with the stores; the same where one host has everything.
        folders: volumes that are folders of the host, each made before: volume, and path.
        bridges: names of the bridges that the rules know: of the network inside, and of the one between hosts.
        between: the network between containers and other hosts.
        egress_address: the egress proxy's in that network: nobody else is let out.
        embedder_address: the embedder's in that network, if it answers other hosts: it asks none.
        ways_out: what it lets through, `host:port`; () for a plane that reaches nobody.
        remote: endpoint and model of an embedding server outside; () for the tenant's own.
        keeping: settings of its backups that are no secrets, by their variable; {} for a plane without.
    """

    services: tuple[str, ...]
    address: str
    gateway: str
    db: str
    folders: Mapping[str, str]
    bridges: tuple[str, str]
    between: str
    egress_address: str
    embedder_address: str
    ways_out: tuple[str, ...] = ()
    remote: tuple[str, str] | tuple[()] = ()
    keeping: Mapping[str, str] = field(default_factory=dict)

    @property
    def across(self) -> bool:
        """Whether the plane's services meet over a wire. Then they meet by TLS."""
        return self.gateway != self.db


@dataclass(frozen=True, kw_only=True)
class Config:
    """A folder of the host with what a plane is told of its tenant (see config.py).

    Attributes:
        folder: as the compose file names it.
        tenant: whether the configuration that the plane begins with is there.
        policy: whether rules are there that stand in place of the shipped ones.
        digest: of all that; another one is another container at the next `up`.
    """

    folder: str
    tenant: bool
    policy: bool
    digest: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What differs between planes.

    Attributes:
        tenant: its id.
        version: tag of Frostbyte's images.
        mode: FROSTBYTE_MODE. Online needs a channel.
        channel_port: on the host's loopback, where the control channel is published; 0 for a plane without one.
        port: on the host's loopback, where the gateway is published.
        subnet: of the network that nothing leaves.
        edge: of the network that the port is published through; at least eight addresses.
        images: other references, by the names in `IMAGES`.
        model_sha256: what the embedding model's file must be; '' takes what is there.
        dimensions: of the model's vectors.
        stand_in_vectors: our stand-in in place of a Qdrant server. Everything then says NOT FOR PRODUCTION.
        memory_mb: limits that differ from the usual, by service.
        config: the tenant's configuration and rules; None for the defaults.
        group: of the secrets' files, which every service joins to read those that it is given.
        by_environment: what differs between hosts is left to the project's .env: ports, networks, images, the group.
        on: one host of several, or one that is reached by an edge; None for a plane on this host's loopback.
    """

    tenant: str
    version: str
    mode: str = "offline"
    port: int = 8080
    channel_port: int = 0
    subnet: str = "172.28.0.0/16"
    edge: str = "172.30.6.0/29"
    images: Mapping[str, str] = field(default_factory=dict)
    model_sha256: str = ""
    dimensions: int = 768
    stand_in_vectors: bool = False
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    config: Config | None = None
    group: int = SECRETS_GROUP
    by_environment: bool = False
    on: OnHost | None = None

    @property
    def values(self) -> dict[str, str]:
        """What differs between hosts, by its variable without FROSTBYTE_ before it.

        Raises:
            Invalid: `compose_subnet`.
        """
        inside, edge = self.networks
        return {
            "PORT": str(self.port),
            "SUBNET": str(inside),
            # The network's last, far from those that the engine gives out. A name would have no address while the
            # gateway starts, for serving comes after it; and the gateway refuses to send people's tokens to a name
            # that it cannot look up.
            "SERVING_ADDRESS": str(inside[-2]),
            "DEAD_END": str(inside[-3]),
            "EDGE_SUBNET": str(edge),
            "EDGE_GATEWAY": str(edge[1]),
            "EDGE_DEAD_END": str(edge[-2]),
            "SECRETS_GROUP": str(self.group),
            **{f"IMAGE_{name.replace('-', '_').upper()}": self._reference(name) for name in IMAGES},
        }

    def told(self, name: str) -> str:
        """One of `values` as the compose file says it: itself, or its variable, which then must be set."""
        return f"${{FROSTBYTE_{name}:?is missing in .env}}" if self.by_environment else self.values[name]

    def image(self, name: str) -> str:
        """The reference of one image, as the compose file says it."""
        return self.told(f"IMAGE_{name.replace('-', '_').upper()}")

    def _reference(self, name: str) -> str:
        return self.images.get(name) or VERSION_TAGS.get(name) or f"frostbyte/{name}:{self.version}"

    @property
    def networks(self) -> tuple[IPv4Network, IPv4Network]:
        """The one that nothing leaves, and the one that the port is published through, or between hosts.

        Raises:
            Invalid: `compose_subnet`.
        """
        try:
            inside = IPv4Network(self.subnet)
            outer = IPv4Network(self.edge if self.on is None else self.on.between)
        except ValueError:
            raise Invalid("compose_subnet", "A network is not written as one.", "Write it as 172.28.0.0/16.") from None
        if inside.overlaps(outer) or outer.num_addresses < 8 or inside.num_addresses < 32:
            raise Invalid(
                "compose_subnet",
                "The two networks overlap or are too small.",
                "Take one of at least 32 addresses inside and one of at least 8 for the edge.",
            )
        return inside, outer

    @property
    def across(self) -> bool:
        """See OnHost.across."""
        return self.on is not None and self.on.across

    @property
    def remote(self) -> bool:
        """Whether the embedder is outside the plane."""
        return self.on is not None and bool(self.on.remote)

    @property
    def networks_of_stores(self) -> tuple[str, ...]:
        """Of a service that others reach from where it does not run."""
        return (INTERNAL, HOSTS) if self.across else (INTERNAL,)

    def place(self, store: str) -> str:
        """Host and port of a store: its name where it is beside, else its host's address."""
        host = self.on.db if self.on is not None and self.across else store
        return f"{host}:{STORE_PORTS[store]}"

    @property
    def embedder(self) -> str:
        """The address of the embedder's route."""
        if self.on is not None and self.on.remote:
            return self.on.remote[0]
        if self.on is not None and self.across:
            return f"https://{self.on.gateway}:{EMBEDDER_PORT}/embeddings"
        return "http://nomic-embed:8080/embeddings"

    @property
    def http(self) -> str:
        """How stores are spoken to."""
        return "https" if self.across else "http"

    def published(self, store: str) -> dict[int | str, int]:
        """The port at which other hosts reach a store."""
        return {STORE_PORTS[store]: STORE_PORTS[store]} if self.across else {}

    @property
    def published_at(self) -> str:
        """Where other hosts reach what is published here: the host's address in the tenant's network."""
        return self.on.address if self.on is not None else "127.0.0.1"
