"""Tables without ruled cells: found by rules above and below, by stripes, or by alignment alone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.tables.columns import find_columns, join_headings, join_marks, place
from frostbyte.data_plane.parse.pdf.tables.grid import Grid, GridCell, piece
from frostbyte.data_plane.parse.pdf.tables.headers import header_rows, spread
from frostbyte.data_plane.parse.pdf.tables.plausible import Layout, apart, plausible
from frostbyte.data_plane.parse.pdf.tables.regions import regions
from frostbyte.data_plane.parse.pdf.tables.rows import group_rows
from frostbyte.data_plane.parse.pdf.tables.segments import (
    CAPTION,
    LEADER,
    Segment,
    TextLine,
    cut,
    is_mark,
    lines_of,
    loose,
    suspect,
    usable,
    whole,
)
from frostbyte.data_plane.parse.pdf.text import PageText, Run

_EDGE: Final = 4.0
"""Points by which rules of one table differ at their ends."""
_LONG: Final = 24
"""Characters of a line that is no cell but prose, beside another one in the next column of the page."""
_SPARSE: Final = 12
"""Lines of one cell between others of several in one table, at most."""
_AROUND: Final = 4
"""Lines around possible ones that may belong to a table."""
_HEADING_LINES: Final = 4
"""Lines of a header between two rules, at most."""
_REACH: Final = 4
"""Lines between two of several cells in one table."""
_FAR: Final = 7.0
"""Em between two lines of several cells in one table."""
_WIDE: Final = 40.0
"""Points: shorter rules frame no table."""
_NEAR: Final = 2.6
"""White in em over which rows belong to one table."""
_HEADING_WHITE: Final = 1.3
"""White in em between headings of columns and the first full line."""
_TAIL_WHITE: Final = 0.36
"""White in em between the lines of one cell, at most."""
_MAX_LINES: Final = 400
"""Lines of one table that are looked at."""


Frame = tuple[float, float, bool]
"""Upper and lower edge of what rules frame, and whether a rule parts it inside, as one does a table's header."""


@dataclass(slots=True)
class Marks:
    """What is drawn that may belong to tables without ruled cells."""

    rules: list[Box] = field(default_factory=list)
    fills: list[Box] = field(default_factory=list)


def find_aligned(runs: list[Run], marks: Marks, text: PageText) -> list[Grid]:
    """The tables among runs that no ruled grid holds."""
    lines = _run_lines([run for run in runs if usable(run)])
    near = _near(lines, marks, text)
    if not any(near):
        return []
    grids: list[Grid] = []
    done: set[int] = set()
    for start, end in _windows(lines, near):
        segments: list[Segment] = []
        for line, close in zip(lines[start:end], near[start:end], strict=True):
            for run in line:
                several = close and (suspect(run, text) or (close > 1 and (not run.gap or loose(run, text))))
                if several:
                    segments.extend(cut(run, text))
                    done.add(id(run))
                else:
                    segments.append(whole(run))
        for region in regions(segments):
            for part, framed in _candidates(_cut_neighbours(lines_of(region), done, text), marks):
                grid = _build(part, marks, text, framed=framed)
                if grid is not None:
                    grids.append(grid)
    return sorted(grids, key=lambda grid: (grid.box[1], grid.box[0]))


def _windows(lines: list[list[Run]], near: list[int]) -> list[tuple[int, int]]:
    """Ranges of lines that hold what may be tables and what stands around; all of a page set in columns."""
    long = sum(sum(len(run.text) > _LONG for run in line) > 1 for line in lines)
    if long >= 2:
        return [(0, len(lines))]
    windows: list[tuple[int, int]] = []
    for number, close in enumerate(near):
        if not close:
            continue
        start, end = max(0, number - _AROUND), min(len(lines), number + _AROUND + 1)
        if windows and start <= windows[-1][1] + _SPARSE:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def refine(grid: Grid, runs: list[Run], marks: Marks, walls: list[float], text: PageText) -> Grid | None:
    """The table in a grid whose rows no lines part, or None if the lines of text do not tell them either."""
    left, top, right, bottom = grid.box
    inside = [
        run
        for run in runs
        if usable(run) and left - 2 <= run.box[0] and run.box[2] <= right + 2 and top <= run.baseline <= bottom
    ]
    across = [wall for wall in walls if left + 3 < wall < right - 3]
    lines = lines_of([part for run in inside for part in cut(run, text, across)])
    return _build(lines, marks, text, framed=True, walls=across) if len(lines) > 1 else None


def _run_lines(runs: list[Run]) -> list[list[Run]]:
    lines: list[list[Run]] = []
    base = float("-inf")
    for run in sorted(runs, key=lambda item: item.baseline):
        if run.baseline - base > 0.3 * run.size or not lines:
            lines.append([])
            base = run.baseline
        lines[-1].append(run)
    return lines


def _near(lines: list[list[Run]], marks: Marks, text: PageText) -> list[int]:
    """By line: 1 if it or one close to it may hold several cells, and another one too; 2 between rules of one width.

    All there is to do on a page of prose.
    """
    near = [0] * len(lines)
    last = -_REACH
    for number, line in enumerate(lines):
        if len(line) > 1:
            if _is_item(line):
                continue
        elif not suspect(line[0], text):
            continue
        if number - last < _REACH and line[0].baseline - lines[last][0].baseline < _FAR * line[0].size:
            for other in range(max(0, last - 1), min(len(lines), number + 2)):
                near[other] = 1
        last = number
    if last < 0:
        return near
    bases = [line[0].baseline for line in lines]  # they rise
    for rules in _ruled_off(marks.rules):
        before: Sequence[int] = ()
        for top, bottom in pairwise(rules):
            inside = range(bisect_right(bases, top), bisect_left(bases, bottom))
            if any(near[number] for number in inside):
                for number in [*before, *inside]:
                    near[number] = 2
            before = inside if len(inside) <= _HEADING_LINES else ()
    return near


def _is_item(line: list[Run]) -> bool:
    """Whether it is a list's mark or number and its text, or a title and its page: no cells."""
    if len(line) != 2:
        return False
    first, second = line if line[0].box[0] <= line[1].box[0] else (line[1], line[0])
    return is_mark(first.text.strip()) or LEADER.search(first.text + second.text) is not None


def _ruled_off(rules: list[Box]) -> list[list[float]]:
    """Heights of three or more rules of one width, from above."""
    chains: dict[tuple[int, int], list[float]] = {}
    for rule in rules:
        if rule[2] - rule[0] > _WIDE:
            chains.setdefault((round(rule[0] / _EDGE), round(rule[2] / _EDGE)), []).append(rule[1])
    return [sorted(chain) for chain in chains.values() if len(chain) > 2]


def _cut_neighbours(lines: list[TextLine], done: set[int], text: PageText) -> list[TextLine]:
    """Lines beside those of several segments cut too, as their gaps may be narrower; `done` are the runs that were."""
    several = [len(line.segments) > 1 for line in lines]
    for number, line in enumerate(lines):
        if not any(several[max(0, number - 2) : number + 3]):
            continue
        segments = line.segments
        fresh = [_uncut(segment) and id(segment.run) not in done for segment in segments]
        if any(fresh) and any(_uncut(segment) and loose(segment.run, text) for segment in segments):
            parts = [
                cut(segment.run, text) if uncut else [segment] for segment, uncut in zip(segments, fresh, strict=True)
            ]
            line.segments = sorted((part for several in parts for part in several), key=lambda item: item.left)
    return lines


def _uncut(segment: Segment) -> bool:
    return segment.start == 0 and segment.end == len(segment.run.text)


def _candidates(lines: list[TextLine], marks: Marks) -> list[tuple[list[TextLine], bool]]:
    """Lines that may be a table together, and whether rules frame them."""
    found: list[tuple[list[TextLine], bool]] = []
    free: list[TextLine] = []
    frames = _frames(lines, marks.rules)
    if not frames:
        return [(part, False) for part in _sequences(lines)]
    for line in lines:
        frame = next((f for f in frames if f[0] < line.base < f[1]), None)
        if frame is None:
            free.append(line)
            continue
        if free:
            found.extend((part, False) for part in _sequences(free))
            free = []
        if found and found[-1][0][-1].base > frame[0]:
            found[-1][0].append(line)
        else:
            found.append(([line], frame[2]))
    found.extend((part, False) for part in _sequences(free))
    return found


def _frames(lines: list[TextLine], rules: list[Box]) -> list[Frame]:
    """Upper and lower edges of what stands between rules of one width, where it is set in columns."""
    if not lines or not rules:
        return []
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    chains: list[list[Box]] = []
    for rule in sorted(rules, key=lambda box: box[1]):
        if rule[2] < left or rule[0] > right:
            continue
        for chain in chains:
            if abs(chain[0][0] - rule[0]) <= _EDGE and abs(chain[0][2] - rule[2]) <= _EDGE:
                chain.append(rule)
                break
        else:
            chains.append([rule])
    frames: list[Frame] = []
    for chain in chains:
        frames.extend(_framed(lines, chain))
    return [f for f in frames if not any(o[0] <= f[0] and f[1] <= o[1] and o != f for o in frames)]


def _framed(lines: list[TextLine], chain: list[Box]) -> list[Frame]:
    """What between neighbouring rules of one width is set in columns, put together."""
    frames: list[Frame] = []
    start: float | None = None
    waiting: tuple[float, list[TextLine]] | None = None
    end, count = 0.0, 0
    bases = [line.base for line in lines]  # they rise
    for upper, lower in pairwise(chain):
        inside = lines[bisect_right(bases, upper[1]) : bisect_left(bases, lower[1])]
        fits = all(line.left >= upper[0] - _EDGE and line.right <= upper[2] + _EDGE for line in inside)
        if inside and fits and _tabular(inside, started=start is not None):
            if start is None:
                start, count = upper[1], 1
                if waiting is not None and _tabular([*waiting[1], *inside], started=False):
                    start, count = waiting[0], 2
            end, count = lower[1], count + 1
        elif inside and start is not None:
            frames.append((start, end, count > 2))
            start = None
        # A heading over one column alone is no table, but may begin one.
        single = inside and fits and len(inside) <= 3 and start is None
        waiting = (upper[1], inside) if single else None if inside else waiting
    if start is not None:
        frames.append((start, end, count > 2))
    return frames


def _tabular(lines: list[TextLine], *, started: bool) -> bool:
    if started and len(lines) == 1:
        return True
    columns, crossing = find_columns(lines)
    several = sum(len(line.segments) > 1 for line in lines)
    return len(columns) > 1 and len(crossing) <= max(1, 0.25 * len(lines)) and several >= 0.2 * len(lines)


def _sequences(lines: list[TextLine]) -> list[list[TextLine]]:
    """Lines one under the other that share white between columns, from the first to the last of several segments."""
    found: list[list[TextLine]] = []
    current: list[TextLine] = []
    gaps: list[tuple[float, float]] = []
    whites: list[float] = []
    for line in lines:
        several = len(line.segments) > 1
        if current:
            white = (line.top - max(other.bottom for other in current[-3:])) / line.size
            near = white <= min(_NEAR, max(2.0 if several and len(current) < 4 else 1.35, 1.6 * max(whites) + 0.1))
            if not several and CAPTION.match(line.segments[0].text):
                near = False
            shared = _shared(gaps, line)
            if near and shared and len(current) < _MAX_LINES:
                current.append(line)
                gaps = shared
                whites.append(white)
                continue
            if near and not several and len(current) > 2 and len(current[-1].segments) > 1:
                current.append(line)  # one line over all columns: a heading among the rows, if rows follow
                continue
            found.append(current)
            current = []
        if several:
            current, gaps, whites = [line], _inner(line), [0.8]
    if current:
        found.append(current)
    trimmed: list[list[TextLine]] = []
    places = {id(line): number for number, line in enumerate(lines)} if found else {}
    for part in found:
        last = max(number for number, line in enumerate(part) if len(line.segments) > 1)
        start = places[id(trimmed[-1][-1])] + 1 if trimmed else 0
        before = lines[start : places[id(part[0])]]
        trimmed.append(_headings(before, part[: last + 1]) + _tail(part, last))
    return [part for part in trimmed if len(part) > 1]


def _headings(before: list[TextLine], part: list[TextLine]) -> list[TextLine]:
    """Lines over the first one of several segments that can only be headings of columns but the first."""
    edge = max((line.segments[0].right for line in part if len(line.segments) > 1), default=0.0)
    edge = min(edge, min((line.segments[1].left for line in part if len(line.segments) > 1), default=edge))
    start = len(before)
    top, size = part[0].top, part[0].size
    while start and len(before) - start < 3:
        line = before[start - 1]
        white = (top - line.bottom) / size
        if white > _HEADING_WHITE or line.right > part[0].right + 4 * size:
            break
        if line.left < edge - 1 and (white > _TAIL_WHITE or line.right > edge or line.bold != part[0].bold):
            break
        start, top = start - 1, line.top
    return before[start:]


def _tail(part: list[TextLine], last: int) -> list[TextLine]:
    """The lines up to the last of several segments, and what hangs on it: rest of its cells, rows of one cell."""
    end = last + 1
    several = [line for line in part[:end] if len(line.segments) > 1]
    first, edge = min(line.left for line in part[:end]), min(line.segments[1].left for line in several)
    white = [(b.top - a.bottom) / b.size for a, b in pairwise(part[:end]) if len(a.segments) > 1 < len(b.segments)]
    rows = min((w for w in white if w > 0), default=0.0)
    kept = end
    while end < len(part) and len(part[end].segments) == 1:
        line = part[end]
        gap = (line.top - part[end - 1].bottom) / line.size
        hangs = line.left > first + line.size
        if gap > max(_TAIL_WHITE, rows + 0.12) or (not hangs and line.right >= edge):
            break
        end += 1
        if hangs or gap < rows - 0.1 or (end == len(part) and rows > _TAIL_WHITE and abs(line.left - first) < 2):
            kept = end
    return part[:kept]


def _inner(line: TextLine) -> list[tuple[float, float]]:
    return [(a.right, b.left) for a, b in pairwise(line.segments) if b.left > a.right]


def _shared(gaps: list[tuple[float, float]], line: TextLine) -> list[tuple[float, float]]:
    least = 0.5 * line.size
    for segment in line.segments:
        kept: list[tuple[float, float]] = []
        for left, right in gaps:
            if segment.right <= left or segment.left >= right:
                kept.append((left, right))
                continue
            if segment.left - left >= least:
                kept.append((left, segment.left))
            if right - segment.right >= least:
                kept.append((segment.right, right))
        gaps = kept
    return gaps


def _build(
    lines: list[TextLine], marks: Marks, text: PageText, *, framed: bool, walls: Sequence[float] = ()
) -> Grid | None:
    if not framed and apart(lines, text):
        return None
    columns, crossing = find_columns(lines, walls)
    if len(columns) < 2:
        return None
    place(lines, columns)
    for join in (join_marks, join_headings):
        joined = join(lines, columns)
        if len(joined) < len(columns):
            columns = joined
            place(lines, columns)
    if len(columns) < 2:
        return None
    left, right = columns[0].left, columns[-1].right
    top, bottom = lines[0].top, lines[-1].bottom
    rules = [r for r in marks.rules if r[0] < right and left < r[2] and top - 4 <= r[1] <= bottom + 4]
    wide = [(r[1] + r[3]) / 2 for r in rules if min(r[2], right) - max(r[0], left) >= 0.6 * (right - left)]
    fills = [
        f
        for f in marks.fills
        if min(f[2], right) - max(f[0], left) >= 0.6 * (right - left) and f[1] < bottom and top < f[3]
    ]
    stripes = fills if any(f[3] - f[1] < 0.9 * (bottom - top) for f in fills) else []
    cuts = [*wide, *(y for f in stripes for y in (f[1], f[3]))]
    rows = group_rows(lines, columns, cuts)
    head = header_rows(rows, wide, stripes, columns)
    spread(rows, columns, list(rules))
    layout = Layout(
        rows=rows,
        columns=columns,
        head=head,
        crossing=len(crossing),
        framed=framed,
        striped=_alternate(stripes, lines),
        white=_row_white(rows),
    )
    if not plausible(layout):
        return None
    return _grid(layout, text)


def _alternate(stripes: list[Box], lines: list[TextLine]) -> bool:
    """Whether some rows are shaded and some between them are not."""
    if len(stripes) < 2:
        return False
    shaded = [any(box[1] <= line.base <= box[3] for box in stripes) for line in lines]
    return sum(a != b for a, b in pairwise(shaded)) >= 2 and sum(shaded) <= 0.75 * len(shaded)


def _row_white(rows: list[list[TextLine]]) -> float:
    gaps = [(b[0].top - a[-1].bottom) / b[0].size for a, b in pairwise(rows)]
    return median(gaps) if gaps else 0.0


def _grid(layout: Layout, text: PageText) -> Grid:
    rows, columns = layout.rows, layout.columns
    xs = [columns[0].left - 1, *((a.right + b.left) / 2 for a, b in pairwise(columns)), columns[-1].right + 1]
    tops, bottoms = [min(line.top for line in row) for row in rows], [max(line.bottom for line in row) for row in rows]
    ys = [tops[0] - 1, *((a + b) / 2 for a, b in zip(bottoms, tops[1:], strict=False)), bottoms[-1] + 1]
    cells: list[GridCell] = []
    for number, row in enumerate(rows):
        places = _places(row, len(columns))
        for first, last, segments in places:
            box = (round(xs[first], 2), round(ys[number], 2), round(xs[last + 1], 2), round(ys[number + 1], 2))
            cell = GridCell(number, first, 1, last - first + 1, box, header=number < layout.head)
            for segment in segments:
                run = segment.run
                kept = (round(segment.left, 2), run.box[1], round(segment.right, 2), run.box[3])
                cell.runs.extend(piece(run, segment.start, segment.end, text, kept))
            cells.append(cell)
    box = (round(xs[0], 2), round(ys[0], 2), round(xs[-1], 2), round(ys[-1], 2))
    return Grid(box, len(rows), len(columns), cells)


def _places(row: list[TextLine], count: int) -> list[tuple[int, int, list[Segment]]]:
    """First and last column of each cell of a row, and its segments; columns without any are empty cells."""
    owner = list(range(count))
    for line in row:
        for segment in line.segments:
            low = min(owner[segment.first], segment.first)
            for number in range(low, count):
                if segment.first < number <= segment.last or owner[number] in range(low, segment.first + 1):
                    owner[number] = low if number <= segment.last else owner[number]
    places: list[tuple[int, int, list[Segment]]] = []
    first = 0
    while first < count:
        last = first
        while last + 1 < count and owner[last + 1] <= first:
            last += 1
        inside = [s for line in row for s in line.segments if first <= s.first <= last]
        places.append((first, last, inside))
        first = last + 1
    return places
