"""Cutting a page into chunks: pure, deterministic, every readable character in exactly one of them.

A chunk is a run of neighbouring pieces of a page that an embedding model reads whole, in two windows at most: about
`target` tokens, with the titles above it at most `maximum`. It follows the structure: it ends before a heading, else
between paragraphs, list items or rows of a table, else behind a sentence, else between words. A heading stays with what
follows it, a caption with its table, the sentence that introduces a list with the first item. A section that is too
short to be found by itself joins its neighbour, so that no chunk is a heading alone (except on a page that holds
nothing else).

What a chunk stands under is kept as ranges, outermost first: the titles of its sections, then what introduces it where
that lies in an earlier chunk (the caption and the header row of its table, the lead-in of its list). These are repeated
for reading and embedding; no character is counted twice for it.

What must stay whole (a found value) is never cut, even if that makes a chunk longer. Hidden elements get chunks of
their own, so that holding one back takes nothing visible with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from frostbyte.data_plane.document import Element, Kind, Page, Record, Span
from frostbyte.data_plane.tokens import Tokens

TARGET: Final = 400
MAXIMUM: Final = 480
MINIMUM: Final = 240
PATH: Final = 56
"""Tokens that the titles above a chunk may take."""
INTRODUCES: Final = 9
"""The `level` of a `Heading` that is no title but introduces a table or a list: below every title."""

_SENTENCE: Final = re.compile(r"[.!?…:;][\"'”’»)\]]{0,2}\s+|\n+")
_WORD: Final = re.compile(r"\s+")
_UNDERLINE: Final = re.compile(r"(?<=\S)\s*\n\s*([=\-~_*])\1{2,}\s*\Z")
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:Dr|Prof|Mr|Mrs|Ms|St|No|Nr|Art|Abs|Sec|Fig|Inc|Ltd|Co|vs|bzw|ca|evtl|ggf|inkl|Str|Tel|vgl|z\.\s?B|d\.\s?h|"
    r"u\.\s?a|e\.g|i\.e)|\b\d{1,2}|\b[a-zA-ZÄÖÜ])\.\s+$"
)


_Size = Annotated[int, Meta(ge=10, le=20_000)]


class Cutting(Record, frozen=True, kw_only=True):
    """How long chunks are, in tokens as `tokens` estimates them. The defaults fit two windows of 256, or one of 512."""

    target: _Size = TARGET
    maximum: _Size = MAXIMUM
    """Of a chunk with the titles above it."""
    minimum: Annotated[int, Meta(ge=0, le=20_000)] = MINIMUM
    """What is shorter joins a neighbour."""

    @staticmethod
    def for_window(window: int) -> Cutting:
        """Lengths for a model that reads `window` tokens of a text at once: two windows, at most 512 tokens.

        A longer chunk than the window is read in two and averaged (see `Embedder`). On the tuning questions of
        bench/finding/retrieval.py that finds more than chunks of one window of 256 do: mean reciprocal rank 0.88 for
        0.85 in English, 0.82 for 0.74 in German, whose words take twice the tokens.
        """
        room = min(2 * window, 512) * 15 // 16
        return Cutting(target=max(room * 5 // 6, 10), maximum=max(room, 10), minimum=room // 2)


class Heading(Record, frozen=True, kw_only=True):
    """Where the title of an open section stands, or what introduces a table or list (`level` INTRODUCES)."""

    level: int
    page: int
    start: int
    end: int


class Piece(Record, frozen=True, kw_only=True):
    """A chunk to be: its range of canonical positions and what it stands under, outermost first."""

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
    atoms = _Atoms(page, open, keep, settings)
    pieces: list[Piece] = []
    for section in _joined(_sections(list(atoms)), settings):
        for chunk in _filled(section, settings):
            start, end = marks.trim(chunk[0].start, chunk[-1].end)
            if start < end:
                pieces.append(Piece(start=start, end=end, headings=_above(chunk)))
    return Cut(pieces=tuple(_gather(Readable(page), pieces)), open=atoms.open)


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


class _Atom(Record, frozen=True, kw_only=True):
    """A piece of the page that is not cut any further."""

    start: int
    end: int
    size: int
    """Tokens."""
    path: tuple[Heading, ...]
    """Titles above it; a title's own is the last."""
    intro: tuple[Heading, ...] = ()
    hidden: bool = False
    title: int = 0
    """The level of the heading that it is, else 0."""
    bound: bool = False
    """Whether it belongs to what follows and must not end a chunk."""


class _Atoms:
    """The atoms of a page in order, without gaps; what lies between two elements belongs to the first."""

    def __init__(self, page: Page, open: tuple[Heading, ...], keep: _Keep, settings: Cutting) -> None:
        self.open = open
        self._page = page
        self._keep = keep
        self._settings = settings
        self._tokens = Tokens(page.text)
        self._intro: tuple[Heading, ...] = ()
        self._short = min(settings.target, settings.maximum) // 2

    def __iter__(self) -> Iterator[_Atom]:
        elements = sorted((e for e in self._page.elements if e.end > e.start), key=lambda e: (e.start, e.end))
        starts = [0, *(self._keep.border(element.start) for element in elements[1:]), len(self._page.text)]
        if not elements:
            yield from self._split(None, 0, len(self._page.text), 0, bound=False)
        for index, element in enumerate(elements):
            before = elements[index - 1] if index else None
            after = elements[index + 1] if index + 1 < len(elements) else None
            if starts[index + 1] > starts[index]:
                yield from self._element(element, before, after, starts[index], starts[index + 1])

    def _element(
        self, element: Element, before: Element | None, after: Element | None, start: int, end: int
    ) -> Iterator[_Atom]:
        kind, text = element.kind, self._page.text[element.start : element.end]
        introduces = after is not None and (
            (after.kind is Kind.TABLE and kind is Kind.CAPTION)
            or (kind is Kind.PARAGRAPH and text.rstrip().endswith(":"))
        )
        title = max(element.level, 1) if kind is Kind.HEADING and not element.hidden and text.strip() else 0
        if before is None or not self._continues(element, before):
            self._intro = ()
        if title:
            outer = tuple(heading for heading in self.open if heading.level < title)
            self.open = (*outer, self._heading(title, element.start, element.end))
        yield from self._split(element, start, end, title, bool(title) or introduces)
        if introduces and not title:
            self._intro = (self._heading(INTRODUCES, self._lead(element), element.end),)

    def _lead(self, element: Element) -> int:
        """Where the last sentence of what introduces begins; a caption introduces whole."""
        if element.kind is Kind.CAPTION:
            return element.start
        ends = _sentences(self._page.text, element.start, element.end)
        return max(
            (end for end in ends if end < element.end and self._page.text[end - 2] not in ":;"), default=element.start
        )

    @staticmethod
    def _continues(element: Element, before: Element) -> bool:
        """Whether what introduced `before` introduces `element` too."""
        lead = before.kind in (Kind.PARAGRAPH, Kind.CAPTION) and element.kind in (Kind.LIST_ITEM, Kind.TABLE)
        return lead or (before.kind is Kind.LIST_ITEM and element.kind is Kind.LIST_ITEM)

    def _heading(self, level: int, start: int, end: int) -> Heading:
        if rule := _UNDERLINE.search(self._page.text, start, end):
            end = rule.start()  # plain text underlines its titles
        return Heading(level=level, page=self._page.number, start=start, end=end)

    def _split(self, element: Element | None, start: int, end: int, title: int, bound: bool) -> Iterator[_Atom]:
        """The atoms of one element: rows of a table, else the whole if it is short, else its sentences."""
        cells = element is not None and bool(element.cells)
        size = self._tokens.between(start, end)
        if not cells and size <= self._short:
            yield self._atom(element, start, end, size, self._intro, title, bound)
            return
        rows = _rows(element) if cells and element is not None else []
        header = _header(element) if cells and element is not None else None
        borders = [start, end]
        if rows:
            borders = [start, *(row for row in map(self._keep.border, rows[1:]) if start < row < end), end]
        elif size > self._settings.target // 2:
            found = (self._keep.border(border) for border in _sentences(self._page.text, start, end))
            borders = [start, *(border for border in found if start < border < end), end]
        for left, right in pairwise(self._short_enough(sorted(set(borders)))):
            heads = header is not None and right <= header.end + 1
            within = header is not None and left >= header.end
            intro = (*self._intro, self._heading(INTRODUCES, header.start, header.end)) if within and header else None
            size = self._tokens.between(left, right)
            above = self._intro if intro is None else intro
            yield self._atom(element, left, right, size, above, title, bound or heads)

    def _atom(
        self,
        element: Element | None,
        start: int,
        end: int,
        size: int,
        intro: tuple[Heading, ...],
        title: int,
        bound: bool,
    ) -> _Atom:
        return _Atom(
            start=start,
            end=end,
            size=size,
            path=self.open,
            intro=intro,
            hidden=bool(element.hidden) if element is not None else False,
            title=title,
            bound=bound,
        )

    def _short_enough(self, borders: list[int]) -> Iterator[int]:
        """The borders, with more of them where two lie further apart than a chunk may be long."""
        most = max(self._settings.maximum - min(_path(self.open), PATH), self._settings.maximum // 2)
        yield borders[0]
        for left, right in pairwise(borders):
            at = left
            while self._tokens.between(at, right) > most:
                limit = max(self._tokens.reach(at, most), at + 1)
                following = self._keep.border(_best(self._page.text, at, limit))
                if following >= right:
                    break
                yield following
                at = following
            yield right


def _rows(element: Element) -> list[int]:
    """Where the rows of a table begin."""
    rows: dict[int, int] = {}
    for cell in element.cells:
        if cell.end > cell.start:
            rows[cell.row] = min(rows.get(cell.row, cell.start), cell.start)
    return sorted(rows.values())


def _header(element: Element) -> Span | None:
    """The rows at the top of a table that name its columns."""
    named = {cell.row for cell in element.cells if cell.header and cell.end > cell.start}
    cells = [cell for cell in element.cells if cell.end > cell.start]
    first = min((cell.row for cell in cells), default=0)
    heads = 0
    while first + heads in named:
        heads += 1
    top = [cell for cell in cells if cell.row < first + heads]
    if not top or len(top) == len(cells):
        return None
    return Span(start=min(cell.start for cell in top), end=max(cell.end for cell in top))


def _path(headings: Iterable[Heading]) -> int:
    """About how many tokens these titles take; their text may stand on another page."""
    return sum((heading.end - heading.start) // 4 + 1 for heading in headings)


def _sections(atoms: list[_Atom]) -> Iterator[list[_Atom]]:
    """A new one at each heading that follows text, and where hidden text begins or ends."""
    section: list[_Atom] = []
    for atom in atoms:
        last = section[-1] if section else None
        if last is not None and ((atom.title and not last.title) or atom.hidden is not last.hidden):
            yield section
            section = []
        section.append(atom)
    if section:
        yield section


def _joined(sections: Iterable[list[_Atom]], settings: Cutting) -> Iterator[list[_Atom]]:
    """Sections, those that are too short together with a neighbour."""
    waiting: list[_Atom] = []
    for section in sections:
        if not waiting:
            waiting = section
            continue
        held, size = (sum(atom.size for atom in part) for part in (waiting, section))
        short = min(held, size) < settings.minimum or all(atom.title for atom in section)
        if short and held + size <= settings.target and waiting[-1].hidden is section[0].hidden:
            waiting = waiting + section
        else:
            yield waiting
            waiting = section
    if waiting:
        yield waiting


def _filled(section: list[_Atom], settings: Cutting) -> Iterator[list[_Atom]]:
    """Chunks of a section, of about equal size, so that none is a leftover."""
    total = sum(atom.size for atom in section)
    room = max(settings.maximum - min(_path(section[0].path), PATH), settings.maximum // 2)
    if total <= min(room, settings.target * 5 // 4):
        yield section
        return
    chunk: list[_Atom] = []
    size, left = 0, total
    for atom in section:
        goal = left / max(-(-left // settings.target), 1)
        # Take it in if that comes nearer to the goal than to stop here.
        near = size + atom.size / 2 <= goal and size + atom.size <= room
        if chunk and not near:
            done, chunk = _unbound(chunk)
            yield done
            size = sum(kept.size for kept in chunk)
            left -= sum(kept.size for kept in done)
        chunk.append(atom)
        size += atom.size
    yield chunk


def _unbound(chunk: list[_Atom]) -> tuple[list[_Atom], list[_Atom]]:
    """The chunk, and what at its end belongs to the following one."""
    end = len(chunk)
    while end and chunk[end - 1].bound:
        end -= 1
    return (chunk[:end], chunk[end:]) if end else (chunk, [])


def _above(chunk: list[_Atom]) -> tuple[Heading, ...]:
    """What all of a chunk stands under: its own title too, if it holds only that one."""
    leading = 0
    while leading + 1 < len(chunk) and chunk[leading + 1].title:
        leading += 1
    first = chunk[leading] if chunk[0].title else chunk[0]
    path = first.path
    for atom in chunk[leading + 1 :]:
        if atom.title:
            path = tuple(heading for heading in path if heading.level < atom.title)
    return (*path, *(intro for intro in chunk[0].intro if intro.end <= chunk[0].start))


def _sentences(text: str, start: int, end: int) -> Iterator[int]:
    for match in _SENTENCE.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(start, match.start() - 12), match.end()):
            yield match.end()


def _best(text: str, start: int, limit: int) -> int:
    """The best border in the second half of `[start, limit]`."""
    half = start + (limit - start) // 2
    for candidates in (_sentences(text, half, limit), (m.end() for m in _WORD.finditer(text, half, limit))):
        best = max(candidates, default=half)
        if best > half:
            return best
    return limit


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
