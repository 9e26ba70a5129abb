"""What the plane does with old signatures: alert, refuse uploads, and never call anything clean."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.bootstrap.sighting import Sighting
from frostbyte.data_plane.freshness import SEEN_SECONDS, Freshness
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.tenancy import config_from
from scan.test_decision import NOW, Dated


class Plane:
    """Scanners by name, and what the plane makes of them."""

    def __init__(self, days: int = 7) -> None:
        self.store, self.clock, self.days = MemoryStore(), ManualClock(NOW), days
        config = lambda: config_from({"signatures_max_age_days": self.days})  # noqa: E731
        self.freshness = Freshness(self.store.unit_of_work, self.clock, config)

    def told(self, part: str, made_at: datetime | None) -> None:
        Sighting(Dated(made_at), self.store.unit_of_work, self.clock, part).turn()


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_where_nobody_was_heard_of_uploads_are_taken_and_wait() -> None:
    found = Plane().freshness.look()
    assert (found.made_at, found.trouble, found.refusal) == (None, "", None)


def test_the_oldest_is_told_and_one_that_may_scan_is_enough_to_take_uploads() -> None:
    plane = Plane()
    plane.told("worker-1", ago(8))
    plane.told("worker-2", ago(1))
    found = plane.freshness.look()
    assert (found.made_at, found.trouble, found.refusal) == (ago(8), "signatures_too_old", None)


@pytest.mark.parametrize(
    ("made_at", "code"),
    [(ago(8), "signatures_too_old"), (None, "signatures_undated"), (ago(-2), "signatures_ahead")],
)
def test_no_uploads_where_no_scanner_may_call_anything_clean(made_at: datetime | None, code: str) -> None:
    plane = Plane()
    plane.told("worker-1", made_at)
    plane.told("worker-2", made_at)
    refusal = plane.freshness.refusal()
    assert isinstance(refusal, Unavailable)
    assert refusal.code == code
    assert "no uploads" in refusal.message
    assert refusal.remedy
    plane.days = 0
    assert plane.freshness.refusal() is None
    plane.days = 7
    plane.told("worker-1", ago(0.5))
    assert plane.freshness.refusal() is None


def test_a_clock_that_jumps_refuses_and_takes_again_when_it_is_back() -> None:
    plane = Plane()
    plane.told("worker", ago(1))
    plane.clock.advance(timedelta(days=400).total_seconds())
    plane.told("worker", ago(1))
    assert plane.freshness.look().trouble == "signatures_too_old"
    plane.clock.advance(-timedelta(days=400).total_seconds())
    plane.told("worker", ago(1))
    assert plane.freshness.look().trouble == ""


def test_a_scanner_that_fell_silent_is_not_held_against_the_plane() -> None:
    plane = Plane()
    plane.told("worker-1", ago(8))
    plane.clock.advance(SEEN_SECONDS + 1)
    assert plane.freshness.look().refusal is None


def test_a_scanner_that_does_not_answer_is_not_written_down() -> None:
    class Down(Dated):
        def signatures_made_at(self) -> datetime | None:
            raise Unavailable("scanner_unavailable", "down", "wait")

    plane = Plane()
    with pytest.raises(Unavailable):
        Sighting(Down(None), plane.store.unit_of_work, plane.clock, "worker").turn()
    assert plane.freshness.look().made_at is None
