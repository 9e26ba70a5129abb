"""What every relational store promises of lists: their order, their pages, their filters and their sums."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.listing import AccountTally, FileTally, ReviewTally
from frostbyte.kernel.records import Outcome, Stage, State
from stores.store_rows import NOW, Store, batch, chunk, document, later, receipt, write


def read(store: Store, ask: Any) -> Any:
    with store.unit_of_work(reading=True) as uow:
        return ask(uow.listing)


def test_uploads_come_newest_first_and_page_by_page(store: Store) -> None:
    rows = [batch(subject="vendor" if n % 2 else "other", completed_at=NOW if n < 3 else None) for n in range(5)]
    for row in rows:
        write(store, lambda uow, row=row: uow.batches.put(row))
    newest = sorted(rows, key=lambda row: row.batch_id, reverse=True)
    assert newest == rows[::-1]  # an id made later is larger
    assert read(store, lambda lists: lists.batches()) == newest
    assert read(store, lambda lists: lists.batches(limit=2)) == newest[:2]
    assert read(store, lambda lists: lists.batches(before=newest[1].batch_id, limit=2)) == newest[2:4]
    assert read(store, lambda lists: lists.batches(subject="vendor")) == [rows[3], rows[1]]
    assert read(store, lambda lists: lists.batches(subject="vendor", before=rows[3].batch_id)) == [rows[1]]
    assert read(store, lambda lists: lists.batches(unfinished=True)) == [rows[4], rows[3]]
    assert read(store, lambda lists: lists.batches(subject="nobody")) == []


@pytest.fixture
def upload(store: Store) -> UUID:
    """One of six files: indexed, long indexed, twice under way at scan, waiting to be embedded, rejected."""
    row = batch()
    write(store, lambda uow: uow.batches.put(row))
    documents = [
        document(state=State.INDEXED, finished_at=later(50)),
        document(state=State.INDEXED, finished_at=later(-500)),
        document(stage=Stage.SCAN),
        document(stage=Stage.SCAN),
        document(state=State.WAITING, stage=Stage.EMBED, code="embedder_unavailable"),
    ]
    for position, one in enumerate(documents):
        write(store, lambda uow, one=one: uow.documents.put(one))
        outcome = Outcome.DUPLICATE if position == 1 else Outcome.ACCEPTED
        made = receipt(row.batch_id, position, doc_id=one.doc_id, size=100 + position, outcome=outcome)
        write(store, lambda uow, made=made: uow.batches.add_receipt(made))
    refused = receipt(row.batch_id, 5, size=7, outcome=Outcome.REJECTED, code="type_not_accepted")
    write(store, lambda uow: uow.batches.add_receipt(refused))
    return row.batch_id


def test_an_upload_s_files_are_counted_as_they_stand(store: Store, upload: UUID) -> None:
    other = batch()
    write(store, lambda uow: uow.batches.put(other))
    found = read(store, lambda lists: lists.tally([upload, other.batch_id], later(0)))

    def tally(outcome: Outcome, state: State | None, stage: Stage | None, *numbers: int) -> FileTally:
        count, size, recent = numbers
        return FileTally(
            batch_id=upload, outcome=outcome, state=state, stage=stage, count=count, size=size, recent=recent
        )

    wanted = [
        tally(Outcome.ACCEPTED, State.INDEXED, None, 1, 100, 1),
        tally(Outcome.DUPLICATE, State.INDEXED, None, 1, 101, 0),
        tally(Outcome.ACCEPTED, State.RECEIVED, Stage.SCAN, 2, 205, 0),
        tally(Outcome.ACCEPTED, State.WAITING, Stage.EMBED, 1, 104, 0),
        tally(Outcome.REJECTED, None, None, 1, 7, 0),
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert read(store, lambda lists: lists.tally([], NOW)) == []


def test_an_upload_s_files_come_by_position_and_by_how_they_stand(store: Store, upload: UUID) -> None:
    def positions(**asked: Any) -> list[int]:
        return [row.position for row in read(store, lambda lists: lists.files(upload, **asked))]

    assert positions() == [0, 1, 2, 3, 4, 5]
    assert positions(limit=2) == [0, 1]
    assert positions(after=3) == [4, 5]
    assert positions(states=()) == [5]
    assert positions(states=[State.INDEXED]) == [0, 1]
    assert positions(states=[State.RECEIVED, State.WAITING], after=2, limit=1) == [3]
    assert read(store, lambda lists: lists.files(new_id())) == []


def test_documents_come_newest_first_and_page_by_page(store: Store) -> None:
    rows = [document(received_at=later(n // 2)) for n in range(6)]  # two and two came at the same moment
    for row in rows:
        write(store, lambda uow, row=row: uow.documents.put(row))
    order = sorted(rows, key=lambda row: (row.received_at, row.doc_id), reverse=True)
    assert read(store, lambda lists: lists.documents()) == order
    for shown in (0, 2, 4, 6):  # a page begins where the one before ended, also between two of one moment
        for limit in (1, 2, 3):
            before = order[shown - 1].doc_id if shown else None
            page = read(store, lambda lists, before=before, limit=limit: lists.documents(before=before, limit=limit))
            assert page == order[shown : shown + limit]
    assert read(store, lambda lists: lists.documents(before=new_id())) == []


def test_documents_are_chosen_by_state_and_by_what_is_to_be_reviewed(store: Store) -> None:
    states = [State.INDEXED, State.QUARANTINED, State.FAILED, State.INDEXED]
    rows = [document(state=state, received_at=later(n), needs_review=n == 3) for n, state in enumerate(states)]
    for row in rows:
        write(store, lambda uow, row=row: uow.documents.put(row))
    assert read(store, lambda lists: lists.documents(states=[State.INDEXED])) == [rows[3], rows[0]]
    assert read(store, lambda lists: lists.documents(states=[State.FAILED, State.QUARANTINED])) == [rows[2], rows[1]]
    assert read(store, lambda lists: lists.documents(states=[])) == []
    assert read(store, lambda lists: lists.documents(needs_review=True)) == [rows[3]]
    assert read(store, lambda lists: lists.documents(states=[State.INDEXED], before=rows[3].doc_id)) == [rows[0]]


def test_what_is_to_be_decided_is_counted_where_it_answers(store: Store) -> None:
    row = document(state=State.INDEXED, needs_review=True, active_generation="g1")
    away = document(state=State.ERASED)
    assert read(store, lambda lists: lists.to_review()) == ReviewTally(documents=0, passages=0)
    for one in (row, away):
        write(store, lambda uow, one=one: uow.documents.put(one))
    chunks = [chunk(row.doc_id, n, withheld=n > 0) for n in range(3)]
    write(store, lambda uow: uow.chunks.put_generation(row.doc_id, "g1", chunks))
    older = [chunk(row.doc_id, 0, withheld=True, generation="g0")]
    write(store, lambda uow: uow.chunks.put_generation(row.doc_id, "g0", older))
    lost = [chunk(away.doc_id, 0, withheld=True, generation="")]
    write(store, lambda uow: uow.chunks.put_generation(away.doc_id, "", lost))
    assert read(store, lambda lists: lists.to_review()) == ReviewTally(documents=1, passages=2)


def test_accounts_of_an_upload_are_summed_once_a_document(store: Store) -> None:
    row, units = batch(), ("pages", "characters", "cells", "images")
    write(store, lambda uow: uow.batches.put(row))

    def account(found: int, **dropped: int) -> dict[str, Any]:
        tally = {"found": found, "indexed": found - 3, "redacted": 1, "withheld": 2, "dropped": dropped}
        return dict.fromkeys(units, tally)

    documents = [
        document(state=State.INDEXED, account=account(10, control=1, header=2)),
        document(state=State.QUARANTINED, account=account(20, header=5)),
        document(state=State.INDEXED, account=account(5)),
        document(),
    ]
    for position, one in enumerate([*documents, documents[0]]):  # the first one was sent twice
        write(store, lambda uow, one=one: uow.documents.put(one))
        outcome = Outcome.DUPLICATE if position == len(documents) else Outcome.ACCEPTED
        made = receipt(row.batch_id, position, doc_id=one.doc_id, outcome=outcome)
        write(store, lambda uow, made=made: uow.batches.add_receipt(made))
    refused = receipt(row.batch_id, 9, outcome=Outcome.REJECTED, code="type_not_accepted")
    write(store, lambda uow: uow.batches.add_receipt(refused))
    found = read(store, lambda lists: lists.account(row.batch_id))
    assert found == AccountTally(
        outcomes={Outcome.ACCEPTED: 4, Outcome.DUPLICATE: 1, Outcome.REJECTED: 1},
        states={State.INDEXED: 2, State.QUARANTINED: 1, State.RECEIVED: 1},
        numbers={key: {"found": 35, "indexed": 26, "redacted": 3, "withheld": 6} for key in units},
        dropped={key: {"control": 1, "header": 7} for key in units},
    )
    nothing = read(store, lambda lists: lists.account(new_id()))
    assert (nothing.outcomes, nothing.states, nothing.numbers["pages"]["found"], nothing.dropped["pages"]) == (
        {}, {}, 0, {},
    )  # fmt: skip
