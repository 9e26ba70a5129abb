"""What every relational store promises; run against the one in memory and against PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import (
    CheckpointRow,
    ConfigRow,
    ErasureRow,
    HandoutRow,
    Outcome,
    RevocationRow,
    Stage,
    State,
)
from stores.store_rows import NOW, batch, chunk, document, event, job, later, leaf, receipt


class Store(Protocol):
    def unit_of_work(self) -> AbstractContextManager[UnitOfWork]: ...


def write(store: Store, work: Callable[[UnitOfWork], object]) -> None:
    with store.unit_of_work() as uow:
        work(uow)
        uow.commit()


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


def test_quota_and_retention_leave_out_the_erased(store: Store) -> None:
    old, older = document(size=7, received_at=later(-10)), document(size=5, received_at=later(-20))
    gone, new = document(size=100, received_at=later(-30), state=State.ERASED), document(size=1, received_at=NOW)
    with store.unit_of_work() as uow:
        assert uow.documents.stored_bytes() == 0
    write(store, lambda uow: [uow.documents.put(row) for row in (old, older, gone, new)])
    with store.unit_of_work() as uow:
        assert uow.documents.stored_bytes() == 13
        assert uow.documents.received_before(NOW) == [older, old]
        assert uow.documents.received_before(NOW, limit=1) == [older]


def test_matching_joins_all_filters_and_wants_an_active_generation(store: Store) -> None:
    a = document(active_generation="g", classification="invoice", received_at=later(1))
    b = document(active_generation="g", classification="contract", received_at=later(2))
    hidden = document(classification="invoice", received_at=later(1))
    write(store, lambda uow: [uow.documents.put(row) for row in (a, b, hidden)])
    with store.unit_of_work() as uow:
        matching = uow.documents.matching
        assert matching() == sorted([a.doc_id, b.doc_id])
        assert matching(classification="invoice") == [a.doc_id]
        assert matching(received_from=later(2)) == [b.doc_id]
        assert matching(received_to=later(1)) == [a.doc_id]
        assert matching(doc_ids=[b.doc_id, hidden.doc_id]) == [b.doc_id]
        assert matching(doc_ids=[]) == []
        assert matching(doc_ids=[a.doc_id], classification="contract") == []


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


# Jobs

ALL = tuple(Stage)


def test_a_lease_takes_the_most_urgent_and_counts(store: Store) -> None:
    soon, sooner, future = job(not_before=later(-1)), job(not_before=later(-2)), job(not_before=later(1))
    write(store, lambda uow: [uow.jobs.put(row) for row in (soon, sooner, future)])
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w1", NOW, 30, ALL)
        assert leased == replace(sooner, attempt=1, fence=1, worker="w1", leased_until=later(30))
        assert uow.jobs.get(sooner.doc_id) == leased
        second = uow.jobs.lease("w1", NOW, 30, ALL)
        assert second is not None
        assert second.doc_id == soon.doc_id
        assert uow.jobs.lease("w1", NOW, 30, ALL) is None
        uow.commit()


def test_a_lease_asks_for_stages_and_passes_over_the_dead(store: Store) -> None:
    write(store, lambda uow: (uow.jobs.put(job(stage=Stage.EMBED)), uow.jobs.put(job(dead=True))))
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w", NOW, 30, [Stage.SCAN, Stage.PARSE]) is None
        assert uow.jobs.lease("w", NOW, 30, []) is None
        found = uow.jobs.lease("w", NOW, 30, [Stage.EMBED])
        assert found is not None
        assert found.stage is Stage.EMBED


def test_a_lease_that_ran_out_goes_to_another_and_fences_the_first(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        first = uow.jobs.lease("w1", NOW, 10, ALL)
        uow.commit()
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w2", later(9.9), 10, ALL) is None
        second = uow.jobs.lease("w2", later(10), 10, ALL)
        uow.commit()
    assert first is not None
    assert second is not None
    assert (second.attempt, second.fence, second.worker) == (2, 2, "w2")
    with store.unit_of_work() as uow:
        assert not uow.jobs.renew(first, later(11), 10)
        assert not uow.jobs.finish(first)
        assert not uow.jobs.postpone(first, later(99))
        assert uow.jobs.get(row.doc_id) == second
        assert uow.jobs.renew(second, later(15), 10)
        renewed = uow.jobs.get(row.doc_id)
        assert renewed is not None
        assert renewed.leased_until == later(25)
        assert uow.jobs.finish(second)
        assert uow.jobs.get(row.doc_id) is None
        assert not uow.jobs.finish(second)
        uow.commit()


def test_a_lease_counts_only_when_committed(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        assert uow.jobs.lease("w", NOW, 30, ALL) is not None
    with store.unit_of_work() as uow:
        assert uow.jobs.get(row.doc_id) == row


def test_an_open_lease_is_passed_over_not_waited_for(store: Store) -> None:
    write(store, lambda uow: [uow.jobs.put(job()) for _ in range(2)])
    with store.unit_of_work() as one, store.unit_of_work() as two:
        first, second = one.jobs.lease("w1", NOW, 30, ALL), two.jobs.lease("w2", NOW, 30, ALL)
        assert first is not None
        assert second is not None
        assert first.doc_id != second.doc_id
        assert two.jobs.lease("w2", NOW, 30, ALL) is None


def test_many_workers_never_get_the_same_job(store: Store) -> None:
    rows = [job() for _ in range(60)]
    write(store, lambda uow: [uow.jobs.put(row) for row in rows])

    def drain(number: int) -> list[object]:
        mine: list[object] = []
        while True:
            with store.unit_of_work() as uow:
                leased = uow.jobs.lease(f"w{number}", NOW, 30, ALL)
                uow.commit()
            if leased is None:
                return mine
            mine.append(leased.doc_id)

    with ThreadPoolExecutor(4) as pool:
        taken = [doc_id for mine in pool.map(drain, range(4)) for doc_id in mine]
    # A worker may meet the last free jobs while others hold their rows, and leave; nothing is taken twice.
    assert len(taken) == len(set(taken))
    with store.unit_of_work() as uow:
        left = [row.doc_id for row in rows if uow.jobs.lease("last", NOW, 30, ALL) is not None]
        assert len(left) + len(taken) == len(rows)


def test_a_job_is_postponed_refunded_and_buried(store: Store) -> None:
    row = job()
    write(store, lambda uow: uow.jobs.put(row))
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w", NOW, 30, ALL)
        assert leased is not None
        assert uow.jobs.postpone(leased, later(60), refund=True)
        assert uow.jobs.get(row.doc_id) == replace(row, fence=1, not_before=later(60))
        assert uow.jobs.lease("w", later(59), 30, ALL) is None
        again = uow.jobs.lease("w", later(60), 30, ALL)
        assert again is not None
        assert (again.attempt, again.fence) == (1, 2)
        assert uow.jobs.postpone(again, later(61), dead=True)
        assert uow.jobs.lease("w", later(99), 30, ALL) is None
        assert uow.jobs.counts() == {"dead": 1}
        assert not uow.jobs.renew(again, later(62), 30)


def test_a_job_replaces_the_open_one_of_its_document(store: Store) -> None:
    old = job()
    new = job(doc_id=old.doc_id, stage=Stage.PARSE)
    write(store, lambda uow: uow.jobs.put(old))
    with store.unit_of_work() as uow:
        leased = uow.jobs.lease("w", NOW, 30, ALL)
        uow.commit()
    assert leased is not None
    write(store, lambda uow: uow.jobs.put(new))
    with store.unit_of_work() as uow:
        assert uow.jobs.get(old.doc_id) == new
        assert not uow.jobs.finish(leased)
        uow.jobs.cancel(old.doc_id)
        uow.jobs.cancel(old.doc_id)
        assert uow.jobs.get(old.doc_id) is None


def test_open_jobs_are_counted_by_stage(store: Store) -> None:
    with store.unit_of_work() as uow:
        assert uow.jobs.counts() == {"dead": 0}
        for stage in (Stage.SCAN, Stage.SCAN, Stage.INDEX):
            uow.jobs.put(job(stage=stage))
        uow.jobs.put(job(dead=True))
        assert uow.jobs.counts() == {"scan": 2, "index": 1, "dead": 1}


# Audit


def test_events_come_back_as_they_were(store: Store) -> None:
    first = event(details={"n": 12345678901234567890, "ü": None, "deep": {"a": [True, {"b": "\u2028"}]}})
    second = event(previous_event_id=first.event_id)
    write(store, lambda uow: (uow.audit.append(first), uow.audit.append_many([second])))
    with store.unit_of_work() as uow:
        assert uow.audit.event(first.event_id) == first
        assert uow.audit.event(second.event_id) == second
        assert uow.audit.event(new_id()) is None
        assert uow.audit.sequence_of(first.event_id) is None


@pytest.mark.parametrize("count", [0, 1, 5, 50])
def test_many_events_are_appended_at_once(store: Store, count: int) -> None:
    events = [event(previous_event_id=new_id() if number % 2 else None) for number in range(count)]
    write(store, lambda uow: uow.audit.append_many(events))
    with store.unit_of_work() as uow:
        assert uow.audit.unsequenced(1000) == events


@pytest.mark.parametrize("copies", [1, 20])
def test_an_event_is_recorded_once(store: Store, copies: int) -> None:
    one = event()
    write(store, lambda uow: uow.audit.append(one))
    with pytest.raises(Conflict) as caught:
        write(store, lambda uow: uow.audit.append_many([one, *(event() for _ in range(copies - 1))]))
    assert caught.value.code == "audit_event_exists"


def number(store: Store, limit: int = 1000) -> list[object]:
    """What a sequencer does, without hashing."""
    with store.unit_of_work() as uow:
        assert uow.audit.lock_sequencer()
        fresh = uow.audit.unsequenced(limit)
        size = uow.audit.log_size()
        leaves = [leaf(n) for n in range(size, size + len(fresh))]
        uow.audit.extend(size, [entry.event_id for entry in fresh], leaves)
        uow.commit()
    return [entry.event_id for entry in fresh]


def test_events_are_numbered_in_order_and_once(store: Store) -> None:
    events = [event() for _ in range(10)]
    write(store, lambda uow: uow.audit.append_many(list(reversed(events))))
    assert number(store, 4) == [entry.event_id for entry in events[:4]]
    assert number(store) == [entry.event_id for entry in events[4:]]
    assert number(store) == []
    with store.unit_of_work() as uow:
        assert uow.audit.log_size() == 10
        assert [uow.audit.sequence_of(entry.event_id) for entry in events] == list(range(10))
        assert uow.audit.leaf_hashes(3, 6) == [leaf(3), leaf(4), leaf(5)]
        assert uow.audit.leaf_hashes(8, 99) == [leaf(8), leaf(9)]
        assert uow.audit.leaf_hashes(5, 5) == []


def test_a_numbering_that_was_undone_is_done_again(store: Store) -> None:
    events = [event() for _ in range(3)]
    write(store, lambda uow: uow.audit.append_many(events))
    with store.unit_of_work() as uow:
        uow.audit.extend(0, [entry.event_id for entry in uow.audit.unsequenced(9)], [leaf(n) for n in range(3)])
        assert uow.audit.unsequenced(9) == []
    assert number(store) == [entry.event_id for entry in events]


def test_an_event_that_commits_late_is_not_skipped(store: Store) -> None:
    early, late = event(), event()
    with store.unit_of_work() as slow:
        slow.audit.append(early)  # the older id, still open
        write(store, lambda uow: uow.audit.append(late))
        assert number(store) == [late.event_id]
        newest = event()
        write(store, lambda uow: uow.audit.append(newest))
        assert number(store) == [newest.event_id]
        assert number(store) == []
        slow.commit()
    assert number(store) == [early.event_id]
    assert number(store) == []


def test_the_log_has_no_gaps_and_no_strangers(store: Store) -> None:
    known = [event() for _ in range(2)]
    write(store, lambda uow: uow.audit.append_many(known))
    ids = [entry.event_id for entry in known]
    wrong: list[tuple[int, list[object], int, str]] = [
        (1, ids, 2, "audit_sequence_conflict"),
        (0, [*ids, new_id()], 3, "audit_event_missing"),
        (0, [ids[0], ids[0]], 2, "audit_sequence_conflict"),
    ]
    for first, wanted, leaves, code in wrong:
        with pytest.raises(Conflict) as caught, store.unit_of_work() as uow:
            uow.audit.extend(first, wanted, [leaf(n) for n in range(leaves)])  # type: ignore[arg-type]
        assert caught.value.code == code
    with pytest.raises(ValueError), store.unit_of_work() as uow:
        uow.audit.extend(0, ids, [leaf(0)])
    assert number(store) == ids


def test_there_is_one_sequencer(store: Store) -> None:
    with store.unit_of_work() as one, store.unit_of_work() as two:
        assert one.audit.lock_sequencer()
        assert one.audit.lock_sequencer()
        assert not two.audit.lock_sequencer()
        one.commit()
        assert two.audit.lock_sequencer()
    with store.unit_of_work() as three:
        assert three.audit.lock_sequencer()


def test_events_are_found_by_what_they_are_about(store: Store) -> None:
    events = [
        event(resource_id=f"r{n % 2}", type="A" if n < 3 else "B", timestamp=NOW + timedelta(seconds=n))
        for n in range(6)
    ]
    write(store, lambda uow: uow.audit.append_many(events))
    with store.unit_of_work() as uow:
        assert uow.audit.events() == []
    number(store)
    write(store, lambda uow: uow.audit.append(event()))
    with store.unit_of_work() as uow:

        def numbers(**filters: object) -> list[int]:
            found = uow.audit.events(**filters)  # type: ignore[arg-type]
            assert [item.event for item in found] == [events[item.sequence] for item in found]
            return [item.sequence for item in found]

        assert numbers() == [0, 1, 2, 3, 4, 5]
        assert numbers(limit=2) == [0, 1]
        assert numbers(after_sequence=3) == [4, 5]
        assert numbers(resource_id="r1") == [1, 3, 5]
        assert numbers(type="B", resource_id="r1") == [3, 5]
        assert numbers(since=later(2), until=later(4)) == [2, 3, 4]
        assert numbers(resource_id="r9") == []


def test_nodes_are_kept(store: Store) -> None:
    nodes = [(1, 0, leaf(1)), (1, 1, leaf(2)), (2, 0, leaf(3))]
    write(store, lambda uow: (uow.audit.put_nodes(nodes), uow.audit.put_nodes([])))
    with store.unit_of_work() as uow:
        assert uow.audit.nodes([(2, 0), (1, 1), (7, 7)]) == {(2, 0): leaf(3), (1, 1): leaf(2)}
        assert uow.audit.nodes([]) == {}
    with pytest.raises(Conflict):
        write(store, lambda uow: uow.audit.put_nodes([(1, 1, leaf(9))]))


def test_checkpoints_are_kept(store: Store) -> None:
    rows = [CheckpointRow(size=n, root=leaf(n), note=f"note {n}\n— ü", created_at=later(n)) for n in (3, 5, 9)]
    with store.unit_of_work() as uow:
        assert uow.audit.latest_checkpoint() is None
    for row in reversed(rows):
        write(store, lambda uow, row=row: uow.audit.add_checkpoint(row))  # type: ignore[misc]
    with store.unit_of_work() as uow:
        assert uow.audit.latest_checkpoint() == rows[2]
        assert uow.audit.checkpoint_covering(2) == rows[0]
        assert uow.audit.checkpoint_covering(3) == rows[1]
        assert uow.audit.checkpoint_covering(9) is None
        assert uow.audit.checkpoints() == rows
        assert uow.audit.checkpoints(after_size=3, limit=1) == [rows[1]]
    with pytest.raises(Conflict) as caught:
        write(store, lambda uow: uow.audit.add_checkpoint(rows[0]))
    assert caught.value.code == "checkpoint_exists"


# Chunks


def test_chunks_are_seen_in_the_active_generation_unless_withheld(store: Store) -> None:
    shown, hidden = document(active_generation="g1"), document()
    mine = [chunk(shown.doc_id, n, pii=("EMAIL",), injection_score=0.25, withheld=n == 1) for n in range(3)]
    older = [chunk(shown.doc_id, 0, generation="g0")]
    dark = [chunk(hidden.doc_id, 0)]

    def fill(uow: UnitOfWork) -> None:
        uow.documents.put(shown)
        uow.documents.put(hidden)
        uow.chunks.put_generation(shown.doc_id, "g1", list(reversed(mine)))
        uow.chunks.put_generation(shown.doc_id, "g0", older)
        uow.chunks.put_generation(hidden.doc_id, "g1", dark)

    write(store, fill)
    with store.unit_of_work() as uow:
        everything = [row.chunk_id for row in mine + older + dark]
        assert uow.chunks.visible(everything) == {row.chunk_id: row for row in (mine[0], mine[2])}
        assert uow.chunks.visible([]) == {}
        assert uow.chunks.get(dark[0].chunk_id) == dark[0]
        assert uow.chunks.get(new_id()) is None
        assert uow.chunks.of_document(shown.doc_id, "g1") == mine
        assert uow.chunks.withheld() == [mine[1]]
        assert uow.chunks.page() == [mine[0], mine[2]]
        assert uow.chunks.page(limit=1) == [mine[0]]
        assert uow.chunks.page(after=(shown.doc_id, 0)) == [mine[2]]
        uow.documents.put(replace(shown, active_generation="g0"))
        assert uow.chunks.page() == older
        uow.documents.put(replace(shown, active_generation=""))
        assert uow.chunks.page() == []


def test_a_generation_is_replaced_and_a_document_s_chunks_deleted(store: Store) -> None:
    row = document(active_generation="g1")
    before = [chunk(row.doc_id, n) for n in range(3)]
    after = [replace(before[0], withheld=True), chunk(row.doc_id, 1)]
    other = [chunk(row.doc_id, 0, generation="g2")]

    def fill(uow: UnitOfWork) -> None:
        uow.documents.put(row)
        uow.chunks.put_generation(row.doc_id, "g1", before)
        uow.chunks.put_generation(row.doc_id, "g2", other)
        uow.chunks.put_generation(row.doc_id, "g1", after)

    write(store, fill)
    with store.unit_of_work() as uow:
        assert uow.chunks.of_document(row.doc_id, "g1") == after
        uow.chunks.delete_document(row.doc_id, except_generation="g2")
        assert uow.chunks.of_document(row.doc_id, "g1") == []
        assert uow.chunks.of_document(row.doc_id, "g2") == other
        uow.chunks.delete_document(row.doc_id)
        assert uow.chunks.of_document(row.doc_id, "g2") == []
        uow.chunks.put_generation(row.doc_id, "g1", [])


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
    for _ in range(2):
        write(store, lambda uow: uow.access.revoke(row))
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
