"""Optical character recognition, English and German: a picture in, lines with places and confidence out.

How a page stands is found by trial: a few strips are read, and only text that is upright is read with confidence. The
same strips tell the language: German pages are read with the German model alone, which is better at umlauts and
faster than both together; all others with both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from PIL import Image as Pillow

from frostbyte.data_plane.document import Box
from frostbyte.data_plane.parse.image import engine
from frostbyte.data_plane.parse.image.engine import BOTH, GERMAN, SeenLine, Word
from frostbyte.data_plane.parse.image.rules import Ruled, find_ruled
from frostbyte.data_plane.parse.image.upright import AS_IT_IS, Affine, Judged, Straight, judge, straighten

POOR: Final = 0.80
"""Mean confidence of a page below which it is told to be poor: on blurred and noisy pages every fifteenth
character was wrong there, at 0.6 every fourth, at 0.9 every fiftieth."""
_LEGIBLE: Final = 0.30
"""Mean confidence of a line below which it is noise of a picture, not text (Tesseract's own words: 0..1)."""
_UPRIGHT: Final = 0.70
"""Mean confidence of the strips from which no other way of standing is tried; upside down it is 0.25 to 0.45."""
_BETTER: Final = 0.15
"""By so much another way of standing must be better than the one that the page seems to have."""
_FEW_WORDS: Final = 4
_GERMAN: Final = frozenset(
    "der die das und ist von zu mit den dem des ein eine einer nicht auf für im wird werden bei sich auch nach oder an "
    "als aus bis durch wir ihre ihr sind zum zur vom über unter sowie herr frau kann".split()
)
_ENGLISH: Final = frozenset(
    "the of and to in is for by with on be are or not from that this it at which shall will has have may any all as "
    "its was were our your their under each".split()
)
_UMLAUT: Final = re.compile("[äöüßÄÖÜ]")
_PARAGRAPH_SIGN: Final = re.compile(r"(?:(?<=\s)|^)[&$](?= ?\d{1,4}[a-z]?(?:\W|$))(?! ?\d+[.,]\d)")
_SQUARE: Final = re.compile(r"(?<=\d [mck]m)\?(?!\w)|(?<=\d m)\?(?!\w)|(?<=je m)\?(?!\w)")
_CUBIC: Final = re.compile(r"(?<=[gl]/m)\?(?!\w)")
_EIGHT: Final = re.compile(r"^8(?= (\d{1,3})[a-z]? [A-ZÄÖÜ])")


@dataclass(frozen=True, slots=True)
class OcrLine:
    """A line that was read."""

    text: str
    box: Box
    """In pixels of the picture given."""
    confidence: float
    """Mean of its words, 0..1."""
    words: tuple[Word, ...]
    """Their boxes are in pixels of the upright picture."""
    level: Box
    """Its place on the upright picture."""
    height: float
    """Of its letters, in pixels of the upright picture."""
    paragraph: int
    """Number of its paragraph on the page."""
    legible: bool
    """Whether the words are more likely text than the noise of a picture."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of a picture."""

    lines: tuple[OcrLine, ...] = ()
    """In reading order, legible or not."""
    turned: int = 0
    """Degrees clockwise by which the text stands: 90 reads downwards."""
    place: Affine = AS_IT_IS
    """From the upright picture, by which lines are arranged, to the one given."""
    grids: tuple[Ruled, ...] = ()
    """Ruled tables, in pixels of the upright picture."""
    height: int = 0
    """Of the upright picture."""

    @property
    def has_text(self) -> bool:
        """Whether anything legible was read."""
        return any(line.legible for line in self.lines)


def read(grey: Pillow.Image, dpi: tuple[float, float] = (200.0, 200.0)) -> Scan:
    """The lines on the picture, in reading order, however it stands.

    Args:
        grey: mode L.
        dpi: across and down; a guess will do.
    """
    judged = judge(grey, dpi)
    if judged is None:
        return Scan()
    straight, language = _best(judged)
    place = straight.place
    seen = engine.see(straight.picture, straight.dpi, language)
    if language == GERMAN:
        seen = _repaired(seen)
    sure = _sure_paragraphs(seen)
    lines = tuple(_line(line, place.box(line.box), line.paragraph in sure) for line in seen)
    return Scan(
        lines=lines,
        turned=straight.turned if any(line.legible for line in lines) else 0,
        place=place,
        grids=find_ruled(straight.picture, judged.level, straight.dpi),
        height=straight.picture.height,
    )


def _sure_paragraphs(lines: list[SeenLine]) -> set[int]:
    """Numbers of the paragraphs that are text beyond doubt, so that a lonely word at their end is too."""
    confidences: dict[int, list[float]] = {}
    for line in lines:
        confidences.setdefault(line.paragraph, []).extend(word.confidence for word in line.words)
    return {number for number, found in confidences.items() if sum(found) / len(found) >= _UPRIGHT}


def _line(seen: SeenLine, box: Box, sure: bool) -> OcrLine:
    words = seen.words
    confidence = round(sum(word.confidence for word in words) / len(words), 4)
    return OcrLine(
        text=" ".join(word.text for word in words),
        box=box,
        confidence=confidence,
        words=words,
        level=seen.box,
        height=seen.height,
        paragraph=seen.paragraph,
        legible=sure or confidence >= _LEGIBLE,
    )


def _best(judged: Judged) -> tuple[Straight, str]:
    """The scan as its text stands, and the language to read it with."""
    tried: list[tuple[float, Straight, str]] = []
    for turned in (90, 270, 0, 180) if judged.sideways > 1.2 else (0, 180, 90, 270):
        straight = straighten(judged, turned)
        if not straight.strips:
            if turned in (0, 90):
                tried.append((0.0, straight, ""))
            continue
        text, confidence, words = _glance(straight)
        tried.append((confidence if words >= _FEW_WORDS else 0.5 * confidence, straight, text))
        if confidence >= _UPRIGHT and words >= _FEW_WORDS:
            break
    usual = next((entry for entry in tried if entry[1].turned == 0), tried[0])
    best = max(tried, key=lambda entry: entry[0])
    if best[0] < usual[0] + _BETTER:
        best = usual
    return best[1], _language(best[2])


def _glance(straight: Straight) -> tuple[str, float, int]:
    """Read three strips, and three more where those leave a doubt."""
    text, confidence, words = engine.glance(_cut(straight, straight.strips[::2]), straight.dpi)
    if 0.5 <= confidence < _UPRIGHT or words < _FEW_WORDS or (confidence >= _UPRIGHT and not any(_votes(text))):
        more, other, count = engine.glance(_cut(straight, straight.strips[1::2]), straight.dpi)
        both = words + count
        return f"{text}\n{more}", (confidence * words + other * count) / both if both else 0.0, both
    return text, confidence, words


def _cut(straight: Straight, strips: tuple[Box, ...]) -> list[Pillow.Image]:
    picture = straight.picture
    cut: list[Pillow.Image] = []
    for left, top, right, bottom in strips:
        margin = max(4, round(0.25 * (bottom - top)))
        cut.append(
            picture.crop(
                (
                    max(0, round(left) - margin),
                    max(0, round(top) - margin),
                    min(picture.width, round(right) + margin),
                    min(picture.height, round(bottom) + margin),
                )
            )
        )
    return cut


def _votes(text: str) -> tuple[int, int]:
    """(German, English) signs in the text."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    german = sum(word in _GERMAN for word in words) + len(_UMLAUT.findall(text))
    return german, sum(word in _ENGLISH for word in words)


def _language(text: str) -> str:
    german, english = _votes(text)
    return GERMAN if german >= 2 and german > 3 * english else BOTH


def _repaired(lines: list[SeenLine]) -> list[SeenLine]:
    """The German model knows neither the paragraph sign nor raised digits: it reads `& 5`, `8 5` and `184 m?`."""
    repaired = [_rewritten(line, _signs) for line in lines]
    eights = [int(match[1]) for line in repaired if (match := _EIGHT.match(_text(line)))]
    rising = len(eights) > 1 and all(before < after for before, after in pairwise(eights))
    if rising or any(line.words[0].text.startswith("§") for line in repaired):
        # Where titles begin with the sign or count on, a lonely 8 before a number and a capital is one too.
        repaired = [_rewritten(line, lambda text: _EIGHT.sub("§", text)) for line in repaired]
    return repaired


def _signs(text: str) -> str:
    if not any(sign in text for sign in "&$?"):
        return text
    text = _PARAGRAPH_SIGN.sub("§", text)
    text = _CUBIC.sub("³", text)
    return _SQUARE.sub("²", text)


def _text(line: SeenLine) -> str:
    return " ".join(word.text for word in line.words)


def _rewritten(line: SeenLine, rewrite: Callable[[str], str]) -> SeenLine:
    """The line with other signs in the places of some; words stay as they are parted."""
    before = _text(line)
    after = rewrite(before)
    if after == before:
        return line
    words = tuple(replace(word, text=text) for word, text in zip(line.words, after.split(" "), strict=True))
    return replace(line, words=words)


def mean_confidence(lines: list[OcrLine] | tuple[OcrLine, ...]) -> float | None:
    """Mean over the words of all legible lines, or None for none."""
    words = [word.confidence for line in lines if line.legible for word in line.words]
    return round(sum(words) / len(words), 4) if words else None
