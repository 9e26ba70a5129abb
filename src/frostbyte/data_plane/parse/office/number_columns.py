"""Columns of numbers in the format General, shown at one stroke.

A workbook of measurements has a different number in each cell: to answer for one after the other is most of what it
costs to read it. One pattern proves that a whole column is written in a way for which the answers of all of them can be
made in one call. Any other column, and single numbers that need more care, are answered one by one, with the same
outcome. Numbers in other formats gain nothing from it: they are short, come again, and are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from frostbyte.data_plane.parse.office.number_formats import general

Column = tuple[Sequence[str], Sequence[str | None]]
"""What each cell shows, and what it stores where that reads otherwise."""

_AS_STORED: Final = r"-?(?:0|[1-9]\d{0,9})(?:\.\d{0,8}[1-9])?"
SHORT: Final = re.compile(_AS_STORED, re.ASCII)
"""A number that the format General shows as it is stored, if it has at most `SHOWN` characters."""
SHOWN: Final = 11
_ALL_SHORT: Final = re.compile(rf"{_AS_STORED}(?>\n{_AS_STORED})*+", re.ASCII)
_USUAL: Final = r"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,17})?"
_ALL_USUAL: Final = re.compile(rf"{_USUAL}(?>\n{_USUAL})*+", re.ASCII)
_SMALLEST: Final = 1e-4
"""Below this General writes a power of ten, or nothing but 0."""
_LIKE_HALVES: Final = (12, 13)
"""Characters of a number, without and with its sign, that may lie in the middle between two that General can show."""


def general_column(values: Sequence[str]) -> Column | None:
    """What a column of cells in the format General shows.

    Args:
        values: the numbers as they stand in the file; at least one.

    Returns:
        None if they have to be answered one by one.
    """
    joined = "\n".join(values)
    if joined.count("\n") != len(values) - 1:
        return None
    if _ALL_SHORT.fullmatch(joined) and len(max(values, key=len)) <= SHOWN:
        return values, [None] * len(values)
    if not _ALL_USUAL.fullmatch(joined):
        return None
    numbers = list(map(float, values))
    if min(map(abs, numbers)) < _SMALLEST:
        return None
    # Nine places below one, ten digits above: that is how wide General is.
    forms = "\n".join(["%.9f" if -1 < number < 1 else "%.10g" for number in numbers])
    shown = (forms % tuple(numbers)).split("\n")
    texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in shown]
    for place, exact in enumerate(map(repr, numbers)):
        if exact[-1] == "5" and len(exact) in _LIKE_HALVES:  # halves go up, which only `general` does
            texts[place] = general(numbers[place])
    stored = [
        None if text == value or float(text) == number else value
        for text, value, number in zip(texts, values, numbers, strict=True)
    ]
    return texts, stored
