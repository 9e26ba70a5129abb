"""What a restarted database costs: one unit of work at most, whatever waits in the pool."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from uuid import uuid4

import psycopg
import pytest

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.adapters.postgres.pool import TRUSTED_SECONDS
from frostbyte.kernel.errors import Unavailable


def end_connections(server: EmbeddedServer, database: str) -> int:
    """End what the store holds open, as a restart of the server does; returns how many there were."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database]
        ).fetchall()
    return len(ended)


def fill_pool(store: PostgresStore, size: int) -> None:
    with ExitStack() as stack:
        for _ in range(size):
            stack.enter_context(store.unit_of_work()).documents.get(uuid4())


def test_one_unit_of_work_fails_and_the_rest_never_notice(
    server: EmbeddedServer, database: str, postgres: PostgresStore
) -> None:
    fill_pool(postgres, 4)
    assert end_connections(server, database) == 4
    with suppress(Unavailable):  # the only one to meet a connection that nobody knew to be broken
        postgres.ping()
    for _ in range(8):
        postgres.ping()


def test_a_connection_that_waited_is_asked_before_it_is_used(
    server: EmbeddedServer, database: str, postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_pool(postgres, 3)
    assert end_connections(server, database) == 3
    monkeypatch.setattr("frostbyte.adapters.postgres.pool.TRUSTED_SECONDS", -TRUSTED_SECONDS)
    postgres.ping()


def test_a_connection_just_used_is_not_asked_again(postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    postgres.ping()
    monkeypatch.setattr("psycopg_pool.ConnectionPool.check_connection", asked.append)
    for _ in range(5):
        postgres.ping()
    assert asked == []
