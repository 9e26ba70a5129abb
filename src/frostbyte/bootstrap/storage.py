"""Which servers hold tenants, by the administrator's settings: the wiring of `frostbyte storage`.

    FROSTBYTE_STORAGE_DATABASE_URL                          a superuser of the PostgreSQL server
    FROSTBYTE_STORAGE_OBJECTS_URL, _ACCESS_KEY, _SECRET_KEY MinIO's administrator
    FROSTBYTE_STORAGE_VECTORS_URL, _API_KEY                 Qdrant's own key, which tokens are signed with
    FROSTBYTE_STORAGE_QUEUE_URL                             a user of Redis with every right
    FROSTBYTE_CA_FILE                                       what all of them are trusted by

Each secret may stand in a file instead (`..._FILE`). A server that is not named is left out. The collection is made
for the embedder of the plane's own settings (FROSTBYTE_EMBEDDING_*).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from frostbyte.adapters.objects.tenants import MinioTenants
from frostbyte.adapters.postgres.tenants import PostgresTenants
from frostbyte.adapters.redis.tenants import RedisTenants
from frostbyte.bootstrap.stores import embedder
from frostbyte.deploy import storage
from frostbyte.deploy.authority import Authority
from frostbyte.deploy.storage import Report, SecretFolder
from frostbyte.deploy.storage.tenants import Say, with_decoy
from frostbyte.kernel.channel import tenant_held
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ports.tenant_stores import TenantStore
from frostbyte.kernel.settings import Reader, load, tenant_name

_ADDRESSES: Final = {
    "database": "DATABASE_URL",
    "objects": "OBJECTS_URL",
    "vectors": "VECTORS_URL",
    "queue": "QUEUE_URL",
}


def stores(environment: Mapping[str, str] | None = None) -> list[TenantStore]:
    """The servers that the settings name.

    Raises:
        Invalid: `storage_not_named`: none; `settings_invalid`.
    """
    given = Reader(os.environ if environment is None else environment)
    ca = given.text("CA_FILE", "")
    ca_file = Path(ca).absolute() if ca else None
    found: list[TenantStore] = []
    if url := given.secret("STORAGE_DATABASE_URL"):
        found.append(PostgresTenants(url, ca_file=ca_file))
    if url := given.text("STORAGE_OBJECTS_URL", ""):
        keys = (given.secret("STORAGE_OBJECTS_ACCESS_KEY"), given.secret("STORAGE_OBJECTS_SECRET_KEY"))
        found.append(MinioTenants(url, *keys, ca_file=ca_file))
    if url := given.text("STORAGE_VECTORS_URL", ""):
        from frostbyte.adapters.qdrant.tenants import QdrantTenants  # a second to import

        spec = embedder(load(environment)).spec
        found.append(QdrantTenants(url, given.secret("STORAGE_VECTORS_API_KEY"), spec, ca_file=ca_file))
    if url := given.secret("STORAGE_QUEUE_URL"):
        found.append(RedisTenants(url, ca_file=ca_file))
    if not found:
        raise Invalid(
            "storage_not_named",
            "No server was named that could hold a tenant.",
            f"Set at least one of {', '.join(f'FROSTBYTE_STORAGE_{name}' for name in _ADDRESSES.values())}.",
        )
    return found


def left_out(found: Sequence[TenantStore]) -> list[str]:
    """The settings of the servers that were not named."""
    held = {store.name for store in found}
    return [f"FROSTBYTE_STORAGE_{variable}" for name, variable in _ADDRESSES.items() if name not in held]


def provision(found: Sequence[TenantStore], tenant: str, folder: Path, say: Say, given: Path | None = None) -> None:
    """See deploy.storage.provision; `given` as in SecretFolder."""
    storage.provision(found, tenant_name(tenant), SecretFolder(folder, tenant, given), say)


def destroy(found: Sequence[TenantStore], tenant: str, folder: Path, say: Say) -> list[str]:
    """See deploy.storage.destroy. Raises Conflict("tenant_held") before anything is touched."""
    for store in found:
        if isinstance(store, PostgresTenants) and (holds := store.holds(tenant_name(tenant))):
            raise tenant_held(holds)
    return storage.destroy(found, tenant_name(tenant), SecretFolder(folder, tenant), say)


def verify(found: Sequence[TenantStore], tenant: str, folder: Path, against: str, say: Say) -> Report:
    """Try to cross to the tenant `against`, or where it is '' to a decoy and back from it."""
    own = SecretFolder(folder, tenant_name(tenant))
    if against:
        if against == tenant:
            raise Invalid("isolation_target_same", "A tenant cannot cross to itself.", "Name another tenant.")
        return storage.verify(found, tenant, own, tenant_name(against))
    with tempfile.TemporaryDirectory(prefix="frostbyte-decoy-") as place:
        decoy = SecretFolder(Path(place) / "secrets", storage.decoy_of(tenant))
        return with_decoy(found, tenant, own, decoy, say)


def certificates(tenant: str, folder: Path, names: Sequence[str], hosts: Sequence[str]) -> dict[str, bool]:
    """See that the tenant's authority and these stores' certificates are there; which were made now."""
    authority = Authority(folder, tenant_name(tenant))
    return {name: authority.server(name, hosts) for name in names}
