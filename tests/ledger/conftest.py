"""Ledgers of each kind; those on PostgreSQL share the server of the control plane's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from control.conftest import database, server
from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.adapters.ledger.postgres import PostgresLedger
from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.control_plane.ledger.ports import LedgerStore

__all__ = ["database", "server"]


@pytest.fixture
def postgres(server: EmbeddedServer, database: str) -> Iterator[PostgresLedger]:
    with PostgresLedger(server.dsn("frostbyte_writer", database)) as store:
        yield store


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> LedgerStore:
    """A store of each kind."""
    if request.param == "memory":
        return MemoryLedger()
    made: LedgerStore = request.getfixturevalue("postgres")
    return made
