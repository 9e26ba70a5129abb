"""Real servers that hold several tenants, and folders for their secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frostbyte.adapters.objects.tenants import MinioTenants
from frostbyte.adapters.postgres.tenants import PostgresTenants
from frostbyte.adapters.qdrant.tenants import QdrantTenants
from frostbyte.adapters.redis.tenants import RedisTenants
from frostbyte.deploy.storage import SecretFolder, destroy
from frostbyte.kernel.ports.tenant_stores import TenantStore
from frostbyte.kernel.ports.vectors import CollectionSpec
from servers import minio
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.redis import RedisServer
from servers.vectors import VectorsServer

SPEC = CollectionSpec(model="test", version="1", dimensions=4)
Folders = Callable[[str], SecretFolder]


def quiet(store: str, done: str) -> None:
    """Hear of what was done, and say nothing."""


@pytest.fixture(scope="module")
def stores(
    minio_server: MinioServer, postgres_server: PostgresServer, redis_server: RedisServer, vectors_server: VectorsServer
) -> list[TenantStore]:
    return [
        PostgresTenants(postgres_server.dsn()),
        MinioTenants(minio_server.url, minio.USER, minio.PASSWORD),
        QdrantTenants(vectors_server.url, vectors_server.key, SPEC),
        RedisTenants(redis_server.url),
    ]


@pytest.fixture
def folders(tmp_path: Path, stores: list[TenantStore]) -> Iterator[Folders]:
    """A tenant's folder; what a test provisioned is destroyed after it."""
    made: dict[str, SecretFolder] = {}

    def folder(tenant: str) -> SecretFolder:
        return made.setdefault(tenant, SecretFolder(tmp_path / tenant, tenant))

    yield folder
    for tenant, one in made.items():
        destroy(stores, tenant, one, quiet)
