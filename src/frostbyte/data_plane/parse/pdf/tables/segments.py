"""Text of a page cut where white may separate columns: segments, and the lines they stand in."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.parse.pdf.text import PageText, Run

GAP: Final = 0.55
"""White in em that may separate columns; spaces between words take a quarter to a third, justified up to a half."""
_JUMP: Final = 0.45
"""White in em beside a space that stands in the file."""
_WORD: Final = re.compile(r"\S+")
_STRETCHED: Final = 0.62
"""Width in em per character from which a line holds more white than words need."""
_SAME_LINE: Final = 0.3
"""Part of the type size by which baselines of one line differ."""
_ASCENT: Final = 0.72
_DESCENT: Final = 0.22
"""Height of letters over and under the baseline, in em."""


@dataclass(slots=True)
class Segment:
    """Words of one run without a wide gap between them."""

    left: float
    right: float
    base: float
    size: float
    bold: bool
    run: Run
    start: int
    end: int
    """Positions in the run's text."""
    first: int = 0
    last: int = 0
    """Columns that it stands in, once they are known."""

    @property
    def text(self) -> str:
        """Its characters."""
        return self.run.text[self.start : self.end].strip()

    @property
    def top(self) -> float:
        """Upper edge of capitals."""
        return self.base - _ASCENT * self.size

    @property
    def bottom(self) -> float:
        """Lower edge of letters with a tail."""
        return self.base + _DESCENT * self.size


@dataclass(slots=True)
class TextLine:
    """Segments on one baseline, from left to right."""

    base: float
    segments: list[Segment] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Where the first segment begins."""
        return self.segments[0].left

    @property
    def right(self) -> float:
        """Where the last segment ends."""
        return max(segment.right for segment in self.segments)

    @property
    def size(self) -> float:
        """The largest type size."""
        return max(segment.size for segment in self.segments)

    @property
    def top(self) -> float:
        """Upper edge."""
        return min(segment.top for segment in self.segments)

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return max(segment.bottom for segment in self.segments)

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(segment.bold for segment in self.segments)


def usable(run: Run) -> bool:
    """Whether a run can be a part of a table by alignment: upright and seen."""
    return not run.hidden and run.turn == 0 and run.size > 0


def suspect(run: Run) -> bool:
    """Whether a run may hold more than one cell, by what is known without asking for its characters."""
    if run.gap > GAP * run.size:
        return True
    return run.box[2] - run.box[0] > _STRETCHED * run.size * len(run.text) + run.size


def whole(run: Run) -> Segment:
    """The run as one segment."""
    return Segment(run.box[0], run.box[2], run.baseline, run.size, run.bold, run, 0, len(run.text))


def cut(run: Run, text: PageText) -> list[Segment]:
    """The run cut at gaps; a space that stands in the file fills its gap, one that PDFium made up does not."""
    words = [match.span() for match in _WORD.finditer(run.text)]
    if len(words) < 2:
        return [whole(run)]
    limit = GAP * run.size
    segments: list[Segment] = []
    left, begin = run.box[0], words[0][0]
    for (_, end), (start, _) in itertools.pairwise(words):
        space = text.reach(run.index[start - 1])
        after = text.reach(run.index[start])
        if after[0] - space[1] <= (limit if space[1] <= space[0] else _JUMP * run.size):
            continue
        before = text.reach(run.index[end - 1])[1] if space[1] > space[0] else space[0]
        segments.append(Segment(left, before, run.baseline, run.size, run.bold, run, begin, end))
        left, begin = after[0], start
    segments.append(Segment(left, run.box[2], run.baseline, run.size, run.bold, run, begin, words[-1][1]))
    return segments


def lines_of(segments: list[Segment]) -> list[TextLine]:
    """Segments grouped by baseline, top to bottom."""
    lines: list[TextLine] = []
    for segment in sorted(segments, key=lambda item: item.base):
        if lines and segment.base - lines[-1].base <= _SAME_LINE * min(segment.size, lines[-1].segments[0].size):
            lines[-1].segments.append(segment)
        else:
            lines.append(TextLine(segment.base, [segment]))
    for line in lines:
        line.segments.sort(key=lambda item: item.left)
    return lines
