"""The embedded runner: in which order its threads take what is to be done."""

from __future__ import annotations

import threading
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.runner import Bell, Runner
from frostbyte.data_plane.flow import ORDER
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import JobRow, Stage
from stores.store_rows import job, write


class Line:
    """Stages that only hand a document on to the next one, and remember which it was."""

    def __init__(self, store: MemoryStore, documents: int) -> None:
        self.bell = Bell()
        self.seen: list[tuple[UUID, Stage]] = []
        self.all_done = threading.Event()
        self._store, self._steps = store, documents * len(ORDER)

    def run(self, job: JobRow) -> None:
        self.seen.append((job.doc_id, job.stage))
        later = ORDER[ORDER.index(job.stage) + 1 :]
        following = [replace(job, job_id=new_id(), stage=later[0], attempt=0, leased_until=None)] if later else []
        with self._store.unit_of_work() as uow:
            uow.jobs.finish(job)
            for one in following:
                uow.jobs.put(one)
            uow.commit()
        self.bell.announce(following)
        if len(self.seen) == self._steps:
            self.all_done.set()


def test_what_is_begun_is_finished_before_more_is_begun() -> None:
    """Else the last stages, which have no children to do their work, are left for the end, and for one core."""
    store, documents = MemoryStore(), [job() for _ in range(3)]
    write(store, lambda uow: [uow.jobs.put(one) for one in documents])
    line = Line(store, len(documents))
    leases = Leases(unit_of_work=store.unit_of_work, run=line.run, clock=SystemClock())
    runner = Runner(leases, ORDER, bell=line.bell, threads=1)
    runner.start()
    assert line.all_done.wait(30)
    runner.stop()
    assert line.seen == [(one.doc_id, stage) for one in documents for stage in ORDER]


def test_a_thread_is_told_its_own_last_job_once() -> None:
    bell, mine, other = Bell(), job(), job()
    thread = threading.Thread(target=bell.announce, args=([other],))
    bell.announce([job(), mine])
    thread.start()
    thread.join()
    assert bell.announced() == mine.job_id
    assert bell.announced() is None
