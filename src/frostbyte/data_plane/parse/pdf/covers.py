"""What is painted over something on a PDF page, found by where it lies.

A map or a plan has thousands of areas and thousands of names: looked through for each name, they cost seconds a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.document import Box

_BAND: Final = 32.0
"""Points of height of a band of the page: two or three lines of text."""
_BANDS: Final = 128
"""Bands, of which the last takes in all that lies below: more than the height of an A0 sheet."""


@dataclass(slots=True)
class Cover:
    """Something painted over what was there before it."""

    order: int
    box: Box
    paper: bool
    """White, so that white letters on it cannot be seen."""
    colour: int
    """Red, green and blue, of what is filled with one; -1 for pictures and patterns."""
    item: int
    """PDFium's handle, while the page is open; 0 for what only lies under letters."""


class Covers:
    """All areas and pictures of a page, in the order in which they are painted."""

    def __init__(self) -> None:
        self.all: list[Cover] = []
        self._bands: dict[int, list[Cover]] = {}

    @property
    def last(self) -> int:
        """The order of the last one; 0 if there is none."""
        return self.all[-1].order if self.all else 0

    def add(self, cover: Cover) -> None:
        """Take in what is painted after all others."""
        self.all.append(cover)
        for band in range(_band(cover.box[1]), _band(cover.box[3]) + 1):
            self._bands.setdefault(band, []).append(cover)

    def at(self, height: float) -> Sequence[Cover]:
        """Those that may lie at that height (points from the top): all that do, and others near it."""
        return self._bands.get(_band(height), ())


def _band(height: float) -> int:
    within = max(0.0, height)  # in this order, so that what is no number becomes 0
    return min(_BANDS - 1, int(min(within, _BAND * _BANDS) / _BAND))
