"""The servers of the lanes: they start, answer after a kill and a pause, and are gone afterwards."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

from frostbyte.adapters.postgres import PostgresStore, migrate
from frostbyte.bootstrap import stores
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.settings import load
from servers.clamd import ClamdServer
from servers.lanes import LANES, excused, reason
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.redis import RedisServer


def test_only_what_cannot_be_had_is_excused() -> None:
    """A Qdrant server; and cloud-init, which would configure this very machine when it boots."""
    assert {lane.name for lane in LANES.values() if excused(reason(lane))} == {"qdrant", "cloud-init"}


def test_redis_forgets_everything_when_it_is_killed(redis_server: RedisServer) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.set("kept", "no")
    redis_server.kill()
    redis_server.start()
    assert client.get("kept") is None


@pytest.mark.slow
def test_nobody_enters_redis_without_a_password(redis_server: RedisServer) -> None:
    with pytest.raises(redis.exceptions.RedisError):
        redis.Redis(port=redis_server.port).ping()


def test_a_plane_works_over_tcp_with_a_password_and_after_crash_recovery(postgres_server: PostgresServer) -> None:
    owner = postgres_server.database("plane_one")
    settings = load({"FROSTBYTE_DATABASE_URL": owner, "FROSTBYTE_TENANT_ID": "one"})
    server, store = stores.database(settings, "frostbyte/one/plane")
    try:
        assert server is None
        with store.unit_of_work() as uow:
            assert uow.jobs.counts() == {"dead": 0}
        postgres_server.kill()
        postgres_server.start()
        with suppress(Unavailable):
            store.ping()  # a connection of before may be tried once
        store.ping()
    finally:
        stores.close_database(server, store)


def test_the_running_plane_is_not_the_owner(postgres_server: PostgresServer) -> None:
    owner = postgres_server.database("plane_two")
    settings = load({"FROSTBYTE_DATABASE_URL": owner, "FROSTBYTE_TENANT_ID": "two"})
    _, store = stores.database(settings, "frostbyte/two/plane")
    with store, store._pool.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE audit_events SET type = 'x'")


def test_an_owner_of_its_own_migrates_and_the_plane_never_knows_its_password(postgres_server: PostgresServer) -> None:
    owner = postgres_server.database("plane_three")
    writer = postgres_server.dsn("frostbyte_writer", "plane_three")
    given = {"FROSTBYTE_DATABASE_URL": writer, "FROSTBYTE_DATABASE_OWNER_URL": owner, "FROSTBYTE_TENANT_ID": "three"}
    _, store = stores.database(load(given), "frostbyte/three/plane")
    store.close()
    assert migrate(owner) == []
    with PostgresStore(writer) as again:
        again.ping()


def test_a_frozen_database_is_waited_for_and_not_believed_dead(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn()) as connection:
        postgres_server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(postgres_server.dsn(), connect_timeout=2)
        finally:
            postgres_server.resume()
        assert time.monotonic() - began < 10
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_minio_keeps_what_it_acknowledged(minio_server: MinioServer) -> None:
    assert minio_server.running
    minio_server.kill()
    minio_server.start()
    assert minio_server.running


def test_clamd_answers_again(clamd_server: ClamdServer) -> None:
    clamd_server.kill()
    clamd_server.start()
    assert Path(clamd_server.socket).exists()
