"""A snapshot of a database tells of each table whether it is what it was in an earlier one, and errs to one side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.adapters.postgres.snapshot import PostgresSnapshots
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ports.snapshot import Tally
from frostbyte.kernel.records import DocumentRow
from stores.store_rows import document, event, write

SIGNER = Signer(bytes(range(32)), "log.example/acme")
Tallied = Callable[..., tuple[str, dict[str, Tally]]]


@pytest.fixture
def tallied(server: EmbeddedServer, database: str, postgres: PostgresStore) -> Tallied:
    """Takes a snapshot: its mark, and its tables against an earlier one's mark."""
    write(postgres, lambda uow: uow.audit.append(event()))

    def take(since: str = "") -> tuple[str, dict[str, Tally]]:
        def number(unit_of_work: Any) -> None:
            Sequencer(unit_of_work, SIGNER, SystemClock()).run_once()

        with PostgresSnapshots(server.dsn("frostbyte_writer", database)).take(number) as snapshot:
            return snapshot.mark, snapshot.tallies(since)

    return take


@pytest.fixture
def delete(server: EmbeddedServer, database: str) -> Callable[[DocumentRow], None]:
    def go(row: DocumentRow) -> None:
        with psycopg.connect(server.dsn("postgres", database), autocommit=True) as connection:
            connection.execute("DELETE FROM documents WHERE doc_id = %s", [row.doc_id])

    return go


def test_a_row_that_comes_changes_or_goes_is_seen(
    tallied: Tallied, delete: Callable[[DocumentRow], None], postgres: PostgresStore
) -> None:
    rows = [document() for _ in range(3)]
    write(postgres, lambda uow: [uow.documents.put(row) for row in rows])
    mark, first = tallied()
    assert first["documents"] == (3, 3)
    assert not {"audit_events", "audit_sequence", "audit_nodes", "audit_checkpoints"} & first.keys()
    mark, same = tallied(mark)
    assert same["documents"] == (3, 0)
    assert all(tally.fresh == 0 for tally in same.values())
    write(postgres, lambda uow: uow.documents.put(replace(rows[0], mime="text/html")))
    mark, changed = tallied(mark)
    assert changed["documents"] == (3, 1)
    write(postgres, lambda uow: uow.documents.put(document()))
    delete(rows[1])
    mark, swapped = tallied(mark)
    assert swapped["documents"] == (3, 1), "as many rows, and one of them is new"
    delete(rows[2])
    assert tallied(mark)[1]["documents"] == (2, 0), "nothing is new, and one is gone"


def test_what_was_under_way_then_counts_as_new(tallied: Tallied, postgres: PostgresStore) -> None:
    with postgres.unit_of_work() as late:
        late.documents.put(document())
        write(postgres, lambda uow: uow.documents.put(document()))
        mark, first = tallied()
        assert first["documents"].rows == 1
        late.commit()
    assert tallied(mark)[1]["documents"] == (2, 2), "the transaction that began first had not ended"


def test_of_another_database_or_from_too_long_ago_everything_counts_as_new(
    tallied: Tallied, postgres: PostgresStore
) -> None:
    write(postgres, lambda uow: uow.documents.put(document()))
    mark, _ = tallied()
    system, database, first = mark.split("/")
    for other in (
        f"{int(system) + 1}/{database}/{first}",
        f"{system}/{int(database) + 1}/{first}",
        f"{system}/{database}/{int(first) - (1 << 31)}",
        "",
    ):
        assert tallied(other)[1]["documents"] == (1, 1), other
    assert tallied(mark)[1]["documents"] == (1, 0)
