"""Every test of intake has a door of its own, with rows in memory or, where a test asks for both, in PostgreSQL too."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, migrate
from intake.door_bench import Bench, new_bench
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
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if getattr(request, "param", "memory") == "memory":
        yield new_bench(MemoryStore())
        return
    server: EmbeddedServer = request.getfixturevalue("server")
    name = f"intake_{next(_numbers)}"
    server.create_database(name, template="template")
    with PostgresStore(server.dsn("frostbyte_writer", name), caller_clock=True) as store:
        yield new_bench(store)
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
