"""What every relational store promises while a plane is updated: nothing is begun, and then nothing is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.records import CosignatureRow, PlaneStandingRow, Stage, Upkeep
from stores.store_rows import NOW, Store, batch, event, job, later, receipt, write

ALL = tuple(Stage)


def keep(store: Store, upkeep: Upkeep) -> None:
    write(store, lambda uow: uow.standing.keep(upkeep))


def test_a_fresh_plane_takes_everything_and_a_directive_leaves_that_alone(store: Store) -> None:
    with store.unit_of_work() as uow:
        assert uow.standing.get().upkeep is Upkeep.OPEN
    keep(store, Upkeep.READING)
    write(store, lambda uow: uow.standing.put(PlaneStandingRow(version=3)))
    write(store, lambda uow: uow.standing.grant(NOW, 30))
    with store.unit_of_work() as uow:
        assert (uow.standing.get().upkeep, uow.standing.get().version) == (Upkeep.READING, 3)


@pytest.mark.parametrize("upkeep", Upkeep)
def test_jobs_are_begun_only_by_a_plane_that_is_open(store: Store, upkeep: Upkeep) -> None:
    waiting = job(not_before=later(-100))
    write(store, lambda uow: uow.jobs.put(waiting))
    keep(store, upkeep)
    free = upkeep is Upkeep.OPEN
    with store.unit_of_work() as uow:
        assert bool(uow.jobs.due(Stage.SCAN, NOW)) is free
        assert uow.jobs.leased(NOW) == 0
        assert bool(uow.jobs.claim(waiting.job_id, "w", NOW, 30)) is free
        assert uow.jobs.leased(NOW) == int(free)
        assert uow.jobs.leased(later(31)) == 0
    with store.unit_of_work() as uow:
        assert bool(uow.jobs.lease("w", NOW, 30, ALL)) is free


def _events(uow: Any) -> None:
    uow.audit.append_many([event() for _ in range(9)])  # as many as are copied


def _receipt(uow: Any) -> None:
    row = batch()
    uow.batches.put(row)
    uow.batches.add_receipt(receipt(row.batch_id))


ADDED: dict[str, Callable[[Any], None]] = {
    "an event": lambda uow: uow.audit.append(event()),
    "many events": _events,
    "a receipt": _receipt,
    "a cosignature": lambda uow: uow.audit.add_cosignature(
        CosignatureRow(size=1, witness="w", line="l", created_at=NOW)
    ),
}


@pytest.mark.parametrize("what", ADDED)
def test_nothing_is_written_down_in_a_frozen_plane(store: Store, what: str) -> None:
    keep(store, Upkeep.READING)
    write(store, ADDED[what])  # what was begun ends, and questions are audited
    keep(store, Upkeep.FROZEN)
    with pytest.raises(Unavailable) as caught:
        write(store, ADDED[what])
    assert caught.value.code == "plane_updating"
    keep(store, Upkeep.OPEN)
    if what != "a cosignature":
        write(store, ADDED[what])


def test_an_event_alone_is_refused_in_a_frozen_plane_too(store: Store) -> None:
    keep(store, Upkeep.FROZEN)
    with pytest.raises(Unavailable) as caught, store.unit_of_work() as uow:
        uow.record(event())
    assert caught.value.code == "plane_updating"
    with store.unit_of_work() as uow:
        assert uow.audit.unsequenced(10) == []


def test_freezing_waits_for_who_is_writing_and_lets_nobody_in_after_it(store: Store) -> None:
    """What is refused afterwards cannot slip in by having begun before."""
    frozen, order = threading.Event(), list[str]()

    def freeze() -> None:
        keep(store, Upkeep.FROZEN)
        order.append("frozen")
        frozen.set()

    thread = threading.Thread(target=freeze)
    with store.unit_of_work() as uow:
        uow.audit.append(event())
        thread.start()
        assert not frozen.wait(0.3)
        order.append("written")
        uow.commit()
    thread.join(10)
    assert order == ["written", "frozen"]
    with store.unit_of_work() as uow:
        assert len(uow.audit.unsequenced(10)) == 1


def test_the_owner_of_the_tables_is_refused_too(server: EmbeddedServer, database: str) -> None:
    """A trigger that is always on: no role and no replication setting writes into a frozen log."""
    with psycopg.connect(server.dsn("frostbyte_owner", database), autocommit=True) as connection:
        connection.execute("UPDATE plane_standing SET upkeep = 'frozen'")
        for table in ("audit_events", "receipts", "audit_cosignatures"):
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(f"INSERT INTO {table} SELECT * FROM {table}".encode())
            assert caught.value.sqlstate == "FB004"


def test_a_state_that_nobody_knows_is_refused(server: EmbeddedServer, database: str) -> None:
    with (
        psycopg.connect(server.dsn("frostbyte_owner", database), autocommit=True) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute("UPDATE plane_standing SET upkeep = 'shut'")


def test_a_unit_that_was_refused_can_be_tried_again(store: Store) -> None:
    keep(store, Upkeep.FROZEN)
    with store.unit_of_work() as uow, pytest.raises(FrostbyteError):
        uow.audit.append(event())
    keep(store, Upkeep.OPEN)
    write(store, lambda uow: uow.audit.append(event()))
    with store.unit_of_work() as uow:
        assert len(uow.audit.unsequenced(10)) == 1
