"""The quick way through the rows of a worksheet: most have the same shape as the one above.

A row's XML without its values is its shape. Of a shape we make a regular expression that matches such rows and nothing
else, so that columns, styles and types of all its cells are known and only the values are cut out. It takes nothing
that the expressions of `xlsx_cells`, which look at each cell by itself, would not take.
"""

from __future__ import annotations

import re
from itertools import chain, count
from operator import lt
from typing import Final, NamedTuple

from frostbyte.data_plane.parse.office.cell_references import Shared, column_number
from frostbyte.data_plane.parse.office.escapes import unescaped

LAST_ROW: Final = 1_048_576
_CELL: Final = re.compile(
    r'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>(?:(?<=/>)|'
    r"(?:(<f[^>]*>)(?:(?<=/>)|[^<]*(</f>)))?(?:(<v>|<is><t[^>]*>)[^<]*(</v>|</t></is>))?</c>)"
)
_HEAD: Final = r'\s*<row r="(\d{1,7})"[^>]*>'
_FIRST: Final = re.compile(_HEAD)
_EMPTY: Final = re.compile(r"\s*<row\b[^>]*(?:/>|></row>)")
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_WORTH: Final = 64
"""Rows that a piece has room for, from which it pays to learn their shape: that costs as much as to read so many."""
_SHAPES: Final = 8
_RARE: Final = 256
"""Shapes of a sheet that are learned, and rows from which one more is."""
_MOST: Final = 32
"""Shapes that are ever learned of one sheet: each is tried where another begins."""
_RUN: Final = 16
"""Rows of one shape, on the average, from which each run of them is given as a chunk of its own."""


class RowOf(NamedTuple):
    """Where the cells of a row stand in a chunk."""

    number: int
    """From 0."""
    hidden: bool
    start: int
    end: int


class Chunk(NamedTuple):
    """The cells of some rows, one behind the other."""

    rows: list[RowOf]
    columns: tuple[int, ...]
    kinds: tuple[str, ...]
    """Attributes of each cell as they are written, but for its place: ` s="3" t="s"`."""
    values: tuple[str, ...]
    """As they are stored, with the entities of XML."""
    formulas: dict[int, dict[int, str]]
    """By row and column, with the `=`."""
    width: int = 0
    """Cells of each row, where all rows have the same columns and kinds; else 0."""


class _Formula(NamedTuple):
    """A cell's formula, as a shape knows it."""

    column: int
    about: dict[str, str]
    code: int
    """Which group holds it, 0 for one that stands elsewhere."""


class _Shape(NamedTuple):
    """What rows have in common."""

    pattern: re.Pattern[str]
    columns: tuple[int, ...]
    kinds: tuple[str, ...]
    takes: tuple[int, ...]
    """Which group holds each cell's value, 0 for none."""
    formulas: tuple[_Formula, ...]


class _Run(NamedTuple):
    """Rows of one shape that follow each other, as groups of its pattern."""

    shape: _Shape
    rows: list[tuple[str, ...]]


class Shapes:
    """The shapes that rows of one sheet have had so far."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._known: list[_Shape] = []
        self._seen = 0
        self._mixed = False

    def chunks(self, piece: str, number: int) -> list[Chunk] | None:
        """Whole rows behind the row `number`; None where one of them has no plain shape."""
        runs = None if self._mixed or "hidden=" in piece else self._runs(piece)
        if not runs:
            return None
        numbers = [int(row[0]) - 1 for run in runs for row in run.rows]
        if numbers[0] <= number or numbers[-1] >= LAST_ROW or not all(map(lt, numbers, numbers[1:])):
            return None
        self._seen += len(numbers)
        self._mixed = len(runs) * 4 > len(numbers)
        chunks, at = [], 0
        for run in runs:
            chunks.append(self._chunk(run, numbers[at : at + len(run.rows)]))
            at += len(run.rows)
        return chunks if len(chunks) * _RUN <= len(numbers) else [_together(chunks)]

    def _runs(self, piece: str) -> list[_Run] | None:
        runs: list[_Run] = []
        at, last = 0, piece.rfind("</row>")
        while at < last:
            if match := _EMPTY.match(piece, at):
                at = match.end()
                continue
            shape = self._shape(piece, at)
            if shape is None:
                return None
            if not runs or runs[-1].shape is not shape:
                runs.append(_Run(shape, []))
            add, matched = runs[-1].rows.append, shape.pattern.match
            while found := matched(piece, at):
                add(found.groups())
                at = found.end()
        return None if piece[at:].strip() else runs

    def _shape(self, piece: str, at: int) -> _Shape | None:
        """The shape of the row that begins here, learned if need be."""
        for shape in self._known:
            if shape.pattern.match(piece, at):
                return shape
        row = piece[at : piece.find("</row>", at)]
        allowed = min(_MOST, _SHAPES + self._seen // _RARE)
        if len(row) * _WORTH > len(piece) or len(self._known) >= allowed:
            return None
        learned = _learned(row)
        if learned is not None and learned.pattern.match(piece, at):
            self._known.append(learned)
            return learned
        return None

    def _chunk(self, run: _Run, numbers: list[int]) -> Chunk:
        shape, rows = run.shape, len(numbers)
        width, groups = len(shape.columns), list(zip(*run.rows, strict=True))
        values = [""] * (width * rows)
        for place, take in enumerate(shape.takes):
            if take:
                values[place::width] = groups[take - 1]
        formulas: dict[int, dict[int, str]] = {}
        for row, texts in zip(numbers, run.rows, strict=True) if shape.formulas else ():
            found = {}
            for column, about, code in shape.formulas:
                text = texts[code - 1] if code else ""
                if "&" in text or "_x" in text:
                    text = unescaped(text)
                if formula := self._shared.formula(about, text, row, column) if about else text and f"={text}":
                    found[column] = formula
            if found:
                formulas[row] = found
        places = [RowOf(row, False, at, at + width) for row, at in zip(numbers, count(0, width), strict=False)]
        return Chunk(places, shape.columns * rows, shape.kinds * rows, tuple(values), formulas, width)


def _learned(row: str) -> _Shape | None:
    """The shape of a row, given without its end, or None if it is more than plain cells."""
    head = _FIRST.match(row)
    if head is None:
        return None
    pattern, at, group = [_HEAD], head.end(), 1
    columns, kinds, takes, formulas = list[int](), list[str](), list[int](), list[_Formula]()
    for cell in _CELL.finditer(row, at):
        letters, number, kind, tag, end, opening, closing = cell.groups()
        if row[at : cell.start()].strip() or number != head.group(1):
            return None
        columns.append(column_number(letters))
        kinds.append(kind)
        pattern += [re.escape(row[at : cell.start()]), f'<c r="{letters}\\1"{re.escape(kind)}>']
        if tag:
            group += bool(end)
            formulas.append(_Formula(columns[-1], dict(_ATTRIBUTE.findall(tag)), group if end else 0))
            pattern += [re.escape(tag), "([^<]*)</f>" if end else ""]
        group += bool(opening)
        takes.append(group if opening else 0)
        pattern += [re.escape(opening), "([^<]*)", re.escape(closing)] if opening else []
        pattern.append("" if kind.endswith("/") else "</c>")
        at = cell.end()
    if not columns or row[at:].strip():
        return None
    made = re.compile("".join(pattern) + re.escape(row[at:]) + "</row>")
    return _Shape(made, tuple(columns), tuple(kinds), tuple(takes), tuple(formulas))


def _together(chunks: list[Chunk]) -> Chunk:
    """Chunks as one."""
    rows, at, formulas = list[RowOf](), 0, dict[int, dict[int, str]]()
    for chunk in chunks:
        rows += [RowOf(row.number, False, at + row.start, at + row.end) for row in chunk.rows]
        at += len(chunk.values)
        formulas |= chunk.formulas
    columns = tuple(chain.from_iterable([chunk.columns for chunk in chunks]))
    kinds = tuple(chain.from_iterable([chunk.kinds for chunk in chunks]))
    values = tuple(chain.from_iterable([chunk.values for chunk in chunks]))
    return Chunk(rows, columns, kinds, values, formulas)
