"""Ruled tables on a scan: long dark runs that cross, and the cells between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow

from frostbyte.data_plane.document import Box

_SHORTEST: Final = 0.45
"""Inches of the shortest rule: longer than a letter is high and a dash is wide."""
_TOUCH: Final = 0.06
"""Inches by which rules may miss each other and still meet."""
_MOST: Final = 400
"""Rules of one page; a page with more is a drawing or a pattern."""

Array = Any


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a ruled table."""

    row: int
    column: int
    row_span: int
    column_span: int
    box: Box


@dataclass(frozen=True, slots=True)
class Ruled:
    """A ruled table; its cells by row and column."""

    box: Box
    rows: int
    columns: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    at: float
    first: float
    last: float


def find_ruled(picture: Pillow.Image, level: float, dpi: int) -> tuple[Ruled, ...]:
    """The ruled tables of a straight picture, from top to bottom.

    Args:
        picture: grey, dark on white.
        level: the grey level that parts dark from light.
        dpi: of the picture.
    """
    dark = np.asarray(picture) < level
    height, width = dark.shape[0] // 2 * 2, dark.shape[1] // 2 * 2
    dark = dark[:height, :width]
    half = dark[::2] | dark[1::2]
    half = half[:, ::2] | half[:, 1::2]
    shortest = max(12, round(_SHORTEST * dpi / 2))
    if min(half.shape) <= shortest:
        return ()
    across, down = _rules(half, shortest), _rules(half.T, shortest)
    if len(across) < 2 or len(down) < 2 or len(across) + len(down) > _MOST:
        return ()
    touch = max(3.0, _TOUCH * dpi / 2)
    found = [grid for group in _groups(across, down, touch) if (grid := _grid(*group, touch)) is not None]
    return tuple(sorted(found, key=lambda grid: (grid.box[1], grid.box[0])))


def _rules(dark: Array, shortest: int) -> list[_Rule]:
    """Runs along the rows that are dark for at least `shortest` pixels, those of neighbouring rows together."""
    sums = np.zeros((dark.shape[0], dark.shape[1] + 1), dtype=np.int32)
    np.cumsum(dark, axis=1, out=sums[:, 1:])
    full = sums[:, shortest:] - sums[:, :-shortest] >= 0.95 * shortest
    rules: list[_Rule] = []
    open_: list[list[float]] = []  # [first row, last row, left, right]
    for row in np.flatnonzero(full.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(np.concatenate(([False], full[row], [False])).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), (edges[1::2] + shortest - 1).tolist(), strict=True):
            for run in open_:
                if run[1] >= row - 2 and run[2] <= end and start <= run[3]:
                    run[1], run[2], run[3] = row, min(run[2], start), max(run[3], end)
                    break
            else:
                open_.append([row, row, start, end])
        if len(open_) > 4 * _MOST:
            return []
    for top, bottom, left, right in open_:
        if bottom - top <= 0.25 * shortest:  # thicker is an area, not a rule
            rules.append(_Rule((top + bottom) / 2, left, right))
    return rules


def _groups(across: list[_Rule], down: list[_Rule], touch: float) -> list[tuple[list[_Rule], list[_Rule]]]:
    """Rules that hang together by crossing."""
    parent = list(range(len(across) + len(down)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for i, flat in enumerate(across):
        for j, tall in enumerate(down):
            if (
                flat.first - touch <= tall.at <= flat.last + touch
                and tall.first - touch <= flat.at <= tall.last + touch
            ):
                parent[root(i)] = root(len(across) + j)
    groups: dict[int, tuple[list[_Rule], list[_Rule]]] = {}
    for i, flat in enumerate(across):
        groups.setdefault(root(i), ([], []))[0].append(flat)
    for j, tall in enumerate(down):
        groups.setdefault(root(len(across) + j), ([], []))[1].append(tall)
    return list(groups.values())


def _grid(across: list[_Rule], down: list[_Rule], touch: float) -> Ruled | None:
    """The table of one group, in full pixels; None if it has but one cell."""
    ys, xs = _levels(across, touch), _levels(down, touch)
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 1 or columns < 1 or rows * columns < 2 or rows * columns > 4000:
        return None

    def ruled(rules: list[_Rule], at: float, middle: float) -> bool:
        return any(abs(rule.at - at) <= touch and rule.first <= middle <= rule.last for rule in rules)

    taken: set[tuple[int, int]] = set()
    places: list[Place] = []
    for row in range(rows):
        for column in range(columns):
            if (row, column) in taken:
                continue
            right, below = column, row
            while right + 1 < columns and not ruled(down, xs[right + 1], (ys[row] + ys[row + 1]) / 2):
                right += 1
            while below + 1 < rows and not ruled(across, ys[below + 1], (xs[column] + xs[column + 1]) / 2):
                below += 1
            area = {(y, x) for y in range(row, below + 1) for x in range(column, right + 1)}
            if area & taken:
                right, below, area = column, row, {(row, column)}
            taken |= area
            box = (2 * xs[column], 2 * ys[row], 2 * xs[right + 1], 2 * ys[below + 1])
            places.append(Place(row, column, below - row + 1, right - column + 1, box))
    if len(places) < 2:
        return None
    return Ruled((2 * xs[0], 2 * ys[0], 2 * xs[-1], 2 * ys[-1]), rows, columns, tuple(places))


def _levels(rules: list[_Rule], touch: float) -> list[float]:
    """Where rules stand, those close together as one."""
    levels: list[float] = []
    for rule in sorted(rules, key=lambda item: item.at):
        if not levels or rule.at - levels[-1] > 2 * touch:
            levels.append(rule.at)
    return levels
