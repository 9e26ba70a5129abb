"""What is in the secrets' files of a plane. Pure: all of it is made of a few passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from frostbyte.deploy.compose.options import SECRETS, Options
from frostbyte.deploy.compose.stores import pair

PASSWORDS: Final = (
    "postgres",
    "database-owner",
    "database-writer",
    "redis",
    "minio",
    "objects",
    "qdrant",
    "embedder",
)
"""Names of the passwords that everything is made of: administrators', the tenant's, the embedder's."""
Made = Callable[[str], str]
"""The password of a name, the same at each call."""
Token = Callable[[str, str], str]
"""Of a tenant and a Qdrant server's key: the token for the tenant's collections alone."""

CLAMD: Final = """\
# clamd of a plane: limits as in Frostbyte's config/clamd.conf. What exceeds one is reported, never called clean.
Foreground yes
TCPSocket 3310
TCPAddr 0.0.0.0
DatabaseDirectory /var/lib/clamav
TemporaryDirectory /tmp
LogTime yes
SelfCheck 600
ConcurrentDatabaseReload no
StreamMaxLength 1000M
MaxFileSize 1000M
MaxScanSize 3000M
MaxScanTime 240000
MaxRecursion 17
MaxFiles 20000
AlertExceedsMax yes
AlertEncrypted no
MaxThreads 4
ReadTimeout 300
CommandReadTimeout 30
# Reading signatures anew, it waits for its idle threads to end.
IdleTimeout 5
"""
_HBA: Final = """\
# Over the network by TLS alone, and nobody without a password.
local   all all              scram-sha-256
hostssl all all 0.0.0.0/0    scram-sha-256
"""


def texts(options: Options, password: Made, queue_rights: Sequence[str], token: Token) -> Mapping[str, str]:
    """The content of every secret that a plane may have, but for certificates and what the control plane gives.

    Args:
        queue_rights: what the tenant's user may do on Redis, as words of its access list.
    """
    tenant = f"tenant_{options.tenant}"
    queue = f"{'rediss' if options.across else 'redis'}://{tenant}:{password('redis')}@{options.place('redis')}/0"
    ways = options.on.ways_out if options.on is not None else ()
    return {
        "postgres-password": password("postgres"),
        "postgres-url": f"postgresql://frostbyte_admin:{password('postgres')}@postgres:5432/postgres",
        "pg_hba.conf": _HBA,
        "database-owner-password": password("database-owner"),
        "database-writer-password": password("database-writer"),
        "database-owner-url": _database(options, tenant, password("database-owner")),
        "database-url": _database(options, f"{tenant}_writer", password("database-writer")),
        "minio-password": password("minio"),
        "objects-secret-key": password("objects"),
        "qdrant-api-key": password("qdrant"),
        "qdrant.yaml": _qdrant(options, password("qdrant")),
        "vectors-api-key": token(options.tenant, password("qdrant")),
        "embedder-key": password("embedder"),
        "queue-url": queue,
        "redis.conf": _redis(options, tenant, password("redis"), queue_rights),
        "clamd.conf": CLAMD,
        "ways-out": "".join(f"{way}\n" for way in ways),
    }


def _database(options: Options, role: str, password: str) -> str:
    checked = "?sslmode=verify-full" if options.across else ""
    return f"postgresql://{role}:{password}@{options.place('postgres')}/tenant_{options.tenant}{checked}"


def _qdrant(options: Options, key: str) -> str:
    certificate, private = (f"{SECRETS}/{name}" for name in pair("qdrant"))
    tls = f"  enable_tls: true\ntls:\n  cert: {certificate}\n  key: {private}\n" if options.across else ""
    return (
        f"service:\n  host: 0.0.0.0\n  api_key: {key}\n  jwt_rbac: true\n{tls}"
        "storage:\n  storage_path: /qdrant/storage\n  snapshots_path: /qdrant/storage/snapshots\n"
        "telemetry_disabled: true\n"
    )


def _redis(options: Options, user: str, password: str, rights: Sequence[str]) -> str:
    """No default user, no administrator, nothing on disk: the tenant's user and its rights are all there is."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    certificate, key = (f"{SECRETS}/{name}" for name in pair("redis"))
    port = "port 6379\n"
    if options.across:  # clients show a password, not a certificate
        port = (
            f"port 0\ntls-port 6379\ntls-cert-file {certificate}\ntls-key-file {key}\n"
            "tls-auth-clients no\ntls-protocols TLSv1.3\n"
        )
    return (
        f"bind 0.0.0.0\n{port}protected-mode no\n"  # users are asked for a password instead
        'dir /data\nsave ""\nappendonly no\nmaxmemory-policy noeviction\n'
        f"user default off\nuser {user} on #{digest} {' '.join(rights)}\n"
    )
