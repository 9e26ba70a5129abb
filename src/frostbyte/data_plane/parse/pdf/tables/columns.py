"""The columns of a table without ruled cells: white that runs from its first line to its last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.parse.pdf.tables.segments import GAP, Segment, TextLine

_MAX_TRIALS: Final = 16
"""Lines that are tried as crossing ones, a round."""
_MAX_ROUNDS: Final = 4
_CROSSING: Final = 0.15
"""Part of the lines that may cross a column's edge (merged headings, notes, totals)."""
_HEADING: Final = 3
"""Lines of a column's heading, at most."""
_MARK: Final = re.compile(r"^(?:[€$£¥%‰+±−–-]|EUR|USD|CHF|GBP|Euro)$")
"""A currency or sign that stands apart from its number in one cell."""
_NUMBER: Final = re.compile(r"^[^A-Za-zÄÖÜäöü]*\d[^A-Za-zÄÖÜäöü]*(?:EUR|USD|CHF|GBP|Euro|[a-zµ°²³/%]{1,3})?$")


@dataclass(slots=True)
class Column:
    """From where to where the text of a column stands."""

    left: float
    right: float
    widest: float = 0.0
    """Width of its widest line of text, once that is known."""


def is_number(text: str) -> bool:
    """Whether a cell's text is a number, an amount, a share or a date."""
    return _NUMBER.match(text) is not None


def find_columns(lines: list[TextLine], walls: Sequence[float] = ()) -> tuple[list[Column], list[TextLine]]:
    """The columns, and the lines that cross their edges; upright rules part columns that stand close."""
    active = [line for line in lines if len(line.segments) > 1]
    edges = sorted((s.left, s.right, s.size, number) for number, line in enumerate(active) for s in line.segments)
    columns = _spans(edges, walls, set())
    out: set[int] = set()
    allowed = max(2, int(_CROSSING * len(lines)))
    while len(out) < min(allowed, _MAX_ROUNDS):
        most = max((len(line.segments) for number, line in enumerate(active) if number not in out), default=0)
        doubtful = sorted(
            (len(line.segments), number)
            for number, line in enumerate(active)
            if number not in out and len(line.segments) < max(most, 3)
        )
        best: tuple[int, int, list[Column]] | None = None
        for _, number in doubtful[:_MAX_TRIALS]:
            rest = _spans(edges, walls, {*out, number})
            if len(rest) > len(columns) and (best is None or len(rest) > best[0]):
                best = len(rest), number, rest
        if best is None:
            break
        out.add(best[1])
        columns = best[2]
    crossing = [active[number] for number in sorted(out)]
    crossing.extend(line for line in lines if len(line.segments) == 1 and _crosses(line.segments[0], columns))
    return columns, crossing


def _spans(edges: list[tuple[float, float, float, int]], walls: Sequence[float], out: set[int]) -> list[Column]:
    """Where text stands, but for lines that are `out`; edges are those of segments, with size and line, sorted."""
    if not edges:
        return []
    limit = GAP * edges[len(edges) // 2][2]
    columns: list[Column] = []
    start, reach = edges[0][0], float("-inf")
    for left, right, _, number in edges:
        if number in out:
            continue
        if reach == float("-inf"):
            start, reach = left, right
        elif left - reach < limit and not (walls and left > reach - 2 and _walled(reach, left, walls)):
            if right > reach:
                reach = right
        else:
            columns.append(Column(start, reach))
            start, reach = left, right
    if reach > float("-inf"):
        columns.append(Column(start, reach))
    return columns


def _walled(right: float, left: float, walls: Sequence[float]) -> bool:
    return any(right - 1 < wall < left + 1 for wall in walls)


def _crosses(segment: Segment, columns: list[Column]) -> bool:
    left, right, room = segment.left, segment.right, 0.25 * segment.size
    over = 0
    for column in columns:
        end, start = column.right, column.left
        over += (right if right < end else end) - (left if left > start else start) > room
    return over > 1


def place(lines: list[TextLine], columns: list[Column]) -> None:
    """Note in each segment the columns over which it stands."""
    spans = [(column.left, column.right, 0.5 * (column.right - column.left)) for column in columns]
    for line in lines:
        for segment in line.segments:
            left, right, room = segment.left, segment.right, 0.25 * segment.size
            first = last = -1
            for number, (start, end, half) in enumerate(spans):
                over = (right if right < end else end) - (left if left > start else start)
                if over > half or over > room:
                    last = number
                    if first < 0:
                        first = number
            if first < 0:
                middle = (left + right) / 2
                first = last = min(range(len(columns)), key=lambda n: _distance(middle, columns[n]))
            segment.first, segment.last = first, last


def _distance(x: float, column: Column) -> float:
    return max(column.left - x, x - column.right, 0.0)


def join_marks(lines: list[TextLine], columns: list[Column]) -> list[Column]:
    """Columns that hold nothing but currencies or signs put to the numbers beside them."""
    texts: list[list[str]] = [[] for _ in columns]
    for line in lines:
        for segment in line.segments:
            if segment.first == segment.last:
                texts[segment.first].append(segment.text)
    joined: list[Column] = []
    carry: Column | None = None
    for number, column in enumerate(columns):
        marks = texts[number]
        if carry is not None:
            column = Column(carry.left, column.right)
            carry = None
        if len(marks) > 1 and all(_MARK.match(text) for text in marks):
            before, after = _numbers(texts, number - 1), _numbers(texts, number + 1)
            if after >= 0.5 and (after >= before or not joined):
                carry = column
                continue
            if before >= 0.5 and joined:
                joined[-1] = Column(joined[-1].left, column.right)
                continue
        joined.append(column)
    return joined


def join_headings(lines: list[TextLine], columns: list[Column]) -> list[Column]:
    """Columns that hold nothing but a heading put to the column beside them that lacks one.

    A heading in the middle of a wide column need not stand over numbers at its edge.
    """
    rows: list[set[int]] = [set() for _ in columns]
    for number, line in enumerate(lines):
        for segment in line.segments:
            for column in range(segment.first, segment.last + 1):
                rows[column].add(number)
    joined = [Column(columns[0].left, columns[0].right)]
    last = 0
    for number in range(1, len(columns)):
        first, second = rows[last], rows[number]
        few, many = (first, second) if len(first) < len(second) else (second, first)
        if few and len(few) <= _HEADING and len(many) > 1 and max(few) < min(many) and max(few) < len(lines) // 2:
            joined[-1].right = columns[number].right
            rows[number] = first | second
        else:
            joined.append(Column(columns[number].left, columns[number].right))
        last = number
    return joined


def _numbers(texts: list[list[str]], number: int) -> float:
    if not 0 <= number < len(texts) or not texts[number]:
        return 0.0
    return sum(map(is_number, texts[number])) / len(texts[number])
