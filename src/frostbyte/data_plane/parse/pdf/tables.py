"""Tables whose cells are ruled: lines that cross make a grid, missing lines merge its cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.text import Drawing, PageText, Run

_JOIN: Final = 3.0
"""Points within which lines meet."""
_MAX_LINES: Final = 2_000
"""Rules of a page beyond which it is a drawing, not a table."""
_MAX_CELLS: Final = 20_000


@dataclass(slots=True)
class GridCell:
    """A cell, merged or not, and the pieces of runs in it."""

    row: int
    column: int
    row_span: int
    column_span: int
    box: Box
    runs: list[Run] = field(default_factory=list)


@dataclass(slots=True)
class Grid:
    """A ruled table."""

    box: Box
    rows: int
    columns: int
    cells: list[GridCell]


def find_grids(drawing: Drawing) -> list[Grid]:
    """The grids that the lines make, top to bottom; not yet known whether they hold text."""
    if drawing.truncated or not drawing.horizontal or not drawing.vertical:
        return []
    if len(drawing.horizontal) + len(drawing.vertical) > _MAX_LINES:
        return []
    grids: list[Grid] = []
    for horizontal, vertical in _components(drawing.horizontal, drawing.vertical):
        grid = _grid(horizontal, vertical)
        if grid is not None:
            grids.append(grid)
    return sorted(grids, key=lambda grid: (grid.box[1], grid.box[0]))


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


def _components(horizontal: list[Box], vertical: list[Box]) -> list[tuple[list[Box], list[Box]]]:
    parent = list(range(len(horizontal) + len(vertical)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for i, h in enumerate(horizontal):
        for j, v in enumerate(vertical):
            if h[0] - _JOIN <= v[2] and v[0] <= h[2] + _JOIN and v[1] - _JOIN <= h[3] and h[1] <= v[3] + _JOIN:
                parent[root(i)] = root(len(horizontal) + j)
    groups: dict[int, tuple[list[Box], list[Box]]] = {}
    for i, h in enumerate(horizontal):
        groups.setdefault(root(i), ([], []))[0].append(h)
    for j, v in enumerate(vertical):
        groups.setdefault(root(len(horizontal) + j), ([], []))[1].append(v)
    return list(groups.values())


def _grid(horizontal: list[Box], vertical: list[Box]) -> Grid | None:
    xs = _positions([(v[0] + v[2]) / 2 for v in vertical])
    ys = _positions([(h[1] + h[3]) / 2 for h in horizontal])
    columns, rows = len(xs) - 1, len(ys) - 1
    if columns < 1 or rows < 1 or not 2 <= columns * rows <= _MAX_CELLS:
        return None
    cells: list[GridCell] = []
    taken: set[tuple[int, int]] = set()
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            across, down = 1, 1
            middle = (ys[row] + ys[row + 1]) / 2
            while column + across < columns and not _has(vertical, xs[column + across], middle, upright=True):
                across += 1
            center = (xs[column] + xs[column + 1]) / 2
            while row + down < rows and not _has(horizontal, ys[row + down], center, upright=False):
                down += 1
            span = {(row + i, column + j) for i in range(down) for j in range(across)}
            if span & taken:
                across = down = 1
                span = {(row, column)}
            taken |= span
            box = (xs[column], ys[row], xs[column + across], ys[row + down])
            cells.append(GridCell(row=row, column=column, row_span=down, column_span=across, box=box))
    return Grid(box=(xs[0], ys[0], xs[-1], ys[-1]), rows=rows, columns=columns, cells=cells)


def _positions(values: list[float]) -> list[float]:
    clusters: list[list[float]] = []
    for value in sorted(values):
        if clusters and value - clusters[-1][-1] <= _JOIN:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    return [round(sum(cluster) / len(cluster), 2) for cluster in clusters]


def _has(lines: list[Box], position: float, crossing: float, *, upright: bool) -> bool:
    """Whether a line stands at `position` and spans `crossing` on the other axis."""
    for line in lines:
        if upright:
            at, start, end = (line[0] + line[2]) / 2, line[1], line[3]
        else:
            at, start, end = (line[1] + line[3]) / 2, line[0], line[2]
        if abs(at - position) <= _JOIN and start - _JOIN <= crossing <= end + _JOIN:
            return True
    return False


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
