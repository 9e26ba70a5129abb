"""What every relational store promises of a plane with several logs: the one that grows, and those that have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, EndedLogRow, EventRow
from stores.store_rows import NOW, Store, event, later, leaf, write

OLD = [event(resource_id="one") for _ in range(3)]
NEW = [event(resource_id="one") for _ in range(2)]


@pytest.fixture(params=["memory", "postgres"])
def restored(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A store whose first log ended with three events; it is open for who restores, the tables' owner."""
    if request.param == "memory":
        made = MemoryStore()
        _end(made)
        yield made
        return
    server: EmbeddedServer = request.getfixturevalue("server")
    name: str = request.getfixturevalue("database")
    with PostgresStore(server.dsn("frostbyte_owner", name)) as store:
        _end(store)
        yield store


def point(size: int, note: str) -> CheckpointRow:
    return CheckpointRow(size=size, root=leaf(size), note=note, created_at=later(size))


def ended(log: int, size: int) -> EndedLogRow:
    return EndedLogRow(
        log=log, origin=f"log {log}", public_key="key", size=size, root=leaf(size), note="old 3\n", ended_at=NOW
    )


def grow(uow: UnitOfWork, events: list[EventRow], note: str) -> None:
    """Append and number events, with nodes and a checkpoint."""
    uow.audit.append_many(events)
    uow.audit.extend(0, [item.event_id for item in events], [leaf(n) for n in range(len(events))])
    uow.audit.put_nodes([(1, 0, leaf(len(events)))])
    uow.audit.add_checkpoint(point(len(events), note))


def _end(store: Store) -> None:
    def restore(uow: UnitOfWork) -> None:
        grow(uow, OLD, "old 3\n")
        uow.audit.add_cosignature(CosignatureRow(size=3, witness="w", line="cosigned\n", created_at=NOW))
        uow.audit.end(ended(0, 3))
        grow(uow, NEW, "new 2\n")  # numbered from 0 again, in the same transaction

    write(store, restore)


def test_each_log_has_its_own_numbers_nodes_and_checkpoints(restored: Store) -> None:
    with restored.unit_of_work() as uow:
        old = uow.audit.of(0)
        assert uow.audit.ended() == [ended(0, 3)]
        assert (uow.audit.log_size(), old.log_size()) == (2, 3)
        assert uow.audit.unsequenced(9) == []
        assert [uow.audit.log_of(item.event_id) for item in [*OLD, *NEW]] == [0, 0, 0, 1, 1]
        assert uow.audit.log_of(event().event_id) is None
        assert [uow.audit.sequence_of(item.event_id) for item in (OLD[1], NEW[1])] == [None, 1]
        assert [old.sequence_of(item.event_id) for item in (OLD[1], NEW[1])] == [1, None]
        assert [item.event for item in uow.audit.events(resource_id="one")] == NEW
        assert [item.event for item in old.events(resource_id="one")] == OLD
        assert len(uow.audit.lines(after_sequence=-1, until=9, limit=9)) == 2
        assert len(old.lines(after_sequence=0, until=9, limit=9)) == 2
        assert (uow.audit.leaf_hashes(0, 9), old.leaf_hashes(1, 9)) == ([leaf(0), leaf(1)], [leaf(1), leaf(2)])
        assert (uow.audit.nodes([(1, 0)]), old.nodes([(1, 0)])) == ({(1, 0): leaf(2)}, {(1, 0): leaf(3)})
        assert uow.audit.checkpoints() == [uow.audit.latest_checkpoint()] == [point(2, "new 2\n")]
        assert old.checkpoints() == [old.checkpoint_covering(0)] == [point(3, "old 3\ncosigned\n")]
        assert uow.audit.event(OLD[0].event_id) == OLD[0], "an event is found wherever it is numbered"


@pytest.mark.parametrize(
    "add",
    [
        lambda log: log.extend(3, [event_of(log)], [leaf(3)]),
        lambda log: log.put_nodes([(2, 0, leaf(4))]),
        lambda log: log.add_checkpoint(point(4, "n")),
        lambda log: log.add_cosignature(CosignatureRow(size=3, witness="v", line="l\n", created_at=NOW)),
    ],
)
def test_nothing_is_added_to_a_log_that_has_ended(restored: Store, add: Callable[[Any], None]) -> None:
    extra = event(resource_id="extra")
    write(restored, lambda uow: uow.audit.append(extra))
    with pytest.raises(FrostbyteError) as caught, restored.unit_of_work() as uow:
        add(uow.audit.of(0))
    assert caught.value.code == "audit_append_only"


def event_of(log: Any) -> Any:
    """The event that is in no log yet."""
    return log.unsequenced(1)[0].event_id


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ended_logs SELECT log + 1, origin, public_key, size, root, note, ended_at FROM ended_logs",
        "UPDATE ended_logs SET size = 2",
        "DELETE FROM ended_logs",
        "TRUNCATE ended_logs",
    ],
)
def test_a_running_plane_ends_no_log_and_brings_none_back(
    server: EmbeddedServer, database: str, statement: str
) -> None:
    with PostgresStore(server.dsn("frostbyte_owner", database)) as store:
        _end(store)
    with (
        psycopg.connect(server.dsn("frostbyte_writer", database)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
    if not statement.startswith("INSERT"):
        with psycopg.connect(server.dsn("postgres", database)) as connection:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
            assert caught.value.sqlstate == "FB001"
