"""The lease against clocks that jump, processes that die, and several that follow."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channel.plane_cases import PINNED, Ticking, directive
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.clamav.clamd import signatures_made_at
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.obeying import Following, forward, take_over
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import JobRow, PlaneState, Stage


class Setting:
    """The store's clock, which anybody may set."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Setting:
    return Setting()


@pytest.fixture
def plane(clock: Setting, ticks: Ticking) -> MemoryPlane:
    plane = MemoryPlane("acme", PINNED, clock=clock, ticks=ticks)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    job = JobRow(job_id=new_id(), doc_id=new_id(), incarnation=0, stage=Stage.SCAN, not_before=long_ago)
    with plane.store.unit_of_work() as uow:
        uow.jobs.put(job)
        uow.commit()
    return plane


def tell(plane: MemoryPlane, **values: Any) -> None:
    plane.put(directive(plane.standing().nonce, **values))


def begins(plane: MemoryPlane, clock: Setting) -> bool:
    """Whether any process of the plane could begin the job now."""
    with plane.store.unit_of_work() as uow:
        return uow.jobs.lease("w", clock.now(), 30, tuple(Stage)) is not None


@pytest.mark.parametrize("jump", [-3600.0, -10.0, 0.0, 10.0, 3600.0])
def test_a_clock_that_jumps_moves_no_lease_for_longer_than_one_look(
    plane: MemoryPlane, clock: Setting, ticks: Ticking, jump: float
) -> None:
    tell(plane)
    for _ in range(30):
        clock.move(1)
        ticks.now += 1
        plane.obeying.turn()
    assert begins(plane, clock)
    clock.move(jump)
    if abs(jump) > 60:
        assert not begins(plane, clock)  # before anybody looks
    plane.obeying.turn()
    assert begins(plane, clock)
    assert plane.gate.waits is None
    for _ in range(29):
        clock.move(1)
        ticks.now += 1
        plane.obeying.turn()
        assert begins(plane, clock)
    clock.move(1)
    ticks.now += 1
    plane.obeying.turn()
    assert not begins(plane, clock)


def test_a_clock_that_stands_still_keeps_no_lease(plane: MemoryPlane, clock: Setting, ticks: Ticking) -> None:
    tell(plane)
    ticks.now += 60
    assert begins(plane, clock)  # the store thinks so ...
    plane.obeying.turn()
    assert not begins(plane, clock)  # ... until the process that measures looks


def test_without_the_process_that_measures_it_ends_by_itself(plane: MemoryPlane, clock: Setting) -> None:
    tell(plane)
    clock.move(59)
    assert begins(plane, clock)
    clock.move(1)
    assert not begins(plane, clock)


def test_who_takes_over_has_to_be_told_again_and_keeps_what_was_told(plane: MemoryPlane, clock: Setting) -> None:
    tell(plane, version=4)
    assert begins(plane, clock)
    row = take_over(plane.store.unit_of_work, clock, needs_lease=True)
    assert (row.version, row.state) == (4, PlaneState.ACTIVE)
    assert not begins(plane, clock)
    tell(plane, version=5, state=PlaneState.SUSPENDED)
    assert take_over(plane.store.unit_of_work, clock, needs_lease=False).state is PlaneState.SUSPENDED
    assert not begins(plane, clock)


def test_others_follow_the_store(plane: MemoryPlane, clock: Setting) -> None:
    gate, heard = Gate(), list[PlaneState]()
    leave = gate.listen(lambda: heard.append(gate.state))
    following = Following(plane.store.unit_of_work, clock, gate)
    following.turn()
    assert gate.dispatch == "control_plane_unreachable"
    tell(plane)
    following.turn()
    assert (gate.dispatch, gate.state) == ("ok", PlaneState.ACTIVE)
    tell(plane, version=2, state=PlaneState.SUSPENDED)
    following.turn()
    following.turn()
    assert gate.refusal is not None
    assert heard == [PlaneState.SUSPENDED]
    leave()
    tell(plane, version=3)
    following.turn()
    assert heard == [PlaneState.SUSPENDED]


def test_two_who_tell_at_once_leave_one_and_nothing_half(plane: MemoryPlane) -> None:
    texts = [directive(plane.standing().nonce, version=number + 1) for number in range(8)]
    answers: list[str] = []

    def put(text: str) -> None:
        try:
            answers.append(f"version {plane.put(text).version}")
        except Exception as error:
            answers.append(str(getattr(error, "code", error)))

    threads = [threading.Thread(target=put, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Only the last one has the newest nonce, and not any more once another was refused before it.
    assert set(answers) <= {"directive_nonce", "directive_stale", "version 8"}
    with plane.store.unit_of_work() as uow:
        assert uow.standing.get().version == 8 * answers.count("version 8")


def test_the_forward_clock_goes_forward() -> None:
    first = forward()
    assert forward() >= first


@pytest.mark.parametrize(
    ("version", "made"),
    [
        ("ClamAV 1.4.3/27400/Tue Jan  6 09:12:01 2026", datetime(2026, 1, 6, 9, 12, 1, tzinfo=UTC)),
        ("ClamAV 1.4.3", None),
        ("ClamAV 1.4.3/27400/some day", None),
        ("", None),
    ],
)
def test_when_signatures_were_made(version: str, made: datetime | None) -> None:
    assert signatures_made_at(version) == made
