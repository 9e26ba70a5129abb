"""What every relational store promises of transactions, documents, uploads and settings; run against the one in memory
and against PostgreSQL. Jobs and the audit have files of their own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import (
    ConfigRow,
    ErasureRow,
    HandoutRow,
    Outcome,
    RevocationRow,
    Stage,
    State,
)
from stores.store_rows import NOW, Store, batch, document, event, later, receipt, write

# Transactions


def test_what_is_not_committed_is_undone(store: Store) -> None:
    row, entry = document(), event()
    with store.unit_of_work() as uow:
        uow.documents.put(row)
        uow.audit.append(entry)
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) is None
        assert uow.audit.event(entry.event_id) is None


def test_an_error_in_the_block_undoes_it_and_passes_through(store: Store) -> None:
    row = document()

    def fail(uow: UnitOfWork) -> None:
        uow.documents.put(row)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(store, fail)
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) is None


def test_open_work_is_seen_by_itself_only(store: Store) -> None:
    row = document()
    with store.unit_of_work() as mine, store.unit_of_work() as other:
        mine.documents.put(row)
        assert mine.documents.get(row.doc_id) == row
        assert other.documents.get(row.doc_id) is None
        mine.commit()
        assert other.documents.get(row.doc_id) == row


def test_work_after_commit_is_refused(store: Store) -> None:
    with store.unit_of_work() as uow:
        uow.commit()
        with pytest.raises(FrostbyteError) as caught:
            uow.documents.put(document())
    assert caught.value.code == "unit_of_work_closed"


def test_reading_sees_what_is_committed_and_changes_nothing(store: Store) -> None:
    row = document()
    with store.unit_of_work(reading=True) as reader:
        assert reader.documents.get(row.doc_id) is None
        with store.unit_of_work() as writer:
            writer.documents.put(row)
            assert reader.documents.get(row.doc_id) is None
            writer.commit()
        assert reader.documents.get(row.doc_id) == row
        for change in (
            lambda: reader.documents.put(row),
            lambda: reader.documents.get(row.doc_id, lock=True),
            lambda: reader.lock_content(row.doc_id),
            lambda: reader.audit.lock_sequencer(),
            lambda: reader.audit.append_many([event() for _ in range(100)]),
            reader.commit,
            lambda: reader.record(event()),
        ):
            with pytest.raises(FrostbyteError) as caught:
                change()
            assert caught.value.code == "unit_of_work_reading"
    with store.unit_of_work() as uow:  # the connection is used for transactions again
        uow.documents.put(replace(row, size=row.size + 1))
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == row


def test_an_event_alone_is_recorded_at_once_and_others_with_what_was_done(store: Store) -> None:
    alone, beside, row = event(), event(), document()
    with store.unit_of_work() as uow:
        uow.record(alone)
        with pytest.raises(FrostbyteError) as caught:
            uow.documents.put(row)
    assert caught.value.code == "unit_of_work_closed"
    with store.unit_of_work() as uow:
        uow.documents.put(row)
        uow.record(beside)
    with store.unit_of_work() as uow:
        assert uow.audit.event(alone.event_id) == alone
        assert uow.audit.event(beside.event_id) == beside
        assert uow.documents.get(row.doc_id) == row
    with store.unit_of_work() as uow, pytest.raises(FrostbyteError):
        uow.record(alone)  # it is there already
    with store.unit_of_work() as uow:  # the connection is used for transactions again
        uow.documents.put(replace(row, size=row.size + 1))
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == row


def test_the_content_lock_lets_one_in_at_a_time(store: Store) -> None:
    doc_id, inside, most = new_id(), [0], [0]
    guard = threading.Lock()

    def enter(_: int) -> None:
        with store.unit_of_work() as uow:
            uow.lock_content(doc_id)
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            uow.documents.get(doc_id)
            with guard:
                inside[0] -= 1
            uow.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, range(20)))
    assert most[0] == 1


def test_content_locks_of_two_documents_do_not_meet(store: Store) -> None:
    with store.unit_of_work() as one, store.unit_of_work() as two:
        one.lock_content(uuid4())
        two.lock_content(uuid4())
        two.commit()
        one.commit()


def test_a_locked_row_makes_the_next_reader_see_the_new_value(store: Store) -> None:
    row = document(pages=0)
    write(store, lambda uow: uow.documents.put(row))

    def count_up(_: int) -> None:
        with store.unit_of_work() as uow:
            found = uow.documents.get(row.doc_id, lock=True)
            assert found is not None
            uow.documents.put(replace(found, pages=found.pages + 1))
            uow.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(40)))
    with store.unit_of_work() as uow:
        assert uow.documents.get_many([row.doc_id])[row.doc_id].pages == 40


# Documents


def test_a_document_comes_back_as_it_was(store: Store) -> None:
    row = document(
        state=State.WAITING,
        stage=Stage.EMBED,
        code="embedder_unavailable",
        message="Es wartet auf den Embedder.",
        account={"pages": {"found": 3}, "ok": True, "none": None, "list": [1, "ü"]},
        notes=("one", "two, 'quoted' {braces}"),
        class_confidence=0.1,
        class_second="policy",
        class_second_confidence=0.09,
        class_reasons=("invoice_title", "invoice_sums"),
        finished_at=later(5),
        last_event_id=new_id(),
        last_output="ab" * 32,
        size=5_000_000_000,
    )
    write(store, lambda uow: uow.documents.put(row))
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == row
        assert uow.documents.get(row.doc_id, lock=True) == row
        assert uow.documents.get_many([row.doc_id, new_id()]) == {row.doc_id: row}
        assert uow.documents.get_many([]) == {}
    changed = replace(row, state=State.INDEXED, stage=None, account=None, notes=())
    write(store, lambda uow: uow.documents.put(changed))
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == changed


def test_documents_are_paged_in_order_of_their_ids(store: Store) -> None:
    rows = [
        document(doc_id=uuid4(), state=state, needs_review=review)
        for state in (State.INDEXED, State.FAILED)
        for review in (True, False)
        for _ in range(3)
    ]
    rows.sort(key=lambda row: row.doc_id)
    write(store, lambda uow: [uow.documents.put(row) for row in rows])
    with store.unit_of_work() as uow:
        assert uow.documents.page() == rows
        first = uow.documents.page(limit=5)
        assert first + uow.documents.page(after=first[-1].doc_id, limit=100) == rows
        assert uow.documents.page(state=State.FAILED) == [r for r in rows if r.state is State.FAILED]
        wanted = [r for r in rows if r.state is State.INDEXED and r.needs_review]
        assert uow.documents.page(state=State.INDEXED, needs_review=True) == wanted
        assert uow.documents.page(needs_review=False) == [r for r in rows if not r.needs_review]


def test_the_quota_leaves_out_the_erased(store: Store) -> None:
    old, older = document(size=7, received_at=later(-10)), document(size=5, received_at=later(-20))
    gone, new = document(size=100, received_at=later(-30), state=State.ERASED), document(size=1, received_at=NOW)
    with store.unit_of_work() as uow:
        assert uow.documents.stored_bytes() == 0
    write(store, lambda uow: [uow.documents.put(row) for row in (old, older, gone, new)])
    with store.unit_of_work() as uow:
        assert uow.documents.stored_bytes() == 13


# Batches


def test_a_batch_and_its_receipts_come_back(store: Store) -> None:
    one = batch(idempotency_key="k", key_object="keys/batch-1", fingerprint="ab", closed_at=later(1))
    doc_id = new_id()
    second = receipt(one.batch_id, 1, outcome=Outcome.REJECTED, code="mime_refused", message="m", remedy="r")
    first = receipt(one.batch_id, 0, doc_id=doc_id, incarnation=2, file_id="f-1", sealed_name=b"\x01")
    write(store, lambda uow: (uow.batches.put(one), uow.batches.add_receipt(second), uow.batches.add_receipt(first)))
    with store.unit_of_work() as uow:
        assert uow.batches.get(one.batch_id) == one
        assert uow.batches.get(new_id()) is None
        assert uow.batches.receipt(first.receipt_id) == first
        assert uow.batches.receipt(new_id()) is None
        assert uow.batches.receipts(one.batch_id) == [first, second]
        assert uow.batches.by_idempotency_key("vendor", "k") == one
        assert uow.batches.by_idempotency_key("someone else", "k") is None
        assert uow.batches.by_idempotency_key("vendor", "") is None


def test_open_batches_of_a_document(store: Store) -> None:
    doc_id = new_id()
    still_open, done, other = batch(), batch(completed_at=later(1)), batch()

    def fill(uow: UnitOfWork) -> None:
        for row in (still_open, done, other):
            uow.batches.put(row)
        uow.batches.add_receipt(receipt(still_open.batch_id, 0, doc_id=doc_id))
        uow.batches.add_receipt(receipt(still_open.batch_id, 1, doc_id=doc_id, outcome=Outcome.DUPLICATE))
        uow.batches.add_receipt(receipt(done.batch_id, 0, doc_id=doc_id))
        uow.batches.add_receipt(receipt(other.batch_id, 0, doc_id=new_id()))

    write(store, fill)
    with store.unit_of_work() as uow:
        assert uow.batches.open_of_document(doc_id) == [still_open]
        assert uow.batches.sent_by("vendor", doc_id)
        assert not uow.batches.sent_by("stranger", doc_id)
        assert not uow.batches.sent_by("vendor", new_id())


def test_a_batch_is_under_way_while_a_document_of_it_is(store: Store) -> None:
    """Files that were rejected, and documents of other batches, do not count."""
    one, other = batch(), batch()
    first, second, elsewhere = document(), document(), document()

    def fill(uow: UnitOfWork) -> None:
        for row in (first, second, elsewhere):
            uow.documents.put(row)
        for row in (one, other):
            uow.batches.put(row)
        uow.batches.add_receipt(receipt(one.batch_id, 0, doc_id=first.doc_id))
        uow.batches.add_receipt(receipt(one.batch_id, 1, doc_id=second.doc_id))
        uow.batches.add_receipt(receipt(one.batch_id, 2, outcome=Outcome.REJECTED, doc_id=None))
        uow.batches.add_receipt(receipt(other.batch_id, 0, doc_id=elsewhere.doc_id))

    write(store, fill)
    for row, state, under_way in (
        (first, State.INDEXED, True),
        (second, State.WAITING, True),
        (second, State.QUARANTINED, False),
    ):
        with store.unit_of_work() as uow:
            assert uow.batches.under_way(one.batch_id)
            uow.documents.put(replace(row, state=state))
            assert uow.batches.under_way(one.batch_id) is under_way
            uow.commit()
    with store.unit_of_work() as uow:
        assert uow.batches.under_way(other.batch_id)
        assert not uow.batches.under_way(new_id())


def test_an_idempotency_key_names_one_upload_of_one_subject(store: Store) -> None:
    one = batch(idempotency_key="same")
    write(store, lambda uow: uow.batches.put(one))
    write(store, lambda uow: uow.batches.put(batch(idempotency_key="same", subject="another")))
    write(store, lambda uow: (uow.batches.put(batch()), uow.batches.put(batch())))  # no key, no conflict
    write(store, lambda uow: uow.batches.put(replace(one, completed_at=NOW)))
    with pytest.raises(Conflict) as caught:
        write(store, lambda uow: uow.batches.put(batch(idempotency_key="same")))
    assert caught.value.code == "idempotency_conflict"


def test_two_uploads_at_once_with_one_key_leave_one(store: Store) -> None:
    start = threading.Barrier(4)

    def upload(_: int) -> str:
        start.wait(5)
        try:
            write(store, lambda uow: uow.batches.put(batch(idempotency_key="race")))
        except Conflict as error:
            return error.code
        return "ok"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(upload, range(4)))
    assert outcomes == ["idempotency_conflict"] * 3 + ["ok"]


def test_a_receipt_needs_its_batch_and_a_place_of_its_own(store: Store) -> None:
    with pytest.raises(FrostbyteError) as caught:
        write(store, lambda uow: uow.batches.add_receipt(receipt(new_id())))
    assert caught.value.code == "database_value_refused"
    one = batch()
    write(store, lambda uow: (uow.batches.put(one), uow.batches.add_receipt(receipt(one.batch_id, 0))))
    with pytest.raises(Conflict) as refused:
        write(store, lambda uow: uow.batches.add_receipt(receipt(one.batch_id, 0)))
    assert refused.value.code == "row_exists"


# Settings


def test_configurations_are_versions(store: Store) -> None:
    rows = [ConfigRow(version=n, values={"top_k": n, "x": [1.5]}, created_at=NOW, actor="admin") for n in (1, 2)]
    with store.unit_of_work() as uow:
        assert uow.configs.latest() is None
    write(store, lambda uow: [uow.configs.add(row) for row in rows])
    with store.unit_of_work() as uow:
        assert uow.configs.latest() == rows[1]
        assert uow.configs.get(1) == rows[0]
        assert uow.configs.get(3) is None
        with pytest.raises(Conflict) as caught:
            uow.configs.add(rows[1])
        assert uow.configs.latest() == rows[1]  # the transaction goes on
    assert caught.value.code == "config_version_exists"


def test_a_token_is_revoked_once_and_for_all(store: Store) -> None:
    row = RevocationRow(token_id="t'1", revoked_at=NOW, expires_at=later(60), actor="admin")
    news = []
    for _ in range(2):
        write(store, lambda uow: news.append(uow.access.revoke(row)))
    assert news == [True, False]
    with store.unit_of_work() as uow:
        assert uow.access.revoked("t'1")
        assert not uow.access.revoked("t2")


def test_erasures_and_what_is_left_of_them(store: Store) -> None:
    doc_id = new_id()
    rows = [
        ErasureRow(erasure_id=new_id(), doc_id=doc_id, incarnation=n, requested_at=later(n), actor="a", reason="asked")
        for n in range(2)
    ]
    write(store, lambda uow: [uow.erasures.put(row) for row in reversed(rows)])
    done = replace(rows[0], key_destroyed_at=later(5), vectors_gone_at=later(6), event_id=new_id())
    write(store, lambda uow: uow.erasures.put(done))
    with store.unit_of_work() as uow:
        assert uow.erasures.get(done.erasure_id) == done
        assert uow.erasures.get(new_id()) is None
        assert uow.erasures.of_document(doc_id) == [done, rows[1]]
        assert uow.erasures.of_document(new_id()) == []
        assert uow.erasures.unfinished() == [rows[1]]


def test_exports_that_held_a_document(store: Store) -> None:
    mine, yours = new_id(), new_id()
    rows = [
        HandoutRow(export_id=new_id(), created_at=later(n), actor="a", kind="chunks", doc_ids=ids)
        for n, ids in enumerate([(mine, yours), (yours,), ()])
    ]
    write(store, lambda uow: [uow.erasures.add_handout(row) for row in reversed(rows)])
    with store.unit_of_work() as uow:
        assert uow.erasures.handouts_of(mine) == [rows[0]]
        assert uow.erasures.handouts_of(yours) == rows[:2]
        assert uow.erasures.handouts_of(new_id()) == []


def test_exports_of_a_kind_and_what_was_erased_since(store: Store) -> None:
    before, since, other = new_id(), new_id(), new_id()
    rows = [
        HandoutRow(export_id=new_id(), created_at=later(n), actor="a", kind=kind, doc_ids=(before, since, other))
        for n, kind in ((3, "plane"), (4, "chunks"), (5, "plane"))
    ]
    gone = [
        ErasureRow(
            erasure_id=new_id(), doc_id=doc_id, incarnation=0, requested_at=later(n), actor="a", reason="request"
        )
        for doc_id, n in ((before, 2), (since, 4), (since, 4), (new_id(), 6))
    ]
    write(store, lambda uow: [uow.erasures.add_handout(row) for row in rows])
    write(store, lambda uow: [uow.erasures.put(row) for row in gone])
    with store.unit_of_work() as uow:
        found = uow.erasures.handed_out("plane")
        assert [(row.export_id, row.documents, row.erased) for row in found] == [
            (rows[2].export_id, 3, 0),
            (rows[0].export_id, 3, 1),
        ]
        assert uow.erasures.handed_out("plane", limit=1) == found[:1]
        assert uow.erasures.handed_out("audit") == []


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=TEXT,
    sealed=st.binary(max_size=50),
    notes=st.lists(TEXT, max_size=4),
    key=TEXT,
    number=st.integers(-(2**63), 2**64 - 1),
)
def test_any_value_survives(store: Store, message: str, sealed: bytes, notes: list[str], key: str, number: int) -> None:
    row = document(message=message, sealed_name=sealed, notes=tuple(notes), account={key: [number, message]})
    write(store, lambda uow: uow.documents.put(row))
    with store.unit_of_work() as uow:
        assert uow.documents.get(row.doc_id) == row
