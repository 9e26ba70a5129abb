"""Which rows of a table are its header, and over which columns a heading stands."""

from __future__ import annotations

from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.tables.columns import Column, is_number
from frostbyte.data_plane.parse.pdf.tables.segments import Segment, TextLine

Row = list[TextLine]
_MAX_HEADER: Final = 4
"""Rows of a header, at most."""
_OFF: Final = 0.5
"""Em by which a heading may stand off the middle of its columns."""
_EDGE: Final = 4.0
"""Em by which the last column may be wider than its text."""
_BARE: Final = 0.3
"""What a column without a heading costs, in em off the middle."""
_ASIDE: Final = 0.1
"""What an em costs that a heading stands off the middle of the text under it."""


def header_rows(rows: list[Row], rules: list[float], fills: list[Box], columns: list[Column]) -> int:
    """How many rows at the top are the header: parted by a rule, shaded, bold, or words over numbers."""
    if len(rows) < 2:
        return 0
    last = min(_MAX_HEADER, len(rows) - 1)
    under = [_edge(rows[n], rows[n + 1], rules) for n in range(len(rows) - 1)]
    if any(under) and not all(under) and sum(under) <= max(2, len(under) // 3):
        first = under.index(True) + 1
        if first <= last:
            return first
    for box in fills:
        shaded = [box[1] <= row[0].base <= box[3] for row in rows]
        if shaded[0] and not all(shaded[: last + 1]):
            others = any(f[1] <= row[0].base <= f[3] for row in rows[shaded.index(False) :] for f in fills)
            if not others:
                return shaded.index(False)
    bold = [all(line.bold for line in row) for row in rows]
    if bold[0] and not all(bold):
        return min(bold.index(False), last)
    return 1 if _words_over_numbers(rows, columns) else 0


def _edge(before: Row, after: Row, rules: list[float]) -> bool:
    low, high = before[-1].base, after[0].base - 0.2 * after[0].size
    return any(low < rule < high for rule in rules)


def _words_over_numbers(rows: list[Row], columns: list[Column]) -> bool:
    first = [s for line in rows[0] for s in line.segments]
    if any(is_number(s.text) for s in first):
        return False
    for number in range(len(columns)):
        if not any(s.first <= number <= s.last for s in first):
            continue
        below = [s for row in rows[1:] for line in row for s in line.segments if s.first == s.last == number]
        if below and sum(is_number(s.text) for s in below) >= 0.7 * len(below):
            return True
    return False


def spread(rows: list[Row], columns: list[Column], rules: list[Box]) -> None:
    """Give headings that stand over several columns those columns, by the rule under them or by their middle."""
    for number, row in enumerate(rows[:2]):
        if number + 1 >= len(rows) or len(row) > 1:
            return
        segments, below = row[0].segments, rows[number + 1]
        ruled = _by_rules(row[0], below[0], columns, rules)
        if ruled:
            continue
        under = {n for line in below for s in line.segments for n in range(s.first, s.last + 1)}
        if 2 * len(segments) > len(under) or len(segments) >= len(columns) - 1:
            return
        spans = _tiles(segments, columns, under)
        if spans is None:
            return
        for segment, (first, last) in zip(segments, spans, strict=True):
            segment.first, segment.last = first, last


def _by_rules(line: TextLine, below: TextLine, columns: list[Column], rules: list[Box]) -> bool:
    """Take the columns over which a short rule runs between a heading and what is below it."""
    found = False
    whole = columns[-1].right - columns[0].left
    for left, top, right, bottom in rules:
        y = (top + bottom) / 2
        if not line.base < y < below.base or right - left > 0.95 * whole:
            continue
        over = [s for s in line.segments if left - 2 <= (s.left + s.right) / 2 <= right + 2]
        under = [n for n, c in enumerate(columns) if left - 2 <= (c.left + c.right) / 2 <= right + 2]
        if len(over) == 1 and under:
            over[0].first, over[0].last = under[0], under[-1]
            found = True
    return found


def _tiles(segments: list[Segment], columns: list[Column], under: set[int]) -> list[tuple[int, int]] | None:
    """The columns of each heading, so that headings stand in the middle of theirs and few columns have none."""
    count = len(columns)
    # best[n]: cost and spans of the headings so far, with columns before n used up
    best: dict[int, tuple[float, list[tuple[int, int]]]] = {0: (0.0, [])}
    for segment in segments:
        following: dict[int, tuple[float, list[tuple[int, int]]]] = {}
        for used, (cost, spans) in best.items():
            for first in range(used, segment.first + 1):
                bare = sum(n in under for n in range(used, first) if n)
                for last in range(segment.last, count):
                    off = _off(segment, columns, first, last)
                    own = first == segment.first and last == segment.last
                    if last > first and not own and (off > _OFF or first not in under or last not in under):
                        continue
                    total = cost + bare * _BARE + 2 * off + _ASIDE * _aside(segment, columns, first, last)
                    if last + 1 not in following or total < following[last + 1][0]:
                        following[last + 1] = total, [*spans, (first, last)]
        best = following
    ends = [(cost + sum(n in under for n in range(used, count)) * _BARE, spans) for used, (cost, spans) in best.items()]
    spans = min(ends)[1] if ends else []
    return spans if any(last > first for first, last in spans) else None


def _off(segment: Segment, columns: list[Column], first: int, last: int) -> float:
    """How far in em a heading stands off where the middle of its columns may be.

    A column's text need not fill it: its edge is somewhere between its text and that of its neighbour.
    """
    before = columns[first - 1].right if first else columns[first].left
    after = columns[last + 1].left if last + 1 < len(columns) else columns[last].right + _EDGE * segment.size
    middle = (segment.left + segment.right) / 2
    low, high = (before + columns[last].right) / 2, (columns[first].left + after) / 2
    return max(low - middle, middle - high, 0.0) / segment.size


def _aside(segment: Segment, columns: list[Column], first: int, last: int) -> float:
    """How far in em a heading stands off the middle of the text of its columns."""
    return abs(columns[first].left + columns[last].right - segment.left - segment.right) / 2 / segment.size
