"""The quick way through the rows of a worksheet: most have the same shape as the one above.

A row's XML without its values is its shape. Of a shape we make a regular expression that matches such rows and nothing
else, so that columns, styles and types of all its cells are known and only the values are cut out. It takes nothing
that the expressions of `xlsx_cells`, which look at each cell by itself, would not take.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, count
from operator import lt
from typing import Final, NamedTuple, TypeVar

from frostbyte.data_plane.parse.office.cell_references import Shared, column_number
from frostbyte.data_plane.parse.office.escapes import attributes, storable, unescaped

LAST_ROW: Final = 1_048_576
_CELL: Final = re.compile(
    r'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>(?:(?<=/>)|'
    r"(?:(<f[^>]*>)(?:(?<=/>)|[^<]*(</f>)))?(?:(<v>|<is><t[^>]*>)[^<]*(</v>|</t></is>))?</c>)"
)
_HEAD: Final = r'\s*<row r="(\d{1,7})"([^>]*)>'
_FIRST: Final = re.compile(_HEAD)
_EMPTY: Final = re.compile(r"\s*<row\b[^>]*(?:/>|></row>)")
MAY_HIDE: Final = ("hidden", 'ht="0', "ht='0")
"""What a row's head holds that is hidden, or so low that nobody sees it."""
_WORTH: Final = 64
"""Rows that a piece has room for, from which it pays to learn their shape: that costs as much as to read so many."""
_SHAPES: Final = 8
_RARE: Final = 256
"""Shapes of a sheet that are learned, and rows from which one more is."""
_MOST: Final = 32
"""Shapes that are ever learned of one sheet: each is tried where another begins."""
_RUN: Final = 16
"""Rows of one shape, on the average, from which each run of them is given as a chunk of its own."""


_T = TypeVar("_T")


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

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.rows[-1].number


class Even(NamedTuple):
    """Rows with the same columns and kinds, column by column. Both are told of one row."""

    numbers: Sequence[int]
    columns: tuple[int, ...]
    kinds: tuple[str, ...]
    values: Sequence[Sequence[str]]
    formulas: dict[int, list[str]]
    """With the `=`, or '' for none, by the place of the column among the others."""

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.numbers[-1]

    def apart(self) -> Chunk:
        """The same cell by cell."""
        numbers, columns, width = self.numbers, self.columns, len(self.columns)
        rows = [RowOf(number, False, at, at + width) for number, at in zip(numbers, count(0, width), strict=False)]
        formulas: dict[int, dict[int, str]] = {}
        for place, found in self.formulas.items():
            for number, formula in zip(numbers, found, strict=True):
                if formula:
                    formulas.setdefault(number, {})[columns[place]] = formula
        kinds, values = self.kinds * len(rows), tuple(across(self.values))
        return Chunk(rows, columns * len(rows), kinds, values, formulas)


def across(columns: Sequence[Sequence[_T]]) -> list[_T]:
    """The cells of columns row by row."""
    width = len(columns)
    flat = [columns[0][0]] * (width * len(columns[0]))
    for place, column in enumerate(columns):
        flat[place::width] = column
    return flat


class _Formula(NamedTuple):
    """A cell's formula, as a shape knows it."""

    place: int
    """Which of the cells of its row has it."""
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
    length: int
    """Characters of such a row without what is in groups; the number of the row counts once for each cell."""


class _Run(NamedTuple):
    """Rows of one shape that follow each other."""

    shape: _Shape
    groups: list[tuple[str, ...]]
    """Those of its pattern: the rows' numbers, what else their heads say, and the cells' formulas and values."""


class Shapes:
    """The shapes that rows of one sheet have had so far."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._known: list[_Shape] = []
        self._seen = 0
        self._mixed = False
        self._only: _Shape | None = None
        """That of the whole piece before."""

    def chunks(self, piece: str, number: int) -> Sequence[Even | Chunk] | None:
        """Whole rows behind the row `number`; None where one of them has no plain shape."""
        runs = None if self._mixed else self._whole(piece) or self._runs(piece)
        if not runs:
            return None
        numbers = [_numbers(run.groups[0]) for run in runs]
        every = numbers[0] if len(runs) == 1 else list(chain.from_iterable(numbers))
        if every[0] <= number or every[-1] >= LAST_ROW:
            return None
        if not isinstance(every, range) and not all(map(lt, every, every[1:])):
            return None
        if any(sign in head for run in runs for head in set(run.groups[1]) for sign in MAY_HIDE):
            return None
        self._seen += len(every)
        self._mixed = len(runs) * 4 > len(every)
        self._only = runs[0].shape if len(runs) == 1 else None
        chunks = list(map(self._even, runs, numbers))
        return chunks if len(chunks) * _RUN <= len(every) else [_together(chunks)]

    def _whole(self, piece: str) -> list[_Run] | None:
        """The rows of a piece that has no others than those of the shape of the piece before."""
        shape = self._only
        rows = shape.pattern.findall(piece) if shape else None
        if not shape or not rows:
            return None
        groups = list(zip(*rows, strict=True))
        # The pattern finds rows wherever they stand: the sum of their lengths says that nothing is between them.
        lengths = [len("".join(group)) for group in groups]
        if len(rows) * shape.length + len(shape.columns) * lengths[0] + sum(lengths) != len(piece):
            return None
        return [_Run(shape, groups)]

    def _runs(self, piece: str) -> list[_Run] | None:
        runs: list[tuple[_Shape, list[tuple[str, ...]]]] = []
        at, last = 0, piece.rfind("</row>")
        while at < last:
            if match := _EMPTY.match(piece, at):
                at = match.end()
                continue
            shape = self._shape(piece, at)
            if shape is None:
                return None
            if not runs or runs[-1][0] is not shape:
                runs.append((shape, []))
            add, matched = runs[-1][1].append, shape.pattern.match
            while found := matched(piece, at):
                add(found.groups())
                at = found.end()
        return None if piece[at:].strip() else [_Run(shape, list(zip(*rows, strict=True))) for shape, rows in runs]

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

    def _even(self, run: _Run, numbers: Sequence[int]) -> Even:
        shape, groups = run.shape, run.groups
        nothing = [""] * len(numbers)
        formulas: dict[int, list[str]] = {}
        for place, about, code in shape.formulas:
            texts = groups[code - 1] if code else nothing
            if "&" in (together := "".join(texts)) or "_" in together:
                texts = [storable(unescaped(text)) for text in texts]
            formulas[place] = list(texts) if about else [text and f"={text}" for text in texts]
        shared = [formula for formula in shape.formulas if formula.about]
        for at, number in enumerate(numbers) if shared else ():  # row by row: one cell's formula is told by another's
            for place, about, _ in shared:
                own = formulas[place]
                own[at] = self._shared.formula(about, own[at], number, shape.columns[place])
        values = [groups[take - 1] if take else nothing for take in shape.takes]
        return Even(numbers, shape.columns, shape.kinds, values, formulas)


def _numbers(texts: Sequence[str]) -> Sequence[int]:
    """The numbers of rows, from 0."""
    found = list(map(int, texts))
    consecutive = range(found[0], found[0] + len(found))
    return range(found[0] - 1, found[-1]) if found == list(consecutive) else [number - 1 for number in found]


def _learned(row: str) -> _Shape | None:
    """The shape of a row, given without its end, or None if it is more than plain cells."""
    head = _FIRST.match(row)
    if head is None:
        return None
    pattern, at, group, length = [_HEAD], head.end(), 2, len('<row r="">')
    columns, kinds, takes, formulas = list[int](), list[str](), list[int](), list[_Formula]()
    for cell in _CELL.finditer(row, at):
        letters, number, kind, tag, end, opening, closing = cell.groups()
        if row[at : cell.start()].strip() or number != head.group(1):
            return None
        columns.append(column_number(letters))
        kinds.append(kind)
        parts = [row[at : cell.start()], f'<c r="{letters}', f'"{kind}>']
        pattern += [re.escape(parts[0]), parts[1], "\\1", re.escape(parts[2])]
        if tag:
            group += bool(end)
            formulas.append(_Formula(len(takes), attributes(tag), group if end else 0))
            parts += [tag, end or ""]
            pattern += [re.escape(tag), "([^<]*)</f>" if end else ""]
        group += bool(opening)
        takes.append(group if opening else 0)
        parts += [opening or "", closing or "", "" if kind.endswith("/") else "</c>"]
        pattern += [re.escape(opening), "([^<]*)", re.escape(closing)] if opening else []
        pattern.append(parts[-1])
        length += sum(map(len, parts))
        at = cell.end()
    if not columns or not all(map(lt, columns, columns[1:])) or row[at:].strip():
        return None
    made = re.compile("".join(pattern) + re.escape(row[at:]) + "</row>")
    length += len(row[at:]) + len("</row>")
    return _Shape(made, tuple(columns), tuple(kinds), tuple(takes), tuple(formulas), length)


def _together(runs: list[Even]) -> Chunk:
    """Rows of several shapes as one."""
    rows, at, formulas, chunks = list[RowOf](), 0, dict[int, dict[int, str]](), [run.apart() for run in runs]
    for chunk in chunks:
        rows += [RowOf(row.number, False, at + row.start, at + row.end) for row in chunk.rows]
        at += len(chunk.values)
        formulas |= chunk.formulas
    columns = tuple(chain.from_iterable([chunk.columns for chunk in chunks]))
    kinds = tuple(chain.from_iterable([chunk.kinds for chunk in chunks]))
    values = tuple(chain.from_iterable([chunk.values for chunk in chunks]))
    return Chunk(rows, columns, kinds, values, formulas)
