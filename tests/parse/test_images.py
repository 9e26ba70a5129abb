"""PNG and TIFF: words, boxes in pixels, confidence, frames."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from frostbyte.data_plane.document import Image as Picture


def png(image):
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def test_a_scanned_letter(read, sample):
    document = read(*sample("complaint-letter.png"))
    page = document.pages[0]
    assert "Two vials of the delivery of 4 March were broken" in page.text
    assert (page.unit, page.width, page.height) == ("px", 1240, 1754)
    assert page.ocr_confidence is not None
    assert page.ocr_confidence > 0.9
    assert page.images == (Picture(box=(0.0, 0.0, 1240.0, 1754.0), outcome="read"),)
    line = next(x for e in page.elements for x in e.lines if page.text[x.start : x.end].startswith("9 April"))
    left, top, _, bottom = line.box
    assert left == pytest.approx(130, abs=5)
    assert 130 + 6 * 44 - 5 < top < bottom < 130 + 7 * 44 + 5


def test_frames_are_pages_and_umlauts_are_read(read, sample):
    first, second = read(*sample("storage-order-fax.tiff")).pages
    assert "Königsmoor" in first.text
    assert "Wiebke Hansen" in second.text
    assert (first.number, second.number) == (1, 2)


def test_an_image_without_text_says_so(read):
    page = read(png(Image.new("RGB", (300, 200), "white")), "image/png").pages[0]
    assert (page.text, page.unread) == ("", "no_text")
    assert [image.outcome for image in page.images] == ["no_text"]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "I;16"])
def test_colour_modes(read, mode):
    grey = Image.new("L", (900, 200), 255)
    ImageDraw.Draw(grey).text((40, 60), "Modes of colour", font=ImageFont.load_default(60), fill=0)
    if mode == "I;16":
        image = grey.convert("I").point(lambda value: value * 257).convert("I;16")
    elif mode in ("RGBA", "LA"):
        image = Image.new(mode, grey.size)
        image.paste(grey.convert(mode), (0, 0), grey.point(lambda value: 255 - value))
    else:
        image = grey.convert(mode)
    assert read(png(image), "image/png").pages[0].text == "Modes of colour"
