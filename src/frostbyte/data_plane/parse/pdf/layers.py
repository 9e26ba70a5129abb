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

from frostbyte.data_plane.parse.pdf.objects import File, numbers

_OFF: Final = re.compile(rb"/OFF\s*\[([^\[\]]*)\]")
_ON: Final = re.compile(rb"/ON\s*\[([^\[\]]*)\]")
_ALL: Final = re.compile(rb"/OCGs\s*\[([^\[\]]*)\]")
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
_MAX_LAYERS: Final = 2_000
_MAX_MARKS: Final = 20
"""Marks of one object that are looked at."""


def layers_off(source: BinaryIO) -> frozenset[str]:
    """Names of the layers that viewers do not show when they open the file; none where it has none, or hides them.

    Args:
        source: the whole file; seekable.
    """
    source.seek(0)
    data = source.read()
    file = File(data)
    properties = file.value(file.catalogue(), b"/OCProperties")
    standard = file.value(properties, b"/D")
    off: set[int] = {number for found in _OFF.findall(standard) for number in numbers(found)}
    if re.search(rb"/BaseState\s*/OFF\b", standard):
        off |= {number for found in _ALL.findall(properties) for number in numbers(found)}
        off -= {number for found in _ON.findall(standard) for number in numbers(found)}
    names = (_name(file.object(number)) for number in sorted(off)[:_MAX_LAYERS])
    return frozenset(name for name in names if name)


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
