"""All tables of one page."""

from __future__ import annotations

from frostbyte.data_plane.parse.pdf.tables.aligned import Marks, find_aligned
from frostbyte.data_plane.parse.pdf.tables.grid import Grid, fill, inside, outside
from frostbyte.data_plane.parse.pdf.tables.ruled import Rules, find_grids
from frostbyte.data_plane.parse.pdf.text import Drawing, PageText, Run


def find_tables(drawing: Drawing, runs: list[Run], text: PageText) -> tuple[list[Grid], list[Run]]:
    """The tables of a page, top to bottom, and the runs outside them."""
    rules = Rules(drawing)
    grids = find_grids(rules)
    grids = [grid for grid in grids if not any(inside(grid.box, other.box) for other in grids)]
    if grids:
        fill(grids, runs, text)
        grids = [grid for grid in grids if grid.filled >= 2]
        for grid in grids:
            header = _has_header(grid)
            for cell in grid.cells:
                cell.header = header and cell.row == 0
    rest = outside(grids, runs, text)
    aligned = find_aligned(rest, Marks(rules.horizontal, drawing.fills), text)
    if aligned:
        rest = outside(aligned, rest, text)
    return [*grids, *aligned], rest


def _has_header(grid: Grid) -> bool:
    """The first row is a header if all its cells hold text and it is bold or below it numbers stand under words."""
    first = [cell for cell in grid.cells if cell.row == 0]
    if grid.rows < 2 or not first or not all(cell.runs for cell in first):
        return False
    if all(run.bold for cell in first for run in cell.runs):
        return True
    return not any(character.isdigit() for cell in first for run in cell.runs for character in run.text)
