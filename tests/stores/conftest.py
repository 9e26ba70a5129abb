"""One embedded server for all tests of the stores; each test has a database of its own, copied from a template."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from servers.postgres import unsynced

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-test-"))
    server = EmbeddedServer(folder / "postgres", database="template")
    try:
        server.start()
        unsynced(server)
        migrate(server.owner_dsn)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    """The name of a fresh database with the schema."""
    name = f"test_{next(_numbers)}"
    server.create_database(name, template="template")
    yield name
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A store of each kind; leases go by the `now` that the test passes."""
    if request.param == "memory":
        yield MemoryStore()
        return
    server: EmbeddedServer = request.getfixturevalue("server")
    name: str = request.getfixturevalue("database")
    with PostgresStore(server.dsn("frostbyte_writer", name), caller_clock=True) as store:
        yield store


@pytest.fixture
def postgres(server: EmbeddedServer, database: str) -> Iterator[PostgresStore]:
    with PostgresStore(server.dsn("frostbyte_writer", database), caller_clock=True) as store:
        yield store
