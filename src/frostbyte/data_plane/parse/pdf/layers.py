"""Layers of a PDF that are switched off: their names, from the file's bytes, and which objects of a page lie in them.

PDFium draws such a page right, and tells the text of all layers alike. It does not say which are off, so that the few
objects that do are looked up here. Layers are told apart by their names, which is what PDFium says of an object's.
"""

from __future__ import annotations

import ctypes
import re
from functools import partial
from typing import Any, BinaryIO, Final

import pypdfium2.raw as raw

from frostbyte.data_plane.parse.pdf.rescue import packed_numbers, packed_objects

_OFF: Final = re.compile(rb"/OFF\s*\[([^\]]*)\]")
_ON: Final = re.compile(rb"/ON\s*\[([^\]]*)\]")
_ALL: Final = re.compile(rb"/OCGs\s*\[([^\]]*)\]")
_REFERENCE: Final = re.compile(rb"\s*(\d{1,9})\s+\d{1,5}\s+R")
_NAME: Final = re.compile(rb"/Name\s*(?:<([0-9A-Fa-f\s]*)>|\(((?:[^()\\]|\\.|\([^()]*\))*)\))", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_ESCAPED: Final = {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"b": b"\b",
    b"f": b"\f",
    b"\n": b"",
    b"\r": b"",
    b"\r\n": b"",
}
_BRACKETS: Final = re.compile(rb"<<|>>")
_MAX_OBJECT: Final = 1_000_000
_MAX_LAYERS: Final = 2_000
_MAX_MARKS: Final = 20
"""Marks of one object that are looked at."""
_HEAD: Final = 4_096
_MAX_STREAM: Final = 16_000_000


def layers_off(source: BinaryIO) -> frozenset[str]:
    """Names of the layers that viewers do not show when they open the file; none where it has none, or hides them.

    Args:
        source: the whole file; seekable.
    """
    source.seek(0)
    data = source.read()
    file = _File(data)
    at = data.rfind(b"/Root")
    root = _REFERENCE.match(data, at + len(b"/Root")) if at >= 0 else None
    properties = file.value(file.object(int(root.group(1))), b"/OCProperties") if root is not None else b""
    standard = file.value(properties, b"/D")
    off: set[int] = {number for found in _OFF.findall(standard) for number in _numbers(found)}
    if re.search(rb"/BaseState\s*/OFF\b", standard):
        off |= {number for found in _ALL.findall(properties) for number in _numbers(found)}
        off -= {number for found in _ON.findall(standard) for number in _numbers(found)}
    names = (_name(file.object(number)) for number in sorted(off)[:_MAX_LAYERS])
    return frozenset(name for name in names if name)


class _File:
    """Objects by their numbers, found without a table of them: the last of a number counts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._streams: list[tuple[list[bytes], tuple[int, int]]] | None = None
        """Numbers of the objects that a stream holds, and where its dictionary and its content begin."""
        self._last = (-1, -1)
        self._packed: dict[int, bytes] = {}
        """What the stream at `_last` holds."""

    def object(self, number: int) -> bytes:
        """The object's text, or nothing."""
        data = self._data
        mark = b"%d 0 obj" % number
        at = data.rfind(mark)
        while at > 0 and data[at - 1 : at].isdigit():
            at = data.rfind(mark, 0, at)
        if at >= 0:
            start = at + len(mark)
            end = data.find(b"endobj", start, start + _MAX_OBJECT)
            return data[start : end if end >= 0 else start + _MAX_OBJECT]
        return self._in_streams(number)

    def value(self, text: bytes, key: bytes) -> bytes:
        """The dictionary that stands behind a key, or that it refers to."""
        found = re.search(re.escape(key) + rb"(?![A-Za-z])", text)
        if found is None:
            return b""
        reference = _REFERENCE.match(text, found.end())
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


def _numbers(references: bytes) -> list[int]:
    return [int(found.group(1)) for found in _REFERENCE.finditer(references)]


def _name(layer: bytes) -> str:
    found = _NAME.search(layer)
    if found is None:
        return ""
    digits, letters = found.groups()
    if digits is not None:
        packed = b"".join(digits.split()).decode("ascii")
        value = bytes.fromhex(packed + "0" * (len(packed) % 2))
    else:
        value = _ESCAPE.sub(_unescaped, letters)
    if value.startswith(b"\xfe\xff"):
        return value[2:].decode("utf-16-be", "replace")
    if value.startswith(b"\xef\xbb\xbf"):
        return value[3:].decode("utf-8", "replace")
    return value.decode("latin-1")


def _unescaped(found: re.Match[bytes]) -> bytes:
    sign: bytes = found.group(1)
    if sign[:1].isdigit():
        return bytes([int(sign, 8) & 255])
    return _ESCAPED.get(sign, sign)


def lies_in(item: int, layers: frozenset[str]) -> bool:
    """Whether a page object is marked as part of one of the layers.

    Args:
        item: its handle.
        layers: their names.
    """
    handle = ctypes.cast(item, raw.FPDF_PAGEOBJECT)
    for number in range(min(raw.FPDFPageObj_CountMarks(handle), _MAX_MARKS)):
        mark: Any = raw.FPDFPageObj_GetMark(handle, number)
        if _text(partial(raw.FPDFPageObjMark_GetName, mark)) == "OC" and (
            _text(partial(raw.FPDFPageObjMark_GetParamStringValue, mark, b"Name")) in layers
        ):
            return True
    return False


def _text(get: Any) -> str:
    size = ctypes.c_ulong()
    buffer = (ctypes.c_ushort * 512)()
    if not get(buffer, ctypes.sizeof(buffer), size):
        return ""
    return bytes(buffer)[: max(0, min(size.value, ctypes.sizeof(buffer)) - 2)].decode("utf-16-le", "replace")
