"""PNG and TIFF: each frame is a page in pixels, read by OCR."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple

from PIL import Image as Pillow
from PIL import ImageOps

from frostbyte.data_plane.document import Image, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.image import ocr
from frostbyte.data_plane.parse.image.ahead import ReadAhead
from frostbyte.data_plane.parse.image.described import (
    add_metadata,
    check_directory,
    further_pictures,
    missing_parts,
)
from frostbyte.data_plane.parse.image.transparent import on_ground
from frostbyte.data_plane.parse.image.writing import write_scan
from frostbyte.data_plane.parse.limits import ParseLimits, damaged, image_too_large, too_many_pages

BROKEN: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""All ways in which Pillow says that an image is broken: a changed byte finds each of them sooner or later."""
_FORMATS: Final = {"image/png": "PNG", "image/tiff": "TIFF"}


class ImagesResult(NamedTuple):
    """What was read of an image file."""

    pages: list[Page]
    found: int
    """Frames the file has."""
    metadata: dict[str, str]
    notes: tuple[str, ...]


def read_images(source: BinaryIO, mime: str, limits: ParseLimits, progress: Callable[[], None]) -> ImagesResult:
    """The pages of an image file, one for each frame.

    Raises:
        StageFailed: `damaged`, `too_many_pages`, `image_too_large`.
    """
    notes: list[str] = []
    waiting: list[_Frame] = []
    metadata: dict[str, str] = {}
    with opened(source, mime, limits) as image, ReadAhead(progress) as ahead:
        frames = count_frames(image, limits)
        for number in range(1, frames + 1):
            progress()
            try:
                picture = frame_picture(image, number, limits).convert("L")
                wait = ahead.ask(picture, dpi_of(image)) if limits.ocr else None
                waiting.append(_Frame(number, picture.size, wait))
            except BROKEN:  # the other frames may still be read
                notes.append("frame_damaged")
                waiting.append(_Frame(number, None, None))
                continue
            notes += _besides(image, waiting[-1], metadata)
        if all(frame.size is None for frame in waiting):
            raise damaged(_FORMATS[mime])
        pages = [_page(frame) for frame in waiting]
    if mime == "image/png" and frames > 1:
        notes.append("animated")
    if any(page.ocr_confidence is not None and page.ocr_confidence < ocr.POOR for page in pages):
        notes.append("ocr_poor")
    return ImagesResult(pages, frames, metadata, tuple(dict.fromkeys(notes)))


@dataclass(slots=True)
class _Frame:
    """A frame that was decoded and is being read."""

    number: int
    size: tuple[int, int] | None
    """None if it could not be decoded."""
    wait: Callable[[], ocr.Scan] | None
    missing: bool = False
    """Whether the file does not hold all of it."""
    further: int = 0
    """Pictures that hang below it."""


def _besides(image: Any, frame: _Frame, metadata: dict[str, str]) -> list[str]:
    """Add what else the file holds of a frame that was decoded; notes on what is wrong with that."""
    try:
        add_metadata(metadata, image)
        frame.further = further_pictures(image)
        frame.missing = missing_parts(image) > 0
    except BROKEN:
        return ["metadata_damaged"]
    return ["frame_incomplete"] if frame.missing else []


def _page(frame: _Frame) -> Page:
    builder = PageBuilder()
    if frame.size is None:
        builder.images.append(Image(box=None, outcome="not_decodable"))
        return builder.page(frame.number, unit="px", unread="damaged")
    width, height = frame.size
    whole = (0.0, 0.0, float(width), float(height))
    scan = frame.wait() if frame.wait else ocr.Scan()
    write_scan(builder, scan)
    outcome = "read" if scan.has_text else "no_text" if frame.wait else "not_read"
    builder.images.append(Image(box=whole, outcome=outcome))
    if frame.missing:
        builder.images.append(Image(box=None, outcome="not_decodable"))
    builder.images += [Image(box=None, outcome="not_read")] * frame.further
    return builder.page(
        frame.number,
        width=width,
        height=height,
        unit="px",
        ocr_confidence=ocr.mean_confidence(scan.lines),
        turned=scan.turned,
        unread="" if scan.has_text else outcome,
    )


@contextmanager
def opened(source: BinaryIO, mime: str, limits: ParseLimits) -> Iterator[Any]:
    """The image, opened by exactly the decoder of its type, with a bound on its pixels.

    Raises:
        StageFailed: `damaged`, `image_too_large`.
    """
    source.seek(0)
    Pillow.MAX_IMAGE_PIXELS = None  # the bound below is ours and says what to do
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is not ours to judge
        try:
            image = Pillow.open(source, formats=[_FORMATS[mime]])
        except BROKEN as error:
            raise damaged(_FORMATS[mime]) from error
        with image:
            _check_size(image, limits)
            yield image


def count_frames(image: Any, limits: ParseLimits) -> int:
    """How many frames the image has.

    Raises:
        StageFailed: `damaged`, `too_many_pages`.
    """
    try:
        frames = int(getattr(image, "n_frames", 1))
    except BROKEN as error:
        raise damaged(str(image.format)) from error
    if frames > limits.max_pages:
        raise too_many_pages(frames, limits.max_pages)
    return frames


def frame_picture(image: Any, number: int, limits: ParseLimits) -> Pillow.Image:
    """Frame `number` (1-based) as grey or RGB, decoded; what is transparent as `transparent.on_ground` shows it.

    Raises:
        StageFailed: `image_too_large`.
        Exception: one of `BROKEN`, the frame is damaged.
    """
    image.seek(number - 1)
    check_directory(image)
    _check_size(image, limits)
    picture = _as_shown(image)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        return on_ground(picture)
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.mode == "LAB":
        return picture.getchannel("L")
    if picture.mode.startswith("I") or picture.mode == "F":
        # 16-bit grey: Pillow clips when converting, so scale first.
        extrema: Any = picture.getextrema()
        scale = 255.0 / max(1.0, float(extrema[1]))
        return picture.convert("F").point(lambda value: value * scale).convert("L")
    return picture.convert("RGB")


def _as_shown(image: Any) -> Pillow.Image:
    """The frame turned as the file says it is to be shown; Pillow does that by itself for TIFF."""
    picture: Pillow.Image = image
    if image.format == "TIFF":
        return picture
    try:
        return ImageOps.exif_transpose(picture)
    except BROKEN:
        return picture  # the note on how to show it is broken, not the picture


def dpi_of(image: Any) -> tuple[float, float]:
    """Resolution across and down by the metadata where it is plausible, else 200 dpi (a usual scan)."""
    stated = image.info.get("dpi")
    try:
        across, down = (float(value) for value in stated)
    except (TypeError, ValueError, ZeroDivisionError):
        return (200.0, 200.0)
    return (across, down) if 70 <= across <= 1200 and 70 <= down <= 1200 else (200.0, 200.0)


def _check_size(image: Any, limits: ParseLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise image_too_large(width * height, limits.max_pixels)
