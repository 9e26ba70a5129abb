"""The control plane's own backups: hourly, after anything was decided, one at a time, audited however they end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from control.offices import Office
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.backup.control import Taken
from frostbyte.control_plane.backup.keeper import Keeper
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.backup.repository import Verdict
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable


class Place:
    """What is asked to take backups."""

    def __init__(self) -> None:
        self.count = 0
        self.fails: FrostbyteError | None = None
        self.code = ""

    def __call__(self) -> Taken:
        self.count += 1
        if self.fails is not None:
            raise self.fails
        verdict = Verdict(at="", ok=not self.code, code=self.code)
        return Taken(
            snapshot=f"s{self.count}", taken_at="", written=7, size=70, private=1, verdict=verdict, forgotten=0
        )


@pytest.fixture
def office() -> Office:
    return Office(MemoryRegistry())


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def keeper(office: Office, place: Place) -> Keeper:
    return Keeper(office.store.unit_of_work, office.clock, place)


def told(office: Office) -> list[Any]:
    return [event for event in office.events() if event.type == EventType.BACKUP_TAKEN]


def test_one_is_taken_at_the_start_then_every_hour(keeper: Keeper, office: Office) -> None:
    assert keeper.due()
    keeper.take()
    assert not keeper.due()
    office.clock.advance(3599)
    assert not keeper.due()
    office.clock.advance(1)
    assert keeper.due()


def test_what_an_operation_made_is_kept_within_minutes(keeper: Keeper, office: Office) -> None:
    office.tenants.create("acme", "north", actor="alice")
    operation = office.attach()
    keeper.take()
    office.clock.advance(61)
    assert not keeper.due()
    office.operations.end(operation.operation_id)
    assert keeper.due()
    keeper.take()
    office.clock.advance(61)
    assert not keeper.due()


def test_a_failure_is_told_and_tried_again_at_growing_distances(keeper: Keeper, office: Office, place: Place) -> None:
    place.fails = Unavailable("backup_target_full", "Full.", "")
    waits = []
    for _ in range(7):
        with pytest.raises(Unavailable):
            keeper.take()
        waited = 0
        while not keeper.due():
            office.clock.advance(30)
            waited += 30
        waits.append(waited)
    assert waits == [60, 120, 240, 480, 960, 1800, 1800]
    assert (keeper.standing.failed, keeper.standing.code, keeper.standing.good_at) == (7, "backup_target_full", None)
    assert [event.details["code"] for event in told(office)] == ["backup_target_full"] * 7
    place.fails = None
    keeper.take()
    assert (keeper.standing.failed, keeper.standing.snapshot) == (0, "s8")


def test_one_whose_trial_failed_is_no_good_one(keeper: Keeper, office: Office, place: Place) -> None:
    keeper.take()
    before = keeper.standing.good_at
    office.clock.advance(4000)
    place.code = "backup_damaged"
    keeper.take()
    assert (keeper.standing.good_at, keeper.standing.failed) == (before, 1)
    assert [event.details["status"] for event in told(office)] == ["succeeded", "failed"]


def test_never_two_at_once(office: Office) -> None:
    inside, go = threading.Event(), threading.Event()
    place = Place()

    def slow() -> Taken:
        inside.set()
        go.wait(10)
        return place()

    keeper = Keeper(office.store.unit_of_work, office.clock, slow)
    thread = threading.Thread(target=keeper.take)
    thread.start()
    inside.wait(10)
    with pytest.raises(Conflict) as refused:
        keeper.take()
    go.set()
    thread.join(10)
    assert (refused.value.code, place.count) == ("backup_running", 1)


def test_without_a_place_there_are_none(office: Office) -> None:
    keeper = Keeper(office.store.unit_of_work, office.clock, None)
    assert not keeper.due()
    with pytest.raises(Conflict) as refused:
        keeper.take("alice")
    assert refused.value.code == "backup_not_set"
