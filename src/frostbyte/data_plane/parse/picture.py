"""Pictures of pages: drawn again from the source, with passages marked and what must not be seen filled black."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final

import pypdfium2 as pdfium
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw

from frostbyte.data_plane.document import Box, Element, Line, Page, Span
from frostbyte.data_plane.parse.image import frames
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits, damaged
from frostbyte.data_plane.parse.pdf import file as pdf
from frostbyte.data_plane.parse.pdf.layers import layers_off
from frostbyte.data_plane.parse.pdf.notes import shown_page
from frostbyte.data_plane.parse.pdf.page import laid_out, write_page
from frostbyte.data_plane.parse.pdf.scans import render
from frostbyte.data_plane.parse.pdf.text import PageText, Run
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.formats import PICTURED

_A4_INCHES: Final = 11.69
_MARK: Final = (255, 236, 110)
"""Yellow that leaves black text readable when multiplied over it."""
_PAD: Final = 1.0
"""Page units around a character box: glyph boxes are tight, antialiasing is not."""
_OCR_PAD: Final = 1.5
"""Mean character widths added on both sides where a place inside a line is only estimated."""


def redacted_png(
    source: BinaryIO,
    mime: str,
    page: Page,
    *,
    redact: Sequence[Span] = (),
    highlight: Sequence[Span] = (),
    cover_images: bool = True,
    dpi: int = 110,
    limits: ParseLimits = DEFAULT_LIMITS,
) -> bytes:
    """Draw `page` as PNG with `highlight` marked, then `redact` and images that nobody read filled black.

    Args:
        source: the document's bytes; seekable.
        mime: its media type.
        page: the page as it was parsed.
        redact: ranges of `page.text` that nobody may see.
        highlight: ranges to be found at a glance.
        cover_images: whether images whose text nobody read are filled, too.
        dpi: resolution for PDF; images are scaled down to at most an A4 page's length at it.
        limits: bounds on pixels.

    Raises:
        NotFound: `no_page_picture`.
        StageFailed: `damaged`, `encrypted`, `image_too_large`.
    """
    picture, scale = _draw(source, mime, page.number, dpi, limits)
    exact = _placed(source, mime, page, (*highlight, *redact))  # laid out once for both
    for box in _boxes(page, highlight, exact[: len(highlight)], cover=False):
        _mark(picture, box, scale)
    black = _boxes(page, redact, exact[len(highlight) :], cover=True)
    if cover_images:
        black.extend(_unread(page))
    draw = ImageDraw.Draw(picture)
    for left, top, right, bottom in black:
        draw.rectangle(
            (int(left * scale) - 1, int(top * scale) - 1, int(right * scale) + 1, int(bottom * scale) + 1), fill=0
        )
    if not highlight and _is_grey(picture):
        picture = picture.convert("L")
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def boxes_for(source: BinaryIO, mime: str, page: Page, spans: Sequence[Span], *, cover: bool = False) -> list[Box]:
    """Where spans of the page's canonical text stand.

    PDF text is located character by character; text read by OCR in proportion to its line, erring to more.

    Args:
        source: the document's bytes; seekable.
        mime: its media type.
        page: the page as it was parsed.
        spans: ranges of `page.text`.
        cover: add the element, or the whole page, for characters whose place is unknown.

    Raises:
        NotFound: `no_page_picture`.
        StageFailed: `damaged`, `encrypted`.
    """
    if mime not in PICTURED:
        raise _no_picture()
    return _boxes(page, spans, _placed(source, mime, page, spans), cover=cover)


def _placed(source: BinaryIO, mime: str, page: Page, spans: Sequence[Span]) -> list[list[Box] | None]:
    """The exact boxes of each span; None where only the page's lines tell about where it stands."""
    exact = _exact(source, page, spans) if spans and mime == "application/pdf" else {}
    return [exact.get(number) for number in range(len(spans))]


def _boxes(page: Page, spans: Sequence[Span], exact: Sequence[list[Box] | None], *, cover: bool) -> list[Box]:
    boxes: list[Box] = []
    for span, placed in zip(spans, exact, strict=True):
        for element in page.elements:
            if element.start < span.end and span.start < element.end:
                boxes.extend(_in_element(page, element, span, placed, cover=cover))
    return boxes


def _in_element(page: Page, element: Element, span: Span, exact: list[Box] | None, *, cover: bool) -> list[Box]:
    if exact and not element.ocr and (own := _own(exact, element)):
        return own
    start, end = max(span.start, element.start), min(span.end, element.end)
    lines = [line for line in element.lines if line.start < end and start < line.end]
    boxes = [_estimate(line, start, end, page.turned if element.ocr else 0) for line in lines]
    if cover and not _all_on_lines(page, lines, start, end):
        boxes.append(element.box or (0.0, 0.0, page.width, page.height))
    return boxes


def _own(exact: list[Box], element: Element) -> list[Box]:
    """The exact boxes of a span; they were found for all its elements together, so each element takes its own."""
    if element.box is None:
        return exact
    left, top, right, bottom = element.box
    return [
        box
        for box in exact
        if left - 3 <= (box[0] + box[2]) / 2 <= right + 3 and top - 3 <= (box[1] + box[3]) / 2 <= bottom + 3
    ]


def _all_on_lines(page: Page, lines: list[Line], start: int, end: int) -> bool:
    """Whether every character that is not ours or white space stands on one of the lines."""
    at = start
    gaps: list[str] = []
    for line in sorted(lines, key=lambda entry: entry.start):
        gaps.append(page.text[at : max(at, line.start)])
        at = max(at, line.end)
    gaps.append(page.text[at:end] if at < end else "")
    return not "".join(gaps).strip()


def _estimate(line: Line, start: int, end: int, turned: int) -> Box:
    """The part of the line's box that its characters `[start, end)` take if all are equally wide, and some more."""
    length = max(1, line.end - line.start)
    left, top, right, bottom = line.box
    width, height = right - left, bottom - top
    if turned in (180, 270):  # the line runs from right to left or upwards: count from its other end
        start, end = line.start + line.end - end, line.start + line.end - start
    if turned in (90, 270) or (not turned and height > 2 * width and length > 1):
        before, after = max(start, line.start) - line.start, line.end - min(end, line.end)
        slack = _OCR_PAD + (0.12 * min(before, after) if turned else 0.0)
        first = top + height * (before - slack) / length
        last = bottom - height * (after - slack) / length
        side = 0.1 * width if turned else 0.0
        return (left - _PAD - side, max(top - _PAD, first), right + _PAD + side, min(bottom + _PAD, last))
    # Letters differ in width by about half: the error grows with the distance from the nearer end of the line.
    before, after = max(start, line.start) - line.start, line.end - min(end, line.end)
    slack = _OCR_PAD + 0.12 * min(before, after)
    first = left + width * max(0.0, before - slack) / length
    last = right - width * max(0.0, after - slack) / length
    return (first - _PAD, top - 0.1 * height, last + _PAD, bottom + 0.1 * height)


def _exact(source: BinaryIO, page: Page, spans: Sequence[Span]) -> dict[int, list[Box]]:
    """Boxes of each span by PDFium's character boxes; spans it cannot place are left out."""
    found: dict[int, list[Box]] = {}
    with (
        pdf.opened(source) as document,
        _page(document, page.number, shown=True) as opened,
        laid_out(opened, page.number, layers_off(source)) as layout,
    ):
        placed: list[tuple[int, Run]] = []
        again = write_page(layout.draft, lambda start, run: placed.append((start, run)))
        if not page.text.startswith(again.text):
            return {}
        for number, span in enumerate(spans):
            if span.end > len(again.text):
                continue
            boxes = [
                box
                for start, run in placed
                if start < span.end
                and span.start < start + len(run.text)
                and (box := _run_part(run, span.start - start, span.end - start, layout.text)) is not None
            ]
            if boxes:
                found[number] = boxes
    return found


def _run_part(run: Run, start: int, end: int, text: PageText) -> Box | None:
    first, last = max(0, start), min(len(run.text), end)
    if not run.text[first:last].strip():
        return None
    boxes = [box for index in run.index[first:last] if (box := text.char_box(index)) is not None]
    left, top, right, bottom = run.box
    if not boxes:
        return run.box
    if bottom - top > right - left and len(run.text) > 2:
        top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    else:
        left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    return (left - _PAD, top - _PAD, right + _PAD, bottom + _PAD)


def _unread(page: Page) -> Iterator[Box]:
    for image in page.images:
        if image.outcome != "read":
            yield image.box or (0.0, 0.0, page.width, page.height)


def _draw(source: BinaryIO, mime: str, number: int, dpi: int, limits: ParseLimits) -> tuple[Pillow.Image, float]:
    if mime not in PICTURED:
        raise _no_picture()
    if mime == "application/pdf":
        with pdf.opened(source) as document, _page(document, number) as page:
            return render(page, dpi, limits, grey=False)
    with frames.opened(source, mime, limits) as image:
        if not 1 <= number <= frames.count_frames(image, limits):
            raise _no_picture()
        try:
            picture = frames.frame_picture(image, number, limits).convert("RGB")
        except frames.BROKEN:
            raise damaged("image") from None
    scale = min(1.0, _A4_INCHES * dpi / max(picture.size))
    if scale < 1.0:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Pillow.Resampling.LANCZOS)
    return picture, scale


@contextmanager
def _page(document: pdfium.PdfDocument, number: int, *, shown: bool = False) -> Iterator[pdfium.PdfPage]:
    """The page; with what its annotations show as part of its content, as it was read, where `shown` asks for it."""
    if not 1 <= number <= len(document):
        raise _no_picture()
    try:
        page = shown_page(document, number)[0] if shown else document[number - 1]
    except pdfium.PdfiumError:
        raise damaged("PDF") from None
    try:
        yield page
    finally:
        page.close()


def _mark(picture: Pillow.Image, box: Box, scale: float) -> None:
    area = (
        max(0, int(box[0] * scale)),
        max(0, int(box[1] * scale)),
        min(picture.width, int(box[2] * scale) + 1),
        min(picture.height, int(box[3] * scale) + 1),
    )
    if area[0] >= area[2] or area[1] >= area[3]:
        return
    region = picture.crop(area)
    picture.paste(ImageChops.multiply(region, Pillow.new("RGB", region.size, _MARK)), area)


def _is_grey(picture: Pillow.Image) -> bool:
    red, green, blue = picture.split()
    return not ImageChops.difference(red, green).getbbox() and not ImageChops.difference(green, blue).getbbox()


def _no_picture() -> NotFound:
    return NotFound(
        "no_page_picture",
        "There is no picture of this page: only PDF, PNG and TIFF have pages to draw.",
        "Read the passage in the document's content instead.",
    )
