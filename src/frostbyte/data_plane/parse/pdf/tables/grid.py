"""A table's grid, and which characters of which runs stand in which cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.text import PageText, Run

_SLACK: Final = 1.0
"""Points by which text may stand out of its cell."""
_WORD: Final = re.compile(r"\S+")


@dataclass(slots=True)
class GridCell:
    """A cell, merged or not, and the pieces of runs in it."""

    row: int
    column: int
    row_span: int
    column_span: int
    box: Box
    runs: list[Run] = field(default_factory=list)
    header: bool = False


@dataclass(slots=True)
class Grid:
    """A table."""

    box: Box
    rows: int
    columns: int
    cells: list[GridCell]
    open_edges: tuple[bool, bool, bool, bool] = (False, False, False, False)
    """Whether no line closes it at its left, top, right and bottom."""

    crossed: int = 0
    """Words that stand over its lines."""

    @property
    def filled(self) -> int:
        """How many cells hold text."""
        return sum(1 for cell in self.cells if cell.runs)


def fill(grids: list[Grid], runs: list[Run], text: PageText) -> None:
    """Put runs into the cells of the grids; grids must not overlap if each character is to have one place."""
    for grid in grids:
        finder = _Finder(grid)
        for run in runs:
            if not run.hidden and _meets(run.box, grid.box):
                finder.assign(run, text)
        _trim(grid)


def outside(grids: list[Grid], runs: list[Run], text: PageText) -> list[Run]:
    """What of the runs is in no cell."""
    used: set[int] = set()
    for grid in grids:
        for cell in grid.cells:
            for run in cell.runs:
                used.update(run.index)
    if not used:
        return runs
    rest: list[Run] = []
    for run in runs:
        if used.isdisjoint(run.index):
            rest.append(run)
            continue
        left = [position for position, number in enumerate(run.index) if number not in used]
        start = 0
        for end in range(1, len(left) + 1):
            if end == len(left) or left[end] != left[end - 1] + 1:
                rest.extend(piece(run, left[start], left[end - 1] + 1, text))
                start = end
    return rest


def piece(run: Run, start: int, end: int, text: PageText, box: Box | None = None) -> list[Run]:
    """The run's characters `[start, end)` as a run of their own, without blanks around; none if all are blank."""
    words = run.text[start:end]
    bare = words.strip()
    if not bare:
        return []
    if len(bare) == len(run.text):
        return [run]
    start += len(words) - len(words.lstrip())
    index = run.index[start : start + len(bare)]
    if box is None:
        first, last = text.char_box(index[0]), text.char_box(index[-1])
        left = min(first[0] if first else run.box[0], last[0] if last else run.box[0])
        right = max(first[2] if first else run.box[2], last[2] if last else run.box[2])
        box = (left, run.box[1], right, run.box[3])
    return [Run(bare, index, box, run.baseline, run.size, run.bold, run.hidden)]


class _Finder:
    """Finds the cell at a point."""

    def __init__(self, grid: Grid) -> None:
        self.xs = sorted({x for cell in grid.cells for x in (cell.box[0], cell.box[2])})
        self.ys = sorted({y for cell in grid.cells for y in (cell.box[1], cell.box[3])})
        self.grid = grid
        self.places = {
            (cell.row + i, cell.column + j): cell
            for cell in grid.cells
            for i in range(cell.row_span)
            for j in range(cell.column_span)
        }
        # A boundary inside a merged cell may be that of no cell: then rows are fewer than positions say.
        self.exact = len(self.xs) == grid.columns + 1 and len(self.ys) == grid.rows + 1

    def at(self, x: float, y: float) -> GridCell | None:
        """The cell at a point, or None outside the grid."""
        left, top, right, bottom = self.grid.box
        if not (left - _SLACK <= x <= right + _SLACK and top - _SLACK <= y <= bottom + _SLACK):
            return None
        if self.exact:
            column = min(max(bisect_right(self.xs, x) - 1, 0), self.grid.columns - 1)
            row = min(max(bisect_right(self.ys, y) - 1, 0), self.grid.rows - 1)
            return self.places.get((row, column))
        for cell in self.grid.cells:
            if cell.box[0] - _SLACK <= x < cell.box[2] + _SLACK and cell.box[1] - _SLACK <= y < cell.box[3] + _SLACK:
                return cell
        return None

    def assign(self, run: Run, text: PageText) -> None:
        """Give the run's characters to the cells that hold their middles; spaces follow the character before."""
        left, top, right, bottom = run.box
        middle = (top + bottom) / 2
        home = self.at((left + right) / 2, middle)
        if home is not None and home.box[0] - _SLACK <= left and right <= home.box[2] + _SLACK:
            home.runs.extend(piece(run, 0, len(run.text), text, run.box))
            return
        homes: list[tuple[GridCell | None, int]] = []
        for word in _WORD.finditer(run.text):
            first, last = text.char_box(run.index[word.start()]), text.char_box(run.index[word.end() - 1])
            if first is None or last is None:
                continue
            home = self.at(first[0] + 0.1, (first[1] + first[3]) / 2)
            if home is not None and last[2] <= home.box[2] + _SLACK:
                homes.append((home, word.start()))
                continue
            self.grid.crossed += 1
            for position in range(word.start(), word.end()):  # a word over a line: each character for itself
                box = text.char_box(run.index[position])
                if box is not None:
                    homes.append((self.at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), position))
        start = 0
        for number in range(1, len(homes) + 1):
            if number == len(homes) or homes[number][0] is not homes[start][0]:
                cell, begin = homes[start]
                end = homes[number][1] if number < len(homes) else len(run.text)
                if cell is not None:
                    cell.runs.extend(piece(run, begin, end, text))
                start = number


def _trim(grid: Grid) -> None:
    """Take away empty rows and columns at edges that no line closes: the lines only stood out there."""
    left, top, right, bottom = grid.open_edges
    rows = [
        min((c.row for c in grid.cells if c.runs), default=0),
        max((c.row + c.row_span for c in grid.cells if c.runs), default=0),
    ]
    columns = [
        min((c.column for c in grid.cells if c.runs), default=0),
        max((c.column + c.column_span for c in grid.cells if c.runs), default=0),
    ]
    first_row = 1 if top and rows[0] > 0 else 0
    last_row = grid.rows - 1 if bottom and rows[1] < grid.rows else grid.rows
    first_column = 1 if left and columns[0] > 0 else 0
    last_column = grid.columns - 1 if right and columns[1] < grid.columns else grid.columns
    if (first_row, last_row, first_column, last_column) == (0, grid.rows, 0, grid.columns):
        return
    kept: list[GridCell] = []
    for cell in grid.cells:
        row, end = max(cell.row, first_row), min(cell.row + cell.row_span, last_row)
        column, stop = max(cell.column, first_column), min(cell.column + cell.column_span, last_column)
        if row < end and column < stop:
            cell.row, cell.row_span = row - first_row, end - row
            cell.column, cell.column_span = column - first_column, stop - column
            kept.append(cell)
    grid.cells, grid.rows, grid.columns = kept, last_row - first_row, last_column - first_column
    if kept:
        boxes = [cell.box for cell in kept]
        grid.box = (
            min(b[0] for b in boxes),
            min(b[1] for b in boxes),
            max(b[2] for b in boxes),
            max(b[3] for b in boxes),
        )


def _meets(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(inner: Box, outer: Box) -> bool:
    """Whether a box lies in another one, a point over allowed."""
    return (
        inner[0] >= outer[0] - 1
        and inner[1] >= outer[1] - 1
        and inner[2] <= outer[2] + 1
        and inner[3] <= outer[3] + 1
        and inner != outer
    )
