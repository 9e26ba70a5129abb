"""PNG and TIFF: words, boxes in pixels, confidence, frames."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

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


def written(text, size=(420, 70)):
    """Dark writing on white, as an array."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((20, 14), text, font=ImageFont.load_default(32), fill=0)
    return np.asarray(image)


def clear(grey, ink):
    """The writing in some shade, on nothing."""
    return np.dstack([np.full_like(grey, ink)] * 3 + [255 - grey])


def test_light_writing_on_a_clear_ground_is_read_as_dark_writing_is(read):
    light, dark = clear(written("Light heron 12"), 255), clear(written("Dark osprey 34"), 0)
    for parts, wanted in (([light], ["Light heron 12"]), ([light, dark], ["Light heron 12", "Dark osprey 34"])):
        page = read(png(Image.fromarray(np.vstack(parts))), "image/png").pages[0]
        assert page.text.splitlines() == wanted


def test_a_white_card_on_a_clear_ground_stays_paper(read):
    card = np.zeros((250, 640, 4), np.uint8)
    card[90:160, 110:530] = np.dstack([written("Card upon nothing")] * 3 + [np.full((70, 420), 255, np.uint8)])
    assert read(png(Image.fromarray(card)), "image/png").pages[0].text == "Card upon nothing"


def test_what_a_png_says_of_itself_is_told(read):
    said = PngInfo()
    said.add_text("Title", "Order of March")
    said.add_itxt("Comment", "Größe geprüft")
    said.add_text("Description", "Packed, " * 9, zip=True)
    said.add_text("Ordered\x01By", "W. Hansen")
    said.add_itxt(
        "XML:com.adobe.xmp",
        "<x:xmpmeta><dc:creator><rdf:Seq><rdf:li>A. Fenn &amp; Co</rdf:li></rdf:Seq></dc:creator></x:xmpmeta>",
    )
    exif = Image.Exif()
    exif[270], exif[315] = "A page", "W. Hansen"
    target = io.BytesIO()
    Image.fromarray(written("Marked for release")).save(target, "PNG", pnginfo=said, exif=exif)
    document = read(target.getvalue(), "image/png")
    assert document.pages[0].text == "Marked for release"
    assert document.metadata == {
        "title": "Order of March",
        "comment": "Größe geprüft",
        "description": ("Packed, " * 9).strip(),
        "description_2": "A page",
        "text": "ordered by: W. Hansen",
        "author": "A. Fenn & Co",
        "author_2": "W. Hansen",
    }


def tiff(*pictures, **options):
    target = io.BytesIO()
    first, *others = [Image.fromarray(picture) for picture in pictures]
    first.save(target, "TIFF", save_all=True, append_images=others, **options)
    return target.getvalue()


def test_what_the_frames_of_a_tiff_say_of_themselves_is_told(read):
    data = tiff(written("One"), written("Two"), tiffinfo={270: "Delivery note", 315: "Scanner 4", 269: "A-17"})
    assert read(data, "image/tiff").metadata == {
        "document_name": "A-17",
        "description": "Delivery note",
        "author": "Scanner 4",
    }


def test_a_page_whose_directory_was_cut_is_not_the_page_before_once_more(read):
    data = tiff(written("First page"), written("Second page"), compression="tiff_lzw")
    document = read(data[:-30], "image/tiff")
    assert [(page.text, page.unread) for page in document.pages] == [("First page", ""), ("", "damaged")]
    assert "frame_damaged" in document.notes


def entry(data, tag):
    """Where a TIFF's directory has a tag."""
    at = struct.unpack_from("<I", data, 4)[0]
    places = [at + 2 + 12 * n for n in range(struct.unpack_from("<H", data, at)[0])]
    return next(place for place in places if struct.unpack_from("<H", data, place)[0] == tag)


def test_strips_that_the_directory_does_not_name_are_told(read):
    data = bytearray(tiff(written("Upper part", (420, 700))))
    struct.pack_into("<I", data, entry(data, 278) + 8, 350)  # rows of a strip: there would be two
    document = read(bytes(data), "image/tiff")
    assert "frame_incomplete" in document.notes
    assert [image.outcome for image in document.pages[0].images] == ["read", "not_decodable"]


def test_pictures_below_a_page_are_told_as_not_read(read):
    data = bytearray(tiff(written("The page"), tiffinfo={305: "abc"}))
    struct.pack_into("<HHII", data, entry(data, 305), 330, 4, 1, struct.unpack_from("<I", data, 4)[0])
    page = read(bytes(data), "image/tiff").pages[0]
    assert page.text == "The page"
    assert [image.outcome for image in page.images] == ["read", "not_read"]
