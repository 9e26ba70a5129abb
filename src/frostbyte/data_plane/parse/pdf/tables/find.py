"""All tables of one page."""

from __future__ import annotations

from typing import Final

from frostbyte.data_plane.parse.pdf.tables.aligned import Marks, find_aligned, refine
from frostbyte.data_plane.parse.pdf.tables.grid import Grid, fill, inside, outside
from frostbyte.data_plane.parse.pdf.tables.ruled import Rules, find_grids
from frostbyte.data_plane.parse.pdf.text import Drawing, PageText, Run

_CROSSED: Final = 0.25
"""Words over lines, by cells that hold text, beyond which the lines are a drawing."""
_FILLED: Final = 0.25
"""Part of the cells that hold text, at least, unless there are labels."""
_LABELLED: Final = 0.6
"""Part of the first row or column that holds text where the rest is there to be filled in."""


def find_tables(drawing: Drawing, runs: list[Run], text: PageText) -> tuple[list[Grid], list[Run]]:
    """The tables of a page, top to bottom, and the runs outside them."""
    rules = Rules(drawing)
    marks = Marks(rules.horizontal, drawing.fills)
    grids: list[Grid] = []
    for grid in _ruled(rules, runs, text):
        if _coarse(grid):
            walls = [(v[0] + v[2]) / 2 for v in rules.vertical if v[1] < grid.box[3] and grid.box[1] < v[3]]
            finer = refine(grid, runs, marks, walls, text)
            if finer is not None and finer.columns >= grid.columns and finer.rows > grid.rows:
                grids.append(finer)
                continue
        if grid.columns > 1 and (grid.rows > 1 or not _coarse(grid)):
            header = _has_header(grid)
            for cell in grid.cells:
                cell.header = header and cell.row == 0
            grids.append(grid)
    rest = outside(grids, runs, text)
    aligned = find_aligned(rest, marks, text)
    if aligned:
        rest = outside(aligned, rest, text)
    return [*grids, *aligned], rest


def _ruled(rules: Rules, runs: list[Run], text: PageText) -> list[Grid]:
    """Grids of lines that hold text as tables do; drawings and charts do not."""
    grids = find_grids(rules)
    grids = [grid for grid in grids if not any(inside(grid.box, other.box) for other in grids)]
    if grids:
        fill(grids, runs, text)
    return [grid for grid in grids if grid.filled >= 2 and grid.crossed <= _CROSSED * grid.filled and not _sparse(grid)]


def _sparse(grid: Grid) -> bool:
    """Whether hardly any cell holds text, and not even a header or labels stand there."""
    if grid.filled >= _FILLED * len(grid.cells):
        return False
    top = [cell for cell in grid.cells if cell.row == 0]
    side = [cell for cell in grid.cells if cell.column == 0]
    return not any(sum(bool(cell.runs) for cell in edge) >= _LABELLED * len(edge) for edge in (top, side))


def _coarse(grid: Grid) -> bool:
    """Whether several of its cells beside each other hold lines that stand level: rows that are not ruled."""
    if grid.columns == 1:
        return True
    lines: dict[int, dict[int, int]] = {}
    for cell in grid.cells:
        if cell.row_span == 1:
            counts = lines.setdefault(cell.row, {})
            for base in {round(run.baseline) for run in cell.runs}:
                counts[base] = counts.get(base, 0) + 1
    level = [sum(count > 1 for count in counts.values()) for counts in lines.values()]
    return bool(level) and max(level) >= 3 and 2 * max(level) > sum(level)


def _has_header(grid: Grid) -> bool:
    """The first row is a header if all its cells hold text and it is bold or below it numbers stand under words."""
    first = [cell for cell in grid.cells if cell.row == 0]
    if grid.rows < 2 or not first or not all(cell.runs for cell in first):
        return False
    if all(run.bold for cell in first for run in cell.runs):
        return True
    return not any(character.isdigit() for cell in first for run in cell.runs for character in run.text)
