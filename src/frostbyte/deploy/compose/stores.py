"""The services that keep or look at what others give them. On a host of their own they speak TLS, and nothing else."""

from __future__ import annotations

from typing import Final

from frostbyte.deploy.compose.description import Check, Limits, Role, Service
from frostbyte.deploy.compose.options import EMBEDDER_PORT, HOSTS, INTERNAL, OURS, QDRANT, SECRETS, Options

_MINIO_CERTS: Final = "/certs"
_MINIO_FILES: Final = (f"{_MINIO_CERTS}/public.crt", f"{_MINIO_CERTS}/private.key")
"""The names that MinIO looks for."""
_HEALTH: Final = {"minio": "9000/minio/health/live", "qdrant": "6333/healthz", "nomic-embed": "8080/health"}


def pair(server: str) -> tuple[str, str]:
    """Names of the files with a server's certificate and its key."""
    return f"{server}-certificate.pem", f"{server}-key.pem"


def limits(options: Options, name: str, memory_mb: int, cpus: float, pids: int) -> Limits:
    """What a service may use; memory as the options say, where they say it."""
    return Limits(memory_mb=options.memory_mb.get(name, memory_mb), cpus=cpus, pids=pids)


def postgres(options: Options) -> Service:
    """Documents' records, jobs, the audit log."""
    return Service(
        name="postgres",
        image=options.image("postgres"),
        role=Role.STORE,
        user="70:70",
        limits=limits(options, "postgres", 1536, 2, 256),
        command=("postgres", "-c", "max_connections=150", "-c", "shared_buffers=256MB", *_postgres_tls(options)),
        # Over the network: the server that only sets up the database listens on a socket alone.
        check=Check(command=("pg_isready", "--quiet", "--host=127.0.0.1", "--username=frostbyte_admin")),
        networks=options.networks_of_stores,
        environment={
            "POSTGRES_USER": "frostbyte_admin",
            "POSTGRES_DB": "postgres",
            "POSTGRES_PASSWORD_FILE": f"{SECRETS}/postgres-password",
            "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
        },
        secrets=("postgres-password", *((*pair("postgres"), "pg_hba.conf") if options.across else ())),
        volumes={"pgdata": "/var/lib/postgresql/data"},
        scratch={"/tmp": 64, "/var/run/postgresql": 16, "/dev/shm": 256},  # noqa: S108 - in the container
        publishes=options.published("postgres"),
        published_at=options.published_at,
        stop_seconds=60,
    )


def _postgres_tls(options: Options) -> tuple[str, ...]:
    """Nobody comes over the network but by TLS (hostssl): see texts.py."""
    if not options.across:
        return ()
    certificate, key = pair("postgres")
    told = {
        "ssl": "on",
        "ssl_min_protocol_version": "TLSv1.3",
        "ssl_cert_file": f"{SECRETS}/{certificate}",
        "ssl_key_file": f"{SECRETS}/{key}",
        "hba_file": f"{SECRETS}/pg_hba.conf",
    }
    return tuple(word for name, value in told.items() for word in ("-c", f"{name}={value}"))


def redis(options: Options) -> Service:
    """The queue: hints alone."""
    return Service(
        name="redis",
        image=options.image("redis"),
        role=Role.STORE,
        user="999:1000",
        limits=limits(options, "redis", 512, 1, 64),
        command=("redis-server", f"{SECRETS}/redis.conf"),
        # Whoever has no password is answered that they have none: the server is well.
        check=Check(
            command=("redis-cli", *(("--tls", "--insecure") if options.across else ()), "ping"), start_seconds=15
        ),
        networks=options.networks_of_stores,
        secrets=("redis.conf", *(pair("redis") if options.across else ())),
        # What it holds are hints; the jobs themselves are in PostgreSQL.
        scratch={"/data": 64},
        publishes=options.published("redis"),
        published_at=options.published_at,
    )


def minio(options: Options) -> Service:
    """Objects."""
    return Service(
        name="minio",
        image=options.image("minio"),
        role=Role.STORE,
        user=OURS,
        limits=limits(options, "minio", 2048, 2, 512),
        command=("server", *(("--certs-dir", _MINIO_CERTS) if options.across else ()), "/data"),
        check=_health("minio", options, "python3.13", "-I", "/usr/lib/frostbyte/health.py"),
        networks=options.networks_of_stores,
        environment={
            "MINIO_ROOT_USER": "frostbyte-admin",
            "MINIO_ROOT_PASSWORD_FILE": f"{SECRETS}/minio-password",
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            # Without it a power cut may take back what was acknowledged: a receipt is a promise.
            "MINIO_FS_OSYNC": "on",
        },
        secrets=("minio-password", *(pair("minio") if options.across else ())),
        places=dict(zip(pair("minio"), _MINIO_FILES, strict=True)) if options.across else {},
        volumes={"miniodata": "/data"},
        scratch={"/tmp": 64},  # noqa: S108
        publishes=options.published("minio"),
        published_at=options.published_at,
    )


def qdrant(options: Options) -> Service:
    """Vectors, by Qdrant's server or by our stand-in."""
    stand_in = options.stand_in_vectors
    certificate, key = pair("qdrant")
    told = {"QDRANT_INIT_FILE_PATH": "/qdrant/storage/.qdrant-initialized"}
    if stand_in:
        told = {"FROSTBYTE_VECTORS_API_KEY_FILE": f"{SECRETS}/qdrant-api-key"}
        if options.across:
            told |= {
                "FROSTBYTE_VECTORS_CERT": f"{SECRETS}/{certificate}",
                "FROSTBYTE_VECTORS_CERT_KEY": f"{SECRETS}/{key}",
            }
    asked = Check(command=("bash", "-c", ":>/dev/tcp/127.0.0.1/6333"))
    return Service(
        name="qdrant",
        image=options.image("qdrant"),
        role=Role.STORE,
        # The folder of a host belongs to whom it was made for, whatever runs there.
        user=OURS if stand_in and options.on is None else QDRANT,
        limits=limits(options, "qdrant", 4096, 2, 512),
        entrypoint=() if stand_in else ("./qdrant",),
        command=("serve", "vectors") if stand_in else ("--config-path", f"{SECRETS}/qdrant.yaml"),
        check=_health("qdrant", options, "frostbyte-health") if stand_in else asked,
        networks=options.networks_of_stores,
        environment=told,
        secrets=("qdrant-api-key" if stand_in else "qdrant.yaml", *((certificate, key) if options.across else ())),
        volumes={"qdrantdata": "/qdrant/storage"},
        scratch={"/tmp": 64},  # noqa: S108
        publishes=options.published("qdrant"),
        published_at=options.published_at,
        stop_seconds=60,
    )


def clamav(options: Options) -> Service:
    """Looks for malware, beside whoever asks it: its protocol knows no encryption."""
    return Service(
        name="clamav",
        image=options.image("clamav"),
        role=Role.STORE,
        user="10003:10003",
        limits=limits(options, "clamav", 4096, 2, 128),
        # clamd alone: signatures arrive with updates, nothing here fetches any.
        entrypoint=("clamd",),
        command=("--foreground", f"--config-file={SECRETS}/clamd.conf"),
        check=Check(command=("clamdscan", f"--config-file={SECRETS}/clamd.conf", "--ping", "1"), start_seconds=180),
        networks=(INTERNAL,),
        secrets=("clamd.conf",),
        volumes={"clamavdata": "/var/lib/clamav"},
        # A file that is scanned lies here while it is, and its parts.
        scratch={"/tmp": 2048},  # noqa: S108
    )


def embedder(options: Options) -> Service:
    """Makes vectors of texts."""
    certificate, key = pair("embedder")
    tls = {
        "FROSTBYTE_EMBEDDER_CERT": f"{SECRETS}/{certificate}",
        "FROSTBYTE_EMBEDDER_CERT_KEY": f"{SECRETS}/{key}",
    }
    return Service(
        name="nomic-embed",
        image=options.image("nomic-embed"),
        role=Role.STORE,
        user=OURS,
        limits=limits(options, "nomic-embed", 2048, 2, 128),
        check=_health("nomic-embed", options, "frostbyte-health"),
        # A fixed address belongs to the first network.
        networks=(HOSTS, INTERNAL) if options.across else (INTERNAL,),
        address=options.on.embedder_address if options.on is not None and options.across else "",
        environment={
            "FROSTBYTE_EMBEDDER_API_KEY_FILE": f"{SECRETS}/embedder-key",
            **({"FROSTBYTE_MODEL_SHA256": options.model_sha256} if options.model_sha256 else {}),
            **(tls if options.across else {}),
        },
        secrets=("embedder-key", *((certificate, key) if options.across else ())),
        volumes={"models": "/models" if options.on is None else "/models:ro"},
        scratch={"/tmp": 64},  # noqa: S108
        publishes={EMBEDDER_PORT: 8080} if options.across else {},
        published_at=options.published_at,
    )


def _health(name: str, options: Options, *program: str) -> Check | None:
    """None for the image's own check, which knows no TLS."""
    return Check(command=(*program, f"https://127.0.0.1:{_HEALTH[name]}")) if options.across else None
