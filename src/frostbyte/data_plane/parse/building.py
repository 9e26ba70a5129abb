"""Builds a page's canonical text so that its account closes by construction.

Text enters in three ways only: found (part of an element), inserted (a separator of ours) or found and dropped.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from frostbyte.data_plane.document import (
    Box,
    Cell,
    Drop,
    Element,
    Image,
    Integers,
    Kind,
    Line,
    Mark,
    Page,
    Span,
    Spans,
)

CONTROL = re.compile(r"\x1b\[[0-9;]{0,20}m|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\x80-\x9f\ufffe\uffff]+|[\ud800-\udfff]+")
"""Characters that no text needs: C0 and C1 controls but tab and line ends, non-characters, lone surrogates; and what
tells a terminal another colour (ECMA-48, SGR)."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass
class Open:
    """An element being written."""

    start: int
    lines: list[Line] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)


class Written(NamedTuple):
    """Cells as they are written, each behind a separator of ours."""

    text: str
    lengths: Any
    """Those of a separator and of a cell in turn: an array of NumPy."""
    printable: bool
    """Whether no cell holds a character that is more than a sign or a space."""

    def begun(self) -> Written:
        """The same without the first character."""
        lengths = self.lengths.copy()
        lengths[0] -= 1
        return Written(self.text[1:], lengths, self.printable)


def written(separators: Sequence[str], texts: Sequence[str]) -> Written:
    """Cells behind their separators; these begin again where there are less of them."""
    times = len(texts) // len(separators)
    parts = [""] * (2 * len(texts))
    parts[0::2], parts[1::2] = [*separators] * times, texts
    lengths = np.empty(len(parts), np.int64)
    lengths[0::2] = np.tile(np.fromiter(map(len, separators), np.int64, len(separators)), times)
    lengths[1::2] = np.fromiter(map(len, texts), np.int64, len(texts))
    return Written("".join(parts), lengths, "".join(texts).isprintable())


def integers(numbers: Any) -> Integers:
    """An array of NumPy as one of Python's own: what is taken out of it is a plain number."""
    found = array("q", [0]) * len(numbers)
    np.frombuffer(found, np.int64)[:] = numbers
    return found


class PageBuilder:
    """Writes one page from its beginning to its end."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.at = 0
        """Length of the text so far: the position of what comes next."""
        self.elements: list[Element] = []
        self._from: Integers = array("q")
        self._to: Integers = array("q")
        self.dropped: list[Drop] = []
        self.images: list[Image] = []
        self.marks: list[Mark] = []

    def found(self, text: str) -> Span:
        """Append text of the source; control characters in it are kept and marked as dropped."""
        start = self.at
        # Nearly all text is printable but for tabs and line ends, and to ask is cheap.
        if not text.isprintable() and not text.replace("\t", "").replace("\n", "").isprintable():
            for match in CONTROL.finditer(text):
                drop = Drop(start=start + match.start(), end=start + match.end(), reason="control_character")
                self.dropped.append(drop)
            # A lone surrogate has no UTF-8 form; its place is kept by the replacement character.
            text = _SURROGATE.sub("\ufffd", text)
        self._append(text)
        return Span(start=start, end=self.at)

    def found_and_inserted(self, text: str, starts: Integers, ends: Integers) -> None:
        """Append text of the source with separators of ours in it, from `starts` to `ends` as positions of the page."""
        self._with_inserted(self.found(text).start, starts, ends)

    def _with_inserted(self, start: int, starts: Integers, ends: Integers) -> None:
        touching = bool(starts and self._to) and self._to[-1] == start == starts[0]
        if touching:
            self._to[-1] = ends[0]
        self._from += starts[touching:]
        self._to += ends[touching:]

    def cells(self, pieces: Sequence[Written]) -> tuple[Integers, Integers]:
        """Append the cells of a table. No separator is empty but, perhaps, the first.

        Returns:
            Where the cells start, and where they end.
        """
        edges = np.concatenate([piece.lengths for piece in pieces])
        edges.cumsum(out=edges)
        edges += self.at
        starts, ends = integers(edges[0::2]), integers(edges[1::2])
        text, at = "".join([piece.text for piece in pieces]), self.at
        # Texts of cells hold no tabs and line ends: without our separators one look was enough.
        if all(piece.printable for piece in pieces):
            self._append(text)
        else:
            self.found(text)
        if starts[0] > at:
            self._with_inserted(at, array("q", [at]), starts[:1])
        self._from.frombytes(memoryview(ends).cast("B")[: -ends.itemsize])
        self._to.frombytes(memoryview(starts).cast("B")[starts.itemsize :])
        return starts, ends

    def insert(self, separator: str) -> None:
        """Append characters of our own; they count zero."""
        start = self.at
        self._parts.append(separator)
        self.at += len(separator)
        if self._to and self._to[-1] == start:
            self._to[-1] = self.at
        else:
            self._from.append(start)
            self._to.append(self.at)

    def inserted(self, start: int) -> list[tuple[int, int]]:
        """The separators that end behind a position, as positions of the page."""
        first = bisect_right(self._to, start)
        return list(zip(self._from[first:], self._to[first:], strict=True))

    def drop(self, text: str, reason: str) -> None:
        """Append text of the source that is not read on."""
        start = self.at
        self._append(_SURROGATE.sub("\ufffd", text))
        self.dropped.append(Drop(start=start, end=self.at, reason=reason))

    @contextmanager
    def element(
        self,
        kind: Kind,
        *,
        level: int = 0,
        box: Box | None = None,
        rows: int = 0,
        columns: int = 0,
        ocr: bool = False,
        hidden: str = "",
        separator: str = "\n",
    ) -> Iterator[Open]:
        """Write an element: what is found inside belongs to it. Put `separator` before it if it is not the first."""
        draft = Open(start=self.begin(separator))
        yield draft
        self.end(
            Element(
                kind=kind,
                start=draft.start,
                end=self.at,
                level=level,
                box=box,
                lines=tuple(draft.lines),
                cells=tuple(draft.cells),
                rows=rows,
                columns=columns,
                ocr=ocr,
                hidden=hidden,
            )
        )

    def begin(self, separator: str = "\n") -> int:
        """Where an element begins that `end` will add: for those who make many and know them whole."""
        if self.at:
            self.insert(separator)
        return self.at

    def end(self, element: Element) -> None:
        """Add an element that ends here."""
        self.elements.append(element)

    def piece(self, kind: Kind, text: str, *, level: int = 0, ocr: bool = False, hidden: str = "") -> None:
        """Write an element that is one run of text; nothing if the text is blank."""
        if not text.strip():
            return
        with self.element(kind, level=level, ocr=ocr, hidden=hidden):
            self.found(text)

    def text(self, start: int, end: int) -> str:
        """What was written between two positions, separators and drops among it."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0][start:end] if self._parts else ""

    def page(
        self,
        number: int,
        *,
        width: float = 0.0,
        height: float = 0.0,
        unit: str = "",
        name: str = "",
        hidden: bool = False,
        ocr_confidence: float | None = None,
        turned: int = 0,
        unread: str = "",
    ) -> Page:
        """The finished page."""
        return Page(
            number=number,
            text="".join(self._parts),
            width=float(width),
            height=float(height),
            unit=unit,
            name=clean(name),
            hidden=hidden,
            elements=tuple(self.elements),
            inserted=Spans(self._from, self._to),
            dropped=tuple(self.dropped),
            images=tuple(self.images),
            marks=tuple(sorted(self.marks, key=lambda mark: (mark.start, mark.end))),
            ocr_confidence=ocr_confidence,
            turned=turned,
            unread=unread,
        )

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self.at += len(text)


def clean(text: str) -> str:
    """Text for titles and metadata: without control characters, white space collapsed."""
    return " ".join(CONTROL.sub(" ", text).split())


def union(boxes: list[Box]) -> Box | None:
    """The smallest box around all, or None for none."""
    if not boxes:
        return None
    if len(boxes) == 1:
        return boxes[0]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
