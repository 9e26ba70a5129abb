"""Columns of prose told from columns of a table: a page is cut where two sides do not depend on each other."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import Final

from frostbyte.data_plane.parse.pdf.tables.segments import Segment, TextLine, lines_of

_GUTTER: Final = 7.0
"""Points: narrower white does not part columns of a page."""
_MIN_LINES: Final = 4
"""Lines on each side that make columns of a page."""
_PROSE: Final = 0.55
"""Part of a side's lines that fill its width from which it is prose."""
_FULL: Final = 0.78
"""Part of the width that a line of prose fills, but for the last of its paragraph."""
_LETTERS: Final = 18
"""Characters of a line of prose, at least."""
_STRETCHED: Final = 1.3
"""White in em between words of a justified line, at most."""
_MAX_DEPTH: Final = 6

Gap = tuple[float, float]


def regions(segments: list[Segment], depth: int = 0) -> list[list[Segment]]:
    """The segments parted into the columns of the page; what is no such column stays together."""
    if depth > _MAX_DEPTH or len(segments) < 2 * _MIN_LINES:
        return [segments]
    rest: list[Segment] = []
    found: list[list[Segment]] = []
    for band_group, gaps in _groups(segments):
        sides = _sides(band_group, gaps)
        if sides is None:
            rest.extend(band_group)
            continue
        if rest:
            found.append(rest)
            rest = []
        for side in sides:
            found.extend(regions(side, depth + 1))
    return [*found, rest] if rest else found


def _groups(segments: list[Segment]) -> list[tuple[list[Segment], list[Gap]]]:
    """Bands of text one under the other that share white from top to bottom, and that white."""
    groups: list[tuple[list[Segment], list[Gap]]] = []
    for band in _bands(segments):
        gaps = _gaps(band)
        if groups and groups[-1][1]:
            shared = _shared(groups[-1][1], band)
            if shared:
                groups[-1] = (groups[-1][0] + band, shared)
                continue
        groups.append((band, gaps))
    return groups


def _bands(segments: list[Segment]) -> list[list[Segment]]:
    bands: list[list[Segment]] = []
    reach = float("-inf")
    for segment in sorted(segments, key=lambda item: item.top):
        if segment.top >= reach or not bands:
            bands.append([])
        bands[-1].append(segment)
        reach = max(reach, segment.bottom)
    return bands


def _gaps(band: list[Segment]) -> list[Gap]:
    gaps: list[Gap] = []
    reach = float("inf")
    for segment in sorted(band, key=lambda item: item.left):
        if segment.left - reach >= _GUTTER:
            gaps.append((reach, segment.left))
        reach = segment.right if reach == float("inf") else max(reach, segment.right)
    return gaps


def _shared(gaps: list[Gap], band: list[Segment]) -> list[Gap]:
    """What is left of the gaps beside the segments of a band."""
    for segment in band:
        kept: list[Gap] = []
        for left, right in gaps:
            if segment.right <= left or segment.left >= right:
                kept.append((left, right))
                continue
            if segment.left - left >= _GUTTER:
                kept.append((left, segment.left))
            if right - segment.right >= _GUTTER:
                kept.append((segment.right, right))
        gaps = kept
    return gaps


def _sides(group: list[Segment], gaps: list[Gap]) -> tuple[list[Segment], list[Segment]] | None:
    """The group parted at its widest gutter between sides that do not depend on each other, or None."""
    for left, right in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        middle = (left + right) / 2
        first = [segment for segment in group if segment.right <= middle]
        second = [segment for segment in group if segment.left >= middle]
        if len(first) >= _MIN_LINES and len(second) >= _MIN_LINES and _independent(lines_of(first), lines_of(second)):
            return first, second
    return None


def _independent(first: list[TextLine], second: list[TextLine]) -> bool:
    if min(len(first), len(second)) < _MIN_LINES:
        return False
    prose = _prose(first), _prose(second)
    if min(prose) >= _PROSE:
        return True
    if _nested(first, second):
        return False
    few, many = sorted((first, second), key=len)
    meet = _coincide(few, many)
    if max(prose) >= _PROSE and meet < 0.7:
        return True
    if max(prose) >= _PROSE and _longest_paragraph(first if prose[0] >= prose[1] else second) >= 5:
        return True
    return meet < 0.35


def _prose(lines: list[TextLine]) -> float:
    """The part of the lines that fill the width with words."""
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    width = max(1.0, right - left)
    full = 0
    for line in lines:
        letters = sum(segment.end - segment.start for segment in line.segments)
        full += line.right - line.left >= _FULL * width and letters >= _LETTERS and _flows(line)
    return full / len(lines)


def _flows(line: TextLine) -> bool:
    """Whether it is one piece, or words that were only set wide to fill the line."""
    segments = line.segments
    if len(segments) == 1:
        return True
    gaps = [after.left - before.right for before, after in itertools.pairwise(segments)]
    return max(gaps) < _STRETCHED * line.size and max(gaps) - min(gaps) < 0.5 * line.size


def _coincide(few: list[TextLine], many: list[TextLine]) -> float:
    """The part of the lines of one side that stand level with a line of the other."""
    bases = [line.base for line in many]
    level = 0
    for line in few:
        place = bisect_left(bases, line.base - 0.12 * line.size)
        level += place < len(bases) and bases[place] <= line.base + 0.12 * line.size
    return level / len(few)


def _blocks(lines: list[TextLine]) -> list[tuple[float, float]]:
    """Upper and lower edges of what is set without extra white between its lines."""
    blocks: list[tuple[float, float]] = []
    for line in lines:
        if blocks and line.top - blocks[-1][1] <= 0.4 * line.size:
            blocks[-1] = (blocks[-1][0], line.bottom)
        else:
            blocks.append((line.top, line.bottom))
    return blocks


def _nested(first: list[TextLine], second: list[TextLine]) -> bool:
    """Whether blocks of both sides pair off like cells of rows do."""
    a, b = sorted((_blocks(first), _blocks(second)), key=len)
    if len(a) < 3:
        return False
    paired = 0
    for top, bottom in a:
        over = [block for block in b if block[0] < bottom and top < block[1]]
        if len(over) == 1:
            back = [block for block in a if block[0] < over[0][1] and over[0][0] < block[1]]
            paired += len(back) == 1
    return paired >= 0.8 * len(a)


def _longest_paragraph(lines: list[TextLine]) -> int:
    longest = count = 1
    for before, after in itertools.pairwise(lines):
        tight = after.top - before.bottom <= 0.4 * after.size
        full = before.right - before.left >= 0.6 * (
            max(line.right for line in lines) - min(line.left for line in lines)
        )
        count = count + 1 if tight and full else 1
        longest = max(longest, count)
    return longest
