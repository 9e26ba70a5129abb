"""How the text objects of a PDF page look: size, face, weight and turn."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.parse.pdf import native

_BOLD: Final = re.compile(
    rb"bold|black|heavy|(?:^|\+)(?:cm|ec|sf|la|t[ck]s?)[a-z]*b[xc]|(?:^|\+)[a-z]*-bd", re.IGNORECASE
)


@dataclass(slots=True)
class Style:
    """How a text object looks."""

    size: float
    bold: bool
    font: str
    turn: int
    slanted: bool = False
    """Whether it stands at an angle."""


SLANTED: Final = 45
"""The turn of text that runs across the page at an angle, as watermarks do."""
_LEANING: Final = 0.18
"""Tangent of the angle up to which text is only a scan's that lay askew."""
_UNKNOWN: Final = Style(size=10.0, bold=False, font="", turn=0)


class Styles:
    """The styles of one page's text objects, each found once."""

    def __init__(self, rotation: int) -> None:
        self.known: dict[int, Style] = {}
        """By the handle of the text object."""
        self._fonts: dict[int, tuple[bool, str]] = {}
        self._alike: dict[tuple[float, ...], Style] = {}
        """By size, matrix and font: nearly all objects of a page look like one before."""
        self._rotation = rotation

    def of(self, item: int) -> Style:
        """The style of a text object; a common one where there is none (0)."""
        style = self.known.get(item)
        if style is None:
            style = self.known[item] = self._new_style(item) if item else _UNKNOWN
        return style

    def _new_style(self, item: int) -> Style:
        size, font, found = native.font_size(item), native.font(item) or 0, native.FLOATS
        known = native.matrix(item)
        a, b, c, d = (found[0], found[1], found[2], found[3]) if known else (1.0, 0.0, 0.0, 1.0)
        look = (size, a, b, c, d, font)
        style = self._alike.get(look)
        if style is None:
            style = self._alike[look] = self._looking(size, a, b, c, d, font)
        return style

    def _looking(self, size: float, a: float, b: float, c: float, d: float, font: int) -> Style:
        """The style of type of a size before its matrix, of which the first four numbers are given."""
        turn = self._rotation
        if b or c or a < 0:
            size *= math.hypot(c, d)
            if abs(b) > abs(a):
                turn += 270 if b > 0 else 90
            elif a < 0 and d < 0:
                turn += 180
        else:
            size *= abs(d)
        across, along = sorted((abs(a), abs(b)))
        slanted = across > _LEANING * along
        face = self._fonts.get(font)
        if face is None:
            face = self._fonts[font] = _face(font) if font else (False, "")
        return Style(round(size, 2), face[0], face[1], turn % 360, slanted)


def _face(font: int) -> tuple[bool, str]:
    """Whether a font is bold, by its weight or its name (TeX calls its bold faces cmbx, txb, ...-Bd); and that name."""
    name = native.font_name(font)
    bold = native.font_weight(font) >= 600 or _BOLD.search(name) is not None
    return bold, name.decode("latin-1").split("+", 1)[-1]
