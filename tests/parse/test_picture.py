"""Page pictures: what is marked is yellow, what must not be seen is black, in pixels."""

from __future__ import annotations

import io

import msgspec
import pytest
from PIL import Image, ImageChops

from frostbyte.data_plane.document import Element, Kind, Page, Span
from frostbyte.data_plane.document import Image as Picture
from frostbyte.data_plane.parse.picture import boxes_for, redacted_png
from frostbyte.kernel.errors import NotFound

PDF = "application/pdf"


def draw(data, mime, page, **options):
    picture = Image.open(io.BytesIO(redacted_png(io.BytesIO(data), mime, page, **options)))
    return picture.convert("RGB")


def black_part(picture, box, scale):
    area = picture.crop(tuple(int(value * scale) for value in box)).convert("L")
    return sum(area.histogram()[:10]) / max(1, area.width * area.height)


def test_exactly_the_words_are_covered(read, sample, find):
    data, mime = sample("services-agreement.pdf")
    page = next(p for p in read(data, mime).pages if "078-05-1120" in p.text)
    span = find(page, "078-05-1120")
    (box,) = boxes_for(io.BytesIO(data), mime, page, [span])
    line = next(x for e in page.elements for x in e.lines if x.start <= span.start < x.end)
    assert line.box[0] <= box[0] < box[2] <= line.box[2] + 2
    assert box[2] - box[0] == pytest.approx(70, abs=8)
    plain = draw(data, mime, page)
    hidden = draw(data, mime, page, redact=[span])
    assert black_part(hidden, box, 110 / 72) > 0.99
    changed = ImageChops.difference(plain, hidden).getbbox()
    assert changed is not None
    assert all(abs(a - b * 110 / 72) < 6 for a, b in zip(changed, box, strict=True)), (
        "nothing else on the page may change"
    )


def test_a_span_over_two_lines_and_a_joined_hyphen(read, sample, find):
    data, mime = sample("besucherdaten-richtlinie.pdf")
    page = read(data, mime).pages[0]
    drop = next(d for d in page.dropped if d.reason == "hyphen_joined")
    boxes = boxes_for(io.BytesIO(data), mime, page, [Span(start=drop.start - 4, end=drop.end + 4)])
    assert len(boxes) == 2
    assert boxes[0][3] <= boxes[1][3]
    picture = draw(data, mime, page, redact=[Span(start=drop.start - 4, end=drop.end + 4)])
    assert all(black_part(picture, box, 110 / 72) > 0.99 for box in boxes)


def test_every_character_of_a_table_cell_can_be_covered(read, sample):
    data, mime = sample("services-agreement.pdf")
    page = next(p for p in read(data, mime).pages if any(e.kind is Kind.TABLE for e in p.elements))
    table = next(e for e in page.elements if e.kind is Kind.TABLE)
    for cell in table.cells:
        boxes = boxes_for(io.BytesIO(data), mime, page, [Span(start=cell.start, end=cell.end)])
        assert cell.box is not None
        assert boxes
        for box in boxes:
            assert cell.box[0] - 2 <= box[0] < box[2] <= cell.box[2] + 2
            assert cell.box[1] - 2 <= box[1] < box[3] <= cell.box[3] + 2


def test_a_highlight_is_yellow_and_redaction_wins(read, sample, find):
    data, mime = sample("services-agreement.pdf")
    page = read(data, mime).pages[0]
    span = find(page, "five working days")
    (box,) = boxes_for(io.BytesIO(data), mime, page, [span])
    colours = draw(data, mime, page, highlight=[span]).crop(tuple(int(v * 110 / 72) for v in box)).getcolors(100_000)
    most = max(colours)[1]
    assert most[0] > 240
    assert most[2] < 150
    both = draw(data, mime, page, highlight=[span], redact=[span])
    assert black_part(both, box, 110 / 72) > 0.99


@pytest.mark.slow
def test_ocr_words_are_covered_generously(read, sample, find):
    data, mime = sample("complaint-letter.png")
    page = read(data, mime).pages[0]
    span = find(page, "Oswin Pargeter")
    boxes = boxes_for(io.BytesIO(data), mime, page, [span], cover=True)
    picture = draw(data, mime, page, redact=[span])
    scale = picture.width / page.width
    assert all(black_part(picture, box, scale) > 0.97 for box in boxes)
    again = read(_png(picture), "image/png").pages[0].text
    assert "Pargeter" not in again
    assert "Head of Sample" in again


@pytest.mark.slow
def test_a_word_inside_an_ocr_line_cannot_be_read_again(read, sample, find):
    data, mime = sample("complaint-letter.png")
    page = read(data, mime).pages[0]
    picture = draw(data, mime, page, redact=[find(page, "replacement")])
    assert "replacement" not in read(_png(picture), "image/png").pages[0].text


def test_images_that_nobody_read_are_covered_unless_asked(read, sample):
    data, mime = sample("services-agreement.pdf")
    page = read(data, mime).pages[0]
    box = (100.0, 600.0, 200.0, 700.0)
    with_image = msgspec.structs.replace(page, images=(Picture(box=box, outcome="under_text"),))
    assert black_part(draw(data, mime, with_image), box, 110 / 72) > 0.99
    assert black_part(draw(data, mime, with_image, cover_images=False), box, 110 / 72) < 0.2


def test_what_cannot_be_located_blacks_out_the_page(sample):
    data, mime = sample("services-agreement.pdf")
    text = "words that stand nowhere"
    elements = (Element(kind=Kind.PARAGRAPH, start=0, end=len(text)),)
    page = Page(number=1, text=text, width=595.28, height=841.89, unit="pt", elements=elements)
    picture = draw(data, mime, page, redact=[Span(start=0, end=5)])
    assert picture.convert("L").getextrema() == (0, 0)


@pytest.mark.parametrize("name", ["invoice-2026-0417.docx", "deliveries.csv", "cold-storage-sop.txt"])
def test_other_formats_have_no_pictures(sample, name):
    data, mime = sample(name)
    with pytest.raises(NotFound) as caught:
        redacted_png(io.BytesIO(data), mime, Page(number=1, text=""))
    assert caught.value.code == "no_page_picture"


@pytest.mark.parametrize("name", ["services-agreement.pdf", "storage-order-fax.tiff"])
def test_no_such_page(sample, name):
    data, mime = sample(name)
    with pytest.raises(NotFound):
        redacted_png(io.BytesIO(data), mime, Page(number=99, text=""))


def test_a_page_is_drawn_as_large_as_asked(sample):
    data, mime = sample("services-agreement.pdf")
    page = Page(number=1, text="", width=595.28, height=841.89, unit="pt")
    assert draw(data, mime, page, dpi=72).size == (596, 842)


def _png(picture):
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()
