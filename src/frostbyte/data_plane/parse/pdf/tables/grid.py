"""A table's grid, and which characters of which runs stand in which cell."""

from __future__ import annotations

from dataclasses import dataclass, field

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.text import PageText, Run


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


def fill(grids: list[Grid], runs: list[Run], text: PageText) -> tuple[list[Grid], list[Run]]:
    """Put runs into cells: the grids that hold text in at least two cells, and the runs outside them."""
    for grid in grids:
        for run in runs:
            if not run.hidden and _meets(run.box, grid.box):
                _assign(grid, run, text)
    kept = [grid for grid in grids if sum(1 for cell in grid.cells if cell.runs) >= 2]
    kept = [grid for grid in kept if not any(_inside(grid.box, other.box) for other in kept if other is not grid)]
    used = {number for grid in kept for cell in grid.cells for run in cell.runs for number in run.index}
    rest: list[Run] = []
    for run in runs:
        if run.index[0] in used or run.index[-1] in used:
            left = [position for position, number in enumerate(run.index) if number not in used]
            rest.extend(_pieces(run, left, text))
        else:
            rest.append(run)
    return kept, rest


def _assign(grid: Grid, run: Run, text: PageText) -> None:
    """Give each character of the run to the cell that holds its middle; spaces follow the character before."""
    homes: list[GridCell | None] = []
    last: GridCell | None = None
    for number in run.index:
        box = text.char_box(number)
        if box is not None:
            last = _cell_at(grid, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        homes.append(last)
    start = 0
    for position in range(1, len(homes) + 1):
        if position == len(homes) or homes[position] is not homes[start]:
            home = homes[start]
            if home is not None:
                home.runs.extend(_pieces(run, list(range(start, position)), text))
            start = position


def _cell_at(grid: Grid, x: float, y: float) -> GridCell | None:
    for cell in grid.cells:
        if cell.box[0] - 1 <= x < cell.box[2] + 1 and cell.box[1] - 1 <= y < cell.box[3] + 1:
            return cell
    return None


def _pieces(run: Run, positions: list[int], text: PageText) -> list[Run]:
    """Sub-runs of `run` made of the runs of adjacent `positions`, blank ones left out."""
    pieces: list[Run] = []
    group: list[int] = []
    for position in [*positions, -1]:
        if group and position != group[-1] + 1:
            piece = run.text[group[0] : group[-1] + 1]
            if piece.strip():
                index = run.index[group[0] : group[-1] + 1]
                boxes = [box for box in map(text.char_box, index) if box is not None]
                box = (
                    (
                        min(b[0] for b in boxes),
                        min(b[1] for b in boxes),
                        max(b[2] for b in boxes),
                        max(b[3] for b in boxes),
                    )
                    if boxes
                    else run.box
                )
                pieces.append(
                    Run(
                        text=piece,
                        index=index,
                        box=box,
                        baseline=run.baseline,
                        size=run.size,
                        bold=run.bold,
                        hidden=run.hidden,
                    )
                )
            group = []
        group.append(position)
    return pieces


def _meets(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _inside(inner: Box, outer: Box) -> bool:
    return (
        inner[0] >= outer[0] - 1
        and inner[1] >= outer[1] - 1
        and inner[2] <= outer[2] + 1
        and inner[3] <= outer[3] + 1
        and inner != outer
    )
