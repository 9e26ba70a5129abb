"""Checks that a document's account can close: every character belongs to one element, separator or drop."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter, gt, le
from typing import Any, Final

import numpy as np

from frostbyte.data_plane.document import Cell, Cells, Document, Drop, Element, Grid, Integers, Page, Span, Spans
from frostbyte.kernel.errors import StageFailed

Range = tuple[int, int]

_START, _END = attrgetter("start"), attrgetter("end")
_ROW, _COLUMN, _INNER = attrgetter("row"), attrgetter("column"), attrgetter("inner")
_ROW_SPAN, _COLUMN_SPAN = attrgetter("row_span"), attrgetter("column_span")
_AT_ONCE: Final = 1_000_000
"""Characters whose bytes are made to see whether they have any."""
_SHORT: Final = 100
"""Numbers that are compared one by one sooner than NumPy has begun."""
_DEEPEST: Final = 50
"""Tables in tables in tables."""


def check(document: Document) -> None:
    """Return if the document is well formed.

    Raises:
        StageFailed: `account_open`, saying which rule broke on which page, in numbers only.
    """
    if document.pages_found < len(document.pages):
        raise _open(0, "more pages are read than were found")
    numbers = [page.number for page in document.pages]
    if any(b <= a for a, b in itertools.pairwise(numbers)) or (numbers and numbers[0] < 1):
        raise _open(0, "page numbers do not rise")
    for page in document.pages:
        _page(page)


def _page(page: Page) -> None:
    length = len(page.text)
    inserted = _ranges(page, "inserted", page.inserted, length)
    dropped = _ranges(page, "dropped", page.dropped, length)
    elements = _ranges(page, "element", page.elements, length)
    if dropped.starts:
        inserted = _together(page, inserted, dropped)
    if gap := inserted.first_open(elements, 0, length):
        raise _open(page.number, f"characters {gap[0]} to {gap[1]} belong to no element")
    for element in page.elements:
        _parts(page, element, inserted)
    if any(not 0 <= mark.start <= mark.end <= length for mark in page.marks):
        raise _open(page.number, "a mark runs outside the text")
    if not page.text.isascii() and not _has_form(page.text):
        raise _open(page.number, "the text has no UTF-8 form")


class _Ranges:
    """Ranges in their order. Large sheets have a million: everything here works on whole lists."""

    def __init__(self, starts: Integers, ends: Integers) -> None:
        self.starts = starts
        self.ends = ends
        self._merged: _Ranges | None = None

    def rise(self) -> bool:
        """Whether none runs backwards and none begins before the one in front of it has ended."""
        if len(self.starts) < _SHORT:
            return all(map(le, self.starts, self.ends)) and all(map(le, self.ends, self.starts[1:]))
        starts, ends = self._numbers()
        return bool((starts <= ends).all() and (ends[:-1] <= starts[1:]).all())

    def _numbers(self) -> tuple[Any, Any]:
        return np.frombuffer(self.starts, np.int64), np.frombuffer(self.ends, np.int64)

    def merged(self) -> _Ranges:
        """The same with those that touch as one. They rise."""
        if self._merged is None:
            self._merged = self
            numbers = self._numbers()
            if (numbers[1][:-1] == numbers[0][1:]).any():
                starts, ends = self.starts[:1], self.ends[:1]
                for start, end in zip(self.starts[1:], self.ends[1:], strict=True):
                    if start == ends[-1]:
                        ends[-1] = end
                    else:
                        starts.append(start)
                        ends.append(end)
                self._merged = _Ranges(starts, ends)
        return self._merged

    def first_open(self, spans: _Ranges, start: int, end: int) -> Range | None:
        """The first gap between `spans`, which rise, from `start` to `end`, that these ranges do not cover."""
        left, right = array("q", [start]) + spans.ends, spans.starts + array("q", [end])
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        # The usual table: its cells reach from end to end, with one separator between each and the next.
        if (
            left[0] == right[0]
            and left[-1] == right[-1]
            and self.starts[first:last] == left[1:-1]
            and self.ends[first:last] == right[1:-1]
        ):
            return None
        gaps = [gap for gap in zip(left, right, strict=True) if gap[0] < gap[1]]
        whole = self.merged() if gaps else self
        for gap in gaps:
            index = bisect_right(whole.starts, gap[0]) - 1
            if index < 0 or whole.ends[index] < gap[1]:
                return gap
        return None


def _together(page: Page, one: _Ranges, other: _Ranges) -> _Ranges:
    ordered = sorted([*zip(one.starts, one.ends, strict=True), *zip(other.starts, other.ends, strict=True)])
    both = _Ranges(array("q", [start for start, _ in ordered]), array("q", [end for _, end in ordered]))
    if not both.rise():
        raise _open(page.number, "inserted and dropped characters overlap")
    return both


def _parts(page: Page, element: Element, special: _Ranges) -> None:
    for line in element.lines:
        if not element.start <= line.start <= line.end <= element.end:
            raise _open(page.number, "a line runs outside its element")
    if element.cells:
        _table(page, element, special, 0)


def _table(page: Page, table: Element | Grid, special: _Ranges, depth: int) -> None:
    """Cells lie in their table and on its grid, one behind the other, with separators between."""
    cells = table.cells
    spans = _spans(cells)
    if not spans.rise():
        if any(map(gt, spans.starts, spans.ends)):
            raise _open(page.number, "a cell runs backwards")
        ordered = sorted(zip(spans.starts, spans.ends, strict=True))
        spans = _Ranges(array("q", [start for start, _ in ordered]), array("q", [end for _, end in ordered]))
        if not spans.rise():
            raise _open(page.number, "cells overlap")
    if cells and not (table.start <= spans.starts[0] and spans.ends[-1] <= table.end):
        raise _open(page.number, "a cell runs outside its table")
    if not _on_grid(table, cells):
        raise _open(page.number, "a cell lies outside its table's grid")
    if gap := special.first_open(spans, table.start, table.end):
        raise _open(page.number, f"characters {gap[0]} to {gap[1]} of a table belong to no cell")
    if depth > _DEEPEST:
        raise _open(page.number, "tables are nested too deeply")
    for cell in () if isinstance(cells, Cells) else filter(_INNER, cells):
        _inner(page, cell, special, depth)


def _has_form(text: str) -> bool:
    try:
        for start in range(0, len(text), _AT_ONCE):
            text[start : start + _AT_ONCE].encode()
    except UnicodeEncodeError:
        return False
    return True


def _spans(spans: Sequence[Cell | Span | Drop | Element]) -> _Ranges:
    if isinstance(spans, (Cells, Spans)):
        return _Ranges(spans.starts, spans.ends)
    return _Ranges(array("q", map(_START, spans)), array("q", map(_END, spans)))


def _on_grid(table: Element | Grid, cells: Sequence[Cell]) -> bool:
    """Whether no cell reaches over the table's last row or column."""
    if isinstance(cells, Cells):
        rows, columns = cells.rows, cells.columns
        wide = [(rows[at] + about.row_span, columns[at] + about.column_span) for at, about in cells.special.items()]
    else:
        rows, columns = array("q", map(_ROW, cells)), array("q", map(_COLUMN, cells))
        spanning = {*map(_ROW_SPAN, cells), *map(_COLUMN_SPAN, cells)} - {1}
        wide = [(cell.row + cell.row_span, cell.column + cell.column_span) for cell in cells] if spanning else []
    return (
        _last(rows) < table.rows
        and _last(columns) < table.columns
        and all(row <= table.rows and column <= table.columns for row, column in wide)
    )


def _last(numbers: Integers) -> int:
    if len(numbers) < _SHORT:
        return max(numbers, default=-1)
    return int(np.frombuffer(numbers, np.int64).max(initial=-1))


def _inner(page: Page, cell: Cell, special: _Ranges, depth: int) -> None:
    at = cell.start
    for grid in cell.inner:
        if not at <= grid.start <= grid.end <= cell.end:
            raise _open(page.number, "a table in a cell runs outside it")
        at = grid.end
        _table(page, grid, special, depth + 1)


def _ranges(page: Page, name: str, spans: Sequence[Span | Drop | Element], length: int) -> _Ranges:
    found = _spans(spans)
    if spans and not (found.starts[0] >= 0 and found.ends[-1] <= length and found.rise()):
        if any(not 0 <= start <= end <= length for start, end in zip(found.starts, found.ends, strict=True)):
            raise _open(page.number, f"an {name} span runs outside the text")
        raise _open(page.number, f"{name} spans overlap or are out of order")
    return found


def _open(page: int, what: str) -> StageFailed:
    return StageFailed(
        "account_open",
        f"The account of the document does not close on page {page}: {what}.",
        "This is a fault of the parser: report it with the receipt's id; the file itself need not be sent.",
    )
