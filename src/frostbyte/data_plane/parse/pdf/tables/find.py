"""All tables of one page."""

from __future__ import annotations

from frostbyte.data_plane.parse.pdf.tables.grid import Grid, fill
from frostbyte.data_plane.parse.pdf.tables.ruled import find_grids
from frostbyte.data_plane.parse.pdf.text import Drawing, PageText, Run


def find_tables(drawing: Drawing, runs: list[Run], text: PageText) -> tuple[list[Grid], list[Run]]:
    """The tables of a page, top to bottom, and the runs outside them."""
    grids, rest = fill(find_grids(drawing), runs, text)
    for grid in grids:
        header = _has_header(grid)
        for cell in grid.cells:
            cell.header = header and cell.row == 0
    return grids, rest


def _has_header(grid: Grid) -> bool:
    """The first row is a header if all its cells hold text and it is bold or below it numbers stand under words."""
    first = [cell for cell in grid.cells if cell.row == 0]
    if grid.rows < 2 or not first or not all(cell.runs for cell in first):
        return False
    if all(run.bold for cell in first for run in cell.runs):
        return True
    return not any(character.isdigit() for cell in first for run in cell.runs for character in run.text)
