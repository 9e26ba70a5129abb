"""One embedded server for all tests of the control plane; each test has a database of its own, a copy."""

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

from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.registry.postgres import PostgresRegistry
from servers.postgres import unsynced

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-test-"))
    server = EmbeddedServer(folder / "postgres", database="template")
    try:
        server.start()
        unsynced(server)
        migrate(server.owner_dsn, packaged(Schema.CONTROL))
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


@pytest.fixture
def postgres(server: EmbeddedServer, database: str) -> Iterator[PostgresRegistry]:
    with PostgresRegistry(server.dsn("frostbyte_writer", database)) as store:
        yield store


@pytest.fixture(params=["memory", "postgres"])
def registry(request: pytest.FixtureRequest) -> Any:
    """A registry of each kind."""
    return MemoryRegistry() if request.param == "memory" else request.getfixturevalue("postgres")
