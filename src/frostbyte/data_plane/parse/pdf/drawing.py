"""Ruling lines, filled areas and images of a PDF page."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf.text import MAX_OBJECTS, Drawing, Frame, Picture

_THIN: Final = 2.5
"""Points: a thinner rectangle is a line."""
_SHORT: Final = 4.0
"""Points: shorter lines rule nothing."""
_MAX_SEGMENTS: Final = 400
"""Segments of one path that are looked at; longer paths are curves and letters."""
_MAX_DEPTH: Final = 4
_PAPER: Final = 245

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def read_drawing(page: pdfium.PdfPage, frame: Frame) -> Drawing:
    """Everything drawn on the page besides text."""
    reader = _Objects(frame)
    handle: Any = page.raw
    reader.all(
        raw.FPDFPage_CountObjects(handle), lambda number: raw.FPDFPage_GetObject(handle, number), _IDENTITY, depth=0
    )
    return reader.drawing


class _Objects:
    def __init__(self, frame: Frame) -> None:
        self.drawing = Drawing()
        self._frame = frame
        self._seen = 0

    def all(self, count: int, get: Callable[[int], Any], matrix: Matrix, *, depth: int) -> None:
        for number in range(max(0, count)):
            self._seen += 1
            if self._seen > MAX_OBJECTS:
                self.drawing.truncated = True
                return
            item = get(number)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                self._path(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_IMAGE:
                self._image(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH:
                inner = _multiply(_matrix(item), matrix)
                self.all(raw.FPDFFormObj_CountObjects(item), _form_getter(item), inner, depth=depth + 1)

    def _image(self, item: Any, matrix: Matrix) -> None:
        box = self._bounds(item, matrix)
        if box is None or self._frame.off_page(box):
            return
        width, height = ctypes.c_uint(), ctypes.c_uint()
        raw.FPDFImageObj_GetImagePixelSize(item, width, height)
        clipped = (
            max(0.0, box[0]),
            max(0.0, box[1]),
            min(self._frame.width, box[2]),
            min(self._frame.height, box[3]),
        )
        self.drawing.pictures.append(Picture(box=clipped, pixels=(width.value, height.value)))

    def _path(self, item: Any, matrix: Matrix) -> None:
        mode, stroke = ctypes.c_int(), ctypes.c_int()
        raw.FPDFPath_GetDrawMode(item, mode, stroke)
        if not mode.value and not stroke.value:
            return
        box = self._bounds(item, matrix)
        if box is None:
            return
        width, height = box[2] - box[0], box[3] - box[1]
        if mode.value and width > _THIN and height > _THIN and not _is_paper(item):
            self.drawing.fills.append(box)
        if self._line(box) or not stroke.value:
            return
        count = raw.FPDFPath_CountSegments(item)
        if 2 <= count <= _MAX_SEGMENTS:
            self._segments(item, count, _multiply(_matrix(item), matrix))

    def _segments(self, item: Any, count: int, matrix: Matrix) -> None:
        x, y = ctypes.c_float(), ctypes.c_float()
        begin = last = (0.0, 0.0)
        for number in range(count):
            segment = raw.FPDFPath_GetPathSegment(item, number)
            raw.FPDFPathSegment_GetPoint(segment, x, y)
            point = _apply(matrix, x.value, y.value)
            kind = raw.FPDFPathSegment_GetType(segment)
            if kind == raw.FPDF_SEGMENT_MOVETO:
                begin = point
            elif kind == raw.FPDF_SEGMENT_LINETO:
                self._edge(last, point)
            if raw.FPDFPathSegment_GetClose(segment):
                self._edge(point, begin)
            last = point

    def _edge(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        if abs(start[0] - end[0]) < 0.7 or abs(start[1] - end[1]) < 0.7:
            self._line(
                self._frame.box(
                    min(start[0], end[0]), min(start[1], end[1]), max(start[0], end[0]), max(start[1], end[1])
                )
            )

    def _line(self, box: Box) -> bool:
        width, height = box[2] - box[0], box[3] - box[1]
        if height <= _THIN and width >= _SHORT:
            self.drawing.horizontal.append(box)
        elif width <= _THIN and height >= _SHORT:
            self.drawing.vertical.append(box)
        else:
            return width <= _THIN and height <= _THIN
        return True

    def _bounds(self, item: Any, matrix: Matrix) -> Box | None:
        values = [ctypes.c_float() for _ in range(4)]
        if not raw.FPDFPageObj_GetBounds(item, *values):
            return None
        left, bottom, right, top = (value.value for value in values)
        if matrix is not _IDENTITY:
            corners = [_apply(matrix, px, py) for px in (left, right) for py in (bottom, top)]
            left, right = min(c[0] for c in corners), max(c[0] for c in corners)
            bottom, top = min(c[1] for c in corners), max(c[1] for c in corners)
        return self._frame.box(left, bottom, right, top)


def _form_getter(item: Any) -> Callable[[int], Any]:
    return lambda number: raw.FPDFFormObj_GetObject(item, number)


def _is_paper(item: Any) -> bool:
    channels = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(item, *channels):
        return False
    red, green, blue, alpha = (channel.value for channel in channels)
    return min(red, green, blue) >= _PAPER or alpha < 20


def _matrix(item: Any) -> Matrix:
    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, found):
        return _IDENTITY
    return (found.a, found.b, found.c, found.d, found.e, found.f)


def _multiply(m: Matrix, n: Matrix) -> Matrix:
    """The matrix that does `m` first and `n` after it."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _apply(m: Matrix, x: float, y: float) -> tuple[float, float]:
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]
