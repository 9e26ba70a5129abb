"""Tables whose cells are ruled: lines that cross make a grid, missing lines merge its cells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.tables.grid import Grid, GridCell
from frostbyte.data_plane.parse.pdf.text import Drawing

JOIN: Final = 3.0
"""Points within which lines meet."""
_STRAIGHT: Final = 1.2
"""Points by which pieces of one line may stand beside each other."""
_SHORT: Final = 4.0
"""Points: shorter lines, once dashes are put together, rule nothing."""
_MAX_LINES: Final = 2_000
"""Rules of a page beyond which it is a drawing, not a table."""
_MAX_CELLS: Final = 20_000


class Rules:
    """The lines of a page, dashes put together."""

    def __init__(self, drawing: Drawing) -> None:
        self.horizontal = [] if drawing.truncated else _merged(drawing.horizontal, across=True)
        self.vertical = [] if drawing.truncated else _merged(drawing.vertical, across=False)
        if len(self.horizontal) + len(self.vertical) > _MAX_LINES:
            self.horizontal, self.vertical = [], []


def find_grids(rules: Rules) -> list[Grid]:
    """The grids that the lines make, top to bottom; not yet known whether they hold text."""
    if not rules.horizontal or not rules.vertical:
        return []
    grids: list[Grid] = []
    for horizontal, vertical in _components(rules.horizontal, rules.vertical):
        grid = _grid(horizontal, vertical)
        if grid is not None:
            grids.append(grid)
    return sorted(grids, key=lambda grid: (grid.box[1], grid.box[0]))


def _merged(lines: list[Box], *, across: bool) -> list[Box]:
    """Pieces of one line put together where they touch or are dashes; short leftovers left out."""
    if not lines:
        return []
    a, b, c, d = (0, 1, 2, 3) if across else (1, 0, 3, 2)
    rows: list[list[Box]] = []
    at = float("-inf")
    for line in sorted(lines, key=lambda item: (item[b] + item[d]) / 2):
        middle = (line[b] + line[d]) / 2
        if middle - at > _STRAIGHT:
            rows.append([])
            at = middle
        rows[-1].append(line)
    result: list[Box] = []
    for row in rows:
        if len(row) == 1:
            if row[0][c] - row[0][a] >= _SHORT:
                result.append(row[0])
            continue
        row.sort(key=lambda item: item[a])
        start, end, first, last = row[0][a], row[0][c], row[0][b], row[0][d]
        length = row[0][c] - row[0][a]
        for number in range(1, len(row) + 1):
            line = row[min(number, len(row) - 1)]
            reach = max(1.0, min(4.0, 1.5 * min(length, line[c] - line[a])))
            if number < len(row) and line[a] - end <= reach:
                end, first, last = max(end, line[c]), min(first, line[b]), max(last, line[d])
                length = line[c] - line[a]
                continue
            if end - start >= _SHORT:
                result.append((start, first, end, last) if across else (first, start, last, end))
            start, end, first, last = line[a], line[c], line[b], line[d]
            length = end - start
    return result


def _components(horizontal: list[Box], vertical: list[Box]) -> list[tuple[list[Box], list[Box]]]:
    """Lines that meet, directly or through others."""
    tops = [h[1] for h in horizontal]  # sorted: lines were merged row by row
    order = sorted(range(len(horizontal)), key=lambda i: tops[i])
    tops = [tops[i] for i in order]
    meets: list[list[int]] = [[] for _ in range(len(horizontal) + len(vertical))]
    for j, v in enumerate(vertical):
        for place in range(bisect_left(tops, v[1] - JOIN - 3), bisect_right(tops, v[3] + JOIN)):
            h = horizontal[order[place]]
            if h[0] - JOIN <= v[2] and v[0] <= h[2] + JOIN and v[1] - JOIN <= h[3]:
                meets[order[place]].append(len(horizontal) + j)
                meets[len(horizontal) + j].append(order[place])
    seen: set[int] = set()
    groups: list[tuple[list[Box], list[Box]]] = []
    for start in range(len(horizontal)):
        if start in seen or not meets[start]:
            continue
        seen.add(start)
        queue, members = deque([start]), [start]
        while queue:
            for other in meets[queue.popleft()]:
                if other not in seen:
                    seen.add(other)
                    queue.append(other)
                    members.append(other)
        groups.append(
            (
                [horizontal[i] for i in members if i < len(horizontal)],
                [vertical[i - len(horizontal)] for i in members if i >= len(horizontal)],
            )
        )
    return groups


def _grid(horizontal: list[Box], vertical: list[Box]) -> Grid | None:
    xs, left, right = _positions(
        [v[0] + v[2] for v in vertical], [h[0] for h in horizontal], [h[2] for h in horizontal]
    )
    ys, top, bottom = _positions([h[1] + h[3] for h in horizontal], [v[1] for v in vertical], [v[3] for v in vertical])
    columns, rows = len(xs) - 1, len(ys) - 1
    if columns < 1 or rows < 1 or not 2 <= columns * rows <= _MAX_CELLS:
        return None
    walls = _covered([(v[0] + v[2], v[1], v[3]) for v in vertical], xs, ys)
    floors = _covered([(h[1] + h[3], h[0], h[2]) for h in horizontal], ys, xs)
    cells: list[GridCell] = []
    taken: set[tuple[int, int]] = set()
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            across, down = 1, 1
            while column + across < columns and (column + across, row) not in walls:
                across += 1
            while row + down < rows and not any((row + down, column + n) in floors for n in range(across)):
                down += 1
            span = {(row + i, column + j) for i in range(down) for j in range(across)}
            if span & taken:
                across = down = 1
                span = {(row, column)}
            taken |= span
            box = (xs[column], ys[row], xs[column + across], ys[row + down])
            cells.append(GridCell(row=row, column=column, row_span=down, column_span=across, box=box))
    return Grid((xs[0], ys[0], xs[-1], ys[-1]), rows, columns, cells, (left, top, right, bottom))


def _positions(doubles: list[float], starts: list[float], ends: list[float]) -> tuple[list[float], bool, bool]:
    """Where lines stand (given twice over); and where those that cross them end, if no line closes the table there."""
    clusters: list[list[float]] = []
    for value in sorted(double / 2 for double in doubles):
        if clusters and value - clusters[-1][-1] <= JOIN:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    found = [round(sum(cluster) / len(cluster), 2) for cluster in clusters]
    before, after = min(starts) < found[0] - 2 * JOIN, max(ends) > found[-1] + 2 * JOIN
    if before:
        found.insert(0, round(min(starts), 2))
    if after:
        found.append(round(max(ends), 2))
    return found, before, after


def _covered(lines: list[tuple[float, float, float]], places: list[float], marks: list[float]) -> set[tuple[int, int]]:
    """(place, part) where a line stands at a place and reaches over the middle of a part between two marks.

    A line is (twice its position, start, end).
    """
    middles = [(marks[n] + marks[n + 1]) / 2 for n in range(len(marks) - 1)]
    covered: set[tuple[int, int]] = set()
    for twice, start, end in lines:
        position = twice / 2
        near = bisect_left(places, position - 2 * JOIN)
        best = min(range(near, min(near + 4, len(places))), key=lambda n: abs(places[n] - position), default=None)
        if best is None:
            continue
        for part in range(bisect_left(middles, start - 0.5), bisect_right(middles, end + 0.5)):
            covered.add((best, part))
    return covered
