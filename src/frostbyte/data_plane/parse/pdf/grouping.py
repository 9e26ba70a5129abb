"""Which lines of a page are one block: a paragraph, a title, an item of a list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from frostbyte.data_plane.parse.marks import list_mark
from frostbyte.data_plane.parse.pdf.layout import Item, place, same_row
from frostbyte.data_plane.parse.pdf.tables import Grid
from frostbyte.data_plane.parse.pdf.text import Run

_INDENT: Final = 0.8
"""Em by which the first line of a paragraph stands in."""
_CENTRED: Final = 2.5
"""Points by which the middles of centred lines differ."""
_LONG: Final = 30
"""Characters of a line that can tell where its column ends."""
_NUMBER: Final = re.compile(r"\d{1,3}")
_TITLE_NUMBER: Final = re.compile(r"\s*(?:\d{1,2}|[A-Z])(?:\.\d{1,3}){1,5}\.?\s")


@dataclass(slots=True)
class Block:
    """Lines that belong together; each line is the runs that stand side by side in it."""

    lines: list[list[Run]] = field(default_factory=list)
    mark: str = ""
    """The sign or number by which it begins as an item of a list, or ''."""
    edge: float = 0.0
    """Where its column ends, for somebody who looks along its letters; 0 if unknown."""

    @property
    def runs(self) -> list[Run]:
        """All runs in order."""
        return self.lines[0] if len(self.lines) == 1 else [run for line in self.lines for run in line]

    @property
    def size(self) -> float:
        """Size of its type in points: of its longest line."""
        if len(self.lines) == 1:
            return self.lines[0][0].size if len(self.lines[0]) == 1 else max(run.size for run in self.lines[0])
        return max(self.runs, key=lambda run: len(run.text)).size

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(run.bold for run in self.runs)

    @property
    def text(self) -> str:
        """The characters with spaces between lines, for comparing only."""
        if len(self.lines) == 1 and len(self.lines[0]) == 1:
            return self.lines[0][0].text.strip()
        return " ".join(run.text.strip() for run in self.runs)


def blocks(ordered: Sequence[Item]) -> list[Block | Grid]:
    """Consecutive runs grouped into paragraphs, headings and list items; grids stand alone."""
    leading = _leading(ordered)
    result: list[Block | Grid] = []
    for item in ordered:
        if isinstance(item, Grid):
            result.append(item)
            continue
        last = result[-1] if result else None
        mark = list_mark(item.text)
        if isinstance(last, Block):
            if _beside(last.lines[-1][-1], item):
                last.lines[-1].append(item)
                if not last.mark and len(last.lines) == 1 and len(last.lines[0]) == 2:
                    last.mark = list_mark(f"{last.lines[0][0].text.rstrip()} x")
                continue
            if _continues(last, item, mark, leading):
                last.lines.append([item])
                continue
        result.append(Block(lines=[[item]], mark=mark))
    _set_edges(result)
    return result


def breaks_early(block: Block, number: int) -> bool:
    """Whether line `number` of the block ends although the next word would still have fitted: a break on purpose."""
    line, after = block.lines[number], block.lines[number + 1]
    last, first = line[-1], after[0]
    if last.leftward or last.turn != first.turn:
        return False
    text = first.text.strip()
    word = text.split(None, 1)[0] if text else ""
    here, there = (place(last), place(first)) if last.turn else (last.box, first.box)
    room = block.edge - here[2]
    wide = (there[2] - there[0]) / max(1, len(text))
    if room < (len(word) + 2) * wide or room < 2 * last.size:
        return False
    return not _centred(line[0], first)


def list_levels(found: Sequence[Block | Grid]) -> dict[int, int]:
    """Depth of each list item by block number: by how far it stands in, among the items around it."""
    levels: dict[int, int] = {}
    lefts: list[float] = []
    for number, block in enumerate(found):
        if not isinstance(block, Block) or not block.mark:
            if isinstance(block, Block) and lefts and place(block.lines[0][0])[0] <= lefts[0] + 2:
                lefts = []
            continue
        left = place(block.lines[0][0])[0]
        while lefts and left < lefts[-1] - 4:
            lefts.pop()
        if not lefts or left > lefts[-1] + 4:
            lefts.append(left)
        levels[number] = len(lefts)
    return levels


def _set_edges(found: list[Block | Grid]) -> None:
    """Tell each block where its column ends: where several long lines end."""
    ends: Counter[int] = Counter()
    for block in found:
        if isinstance(block, Block):
            for line in block.lines:
                if len(line[-1].text) >= _LONG:
                    last = line[-1]
                    ends[round((place(last) if last.turn else last.box)[2] / 4)] += 1
    edges = sorted(4.0 * end for end, count in ends.items() if count + ends[end - 1] + ends[end + 1] >= 3)
    for block in found:
        if isinstance(block, Block) and len(block.lines) > 1:
            reach = max(place(line[-1])[2] for line in block.lines)
            block.edge = max(reach, next((edge for edge in edges if edge >= reach - 6), reach))


def _leading(ordered: Sequence[Item]) -> float:
    """Median distance of neighbouring baselines of one size, in em."""
    steps: list[float] = []
    base = size = float("inf")  # nothing is of the size of what stands before the first, or of a grid
    for item in ordered:
        if isinstance(item, Grid):
            size = float("inf")
            continue
        if -0.1 < size - item.size < 0.1:
            step = (item.baseline - base) / (size if size > 1.0 else 1.0)
            if 0.5 < step < 2.0:
                steps.append(step)
        base, size = item.baseline, item.size
    return median(steps) if steps else 1.2


def _beside(last: Run, item: Run) -> bool:
    if abs(last.baseline - item.baseline) > max(last.size, item.size):
        return False
    if last.hidden != item.hidden or last.turn != item.turn:
        return False
    a, b = (place(last), place(item)) if item.turn else (last.box, item.box)
    if item.leftward or last.leftward:
        return b[2] <= a[0] + 1 and same_row(a, b)
    return b[0] >= a[2] - 1 and same_row(a, b)


def _continues(block: Block, item: Run, mark: str, leading: float) -> bool:
    before = block.lines[-1]
    last = before[0]
    size = max(last.size, 1.0)
    step = (item.baseline - last.baseline) / size
    if not 0.2 < step <= min(max(leading * 1.22, 1.3), 2.0):
        return False
    if item.hidden != last.hidden or item.turn != last.turn:
        return False
    if abs(item.size - last.size) > 0.08 * size and (_centred(last, item) or not _same_type(last, item)):
        return False
    if item.bold != last.bold and (len(block.lines) == 1 or block.bold):
        return False
    if mark and _begins_item(block, item, mark):
        return False
    marked = len(block.lines) == 1 and block.mark
    if len(before) > 1 and not marked:
        return False
    return _aligned(block, before, item, size)


def _aligned(block: Block, before: list[Run], item: Run, size: float) -> bool:
    """Whether the line stands where the block goes on: a first-line indent begins a paragraph."""
    if item.leftward:
        return place(before[0])[2] - place(item)[2] <= _INDENT * size or len(block.lines) == 1
    left = place(item)[0]
    if block.mark:
        if len(block.lines) > 1 and left < place(block.lines[1][0])[0] - 2:
            return False  # the item's lines hang, and this one does not: the text goes on without the list
        start = place(before[-1] if len(block.lines) == 1 else before[0])[0]
        return left >= place(block.lines[0][0])[0] - 1 and left - start <= 4 * size
    shift = left - place(before[0])[0]
    if shift <= _INDENT * size or _centred(before[0], item):
        return True
    # The second line of a numbered title stands under its first word.
    return len(block.lines) == 1 and shift <= 6 * size and _TITLE_NUMBER.match(block.lines[0][0].text) is not None


def _centred(a: Run, b: Run) -> bool:
    first, second = place(a), place(b)
    return abs(first[0] + first[2] - second[0] - second[2]) <= 2 * _CENTRED and abs(first[0] - second[0]) > 2 * _CENTRED


def _same_type(last: Run, item: Run) -> bool:
    """Whether two lines may be of one text although one begins with a small sign or a word in another face."""
    return (
        min(len(last.text), len(item.text)) >= 20
        and abs(last.size - item.size) <= 0.3 * max(last.size, item.size)
        and abs(last.height - item.height) <= 0.2 * max(last.height, item.height)
        and last.bold == item.bold
    )


def _begins_item(block: Block, item: Run, mark: str) -> bool:
    """Whether the line's mark begins an item; a number and a point may also go on a sentence (`am 12. Mai`)."""
    number = _NUMBER.match(mark)
    if number is None or not mark.endswith("."):
        return True
    if block.mark:
        return True
    last = block.lines[-1][-1]
    return place(last)[2] - place(last)[0] < 0.8 * (max(place(r)[2] for r in block.runs) - place(last)[0]) or (
        number.group() == "1" and last.text.rstrip()[-1:] in ".:;"
    )
