"""What every relational store promises of the audit and of chunks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import (
    CheckpointRow,
    State,
)
from stores.store_rows import NOW, Store, chunk, document, event, later, leaf, write

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


def test_the_newest_of_a_tenant_come_first_numbered_or_not(store: Store) -> None:
    events = [event(timestamp=later(seconds)) for seconds in (5, 1, 9, 3)]
    write(store, lambda uow: uow.audit.append_many([*events, event(tenant_id="other", timestamp=later(7))]))
    number(store, 2)
    with store.unit_of_work() as uow:
        assert [row.timestamp for row in uow.audit.newest("acme")] == [later(9), later(5), later(3), later(1)]
        assert [row.timestamp for row in uow.audit.newest("acme", limit=2)] == [later(9), later(5)]
        bounded = uow.audit.newest("acme", since=later(3), before=later(9))
        assert [row.timestamp for row in bounded] == [later(5), later(3)]
        assert uow.audit.newest("nobody") == []


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
        assert uow.chunks.visible(everything) == {row.chunk_id: (row, shown) for row in (mine[0], mine[2])}
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


def test_what_a_reviewer_left_withheld_is_out_of_the_queue(store: Store) -> None:
    row = document(active_generation="g1", state=State.INDEXED, needs_review=True)
    mine = [chunk(row.doc_id, n, withheld=n > 0, kept=n == 2) for n in range(4)]

    def fill(uow: UnitOfWork) -> None:
        uow.documents.put(row)
        uow.documents.put(document(state=State.FAILED, needs_review=True))
        uow.chunks.put_generation(row.doc_id, "g1", mine)

    before = counted(store)
    write(store, fill)
    with store.unit_of_work() as uow:
        queue = [item for item in uow.chunks.withheld(1000) if item.doc_id == row.doc_id]
        left = [item for item in uow.chunks.withheld(1000, kept=True) if item.doc_id == row.doc_id]
    assert (queue, left) == ([mine[1], mine[3]], [mine[2]])
    assert counted(store) == (before[0] + 2, before[1] + 1, before[2] + 1)


def counted(store: Store) -> tuple[int, int, int]:
    with store.unit_of_work() as uow:
        tally = uow.listing.to_review()
    return tally.passages, tally.kept, tally.documents


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
