"""The relay: a hint for every job that waits, whatever became of the first one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.hints import MemoryHints
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.relay import Relay, missing
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import JobRow, Stage
from stores.store_rows import NOW, job, later

FRESH, OLD, OLDER = (job(not_before=later(-seconds)) for seconds in (1, 10, 20))


@pytest.mark.parametrize(
    ("due", "waiting", "published"),
    [
        ([], 0, []),
        ([OLDER, OLD], 0, [OLDER, OLD]),
        ([OLDER, OLD], 1, [OLDER]),
        ([OLDER, OLD], 2, []),
        ([OLDER, OLD], 99, []),
    ],
)
def test_as_many_hints_are_missing_as_there_are_fewer_than_jobs(
    due: list[JobRow], waiting: int, published: list[JobRow]
) -> None:
    assert missing({Stage.SCAN: due}, {Stage.SCAN: waiting}) == published
    assert missing({Stage.SCAN: due}, {Stage.PARSE: waiting}) == due


class Plane:
    """A store with jobs, a queue and a relay between them."""

    def __init__(self, *jobs: JobRow) -> None:
        self.store, self.queue = MemoryStore(), MemoryHints()
        self.clock = ManualClock(NOW)
        self.relay = Relay(self.store.unit_of_work, self.queue, self.clock)
        self.write(lambda uow: [uow.jobs.put(row) for row in jobs])

    def write(self, work: Any) -> Any:
        with self.store.unit_of_work() as uow:
            done = work(uow)
            uow.commit()
        return done


def test_a_job_without_a_hint_gets_one_and_only_one() -> None:
    plane = Plane(OLD, FRESH, replace(job(not_before=later(-10)), stage=Stage.EMBED), job(not_before=later(5)))
    assert plane.relay.turn() == 2
    assert plane.queue.waiting()[Stage.SCAN] == plane.queue.waiting()[Stage.EMBED] == 1
    assert plane.relay.turn() == 0
    assert plane.queue.take(Stage.SCAN) == OLD


def test_a_job_that_is_held_or_dead_gets_none_until_its_lease_has_run_out() -> None:
    plane = Plane(OLD, job(not_before=later(-10), dead=True))
    plane.write(lambda uow: uow.jobs.claim(OLD.job_id, "worker", NOW, 30))
    assert plane.relay.turn() == 0
    plane.clock.advance(31)
    assert plane.relay.turn() == 0, "its grace is not over"
    plane.clock.advance(5)
    assert plane.relay.turn() == 1


def test_losing_every_hint_loses_nothing() -> None:
    jobs = [job(not_before=later(-10)) for _ in range(40)]
    plane = Plane(*jobs)
    plane.queue.publish(jobs)
    plane.queue.lose()
    assert plane.relay.turn() == 40
    assert {plane.queue.take(Stage.SCAN) for _ in jobs} == set(jobs)


def test_a_queue_that_is_away_is_waited_for_and_an_announcement_does_not_fail() -> None:
    plane = Plane(OLD)
    plane.queue.away = True
    plane.queue.announce([OLD])
    with pytest.raises(Unavailable) as away:
        plane.relay.turn()
    assert away.value.code == "queue_unavailable"
    plane.queue.away = False
    assert plane.relay.turn() == 1
