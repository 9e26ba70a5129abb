"""Numbering, signing and what a crash between the two leaves behind."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from frostbyte.kernel.audit.checkpoint import open_checkpoint
from frostbyte.kernel.audit.proofs import (
    consistency_proof,
    holds,
    inclusion_proof,
    inclusion_proofs,
    wait_for_checkpoint,
)
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable


def test_every_event_gets_one_number_and_one_checkpoint_covers_it(plane: Any) -> None:
    plane.grow(3)
    with plane.unit_of_work() as uow:
        point = uow.audit.latest_checkpoint()
        events = uow.audit.events(limit=100)
        assert [item.sequence for item in events] == list(range(9))
        said = open_checkpoint(point.note, plane.signer.public_key)
        assert (said.size, said.root) == (9, point.root)
        for proven in inclusion_proofs(uow.audit, [item.event.event_id for item in events], point):
            assert holds(proven, point)


def test_nothing_new_signs_nothing(plane: Any) -> None:
    assert plane.sequencer.run_once() == 0
    plane.grow(1)
    assert plane.sequencer.run_once() == 0
    with plane.unit_of_work() as uow:
        assert [point.size for point in uow.audit.checkpoints()] == [3]


def test_batches_are_bounded_and_each_is_signed(plane: Any) -> None:
    plane.sequencer = Sequencer(plane.unit_of_work, plane.signer, plane.clock, batch=4)
    for _ in range(10):
        plane.lone()
    assert [plane.sequencer.run_once() for _ in range(4)] == [4, 4, 2, 0]
    with plane.unit_of_work() as uow:
        assert [point.size for point in uow.audit.checkpoints()] == [4, 8, 10]


def test_a_crash_before_signing_is_made_good_by_the_next_run(plane: Any) -> None:
    class Crash(Exception):
        pass

    class CrashingSigner:
        def sign(self, size: int, root: bytes) -> str:
            raise Crash

    plane.lone()
    broken: Any = CrashingSigner()
    with pytest.raises(Crash):
        Sequencer(plane.unit_of_work, broken, plane.clock).run_once()
    with plane.unit_of_work() as uow:
        assert uow.audit.log_size() == 1, "numbering was committed before anything was signed"
        assert uow.audit.latest_checkpoint() is None
    assert plane.sequencer.run_once() == 0
    with plane.unit_of_work() as uow:
        assert open_checkpoint(uow.audit.latest_checkpoint().note, plane.signer.public_key).size == 1


def test_an_event_that_commits_late_is_not_skipped(plane: Any) -> None:
    early = plane.chain()[:1]
    plane.grow(1)
    plane.add(early)
    plane.sequencer.run_once()
    with plane.unit_of_work() as uow:
        assert uow.audit.sequence_of(early[0].event_id) == 3


def test_another_sequencer_at_work_leaves_nothing_to_do(plane: Any) -> None:
    plane.lone()
    with plane.unit_of_work() as other:
        assert other.audit.lock_sequencer()
        assert plane.sequencer.run_once() == 0
    assert plane.sequencer.run_once() == 1


def test_waiting_ends_with_the_checkpoint_or_says_what_is_wrong(plane: Any) -> None:
    event = plane.lone()
    with pytest.raises(Unavailable) as error:
        plane.sequencer.wait_for_checkpoint(event.event_id, 0.0)
    assert error.value.code == "checkpoint_pending"
    stop = threading.Event()
    thread = threading.Thread(target=plane.sequencer.run, args=(stop, 30.0))
    thread.start()
    try:
        assert plane.sequencer.wait_for_checkpoint(event.event_id, 5.0).size == 1
    finally:
        stop.set()
        plane.sequencer.wake()
        thread.join(5)
    assert not thread.is_alive()


def test_a_store_that_fails_is_reported_and_tried_again(plane: Any) -> None:
    event = plane.lone()
    failures = [Unavailable("database_unavailable", "gone"), Conflict("audit_sequence_conflict", "moved")]
    seen: list[dict[str, str]] = []
    sequencer: Any = None

    def sometimes() -> Any:
        seen.append(dict(sequencer.trouble))
        if failures:
            raise failures.pop(0)
        return plane.unit_of_work()

    sequencer = Sequencer(sometimes, plane.signer, plane.clock)
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop, 0.01))
    thread.start()
    try:
        assert wait_for_checkpoint(plane.unit_of_work, event.event_id, 5.0).size == 1
    finally:
        stop.set()
        sequencer.wake()
        thread.join(5)
    codes = [trouble.get("sequencer") for trouble in seen[:3]]
    assert codes == [None, "database_unavailable", "audit_sequence_conflict"]
    assert sequencer.trouble == {}


def test_proofs_refuse_what_the_log_or_checkpoint_does_not_hold(plane: Any) -> None:
    plane.grow(1)
    with plane.unit_of_work() as uow:
        first = uow.audit.latest_checkpoint()
    late = plane.lone()
    plane.sequencer.run_once()
    with plane.unit_of_work() as uow:
        with pytest.raises(Conflict):
            inclusion_proof(uow.audit, late.event_id, first)
        with pytest.raises(NotFound):
            inclusion_proof(uow.audit, type(late.event_id)(int=1), first)
        with pytest.raises(Conflict):
            consistency_proof(uow.audit, 2, 99)
        assert len(consistency_proof(uow.audit, 3, 4)) == 3
