"""What OCR reads of PDF pages: scans as a whole, and pictures on pages that have text of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pypdfium2 as pdfium
from PIL import Image as Pillow

from frostbyte.data_plane.document import Box, Kind
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.image import ocr
from frostbyte.data_plane.parse.image.ahead import ReadAhead
from frostbyte.data_plane.parse.image.writing import write_scan
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.pdf.style import SLANTED
from frostbyte.data_plane.parse.pdf.text import Picture, Run

_MIN_PICTURE: Final = 30.0
"""Points: images with a shorter side are rules, bullets and stamps of a few letters, not worth OCR."""
_MIN_PIXELS: Final = 40
_MAX_PICTURES: Final = 20
"""Images of one page that are read; a page with more is a mosaic."""
_WRITTEN_SHARE: Final = 0.05
"""Part of a picture up to which text over it does not stand for what the picture shows."""
_CONTRAST: Final = 12
"""Shades of 256 between the darkest and the lightest dot below which nobody sees letters."""
_LOOKED_AT: Final = 100
"""Dots per inch at which letters are seen, if not read."""
_MAX_RENDERED: Final = 60_000_000


@dataclass(slots=True)
class Reading:
    """A picture that is being read."""

    wait: Callable[[], ocr.Scan]
    box: Box
    """On the page."""
    scale: float
    """Points per pixel."""
    shows: list[int] = field(default_factory=list)
    """Numbers of the draft's pictures that it shows."""
    scan: ocr.Scan = field(default_factory=ocr.Scan)


class Readable(Protocol):
    """The part of a page's draft that OCR fills."""

    pictures: list[tuple[Picture, str]]
    readings: list[Reading]
    scanned: bool
    stamped: bool
    unread: str

    @property
    def blocks(self) -> Sequence[object]: ...


def render(page: pdfium.PdfPage, dpi: float, limits: ParseLimits, *, grey: bool) -> tuple[Pillow.Image, float]:
    """The page as it is shown, and pixels per point; less than `dpi` where the page would have too many pixels."""
    width, height = page.get_size()
    scale = dpi / 72
    most = min(limits.max_pixels, _MAX_RENDERED)
    pixels = width * height * scale * scale
    if pixels > most:
        scale *= (most / pixels) ** 0.5
    bitmap: Any = page.render(scale=scale, grayscale=grey, draw_annots=True, rev_byteorder=not grey)
    picture: Pillow.Image = bitmap.to_pil().convert("L" if grey else "RGB")
    return picture, scale


def read_scan(
    page: pdfium.PdfPage,
    draft: Readable,
    pictures: list[Picture],
    runs: list[Run],
    limits: ParseLimits,
    ahead: ReadAhead,
) -> None:
    """Have a page read as a whole that has no text, or little (`runs`): where that stands, nothing is read again."""
    draft.pictures = [(picture, "not_read") for picture in pictures]
    if not limits.ocr:
        draft.unread = "" if draft.blocks else "not_read"
        return
    image, scale = render(page, limits.ocr_dpi, limits, grey=True)
    for run in runs:
        draft.stamped |= not run.hidden
        _blot(image, run, scale)
    dpi = 72 * scale
    whole = (0.0, 0.0, image.width / scale, image.height / scale)
    draft.readings.append(Reading(ahead.ask(image, (dpi, dpi)), whole, 1 / scale, list(range(len(pictures)))))


def is_written_over(boxes: Sequence[Box], runs: Sequence[Run]) -> bool:
    """Whether so much text lies over pictures that they are no more than its background."""
    written = sum(_area(run.box) for run in runs if not run.hidden and run.turn != SLANTED)
    return written > _WRITTEN_SHARE * sum(map(_area, boxes))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _blot(image: Pillow.Image, run: Run, scale: float) -> None:
    """Take a run out of the page's picture; one that cannot be told from what lies around it is seen by nobody."""
    if run.hidden or run.turn == SLANTED:  # the box of what runs across the page is not its own
        return
    area = _hide_unseen(image, run, scale)
    if area is not None:
        image.paste(255, area)


def _hide_unseen(image: Pillow.Image, run: Run, scale: float) -> tuple[int, int, int, int] | None:
    """Where a run is seen on a picture of its page in grey, with some dots around it; else it is marked as hidden."""
    left, top, right, bottom = run.box
    area = (
        min(max(0, int(left * scale) - 1), image.width),
        min(max(0, int(top * scale) - 1), image.height),
        max(0, min(image.width, int(right * scale) + 2)),
        max(0, min(image.height, int(bottom * scale) + 2)),
    )
    if area[0] >= area[2] or area[1] >= area[3]:
        return None
    shades: Any = image.crop(area).getextrema()
    darkest, lightest = shades
    if lightest - darkest >= _CONTRAST:
        return area
    run.hidden = "invisible"
    return None


def hide_unseen(page: pdfium.PdfPage, runs: Sequence[Run]) -> None:
    """Mark as hidden what cannot be told from the ground where it should stand, by the page's picture.

    Only for pages of which it is known that they hide something: to draw one costs more than to read its text.
    """
    image, scale = render(page, _LOOKED_AT, DEFAULT_LIMITS, grey=True)
    for run in runs:
        if not run.hidden:
            _hide_unseen(image, run, scale)


def read_pictures(
    page: pdfium.PdfPage,
    draft: Readable,
    pictures: list[Picture],
    runs: list[Run],
    limits: ParseLimits,
    ahead: ReadAhead,
) -> None:
    """Have the pictures of a page with text read, as far as they are worth it."""
    whole: tuple[Pillow.Image, float] | None = None
    for number, picture in enumerate(pictures):
        box = picture.box
        if min(box[2] - box[0], box[3] - box[1]) < _MIN_PICTURE or min(picture.pixels) < _MIN_PIXELS:
            draft.pictures.append((picture, "too_small"))
        elif draft.scanned:
            draft.pictures.append((picture, "text_layer"))
        elif is_written_over([box], over := [run for run in runs if _holds(box, run.box)]):
            draft.pictures.append((picture, "under_text"))
        else:
            draft.pictures.append((picture, "not_read"))
            if len(draft.readings) >= _MAX_PICTURES or not limits.ocr:
                continue
            whole = whole or render(page, limits.ocr_dpi, limits, grey=True)
            image, scale = whole
            for run in over:
                _blot(image, run, scale)
            area = (
                max(0, int(box[0] * scale)),
                max(0, int(box[1] * scale)),
                min(image.width, int(box[2] * scale) + 1),
                min(image.height, int(box[3] * scale) + 1),
            )
            if area[2] - area[0] < _MIN_PIXELS or area[3] - area[1] < _MIN_PIXELS:
                continue  # all but nothing of it lies on the page
            shown = (area[0] / scale, area[1] / scale, area[2] / scale, area[3] / scale)
            wait = ahead.ask(image.crop(area), (72 * scale, 72 * scale))
            draft.readings.append(Reading(wait, shown, 1 / scale, [number]))


def finish_scans(draft: Readable) -> None:
    """Wait for what is being read of a page, and note what became of its pictures."""
    for reading in draft.readings:
        reading.scan = reading.wait()
        outcome = "read" if reading.scan.has_text else "no_text"
        for number in reading.shows:
            draft.pictures[number] = (draft.pictures[number][0], outcome)
    if draft.readings and not draft.blocks and not any(reading.scan.has_text for reading in draft.readings):
        draft.unread = "no_text"


def write_readings(builder: PageBuilder, readings: list[Reading], *, alone: bool, upright: bool) -> None:
    """Append what was read; `alone` if they are the page, with headings and paragraphs of its own; `upright` if it has
    other text."""
    for reading in readings:
        write_scan(
            builder,
            reading.scan,
            scale=reading.scale,
            left=reading.box[0],
            top=reading.box[1],
            kind=None if alone else Kind.FIGURE,
            # A picture that lies on its side on an upright page: its lines cannot be told by halves.
            whole=reading.box if upright and reading.scan.turned else None,
        )


def confidence(readings: list[Reading]) -> float | None:
    """Mean over the words of all that was read; None if nothing was."""
    return ocr.mean_confidence([line for reading in readings for line in reading.scan.lines])


def poor(readings: list[Reading]) -> bool:
    """Whether much of what was read is likely wrong."""
    found = confidence(readings)
    return found is not None and found < ocr.POOR


def turned(readings: list[Reading]) -> int:
    """How the page's text stands, if all of it was read at once."""
    return readings[0].scan.turned if len(readings) == 1 else 0


def _holds(box: Box, inner: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
