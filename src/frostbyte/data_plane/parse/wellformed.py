"""Checks that a document's account can close: every character belongs to one element, separator or drop."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Sequence
from operator import add, attrgetter
from typing import Final

from frostbyte.data_plane.document import Cell, Document, Drop, Element, Grid, Page, Span
from frostbyte.kernel.errors import StageFailed

Range = tuple[int, int]

_RANGE: Final = attrgetter("start", "end")
_ROW, _ROW_SPAN = attrgetter("row"), attrgetter("row_span")
_COLUMN, _COLUMN_SPAN = attrgetter("column"), attrgetter("column_span")
_INNER: Final = attrgetter("inner")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
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
    ordered = sorted([*inserted, *dropped]) if dropped else inserted
    if dropped and _overlap(ordered):
        raise _open(page.number, "inserted and dropped characters overlap")
    special = _Special(ordered)
    if gap := special.first_open(elements, 0, length):
        raise _open(page.number, f"characters {gap[0]} to {gap[1]} belong to no element")
    for element in page.elements:
        _parts(page, element, special)
    if any(not 0 <= mark.start <= mark.end <= length for mark in page.marks):
        raise _open(page.number, "a mark runs outside the text")
    if not page.text.isascii() and _SURROGATE.search(page.text):
        raise _open(page.number, "the text has no UTF-8 form")


class _Special:
    """The characters that need no element: inserted and dropped ones, those that touch as one range."""

    def __init__(self, ordered: list[Range]) -> None:
        self._ranges = _merge(ordered)
        self._known = set(self._ranges)

    def first_open(self, spans: list[Range], start: int, end: int) -> Range | None:
        """The first gap between ranges that do not overlap, from `start` to `end`, that is not covered.

        Nearly every gap is one separator, exactly: a set takes those away at once.
        """
        starts, ends = zip(*spans, strict=True) if spans else ((), ())
        gaps = set(zip((start, *ends), (*starts, end), strict=True)) - self._known
        for gap in sorted(gaps):
            index = bisect_right(self._ranges, (gap[0], float("inf"))) - 1
            if gap[0] < gap[1] and (index < 0 or self._ranges[index][1] < gap[1]):
                return gap
        return None


def _parts(page: Page, element: Element, special: _Special) -> None:
    for line in element.lines:
        if not element.start <= line.start <= line.end <= element.end:
            raise _open(page.number, "a line runs outside its element")
    if element.cells:
        _table(page, element, special, 0)


def _table(page: Page, table: Element | Grid, special: _Special, depth: int) -> None:
    """Cells lie in their table and on its grid, one behind the other, with separators between."""
    cells: Sequence[Cell] = table.cells
    spans = list(map(_RANGE, cells))
    if not _rising(spans):
        if any(start > end for start, end in spans):
            raise _open(page.number, "a cell runs backwards")
        spans.sort()
        if _overlap(spans):
            raise _open(page.number, "cells overlap")
    if spans and not (table.start <= spans[0][0] and max(spans[-1]) <= table.end):
        raise _open(page.number, "a cell runs outside its table")
    lowest = max(map(add, map(_ROW, cells), map(_ROW_SPAN, cells)), default=0)
    rightmost = max(map(add, map(_COLUMN, cells), map(_COLUMN_SPAN, cells)), default=0)
    if lowest > table.rows or rightmost > table.columns:
        raise _open(page.number, "a cell lies outside its table's grid")
    if gap := special.first_open(spans, table.start, table.end):
        raise _open(page.number, f"characters {gap[0]} to {gap[1]} of a table belong to no cell")
    if depth > _DEEPEST:
        raise _open(page.number, "tables are nested too deeply")
    for cell in filter(_INNER, cells):
        _inner(page, cell, special, depth)


def _inner(page: Page, cell: Cell, special: _Special, depth: int) -> None:
    at = cell.start
    for grid in cell.inner:
        if not at <= grid.start <= grid.end <= cell.end:
            raise _open(page.number, "a table in a cell runs outside it")
        at = grid.end
        _table(page, grid, special, depth + 1)


def _ranges(page: Page, name: str, spans: Sequence[Span | Drop | Element], length: int) -> list[Range]:
    found = list(map(_RANGE, spans))
    if found and not (found[0][0] >= 0 and found[-1][1] <= length and _rising(found)):
        if any(not 0 <= start <= end <= length for start, end in found):
            raise _open(page.number, f"an {name} span runs outside the text")
        raise _open(page.number, f"{name} spans overlap or are out of order")
    return found


def _rising(spans: list[Range]) -> bool:
    """Whether no range runs backwards and none begins before the one in front of it has ended."""
    flat = list(itertools.chain.from_iterable(spans))
    return flat == sorted(flat)


def _overlap(spans: list[Range]) -> bool:
    return any(after[0] < before[1] for before, after in itertools.pairwise(spans))


def _merge(spans: list[Range]) -> list[Range]:
    merged: list[Range] = []
    last = -1
    for span in spans:
        if span[0] == last:
            merged[-1] = (merged[-1][0], span[1])
        else:
            merged.append(span)
        last = span[1]
    return merged


def _open(page: int, what: str) -> StageFailed:
    return StageFailed(
        "account_open",
        f"The account of the document does not close on page {page}: {what}.",
        "This is a fault of the parser: report it with the receipt's id; the file itself need not be sent.",
    )
