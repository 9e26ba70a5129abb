"""What every relational store promises of legal holds, of retention's runs and of the time that is trusted."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore
from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import (
    DocumentRow,
    ErasureRow,
    ExpiryTally,
    HoldRow,
    RetentionRunRow,
    State,
    TrustedTimeRow,
)
from stores.store_rows import NOW, Store, document, later, write


def hold(*doc_ids: Any, **values: Any) -> HoldRow:
    defaults: dict[str, Any] = {
        "hold_id": new_id(),
        "matter": "2026-0147",
        "reason": "litigation",
        "everything": not doc_ids,
        "doc_ids": doc_ids,
        "placed_at": NOW,
        "placed_by": "counsel",
    }
    return HoldRow(**(defaults | values))


def run(**values: Any) -> RetentionRunRow:
    defaults: dict[str, Any] = {
        "run_id": new_id(),
        "began_at": NOW,
        "cutoff": NOW - timedelta(days=30),
        "retention_days": 30,
        "config_version": 1,
    }
    return RetentionRunRow(**(defaults | values))


def erase(store: Store, row: DocumentRow) -> None:
    write(store, lambda uow: uow.documents.put(replace(row, state=State.ERASED)))


def refused(store: Store, row: DocumentRow) -> None:
    with pytest.raises(Conflict) as caught:
        erase(store, row)
    assert caught.value.code == "document_held"
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == row


def test_holds_come_back_as_they_were_placed(store: Store) -> None:
    one, two = document(), document()
    rows = [hold(one.doc_id), hold(one.doc_id, two.doc_id, matter="M/7", reason="audit"), hold()]
    write(store, lambda uow: [uow.holds.add(row) for row in rows])
    with store.unit_of_work() as uow:
        assert uow.holds.get(rows[1].hold_id) == rows[1]
        assert uow.holds.get(new_id()) is None
        assert uow.holds.page() == rows
        assert uow.holds.page(limit=1, after=rows[0].hold_id) == [rows[1]]
        assert uow.holds.page(doc_id=two.doc_id) == rows[1:]
        assert uow.holds.count() == 3
        assert uow.holds.release(rows[1].hold_id, later(5), "chief", "closed")
        assert not uow.holds.release(rows[1].hold_id, later(6), "other", "mistake"), "once is for good"
        assert not uow.holds.release(new_id(), later(6), "other", "mistake")
        uow.commit()
    with store.unit_of_work() as uow:
        released = replace(rows[1], released_at=later(5), released_by="chief", release_reason="closed")
        assert uow.holds.page() == [rows[0], released, rows[2]]
        assert uow.holds.page(in_force=True) == [rows[0], rows[2]]
        assert uow.holds.page(in_force=True, doc_id=two.doc_id) == [rows[2]]
        assert uow.holds.count() == 2


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_held_is_not_erased_whoever_asks(store: Store, everything: bool) -> None:
    row, other = document(), document()
    holds = [hold(*(() if everything else (row.doc_id,))) for _ in range(2)]
    write(store, lambda uow: [uow.documents.put(each) for each in (row, other)])
    write(store, lambda uow: [uow.holds.add(each) for each in holds])
    refused(store, row)
    if everything:
        refused(store, other)
    else:
        erase(store, other)
    moved = replace(row, state=State.FAILED)
    write(store, lambda uow: uow.documents.put(moved))
    write(store, lambda uow: uow.holds.release(holds[0].hold_id, NOW, "chief", "closed"))
    refused(store, moved)
    write(store, lambda uow: uow.holds.release(holds[1].hold_id, NOW, "chief", "closed"))
    erase(store, moved)


def test_an_erasure_that_happened_elsewhere_is_written_down(store: Store) -> None:
    row = document(incarnation=2)
    write(store, lambda uow: (uow.documents.put(row), uow.holds.add(hold(row.doc_id))))
    told = ErasureRow(
        erasure_id=new_id(), doc_id=row.doc_id, incarnation=2, requested_at=NOW, actor="a", reason="request"
    )
    write(store, lambda uow: uow.erasures.put(told))
    refused(store, row)
    write(store, lambda uow: uow.erasures.put(replace(told, incarnation=1, key_destroyed_at=NOW)))
    refused(store, row)
    write(store, lambda uow: uow.erasures.put(replace(told, key_destroyed_at=NOW)))
    erase(store, row)


def test_a_hold_waits_for_an_erasure_that_is_being_decided(store: Store) -> None:
    row = document()
    write(store, lambda uow: uow.documents.put(row))
    placed = threading.Event()

    def place() -> None:
        write(store, lambda uow: uow.holds.add(hold(row.doc_id)))
        placed.set()

    with store.unit_of_work() as uow:
        uow.documents.put(replace(row, state=State.ERASED))
        thread = threading.Thread(target=place)
        thread.start()
        assert not placed.wait(0.3), "it would hold what is being erased"
        uow.commit()
    thread.join(10)
    assert placed.is_set()


def test_an_erasure_waits_for_a_hold_that_is_being_placed(store: Store) -> None:
    row = document()
    write(store, lambda uow: uow.documents.put(row))
    codes: list[str] = []

    def attempt() -> None:
        try:
            erase(store, row)
        except FrostbyteError as error:
            codes.append(error.code)

    with store.unit_of_work() as uow:
        uow.holds.add(hold(row.doc_id))
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it was decided while the hold was being placed"
        uow.commit()
    thread.join(10)
    assert codes == ["document_held"]


def test_due_is_what_is_old_and_neither_erased_nor_held(store: Store) -> None:
    old, older, kept = (document(received_at=later(-n)) for n in (10, 20, 15))
    gone, new = document(received_at=later(-30), state=State.ERASED), document(received_at=NOW)
    write(store, lambda uow: [uow.documents.put(row) for row in (old, older, kept, gone, new)])
    write(store, lambda uow: uow.holds.add(hold(kept.doc_id)))
    with store.unit_of_work() as uow:
        assert uow.retention.due(NOW) == [older, old]
        assert uow.retention.due(NOW, limit=1) == [older]
        assert uow.retention.tally(NOW) == ExpiryTally(due=2, held=1)
        assert uow.retention.tally(later(-100)) == ExpiryTally(due=0, held=0)
    write(store, lambda uow: uow.holds.add(hold()))
    with store.unit_of_work() as uow:
        assert uow.retention.due(NOW) == []
        assert uow.retention.tally(NOW) == ExpiryTally(due=0, held=3)


def test_one_run_at_a_time_and_its_erasures(store: Store) -> None:
    first, second = run(), run(began_at=later(9))
    write(store, lambda uow: uow.retention.put(first))
    with pytest.raises(Conflict) as caught:
        write(store, lambda uow: uow.retention.put(second))
    assert caught.value.code == "row_exists"
    ended = replace(first, finished_at=later(1), erased=2, held=1, remaining=3)
    write(store, lambda uow: (uow.retention.put(ended), uow.retention.put(second)))
    rows = [
        ErasureRow(
            erasure_id=new_id(),
            doc_id=new_id(),
            incarnation=0,
            requested_at=NOW,
            actor="plane",
            reason="r",
            run_id=mine,
        )
        for mine in (first.run_id, first.run_id, second.run_id, None)
    ]
    write(store, lambda uow: [uow.erasures.put(row) for row in rows])
    with store.unit_of_work() as uow:
        assert uow.retention.run(first.run_id) == ended
        assert uow.retention.run(new_id()) is None
        assert uow.retention.runs() == [second, ended]
        assert uow.retention.runs(limit=1) == [second]
        assert uow.retention.runs(before=second.run_id) == [ended]
        assert uow.retention.erased_in(first.run_id) == 2
        assert uow.retention.erasures(first.run_id) == rows[:2]
        assert uow.retention.erasures(first.run_id, after=rows[0].erasure_id) == rows[1:2]
        assert uow.retention.erasures(first.run_id, limit=1) == rows[:1]


def test_the_trusted_time_is_one(store: Store) -> None:
    with store.unit_of_work() as uow:
        assert uow.retention.trusted() is None
        assert uow.retention.moment(NOW) == NOW
    for row in (TrustedTimeRow(trusted_at=NOW), TrustedTimeRow(trusted_at=later(-1), doubt="clock_leapt")):
        write(store, lambda uow, row=row: uow.retention.trust(row))  # type: ignore[misc]
        with store.unit_of_work() as uow:
            assert uow.retention.trusted() == row


def test_the_earlier_of_two_clocks_counts(server: EmbeddedServer, database: str) -> None:
    with PostgresStore(server.dsn("frostbyte_writer", database)) as store, store.unit_of_work() as uow:
        assert uow.retention.moment(NOW) == NOW
        ahead = NOW + timedelta(days=36_500)
        assert uow.retention.moment(ahead) < ahead - timedelta(days=3650)


@pytest.mark.parametrize("user", ["frostbyte_owner", "postgres"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE holds SET matter = '2026-9'",
        "UPDATE holds SET doc_ids = '{}', everything = true",
        "UPDATE holds SET placed_by = 'nobody'",
        "DELETE FROM holds",
        "TRUNCATE holds",
    ],
)
def test_no_role_changes_what_a_hold_is(
    postgres: PostgresStore, server: EmbeddedServer, database: str, user: str, change: str
) -> None:
    row = hold(new_id())
    write(postgres, lambda uow: uow.holds.add(row))
    with psycopg.connect(server.dsn(user, database)) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(change.encode())
    assert caught.value.sqlstate == "FB001"


def test_released_stays_released(postgres: PostgresStore, server: EmbeddedServer, database: str) -> None:
    row = hold(new_id())
    write(postgres, lambda uow: uow.holds.add(row))
    write(postgres, lambda uow: uow.holds.release(row.hold_id, NOW, "chief", "closed"))
    with psycopg.connect(server.dsn("postgres", database)) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("UPDATE holds SET released_at = NULL, released_by = '', release_reason = ''")
    assert caught.value.sqlstate == "FB001"


@pytest.mark.parametrize(
    "values", [{"matter": "Smith against Jones"}, {"matter": "smith"}, {"reason": "Because!"}, {"everything": True}]
)
def test_the_database_takes_no_words(postgres: PostgresStore, values: dict[str, Any]) -> None:
    def place(uow: UnitOfWork) -> None:
        uow.holds.add(hold(new_id(), **values))

    with pytest.raises(FrostbyteError) as caught:
        write(postgres, place)
    assert caught.value.code == "database_value_refused"
