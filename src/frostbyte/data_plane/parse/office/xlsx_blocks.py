"""Writes the cells of a sheet as tables, one for each block of it.

What separates blocks: a blank row, unless what follows has no header of its own, lies in the same columns and comes
within three rows (then it is the same table with a gap); two blank columns, or one where both sides begin with a
header. A block of one text is a heading (the first of the sheet) or a paragraph; a row with nothing but a text above a
table is a block of its own, too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise, repeat
from typing import Final, NamedTuple, TypeVar

from frostbyte.data_plane.document import Cells, Element, Kind, Mark, Span, Special
from frostbyte.data_plane.parse.building import PageBuilder
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

_T = TypeVar("_T")

Place = tuple[int, int]
"""Row and column, from 0."""


class Line(NamedTuple):
    """A row with its cells that show something."""

    number: int
    hidden: bool
    columns: tuple[int, ...]
    texts: tuple[str, ...]
    values: tuple[str | None, ...]
    kinds: tuple[str, ...]
    formulas: dict[int, str]


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
        return self.lines[-1].number


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
            for _ in range(_TITLES):
                if len(part.lines) < 2 or part.right == part.left or not self._is_title(part.lines[0]):
                    break
                title, part.lines = part.lines[0], part.lines[1:]
                yield _Block([title], title.columns[0], title.columns[-1])
                part.left = min(line.columns[0] for line in part.lines)
                part.right = max(line.columns[-1] for line in part.lines)
            if self._heads(part.lines[0], part.lines[1] if len(part.lines) > 1 else None):
                part.header = part.lines[0].number
            yield part

    def _is_title(self, line: Line) -> bool:
        return len(line.columns) == 1 and not line.formulas and self._is_text(line.kinds[0])

    def _is_note(self, block: _Block) -> bool:
        (line, *more) = block.lines
        return not more and self._is_title(line)

    def _heads(self, line: Line, below: Line | None) -> bool:
        """Whether a row names its columns: texts, all different, one above each column of the row below."""
        if any((line.number, column) in self._sheet.headers for column in line.columns):
            return True
        if below is None or len(line.columns) < 2 or line.formulas or len(set(line.texts)) < len(line.texts):
            return False
        return all(map(self._is_text, line.kinds)) and len(line.columns) >= len(below.columns) - 1

    def _note(self, block: _Block, first: bool, wanted: set[Place]) -> None:
        line, builder = block.lines[0], self._builder
        text = line.texts[0]
        title = first and len(text) <= _TITLE and "\n" not in text
        with builder.element(Kind.HEADING if title else Kind.PARAGRAPH, level=int(title)):
            span = builder.found(text)
        self._marks(block, Cells([0], [line.columns[0] - block.left], [span.start], [span.end]), [line.kinds[0]])
        if (line.number, line.columns[0]) in wanted:
            self.places[line.number, line.columns[0]] = span

    def _table(self, block: _Block, wanted: set[Place]) -> None:
        builder, top, left = self._builder, block.top, block.left
        begun, flat = builder.begin(), _flatten(block)
        parts: list[str] = [""] * (2 * len(flat.texts))
        parts[0::2], parts[1::2] = flat.separators, flat.texts
        starts, ends = builder.cells(parts)
        cells = Cells(flat.rows, flat.columns, starts, ends, flat.formulas, flat.values, self._special(block, flat))
        rows, columns = block.bottom - top + 1, block.right - left + 1
        builder.end(Element(kind=Kind.TABLE, start=begun, end=builder.at, rows=rows, columns=columns, cells=cells))
        self._marks(block, cells, flat.kinds if self._sheet.unseen else ())
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

    def _marks(self, block: _Block, cells: Cells, kinds: Iterable[str]) -> None:
        marks, sheet, starts, ends = self._builder.marks, self._sheet, cells.starts, cells.ends
        label = name_of(block.top, block.left, block.bottom, block.right)
        marks.append(Mark(start=starts[0], end=ends[-1], kind="cells", label=label))
        at = 0
        for line in block.lines:
            behind = at + len(line.columns)
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
        for start, end, kind in zip(starts, ends, kinds, strict=False):
            if reason := sheet.unseen.get(kind):
                marks.append(Mark(start=start, end=end, kind=reason))


class _Flat(NamedTuple):
    """A block's cells one behind the other."""

    rows: list[int]
    columns: list[int]
    separators: list[str]
    texts: list[str]
    values: list[str | None]
    formulas: list[str | None]
    kinds: list[str]


def _flatten(block: _Block) -> _Flat:
    lines, top, left = block.lines, block.top, block.left
    lists = [line.columns for line in lines]
    placed: Iterable[tuple[list[int], list[str]]]
    if lists.count(lists[0]) == len(lists):
        placed, formulas = repeat(_placed(lists[0], left), len(lists)), _formulas(lines)
    else:
        shapes = {columns: _placed(columns, left) for columns in set(lists)}
        placed = list(map(shapes.__getitem__, lists))
        formulas = _chained(
            [map(line.formulas.get, line.columns) if line.formulas else [None] * len(line.columns) for line in lines]
        )
    places, separators = zip(*placed, strict=True)
    flat = _Flat(
        rows=_chained([[line.number - top] * len(line.columns) for line in lines]),
        columns=_chained(places),
        separators=_chained(separators),
        texts=_chained([line.texts for line in lines]),
        values=_chained([line.values for line in lines]),
        formulas=formulas,
        kinds=_chained([line.kinds for line in lines]),
    )
    flat.separators[0] = flat.separators[0][1:]
    return flat


def _placed(columns: tuple[int, ...], left: int) -> tuple[list[int], list[str]]:
    """Columns as a block counts them, and what is written before the cell in each."""
    steps = ["\n" + "\t" * (columns[0] - left), *("\t" * (b - a) for a, b in pairwise(columns))]
    return [column - left for column in columns], steps


def _formulas(lines: list[Line]) -> list[str | None]:
    """The formulas of rows with the same columns."""
    columns = lines[0].columns
    flat: list[str | None] = [None] * (len(columns) * len(lines))
    coded = set().union(*[line.formulas for line in lines])
    for place, column in enumerate(columns):
        if column in coded:
            flat[place :: len(columns)] = [line.formulas.get(column) for line in lines]
    return flat


def _chained(lists: Iterable[Iterable[_T]]) -> list[_T]:
    return list(chain.from_iterable(lists))


def _runs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Rows that follow each other without a blank one."""
    run: list[Line] = []
    for line in lines:
        if run and line.number > run[-1].number + 1:
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _beside(run: list[Line], heads: Callable[[Line, Line | None], bool]) -> list[_Block]:
    """The blocks of a run from left to right."""
    used = sorted(set().union(*{line.columns for line in run}))
    borders = [(a + 1, b) for a, b in pairwise(used) if b > a + 1]
    if not borders or len(borders) > _SIDES:
        return [_Block(run, used[0], used[-1])]
    blocks, left = [], used[0]
    for start, end in [*borders, (used[-1] + 1, used[-1] + 1)]:
        if start <= used[-1] and end - start < 2:
            one, other = _slice(run, left, start), _slice(run, end, used[-1] + 1)
            if not all(len(side[0].columns) > 1 and heads(side[0], side[1]) for side in (one, other) if len(side) > 1):
                continue
            if len(one) < 2 or len(other) < 2 or one[0].number != other[0].number:
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
            found.append(
                line._replace(
                    columns=line.columns[cut], texts=line.texts[cut], values=line.values[cut], kinds=line.kinds[cut]
                )
            )
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
