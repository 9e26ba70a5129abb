"""Writes the cells of a sheet as tables, one for each block of it.

What separates blocks: a blank row, unless what follows has no header of its own, lies in the same columns and comes
within three rows (then it is the same table with a gap); two blank columns, or one where both sides begin with a
header. A block of one text is a heading (the first of the sheet) or a paragraph; a row with nothing but a text above a
table is a block of its own, too.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from typing import Final, NamedTuple

import numpy as np

from frostbyte.data_plane.document import Cells, Element, Integers, Kind, Mark, Span, Special
from frostbyte.data_plane.parse.building import PageBuilder, Written, integers, written
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_cells
from frostbyte.data_plane.parse.office.cell_references import name_of

_GAP: Final = 3
"""Blank rows over which a table without a second header goes on."""
_TITLES: Final = 5
"""Rows of one text above a table that are taken for its titles."""
_SIDES: Final = 20
"""Gaps between columns up to which a run of rows is cut into blocks side by side."""
_TITLE: Final = 200
"""Characters of the longest heading."""

Place = tuple[int, int]
"""Row and column, from 0."""


class Line(NamedTuple):
    """A row with its cells that show something, or many that follow each other and have the same columns and kinds."""

    number: int
    """Of the first, from 0."""
    height: int
    """How many rows."""
    hidden: bool
    columns: tuple[int, ...]
    """Of each row."""
    texts: Sequence[str]
    """One row behind the other, as are values and formulas."""
    values: Sequence[str | None]
    kinds: tuple[str, ...]
    """Of each row."""
    formulas: Sequence[str | None] = ()
    """None at all if no cell has one."""
    coded: bool = False
    """Whether each row has a formula, were it in columns that are left out here."""
    written: Written | None = None
    """How a table that begins in their first column has them, if that is known already."""

    @property
    def last(self) -> int:
        """The number of the last."""
        return self.number + self.height - 1

    def only(self, keep: Sequence[int]) -> Line:
        """The cells at some of the places of each row."""
        width = len(self.columns)
        places = list(keep) if self.height == 1 else [at + n for at in range(0, len(self.texts), width) for n in keep]
        return self._replace(
            columns=tuple([self.columns[n] for n in keep]),
            texts=[self.texts[n] for n in places],
            values=[self.values[n] for n in places],
            kinds=tuple([self.kinds[n] for n in keep]),
            formulas=[self.formulas[n] for n in places] if self.formulas else (),
            written=None,
        )

    def divided(self, rows: int) -> tuple[Line, Line]:
        """The first rows and the others."""
        at = rows * len(self.columns)
        texts, values, formulas = self.texts, self.values, self.formulas
        first = self._replace(height=rows, texts=texts[:at], values=values[:at], formulas=formulas[:at], written=None)
        number, height = self.number + rows, self.height - rows
        other = self._replace(texts=texts[at:], values=values[at:], formulas=formulas[at:], written=None)
        return first, other._replace(number=number, height=height)


@dataclass(slots=True)
class Sheet:
    """What is known of a sheet besides its cells."""

    merged: dict[Place, Place] = field(default_factory=dict)
    """The last place by the first."""
    headers: set[Place] = field(default_factory=set)
    """Cells that a table of the sheet names as its header."""
    hidden_columns: set[int] = field(default_factory=set)
    unseen: dict[str, str] = field(default_factory=dict)
    """Reasons by the attributes of a cell: its style hides it."""


@dataclass(slots=True)
class _Block:
    lines: list[Line]
    left: int
    right: int
    header: int = -1
    """The row that heads the columns, or -1."""

    @property
    def top(self) -> int:
        return self.lines[0].number

    @property
    def bottom(self) -> int:
        return self.lines[-1].last


class BlockWriter:
    """Writes one sheet."""

    def __init__(
        self, builder: PageBuilder, sheet: Sheet, is_text: Callable[[str], bool], limits: ParseLimits, used: int
    ) -> None:
        self._builder = builder
        self._sheet = sheet
        self._is_text = is_text
        self._limits = limits
        self.area = used
        """Cells of all tables so far, empty ones among them."""
        self.places: dict[Place, Span] = {}
        """Where cells stand in the text; filled for those that were asked for."""

    def write(self, lines: Iterable[Line], wanted: set[Place]) -> None:
        """Write all rows; remember where the `wanted` cells stand.

        Raises:
            StageFailed: `too_many_cells`.
        """
        first = True
        for block in _joined(part for run in _runs(lines) for part in self._parts(run)):
            self.area += (block.bottom - block.top + 1) * (block.right - block.left + 1)
            if self.area > self._limits.max_cells:
                raise too_many_cells(self._limits.max_cells)
            if self._is_note(block):
                self._note(block, first, wanted)
            else:
                self._table(block, wanted)
            first = False

    def _parts(self, run: list[Line]) -> Iterator[_Block]:
        """A run of rows as blocks side by side, and the titles above them."""
        for part in _beside(run, self._heads):
            for _ in range(_TITLES if part.right > part.left else 0):
                if part.lines[0].height > len(part.lines[0].columns) == 1:
                    part.lines[:1] = part.lines[0].divided(1)
                if len(part.lines) < 2 or part.right == part.left or not self._is_title(part.lines[0]):
                    break
                title, part.lines = part.lines[0], part.lines[1:]
                yield _Block([title], title.columns[0], title.columns[-1])
                part.left = min(line.columns[0] for line in part.lines)
                part.right = max(line.columns[-1] for line in part.lines)
            if self._heads(part.lines):
                part.header = part.lines[0].number
            yield part

    def _is_title(self, line: Line) -> bool:
        return line.height == len(line.columns) == 1 and not line.coded and self._is_text(line.kinds[0])

    def _is_note(self, block: _Block) -> bool:
        (line, *more) = block.lines
        return not more and self._is_title(line)

    def _heads(self, lines: list[Line]) -> bool:
        """Whether the first of some rows names their columns: texts, all different, one above each column of the row
        below."""
        line, *more = lines[:2]
        width = len(line.columns)
        if any((line.number, column) in self._sheet.headers for column in line.columns):
            return True
        below = line if line.height > 1 else more[0] if more else None
        if below is None or width < 2 or line.coded or len(set(line.texts[:width])) < width:
            return False
        return all(map(self._is_text, line.kinds)) and width >= len(below.columns) - 1

    def _note(self, block: _Block, first: bool, wanted: set[Place]) -> None:
        line, builder = block.lines[0], self._builder
        text = line.texts[0]
        title = first and len(text) <= _TITLE and "\n" not in text
        with builder.element(Kind.HEADING if title else Kind.PARAGRAPH, level=int(title)):
            span = builder.found(text)
        zero = array("q", [0])
        self._marks(block, Cells(zero, zero, array("q", [span.start]), array("q", [span.end])))
        if (line.number, line.columns[0]) in wanted:
            self.places[line.number, line.columns[0]] = span

    def _table(self, block: _Block, wanted: set[Place]) -> None:
        builder, top, left = self._builder, block.top, block.left
        begun, flat = builder.begin(), _flatten(block)
        starts, ends = builder.cells(_pieces(block))
        cells = Cells(flat.rows, flat.columns, starts, ends, flat.formulas, flat.values, self._special(block, flat))
        rows, columns = block.bottom - top + 1, block.right - left + 1
        builder.end(Element(kind=Kind.TABLE, start=begun, end=builder.at, rows=rows, columns=columns, cells=cells))
        self._marks(block, cells)
        if wanted:
            for row, column, start, end in zip(flat.rows, flat.columns, starts, ends, strict=True):
                place = (top + row, left + column)
                if place in wanted:
                    self.places[place] = Span(start=start, end=end)

    def _special(self, block: _Block, flat: _Flat) -> dict[int, Special]:
        """Merged cells have a size and header cells a sign; by their place among the cells."""
        merged, top, left = self._sheet.merged, block.top, block.left
        named = {(r - top, c - left) for r, c in self._sheet.headers}
        head, found = block.header - top, dict[int, Special]()
        places = zip(flat.rows, flat.columns, strict=True)
        for index, (row, column) in enumerate(places if merged else islice(places, len(block.lines[0].columns))):
            last = merged.get((top + row, left + column))
            header = row == head or (row, column) in named
            if last is not None or header:
                row_span = min(last[0], block.bottom) - top - row + 1 if last else 1
                column_span = min(last[1], block.right) - left - column + 1 if last else 1
                found[index] = Special(max(1, row_span), max(1, column_span), header)
        return found

    def _marks(self, block: _Block, cells: Cells) -> None:
        marks, sheet, starts, ends = self._builder.marks, self._sheet, cells.starts, cells.ends
        label = name_of(block.top, block.left, block.bottom, block.right)
        marks.append(Mark(start=starts[0], end=ends[-1], kind="cells", label=label))
        at = 0
        for line in block.lines:
            behind = at + len(line.texts)
            if line.hidden:
                marks.append(Mark(start=starts[at], end=ends[behind - 1], kind="hidden_row"))
            at = behind
        if sheet.hidden_columns:
            hidden = {column - block.left for column in sheet.hidden_columns}
            marks += [
                Mark(start=start, end=end, kind="hidden_column")
                for start, end, column in zip(starts, ends, cells.columns, strict=True)
                if column in hidden
            ]
        kinds = chain.from_iterable([line.kinds * line.height for line in block.lines] if sheet.unseen else ())
        for start, end, kind in zip(starts, ends, kinds, strict=False):
            if reason := sheet.unseen.get(kind):
                marks.append(Mark(start=start, end=end, kind=reason))


class _Flat(NamedTuple):
    """What is known of a block's cells, one behind the other."""

    rows: Integers
    columns: Integers
    values: list[str | None]
    formulas: list[str | None]
    """None at all if no cell has one."""


def _flatten(block: _Block) -> _Flat:
    flat = _Flat(array("q"), array("q"), [], [])
    coded = any(line.formulas for line in block.lines)
    for line in block.lines:
        first, width = line.number - block.top, len(line.columns)
        if line.height == 1:
            flat.rows.extend(array("q", [first]) * width)
        else:
            flat.rows.extend(integers(np.arange(first, first + line.height).repeat(width)))
        flat.columns.extend(array("q", [column - block.left for column in line.columns]) * line.height)
        flat.values.extend(line.values)
        if coded:
            flat.formulas.extend(line.formulas or [None] * len(line.texts))
    return flat


def _pieces(block: _Block) -> list[Written]:
    """A block's cells as they are written."""
    pieces: list[Written] = []
    signs, texts = list[str](), list[str]()
    for line in block.lines:
        if line.written and line.columns[0] == block.left:
            if texts:
                pieces.append(written(signs, texts))
                signs, texts = [], []
            pieces.append(line.written)
        else:
            signs += separators(line.columns, block.left) * line.height
            texts += line.texts
    if texts:
        pieces.append(written(signs, texts))
    pieces[0] = pieces[0].begun()
    return pieces


def separators(columns: tuple[int, ...], left: int) -> list[str]:
    """What is written before the cell in each column of a block."""
    return ["\n" + "\t" * (columns[0] - left), *("\t" * (b - a) for a, b in pairwise(columns))]


def _runs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Rows that follow each other without a blank one."""
    run: list[Line] = []
    for line in lines:
        if run and line.number > run[-1].last + 1:
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _beside(run: list[Line], heads: Callable[[list[Line]], bool]) -> list[_Block]:
    """The blocks of a run from left to right."""
    used = sorted(set().union(*{line.columns for line in run}))
    borders = [(a + 1, b) for a, b in pairwise(used) if b > a + 1]
    if not borders or len(borders) > _SIDES:
        return [_Block(run, used[0], used[-1])]
    blocks, left = [], used[0]
    for start, end in [*borders, (used[-1] + 1, used[-1] + 1)]:
        if start <= used[-1] and end - start < 2:
            one, other = _slice(run, left, start), _slice(run, end, used[-1] + 1)
            high = [side for side in (one, other) if len(side) > 1 or (side and side[0].height > 1)]
            if not all(len(side[0].columns) > 1 and heads(side) for side in high):
                continue
            if len(high) < 2 or one[0].number != other[0].number:
                continue
        part = _slice(run, left, start)
        if part:
            columns = [line.columns for line in part]
            for lines in _runs(part):
                blocks.append(_Block(lines, min(c[0] for c in columns), max(c[-1] for c in columns)))
        left = end
    return blocks


def _slice(run: list[Line], left: int, right: int) -> list[Line]:
    """The rows between two columns; rows without a cell there are left out."""
    found = []
    for line in run:
        cut = slice(bisect_left(line.columns, left), bisect_left(line.columns, right))
        if cut.stop - cut.start == len(line.columns):
            found.append(line)
        elif cut.start < cut.stop:
            found.append(line.only(range(cut.start, cut.stop)))
    return found


def _joined(blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Blocks, with those that go on below a gap as one."""
    last: _Block | None = None
    for block in blocks:
        if last is not None and _goes_on(last, block):
            last.lines += block.lines
            continue
        if last is not None:
            yield last
        last = block
    if last is not None:
        yield last


def _goes_on(above: _Block, below: _Block) -> bool:
    return (
        above.header >= 0
        and below.header < 0
        and 1 < below.top - above.bottom <= _GAP + 1
        and above.left <= below.left
        and below.right <= above.right
        and below.right > below.left
    )
