"""Cutting a page into chunks: pure, deterministic, every readable character in exactly one of them.

A chunk is a run of neighbouring elements of about `target` characters, at most `maximum`. It ends, in order of
preference, before a heading, between elements, between a table's rows, behind a sentence, between words. What must
stay whole (a found value) is never cut, even if that makes a chunk longer. Hidden elements get chunks of their own,
so that holding one back takes nothing visible with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from frostbyte.data_plane.document import Element, Kind, Page, Record, Span

TARGET: Final = 1100
MAXIMUM: Final = 1400

_SENTENCE: Final = re.compile(r"[.!?…:;][\"'”’»)\]]{0,2}\s+|\n+")
_WORD: Final = re.compile(r"\s+")
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:Dr|Prof|Mr|Mrs|Ms|St|No|Nr|Art|Abs|Sec|Fig|Inc|Ltd|Co|vs|bzw|ca|evtl|ggf|inkl|Str|Tel|vgl|z\.\s?B|d\.\s?h|"
    r"u\.\s?a|e\.g|i\.e)|\b\d{1,2}|\b[A-ZÄÖÜ])\.\s+$"
)


class Cutting(Record, frozen=True, kw_only=True):
    """How long chunks are, in characters of canonical text."""

    target: Annotated[int, Meta(ge=50, le=20_000)] = TARGET
    maximum: Annotated[int, Meta(ge=50, le=20_000)] = MAXIMUM


class Heading(Record, frozen=True, kw_only=True):
    """Where the title of an open section stands."""

    level: int
    page: int
    start: int
    end: int


class Piece(Record, frozen=True, kw_only=True):
    """A chunk to be: its range of canonical positions and the sections around it, outermost first."""

    start: int
    end: int
    headings: tuple[Heading, ...] = ()


class Cut(Record, frozen=True, kw_only=True):
    """A page's pieces, and the sections still open at its end."""

    pieces: tuple[Piece, ...]
    open: tuple[Heading, ...]


def cut(
    page: Page, *, open: tuple[Heading, ...] = (), whole: Sequence[Span] = (), settings: Cutting = Cutting()
) -> Cut:
    """Cut one page.

    Args:
        open: the sections that are open where the page begins (`Cut.open` of the page before).
        whole: ranges that no border may cut; they do not overlap.
        settings: lengths.
    """
    keep, marks = _Keep(whole), _Marks(page)
    pieces: list[Piece] = []
    for block in _blocks(page, open):
        for start, end in _fill(block.atoms(page, settings, keep), settings):
            start, end = marks.trim(start, end)
            if start < end:
                pieces.append(Piece(start=start, end=end, headings=block.headings))
    return Cut(pieces=tuple(_gather(Readable(page), pieces)), open=_sections(page, open))


class Readable:
    """A page's text by range, like `Page.reading`, but in time that does not grow with the number of drops."""

    def __init__(self, page: Page) -> None:
        self._text = page.text
        self._starts, self._ends = _merged((drop.start, drop.end) for drop in page.dropped)

    def reading(self, start: int, end: int) -> str:
        """The characters of `[start, end)` that are read on."""
        parts: list[str] = []
        index = bisect_right(self._ends, start)
        while index < len(self._starts) and self._starts[index] < end:
            parts.append(self._text[start : max(start, self._starts[index])])
            start = min(self._ends[index], end)
            index += 1
        parts.append(self._text[start:end])
        return "".join(parts)


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Starts and ends of the ranges in order, those that touch as one, empty ones left out."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(ranges):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        elif end > start:
            starts.append(start)
            ends.append(end)
    return starts, ends


class _Keep:
    """Ranges that must not be cut."""

    def __init__(self, whole: Sequence[Span]) -> None:
        ordered = sorted((span.start, span.end) for span in whole)
        self._starts = [start for start, _ in ordered]
        self._ends = [end for _, end in ordered]

    def border(self, position: int) -> int:
        """`position`, or the end of the range that it would cut."""
        index = bisect_left(self._starts, position) - 1
        while index >= 0 and self._ends[index] > position:
            position = self._ends[index]
            index = bisect_left(self._starts, position) - 1
        return position


class _Block(Record, frozen=True, kw_only=True):
    """Neighbouring elements that may share chunks."""

    start: int
    end: int
    elements: tuple[Element, ...]
    headings: tuple[Heading, ...]

    def atoms(self, page: Page, settings: Cutting, keep: _Keep) -> list[int]:
        """The borders at which this block may be cut, ascending, from its start to its end."""
        borders = {self.start, self.end}
        for element in self.elements:
            borders.add(element.start)
            if element.end - element.start > settings.target // 2:
                borders.update(_inner(page, element))
        if not self.elements:
            borders.update(_sentences(page.text, self.start, self.end))
        moved = {min(max(keep.border(border), self.start), self.end) for border in borders}
        ordered = sorted(moved | {self.start, self.end})
        return list(_short_enough(page.text, ordered, settings.maximum, keep))


def _sections(page: Page, open: tuple[Heading, ...]) -> tuple[Heading, ...]:
    for element in page.elements:
        open = _enter(page, open, element)
    return open


def _enter(page: Page, open: tuple[Heading, ...], element: Element) -> tuple[Heading, ...]:
    """The sections open behind `element`. A hidden heading opens none: nobody sees it."""
    if element.kind is not Kind.HEADING or element.hidden or not page.reading(element.start, element.end).strip():
        return open
    outer = tuple(heading for heading in open if heading.level < max(element.level, 1))
    return (*outer, Heading(level=max(element.level, 1), page=page.number, start=element.start, end=element.end))


def _blocks(page: Page, open: tuple[Heading, ...]) -> Iterator[_Block]:
    """The page as blocks: a new one at each heading that follows text, and where hidden text begins or ends."""
    elements = sorted((e for e in page.elements if e.end > e.start), key=lambda e: (e.start, e.end))
    start, members = 0, list[Element]()
    for element in elements:
        heading = element.kind is Kind.HEADING
        after_text = bool(members) and members[-1].kind is not Kind.HEADING
        changed = bool(members) and bool(members[-1].hidden) is not bool(element.hidden)
        if (heading and after_text) or changed:
            yield _Block(start=start, end=element.start, elements=tuple(members), headings=open)
            start, members = element.start, []
        open = _enter(page, open, element)
        members.append(element)
    if start < len(page.text):
        yield _Block(start=start, end=len(page.text), elements=tuple(members), headings=open)


def _inner(page: Page, element: Element) -> Iterable[int]:
    """Borders inside one long element: rows of a table, else sentences."""
    if not element.cells:
        return _sentences(page.text, element.start, element.end)
    rows: dict[int, int] = {}
    for cell in element.cells:
        if cell.end > cell.start:
            rows[cell.row] = min(rows.get(cell.row, cell.start), cell.start)
    return [start for start in rows.values() if element.start < start < element.end]


def _sentences(text: str, start: int, end: int) -> Iterator[int]:
    for match in _SENTENCE.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(start, match.start() - 12), match.end()):
            yield match.end()


def _short_enough(text: str, borders: list[int], maximum: int, keep: _Keep) -> Iterator[int]:
    """The borders, with more of them where two lie further apart than `maximum`: sentences, words, anywhere."""
    yield borders[0]
    for left, right in pairwise(borders):
        at = left
        while right - at > maximum:
            following = keep.border(_best(text, at, at + maximum))
            if following >= right:
                break
            yield following
            at = following
        yield right


def _best(text: str, start: int, limit: int) -> int:
    """The best border in the second half of `[start, limit]`."""
    half = start + (limit - start) // 2
    for candidates in (_sentences(text, half, limit), (m.end() for m in _WORD.finditer(text, half, limit))):
        best = max(candidates, default=half)
        if best > half:
            return best
    return limit


def _fill(borders: list[int], settings: Cutting) -> Iterator[tuple[int, int]]:
    """Take borders together until a chunk reaches the target."""
    if len(borders) < 2:
        return
    start, last = borders[0], borders[1]
    for border in borders[2:]:
        full = last - start >= settings.target
        if full or border - start > settings.maximum:
            yield start, last
            start = last
        last = border
    yield start, last


class _Marks:
    """The inserted and dropped characters of a page, as ranges without overlap."""

    def __init__(self, page: Page) -> None:
        inserted = [(span.start, span.end) for span in page.inserted]
        self._starts, self._ends = _merged([*inserted, *((drop.start, drop.end) for drop in page.dropped)])

    def trim(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` without the marks at both ends: nobody reads them there."""
        index = bisect_right(self._starts, start) - 1
        if index >= 0 and self._ends[index] > start:
            start = self._ends[index]
        index = bisect_left(self._starts, end) - 1
        if index >= 0 and self._ends[index] >= end:
            end = self._starts[index]
        return start, max(start, end)


def _gather(page: Readable, pieces: list[Piece]) -> Iterator[Piece]:
    """Pieces without ink join the one before (or the one behind, at the start of a page)."""
    waiting: Piece | None = None
    for piece in pieces:
        inked = bool(page.reading(piece.start, piece.end).strip())
        if waiting is None:
            waiting = piece
        elif inked and page.reading(waiting.start, waiting.end).strip():
            yield waiting
            waiting = piece
        elif inked:
            waiting = Piece(start=waiting.start, end=piece.end, headings=piece.headings)
        else:
            waiting = Piece(start=waiting.start, end=piece.end, headings=waiting.headings)
    if waiting is not None:
        yield waiting
