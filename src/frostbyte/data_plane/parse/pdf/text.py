"""What PDFium says of one page: runs of text with place and style, ruling lines, fills and images.

Everything leaves here in page units as shown: points, origin at the top left, after crop box and rotation.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Box

_COLUMN_GAP: Final = 1.6
"""Width in em of a jump inside one PDFium line that separates columns; word spaces of justified text stay below."""
_TINY: Final = 1.5
"""Points below which text cannot be read by a person."""
_WHITE: Final = 245
"""Each of red, green and blue at or above this is white on white paper."""
MAX_OBJECTS: Final = 20_000
"""Page objects looked at for rules and images; drawings beyond it have no tables that matter."""
_WORD: Final = re.compile(r"\S+")
_HYPHEN: Final = "\ufffe"
"""What PDFium puts in place of a hyphen that ends a line."""


@dataclass(slots=True)
class Run:
    """A line, or the part of it in one column and one visibility."""

    text: str
    index: Sequence[int]
    """PDFium's character number of each character of `text`."""
    box: Box
    baseline: float
    size: float
    bold: bool
    hidden: str = ""
    gap: float = 0.0
    """Points: the widest white between pieces of it that are drawn apart; a hint that it may hold table columns."""

    @property
    def height(self) -> float:
        """Height of the box in points."""
        return self.box[3] - self.box[1]


@dataclass(slots=True)
class Picture:
    """An image on the page."""

    box: Box
    pixels: tuple[int, int]


@dataclass(slots=True)
class Drawing:
    """What is drawn on the page besides text."""

    horizontal: list[Box] = field(default_factory=list)
    vertical: list[Box] = field(default_factory=list)
    fills: list[Box] = field(default_factory=list)
    """Areas filled with something that is not white."""
    pictures: list[Picture] = field(default_factory=list)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How a text object looks."""

    size: float
    bold: bool
    hidden: str


class Frame:
    """Turns PDF coordinates into those of the page as it is shown."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.left, self.bottom, self.right, self.top = page.get_bbox()
        self.rotation = int(page.get_rotation()) % 360
        self.width, self.height = (round(value, 2) for value in page.get_size())

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point in shown coordinates."""
        if self.rotation == 90:
            return y - self.bottom, x - self.left
        if self.rotation == 180:
            return self.right - x, y - self.bottom
        if self.rotation == 270:
            return self.top - y, self.right - x
        return x - self.left, self.top - y

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A box in shown coordinates, rounded to hundredths of a point."""
        x0, y0 = self.point(left, bottom)
        x1, y1 = self.point(right, top)
        return (round(min(x0, x1), 2), round(min(y0, y1), 2), round(max(x0, x1), 2), round(max(y0, y1), 2))

    def off_page(self, box: Box) -> bool:
        """Whether the box lies wholly outside the page."""
        return box[2] <= 0 or box[3] <= 0 or box[0] >= self.width or box[1] >= self.height


class PageText:
    """The text of one page, read once."""

    def __init__(self, page: pdfium.PdfPage, frame: Frame, drawing: Drawing) -> None:
        self._frame = frame
        self._drawing = drawing
        self._text = page.get_textpage()
        self._raw: Any = self._text.raw
        self._styles: dict[int, Style] = {}
        self._fonts: dict[int, bool] = {}
        self._d = [ctypes.c_double() for _ in range(4)]
        self._size = ctypes.c_float()
        self._matrix = raw.FS_MATRIX()
        self._channels = [ctypes.c_uint() for _ in range(4)]
        self._refs = [ctypes.byref(value) for value in self._d]

    def close(self) -> None:
        """Free PDFium's page."""
        self._text.close()

    def runs(self) -> list[Run]:
        """All runs in PDFium's order."""
        text, index = self._whole()
        runs: list[Run] = []
        for start, end in _line_ranges(text):
            runs.extend(self._line(text[start:end].replace(_HYPHEN, "-"), index[start:end]))
        return runs

    def char_box(self, index: int) -> Box | None:
        """The box of one character, or None where PDFium has none (generated spaces)."""
        left, right, bottom, top = self._refs
        if not raw.FPDFText_GetCharBox(self._raw, index, left, right, bottom, top):
            return None
        x0, x1, y0, y1 = (value.value for value in self._d)
        if x1 <= x0 and y1 <= y0:
            return None
        return self._frame.box(x0, y0, x1, y1)

    def _whole(self) -> tuple[str, Sequence[int]]:
        count = raw.FPDFText_CountChars(self._raw)
        if count <= 0:
            return "", range(0)
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        written = raw.FPDFText_GetText(self._raw, 0, count, buffer)
        data = bytes(buffer)[: 2 * max(0, written - 1)]
        text = data.decode("utf-16-le", "replace").rstrip("\x00")
        units = len(data) // 2
        if units == count and len(text) == count:
            return text, range(count)
        index: list[int] = []
        unit = 0
        for character in text:
            found = raw.FPDFText_GetCharIndexFromTextIndex(self._raw, unit)
            index.append(min(max(found, 0), count - 1))
            unit += 2 if ord(character) > 0xFFFF else 1
        return text, index

    def _line(self, text: str, index: Sequence[int]) -> Iterator[Run]:
        if not text.strip():
            return
        first = len(text) - len(text.lstrip())
        text, index = text[first:], index[first:]
        rects = list(self._rects(index[0], index[-1] - index[0] + 1))
        if len(rects) > 1 and (self._jumps(rects, index[0]) or self._changes(text, index)):
            cuts = self._cuts(text, index)
            if cuts:
                for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
                    piece = text[start:end]
                    if piece.strip():
                        part = index[start:end]
                        yield self._run(piece, part, list(self._rects(part[0], part[-1] - part[0] + 1)))
                return
        yield self._run(text, index, rects)

    def _run(self, text: str, index: Sequence[int], rects: list[Box]) -> Run:
        style = self._style(index[0])
        if rects:
            box = (
                min(r[0] for r in rects),
                min(r[1] for r in rects),
                max(r[2] for r in rects),
                max(r[3] for r in rects),
            )
        else:
            x, y = self._origin(index[0])
            box = (round(x, 2), round(y - style.size, 2), round(x, 2), round(y, 2))
        hidden = style.hidden
        if self._frame.off_page(box):
            hidden = "off_page"
        elif hidden == "white" and self._on_fill(box):
            hidden = ""
        baseline = self._origin(index[0])[1]
        gap = max((after[0] - before[2] for before, after in pairwise(rects)), default=0.0)
        return Run(text, index, box, baseline, style.size, style.bold, hidden, max(0.0, gap))

    def _rects(self, start: int, count: int) -> Iterator[Box]:
        left, top, right, bottom = self._refs
        for number in range(raw.FPDFText_CountRects(self._raw, start, count)):
            if raw.FPDFText_GetRect(self._raw, number, left, top, right, bottom):
                x0, y1, x1, y0 = (value.value for value in self._d)
                yield self._frame.box(x0, y0, x1, y1)

    def _jumps(self, rects: list[Box], index: int) -> bool:
        """Whether the pieces of a line stand further apart than words do."""
        em = max(self._style(index).size, 4.0)
        return any(
            after[0] - before[2] > _COLUMN_GAP * em or after[0] < before[0] - 2 * em
            for before, after in pairwise(rects)
        )

    def _changes(self, text: str, index: Sequence[int]) -> bool:
        """Whether some words of a line are hidden and some are not; asked at both ends of each word."""
        hidden = self._style(index[0]).hidden
        for word in _WORD.finditer(text):
            if self._style(index[word.start()]).hidden != hidden or self._style(index[word.end() - 1]).hidden != hidden:
                return True
        return False

    def _cuts(self, text: str, index: Sequence[int]) -> list[int]:
        """Where a line jumps to another column or changes between seen and hidden."""
        cuts: list[int] = []
        last: Box | None = None
        hidden: str | None = None
        for position, number in enumerate(index):
            if text[position].isspace():
                continue
            box = self.char_box(number)
            style = self._style(number)
            if box is not None and last is not None:
                em = max(style.size, 4.0)
                if box[0] - last[2] > _COLUMN_GAP * em or box[0] < last[0] - 2 * em:
                    cuts.append(position)
            if hidden is not None and style.hidden != hidden and (not cuts or cuts[-1] != position):
                cuts.append(position)
            last, hidden = box or last, style.hidden
        return cuts

    def _origin(self, index: int) -> tuple[float, float]:
        x, y = self._refs[:2]
        if not raw.FPDFText_GetCharOrigin(self._raw, index, x, y):
            return 0.0, 0.0
        return self._frame.point(self._d[0].value, self._d[1].value)

    def _style(self, index: int) -> Style:
        found = raw.FPDFText_GetTextObject(self._raw, index)
        if not found:
            return Style(size=10.0, bold=False, hidden="")
        address = ctypes.addressof(found.contents)
        style = self._styles.get(address)
        if style is None:
            style = self._styles[address] = self._object_style(found)
        return style

    def _object_style(self, found: Any) -> Style:
        size, matrix, channels = self._size, self._matrix, self._channels
        raw.FPDFTextObj_GetFontSize(found, size)
        raw.FPDFPageObj_GetMatrix(found, matrix)
        points = round(size.value * math.hypot(matrix.c, matrix.d), 2)
        raw.FPDFPageObj_GetFillColor(found, *channels)
        red, green, blue, alpha = (channel.value for channel in channels)
        mode = raw.FPDFTextObj_GetTextRenderMode(found)
        hidden = ""
        if mode in (3, 7) or alpha == 0:
            hidden = "invisible"
        elif mode in (0, 4) and min(red, green, blue) >= _WHITE:
            hidden = "white"
        elif points < _TINY:
            hidden = "tiny"
        return Style(size=points, bold=self._bold(found), hidden=hidden)

    def _bold(self, found: Any) -> bool:
        font = raw.FPDFTextObj_GetFont(found)
        if not font:
            return False
        address = ctypes.addressof(font.contents)
        bold = self._fonts.get(address)
        if bold is None:
            name = ctypes.create_string_buffer(128)
            raw.FPDFFont_GetBaseFontName(font, name, 128)
            bold = raw.FPDFFont_GetWeight(font) >= 600 or b"bold" in name.value.lower()
            self._fonts[address] = bold
        return bold

    def _on_fill(self, box: Box) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        areas = [*self._drawing.fills, *(picture.box for picture in self._drawing.pictures)]
        return any(area[0] <= x <= area[2] and area[1] <= y <= area[3] for area in areas)


def _line_ranges(text: str) -> Iterator[tuple[int, int]]:
    """Lines of PDFium's text: ended by CR LF, or by a hyphen that ended a line on the page."""
    start = 0
    for position, character in enumerate(text):
        if character in "\r\n":
            if position > start:
                yield start, position
            start = position + 1
        elif character == _HYPHEN:
            yield start, position + 1
            start = position + 1
    if start < len(text):
        yield start, len(text)
