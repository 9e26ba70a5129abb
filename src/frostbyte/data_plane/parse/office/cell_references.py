"""Cells' names, and formulas that many cells share."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.parse.limits import damaged

_LAST_COLUMN: Final = 16_384
_LAST_ROW: Final = 1_048_576
_RANGE: Final = re.compile(r"^\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?$")
_PART: Final = re.compile(
    r'"[^"]*"|\'[^\']*\'|\[[^\]]*\]'  # texts, names of sheets, columns of tables: not touched
    r"|(?<![\w.$])(\$?)([A-Z]{1,3})(\$?)(\d{1,7})(?![\w.(!])"
    r"|(?<![\w.$])(\$?)([A-Z]{1,3}):(\$?)([A-Z]{1,3})(?![\w.(!])"
)


@lru_cache(maxsize=32_768)
def column_number(letters: str) -> int:
    """From 0: A is 0.

    Raises:
        StageFailed: `damaged`, there is no such column.
    """
    number = _count(letters)
    if not 0 < number <= _LAST_COLUMN:
        raise damaged("XLSX")
    return number - 1


def _count(letters: str) -> int:
    """From 1; 0 for what is no column's name."""
    number = 0
    for letter in letters[:4]:
        if not "A" <= letter <= "Z":
            return 0
        number = number * 26 + ord(letter) - 64
    return number


@lru_cache(maxsize=32_768)
def column_name(number: int) -> str:
    """The inverse of `column_number`."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def area(reference: str) -> tuple[int, int, int, int] | None:
    """Top, left, bottom and right of a range like `B2:C9`, from 0; None for what is none."""
    match = _RANGE.match(reference)
    if match is None:
        return None
    left, top, right, bottom = match.groups()
    first = (int(top) - 1, column_number(left))
    last = (int(bottom) - 1, column_number(right)) if right else first
    if not (0 <= first[0] <= last[0] < _LAST_ROW and first[1] <= last[1]):
        return None
    return first[0], first[1], last[0], last[1]


def name_of(top: int, left: int, bottom: int, right: int) -> str:
    """`B2:C9`, or `B2` for one cell."""
    first = f"{column_name(left)}{top + 1}"
    last = f"{column_name(right)}{bottom + 1}"
    return first if first == last else f"{first}:{last}"


def moved(formula: str, rows: int, columns: int) -> str:
    """A formula as it reads so many rows further down and columns further right: relative references move along."""

    def shifted(match: re.Match[str]) -> str:
        if match.group(2):
            fixed_column, letters, fixed_row, row = match.group(1, 2, 3, 4)
            return f"{fixed_column}{_column(letters, fixed_column, columns)}{fixed_row}{_row(row, fixed_row, rows)}"
        if match.group(6):
            one, first, two, last = match.group(5, 6, 7, 8)
            return f"{one}{_column(first, one, columns)}:{two}{_column(last, two, columns)}"
        return match.group()

    return _PART.sub(shifted, formula)


def _column(letters: str, fixed: str, by: int) -> str:
    number = _count(letters)
    if fixed or number > _LAST_COLUMN:  # XFE is no column, but may be a name
        return letters
    return column_name((number - 1 + by) % _LAST_COLUMN)


def _row(row: str, fixed: str, by: int) -> str:
    return row if fixed else str((int(row) - 1 + by) % _LAST_ROW + 1)


class Shared:
    """Formulas that are stored once and used by many cells (ECMA-376 part 1, 18.3.1.40)."""

    def __init__(self) -> None:
        self._masters: dict[str, tuple[str, int, int]] = {}

    def formula(self, about: dict[str, str], text: str, row: int, column: int) -> str:
        """The formula of a cell with its `=`, or '' if it has none of its own."""
        if about.get("t") == "shared":
            index = about.get("si", "")
            if text:
                self._masters[index] = (text, row, column)
            elif index in self._masters:
                master, top, left = self._masters[index]
                text = moved(master, row - top, column - left)
        return f"={text}" if text else ""
