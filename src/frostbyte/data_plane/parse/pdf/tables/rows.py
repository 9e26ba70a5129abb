"""The rows of a table without ruled cells: which lines are one row because a cell of it goes on."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from frostbyte.data_plane.parse.pdf.tables.columns import Column, is_number
from frostbyte.data_plane.parse.pdf.tables.segments import Segment, TextLine

_SAME: Final = 0.1
"""Em by which white between rows differs within one table."""
_STRAY: Final = 8
"""One in so many lines may seem to begin a row by the width of its words alone, and does not."""
_OVER: Final = -0.1
"""White in em under which lines stand half beside each other, as in cells whose text is in the middle."""
_LOOSE: Final = 1.2
"""White in em over which no cell goes on."""
_SPACE: Final = 0.28
"""Width of a space in em."""


def group_rows(lines: list[TextLine], columns: list[Column], cuts: list[float]) -> list[list[TextLine]]:
    """Lines put together to rows; `cuts` are the heights of rules and stripes, which part rows."""
    if not lines:
        return []
    for number, column in enumerate(columns):
        widths = [s.right - s.left for line in lines for s in line.segments if s.first == s.last == number]
        column.widest = max(widths, default=column.right - column.left)
    parted = [_parted(before, after, cuts) for before, after in pairwise(lines)]
    white = [(after.top - before.bottom) / max(after.size, 1.0) for before, after in pairwise(lines)]
    clash = [_clash(before.segments, after, columns) for before, after in pairwise(lines)]
    apart = [gap for gap, cut, no in zip(white, parted, clash, strict=True) if no and not cut and gap > _OVER]
    limit = _limit(white, parted, apart)
    rows = [[lines[0]]]
    state = {n: s for s in lines[0].segments for n in range(s.first, s.last + 1)}
    for number, line in enumerate(lines[1:]):
        above = list({id(segment): segment for segment in state.values()}.values())
        if white[number] <= _OVER and not parted[number]:
            goes_on = True
        elif parted[number] or _unlike(above, line):
            goes_on = False
        elif limit is not None and white[number] < limit:
            goes_on = True
        elif _clash(above, line, columns):
            goes_on = False
        elif limit is None:
            goes_on = white[number] < _LOOSE
        else:
            goes_on = white[number] < limit + 2 * _SAME and _hangs(line, state, columns)
        if goes_on:
            rows[-1].append(line)
        else:
            rows.append([line])
            state = {}
        state.update({n: s for s in line.segments for n in range(s.first, s.last + 1)})
    return rows


def _limit(white: list[float], parted: list[bool], apart: list[float]) -> float | None:
    """White in em from which lines are rows of their own; None if rules alone part them."""
    if apart:
        return sorted(apart)[len(apart) // _STRAY] - _SAME
    if sum(parted) > 1:
        return None
    steps = sorted(gap for gap, cut in zip(white, parted, strict=True) if not cut and gap > _OVER)
    if not steps:
        return 0.0
    jump, place = max(((b - a, a) for a, b in pairwise(steps)), default=(0.0, 0.0))
    return place + jump / 2 if jump > 2 * _SAME else steps[0] - _SAME


def _parted(before: TextLine, after: TextLine, cuts: list[float]) -> bool:
    low, high = before.base - 0.3 * before.size, after.base - 0.2 * after.size
    return any(low < cut < high for cut in cuts)


def _clash(above: list[Segment], line: TextLine, columns: list[Column]) -> bool:
    """Whether a cell of the line cannot be the next line of the cell over it."""
    if _unlike(above, line):
        return True
    return any(
        over.first <= segment.last and segment.first <= over.last and not _breaks(over, segment, columns)
        for segment in line.segments
        for over in above
    )


def _unlike(above: list[Segment], line: TextLine) -> bool:
    """Whether the line differs from what is above it in weight, in spans, or sets one number under another."""
    for segment in line.segments:
        for over in above:
            if over.last < segment.first or segment.last < over.first:
                continue
            if (over.first, over.last, over.bold) != (segment.first, segment.last, segment.bold):
                return True
            if _is_one_piece(over.text) and _is_one_piece(segment.text):
                return True
    return False


def _is_one_piece(text: str) -> bool:
    """Whether it is a number, a date or a code: nobody breaks one over two lines."""
    return is_number(text) or (" " not in text and any(map(str.isdigit, text)))


def _breaks(over: Segment, segment: Segment, columns: list[Column]) -> bool:
    """Whether the first word of the segment had no room left in the line over it."""
    words = segment.text.split()
    width = segment.right - segment.left
    first = width * len(words[0]) / max(len(segment.text), 1) if words else width
    room = columns[segment.last].right - columns[segment.first].left
    if segment.first == segment.last:
        room = min(room, columns[segment.first].widest)
    slack = 0.3 * segment.size + (0.15 * first if len(words) > 1 else 0.0)
    return over.right - over.left + _SPACE * over.size + first > room - slack


def _hangs(line: TextLine, state: dict[int, Segment], columns: list[Column]) -> bool:
    """Whether the line, set as far apart as rows are, can only be the rest of cells over it."""
    here = {n for s in line.segments for n in range(s.first, s.last + 1)}
    if not here <= state.keys() or len(here) >= len(state):
        return False
    if 0 in here and here != {0}:
        return False
    return all(not is_number(s.text) and s.text[:1].islower() for s in line.segments)
