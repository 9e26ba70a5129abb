"""Columns of numbers in one format, shown at one stroke.

A workbook of measurements or amounts has a different number in each cell: to answer for one after the other is most of
what it costs to read it. One pattern proves that a whole column is written in a way for which the answers of all of
them can be made in one call. Any other column, and single numbers that need more care, are answered one by one, with
the same outcome. Shares and dates gain nothing from it: they are few, come again, and are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from frostbyte.data_plane.parse.office.number_formats import general

Column = tuple[Sequence[str], Sequence[str | None]]
"""What each cell shows, and what it stores where that reads otherwise."""

_AS_STORED: Final = r"-?(?:0|[1-9]\d{0,9})(?:\.\d{0,8}[1-9])?"
SHORT: Final = re.compile(_AS_STORED, re.ASCII)
"""A number that the format General shows as it is stored, if it has at most `SHOWN` characters."""
SHOWN: Final = 11
_ALL_SHORT: Final = re.compile(rf"{_AS_STORED}(?>\n{_AS_STORED})*+", re.ASCII)
_USUAL: Final = r"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,20})?"
_ALL_USUAL: Final = re.compile(rf"{_USUAL}(?>\n{_USUAL})*+", re.ASCII)
_SMALLEST: Final = 1e-4
"""Below this General writes a power of ten, if it is not 0."""
_LIKE_HALVES: Final = (12, 13)
"""Characters of a number, without and with its sign, that may lie in the middle between two that General can show."""
_HALF: Final = frozenset(("5", "50", "500", "499"))
"""How such a number goes on behind its tenth digit, in however many digits it is stored."""
_MOST_PLACES: Final = 4
"""Decimal places up to which a number is written without a power of ten, and its digits are those of the file."""


class Fixed(NamedTuple):
    """A format that shows a number with so many decimal places: `0`, `#,##0.00 "EUR"`."""

    before: str
    places: int
    behind: str
    grouped: bool


def fixed_column(form: Fixed, values: Sequence[str]) -> Column | None:
    """What a column of cells in such a format shows, where no number has more places than are shown.

    Args:
        form: the format.
        values: the numbers as they stand in the file; at least one.

    Returns:
        None if they have to be answered one by one.
    """
    joined = "\n".join(values)
    if joined.count("\n") != len(values) - 1 or not _all_with_places(form.places).fullmatch(joined):
        return None
    texts, places = list(values), form.places
    stored: list[str | None] = [None] * len(values)
    if places:
        point = slice(-places - 1, -places)
        for short in [at for at, value in enumerate(values) if value[point] != "."]:
            texts[short], stored[short] = _padded(values[short], places), values[short]
    if form.grouped:
        least = places + 4 if places else 3
        millions = least + 3
        texts = [
            text
            if len(text) <= least
            else f"{text[:-least]},{text[-least:]}"
            if len(text) <= millions
            else f"{text[:-millions]},{text[-millions:-least]},{text[-least:]}"
            for text in texts
        ]
    if form.before or form.behind:
        texts = [f"{form.before}{text}{form.behind}".strip() for text in texts]
    return texts, stored


def _padded(value: str, places: int) -> str:
    whole, _, fraction = value.partition(".")
    return f"{whole}.{fraction:0<{places}}"


@lru_cache(maxsize=_MOST_PLACES + 1)
def _all_with_places(places: int) -> re.Pattern[str]:
    number = r"(?:0|[1-9]\d{0,8})" + (rf"(?:\.\d{{1,{places}}})?" if places else "")
    return re.compile(rf"{number}(?>\n{number})*+" if places <= _MOST_PLACES else "(?!)", re.ASCII)


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
    sizes = list(map(abs, numbers))
    least, most = min(sizes), max(sizes)
    if least < _SMALLEST and any(
        size < _SMALLEST and (size or value[0] == "-") for size, value in zip(sizes, values, strict=True)
    ):
        return None
    # Nine places below one, ten digits above: that is how wide General is.
    if least >= 1 or most < 1:
        forms = "\n".join(["%.9f" if most < 1 else "%.10g"] * len(values))
    else:
        forms = "\n".join(["%.9f" if size < 1 else "%.10g" for size in sizes])
    texts = (forms % tuple(numbers)).split("\n")
    if least < 1:  # the other form writes no zeros at the end
        texts = [text.rstrip("0").rstrip(".") if text[-1] == "0" and "." in text else text for text in texts]
    for place in [at for at, value in enumerate(values) if value[11:14] in _HALF or value[12:15] in _HALF]:
        exact = repr(numbers[place])
        if exact[-1] == "5" and len(exact) in _LIKE_HALVES:  # halves go up, which only `general` does
            texts[place] = general(numbers[place])
    stored = [
        None if shown == number else value
        for shown, number, value in zip(map(float, texts), numbers, values, strict=True)
    ]
    return texts, stored
