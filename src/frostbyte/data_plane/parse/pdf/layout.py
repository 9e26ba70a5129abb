"""Reading order and grouping: which line follows which, and which lines are one block.

Pure functions over boxes: columns are found by white gutters, bands by white gaps (a recursive XY-cut).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.marks import LIST_MARK
from frostbyte.data_plane.parse.pdf.tables import Grid
from frostbyte.data_plane.parse.pdf.text import Run

Item = Run | Grid

_GUTTER: Final = 8.0
"""Points: a narrower vertical strip of white is not the gap between columns."""
_MIN_LINES: Final = 3
"""Lines on each side that make two columns; fewer are labels beside values."""
_MIN_CHARACTERS: Final = 18
"""Median length of the lines of a column; shorter ones are cells of a table without rules."""
_MAX_DEPTH: Final = 12


@dataclass(slots=True)
class Block:
    """Lines that belong together; each line is the runs that stand side by side in it."""

    lines: list[list[Run]] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """All runs in order."""
        return [run for line in self.lines for run in line]

    @property
    def size(self) -> float:
        """Size of the first run in points."""
        return self.lines[0][0].size

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(run.bold for run in self.runs)

    @property
    def text(self) -> str:
        """The characters with spaces between lines, for comparing only."""
        return " ".join(run.text.strip() for run in self.runs)


def reading_order(items: Sequence[Item]) -> list[Item]:
    """The items in the order in which a person reads them."""
    return _order(list(items), 0)


def _order(items: list[Item], depth: int) -> list[Item]:
    if len(items) < 2 or depth > _MAX_DEPTH:
        return _by_rows(items)
    columns = _columns(items)
    if columns is not None:
        return [item for column in columns for item in _order(column, depth + 1)]
    bands = _bands(items)
    if len(bands) == 1:
        return _by_rows(items)
    ordered: list[Item] = []
    for group in _join_bands(bands):
        ordered.extend(_by_rows(group) if _columns(group) is None else _order(group, depth + 1))
    return ordered


def _by_rows(items: list[Item]) -> list[Item]:
    """Top to bottom; what overlaps by half its height is one row, read left to right."""
    rows: list[list[Item]] = []
    for item in sorted(items, key=lambda entry: (entry.box[1], entry.box[0])):
        if rows and _same_row(rows[-1][0].box, item.box):
            rows[-1].append(item)
        else:
            rows.append([item])
    return [item for row in rows for item in sorted(row, key=lambda entry: entry.box[0])]


def _same_row(a: Box, b: Box) -> bool:
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    return overlap > 0.5 * max(0.1, min(a[3] - a[1], b[3] - b[1]))


def _columns(items: list[Item]) -> list[list[Item]] | None:
    """The items cut at the widest gutter that leaves columns of text on both sides, or None."""
    spans = sorted((item.box[0], item.box[2]) for item in items)
    gutters: list[tuple[float, float]] = []
    reach = spans[0][1]
    for left, right in spans[1:]:
        if left - reach >= _GUTTER:
            gutters.append((left - reach, (left + reach) / 2))
        reach = max(reach, right)
    for _, cut in sorted(gutters, reverse=True):
        sides = [item for item in items if item.box[2] <= cut], [item for item in items if item.box[0] >= cut]
        if all(_is_column(side) for side in sides):
            return list(sides)
    return None


def _is_column(side: list[Item]) -> bool:
    runs = [item for item in side if isinstance(item, Run)]
    if len(runs) < len(side):
        return True
    return len(runs) >= _MIN_LINES and median(len(run.text.strip()) for run in runs) >= _MIN_CHARACTERS


def _bands(items: list[Item]) -> list[list[Item]]:
    """The items cut wherever a white line crosses them from left to right."""
    bands: list[list[Item]] = []
    reach = float("-inf")
    for item in sorted(items, key=lambda entry: (entry.box[1], entry.box[0])):
        if item.box[1] >= reach - 0.5 or not bands:
            bands.append([])
        bands[-1].append(item)
        reach = max(reach, item.box[3])
    return bands


def _join_bands(bands: list[list[Item]]) -> list[list[Item]]:
    """Neighbouring bands that share a gutter put together, so that a column is read to its end."""
    groups: list[list[Item]] = []
    gutter: tuple[float, float] | None = None
    for band in bands:
        merged = _shared(gutter, band) if gutter is not None and groups else None
        if merged is not None:
            groups[-1].extend(band)
            gutter = merged
        else:
            groups.append(list(band))
            gutter = _gap(band)
    return groups


def _gap(band: list[Item]) -> tuple[float, float] | None:
    spans = sorted((item.box[0], item.box[2]) for item in band)
    reach = spans[0][1]
    best: tuple[float, float] | None = None
    for left, right in spans[1:]:
        if left - reach >= _GUTTER and (best is None or left - reach > best[1] - best[0]):
            best = (reach, left)
        reach = max(reach, right)
    return best


def _shared(gutter: tuple[float, float], band: list[Item]) -> tuple[float, float] | None:
    """What is left of the gutter beside the items of the band, or None if one of them crosses it."""
    left, right = gutter
    for item in band:
        middle = (left + right) / 2
        if item.box[2] <= middle:
            left = max(left, item.box[2])
        elif item.box[0] >= middle:
            right = min(right, item.box[0])
        else:
            return None
    return (left, right) if right - left >= _GUTTER else None


def blocks(ordered: Sequence[Item]) -> list[Block | Grid]:
    """Consecutive runs grouped into paragraphs, headings and list items; grids stand alone."""
    leading = _leading(ordered)
    result: list[Block | Grid] = []
    for item in ordered:
        if isinstance(item, Grid):
            result.append(item)
            continue
        last = result[-1] if result else None
        if isinstance(last, Block) and _beside(last.lines[-1][-1], item):
            last.lines[-1].append(item)
        elif isinstance(last, Block) and _continues(last, item, leading):
            last.lines.append([item])
        else:
            result.append(Block(lines=[[item]]))
    return result


def _leading(ordered: Sequence[Item]) -> float:
    """Median distance of neighbouring baselines of one size, in em."""
    steps: list[float] = []
    for before, after in itertools.pairwise(ordered):
        if isinstance(before, Run) and isinstance(after, Run) and abs(before.size - after.size) < 0.1:
            step = (after.baseline - before.baseline) / max(before.size, 1.0)
            if 0.5 < step < 2.0:
                steps.append(step)
    return median(steps) if steps else 1.2


def _beside(last: Run, item: Run) -> bool:
    return item.box[0] >= last.box[2] - 1 and _same_row(last.box, item.box) and last.hidden == item.hidden


def _continues(block: Block, item: Run, leading: float) -> bool:
    last = block.lines[-1][0]
    size = max(last.size, 1.0)
    step = (item.baseline - last.baseline) / size
    if not 0.2 < step <= min(max(leading * 1.22, 1.3), 2.0):
        return False
    if item.hidden != last.hidden or abs(item.size - last.size) > 0.08 * size:
        return False
    if item.bold != last.bold and (len(block.lines) == 1 or block.bold):
        return False
    if len(block.lines[-1]) > 1 or LIST_MARK.match(item.text):
        return False
    # A first-line indent begins a paragraph; a hanging one belongs to a list item.
    return not (item.box[0] - block.lines[0][0].box[0] > 0.8 * size and not LIST_MARK.match(block.lines[0][0].text))
