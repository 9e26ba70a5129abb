"""CSV: which sign separates, where the header is, and whether it is a table at all."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from frostbyte.data_plane.document import Cells, Element, Kind, Page, Special
from frostbyte.data_plane.parse.building import PageBuilder, written
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_cells

_SAMPLE: Final = 65_536
_DELIMITERS: Final = "\t;|,"
"""By how seldom they stand in ordinary text: an earlier one wins a tie, so that `1,5;2,5` is two numbers."""
_DECLARED: Final = re.compile(r'^\ufeff?(?:"sep=(?P<quoted>.)"|sep=(?P<plain>.))[ \t;,]*(?:\r\n|\r|\n)', re.IGNORECASE)
"""The line by which Excel is told the separator."""
_NUMBER: Final = re.compile(
    r"^[\s€$£]*[-+(]?[\d.,'\s]+%?\)?[\s€$£A-Z]{0,4}$|^\d{4}-\d\d-\d\d|^\d{1,2}[./]\d{1,2}[./]\d{2,4}$"
)
_AGREEING: Final = 0.6
"""Part of the rows that must have as many cells as most have."""
_LATE: Final = 40
"""Rows within which a table begins."""
_END: Final = "\ue0ff"
"""A line of its own behind the last: where a quote is open it becomes part of a cell."""
_TRIES: Final = 20
"""Quotes without an end that are looked for in one file."""
_WORDS: Final = 12
"""Mean words of a cell above which it is prose."""


class _Dialect(NamedTuple):
    delimiter: str
    escape: str | None
    skip: bool
    """Whether blanks in front of a cell are none of it: a quote stands behind some."""
    width: int = 0
    """Cells of most rows."""


def csv_page(text: str, limits: ParseLimits) -> tuple[Page, tuple[str, ...]] | None:
    """The page of a CSV: one table, with lines above it that are no row as paragraphs; None where it has no such shape.

    Raises:
        StageFailed: `too_many_cells`.
    """
    declared = _DECLARED.match(text)
    body = text[declared.end() :] if declared else text
    stated = (declared.group("quoted") or declared.group("plain")) if declared else ""
    dialect = _dialect(body[:_SAMPLE], whole=len(body) <= _SAMPLE, stated=stated)
    if dialect is None:
        return None
    parsed, closed = _parsed(body, dialect)
    rows = [row for row in parsed if any(row)]
    builder = PageBuilder()
    if declared:
        builder.drop(declared.group().rstrip("\r\n"), "separator_line")
    above = _above(rows, dialect.width)
    for row in rows[:above]:
        with builder.element(Kind.PARAGRAPH):
            if any(value.startswith(" ") for value in row[1:]):
                builder.found(dialect.delimiter.join(row))  # a sentence, which this sign did not separate
                continue
            for number, value in enumerate(filter(None, row)):
                if number:
                    builder.insert(" ")
                builder.found(value)
    rows = rows[above:]
    width = max(_used(row) for row in rows)
    if any(len(row) > width for row in rows):
        rows = [row[:width] for row in rows]  # each line ends in separators: columns without a word are none
    if len(rows) * width > limits.max_cells:
        raise too_many_cells(limits.max_cells)
    _write(builder, rows, width)
    notes = (
        "" if closed else "quote_not_closed",
        "ragged_rows" if len({len(row) for row in rows}) > 1 else "",
    )
    return builder.page(1), tuple(filter(None, notes))


def _write(builder: PageBuilder, rows: list[list[str]], width: int) -> None:
    header = _has_header(rows)
    begun = builder.begin()
    texts = [value for row in rows for value in row]
    separators = [sign for row in rows for sign in ("\n", *("\t" * (len(row) - 1)))]
    starts, ends = builder.cells([written(separators, texts).begun()])
    cells = Cells(
        rows=array("q", [number for number, row in enumerate(rows) for _ in row]),
        columns=array("q", [column for row in rows for column in range(len(row))]),
        starts=starts,
        ends=ends,
        special=dict.fromkeys(range(len(rows[0])), Special(1, 1, header=True)) if header else {},
    )
    builder.end(Element(kind=Kind.TABLE, start=begun, end=builder.at, rows=len(rows), columns=width, cells=cells))


def _used(row: list[str]) -> int:
    """Cells up to the last that is not empty."""
    used = len(row)
    while used and not row[used - 1]:
        used -= 1
    return used


def _dialect(sample: str, *, whole: bool, stated: str) -> _Dialect | None:
    """The separator under which most rows agree in their number of cells; None for prose."""
    escape = "\\" if re.search(r'\\"(?!\s*[\t;|,\r\n])', sample) and '""' not in sample else None
    best: tuple[float, _Dialect] | None = None
    for delimiter in stated or _DELIMITERS:
        dialect = _Dialect(delimiter, escape, bool(re.search(f'{re.escape(delimiter)} +"', sample)))
        rows, above = _judged(sample, dialect, whole=whole)
        if not rows:
            continue
        width, agreeing = max(Counter(map(len, rows[:500])).items(), key=lambda item: (item[1], item[0]))
        share = agreeing / min(len(rows), 500)
        fits = width >= 2 and share >= _AGREEING and not _prose(rows, width, delimiter)
        share *= len(rows) / (len(rows) + above)
        if (fits or (stated and width >= 2)) and (best is None or share > best[0] + 0.02):
            best = share, dialect._replace(width=width)
    return best[1] if best else None


def _judged(sample: str, dialect: _Dialect, *, whole: bool) -> tuple[list[list[str]], int]:
    """The rows by which a dialect is judged, without the last where it may be cut; and how many stand above them."""
    rows = list(_reader(io.StringIO(sample, newline=""), dialect))
    rows = rows if whole else rows[:-1]
    if len(rows) < 3:
        rows, _ = _parsed(sample, dialect)  # a quote without an end has swallowed the others
    rows = [row for row in rows if any(value.strip() for value in row)]
    widest = max(map(len, rows), default=0)
    first = next((number for number, row in enumerate(rows[:_LATE]) if len(row) == widest), 0)
    return (rows[first:], first) if len(rows) - first > 1 else (rows, 0)


def _prose(rows: list[list[str]], width: int, delimiter: str) -> bool:
    """Whether the cells are pieces of sentences: many words, or commas with a space behind them and nothing quoted."""
    cells = [cell for row in rows[:500] if len(row) == width for cell in row]
    filled = [cell for cell in cells if cell.strip()]
    if sum(len(cell.split()) for cell in filled) > _WORDS * max(1, len(filled)):
        return True
    if width == 2 and not any(row[1].strip() for row in rows if len(row) == 2):
        return True  # "Dear Sir," and "Yours,": each line merely ends in a comma
    spaced = sum(cell.startswith(" ") for row in rows[:500] for cell in row[1:])
    behind = sum(len(row) - 1 for row in rows[:500])
    return delimiter == "," and spaced * 2 > behind and sum(len(cell.split()) for cell in filled) > 2 * len(filled)


def _reader(lines: Iterable[str], dialect: _Dialect) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        escapechar=dialect.escape,
        doublequote=dialect.escape is None,
        skipinitialspace=dialect.skip,
    )


def _parsed(text: str, dialect: _Dialect) -> tuple[list[list[str]], bool]:
    """The rows, and whether each quote that opens a cell has an end.

    In a line in which one is open to the end of the file, quotes are signs like others: else all that follows would be
    one cell. A vertical tab is a line's end inside a cell, as FileMaker writes it.
    """
    rows = list(_reader(chain(io.StringIO(text, newline=""), (_END,)), dialect))
    closed = rows[-1] == [_END]
    rows = rows[:-1] if closed else _closed(list(io.StringIO(text, newline="")), dialect)
    if "\x0b" in text:
        rows = [[value.replace("\x0b", "\n") for value in row] for row in rows]
    return rows, closed


def _closed(lines: list[str], dialect: _Dialect) -> list[list[str]]:
    """The rows of lines of which at least one has an open quote."""
    rows: list[list[str]] = []
    at = 0
    for _ in range(_TRIES):
        before, start = 0, 0
        taken = _Counted(chain(lines[at:], (_END,)))
        for row in _reader(taken, dialect):
            rows.append(row)
            start, before = before, taken.count
        if rows.pop() == [_END]:
            return rows
        rows.append(lines[at + start].rstrip("\r\n").split(dialect.delimiter))
        at += start + 1
    return rows + list(_reader(lines[at:], dialect))


class _Counted:
    """Lines, and how many of them were taken."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def _above(rows: list[list[str]], width: int) -> int:
    """Rows before the table: its title, and what is said of it as pairs or in few of its columns above its header."""
    count = 0
    while count < len(rows) - 1 and len(rows[count]) < width and sum(map(bool, rows[count])) == 1:
        count += 1
    for number, row in enumerate(rows[:_LATE]):
        filled = sum(map(bool, row))
        if len(row) == width and filled >= max(2, width - 1):
            return number if number > count and _has_header(rows[number:]) else count
        if len(row) >= width and filled > max(1, width // 3):
            break
    return count


def _has_header(rows: list[list[str]]) -> bool:
    """The first row names the columns: all but a corner filled, all different, none a number, and something below."""
    first = [value.strip() for value in rows[0]]
    filled = [value for value in first if value]
    return (
        len(rows) > 1
        and len(filled) >= max(1, len(first) - 1)
        and len(set(filled)) == len(filled)
        and not any(_NUMBER.match(value) for value in filled)
    )
