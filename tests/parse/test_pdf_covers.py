"""Areas of a page are found by where they lie: all that lie at a height, and few of the thousands that do not."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane.parse.pdf.covers import Cover, Covers

HEIGHTS = st.one_of(
    st.floats(-50.0, 6000.0), st.sampled_from([0.0, 31.99, 32.0, 64.0, 4096.0, math.inf, -math.inf, math.nan])
)


def area(order: int, top: float, bottom: float) -> Cover:
    return Cover(order, (10.0, top, 20.0, bottom), True, 0xFFFFFF, order)


@given(st.lists(st.tuples(HEIGHTS, HEIGHTS), max_size=30), HEIGHTS)
def test_whatever_lies_at_a_height_is_found_in_its_order(spans: list[tuple[float, float]], height: float) -> None:
    covers = Covers()
    assert covers.last == 0
    for order, (top, bottom) in enumerate(spans, 1):
        covers.add(area(order, top, bottom))
    found = list(covers.at(height))
    assert [cover for cover in found if cover.box[1] <= height <= cover.box[3]] == [
        cover for cover in covers.all if cover.box[1] <= height <= cover.box[3]
    ]
    assert found == sorted(found, key=lambda cover: cover.order)
    assert covers.last == len(spans)


def test_of_thousands_few_are_looked_at() -> None:
    covers = Covers()
    for number in range(8000):
        covers.add(area(number + 1, number % 790, number % 790 + 5))
    assert max(len(covers.at(height)) for height in range(0, 790, 7)) < 500
