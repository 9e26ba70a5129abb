"""Which snapshots stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.backup.retention import Keep, Kept, kept

START = datetime(2024, 1, 1, tzinfo=UTC)


def named(hours: int, good: bool = True) -> Kept:
    return Kept(f"{START + timedelta(hours=hours):%Y%m%dT%H%M%SZ}-{hours:08x}", good)


def test_two_years_of_days_leave_days_weeks_and_months() -> None:
    stay = sorted(kept([named(24 * day + 2) for day in range(730)], Keep()))
    days = [datetime.strptime(name[:8], "%Y%m%d").replace(tzinfo=UTC) for name in stay]
    last = START + timedelta(days=729)
    assert days[-7:] == [last - timedelta(days=back) for back in range(6, -1, -1)]
    assert 19 <= len(days) <= 22
    assert {(day.year, day.month) for day in days} == {(2025, month) for month in range(1, 13)}


def test_a_bad_one_never_takes_the_place_of_a_good_one() -> None:
    early, late, newest = named(1), named(5, good=False), named(30, good=False)
    assert kept([early, late, newest], Keep(daily=2, weekly=0, monthly=0)) == {early.name, newest.name}
    assert kept([early, late, newest], Keep(daily=0, weekly=0, monthly=0)) == {early.name, newest.name}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), unique_by=lambda item: item[0], max_size=80),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_it_is_bounded_and_the_newest_good_one_stays_and_pruning_twice_is_pruning_once(
    hours: list[tuple[int, bool]], daily: int, weekly: int, monthly: int
) -> None:
    keep, all_of_them = Keep(daily=daily, weekly=weekly, monthly=monthly), [named(*item) for item in hours]
    stay = kept(all_of_them, keep)
    assert stay <= {item.name for item in all_of_them}
    assert len(stay) <= daily + weekly + monthly + 2
    good = [item.name for item in all_of_them if item.good]
    assert not good or max(good) in stay
    assert not all_of_them or max(item.name for item in all_of_them) in stay
    assert kept([item for item in all_of_them if item.name in stay], keep) == stay
