"""Which letters of a PDF page nobody sees: by their own colour or mode, by what lies under or over them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf import native

WHITE: Final = 245
"""Each of red, green and blue at or above this is white on white paper."""
_OPAQUE: Final = 230
"""Alpha of 255 from which a picture hides what lies under it."""
_RECTANGLE: Final = 6
"""Segments of a path that is no more than a rectangle."""
_MAX_CLIPS: Final = 50


def own_visibility(item: int) -> str:
    """Why a text object cannot be seen by its mode or colour alone, or ''."""
    mode = native.render_mode(item)
    if mode in (3, 7):
        return "invisible"
    if native.fill_color(item):
        red, green, blue, alpha = native.NUMBERS
        if not alpha:
            return "invisible"
        if red >= WHITE and green >= WHITE and blue >= WHITE and mode in (0, 4):
            return "white"
    return ""


def hides(item: int, page: pdfium.PdfPage) -> bool:
    """Whether an object hides all that stands in its bounds and was painted before it.

    Only what certainly hides counts: a rectangle or a picture without transparency, and cut to no smaller part.
    """
    if native.has_transparency(item) or _is_clipped(item):
        return False
    if native.object_type(item) == raw.FPDF_PAGEOBJ_PATH:
        return int(native.count_segments(item)) <= _RECTANGLE
    return _is_opaque(item, page)


def _is_clipped(item: int) -> bool:
    """Whether the object is cut to something that is not as large as itself."""
    if not native.bounds(item):
        return False
    left, bottom, right, top = native.FLOATS[:4]
    return any(
        around[0] > left + 1 or around[2] < right - 1 or around[1] > bottom + 1 or around[3] < top - 1
        for around in clips(item)
    )


def clips(item: int) -> Iterator[Box]:
    """Around each path to which an object is cut: left, bottom, right, top, in the space where it lies."""
    path = native.clip_path(item)
    for number in range(min(native.count_clips(path), _MAX_CLIPS) if path else 0):
        xs: list[float] = []
        ys: list[float] = []
        for segment in range(min(native.count_clip_segments(path, number), _MAX_CLIPS)):
            native.segment_point(native.clip_segment(path, number, segment))
            xs.append(native.FLOATS[0])
            ys.append(native.FLOATS[1])
        if xs:
            yield min(xs), min(ys), max(xs), max(ys)


def _is_opaque(item: int, page: pdfium.PdfPage) -> bool:
    """Whether a picture has no mask that lets through what is under it: asked of its own rendering, with alpha."""
    handle = ctypes.cast(item, raw.FPDF_PAGEOBJECT)
    owner: Any = page.pdf
    bitmap: Any = raw.FPDFImageObj_GetRenderedBitmap(owner.raw, page.raw, handle)
    if not bitmap:
        return False
    try:
        if raw.FPDFBitmap_GetFormat(bitmap) != raw.FPDFBitmap_BGRA:
            return True
        width, height = raw.FPDFBitmap_GetWidth(bitmap), raw.FPDFBitmap_GetHeight(bitmap)
        stride = raw.FPDFBitmap_GetStride(bitmap)
        data = ctypes.string_at(raw.FPDFBitmap_GetBuffer(bitmap), stride * height)
        alphas = [data[y * stride + 4 * x + 3] for y in _steps(height) for x in _steps(width)]
        return bool(alphas) and sum(alphas) / len(alphas) >= _OPAQUE
    finally:
        raw.FPDFBitmap_Destroy(bitmap)


def _steps(length: int) -> range:
    """About sixteen places, evenly apart."""
    return range(0, length, max(1, length // 16))
