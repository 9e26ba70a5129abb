"""What a try on a real account can cost at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from frostbyte.control_plane.provisioning.trial import HOURS_A_MONTH, SERVERS, cost, hours
from frostbyte.kernel.errors import Conflict
from provisioning.planning import catalogue

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "begun"), [(7200, 3), (7201, 4), (3599, 2), (900, 2)])
def test_hours_are_begun_ones_and_one_more_for_the_way_down(seconds: float, begun: int) -> None:
    assert hours(seconds) == begun


def test_the_bound_is_above_what_the_hours_are_charged() -> None:
    sold = catalogue()
    made = cost(sold, ("nbg1", "fsn1"), NOW, 7200)
    chosen = [item.kind.split(" in ") for item in made.items if item.what.startswith("server: ")]
    assert len(chosen) == len(SERVERS)
    charged = sum((sold.types[name].offers[place].hourly * 3 for name, place in chosen), Decimal(0))
    assert made.most > charged
    assert made.most >= sum(item.dearest for item in made.items) / HOURS_A_MONTH * 3
    assert made.most < 2, "a try is no matter of much money"


def test_what_is_sold_out_may_be_replaced_by_something_dearer_and_that_counts() -> None:
    made = cost(catalogue(), ("nbg1", "fsn1"), NOW, 7200)
    assert all(item.dearest >= item.monthly for item in made.items)
    assert any(item.dearest > item.monthly for item in made.items)


def test_where_nothing_can_be_ordered_that_is_said_before_anything_else() -> None:
    sold = catalogue()
    without = replace(sold, types={name: one for name, one in sold.types.items() if name not in ("cx53", "ccx33")})
    without = replace(without, types={n: t for n, t in without.types.items() if t.memory_mb < 30_000})
    with pytest.raises(Conflict) as caught:
        cost(without, ("nbg1", "fsn1"), NOW, 7200)
    assert caught.value.code == "no_server_to_be_had"
    assert "single" in caught.value.message
