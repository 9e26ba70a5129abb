"""When tenants are backed up: at an hour of their own, at once where one was missed, never two at a time."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.control_plane.backup.schedule import History, due, due_at

START = datetime(2026, 3, 1, 3, tzinfo=UTC)
CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "schedule.toml").read_text())["case"]
PERIOD = timedelta(hours=24)


def at(hours: float | None) -> datetime | None:
    return None if hours is None else START + timedelta(hours=hours)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_due(case: dict[str, Any]) -> None:
    history = History(
        tenant_id="acme",
        since=START,
        good_at=at(case.get("good_at")),
        failed=case.get("failed", 0),
        failed_at=at(case.get("failed_at")),
    )
    hours = (due_at(history, 24) - START) / timedelta(hours=1)
    low, high = case.get("between", [case.get("due_in_hours")] * 2)
    assert low <= hours <= high


@given(hours=st.floats(0, 1e5), period=st.integers(1, 744), name=st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True))
def test_a_tenant_keeps_its_hour(hours: float, period: int, name: str) -> None:
    good = START + timedelta(hours=hours)
    first = due_at(History(tenant_id=name, since=START, good_at=good), period)
    assert timedelta(hours=period) / 2 <= first - good <= timedelta(hours=period) * 1.5
    second = due_at(History(tenant_id=name, since=START, good_at=first), period)
    assert abs(second - first - timedelta(hours=period)) < timedelta(seconds=1)


def test_a_hundred_tenants_are_spread_over_the_day() -> None:
    slots = [due_at(History(tenant_id=f"t{n}", since=START, good_at=START), 24) for n in range(200)]
    hours = [sum(slot.hour == hour for slot in slots) for hour in range(24)]
    assert max(hours) <= 25
    assert min(hours) >= 1


def test_who_has_waited_longest_comes_first_and_who_is_busy_not_at_all() -> None:
    histories = [
        History(tenant_id="late", since=START, good_at=START - PERIOD * 9),
        History(tenant_id="busy", since=START, running=True),
        History(tenant_id="fresh", since=START + PERIOD),
        History(tenant_id="new", since=START),
    ]
    assert due(histories, START, 24) == ["late", "new"]
    assert due(histories, START, 0) == []
