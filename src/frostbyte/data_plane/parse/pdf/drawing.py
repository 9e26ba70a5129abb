"""What is drawn on a PDF page besides the letters: rules, filled areas, images; and which letters nobody sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pypdfium2 as pdfium

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf import native
from frostbyte.data_plane.parse.pdf.covers import Cover
from frostbyte.data_plane.parse.pdf.layers import lies_in
from frostbyte.data_plane.parse.pdf.sight import WHITE, clips, hides, own_visibility
from frostbyte.data_plane.parse.pdf.text import MAX_OBJECTS, Drawing, Frame, Picture

_TEXT: Final = 1
_PATH: Final = 2
_IMAGE: Final = 3
_SHADING: Final = 4
_FORM: Final = 5
"""Kinds of page objects (fpdf_edit.h)."""
_LINE_TO: Final = 0
_MOVE_TO: Final = 2
"""Kinds of segments (fpdf_edit.h); 1 is a curve."""

_THIN: Final = 2.5
"""Points: a thinner rectangle is a line."""
_SHORT: Final = 0.8
"""Points: shorter lines are dots. Some files draw each dash by itself, so short ones are kept."""
_PIECE: Final = _SHORT - 0.05
"""As `_SHORT`, before boxes are rounded."""
_MAX_SEGMENTS: Final = 400
"""Segments of one path that are looked at; longer paths are curves and letters."""
_MAX_ALL_SEGMENTS: Final = 60_000
"""Segments of one page that are looked at."""
_RECTANGLE: Final = 5
"""Segments of a path that is at most one rectangle."""
_STRAIGHT: Final = 7
"""Segments up to which a shape is no letter but an I."""
_LETTER: Final = 60.0
"""Points of height that letters drawn as shapes have at most; what is wider may be a word."""
_MAX_DEPTH: Final = 4
_ALIKE: Final = 12
"""Shades of 255 in each of red, green and blue by which colours differ that nobody tells apart."""
_FAINT: Final = 20
"""Alpha of 255 below which a fill is not seen."""

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def read_drawing(page: pdfium.PdfPage, frame: Frame, off: frozenset[str]) -> Drawing:
    """Everything drawn on the page: one pass over its objects, in the order in which they are painted.

    Args:
        page: the open page.
        frame: its frame.
        off: names of layers that are not shown.
    """
    reader = _Objects(page, frame, off)
    handle = native.reference(page.raw)
    reader.all(native.count_objects(handle), native.get_object, handle, _IDENTITY, depth=0)
    return reader.drawing


class _Objects:
    def __init__(self, page: pdfium.PdfPage, frame: Frame, off: frozenset[str]) -> None:
        self.drawing = Drawing()
        self._off = off
        self._whole: Box = (0.0, 0.0, frame.width, frame.height)
        self._limit = self._whole
        """What can be seen of the page, or of the form whose objects are looked at."""
        self._page = page
        self._frame = frame
        self._seen = 0
        self._grounds: set[int] = set()
        """Sixteenths of red near those of the areas so far: letters of other colours are seen on all of them."""
        self._segments_left = _MAX_ALL_SEGMENTS

    def all(self, count: int, get: Callable[[Any, int], Any], parent: Any, matrix: Matrix, *, depth: int) -> None:
        limit = self._limit
        order, unseen = self.drawing.order, self.drawing.unseen
        kind_of, color, mode_of, numbers = native.object_type, native.RAW_FILL, native.render_mode, native.NUMBERS
        grounds = self._grounds
        n0, n1, n2, n3 = native.TO_NUMBERS
        for number in range(max(0, count)):
            self._seen = seen = self._seen + 1
            if seen > MAX_OBJECTS:
                self.drawing.truncated = True
                return
            item = get(parent, number)
            if self._off and lies_in(item, self._off):
                self._switched_off(item, depth)
                continue
            # Asked for every letter's object: the common answer, dark and filled text, must cost two calls.
            mode = mode_of(item)  # below zero for what is no text
            kind = kind_of(item) if mode < 0 else _TEXT
            if kind == _TEXT:
                order[item] = seen
                filled = color(item, n0, n1, n2, n3)
                if (mode or (filled and (numbers[0] >= WHITE or not numbers[3]))) and (hidden := own_visibility(item)):
                    unseen[item] = hidden
                elif (
                    grounds and filled and not mode and numbers[0] // 16 in grounds and self._blends(item, matrix)
                ) or (depth and self._is_cut_off(item, matrix, limit)):
                    unseen[item] = "invisible"
            elif kind == _PATH:
                self._path(item, matrix)
            elif kind == _IMAGE:
                self._image(item, matrix)
            elif kind == _SHADING:
                box = self._bounds(item, matrix)
                if box is not None:
                    self.drawing.covers.add(Cover(self._seen, box, False, -1, 0))
            elif kind == _FORM and depth < _MAX_DEPTH:
                inner = _multiply(_matrix(item), matrix)
                for box in clips(item):
                    self._limit = _common(self._limit, _around(matrix, box, self._frame))
                self.all(native.count_form_objects(item), native.get_form_object, item, inner, depth=depth + 1)
                self._limit = limit

    def _is_cut_off(self, item: int, matrix: Matrix, limit: Box) -> bool:
        """Whether nothing is seen of a form's letters. PDFium keeps no clip that cuts nothing, so that few have one."""
        path = native.clip_path(item)
        if limit is self._whole and not (path and native.count_clips(path) > 0):
            return False
        box = self._bounds(item, matrix)
        if box is None:
            return False
        for clip in clips(item):
            limit = _common(limit, _around(matrix, clip, self._frame))
        return box[2] <= limit[0] or box[0] >= limit[2] or box[3] <= limit[1] or box[1] >= limit[3]

    def _switched_off(self, item: int, depth: int) -> None:
        """What lies in a layer that is off paints nothing; its letters, and those of what is drawn with it, are
        unseen."""
        kind = native.object_type(item)
        if kind == _TEXT:
            self.drawing.order[item] = self._seen
            self.drawing.unseen[item] = "invisible"
        elif kind == _FORM and depth < _MAX_DEPTH:
            for number in range(max(0, native.count_form_objects(item))):
                self._switched_off(native.get_form_object(item, number), depth + 1)

    def _blends(self, item: int, matrix: Matrix) -> bool:
        """Whether the letters, whose colour was just asked for, have that of what lies under them all."""
        letters = native.NUMBERS[0], native.NUMBERS[1], native.NUMBERS[2]
        box = self._bounds(item, matrix)
        if box is None:
            return False
        left, top, right, bottom = box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1
        for cover in reversed(self.drawing.covers.all):
            area = cover.box
            if area[0] <= left and area[1] <= top and area[2] >= right and area[3] >= bottom:
                under = cover.colour >> 16, cover.colour >> 8 & 255, cover.colour & 255
                alike = cover.colour >= 0 and all(abs(a - b) <= _ALIKE for a, b in zip(letters, under, strict=True))
                return alike and hides(cover.item, self._page)
            if area[0] < right and area[1] < bottom and area[2] > left and area[3] > top:
                return False  # several lie under them
        return False

    def _image(self, item: int, matrix: Matrix) -> None:
        box = self._bounds(item, matrix)
        if box is None or self._frame.off_page(box):
            return
        native.pixel_size(item)
        pixels = native.NUMBERS[0], native.NUMBERS[1]
        clipped = (
            max(0.0, box[0]),
            max(0.0, box[1]),
            min(self._frame.width, box[2]),
            min(self._frame.height, box[3]),
        )
        self.drawing.pictures.append(Picture(box=clipped, pixels=pixels))
        self.drawing.covers.add(Cover(self._seen, box, False, -1, item))

    def _path(self, item: int, matrix: Matrix) -> None:
        native.draw_mode(item)
        filled, stroked = native.NUMBERS[0], native.NUMBERS[1]
        if not filled and not stroked:
            return
        box = self._bounds(item, matrix)
        if box is None:
            return
        if box[2] - box[0] <= _THIN or box[3] - box[1] <= _THIN:
            self._line(box)
            return
        count = native.count_segments(item)
        if count > _STRAIGHT and filled and box[3] - box[1] <= _LETTER:
            self.drawing.outlines += 1 if box[2] - box[0] <= _LETTER else count // 15
        legible = 2 <= count <= min(_MAX_SEGMENTS, self._segments_left)
        # Some programs draw all rules of a table as one filled path.
        several = bool(filled) and count > _RECTANGLE and legible
        if filled and not several:
            self._fill(item, box)
        if (stroked or several) and legible:
            self._segments_left -= count
            shapes = self._segments(item, count, _multiply(_matrix(item), matrix), stroked=bool(stroked))
            if several:
                self._shapes(item, box, shapes)

    def _fill(self, item: int, box: Box) -> None:
        paper, colour = False, -1
        if native.fill_color(item):
            red, green, blue, alpha = native.NUMBERS
            if alpha < _FAINT:
                return
            paper = min(red, green, blue) >= WHITE
            colour = red << 16 | green << 8 | blue
        self.drawing.covers.add(Cover(self._seen, box, paper, colour, item))
        if not paper:
            self.drawing.fills.append(box)
            if colour >= 0:
                self._grounds.update((red // 16 - 1, red // 16, red // 16 + 1))

    def _shapes(self, item: int, box: Box, shapes: list[list[tuple[float, float]]]) -> None:
        """The rules among the shapes of a filled path; what is left of it is an area."""
        area = False
        for shape in shapes:
            xs, ys = [point[0] for point in shape], [point[1] for point in shape]
            part = self._frame.box(min(xs), min(ys), max(xs), max(ys))
            if part[2] - part[0] <= _THIN or part[3] - part[1] <= _THIN:
                self._line(part)
            elif len(shapes) > 1 and len(shape) <= _RECTANGLE:
                self._fill(item, part)
            else:
                area = True
        if area:
            self._fill(item, box)

    def _segments(self, item: int, count: int, matrix: Matrix, *, stroked: bool) -> list[list[tuple[float, float]]]:
        """The points of each shape of a path; straight edges that are stroked are lines."""
        a, b, c, d, e, f = matrix
        get, locate, kind_of, closes = (
            native.path_segment,
            native.segment_point,
            native.segment_type,
            native.segment_closes,
        )
        found = native.FLOATS
        shapes: list[list[tuple[float, float]]] = []
        shape: list[tuple[float, float]] = []
        for number in range(count):
            segment = get(item, number)
            locate(segment)
            x, y = found[0], found[1]
            point = (a * x + c * y + e, b * x + d * y + f)
            kind = kind_of(segment)
            if kind == _MOVE_TO or not shapes:
                shape = []
                shapes.append(shape)
            elif stroked and kind == _LINE_TO:
                self._edge(shape[-1], point)
            shape.append(point)
            if stroked and closes(segment):
                self._edge(point, shape[0])
        return shapes

    def _edge(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        (x0, y0), (x1, y1) = start, end
        if x1 < x0:
            x0, x1 = x1, x0
        if y1 < y0:
            y0, y1 = y1, y0
        across, down = x1 - x0, y1 - y0
        # What is shorter than `_SHORT` even after rounding, as the pieces of a curve are, is not worth a box.
        if (across < 0.7 or down < 0.7) and (across > _PIECE or down > _PIECE):
            self._line(self._frame.box(x0, y0, x1, y1))

    def _line(self, box: Box) -> None:
        width, height = box[2] - box[0], box[3] - box[1]
        if height <= _THIN and width >= max(_SHORT, height):
            self.drawing.horizontal.append(box)
        elif width <= _THIN and height >= _SHORT:
            self.drawing.vertical.append(box)

    def _bounds(self, item: int, matrix: Matrix) -> Box | None:
        if not native.bounds(item):
            return None
        left, bottom, right, top = native.FLOATS[:4]
        if matrix is not _IDENTITY:
            return _around(matrix, (left, bottom, right, top), self._frame)
        return self._frame.box(left, bottom, right, top)


def _around(matrix: Matrix, bounds: Box, frame: Frame) -> Box:
    """The box on the page around left, bottom, right and top in a space that the matrix takes to the page's."""
    left, bottom, right, top = bounds
    corners = [_apply(matrix, px, py) for px in (left, right) for py in (bottom, top)]
    xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return frame.box(min(xs), min(ys), max(xs), max(ys))


def _common(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _matrix(item: int) -> Matrix:
    if not native.matrix(item):
        return _IDENTITY
    a, b, c, d, e, f = native.FLOATS
    return (a, b, c, d, e, f)


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
