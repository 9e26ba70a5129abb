"""The schema is applied once, in order, and never silently another one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from frostbyte.adapters.postgres import EmbeddedServer, check_plane, claim_plane, migrate, read_plane
from frostbyte.adapters.postgres.schema import WRITER, Migration, check_version, packaged
from frostbyte.bootstrap.database import access
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty(server: EmbeddedServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The owner's address of a database without a schema."""
    name = f"empty_{abs(hash(request.node.name))}"
    server.create_database(name)
    yield server.dsn("frostbyte_owner", name)
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_the_files_travel_with_the_package_and_show_at_the_top() -> None:
    names = [item.name for item in packaged()]
    assert names[0] == "001_tenant_registry.sql"
    assert names == sorted(path.name for path in (ROOT / "migrations").glob("*.sql"))
    assert (ROOT / "migrations").is_symlink()
    assert not (ROOT / "migrations").readlink().is_absolute()


def test_each_file_is_recorded_with_its_hash(empty: str) -> None:
    assert migrate(empty) == [item.name for item in packaged()]
    assert migrate(empty) == []
    with psycopg.connect(empty) as connection:
        rows = connection.execute("SELECT name, sha256 FROM schema_migrations ORDER BY applied_at, name").fetchall()
    assert rows == [(item.name, item.sha256) for item in packaged()]


def test_two_at_once_apply_it_once(empty: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(lambda _: migrate(empty), range(3)))
    assert sorted(map(len, applied)) == [0, 0, len(packaged())]


def test_a_changed_file_is_refused(empty: str) -> None:
    files = [Migration("001_first.sql", "CREATE TABLE a ()")]
    migrate(empty, files)
    with pytest.raises(Conflict) as caught:
        migrate(empty, [Migration("001_first.sql", "CREATE TABLE a (x int)")])
    assert caught.value.code == "migration_changed"
    assert "001_first.sql" in caught.value.message


@pytest.mark.parametrize(("found", "fits"), [(150_013, False), (160_000, True), (180_004, True)])
def test_a_server_older_than_sixteen_is_refused(found: int, fits: bool) -> None:
    if fits:
        check_version(found)
        return
    with pytest.raises(FrostbyteError) as caught:
        check_version(found)
    assert caught.value.code == "database_too_old"
    assert "PostgreSQL 15" in caught.value.message


def test_a_newer_schema_is_refused(empty: str) -> None:
    first, second = Migration("001_first.sql", "SELECT 1"), Migration("002_second.sql", "SELECT 1")
    assert migrate(empty, [first]) == ["001_first.sql"]
    assert migrate(empty, [first, second]) == ["002_second.sql"]
    with pytest.raises(Conflict) as caught:
        migrate(empty, [first])
    assert caught.value.code == "schema_newer"


def test_a_file_that_fails_leaves_nothing(empty: str) -> None:
    files = [Migration("001_first.sql", "CREATE TABLE a ()"), Migration("002_bad.sql", "CREATE TABLE a ()")]
    with pytest.raises(FrostbyteError) as caught:
        migrate(empty, files)
    assert caught.value.code == "migration_failed"
    assert "002_bad.sql" in caught.value.message
    assert migrate(empty, files[:1]) == ["001_first.sql"]


@pytest.mark.parametrize(
    "names", [["002_b.sql"], ["001_a.sql", "003_c.sql"], ["001_A.sql"], ["001_a.sql", "001_b.sql"]]
)
def test_numbers_have_no_gaps(empty: str, names: list[str]) -> None:
    with pytest.raises(FrostbyteError) as caught:
        migrate(empty, [Migration(name, "SELECT 1") for name in names])
    assert caught.value.code == "migrations_broken"


def test_a_missing_role_is_named(server: EmbeddedServer, empty: str) -> None:
    with pytest.raises(FrostbyteError) as caught:
        migrate(empty, writer="frostbyte_absent")
    assert caught.value.code == "database_roles_missing"
    assert "frostbyte_absent" in caught.value.message


def test_an_owner_that_steps_down_makes_whom_it_steps_down_to(server: EmbeddedServer, empty: str) -> None:
    """As on a server that is ours alone, where nobody has prepared anything: see bootstrap.control."""
    role, files = "frostbyte_stepped", [Migration("001_first.sql", "CREATE TABLE a ()")]
    with pytest.raises(FrostbyteError, match=role):
        migrate(empty, files, writer=role, make=True)  # the usual owner may make no roles
    admin = make_conninfo(server.admin_dsn, dbname=conninfo_to_dict(empty)["dbname"])
    try:
        assert migrate(admin, files, writer=role, make=True) == ["001_first.sql"]
        assert migrate(admin, files, writer=role, make=True) == []
        with psycopg.connect(admin) as connection:
            connection.execute(f"SET ROLE {role}".encode())
            assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone() == (1,)
            login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(login).fetchone() == (False,)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_plane_belongs_to_one_tenant_for_good(empty: str) -> None:
    migrate(empty)
    assert read_plane(empty) is None
    plane = claim_plane(empty, "acme", "frostbyte.io/acme")
    assert (plane.tenant_id, plane.log_origin) == ("acme", "frostbyte.io/acme")
    assert claim_plane(empty, "acme", "frostbyte.io/acme") == plane
    assert read_plane(empty) == plane
    for tenant, origin in [("other", "frostbyte.io/acme"), ("acme", "frostbyte.io/other")]:
        with pytest.raises(Conflict) as caught:
            claim_plane(empty, tenant, origin)
        assert caught.value.code == "plane_of_another_tenant"


def test_a_process_beside_the_plane_waits_for_it_and_belongs_to_its_tenant(empty: str, server: EmbeddedServer) -> None:
    for ready in (lambda: None, lambda: migrate(empty)):
        ready()
        with pytest.raises(Unavailable) as early:
            check_plane(empty, "acme")
        assert early.value.code == "plane_not_ready"
    claim_plane(empty, "acme", "frostbyte.io/acme")
    assert check_plane(empty, "acme"), "the owner steps down"
    assert not check_plane(make_conninfo(empty, user="frostbyte_writer"), "acme")
    with pytest.raises(Conflict) as other:
        check_plane(empty, "other")
    assert other.value.code == "plane_of_another_tenant"


def test_a_tenant_id_has_a_shape(empty: str) -> None:
    migrate(empty)
    with pytest.raises(FrostbyteError) as caught:
        claim_plane(empty, "Not A Tenant", "x")
    assert caught.value.code == "database_value_refused"
    assert "Not A Tenant" not in caught.value.message


@pytest.mark.parametrize(
    ("user", "steps_down"), [("frostbyte_writer", ""), ("frostbyte_owner", WRITER), ("misleading_writer", WRITER)]
)
def test_the_database_says_who_steps_down_not_the_name(
    server: EmbeddedServer, empty: str, tmp_path: Path, user: str, steps_down: str
) -> None:
    migrate(empty)
    with psycopg.connect(make_conninfo(empty, user="postgres"), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS misleading_writer")
        connection.execute("CREATE ROLE misleading_writer LOGIN IN ROLE frostbyte_owner")
    assert access(make_conninfo(empty, user=user), "", "", tmp_path).role() == steps_down
