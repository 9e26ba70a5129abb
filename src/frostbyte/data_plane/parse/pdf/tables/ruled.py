"""Tables whose cells are ruled: lines that cross make a grid, missing lines merge its cells."""

from __future__ import annotations

from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.tables.grid import Grid, GridCell
from frostbyte.data_plane.parse.pdf.text import Drawing

_JOIN: Final = 3.0
"""Points within which lines meet."""
_MAX_LINES: Final = 2_000
"""Rules of a page beyond which it is a drawing, not a table."""
_MAX_CELLS: Final = 20_000


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
