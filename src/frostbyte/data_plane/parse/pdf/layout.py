"""Reading order: which line follows which.

Pure functions over boxes: columns are found by white gutters, bands by white gaps (a recursive XY-cut). Text that is
turned is ordered in its own direction; what runs as most of the page does comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.style import SLANTED
from frostbyte.data_plane.parse.pdf.tables import Grid
from frostbyte.data_plane.parse.pdf.text import PageText, Run

Item = Run | Grid
Placed = tuple[Box, Item]
"""An item and where it stands for somebody who looks along its letters."""

_GUTTER: Final = 8.0
"""Points: a narrower vertical strip of white is not the gap between columns."""
_MIN_LINES: Final = 3
"""Lines on each side that make two columns; fewer are labels beside values."""
_MIN_CHARACTERS: Final = 18
"""Median length of the lines of a column; shorter ones are cells of a table without rules."""
_MAX_DEPTH: Final = 12

_MIN_WHITES: Final = 6
"""Lines with white at the same place that show a gutter narrower than what always parts columns."""
_SHARE: Final = 0.75
"""Part of the lines over a narrow gutter that leave it white; titles across it do not."""
_BIN: Final = 2.0
"""Points of the grid on which whites are counted."""
_MAX_GUTTERS: Final = 4


def reading_order(items: Sequence[Item]) -> list[Item]:
    """The items in the order in which a person reads them."""
    if not any(isinstance(item, Run) and item.turn for item in items):
        return [item for _, item in _order([(item.box, item) for item in items], 0)]
    weights: Counter[int] = Counter()
    for item in items:
        weights[_turn(item)] += len(item.text) if isinstance(item, Run) else 1_000
    ordered: list[Item] = []
    for turn, _ in weights.most_common():
        ordered.extend(item for _, item in _order([(place(item), item) for item in items if _turn(item) == turn], 0))
    return ordered


def place(item: Item) -> Box:
    """Where the item stands for somebody who looks along its letters: left, top, right, bottom."""
    if not isinstance(item, Run) or not item.turn or item.turn == SLANTED:
        return item.box
    left, top, right, bottom = item.box
    turn = item.turn
    if turn == 90:
        return (top, -right, bottom, -left)
    if turn == 180:
        return (-right, -bottom, -left, -top)
    return (-bottom, left, -top, right)


def _turn(item: Item) -> int:
    return item.turn if isinstance(item, Run) else 0


def cut_at_gutters(runs: list[Run], text: PageText) -> list[Run]:
    """The runs, those cut that go on over a gutter too narrow to show in a single line."""
    for _ in range(_MAX_GUTTERS):
        found = _narrow_gutter(runs)
        if found is None:
            return runs
        at, crossing = found
        runs = [part for run in runs for part in (text.parted(run, at) if id(run) in crossing else (run,))]
    return runs


def _narrow_gutter(runs: list[Run]) -> tuple[float, set[int]] | None:
    """The middle of a strip that most lines over it leave white, and the runs that have white there."""
    whites = [
        (left, right, run) for run in runs if run.gaps and not run.turn and not run.hidden for left, right in run.gaps
    ]
    if len(whites) < _MIN_WHITES:
        return None
    bins: Counter[int] = Counter()
    for left, right, _ in whites:
        bins.update(range(int(left / _BIN), int(right / _BIN) + 1))
    for place_, count in bins.most_common(_MAX_GUTTERS):
        if count < _MIN_WHITES:
            return None
        low, high = place_ * _BIN, (place_ + 1) * _BIN
        here = [(left, right, run) for left, right, run in whites if left <= high and right >= low]
        edges = sorted(left for left, _, _ in here), sorted(right for _, right, _ in here)
        left, right = edges[0][-1 - len(here) // 10], edges[1][len(here) // 10]
        at = (left + right) / 2
        supporting = {id(run) for start, end, run in here if start <= at <= end}
        if right - left >= _BIN and _parts_columns(runs, here, at, supporting):
            return at, supporting
    return None


def _parts_columns(runs: list[Run], here: list[tuple[float, float, Run]], at: float, supporting: set[int]) -> bool:
    if len(supporting) < _MIN_WHITES:
        return False
    top, bottom = min(run.box[1] for _, _, run in here), max(run.box[3] for _, _, run in here)
    within = [run for run in runs if top <= run.box[1] and run.box[3] <= bottom and not run.turn and not run.hidden]
    over = sum(1 for run in within if run.box[0] < at < run.box[2])
    if len(supporting) < _SHARE * over:
        return False
    before: list[float] = []
    after: list[float] = []
    for run in within:
        width = max(1.0, run.box[2] - run.box[0])
        if id(run) in supporting:
            before.append(len(run.text) * (at - run.box[0]) / width)
            after.append(len(run.text) * (run.box[2] - at) / width)
    return median(before) >= _MIN_CHARACTERS and median(after) >= _MIN_CHARACTERS


def _order(items: list[Placed], depth: int) -> list[Placed]:
    if len(items) < 2 or depth > _MAX_DEPTH:
        return _by_rows(items)
    columns = _columns(items)
    if columns is not None:
        return [item for column in columns for item in _order(column, depth + 1)]
    bands = _bands(items)
    if len(bands) == 1:
        return _by_rows(items)
    ordered: list[Placed] = []
    for group in _join_bands(bands):
        if len(group) == 1:
            ordered.append(group[0])
        else:
            ordered.extend(_by_rows(group) if _columns(group) is None else _order(group, depth + 1))
    return ordered


def _by_rows(items: list[Placed]) -> list[Placed]:
    """Top to bottom; what overlaps by half its height is one row, read left to right."""
    if len(items) < 2:
        return items
    rows: list[list[Placed]] = []
    head: Box = (0.0, 0.0, 0.0, 0.0)
    for item in sorted(items, key=_downward):
        if rows and same_row(head, item[0]):
            rows[-1].append(item)
        else:
            rows.append([item])
            head = item[0]
    return [item for row in rows for item in (sorted(row, key=_along) if len(row) > 1 else row)]


def _downward(item: Placed) -> tuple[float, float]:
    box = item[0]
    return box[1], box[0]


def _along(item: Placed) -> float:
    return -item[0][2] if isinstance(item[1], Run) and item[1].leftward else item[0][0]


def same_row(a: Box, b: Box) -> bool:
    """Whether two boxes overlap by half the height of the lower one."""
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    return overlap > 0.5 * max(0.1, min(a[3] - a[1], b[3] - b[1]))


def _columns(items: list[Placed]) -> list[list[Placed]] | None:
    """The items cut at the widest gutter that leaves columns of text on both sides, or None."""
    spans = sorted((box[0], box[2]) for box, _ in items)
    gutters: list[tuple[float, float]] = []
    reach = spans[0][1]
    for left, right in spans:
        if left - reach >= _GUTTER:
            gutters.append((left - reach, (left + reach) / 2))
        if right > reach:
            reach = right
    for _, cut in sorted(gutters, reverse=True):
        sides = [item for item in items if item[0][2] <= cut], [item for item in items if item[0][0] >= cut]
        if all(_is_column(side) for side in sides):
            leftward = sum(1 for _, item in items if isinstance(item, Run) and item.leftward)
            return list(sides) if 2 * leftward <= len(items) else [sides[1], sides[0]]
    return None


def _is_column(side: list[Placed]) -> bool:
    runs = [item for _, item in side if isinstance(item, Run)]
    if len(runs) < len(side):
        return True
    return len(runs) >= _MIN_LINES and median(_weight(run.text) for run in runs) >= _MIN_CHARACTERS


def _weight(text: str) -> int:
    """Characters, those of scripts without spaces counted twice: they are as wide as two letters."""
    stripped = text.strip()
    return len(stripped) if stripped.isascii() else sum(2 if character >= "\u2e80" else 1 for character in stripped)


def _bands(items: list[Placed]) -> list[list[Placed]]:
    """The items cut wherever a white line crosses them from left to right."""
    bands: list[list[Placed]] = []
    reach = float("-inf")
    for item in sorted(items, key=_downward):
        box = item[0]
        if box[1] >= reach - 0.5 or not bands:
            bands.append([])
        bands[-1].append(item)
        if box[3] > reach:
            reach = box[3]
    return bands


def _join_bands(bands: list[list[Placed]]) -> list[list[Placed]]:
    """Neighbouring bands that share a gutter put together, so that a column is read to its end."""
    groups: list[list[Placed]] = []
    gutter: tuple[float, float] | None = None
    for band in bands:
        merged = _shared(gutter, band) if gutter is not None and groups else None
        if merged is not None:
            groups[-1].extend(band)
            gutter = merged
        else:
            groups.append(list(band))
            gutter = _gap(band) if len(band) > 1 else None
    return groups


def _gap(band: list[Placed]) -> tuple[float, float] | None:
    spans = sorted((box[0], box[2]) for box, _ in band)
    reach = spans[0][1]
    best: tuple[float, float] | None = None
    for left, right in spans[1:]:
        if left - reach >= _GUTTER and (best is None or left - reach > best[1] - best[0]):
            best = (reach, left)
        reach = max(reach, right)
    return best


def _shared(gutter: tuple[float, float], band: list[Placed]) -> tuple[float, float] | None:
    """What is left of the gutter beside the items of the band, or None if one of them crosses it."""
    left, right = gutter
    for box, _ in band:
        middle = (left + right) / 2
        if box[2] <= middle:
            left = max(left, box[2])
        elif box[0] >= middle:
            right = min(right, box[0])
        else:
            return None
    return (left, right) if right - left >= _GUTTER else None
