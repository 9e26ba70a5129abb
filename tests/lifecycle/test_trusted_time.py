"""A plane erases nothing by a clock that it cannot believe, says so, and finds back by itself or by a person's word."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from frostbyte.data_plane.lifecycle.trusted_time import DOUBTS, judge
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.records import CheckpointRow, TrustedTimeRow
from lifecycle.conftest import START, Keeping

CASES = tomllib.loads((Path(__file__).parent / "clock_cases.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_is_believed(case: dict[str, Any]) -> None:
    def at(name: str) -> timedelta | None:
        return timedelta(hours=case[name]) if name in case else None

    told, clock = at("told"), at("clock")
    assert clock is not None
    judged = judge(
        START + clock,
        None if case.get("trusted") == "never" else START,
        at("passed"),
        None if told is None else START + told,
    )
    assert judged.doubt == case.get("doubt", "")
    assert judged.trusted_at == START + timedelta(hours=case["sure_of"])
    assert not judged.doubt or judged.doubt in DOUBTS


def doubted(plane: Keeping) -> str:
    with pytest.raises(Unavailable) as caught:
        plane.time.look()
    assert caught.value.code == "clock_doubted"
    return plane.time.doubt


def trusted(plane: Keeping) -> TrustedTimeRow:
    with plane.store.unit_of_work() as uow:
        row = uow.retention.trusted()
    assert row is not None
    return row


def test_a_leap_is_noticed_once_and_forgotten_when_it_is_put_right(plane: Keeping) -> None:
    assert plane.time.look() == START
    plane.leaps(days=3650)
    for _ in range(3):
        plane.passes(minutes=1)
        assert doubted(plane) == "clock_leapt"
    assert trusted(plane).trusted_at == START + timedelta(minutes=3), "the clock that is never set goes on counting"
    plane.leaps(days=-3650)
    plane.passes(minutes=1)
    assert plane.time.look() == START + timedelta(minutes=4)
    assert plane.time.doubt == ""
    kinds = [(event.type, event.details.get("code")) for event in plane.events("CLOCK_DOUBTED", "CLOCK_CONFIRMED")]
    assert kinds == [("CLOCK_DOUBTED", "clock_leapt"), ("CLOCK_CONFIRMED", None)]


def test_a_restart_does_not_make_a_leap_good(plane: Keeping) -> None:
    plane.time.look()
    plane.leaps(days=30)
    assert doubted(plane) == "clock_leapt"
    plane.start()
    assert doubted(plane) == "clock_leapt"
    assert len(plane.events("CLOCK_DOUBTED")) == 1


def test_a_person_says_which_day_it_is(plane: Keeping) -> None:
    plane.time.look()
    plane.passes(days=60)
    plane.start()  # switched off for two months
    assert doubted(plane) == "clock_leapt"
    with pytest.raises(Conflict) as caught:
        plane.time.confirm(START.date(), actor="admin")
    assert caught.value.code == "clock_not_today"
    assert str(plane.clock.now().date()) in caught.value.message
    assert plane.time.confirm(plane.clock.now().date() + timedelta(days=1), actor="admin") == plane.clock.now()
    assert plane.time.look() == plane.clock.now()
    plane.passes(minutes=1)
    assert plane.time.look() == plane.clock.now()
    last = plane.events("CLOCK_CONFIRMED")[-1]
    assert (last.actor, last.details["status"]) == ("admin", "confirmed")


def test_the_control_plane_settles_it(plane: Keeping) -> None:
    plane.time.look()
    plane.passes(days=60)
    plane.start()
    assert doubted(plane) == "clock_leapt"
    plane.told = plane.clock.now() - timedelta(minutes=2)
    assert plane.time.look() == plane.clock.now()
    plane.told = plane.clock.now() - timedelta(days=2)
    assert doubted(plane) == "clock_contradicted"


def test_a_plane_that_never_looked_was_sure_when_it_signed_last(plane: Keeping) -> None:
    with plane.store.unit_of_work() as uow:
        uow.audit.add_checkpoint(CheckpointRow(size=1, root=bytes(32), note="n", created_at=START))
        uow.commit()
    plane.leaps(days=400)
    assert doubted(plane) == "clock_leapt"
    assert trusted(plane).trusted_at == START


def test_confirming_a_wrong_past_is_refused_too(plane: Keeping) -> None:
    plane.time.look()
    plane.leaps(days=-9000)
    plane.passes(minutes=1)
    assert doubted(plane) == "clock_went_back"
    with pytest.raises(Conflict):
        plane.time.confirm(date(2026, 3, 1), actor="admin")
