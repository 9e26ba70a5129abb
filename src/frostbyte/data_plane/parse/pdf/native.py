"""PDFium's small getters, called thousands of times a page: typed once, handles as plain integers, results in place.

pypdfium2's own prototypes check and convert every argument anew; these cost a third. Those asked of a page or of its
text cost half of that again, as ctypes passes a `reference` on as it is, where an integer is made a pointer each time.
They keep the interpreter's lock, which is right for calls of nanoseconds and safe for a library that knows no threads.
Signatures are those of fpdf_text.h and fpdf_edit.h. Results arrive in arrays of this module: read them before the next
call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import pypdfium2.raw as raw

_HANDLE: Final = ctypes.c_void_p
_INT: Final = ctypes.c_int


def _getter(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    address = ctypes.cast(getattr(raw, name), ctypes.c_void_p).value or 0
    found: Callable[..., Any] = ctypes.PYFUNCTYPE(result, *arguments)(address)
    return found


def _of_reference(name: str, result: Any) -> Callable[..., Any]:
    """A getter whose arguments are references and integers of C's `int` only; ctypes is not told their types."""
    return _getter(name, result)


DOUBLES: Final = (ctypes.c_double * 4)()
"""Where `RAW_RECT`, `char_box` and `RAW_ORIGIN` (x and y on the baseline) put what they find."""
FLOATS: Final = (ctypes.c_float * 6)()
"""Where `RAW_LOOSE`, `bounds`, `matrix` and `font_size` put what they find."""
NUMBERS: Final = (ctypes.c_uint * 4)()
"""Where `fill_color`, `draw_mode` and `pixel_size` put what they find."""

TO_DOUBLES: Final[tuple[Any, ...]] = tuple(ctypes.byref(DOUBLES, 8 * number) for number in range(4))
"""References to them, for `RAW_RECT` and `RAW_ORIGIN` in loops where one more call counts."""
TO_NUMBERS: Final = tuple(ctypes.addressof(NUMBERS) + 4 * number for number in range(4))
"""Their addresses, for `RAW_FILL`."""
TO_FLOATS: Final[Any] = ctypes.byref(FLOATS)
"""A reference to them, for `RAW_LOOSE`."""
_F: Final = tuple(ctypes.addressof(FLOATS) + 4 * number for number in range(6))

count_objects: Final = _of_reference("FPDFPage_CountObjects", _INT)
get_object: Final = _of_reference("FPDFPage_GetObject", _HANDLE)
count_form_objects: Final = _getter("FPDFFormObj_CountObjects", _INT, _HANDLE)
get_form_object: Final = _getter("FPDFFormObj_GetObject", _HANDLE, _HANDLE, ctypes.c_ulong)
object_type: Final = _getter("FPDFPageObj_GetType", _INT, _HANDLE)
has_transparency: Final = _getter("FPDFPageObj_HasTransparency", _INT, _HANDLE)
render_mode: Final = _getter("FPDFTextObj_GetTextRenderMode", _INT, _HANDLE)
font: Final = _getter("FPDFTextObj_GetFont", _HANDLE, _HANDLE)
font_weight: Final = _getter("FPDFFont_GetWeight", _INT, _HANDLE)
count_rects: Final = _of_reference("FPDFText_CountRects", _INT)
text_object: Final = _of_reference("FPDFText_GetTextObject", _HANDLE)
_count_characters: Final = _of_reference("FPDFText_CountChars", _INT)
_characters: Final = _of_reference("FPDFText_GetText", _INT)
text_index: Final = _of_reference("FPDFText_GetCharIndexFromTextIndex", _INT)
count_segments: Final = _getter("FPDFPath_CountSegments", _INT, _HANDLE)
path_segment: Final = _getter("FPDFPath_GetPathSegment", _HANDLE, _HANDLE, _INT)
segment_type: Final = _getter("FPDFPathSegment_GetType", _INT, _HANDLE)
segment_closes: Final = _getter("FPDFPathSegment_GetClose", _INT, _HANDLE)

clip_path: Final = _getter("FPDFPageObj_GetClipPath", _HANDLE, _HANDLE)
count_clips: Final = _getter("FPDFClipPath_CountPaths", _INT, _HANDLE)
count_clip_segments: Final = _getter("FPDFClipPath_CountPathSegments", _INT, _HANDLE, _INT)
clip_segment: Final = _getter("FPDFClipPath_GetPathSegment", _HANDLE, _HANDLE, _INT, _INT)

annotation: Final = _getter("FPDFPage_GetAnnot", _HANDLE, _HANDLE, _INT)
annotation_kind: Final = _getter("FPDFAnnot_GetSubtype", _INT, _HANDLE)
annotation_has: Final = _getter("FPDFAnnot_HasKey", _INT, _HANDLE, ctypes.c_char_p)
annotation_flags: Final = _getter("FPDFAnnot_GetFlags", _INT, _HANDLE)
close_annotation: Final = _getter("FPDFPage_CloseAnnot", None, _HANDLE)

RAW_RECT = _of_reference("FPDFText_GetRect", _INT)
"""Left, top, right, bottom of a rectangle that `count_rects` counted."""
_char_box = _of_reference("FPDFText_GetCharBox", _INT)
RAW_LOOSE = _of_reference("FPDFText_GetLooseCharBox", _INT)
"""Left, top, right, bottom of the room that a character takes up; 0 if there is none."""
RAW_ORIGIN = _of_reference("FPDFText_GetCharOrigin", _INT)
RAW_FILL = _getter("FPDFPageObj_GetFillColor", _INT, _HANDLE, *[_HANDLE] * 4)
_bounds = _getter("FPDFPageObj_GetBounds", _INT, _HANDLE, *[_HANDLE] * 4)
_matrix = _getter("FPDFPageObj_GetMatrix", _INT, _HANDLE, _HANDLE)
_font_size = _getter("FPDFTextObj_GetFontSize", _INT, _HANDLE, _HANDLE)
_draw_mode = _getter("FPDFPath_GetDrawMode", _INT, _HANDLE, *[_HANDLE] * 2)
_pixel_size = _getter("FPDFImageObj_GetImagePixelSize", _INT, _HANDLE, *[_HANDLE] * 2)
_segment_point = _getter("FPDFPathSegment_GetPoint", _INT, _HANDLE, *[_HANDLE] * 2)
_font_name = _getter("FPDFFont_GetBaseFontName", ctypes.c_size_t, _HANDLE, _HANDLE, ctypes.c_size_t)


def reference(handle: Any) -> Any:
    """What the getters of a page and of its text take for pypdfium2's handle (`page.raw`, `textpage.raw`)."""
    return ctypes.byref(handle.contents)


def characters(text: Any) -> tuple[int, memoryview]:
    """How many characters a page's text has, and what PDFium writes for them all: UTF-16, low bytes first."""
    count = _count_characters(text)
    if count <= 0:
        return 0, memoryview(b"")
    buffer = bytearray(2 * (2 * count + 2))
    written = _characters(text, 0, count, ctypes.byref(ctypes.c_char.from_buffer(buffer)))
    return count, memoryview(buffer)[: 2 * max(0, written - 1)]


def char_box(text: Any, index: int) -> int:
    """Into DOUBLES: left, right, bottom, top of a character; 0 if there is none."""
    return _char_box(text, index, *TO_DOUBLES)  # type: ignore[no-any-return]


def fill_color(item: int) -> int:
    """Into NUMBERS: red, green, blue, alpha; 0 where the fill is a pattern."""
    return RAW_FILL(item, *TO_NUMBERS)  # type: ignore[no-any-return]


def bounds(item: int) -> int:
    """Into FLOATS: left, bottom, right, top of an object; 0 if it has none."""
    return _bounds(item, *_F[:4])  # type: ignore[no-any-return]


def matrix(item: int) -> int:
    """Into FLOATS: a to f of an object's matrix; 0 if it has none."""
    return _matrix(item, _F[0])  # type: ignore[no-any-return]


def font_size(item: int) -> float:
    """The font size of a text object before its matrix."""
    _font_size(item, _F[0])
    return FLOATS[0]


def draw_mode(item: int) -> int:
    """Into NUMBERS: how a path is filled (0 not at all), and whether it is stroked."""
    return _draw_mode(item, TO_NUMBERS[0], TO_NUMBERS[1])  # type: ignore[no-any-return]


def pixel_size(item: int) -> int:
    """Into NUMBERS: width and height of an image in its own pixels."""
    return _pixel_size(item, TO_NUMBERS[0], TO_NUMBERS[1])  # type: ignore[no-any-return]


def segment_point(segment: int) -> int:
    """Into FLOATS: where a segment of a path ends, in the path's own space."""
    return _segment_point(segment, _F[0], _F[1])  # type: ignore[no-any-return]


def font_name(handle: int) -> bytes:
    """A font's base name, at most 127 bytes of it."""
    buffer = ctypes.create_string_buffer(128)
    _font_name(handle, ctypes.addressof(buffer), 128)
    return buffer.value
