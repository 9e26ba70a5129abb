"""The last attempt of a job is made with nobody beside it, so that a document that ends its process harms no other."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from frostbyte.adapters.leasing import Leases, Room
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.patience import attempts
from frostbyte.kernel.records import JobRow, Stage
from stores.store_rows import NOW, job

pytestmark = pytest.mark.slow


def test_who_wants_to_be_alone_is_alone_and_everybody_gets_in() -> None:
    room, lock = Room(), threading.Lock()
    inside: list[bool] = []
    together, most = [], 0

    def visit(alone: bool) -> None:
        nonlocal most
        with room.entered(alone=alone):
            with lock:
                inside.append(alone)
                most = max(most, len(inside))
                if True in inside and len(inside) > 1:
                    together.append(list(inside))
            threading.Event().wait(0.002)
            with lock:
                inside.remove(alone)

    rng = random.Random(5)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, [rng.random() < 0.2 for _ in range(200)]))
    assert not together
    assert most > 1
    assert not inside


def test_a_job_is_beside_others_until_its_last_attempt(store: MemoryStore, clock: ManualClock) -> None:
    seen: list[tuple[int, bool]] = []
    inside, leave = threading.Event(), threading.Event()

    def run(one: JobRow) -> None:
        if one.stage is Stage.SCAN:
            inside.set()
            leave.wait(10)
        else:
            seen.append((one.attempt, leave.is_set()))

    leases = Leases(unit_of_work=store.unit_of_work, run=run, clock=clock)
    last = attempts(Stage.PARSE)
    for _ in range(last):
        inside.clear()
        leave.clear()
        neighbour = threading.Thread(target=leases.work, args=("neighbour", [Stage.SCAN]))
        neighbour.start()
        assert inside.wait(10)
        worker = threading.Thread(target=leases.work, args=("worker", [Stage.PARSE]))
        worker.start()
        worker.join(0.3)
        leave.set()
        neighbour.join()
        worker.join()
        clock.advance(3600)  # both leases run out, as after a kill
    assert seen == [*((number, False) for number in range(1, last)), (last, True)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store.unit_of_work() as uow:
        for stage in (Stage.SCAN, Stage.PARSE):
            uow.jobs.put(job(stage=stage, not_before=NOW))
        uow.commit()
    return store
