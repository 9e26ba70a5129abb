"""Second chance for PDFs whose end is missing: a new trailer, and a new page tree from the pages that are there.

Objects that lie in compressed object streams (PDF 1.5) are unpacked and written out, since the table that told where
they are stood at the end.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

_OBJECT: Final = re.compile(rb"(?:^|[\s>])(\d{1,9})\s+(\d{1,5})\s+obj\b")
_TYPE: Final = re.compile(rb"/Type\s*/(Page|ObjStm)(?![A-Za-z])")
_PACKED_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_FIRST: Final = re.compile(rb"/First\s+(\d{1,9})")
_COUNT: Final = re.compile(rb"/N\s+(\d{1,7})")
_ENCRYPTED: Final = re.compile(rb"/Encrypt\s+\d+\s+\d+\s+R")
_HEAD_BYTES: Final = 4_096
"""How far into an object its type is looked for; dictionaries of pages and streams are short."""
_MAX_PAGES: Final = 20_000
_MAX_PACKED: Final = 200_000
"""Objects taken out of object streams."""
_MAX_STREAM: Final = 16_000_000
_MAX_UNPACKED: Final = 128_000_000
"""Bytes that one object stream, and all of them, may unpack to."""
_CATALOG: Final = 4_190_001
_PAGES: Final = 4_190_002
"""Below the highest object number that PDFium takes (2 to the 22nd), above those that files use."""


def rescued(data: bytes) -> bytes | None:
    """The PDF with what its lost end held, or None where no page can be found.

    Object streams of encrypted files, and those packed otherwise than by Flate, are out of reach.
    """
    pages: dict[int, bytes] = {}
    unpacked: dict[int, bytes] = {}
    readable = _ENCRYPTED.search(data) is None
    left = _MAX_UNPACKED
    for match in _OBJECT.finditer(data):
        end = data.find(b"endobj", match.end(), match.end() + _HEAD_BYTES)
        body = data[match.end() : end if end >= 0 else match.end() + _HEAD_BYTES]
        head, stream, _ = body.partition(b"stream")
        kind = _TYPE.search(head)
        if kind is None:
            continue
        number = int(match.group(1))
        if kind.group(1) == b"ObjStm":
            if readable and stream and left > 0:
                inside = packed_objects(data, match.end() + len(head), head, min(left, _MAX_STREAM))
                for inner, content in inside:
                    if len(unpacked) < _MAX_PACKED:
                        unpacked[inner] = content
                        left -= len(content)
        elif end >= 0 and len(pages) < _MAX_PAGES:
            pages[number] = b"%d %d R" % (number, int(match.group(2)))
    for number, content in unpacked.items():
        if _PACKED_PAGE.search(content[:_HEAD_BYTES]) and len(pages) < _MAX_PAGES:
            pages[number] = b"%d 0 R" % number
    if not pages:
        return None
    written = b"".join(b"%d 0 obj\n%s\nendobj\n" % entry for entry in unpacked.items())
    return b"".join(
        (
            data,
            b"\nendstream endobj\n",
            written,
            b"%d 0 obj<</Type/Catalog/Pages %d 0 R>>endobj\n" % (_CATALOG, _PAGES),
            b"%d 0 obj<</Type/Pages/Count %d/Kids[%s]>>endobj\n" % (_PAGES, len(pages), b" ".join(pages.values())),
            b"trailer<</Root %d 0 R/Size %d>>\nstartxref\n0\n%%%%EOF\n" % (_CATALOG, _PAGES + 1),
        )
    )


def packed_objects(data: bytes, start: int, head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of the objects of a stream, as far as it is whole.

    Args:
        data: the whole file.
        start: where the keyword `stream` stands.
        head: the stream's dictionary.
        most: bytes that it may unpack to.
    """
    first = _FIRST.search(head)
    content = _inflated(data, start, head, most)
    if first is None or not content:
        return
    offset = int(first.group(1))
    places = _places(content[:offset], head)
    for position, (number, at) in enumerate(places):
        last = position + 1 == len(places)
        stop = len(content) if last else offset + places[position + 1][1]
        if offset + at < stop <= len(content) and number < _CATALOG:
            yield number, content[offset + at : stop]


def packed_numbers(data: bytes, start: int, head: bytes) -> list[bytes]:
    """Numbers of the objects of a stream, as they are written, of which no more is unpacked than their list; as
    `packed_objects`."""
    first = _FIRST.search(head)
    if first is None:
        return []
    return _inflated(data, start, head, min(int(first.group(1)), _MAX_STREAM)).split()[::2]


def _inflated(data: bytes, start: int, head: bytes, most: int) -> bytes:
    if b"/FlateDecode" not in head or most <= 0:
        return b""
    begin = start + len(b"stream")
    begin += 2 if data[begin : begin + 2] == b"\r\n" else 1
    end = data.find(b"endstream", begin)
    # What Flate cannot make smaller it makes little larger.
    end = min(end if end >= 0 else len(data), begin + most + most // 64 + 1_024)
    try:
        return zlib.decompressobj().decompress(data[begin:end], most)
    except zlib.error:
        return b""


def _places(listed: bytes, head: bytes) -> list[tuple[int, int]]:
    """Number of each object of a stream, and where it begins after their list."""
    count = _COUNT.search(head)
    if count is None:
        return []
    numbers = [int(word) for word in listed.split()[: 2 * int(count.group(1))] if word.isdigit()]
    return list(zip(numbers[::2], numbers[1::2], strict=False))
