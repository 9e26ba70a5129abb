"""Two tenants on the same servers: each works in its own part, and every way into the other's is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from msgspec.structs import replace
from redis import Redis

from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.adapters.objects.tenants import MinioTenants
from frostbyte.adapters.postgres import PostgresStore, claim_plane, migrate
from frostbyte.adapters.postgres.tenants import PostgresTenants
from frostbyte.adapters.qdrant.tenants import QdrantTenants
from frostbyte.adapters.redis.tenants import RedisTenants
from frostbyte.deploy.storage import Outcome, SecretFolder, decoy_of, destroy, provision, verify
from frostbyte.deploy.storage.tenants import with_decoy
from frostbyte.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from frostbyte.kernel.ports.tenant_stores import TenantStore
from frostbyte.kernel.settings import load
from servers import minio
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.process import listens
from servers.redis import RedisServer
from servers.vectors import VectorsServer
from storage.conftest import SPEC, Folders, quiet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tenants(stores: list[TenantStore], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    """acme and globex, provisioned once for the tests that only look."""
    place = tmp_path_factory.mktemp("tenants")
    made = {name: SecretFolder(place / name, name) for name in ("acme", "globex")}
    for name, folder in made.items():
        provision(stores, name, folder, quiet)
    yield lambda name: made[name]
    for name, folder in made.items():
        destroy(stores, name, folder, quiet)


def environment(folder: SecretFolder) -> dict[str, str]:
    """What tenant.env says."""
    lines = (folder.folder / "tenant.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def secrets(folder: SecretFolder) -> list[str]:
    """Every value that must not be shown."""
    names = ["database_owner_password", "database_writer_password", "objects_secret_key", "queue_password"]
    return [folder.found(name) for name in names]


def test_every_crossing_is_denied_and_all_own_work_allowed(stores: list[TenantStore], tenants: Folders) -> None:
    report = verify(stores, "acme", tenants("acme"), "globex", tenants("globex"))
    assert [f for f in report.findings if not f.good] == []
    assert report.isolated
    assert {f.store for f in report.crossings} == {store.name for store in stores}
    assert {(f.acting, f.target) for f in report.crossings} == {("acme", "globex"), ("globex", "acme")}
    assert json.loads(json.dumps(report.to_json()))["counts"]["denied"] == len(report.crossings) > 100


def test_a_plane_works_with_what_was_written(stores: list[TenantStore], tenants: Folders) -> None:
    settings = load(environment(tenants("acme")))
    assert settings.tenant_id == "acme"
    assert settings.bucket == "tenant-acme-bucket"
    claim_plane(settings.database_owner_url, "acme", "frostbyte/acme/plane")
    assert migrate(settings.database_owner_url, writer="tenant_acme_writer") == []
    with PostgresStore(settings.database_url) as store, store.unit_of_work() as uow:
        assert not any(uow.jobs.counts().values())
    account = S3Account(settings.objects_access_key, settings.objects_secret_key)
    blobs = S3Blobs(settings.objects_url, settings.bucket, account)
    with blobs.writer("raw/long") as writer:
        writer.write(b"x" * 9_000_000)
        writer.commit()
    assert list(blobs.names("raw/")) == ["raw/long"]
    blobs.delete("raw/long")
    assert Redis.from_url(settings.queue_url).lpush("tenant_acme:q", "1") == 1


def test_secrets_are_files_of_their_owner_alone(tenants: Folders) -> None:
    folder = tenants("acme").folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    shown = (folder / "tenant.env").read_text() + repr(load(environment(tenants("acme"))))
    assert not [word for word in secrets(tenants("acme")) if word in shown]
    both = secrets(tenants("acme")) + secrets(tenants("globex"))
    assert len(set(both)) == len(both)


def test_twice_is_once(stores: list[TenantStore], folders: Folders) -> None:
    first: list[str] = []
    provision(stores, "twice", folders("twice"), lambda store, done: first.append(f"{store} {done}"))
    before = {path.name: path.read_text() for path in folders("twice").folder.iterdir()}
    provision(stores, "twice", folders("twice"), quiet)
    assert {path.name: path.read_text() for path in folders("twice").folder.iterdir()} == before
    assert not [word for word in secrets(folders("twice")) if word in " ".join(first)]
    removed = destroy(stores, "twice", folders("twice"), quiet)
    assert len(removed) > 8
    assert destroy(stores, "twice", folders("twice"), quiet) == []
    assert [store.remains("twice") for store in stores] == [[], [], [], []]


def test_destroying_one_leaves_the_other(stores: list[TenantStore], tenants: Folders, folders: Folders) -> None:
    # Names that begin alike are two tenants all the same.
    provision(stores, "acme2", folders("acme2"), quiet)
    for store in stores:
        list(store.plant("acme", tenants("acme")))
        list(store.plant("acme2", folders("acme2")))
    destroy(stores, "acme2", folders("acme2"), quiet)
    assert [f for f in verify(stores, "acme", tenants("acme"), "globex").findings if not f.good] == []
    assert "keys" in next(s for s in stores if s.name == "queue").remains("acme")


def test_a_decoy_is_tried_and_gone(stores: list[TenantStore], tenants: Folders, tmp_path: Path) -> None:
    decoy = decoy_of("acme")
    report = with_decoy(stores, "acme", tenants("acme"), SecretFolder(tmp_path / "decoy", decoy), quiet)
    assert report.isolated
    assert {(f.acting, f.target) for f in report.crossings} == {("acme", decoy), (decoy, "acme")}
    assert [store.remains(decoy) for store in stores] == [[], [], [], []]


# -- holes are found ------------------------------------------------------------------------------------------------


def breached(stores: list[TenantStore], store: str, tenants: Folders) -> set[str]:
    """What acme could do."""
    report = verify([s for s in stores if s.name == store], "acme", tenants("acme"), "globex")
    assert not report.isolated
    assert all(f.acting == "acme" for f in report.breaches)
    return {f.what for f in report.breaches}


def test_an_open_database_is_found(
    stores: list[TenantStore], tenants: Folders, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        connection.execute("GRANT CONNECT ON DATABASE tenant_globex TO PUBLIC")
        try:
            found = breached(stores, "database", tenants)
        finally:
            connection.execute("REVOKE CONNECT ON DATABASE tenant_globex FROM PUBLIC")
    assert {"enter the other's database as the owner", "enter the other's database as the plane"} <= found


def test_a_writer_that_may_change_the_audit_is_found(
    stores: list[TenantStore], tenants: Folders, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.dsn(database="tenant_acme"), autocommit=True) as connection:
        connection.execute("GRANT TRUNCATE ON audit_events TO tenant_acme_writer")
        connection.execute("ALTER TABLE audit_events DISABLE TRIGGER append_only")
        try:
            found = breached(stores, "database", tenants)
        finally:
            connection.execute("ALTER TABLE audit_events ENABLE ALWAYS TRIGGER append_only")
            connection.execute("REVOKE TRUNCATE ON audit_events FROM tenant_acme_writer")
    assert found == {"empty the audit as the plane", "change the audit as the owner"}


def test_a_wide_policy_is_found(stores: list[TenantStore], tenants: Folders, minio_server: MinioServer) -> None:
    keys = StaticProvider(minio.USER, minio.PASSWORD)
    admin = MinioAdmin(endpoint=urlsplit(minio_server.url).netloc, credentials=keys, secure=False)
    admin.policy_set("readwrite", user="tenant-acme")
    try:
        found = breached(stores, "objects", tenants)
    finally:
        admin.policy_set("tenant-acme-bucket", user="tenant-acme")
    assert {"list the other's bucket", "write into the other's bucket", "see the other's bucket"} <= found


def test_a_user_with_every_key_is_found(stores: list[TenantStore], tenants: Folders, redis_server: RedisServer) -> None:
    admin = Redis.from_url(redis_server.url)
    admin.execute_command("ACL", "SETUSER", "tenant_acme", "allkeys", "+keys")
    try:
        found = breached(stores, "queue", tenants)
    finally:
        list(RedisTenants(redis_server.url).provision("acme", tenants("acme")))
    assert {"read the other's key", "write the other's key", "list all keys"} <= found


def test_a_token_that_opens_too_much_is_found(
    stores: list[TenantStore], tenants: Folders, vectors_server: VectorsServer
) -> None:
    right = tenants("acme").found("vectors_api_key")
    tenants("acme").note("vectors_api_key", vectors_server.token("m"))
    try:
        found = breached(stores, "vectors", tenants)
    finally:
        tenants("acme").note("vectors_api_key", right)
    assert {"read the other's points", "write into the other's collection", "make a collection"} <= found


def test_another_model_gets_the_collection_that_the_next_rebuild_fills(
    stores: list[TenantStore], folders: Folders, vectors_server: VectorsServer
) -> None:
    other = QdrantTenants(vectors_server.url, vectors_server.key, replace(SPEC, dimensions=8))
    first = next(store for store in stores if store.name == "vectors")
    assert next(first.provision("models", folders("models"))) == "collection tenant_models"
    for _ in range(2):
        assert next(other.provision("models", folders("models"))) == "collection tenant_models_1"
    assert next(first.provision("models", folders("models"))) == "collection tenant_models"
    assert set(first.remains("models")) == {"collection tenant_models", "collection tenant_models_1"}


# -- no answer is no refusal ----------------------------------------------------------------------------------------


def test_an_outage_is_not_a_refusal(stores: list[TenantStore], tenants: Folders, redis_server: RedisServer) -> None:
    queue = [store for store in stores if store.name == "queue"]
    redis_server.kill()
    try:
        report = verify(queue, "acme", tenants("acme"), "globex")
    finally:
        redis_server.start()
        for name in ("acme", "globex"):  # this Redis keeps nothing, not even its users
            provision(queue, name, tenants(name), quiet)
    assert {f.outcome for f in report.findings} == {Outcome.UNANSWERED}
    assert not report.isolated
    assert report.breaches == []


def test_credentials_that_do_not_work_prove_nothing(
    stores: list[TenantStore], tenants: Folders, postgres_server: PostgresServer
) -> None:
    queue = [store for store in stores if store.name == "queue"]
    tenants("acme").note("queue_url", tenants("acme").found("queue_url").replace("tenant_acme:", "tenant_acme:x"))
    try:
        report = verify(queue, "acme", tenants("acme"), "globex")
    finally:
        provision(queue, "acme", tenants("acme"), quiet)
    assert len(report.broken) == 4
    assert not report.isolated


WRONG: dict[str, Callable[[PostgresServer, MinioServer, RedisServer], TenantStore]] = {
    "database": lambda pg, s3, redis: PostgresTenants(pg.dsn("tenant_acme", "tenant_acme", "wrong")),
    "objects": lambda pg, s3, redis: MinioTenants(s3.url, minio.USER, "wrong"),
    "queue": lambda pg, s3, redis: RedisTenants(redis.url.replace("admin:", "admin:x")),
}


@pytest.mark.parametrize("store", WRONG)
def test_a_wrong_administrator_is_an_outage_without_the_password(
    store: str,
    postgres_server: PostgresServer,
    minio_server: MinioServer,
    redis_server: RedisServer,
    folders: Folders,
) -> None:
    wrong = WRONG[store](postgres_server, minio_server, redis_server)
    for step in (lambda: list(wrong.provision("late", folders("late"))), lambda: list(wrong.destroy("late"))):
        with pytest.raises(Unavailable) as caught:
            step()
        assert caught.value.code in ("storage_admin_refused", "database_unavailable")
        assert "wrong" not in str(caught.value)


def test_an_object_store_that_has_just_started_is_waited_for(minio_server: MinioServer, tmp_path: Path) -> None:
    fresh = MinioServer(tmp_path / "minio")
    fresh._ready = lambda: listens(fresh.port)
    with fresh:
        store = MinioTenants(fresh.url, minio.USER, minio.PASSWORD)
        done = list(store.provision("early", SecretFolder(tmp_path / "early", "early")))
        assert "bucket tenant-early-bucket" in done
        assert set(store.remains("early")) == set(done[:3])


# -- the folder of secrets ------------------------------------------------------------------------------------------


def test_a_folder_keeps_its_tenant(tmp_path: Path) -> None:
    SecretFolder(tmp_path / "s", "acme").made("queue_password")
    with pytest.raises(Conflict) as caught:
        SecretFolder(tmp_path / "s", "globex")
    assert caught.value.code == "secrets_of_another_tenant"


def test_a_folder_with_other_files_is_not_used_and_not_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o700)
    (folder / "notes").write_text("keep")
    with pytest.raises(Conflict) as caught:
        SecretFolder(folder, "acme").made("queue_password")
    assert caught.value.code == "secrets_folder_used"
    assert SecretFolder(folder, "acme").remove() == []
    assert (folder / "notes").read_text() == "keep"


@pytest.mark.parametrize("open_to", [0o040, 0o004, 0o020])
def test_what_others_may_read_is_refused(tmp_path: Path, open_to: int) -> None:
    folder = SecretFolder(tmp_path / "s", "acme")
    folder.made("queue_password")
    folder.path("queue_password").chmod(0o600 | open_to)
    with pytest.raises(Invalid) as caught:
        folder.found("queue_password")
    assert caught.value.code == "secret_permissions"
    folder.folder.chmod(0o700 | open_to)
    with pytest.raises(Invalid):
        SecretFolder(tmp_path / "s", "acme")


def test_a_missing_secret_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        SecretFolder(tmp_path / "s", "acme").found("queue_url")
    assert caught.value.code == "tenant_secret_missing"
