"""Columns in text that was a table once: tabs, bars, semicolons, commas or wide gaps between cells.

Text files, mails and scans hold tables that no parser has told apart. The head of a column is the cell of the first
line of the run of lines with the same separator that stands at the value's number (or, between wide gaps, above it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

_SEPARATORS: Final = (
    (re.compile(r"\t"), 1),
    (re.compile(r"\|"), 1),
    (re.compile(r";"), 2),
    (re.compile(r" {2,}"), 1),
    (re.compile(r","), 3),
    (re.compile(r"(?<!\d),(?! )|,(?=[^\s\d]|\d{4}|\d{3}-|\d{1,2}[/.]\d)"), 2),
)
"""Each with how many of them make a line a row, the surest first; the last are commas without a blank, outside of
numbers."""
_GAPS: Final = 3
"""Which of them are wide gaps."""

_VALUE: Final = re.compile(r"\d\D{0,2}\d\D{0,2}\d")
"""A cell that holds a number is no head."""

_BRACKETS: Final = re.compile(r"\([^()]*\)")
_RULER: Final = re.compile(r"[ \t|+]*[-=_]{3}[-=_ \t|+:]*\r?")
"""A line of strokes between the heads and the rows: it parts no table."""
_LISTED: Final = re.compile(r" *\d{1,3}\.? {2,}\S+(?: \S+){3,}")
"""A numbered line of prose: its number is no cell."""

_LONGEST_HEAD: Final = 50
"""Characters; more is no head of a column."""
_LONGEST_LINE: Final = 2000


class Columns:
    """The columns of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._first: dict[tuple[int, int], int] = {}

    def head(self, position: int) -> tuple[str, int]:
        """What heads the column at `position`, and where the cell to the left begins; ('', 0) if it is in no table."""
        start, end = self._line(position)
        if end - start > _LONGEST_LINE:
            return "", 0
        kind = self._kind(start, end)
        if kind < 0:
            return "", 0
        first = self._top(start, end, kind)
        if first == start:
            return "", 0
        cells = self._cells(start, end, kind)
        index = next(i for i, (_, stop) in enumerate(cells) if position <= stop)
        left = cells[max(index - 1, 0)][0]
        return self._head(first, kind, index, len(cells), position - start), left or 1

    def first(self, position: int) -> tuple[int, int]:
        """The first line of the table at `position`; (0, 0) outside of tables and in that line."""
        start, end = self._line(position)
        kind = self._kind(start, end) if end - start <= _LONGEST_LINE else -1
        first = self._top(start, end, kind) if kind >= 0 else start
        return self._line(first) if first != start else (0, 0)

    def row_head(self, position: int) -> tuple[str, int]:
        """The first cell of the row at `position`, and where the row's second begins; ('', 0) outside of tables."""
        start, end = self._line(position)
        kind = self._kind(start, end) if end - start <= _LONGEST_LINE else -1
        if kind < 0:
            return "", 0
        cells = self._cells(start, end, kind)
        return self._as_head(*cells[0]), cells[1][0]

    def heads(self, position: int) -> list[str]:
        """The heads of all columns of the table at `position`; empty outside of tables."""
        start, end = self._line(position)
        kind = self._kind(start, end) if end - start <= _LONGEST_LINE else -1
        if kind < 0:
            return []
        first = self._top(start, end, kind)
        return [self._text[a:b] for a, b in self._cells(first, self._line(first)[1], kind)] if first != start else []

    def below(self, position: int) -> Iterator[tuple[list[str], list[tuple[int, int]]]]:
        """For each row of the table whose heads stand in the line at `position`: the heads, and the row's cells."""
        start, end = self._line(position)
        kind = self._kind(start, end) if end - start <= _LONGEST_LINE else -1
        if kind < 0 or self._top(start, end, kind) != start:
            return
        heads = [self._text[a:b] for a, b in self._cells(start, end, kind)]
        while end < len(self._text):
            start, end = self._line(end + 1)
            if end - start > _LONGEST_LINE or self._kind(start, end) != kind:
                return
            yield heads, self._cells(start, end, kind)

    def cell(self, position: int) -> int:
        """Where the cell at `position` begins."""
        start, end = self._line(position)
        kind = self._kind(start, end) if end - start <= _LONGEST_LINE else -1
        if kind < 0:
            return start
        return next(begin for begin, stop in self._cells(start, end, kind) if position <= stop)

    def _line(self, position: int) -> tuple[int, int]:
        end = self._text.find("\n", position)
        return self._text.rfind("\n", 0, position) + 1, len(self._text) if end < 0 else end

    def _kind(self, start: int, end: int) -> int:
        """Which separator makes this line a row; -1 for none."""
        inside = self._inside(start, end)
        for kind, (separator, least) in enumerate(_SEPARATORS):
            if kind == _GAPS and _LISTED.fullmatch(self._text, *inside):
                continue
            if sum(1 for _ in islice(separator.finditer(self._text, *inside), least)) == least:
                return kind
        return -1

    def _inside(self, start: int, end: int) -> tuple[int, int]:
        """A line without the blanks around it."""
        while start < end and self._text[start] == " ":
            start += 1
        while end > start and self._text[end - 1] in " \r":
            end -= 1
        return start, end

    def _top(self, start: int, end: int, kind: int) -> int:
        """Where the first line of the run of rows begins."""
        passed: list[int] = []
        here = start
        while (here, kind) not in self._first:
            passed.append(here)
            if here == 0:
                break
            above = self._text.rfind("\n", 0, here - 1) + 1
            if here - above > _LONGEST_LINE:
                break
            if _RULER.fullmatch(self._text, above, here - 1) and above:
                ruled = above
                above = self._text.rfind("\n", 0, above - 1) + 1
                if ruled - above > _LONGEST_LINE or self._kind(above, ruled - 1) != kind:
                    break
            elif self._kind(above, here - 1) != kind:
                break
            here = above
        top = self._first.get((here, kind), here)
        for line in passed:
            self._first[line, kind] = top
        return top

    def _cells(self, start: int, end: int, kind: int) -> list[tuple[int, int]]:
        start, end = self._inside(start, end)
        cells, at = [], start
        for match in _SEPARATORS[kind][0].finditer(self._text, start, end):
            cells.append((at, match.start()))
            at = match.end()
        return [*cells, (at, end)]

    def _head(self, first: int, kind: int, index: int, count: int, offset: int) -> str:
        _, end = self._line(first)
        cells = self._cells(first, end, kind)
        if len(cells) != count and kind == _GAPS:
            index = next((i for i, (a, b) in enumerate(cells) if a - first <= offset <= b - first), len(cells))
        if index >= len(cells):
            return ""
        return self._as_head(*cells[index])

    def _as_head(self, begin: int, stop: int) -> str:
        """A cell's text if it can head a column; a number in brackets tells more about what stands in it."""
        head = self._text[begin:stop]
        return "" if len(head) > _LONGEST_HEAD or _VALUE.search(_BRACKETS.sub("", head)) else head
