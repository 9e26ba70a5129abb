"""Closing, draining, freezing and opening a plane, on stores in memory and with a real log."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.upkeep import UpkeepDesk
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import JobRow, Stage, Upkeep


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def sequencer(store: MemoryStore) -> Sequencer:
    return Sequencer(store.unit_of_work, Signer(bytes(range(32)), "frostbyte/acme/plane"), SystemClock())


@pytest.fixture
def desk(store: MemoryStore, sequencer: Sequencer) -> UpkeepDesk:
    return UpkeepDesk("acme", store.unit_of_work, SystemClock(), sequencer.run_once)


def note(store: MemoryStore, count: int = 1) -> None:
    with store.unit_of_work() as uow:
        for _ in range(count):
            uow.audit.append(
                make_event("acme", EventType.RETRIEVAL_EXECUTED, SystemClock(), "u", "query", str(new_id()), {})
            )
        uow.commit()


def begin_job(store: MemoryStore, seconds: float) -> None:
    now = datetime.now(UTC)
    row = JobRow(job_id=new_id(), doc_id=new_id(), incarnation=0, stage=Stage.SCAN, not_before=now - timedelta(1))
    with store.unit_of_work() as uow:
        uow.jobs.put(row)
        assert uow.jobs.claim(row.job_id, "w", now, seconds) is not None
        uow.commit()


def test_closing_and_opening_twice_is_once(desk: UpkeepDesk) -> None:
    assert desk.close().upkeep is Upkeep.READING
    assert desk.close().upkeep is Upkeep.READING
    assert desk.freeze(5).upkeep is Upkeep.FROZEN
    assert desk.close().upkeep is Upkeep.FROZEN
    assert desk.open().upkeep is Upkeep.OPEN
    assert desk.open().upkeep is Upkeep.OPEN


def test_draining_waits_for_leases_and_for_requests(store: MemoryStore, desk: UpkeepDesk) -> None:
    begin_job(store, 0.4)
    desk.close()
    writing = [2, 1, 0]
    assert desk.drain(5, lambda: writing.pop(0) if writing else 0).leases == 0
    assert not writing


@pytest.mark.parametrize(("seconds", "writing"), [(60.0, 0), (0.0, 1)])
def test_draining_says_what_is_still_under_way(
    store: MemoryStore, desk: UpkeepDesk, seconds: float, writing: int
) -> None:
    if seconds:
        begin_job(store, seconds)
    with pytest.raises(Unavailable) as caught:
        desk.drain(0.2, lambda: writing)
    assert caught.value.code == "plane_busy"
    assert f"{1 - writing} jobs and {writing} requests" in caught.value.message


def test_freezing_brings_the_log_to_its_end(store: MemoryStore, desk: UpkeepDesk, sequencer: Sequencer) -> None:
    note(store, 5)
    desk.close()
    note(store)  # questions are audited while the plane drains
    state = desk.freeze(5)
    assert (state.log_size, state.checkpoint_size, state.settled) == (6, 6, True)
    with pytest.raises(Unavailable):
        note(store)
    assert sequencer.run_once() == 0
    assert desk.state() == state  # no checkpoint more


def test_a_log_longer_than_one_batch_is_brought_to_its_end(store: MemoryStore) -> None:
    signer = Signer(bytes(32), "frostbyte/acme/plane")
    sequencer = Sequencer(store.unit_of_work, signer, SystemClock(), batch=2)
    note(store, 7)
    desk = UpkeepDesk("acme", store.unit_of_work, SystemClock(), sequencer.run_once, sleep=lambda _: None)
    assert desk.freeze(5).checkpoint_size == 7


def test_freezing_waits_for_the_sequencer_of_another_process(store: MemoryStore, sequencer: Sequencer) -> None:
    note(store, 2)
    desk = UpkeepDesk("acme", store.unit_of_work, SystemClock())
    late = threading.Timer(0.2, sequencer.run_once)
    late.start()
    assert desk.freeze(5).settled
    late.join()


def test_a_log_that_nobody_signs_is_not_called_settled(store: MemoryStore) -> None:
    note(store)
    desk = UpkeepDesk("acme", store.unit_of_work, SystemClock())
    with pytest.raises(Unavailable) as caught:
        desk.freeze(0.2)
    assert caught.value.code == "checkpoint_pending"
    assert desk.state().upkeep is Upkeep.FROZEN
    with pytest.raises(Unavailable):
        note(store)


@pytest.mark.parametrize(("closed", "updated_to", "told"), [(True, "0.2.0", 1), (True, "", 0), (False, "0.2.0", 0)])
def test_the_log_says_that_a_plane_was_updated(
    store: MemoryStore, desk: UpkeepDesk, closed: bool, updated_to: str, told: int
) -> None:
    if closed:
        desk.close()
        desk.freeze(5)
    desk.open(updated_to)
    desk.open(updated_to)  # a script that is run again
    with store.unit_of_work() as uow:
        found: list[Any] = uow.audit.unsequenced(10)
    assert [(event.type, event.details) for event in found] == [
        ("TENANT_UPDATED", {"pipeline_version": updated_to})
    ] * told
