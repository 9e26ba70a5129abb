"""A copy of a plane's database and the way back: rights and all, and never half, wherever it is killed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from frostbyte.adapters.postgres.snapshots import PostgresSnapshots
from frostbyte.adapters.postgres.tenants import PostgresTenants, database_of, writer_of
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import Upkeep
from stores.store_rows import event, write

pytestmark = pytest.mark.slow

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A tenant's database on the embedded server."""

    server: EmbeddedServer
    name: str

    def dsn(self, *, owner: bool = True) -> str:
        return self.server.dsn(database_of(self.name) if owner else writer_of(self.name), database_of(self.name))

    def run(self, statement: str, *, owner: bool = True) -> list[Any]:
        with psycopg.connect(self.dsn(owner=owner), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def keep(self, upkeep: str) -> None:
        self.run(f"UPDATE plane_standing SET upkeep = '{upkeep}'")

    def snapshots(self, mark: str = "m1") -> PostgresSnapshots:
        return PostgresSnapshots(self.server.admin_dsn, self.name, mark)

    def databases(self) -> list[str]:
        with psycopg.connect(self.server.admin_dsn, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [database_of(self.name)]
            ).fetchall()
        return sorted(row[0].removeprefix(database_of(self.name)) for row in rows)


@pytest.fixture
def tenant(server: EmbeddedServer) -> Iterator[Tenant]:
    found = Tenant(server, f"copied{next(_numbers)}")
    name, writer = database_of(found.name), writer_of(found.name)
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        for role in (name, writer):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(writer))
        )
    migrate(found.dsn(), writer=writer)
    yield found
    list(PostgresTenants(server.admin_dsn).destroy(found.name))
    assert found.databases() == []


def change(tenant: Tenant) -> None:
    """What a newer version does to it."""
    tenant.run("ALTER TABLE documents ADD COLUMN newer int")
    tenant.run("UPDATE plane_standing SET version = 9")


def newer(tenant: Tenant) -> bool:
    return bool(tenant.run("SELECT 1 FROM information_schema.columns WHERE column_name = 'newer'"))


@pytest.mark.parametrize("upkeep", ["open", "reading"])
def test_only_a_frozen_plane_is_copied(tenant: Tenant, upkeep: str) -> None:
    tenant.keep(upkeep)
    with pytest.raises(FrostbyteError) as caught:
        tenant.snapshots().take()
    assert caught.value.code == "plane_not_frozen"
    assert tenant.databases() == [""]


def test_there_and_back_with_all_rights(tenant: Tenant) -> None:
    tenant.keep("frozen")
    assert tenant.snapshots().size() > 1_000_000
    assert tenant.snapshots().take()
    change(tenant)
    assert newer(tenant)
    assert tenant.snapshots().restore()
    assert not newer(tenant)
    assert tenant.run("SELECT version, upkeep FROM plane_standing", owner=False) == [(0, "frozen")]
    assert tenant.databases() == [""]
    tenant.run("CREATE TABLE mine (one int)")  # its owner is who it was
    assert migrate(tenant.dsn(), writer=writer_of(tenant.name)) == []
    name = database_of(tenant.name)
    with psycopg.connect(tenant.server.admin_dsn, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger")
        row = connection.execute(
            "SELECT has_database_privilege('stranger', %s, 'CONNECT'), has_database_privilege(%s, %s, 'TEMP')",
            [name, writer_of(tenant.name), name],
        ).fetchone()
    assert row == (False, False)


def test_a_plane_that_was_opened_is_never_taken_back(tenant: Tenant) -> None:
    tenant.keep("frozen")
    tenant.snapshots().take()
    change(tenant)
    tenant.keep("open")
    with pytest.raises(FrostbyteError) as caught:
        tenant.snapshots().restore()
    assert caught.value.code == "plane_not_frozen"
    assert newer(tenant)
    assert tenant.snapshots().drop()


def test_taking_and_restoring_twice_is_once(tenant: Tenant) -> None:
    tenant.keep("frozen")
    assert tenant.snapshots().take()
    change(tenant)
    assert not tenant.snapshots().take()  # a copy of what was changed would be no way back
    assert tenant.snapshots().restore()
    change(tenant)
    assert not tenant.snapshots().restore()
    assert newer(tenant)


def test_a_copy_of_another_update_is_not_taken_for_this_ones(tenant: Tenant) -> None:
    tenant.keep("frozen")
    tenant.snapshots("m1").take()
    with pytest.raises(FrostbyteError) as caught:
        tenant.snapshots("m2").take()
    assert caught.value.code == "snapshot_left"
    assert not tenant.snapshots("m2").restore()
    assert not tenant.snapshots("m2").drop()
    assert tenant.snapshots("m1").drop()
    assert not tenant.snapshots("m1").drop()
    assert tenant.databases() == [""]


def test_who_is_connected_is_cut_off_and_comes_back(tenant: Tenant) -> None:
    tenant.keep("frozen")
    with PostgresStore(tenant.dsn(owner=False)) as store:
        for work in (tenant.snapshots().take, tenant.snapshots().restore):
            store.ping()
            assert work()
            with contextlib.suppress(FrostbyteError):  # what answered within the last second was not asked first
                store.ping()
            with store.unit_of_work() as uow:
                assert uow.standing.get().upkeep is Upkeep.FROZEN
        write(store, lambda uow: uow.standing.keep(Upkeep.OPEN))
        write(store, lambda uow: uow.audit.append(event()))


@pytest.mark.parametrize("mark", ["", "A", "a-b", "a" * 17, 'a"; x'])
def test_a_mark_is_a_word(tenant: Tenant, mark: str) -> None:
    with pytest.raises(FrostbyteError) as caught:
        tenant.snapshots(mark)
    assert caught.value.code == "snapshot_mark"


def test_a_tenant_that_is_not_there(server: EmbeddedServer) -> None:
    with pytest.raises(FrostbyteError) as caught:
        PostgresSnapshots(server.admin_dsn, "nobody", "m1").take()
    assert caught.value.code == "database_absent"


class Killed(BaseException):
    """The caller's process is gone."""


def killing(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Have the connection end before the statement of that number."""
    real, count = psycopg.Connection.execute, itertools.count(1)

    def execute(self: Any, *arguments: Any, **more: Any) -> Any:
        if next(count) == after:
            self.close()
            raise Killed
        return real(self, *arguments, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["take", "restore"])
@pytest.mark.parametrize("after", range(1, 14))
def test_killed_before_any_statement_it_goes_back_to_what_was_frozen(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, verb: str, after: int
) -> None:
    tenant.keep("frozen")
    if verb == "restore":
        tenant.snapshots().take()
        change(tenant)
    with monkeypatch.context() as patched:
        killing(patched, after)
        with contextlib.suppress(Killed, FrostbyteError):
            getattr(tenant.snapshots(), verb)()
    tenant.snapshots().restore()
    assert not newer(tenant)
    assert tenant.run("SELECT upkeep FROM plane_standing", owner=False) == [("frozen",)]
    assert tenant.databases() == [""]
