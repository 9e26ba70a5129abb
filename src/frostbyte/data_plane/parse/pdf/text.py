"""What PDFium says of one page: runs of text with place and style.

Everything leaves here in page units as shown: points, origin at the top left, after crop box and rotation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pypdfium2 as pdfium

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.pdf import native
from frostbyte.data_plane.parse.pdf.covers import Covers
from frostbyte.data_plane.parse.pdf.pieces import ACROSS, TINY, gaps_of, looks_tiny
from frostbyte.data_plane.parse.pdf.sight import hides, own_visibility
from frostbyte.data_plane.parse.pdf.style import SLANTED, Styles

_WIDE: Final = 0.6
"""Em of white inside a line that may be a narrow gutter; spaces are a quarter to a third, more in justified lines."""
MAX_OBJECTS: Final = 20_000
"""Page objects looked at for rules and images; drawings beyond it have no tables that matter."""
_LINE: Final = re.compile("[^\r\n\ufffe]+\ufffe?")
"""Lines of PDFium's text: ended by CR LF, or by a hyphen that ended a line on the page."""
_WORD: Final = re.compile(r"\S+")
_HYPHEN: Final = "\ufffe"
"""What PDFium puts in place of a hyphen that ends a line."""
_MEANINGLESS: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
"""Controls, private use, and what stands for the unknown."""
_GARBLED: Final = 0.3
"""Part of a page's signs that mean nothing from which it is read by its picture."""
_SPACE: Final[Any] = np.uint16(0x20)
_FEW_SIGNS: Final = 20
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Hebrew, Arabic and their presentation forms."""
_DOUBLES: Final = native.DOUBLES
_TO_X: Final = native.TO_DOUBLES[0]
_TO_Y: Final = native.TO_DOUBLES[1]


@dataclass(slots=True)
class Run:
    """A line, or the part of it in one column and one visibility."""

    text: str
    index: Sequence[int]
    """PDFium's character number of each character of `text`."""
    box: Box
    baseline: float
    """Where its letters stand, growing from line to line whatever way they are turned."""
    size: float
    bold: bool
    hidden: str = ""
    gap: float = 0.0
    """Points: the widest white between pieces of it that are drawn apart; a hint that it may hold table columns."""
    turn: int = 0
    """Degrees clockwise by which the letters are turned on the page as shown: 0, 90, 180 or 270; or `SLANTED`."""
    font: str = ""
    """The face's name, without the mark of a subset."""
    gaps: tuple[tuple[float, float], ...] = ()
    """From where to where it is white inside, for whites wider than words leave as a rule; of upright text."""
    leftward: bool = False
    """Read from right to left."""
    layer: bool = False
    """Of the text layer that another program put over a scan."""
    words: tuple[tuple[int, int, Box], ...] = ()
    """Start and end in `text` and place of each word, where they were asked for."""

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
    covers: Covers = field(default_factory=Covers)
    order: dict[int, int] = field(default_factory=dict)
    """When each text object is painted, by its handle."""
    unseen: dict[int, str] = field(default_factory=dict)
    """Text objects that their own colour or mode hides, and why."""
    outlines: int = 0
    """Filled shapes that may be letters, by their size and their edges."""
    truncated: bool = False


def hundredths(left: float, top: float, right: float, bottom: float) -> Box:
    """A box rounded to hundredths of a point. `round(x, 2)` prints the number and reads it again, twice the time."""
    try:
        return round(left * 100) / 100, round(top * 100) / 100, round(right * 100) / 100, round(bottom * 100) / 100
    except (OverflowError, ValueError):  # endless, or no number: as files state that break PDFium's arithmetic
        return round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)


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
        if not self.rotation:
            across, down = self.left, self.top
            return hundredths(left - across, down - top, right - across, down - bottom)
        x0, y0 = self.point(left, bottom)
        x1, y1 = self.point(right, top)
        return hundredths(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def off_page(self, box: Box) -> bool:
        """Whether the box lies wholly outside the page."""
        return box[2] <= 0 or box[3] <= 0 or box[0] >= self.width or box[1] >= self.height


class PageText:
    """The text of one page, read once."""

    def __init__(self, page: pdfium.PdfPage, frame: Frame, drawing: Drawing) -> None:
        self._frame = frame
        self._drawing = drawing
        self._page = page
        self.slanted = False
        """Whether any run is `SLANTED`."""
        self._text = page.get_textpage()
        self._handle = native.reference(self._text.raw)
        self._styles = Styles(frame.rotation)
        self.garbled = False
        """Whether much of the text is signs that mean nothing: of fonts that do not say what their glyphs are."""
        self._doubtful = bool(drawing.unseen) or drawing.truncated
        self._last_cover = drawing.covers.last

    def close(self) -> None:
        """Free PDFium's page."""
        self._text.close()

    def runs(self) -> list[Run]:
        """All runs in PDFium's order."""
        text, index = self._whole()
        runs: list[Run] = []
        for match in _LINE.finditer(text):
            end, line = match.end(), match.group()
            if line[-1] == _HYPHEN:
                line = line[:-1] + "-"
            stripped = line.lstrip()
            if stripped:
                self._line(stripped, index[end - len(stripped) : end], runs)
        return runs

    def char_box(self, index: int) -> Box | None:
        """The box of one character, or None where PDFium has none (generated spaces)."""
        if not native.char_box(self._handle, index):
            return None
        x0, x1, y0, y1 = native.DOUBLES
        if x1 <= x0 and y1 <= y0:
            return None
        return self._frame.box(x0, y0, x1, y1)

    def reach(self, index: int) -> tuple[float, float]:
        """From where to where one character takes up room on its line; a space that PDFium made up takes none."""
        native.RAW_LOOSE(self._handle, index, native.TO_FLOATS)
        found, frame = native.FLOATS, self._frame
        if not frame.rotation:
            return found[0] - frame.left, found[2] - frame.left
        left, top, right, bottom = found[:4]
        (x0, _), (x1, _) = self._frame.point(left, bottom), self._frame.point(right, top)
        return min(x0, x1), max(x0, x1)

    def spaces(self, index: Sequence[int], starts: Sequence[int]) -> list[tuple[float, float, float]]:
        """For each position where a word starts: left and right of the space before it, and its own left."""
        if self._frame.rotation:
            reach = self.reach
            return [(*reach(index[start - 1]), reach(index[start])[0]) for start in starts]
        handle, box, found, across = self._handle, native.RAW_LOOSE, native.FLOATS, self._frame.left
        target = native.TO_FLOATS
        result: list[tuple[float, float, float]] = []
        for start in starts:
            box(handle, index[start - 1], target)
            left, right = found[0], found[2]
            box(handle, index[start], target)
            result.append((left - across, right - across, found[0] - across))
        return result

    def _whole(self) -> tuple[str, Sequence[int]]:
        count, data = native.characters(self._handle)
        if not count:
            return "", range(0)
        text = str(data, "utf-16-le", "replace").rstrip("\x00")
        units = np.frombuffer(data, np.uint16)
        # Asked of every page, so of all of it at once: controls, which become large, and what lies from 0xE000 up.
        if np.count_nonzero(units - _SPACE >= 0xDFE0) > _GARBLED * count:
            signs = sum(not character.isspace() for character in text)
            self.garbled = len(_MEANINGLESS.findall(text)) > _GARBLED * max(signs, _FEW_SIGNS)
        if len(data) // 2 == count == len(text):
            return text, range(count)
        index: list[int] = []
        unit = 0
        for character in text:
            found = native.text_index(self._handle, unit)
            index.append(min(max(found, 0), count - 1))
            unit += 2 if ord(character) > 0xFFFF else 1
        return text, index

    def _line(self, text: str, index: Sequence[int], runs: list[Run]) -> None:
        first = index[0]
        pieces = self._rects(first, index[-1] - first + 1)
        item = native.text_object(self._handle, first) or 0
        leftward = not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None
        if len(pieces) < 2:
            runs.append(self._run(text, index, pieces, 0.0, item, leftward))
            return
        style = self._styles.known.get(item) or self._styles.of(item)
        gap, jumps = gaps_of(pieces, style, leftward)
        cuts = [(self._boundary(index, jump), jump) for jump in jumps]
        small = looks_tiny(pieces)
        if small or (self._doubtful and self._has_unseen(text, index)):
            cuts = self._with_changes(text, index, cuts, small)
        if not cuts:
            runs.append(self._run(text, index, pieces, gap, item, leftward))
            return
        start = drawn = 0
        for end, upto in [*cuts, (len(text), len(pieces))]:
            part = text[start:end]
            if part.strip():
                inside = pieces[drawn:upto]
                if not inside or upto < 0:  # a change inside one object: its pieces are not those of the line
                    inside = self._rects(index[start], index[end - 1] - index[start] + 1)
                runs.append(self._part(part, index[start:end], inside, gaps_of(inside, style, leftward)[0]))
            start, drawn = end, upto

    def _part(self, text: str, index: Sequence[int], pieces: list[Box], gap: float) -> Run:
        """A run that is not the whole of its line."""
        item = native.text_object(self._handle, index[0]) or 0
        leftward = not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None
        return self._run(text, index, pieces, gap, item, leftward)

    def _run(self, text: str, index: Sequence[int], pieces: list[Box], gap: float, item: int, leftward: bool) -> Run:
        """The run whose first letter is drawn by the text object `item`."""
        first, frame = index[0], self._frame
        style = self._styles.known.get(item) or self._styles.of(item)
        turn, size, bold = style.turn, style.size, style.bold
        native.RAW_ORIGIN(self._handle, first, _TO_X, _TO_Y)
        x, y = _DOUBLES[0], _DOUBLES[1]
        x, y = frame.point(x, y) if frame.rotation else (x - frame.left, frame.top - y)
        if len(pieces) == 1:
            left, top, right, bottom = pieces[0]
        elif pieces:
            lefts, tops, rights, bottoms = zip(*pieces, strict=True)
            left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
        else:
            left, top, right, bottom = x, y - size, x, y
        box = hundredths(left, top, right, bottom)
        if bottom - top > 2.5 * size and right - left > 2.5 * size and len(text) > 1:
            size = min(box[3] - box[1], box[2] - box[0])  # a font with a scale of its own (Type 3)
        if bold and len(pieces) > 1:
            # A line that only begins in bold is not bold: its last letters tell.
            last = native.text_object(self._handle, index[len(text.rstrip()) - 1]) or 0
            bold = last == item or self._styles.of(last).bold
        hidden = ""
        if (
            self._doubtful
            or size < TINY
            or not (right > 0 and bottom > 0 and left < frame.width and top < frame.height)
            or (self._last_cover and self._last_cover > self._drawing.order.get(item, 0))
        ):
            hidden = self._hidden(item, box, size)
        if style.slanted and right - left > ACROSS and bottom - top > ACROSS:
            turn = SLANTED
        if turn:
            self.slanted |= turn == SLANTED
            baseline = -x if turn == 90 else -y if turn == 180 else x
            return Run(text, index, box, baseline, size, bold, hidden, gap, turn, style.font, (), leftward)
        run = Run(text, index, box, y, size, bold, hidden, gap, 0, style.font, (), leftward)
        if gap > _WIDE * size and not leftward:
            run.gaps = tuple(
                (before[2], after[0]) for before, after in pairwise(pieces) if after[0] - before[2] > _WIDE * size
            )
        return run

    def locate_words(self, run: Run) -> None:
        """Find the place of each word of the run: two look-ups a character, so only where asked."""
        words: list[tuple[int, int, Box]] = []
        for word in _WORD.finditer(run.text):
            boxes = [box for number in run.index[word.start() : word.end()] if (box := self.char_box(number))]
            if boxes:
                lefts, tops, rights, bottoms = zip(*boxes, strict=True)
                words.append((word.start(), word.end(), (min(lefts), min(tops), max(rights), max(bottoms))))
        run.words = tuple(words)

    def parted(self, run: Run, at: float) -> tuple[Run, ...]:
        """The run in two where it passes the place `at` (points from the left); whole if no word begins after it."""
        for word in _WORD.finditer(run.text):
            box = self.char_box(run.index[word.start()])
            if box is not None and box[0] >= at:
                parts = (
                    (run.text[: word.start()], run.index[: word.start()]),
                    (run.text[word.start() :], run.index[word.start() :]),
                )
                return tuple(
                    self._part(text, index, self._rects(index[0], index[-1] - index[0] + 1), 0.0)
                    for text, index in parts
                    if text.strip()
                )
        return (run,)

    def _hidden(self, item: int, box: Box, size: float) -> str:
        """What hides a run, which may be nothing after all."""
        hidden = self._unseen(item) if self._doubtful else ""
        if self._frame.off_page(box):
            return "off_page"
        if hidden == "invisible":
            return hidden
        if hidden == "white" and self._on_colour(item, box):
            hidden = ""
        return hidden or ("tiny" if size < TINY else "covered" if self._is_covered(item, box) else "")

    def _is_covered(self, item: int, box: Box) -> bool:
        painted = self._drawing.order.get(item)
        if painted is None:
            return False
        left, top, right, bottom = box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1
        for cover in reversed(self._drawing.covers.at((top + bottom) / 2)):
            if cover.order <= painted:
                break
            area = cover.box
            around = area[0] <= left and area[1] <= top and area[2] >= right and area[3] >= bottom
            if around and cover.item and hides(cover.item, self._page):
                return True
        return False

    def _unseen(self, item: int) -> str:
        """What hides a text object by itself; asked anew where the page had too many objects to look at all."""
        if item in self._drawing.order or not item:
            return self._drawing.unseen.get(item, "")
        return own_visibility(item)

    def _on_colour(self, item: int, box: Box) -> bool:
        """Whether what lies under the letters is not white."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        painted = self._drawing.order.get(item, MAX_OBJECTS)
        under = False
        for cover in self._drawing.covers.at(y):
            area = cover.box
            if cover.order < painted and area[0] <= x <= area[2] and area[1] <= y <= area[3]:
                under = not cover.paper
        return under

    def _rects(self, start: int, count: int) -> list[Box]:
        """The pieces of a line that are drawn apart, in its order, as boxes that are not rounded."""
        handle, get, found = self._handle, native.RAW_RECT, _DOUBLES
        p0, p1, p2, p3 = native.TO_DOUBLES
        frame = self._frame
        pieces: list[Box] = []
        number = native.count_rects(handle, start, count)
        if frame.rotation:
            for position in range(number):
                if get(handle, position, p0, p1, p2, p3):
                    left, top, right, bottom = found
                    x0, y0 = frame.point(left, bottom)
                    x1, y1 = frame.point(right, top)
                    pieces.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
            return pieces
        across, down = frame.left, frame.top
        for position in range(number):
            if get(handle, position, p0, p1, p2, p3):
                left, top, right, bottom = found
                pieces.append((left - across, down - top, right - across, down - bottom))
        return pieces

    def _boundary(self, index: Sequence[int], pieces: int) -> int:
        """The character with which the piece numbered `pieces` (from 0) of a line begins."""
        first, low, high = index[0], 0, len(index) - 1
        while low < high:
            middle = (low + high) // 2
            if native.count_rects(self._handle, first, index[middle] - first + 1) > pieces:
                high = middle
            else:
                low = middle + 1
        return low

    def _has_unseen(self, text: str, index: Sequence[int]) -> bool:
        """Whether a word of the line may be hidden by itself; asked at both ends of each."""
        get, handle, unseen = native.text_object, self._handle, self._drawing.unseen
        if self._drawing.truncated:
            return True
        for word in _WORD.finditer(text):
            if get(handle, index[word.start()]) in unseen or get(handle, index[word.end() - 1]) in unseen:
                return True
        return False

    def _with_changes(
        self, text: str, index: Sequence[int], cuts: list[tuple[int, int]], small: bool
    ) -> list[tuple[int, int]]:
        """The cuts, and where a line changes between seen and hidden, which is asked at both ends of each word."""
        get, handle = native.text_object, self._handle
        changes: list[int] = []
        hidden: str | None = None
        before = -1
        for word in _WORD.finditer(text):
            start, last = word.start(), word.end() - 1
            first, final = get(handle, index[start]), get(handle, index[last])
            if first == final == before:
                continue  # the same object as the last letter's: nearly all words
            now = self._look(first, small)
            if hidden is not None and now != hidden:
                changes.append(start)
            before, hidden = final, self._look(final, small)
            if hidden != now:
                changes.append(self._turning(index, start, last, now, small))
        if not changes:
            return cuts
        return [(position, -1) for position in sorted({*changes, *(position for position, _ in cuts)})]

    def _look(self, item: int, small: bool) -> str:
        hidden = self._unseen(item) if self._doubtful else ""
        return hidden or ("tiny" if small and item and self._styles.of(item).size < TINY else "")

    def _turning(self, index: Sequence[int], start: int, end: int, hidden: str | None, small: bool) -> int:
        """The first character after `start` that is not hidden in the same way."""
        for position in range(start + 1, end):
            if self._look(native.text_object(self._handle, index[position]), small) != hidden:
                return position
        return end
