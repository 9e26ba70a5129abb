"""The engine killed at every moment, and with whatever else may go wrong at once."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.control_plane.provisioning.journal import Direction, EntryState, RunState
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.retry import AGAIN
from frostbyte.kernel.errors import FrostbyteError
from provisioning.scripted import OWNER, House, Killed, fails, plan

KEYS = [step.key for step in plan().steps]


def moments(direction: Direction, *, broken: bool) -> int:
    """How many there are in the life of a run that nobody kills."""
    house, run_id = prepared_house(direction, broken=broken)
    house.live(run_id)
    return house.world.process.moments


def prepared_house(direction: Direction, *, broken: bool, threads: int = 1) -> tuple[House, Any]:
    house = House(threads=threads)
    if direction is Direction.DOWN:
        house.to_the_end(house.begin())
    if broken:
        house.world.script = fails("do", "endpoints", "cloud_quota", times=10**6)
    return house, house.begin(direction)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "broken"), [(Direction.UP, False), (Direction.UP, True), (Direction.DOWN, False)]
)
def test_killed_at_every_moment_it_ends_up_or_clean_and_nothing_is_ever_unowned(
    direction: Direction, broken: bool
) -> None:
    count = moments(direction, broken=broken)
    assert count >= 60
    for dies_at in range(1, count + 1):
        house, run_id = prepared_house(direction, broken=broken)
        with pytest.raises(Killed):
            house.live(run_id, dies_at=dies_at)
        house.nothing_is_unowned()
        ended = house.to_the_end(run_id) if house.run(run_id).state is RunState.RUNNING else house.run(run_id)
        if direction is Direction.UP and not broken:
            assert ended.state is RunState.SUCCEEDED
            house.is_up()
            assert set(house.world.made.values()) == {1}
        else:
            assert ended.state is (RunState.FAILED if broken else RunState.SUCCEEDED)
            house.is_clean()


CODES = [*sorted(AGAIN), "cloud_quota", "cloud_refused", "cloud_action_failed", "host_command_failed"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_fails_and_whenever_it_is_killed_a_run_ends_up_or_clean(data: st.DataObject) -> None:
    house = House(threads=data.draw(st.sampled_from([1, 4])))
    troubles: dict[tuple[str, str, int], tuple[str, str]] = data.draw(
        st.dictionaries(
            st.tuples(st.sampled_from(["find", "do", "verify", "undo"]), st.sampled_from(KEYS), st.integers(1, 4)),
            st.tuples(st.sampled_from(["before", "after"]), st.sampled_from(CODES)),
            max_size=8,
        )
    )

    def script(phase: str, key: str, nth: int) -> tuple[str, FrostbyteError] | None:
        trouble = troubles.get((phase, key, nth))
        return None if trouble is None else (trouble[0], CloudError(trouble[1], "It does not work."))

    house.world.script = script
    run_id = house.begin()
    for dies_at in data.draw(st.lists(st.integers(1, 60), max_size=4)):
        with contextlib.suppress(Killed):
            house.live(run_id, dies_at=dies_at)
        house.nothing_is_unowned()
        if house.run(run_id).state is not RunState.RUNNING:
            break
    ended = house.run(run_id)
    ended = house.to_the_end(run_id) if ended.state is RunState.RUNNING else ended
    if ended.state is RunState.SUCCEEDED:
        house.is_up()
        return
    house.nothing_is_unowned()
    left = {row.name for row in house.entries().values() if row.state is not EntryState.GONE and row.kind}
    assert {thing.name for thing in house.world.owned(OWNER)} <= left
    house.world.script = lambda phase, key, nth: None  # and what remained goes once its trouble has passed
    assert house.to_the_end(house.begin(Direction.DOWN)).state is RunState.SUCCEEDED
    house.is_clean()
