"""Objects of a PDF's file by their numbers, for the little that PDFium does not tell of a document."""

from __future__ import annotations

import re
from typing import Final

from frostbyte.data_plane.parse.pdf.rescue import packed_numbers, packed_objects

_REFERENCE: Final = re.compile(rb"(\d{1,9})\s+\d{1,5}\s+R")
_BLANKS: Final = re.compile(rb"\s*")
_BRACKETS: Final = re.compile(rb"<<|>>")
_PAGES: Final = re.compile(rb"/Pages\s+(\d{1,9})\s+\d{1,5}\s+R")
_KIDS: Final = re.compile(rb"/Kids\s*\[([^\[\]]*)\]")
_COUNT: Final = re.compile(rb"/Count\s+(\d{1,9})")
_FEW: Final = 3
"""Branches of the tree of pages that are looked into; a tree with more of them has as many pages at least."""
_MAX_OBJECT: Final = 1_000_000
_HEAD: Final = 4_096
_MAX_STREAM: Final = 16_000_000


def recounted(data: bytes) -> bytes | None:
    """The file without the number of pages that it states, where that is less than it has; None where it is not.

    PDFium counts pages only where no number is stated; others show what it leaves out.

    Args:
        data: the whole file.
    """
    file = File(data)
    found = _PAGES.search(file.catalogue())
    place = file.place(int(found.group(1))) if found is not None else None
    if place is None:
        return None
    tree = data[place[0] : place[1]]
    kids, count = _KIDS.search(tree), _COUNT.search(tree)
    if kids is None or count is None:
        return None
    branches, stated = numbers(kids.group(1)), int(count.group(1))
    least = len(branches)
    if least <= _FEW and least <= stated:
        counts = (_COUNT.search(branch) for number in branches if b"/Kids" in (branch := file.object(number)))
        least += sum(max(0, int(inner.group(1)) - 1) for inner in counts if inner is not None)
    if least <= stated:
        return None
    start, end = place[0] + count.start(1), place[0] + count.end(1)
    return data[:start] + b"0" * (end - start) + data[end:]


class File:
    """Objects by their numbers, found without a table of them: the last of a number counts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._streams: list[tuple[list[bytes], tuple[int, int]]] | None = None
        """Numbers of the objects that a stream holds, and where its dictionary and its content begin."""
        self._last = (-1, -1)
        self._packed: dict[int, bytes] = {}
        """What the stream at `_last` holds."""

    def catalogue(self) -> bytes:
        """The catalogue's text, or nothing."""
        at = self._data.rfind(b"/Root")
        root = _reference(self._data, at + len(b"/Root")) if at >= 0 else None
        return self.object(int(root.group(1))) if root is not None else b""

    def object(self, number: int) -> bytes:
        """The object's text, or nothing."""
        place = self.place(number)
        return self._in_streams(number) if place is None else self._data[place[0] : place[1]]

    def place(self, number: int) -> tuple[int, int] | None:
        """Where an object's text begins and ends; None where it lies in no other or in a stream of objects."""
        data = self._data
        mark = b"%d 0 obj" % number
        at = data.rfind(mark)
        while at > 0 and data[at - 1 : at].isdigit():
            at = data.rfind(mark, 0, at)
        if at < 0:
            return None
        start = at + len(mark)
        end = data.find(b"endobj", start, start + _MAX_OBJECT)
        return start, end if end >= 0 else start + _MAX_OBJECT

    def value(self, text: bytes, key: bytes) -> bytes:
        """The dictionary that stands behind a key, or that it refers to."""
        found = re.search(re.escape(key) + rb"(?![A-Za-z])", text)
        if found is None:
            return b""
        reference = _reference(text, found.end())
        if reference is not None:
            return self.object(int(reference.group(1)))
        depth = 0
        for bracket in _BRACKETS.finditer(text, found.end()):
            depth += 1 if bracket.group() == b"<<" else -1
            if depth <= 0:
                return text[found.end() : bracket.end()]
        return text[found.end() :]

    def _in_streams(self, number: int) -> bytes:
        data = self._data
        if self._streams is None:
            self._streams = []
            at = data.find(b"/ObjStm")
            while at >= 0:
                head = data.rfind(b"obj", max(0, at - _HEAD), at)
                stream = data.find(b"stream", at, at + _HEAD)
                if head >= 0 and stream >= 0:
                    self._streams.append((packed_numbers(data, stream, data[head:stream]), (head, stream)))
                at = data.find(b"/ObjStm", at + len(b"/ObjStm"))
        written = b"%d" % number
        place = next((place for numbers, place in reversed(self._streams) if written in numbers), None)
        if place is None:
            return b""
        if place != self._last:
            head, stream = self._last = place
            self._packed = dict(packed_objects(data, stream, data[head:stream], _MAX_STREAM))
        return self._packed.get(number, b"")


def _reference(text: bytes, at: int) -> re.Match[bytes] | None:
    """The reference that stands there behind blanks. To look for blanks wherever they may begin took all of a parser's
    time where there were many."""
    blanks = _BLANKS.match(text, at)
    return _REFERENCE.match(text, blanks.end() if blanks else at)


def numbers(references: bytes) -> list[int]:
    """The numbers of objects to which a text refers."""
    return [int(found.group(1)) for found in _REFERENCE.finditer(references)]
