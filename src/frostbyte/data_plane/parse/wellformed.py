"""Checks that a document's account can close: every character belongs to one element, separator or drop."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from frostbyte.data_plane.document import Document, Drop, Element, Page, Span
from frostbyte.kernel.errors import StageFailed

Range = tuple[int, int]


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
    special = sorted([*inserted, *dropped])
    if _overlap(special):
        raise _open(page.number, "inserted and dropped characters overlap")
    merged = _merge(special)
    for start, end in _gaps(elements, 0, length):
        if not _covered(merged, start, end):
            raise _open(page.number, f"characters {start} to {end} belong to no element")
    for element in page.elements:
        _parts(page, element, merged)
    _surrogates(page)


def _parts(page: Page, element: Element, special: list[Range]) -> None:
    for line in element.lines:
        if not element.start <= line.start <= line.end <= element.end:
            raise _open(page.number, "a line runs outside its element")
    if not element.cells:
        return
    for cell in element.cells:
        if not element.start <= cell.start <= cell.end <= element.end:
            raise _open(page.number, "a cell runs outside its table")
        if cell.row + cell.row_span > element.rows or cell.column + cell.column_span > element.columns:
            raise _open(page.number, "a cell lies outside its table's grid")
    spans = sorted((cell.start, cell.end) for cell in element.cells)
    if _overlap(spans):
        raise _open(page.number, "cells overlap")
    for start, end in _gaps(spans, element.start, element.end):
        if not _covered(special, start, end):
            raise _open(page.number, f"characters {start} to {end} of a table belong to no cell")


def _surrogates(page: Page) -> None:
    if not page.text.isascii() and any("\ud800" <= character <= "\udfff" for character in page.text):
        raise _open(page.number, "the text has no UTF-8 form")


def _ranges(page: Page, name: str, spans: Sequence[Span | Drop | Element], length: int) -> list[Range]:
    found = [(span.start, span.end) for span in spans]
    if any(not 0 <= start <= end <= length for start, end in found):
        raise _open(page.number, f"an {name} span runs outside the text")
    if any(after[0] < before[1] for before, after in itertools.pairwise(found)):
        raise _open(page.number, f"{name} spans overlap or are out of order")
    return found


def _overlap(spans: list[Range]) -> bool:
    return any(after[0] < before[1] for before, after in itertools.pairwise(spans))


def _merge(spans: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, end in spans:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _gaps(spans: list[Range], start: int, end: int) -> Iterable[Range]:
    at = start
    for first, last in spans:
        if first > at:
            yield at, first
        at = max(at, last)
    if at < end:
        yield at, end


def _covered(merged: list[Range], start: int, end: int) -> bool:
    index = bisect_right(merged, (start, float("inf"))) - 1
    return index >= 0 and merged[index][0] <= start and merged[index][1] >= end


def _open(page: int, what: str) -> StageFailed:
    return StageFailed(
        "account_open",
        f"The account of the document does not close on page {page}: {what}.",
        "This is a fault of the parser: report it with the receipt's id; the file itself need not be sent.",
    )
