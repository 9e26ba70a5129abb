"""PNG and TIFF: each frame is a page in pixels, read by OCR."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import PIL
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from frostbyte.data_plane.document import Image, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.image import ocr
from frostbyte.data_plane.parse.limits import ParseLimits, damaged, image_too_large, too_many_pages

_FORMATS: Final = {"image/png": "PNG", "image/tiff": "TIFF"}
_OCR_PIXELS: Final = 40_000_000
"""Larger frames are scaled down for OCR: letters need some 20 pixels, not 100."""
_SMALL_SIDE: Final = 1_200
"""Frames whose longer side is shorter are scaled up twice before OCR."""


def read_images(
    source: BinaryIO, mime: str, limits: ParseLimits, progress: Callable[[], None]
) -> tuple[list[Page], int, tuple[str, ...]]:
    """The pages of an image file, the number of frames it has, and notes.

    Raises:
        StageFailed: `damaged`, `too_many_pages`, `image_too_large`.
    """
    pages: list[Page] = []
    notes: list[str] = []
    with opened(source, mime, limits) as image:
        frames = count_frames(image, limits)
        for number in range(1, frames + 1):
            progress()
            try:
                pages.append(_frame(image, number, limits))
            except (OSError, ValueError, SyntaxError, EOFError):
                # Pillow reports broken frames in all of these ways; the other frames may still be read.
                notes.append("frame_damaged")
                builder = PageBuilder()
                builder.images.append(Image(box=None, outcome="not_decodable"))
                pages.append(builder.page(number, unit="px", unread="damaged"))
    if all(page.unread == "damaged" for page in pages):
        raise damaged(_FORMATS[mime])
    return pages, frames, tuple(dict.fromkeys(notes))


@contextmanager
def opened(source: BinaryIO, mime: str, limits: ParseLimits) -> Iterator[Any]:
    """The image, opened by exactly the decoder of its type, with a bound on its pixels.

    Raises:
        StageFailed: `damaged`, `image_too_large`.
    """
    source.seek(0)
    Pillow.MAX_IMAGE_PIXELS = None  # the bound below is ours and says what to do
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is not ours to judge
            with Pillow.open(source, formats=[_FORMATS[mime]]) as image:
                _check_size(image, limits)
                yield image
    except (UnidentifiedImageError, PIL.UnidentifiedImageError, SyntaxError) as error:
        raise damaged(_FORMATS[mime]) from error
    except (OSError, ValueError, EOFError) as error:
        raise damaged(_FORMATS[mime]) from error


def count_frames(image: Any, limits: ParseLimits) -> int:
    """How many frames the image has.

    Raises:
        StageFailed: `too_many_pages`.
    """
    frames = int(getattr(image, "n_frames", 1))
    if frames > limits.max_pages:
        raise too_many_pages(frames, limits.max_pages)
    return frames


def frame_picture(image: Any, number: int, limits: ParseLimits) -> Pillow.Image:
    """Frame `number` (1-based) as grey or RGB on white, decoded.

    Raises:
        StageFailed: `image_too_large`.
        OSError: the frame is damaged.
    """
    image.seek(number - 1)
    _check_size(image, limits)
    picture: Pillow.Image = image
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(white, rgba).convert("RGB")
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.mode.startswith("I") or picture.mode == "F":
        # 16-bit grey: Pillow clips when converting, so scale first.
        extrema: Any = picture.getextrema()
        scale = 255.0 / max(1.0, float(extrema[1]))
        return picture.convert("F").point(lambda value: value * scale).convert("L")
    return picture.convert("RGB")


def _frame(image: Any, number: int, limits: ParseLimits) -> Page:
    picture = frame_picture(image, number, limits)
    width, height = picture.size
    grey, factor = prepared(picture.convert("L"))
    lines = ocr.read_lines(grey, _dpi(image, factor))
    builder = PageBuilder()
    ocr.write_lines(builder, lines, scale=1 / factor)
    whole = (0.0, 0.0, float(width), float(height))
    builder.images.append(Image(box=whole, outcome="read" if ocr.has_text(lines) else "no_text"))
    return builder.page(
        number,
        width=width,
        height=height,
        unit="px",
        ocr_confidence=ocr.mean_confidence(lines),
        unread="" if ocr.has_text(lines) else "no_text",
    )


def prepared(grey: Pillow.Image) -> tuple[Pillow.Image, float]:
    """The image at a size that suits OCR, and the factor by which it was scaled."""
    width, height = grey.size
    factor = 1.0
    if width * height > _OCR_PIXELS:
        factor = (_OCR_PIXELS / (width * height)) ** 0.5
    elif max(width, height) < _SMALL_SIDE:
        factor = 2.0
    if factor == 1.0:
        return grey, 1.0
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return grey.resize(size, Pillow.Resampling.LANCZOS), factor


def _dpi(image: Any, factor: float) -> int:
    """Resolution from the metadata where it is plausible, else 200 dpi (a usual scan), after scaling."""
    stated = image.info.get("dpi")
    value = float(stated[0]) if isinstance(stated, tuple) and stated and stated[0] else 200.0
    return int((value if 70 <= value <= 1200 else 200.0) * factor)


def _check_size(image: Any, limits: ParseLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise image_too_large(width * height, limits.max_pixels)
