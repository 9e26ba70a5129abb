"""The services of a tenant's plane on one host: which they are, what each may use, what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from types import MappingProxyType
from typing import Final

from frostbyte.deploy.compose.description import Check, Limits, Network, Plane, Ready, Role, Service
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
OURS: Final = "10001:10001"
"""The user of Frostbyte's own images."""
SECRETS_GROUP: Final = 10001
"""The group of the secrets' files where root writes them."""
TENANT: Final = "/run/tenant"
"""Where the tenant's own credentials are: made by `storage`, read by gateway, serving and worker."""
_SIGNING: Final = "/run/signing"
"""Where the keys are that sign: made by the gateway, read by serving, unknown to the worker."""
_SECRETS: Final = "/run/secrets"
_OWN: Final = "/tmp/plane"  # noqa: S108 - in the container's memory
"""The data folder of processes that keep nothing."""


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

    def image(self, name: str) -> str:
        """The reference of one image."""
        return self.images.get(name) or VERSION_TAGS.get(name) or f"frostbyte/{name}:{self.version}"


def plane(options: Options) -> Plane:
    """The plane's description.

    Raises:
        Invalid: `compose_subnet`, `compose_image`, `compose_channel`.
    """
    if unknown := sorted(set(options.images) - set(IMAGES)):
        raise Invalid("compose_image", f"There is no image {unknown[0]}.", f"Name one of {', '.join(IMAGES)}.")
    if options.mode == "online" and not options.channel_port:
        raise Invalid(
            "compose_channel",
            "An online plane is told by a control plane whether it may work, and this one could not be reached.",
            "Name a folder with --channel, or leave --mode out: the plane is offline then.",
        )
    networks = _networks(options)
    return Plane(
        project=f"frostbyte-{options.tenant}",
        services=(
            _postgres(options),
            _redis(options),
            _minio(options),
            _qdrant(options),
            _clamav(options),
            _embedder(options),
            _storage(options),
            _gateway(options),
            _serving(options),
            _worker(options),
        ),
        networks=networks,
        volumes=(
            "pgdata",
            "miniodata",
            "qdrantdata",
            "clamavdata",
            "models",
            "gatewaydata",
            "keys",
            "signing",
            "tenant",
        ),
    )


def _networks(options: Options) -> tuple[Network, ...]:
    try:
        inside, edge = ip_network(options.subnet), ip_network(options.edge)
    except ValueError:
        raise Invalid("compose_subnet", "A network is not written as one.", "Write it as 172.28.0.0/16.") from None
    if inside.overlaps(edge) or edge.num_addresses < 8 or inside.num_addresses < 32:
        raise Invalid(
            "compose_subnet",
            "The two networks overlap or are too small.",
            "Take one of at least 32 addresses inside and one of at least 8 for the edge.",
        )
    return (
        Network(name=INTERNAL, subnet=str(inside), internal=True),
        # A bridge must not be internal to publish a port. This one leads nowhere: nobody has its default route.
        Network(name=EDGE, subnet=str(edge), internal=False, gateway=str(edge[1]), dead_end=str(edge[-2])),
    )


# -- stores -----------------------------------------------------------------------------------------------------------


def _postgres(options: Options) -> Service:
    return Service(
        name="postgres",
        image=options.image("postgres"),
        role=Role.STORE,
        user="70:70",
        limits=Limits(memory_mb=1536, cpus=2, pids=256),
        command=("postgres", "-c", "max_connections=150", "-c", "shared_buffers=256MB"),
        # Over the network: the server that only sets up the database listens on a socket alone.
        check=Check(command=("pg_isready", "--quiet", "--host=127.0.0.1", "--username=frostbyte_admin")),
        networks=(INTERNAL,),
        environment={
            "POSTGRES_USER": "frostbyte_admin",
            "POSTGRES_DB": "postgres",
            "POSTGRES_PASSWORD_FILE": f"{_SECRETS}/postgres-password",
            "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
        },
        secrets=("postgres-password",),
        volumes={"pgdata": "/var/lib/postgresql/data"},
        scratch={"/tmp": 64, "/var/run/postgresql": 16, "/dev/shm": 256},  # noqa: S108 - in the container
        stop_seconds=60,
    )


def _redis(options: Options) -> Service:
    return Service(
        name="redis",
        image=options.image("redis"),
        role=Role.STORE,
        user="999:1000",
        limits=Limits(memory_mb=512, cpus=1, pids=64),
        command=("redis-server", f"{_SECRETS}/redis.conf"),
        # Whoever has no password is answered that they have none: the server is well.
        check=Check(command=("redis-cli", "ping"), start_seconds=15),
        networks=(INTERNAL,),
        secrets=("redis.conf",),
        # What it holds are hints; the jobs themselves are in PostgreSQL.
        scratch={"/data": 64},
    )


def _minio(options: Options) -> Service:
    return Service(
        name="minio",
        image=options.image("minio"),
        role=Role.STORE,
        user=OURS,
        limits=Limits(memory_mb=2048, cpus=2, pids=512),
        command=("server", "/data"),
        check=None,
        networks=(INTERNAL,),
        environment={
            "MINIO_ROOT_USER": "frostbyte-admin",
            "MINIO_ROOT_PASSWORD_FILE": f"{_SECRETS}/minio-password",
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            # Without it a power cut may take back what was acknowledged: a receipt is a promise.
            "MINIO_FS_OSYNC": "on",
        },
        secrets=("minio-password",),
        volumes={"miniodata": "/data"},
        scratch={"/tmp": 64},  # noqa: S108
    )


def _qdrant(options: Options) -> Service:
    stand_in = options.stand_in_vectors
    return Service(
        name="qdrant",
        image=options.image("qdrant"),
        role=Role.STORE,
        user=OURS if stand_in else "1000:1000",
        limits=Limits(memory_mb=4096, cpus=2, pids=512),
        entrypoint=() if stand_in else ("./qdrant",),
        command=("serve", "vectors") if stand_in else ("--config-path", f"{_SECRETS}/qdrant.yaml"),
        check=None if stand_in else Check(command=("bash", "-c", ":>/dev/tcp/127.0.0.1/6333")),
        networks=(INTERNAL,),
        environment={"FROSTBYTE_VECTORS_API_KEY_FILE": f"{_SECRETS}/qdrant-api-key"}
        if stand_in
        else {"QDRANT_INIT_FILE_PATH": "/qdrant/storage/.qdrant-initialized"},
        secrets=("qdrant-api-key",) if stand_in else ("qdrant.yaml",),
        volumes={"qdrantdata": "/qdrant/storage"},
        scratch={"/tmp": 64},  # noqa: S108
        stop_seconds=60,
    )


def _clamav(options: Options) -> Service:
    return Service(
        name="clamav",
        image=options.image("clamav"),
        role=Role.STORE,
        user="10003:10003",
        limits=Limits(memory_mb=4096, cpus=2, pids=128),
        # clamd alone: signatures arrive with updates, nothing here fetches any.
        entrypoint=("clamd",),
        command=("--foreground", f"--config-file={_SECRETS}/clamd.conf"),
        check=Check(command=("clamdscan", f"--config-file={_SECRETS}/clamd.conf", "--ping", "1"), start_seconds=180),
        networks=(INTERNAL,),
        secrets=("clamd.conf",),
        volumes={"clamavdata": "/var/lib/clamav"},
        # A file that is scanned lies here while it is, and its parts.
        scratch={"/tmp": 2048},  # noqa: S108
    )


def _embedder(options: Options) -> Service:
    return Service(
        name="nomic-embed",
        image=options.image("nomic-embed"),
        role=Role.STORE,
        user=OURS,
        limits=Limits(memory_mb=2048, cpus=2, pids=128),
        check=None,
        networks=(INTERNAL,),
        environment={
            "FROSTBYTE_EMBEDDER_API_KEY_FILE": f"{_SECRETS}/embedder-key",
            **({"FROSTBYTE_MODEL_SHA256": options.model_sha256} if options.model_sha256 else {}),
        },
        secrets=("embedder-key",),
        volumes={"models": "/models"},
        scratch={"/tmp": 64},  # noqa: S108
    )


# -- Frostbyte itself -------------------------------------------------------------------------------------------------


def _storage(options: Options) -> Service:
    """Makes the tenant's part of database, objects and vectors, and its credentials; administrators' stay here."""
    return Service(
        name="storage",
        image=options.image("api"),
        role=Role.TASK,
        user=OURS,
        limits=Limits(memory_mb=512, cpus=1, pids=64),
        command=("storage", "provision", options.tenant, "--secrets", TENANT),
        check=None,
        networks=(INTERNAL,),
        environment={
            "FROSTBYTE_STORAGE_DATABASE_URL_FILE": f"{_SECRETS}/postgres-url",
            "FROSTBYTE_STORAGE_OBJECTS_URL": "http://minio:9000",
            "FROSTBYTE_STORAGE_OBJECTS_ACCESS_KEY": "frostbyte-admin",
            "FROSTBYTE_STORAGE_OBJECTS_SECRET_KEY_FILE": f"{_SECRETS}/minio-password",
            "FROSTBYTE_STORAGE_VECTORS_URL": "http://qdrant:6333",
            "FROSTBYTE_STORAGE_VECTORS_API_KEY_FILE": f"{_SECRETS}/qdrant-api-key",
            **_embedding(options),
        },
        secrets=("postgres-url", "minio-password", "qdrant-api-key"),
        volumes={"tenant": TENANT},
        scratch={"/tmp": 64},  # noqa: S108
        needs={"postgres": Ready.HEALTHY, "minio": Ready.HEALTHY, "qdrant": Ready.HEALTHY},
    )


def _embedding(options: Options) -> dict[str, str]:
    """What the collection is made for."""
    return {
        "FROSTBYTE_EMBEDDING_ENDPOINT": "http://nomic-embed:8080/embeddings",
        "FROSTBYTE_EMBEDDING_DIMENSIONS": str(options.dimensions),
    }


def _settings(options: Options) -> dict[str, str]:
    """What gateway, serving and worker are told alike."""
    return {
        "FROSTBYTE_MODE": options.mode,
        "FROSTBYTE_TENANT_ID": options.tenant,
        "FROSTBYTE_LOCAL_NETWORK": options.subnet,
        "FROSTBYTE_SECRETS_DIR": "/run/keys",
        "FROSTBYTE_DATABASE_URL_FILE": f"{TENANT}/database_url",
        "FROSTBYTE_OBJECTS_URL": "http://minio:9000",
        "FROSTBYTE_OBJECTS_BUCKET": f"tenant-{options.tenant}-bucket",
        "FROSTBYTE_OBJECTS_ACCESS_KEY": f"tenant-{options.tenant}",
        "FROSTBYTE_OBJECTS_SECRET_KEY_FILE": f"{TENANT}/objects_secret_key",
        "FROSTBYTE_VECTORS_URL": "http://qdrant:6333",
        "FROSTBYTE_VECTORS_API_KEY_FILE": f"{TENANT}/vectors_api_key",
        "FROSTBYTE_QUEUE_URL_FILE": f"{_SECRETS}/queue-url",
        "FROSTBYTE_CLAMD_ADDRESS": "clamav:3310",
        "FROSTBYTE_CLAMD_CONF": f"{_SECRETS}/clamd.conf",
        **_embedding(options),
        "FROSTBYTE_EMBEDDING_API_KEY_FILE": f"{_SECRETS}/embedder-key",
        **({"FROSTBYTE_STANDINS": "vectors"} if options.stand_in_vectors else {}),
    }


_CREDENTIALS: Final = ("queue-url", "embedder-key", "clamd.conf")
_STORES: Final = MappingProxyType(
    {
        "postgres": Ready.HEALTHY,
        "redis": Ready.HEALTHY,
        "minio": Ready.HEALTHY,
        "qdrant": Ready.HEALTHY,
        "clamav": Ready.HEALTHY,
        "nomic-embed": Ready.HEALTHY,
        "storage": Ready.DONE,
    }
)


def _serving_address(options: Options) -> str:
    """The network's last, far from those that the engine gives out.

    A name would have no address while the gateway starts, for serving comes after it; and the gateway refuses to send
    people's tokens to a name that it cannot look up.
    """
    return str(ip_network(options.subnet)[-2])


CHANNEL_FILES: Final = ("channel-certificate.pem", "channel-key.pem", "channel-authority.pem", "control-keys")
"""What the gateway shows and believes on the control channel."""
_CHANNEL_PORT: Final = 8443
_CHANNEL: Final = MappingProxyType(
    {
        "FROSTBYTE_CHANNEL_LISTEN": f"0.0.0.0:{_CHANNEL_PORT}",
        "FROSTBYTE_CHANNEL_CERTIFICATE": f"{_SECRETS}/{CHANNEL_FILES[0]}",
        "FROSTBYTE_CHANNEL_KEY": f"{_SECRETS}/{CHANNEL_FILES[1]}",
        "FROSTBYTE_CHANNEL_CLIENT_CA": f"{_SECRETS}/{CHANNEL_FILES[2]}",
        "FROSTBYTE_CONTROL_KEYS": f"{_SECRETS}/{CHANNEL_FILES[3]}",
    }
)


def _gateway(options: Options) -> Service:
    return Service(
        name="intake-gateway",
        image=options.image("api"),
        role=Role.DOOR,
        user=OURS,
        limits=Limits(memory_mb=3072, cpus=2, pids=256),
        check=None,
        networks=(INTERNAL, EDGE),
        environment={
            **_settings(options),
            "FROSTBYTE_DATABASE_OWNER_URL_FILE": f"{TENANT}/database_owner_url",
            "FROSTBYTE_ROLES": "intake",
            "FROSTBYTE_SIGNING_DIR": _SIGNING,
            "FROSTBYTE_SERVING_URL": f"http://{_serving_address(options)}:8080",
            **(_CHANNEL if options.channel_port else {}),
        },
        secrets=_CREDENTIALS + (CHANNEL_FILES if options.channel_port else ()),
        volumes={
            "gatewaydata": "/var/lib/frostbyte",
            "keys": "/run/keys",
            "signing": _SIGNING,
            "tenant": f"{TENANT}:ro",
        },
        scratch={"/tmp": 512},  # noqa: S108
        needs=_STORES,
        publishes={options.port: 8080, **({options.channel_port: _CHANNEL_PORT} if options.channel_port else {})},
        # Its names are asked of nobody outside.
        resolver=_networks(options)[1].dead_end,
    )


def _serving(options: Options) -> Service:
    return Service(
        name="serving",
        image=options.image("api"),
        role=Role.READING,
        user=OURS,
        limits=Limits(memory_mb=3072, cpus=2, pids=256),
        check=None,
        networks=(INTERNAL,),
        address=_serving_address(options),
        environment={
            **_settings(options),
            "FROSTBYTE_ROLES": "serving",
            "FROSTBYTE_DATA_DIR": _OWN,
            "FROSTBYTE_SIGNING_DIR": _SIGNING,
        },
        secrets=_CREDENTIALS,
        volumes={"keys": "/run/keys:ro", "signing": f"{_SIGNING}:ro", "tenant": f"{TENANT}:ro"},
        scratch={"/tmp": 512},  # noqa: S108
        # The gateway makes the keys and brings the schema up to date.
        needs={**_STORES, "intake-gateway": Ready.HEALTHY},
    )


def _worker(options: Options) -> Service:
    return Service(
        name="celery-worker",
        image=options.image("worker"),
        role=Role.WORK,
        user=OURS,
        limits=Limits(memory_mb=8192, cpus=2, pids=512),
        check=None,
        networks=(INTERNAL,),
        environment={
            **_settings(options),
            "FROSTBYTE_WORKERS": "2",
            "FROSTBYTE_PARSE_MEMORY_MB": "3072",
            "FROSTBYTE_DATA_DIR": _OWN,
        },
        secrets=_CREDENTIALS,
        volumes={"keys": "/run/keys:ro", "tenant": f"{TENANT}:ro"},
        scratch={"/tmp": 2048},  # noqa: S108
        needs={**_STORES, "intake-gateway": Ready.HEALTHY},
        # A stage under way is finished.
        stop_seconds=180,
    )
