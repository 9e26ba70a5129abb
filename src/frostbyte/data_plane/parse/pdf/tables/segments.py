"""Text of a page cut where white may separate columns: segments, and the lines they stand in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.parse.pdf.text import PageText, Run

GAP: Final = 0.42
"""White in em that may separate columns; spaces between words take a quarter to a third, justified ones more."""
_JUMP: Final = 0.45
"""White in em beside a space that stands in the file."""
_EVEN: Final = 0.2
_EVEN_GAPS: Final = 3
"""Gaps more than so many that differ by less than so much, in em, are those of a justified line."""
_SUSPECT: Final = 0.55
"""White in em between pieces of a line, from which they may be cells."""
_FIXED_GAP: Final = 1.2
"""White in widths of a character of a typewriter face, from which it may separate columns."""
_NARROW: Final = re.compile("[iljtfI.,:;'|!]")
_WIDE: Final = re.compile("[mwMWAOGHDNQVUX@]")
_ITEM: Final = re.compile(
    r"^(?:[•◦▪‣●○■–*-]|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]|\[\d+\]|(?:\d+|[A-Z])(?:\.\d+)+\.?|§ ?\d+\w?)\s\D*$"
)
"""How an item of a list begins: the gap behind it makes no columns."""
_WORD: Final = re.compile(r"\S+")
_STRETCHED: Final = 0.62
"""Width in em per character from which a line holds more white than words need."""
_LOOSE: Final = 0.5
"""As `_STRETCHED`, for a line beside others of several cells."""
_TYPEWRITERS: Final = (0.6, 0.525)
"""Width of a character in em: Courier and most others, Computer Modern's."""
_MARK: Final = re.compile(
    r"^(?:[•◦▪‣●○■*–—-]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)\]]|\[\w{1,12}\]|(?:\d+|[A-Z])(?:\.\d+)+\.?)$"
)
_MANY: Final = 16
"""Characters of a line from which its width tells the face."""
CAPTION: Final = re.compile(
    r"^(?:Table|Tabelle|Tab\.|Figure|Abbildung|Fig\.|Abb\.|Source|Sources|Quelle|Note|Notes)\b[^|]*"
)
"""How a line begins that stands over or under a table or a figure."""
LEADER: Final = re.compile(r"(?:\. ?){5}")
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
    pitch: float = 0.0
    """Width of a character of a typewriter face; 0 for others or where nobody asked."""

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
        if len(self.segments) == 1:
            return self.segments[0].right
        return max([segment.right for segment in self.segments])

    @property
    def size(self) -> float:
        """The largest type size."""
        if len(self.segments) == 1:
            return self.segments[0].size
        return max([segment.size for segment in self.segments])

    @property
    def top(self) -> float:
        """Upper edge."""
        if len(self.segments) == 1:
            return self.segments[0].top
        return min([segment.base - _ASCENT * segment.size for segment in self.segments])

    @property
    def bottom(self) -> float:
        """Lower edge."""
        if len(self.segments) == 1:
            return self.segments[0].bottom
        return max([segment.base + _DESCENT * segment.size for segment in self.segments])

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(segment.bold for segment in self.segments)


def is_mark(text: str) -> bool:
    """Whether it is a bullet, or the number of an item or a section."""
    return _MARK.match(text) is not None


def usable(run: Run) -> bool:
    """Whether a run can be a part of a table by alignment: upright and seen."""
    return not run.hidden and run.turn == 0 and run.size > 0


def suspect(run: Run, text: PageText) -> bool:
    """Whether a run may hold more than one cell, without asking for each of its words."""
    width, size = run.box[2] - run.box[0], run.size
    if run.gap <= _SUSPECT * size and width <= _STRETCHED * size * len(run.text) + size:
        return False
    return not (_ITEM.match(run.text) or LEADER.search(run.text) or _fixed(run, width, text))


def loose(run: Run, text: PageText) -> bool:
    """As `suspect`, with less evidence: for lines beside those that hold several cells."""
    width, size = run.box[2] - run.box[0], run.size
    if run.gap <= GAP * size and width <= _LOOSE * size * len(run.text) + _LOOSE * size:
        return False
    return not _fixed(run, width, text)


def _fixed(run: Run, width: float, text: PageText) -> bool:
    """Whether the line is as wide as its characters are in a typewriter face, single spaces among them."""
    count = len(run.text.rstrip())
    if count < _MANY or run.gap > run.size:
        return False
    size = run.size
    for pitch in _TYPEWRITERS:
        if -0.6 * size < width - pitch * size * count < 0.05 * size:
            return pitch_of(run, text) > 0
    return False


def whole(run: Run) -> Segment:
    """The run as one segment."""
    return Segment(run.box[0], run.box[2], run.baseline, run.size, run.bold, run, 0, len(run.text))


def cut(run: Run, text: PageText, walls: Sequence[float] = ()) -> list[Segment]:
    """The run cut at gaps and at upright rules; a space that stands in the file fills its gap, a made-up one not."""
    words = [match.span() for match in _WORD.finditer(run.text)]
    if len(words) < 2:
        return [whole(run)]
    gaps = text.spaces(run.index, [start for start, _ in words[1:]])
    if len(gaps) > _EVEN_GAPS and not walls:
        white = [after - end_of_space for _, end_of_space, after in gaps]
        if max(white) - min(white) < _EVEN * run.size:
            return [whole(run)]
    limits = GAP * run.size, _JUMP * run.size
    pitch = pitch_of(run, text)
    if pitch:
        limits = max(limits[0], _FIXED_GAP * pitch), max(limits[1], _FIXED_GAP * pitch)
    segments: list[Segment] = []
    left, begin = run.box[0], words[0][0]
    for number, (space, end_of_space, after) in enumerate(gaps):
        real = end_of_space > space
        if after - end_of_space <= limits[real] and not (walls and any(space - 1 < w < after + 1 for w in walls)):
            continue
        end = words[number][1]
        before = text.reach(run.index[end - 1])[1] if real else space
        segments.append(Segment(left, before, run.baseline, run.size, run.bold, run, begin, end, pitch=pitch))
        left, begin = after, words[number + 1][0]
    segments.append(Segment(left, run.box[2], run.baseline, run.size, run.bold, run, begin, words[-1][1], pitch=pitch))
    return segments


def pitch_of(run: Run, text: PageText) -> float:
    """Width of a character if a narrow and a wide one have the same, else 0."""
    narrow, wide = _NARROW.search(run.text), _WIDE.search(run.text)
    if narrow is None or wide is None:
        return 0.0
    (a, b), (c, d) = text.reach(run.index[narrow.start()]), text.reach(run.index[wide.start()])
    return b - a if abs((b - a) - (d - c)) <= 0.02 * (b - a) else 0.0


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
