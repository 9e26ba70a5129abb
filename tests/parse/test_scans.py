"""Scans as they come: turned, slanted, faint, inverted, speckled, of any colour mode and compression."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import reportlab
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader

from frostbyte.data_plane.document import Kind, Span
from frostbyte.data_plane.parse.image import ocr
from frostbyte.data_plane.parse.image.ahead import ReadAhead
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.picture import redacted_png
from frostbyte.data_plane.policy.account import Marks, blocked
from frostbyte.kernel.errors import StageFailed

pytestmark = pytest.mark.slow

FONT = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
ENGLISH = (
    "The carrier hands over the goods at the gate",
    "and takes a receipt with date and hour. If the",
    "seal is broken, the shift leader counts them.",
    "Reference MX-40731 stands on every sheet.",
)
GERMAN = (
    "Der Frachtführer übergibt die Ware am Tor und",
    "erhält eine Quittung mit Datum und Uhrzeit. Ist",
    "das Siegel gebrochen, so zählt die Schichtleitung",
    "die Kisten und schreibt über den Verlust einen",
    "Bericht nach § 7 der Anweisung. Größe: 12 m²",
)


def page(lines=ENGLISH, *, points=30, size=(1000, 320)):
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(FONT), points)
    for number, line in enumerate(lines):
        draw.text((80, 50 + number * round(1.9 * points)), line, font=font, fill=0)
    return image


def png(image, **options):
    target = io.BytesIO()
    image.save(target, "PNG", **options)
    return target.getvalue()


def tiff(*images, **options):
    target = io.BytesIO()
    images[0].save(target, "TIFF", save_all=True, append_images=list(images[1:]), **options)
    return target.getvalue()


def words(page_):
    return " ".join(page_.text.split())


WANTED = " ".join(ENGLISH)
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_page_is_read_and_says_so(read, turned):
    found = read(png(page().transpose(TURNS[turned])), "image/png").pages[0]
    assert words(found) == WANTED
    assert found.turned == turned
    line = next(x for e in found.elements for x in e.lines if "MX-40731" in found.text[x.start : x.end])
    across, down = line.box[2] - line.box[0], line.box[3] - line.box[1]
    assert (across > down) == (turned == 180)


@pytest.mark.parametrize(("turned", "word"), [(0, "sheet."), (90, "Reference"), (180, "sheet."), (270, "Reference")])
def test_a_redaction_covers_the_right_end_of_a_turned_line(read, turned, word):
    upright = page()
    data = png(upright.transpose(TURNS[turned]) if turned else upright)
    found = read(data, "image/png").pages[0]
    start = found.text.index(word)
    span = Span(start=start, end=start + len(word))
    picture = Image.open(io.BytesIO(redacted_png(io.BytesIO(data), "image/png", found, redact=[span], dpi=300)))
    back = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    picture = picture.convert("L").transpose(back[turned]) if turned else picture.convert("L")
    again = read(png(picture), "image/png").pages[0].text
    assert word not in again
    other = "sheet" if word == "Reference" else "Reference"
    assert other in again, "the other end of the line stays"


@pytest.mark.parametrize("degrees", [-9.5, 1.1, 7.4])
def test_a_slanted_page_is_straightened_and_boxes_are_the_pages_own(read, degrees):
    image = page().rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    found = read(png(image), "image/png").pages[0]
    assert words(found) == WANTED
    dark = np.asarray(image) < 128
    for element in found.elements:
        for line in element.lines:
            left, top, right, bottom = (round(value) for value in line.box)
            assert 0 <= left < right <= image.width
            assert dark[max(0, top) : bottom, left:right].any()
    covered = np.zeros_like(dark)
    for element in found.elements:
        for line in element.lines:
            left, top, right, bottom = (round(value) for value in line.box)
            covered[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = True
    assert not (dark & ~covered).any(), "every dark pixel lies in a line's box"


def speckled(image):
    pixels = np.asarray(image).copy()
    chosen = np.random.default_rng(7).random(pixels.shape)
    pixels[chosen < 0.01] = 0
    pixels[chosen > 0.99] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda image: image.point(lambda value: 255 - value), id="inverted"),
        pytest.param(lambda image: image.point(lambda value: 170 + value // 9), id="faint"),
        pytest.param(speckled, id="speckled"),
        pytest.param(lambda image: image.resize((image.width // 3, image.height // 3), 4), id="small"),
        pytest.param(lambda image: image.resize((image.width * 3, image.height * 3), 4), id="large"),
    ],
)
def test_bad_copies(read, spoil):
    found = read(png(spoil(page())), "image/png").pages[0]
    assert words(found) == WANTED
    assert found.ocr_confidence is not None
    assert found.ocr_confidence > ocr.POOR


def test_a_dark_frame_around_the_page(read):
    image = Image.new("L", (1100, 420), 20)
    image.paste(page(), (50, 50))
    assert WANTED in words(read(png(image), "image/png").pages[0])


def test_a_fax_has_twice_as_many_pixels_across_as_down(read):
    image = page().resize((1000, 160), Image.Resampling.BOX).point(lambda value: 255 * (value > 140)).convert("1")
    found = read(tiff(image, compression="group3", dpi=(204, 98)), "image/tiff").pages[0]
    assert (found.width, found.height) == (1000, 160)
    assert "takes a receipt with date" in words(found)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("1", {"compression": "group4"}),
        ("1", {"compression": "group3"}),
        ("L", {"compression": "tiff_lzw"}),
        ("L", {"compression": "tiff_adobe_deflate"}),
        ("CMYK", {"compression": "tiff_lzw"}),
        ("YCbCr", {"compression": "jpeg", "quality": 95}),
        ("LAB", {}),
        ("I;16", {}),
        ("F", {}),
    ],
)
def test_colour_modes_and_compressions_of_tiff(read, mode, options):
    grey = page()
    if mode == "I;16":
        image = grey.convert("I").point(lambda value: value * 128 + 8000).convert("I;16")
    elif mode == "LAB":
        image = Image.merge("LAB", (grey, Image.new("L", grey.size, 128), Image.new("L", grey.size, 128)))
    elif mode == "F":
        image = grey.convert("F").point(lambda value: value * 0.003 - 0.4)
    else:
        image = grey.convert("RGB").convert(mode) if mode not in ("1", "L") else grey.convert(mode)
    assert words(read(tiff(image, **options), "image/tiff").pages[0]) == WANTED


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_that_the_file_states_is_how_it_is_shown(read, orientation):
    stored = {
        3: page().transpose(Image.Transpose.ROTATE_180),
        6: page().transpose(Image.Transpose.ROTATE_90),
        8: page().transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for data, mime in ((png(stored, exif=exif), "image/png"), (tiff(stored, exif=exif), "image/tiff")):
        found = read(data, mime).pages[0]
        assert (found.width, found.height, found.turned) == (1000, 320, 0)
        assert words(found) == WANTED


def test_german_is_read_with_its_own_signs(read):
    assert words(read(png(page(GERMAN)), "image/png").pages[0]) == " ".join(GERMAN)


def test_one_word_changes_one_word(read):
    before = words(read(png(page()), "image/png").pages[0]).split()
    lines = [line.replace("leader", "master") for line in ENGLISH]
    after = words(read(png(page(lines)), "image/png").pages[0]).split()
    assert [(x, y) for x, y in zip(before, after, strict=True) if x != y] == [("leader", "master")]


def test_a_poor_page_is_told(read):
    image = page(ENGLISH[:2], size=(900, 180))
    image = image.resize((230, 46), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    noise = np.random.default_rng(3).normal(0, 60, (180, 900))
    document = read(png(Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))), "image/png")
    found = document.pages[0]
    assert found.unread == "no_text" or "ocr_poor" in document.notes


def test_headings_lists_and_tables_of_a_scan(read):
    image = Image.new("L", (1240, 1100), 255)
    draw = ImageDraw.Draw(image)
    small, large = ImageFont.truetype(str(FONT), 26), ImageFont.truetype(str(FONT), 48)
    draw.text((100, 60), "Receiving of goods", font=large, fill=0)
    for number, line in enumerate(ENGLISH[:3]):
        draw.text((100, 170 + 45 * number), line, font=small, fill=0)
    for number, line in enumerate(("Count the boxes", "Look at every seal", "Sign the sheet")):
        draw.text((100, 360 + 60 * number), f"{number + 1}) {line}", font=small, fill=0)
    rows = (("Gate", "Opens", "Leader"), ("North", "6:30", "Ivers"), ("South", "7:15", "Quast"))
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            box = (100 + 300 * column, 600 + 70 * row, 400 + 300 * column, 670 + 70 * row)
            draw.rectangle(box, outline=0, width=2)
            draw.text((box[0] + 20, box[1] + 18), text, font=small, fill=0)
    loose = (("Part", "Price", "Stock"), ("Valve", "12.40", "380"), ("Gasket", "0.85", "1200"))
    for row, cells in enumerate(loose):
        for column, text in enumerate(cells):
            draw.text((100 + 300 * column, 880 + 60 * row), text, font=small, fill=0)
    found = read(png(image, dpi=(150, 150)), "image/png").pages[0]
    kinds = [element.kind for element in found.elements]
    assert kinds == [Kind.HEADING, Kind.PARAGRAPH, *[Kind.LIST_ITEM] * 3, Kind.TABLE, Kind.TABLE]
    assert found.text.startswith("Receiving of goods")
    for table, wanted in zip(found.elements[-2:], (rows, loose), strict=True):
        assert (table.rows, table.columns) == (3, 3)
        cells = [found.text[cell.start : cell.end] for cell in table.cells]
        assert cells == [text for row in wanted for text in row]


def test_frames_are_read_in_order_whatever_the_number_of_threads():
    pictures = [page([f"Sheet number {number} of the stack", *ENGLISH[:2]]) for number in range(3)]
    texts = []
    for threads in (1, 3):
        with ReadAhead(lambda: None, threads=threads) as ahead:
            waits = [ahead.ask(picture, (200.0, 200.0)) for picture in [*pictures, pictures[0]]]
            texts.append([[(line.text, line.box, line.confidence) for line in wait().lines] for wait in waits])
    assert texts[0] == texts[1]
    assert [lines[0][0] for lines in texts[0]] == [f"Sheet number {n} of the stack" for n in (0, 1, 2, 0)]


def test_a_broken_frame_leaves_the_others(read):
    frames = [page([f"Frame {number} can be read well"], size=(700, 160)) for number in (1, 2, 3)]
    data = bytearray(tiff(*frames, compression="tiff_adobe_deflate"))
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        at = image.tag_v2[273][0]
    data[at : at + 40] = bytes(40)
    document = read(bytes(data), "image/tiff")
    assert [bool(p.text) for p in document.pages] == [True, False, True]
    assert document.pages[1].unread == "damaged"
    assert [image.outcome for image in document.pages[1].images] == ["not_decodable"]
    assert "frame_damaged" in document.notes
    with pytest.raises(StageFailed) as failed:
        redacted_png(io.BytesIO(bytes(data)), "image/tiff", document.pages[1])
    assert failed.value.code == "damaged"


def test_every_frame_of_an_animation_is_read(read):
    frames = [page([f"Picture {word} of the film"], size=(700, 160)) for word in ("one", "two")]
    data = png(frames[0], save_all=True, append_images=frames[1:], duration=100)
    document = read(data, "image/png")
    assert document.pages_found == len(document.pages) == 2
    assert "Picture two" in document.pages[1].text
    assert "animated" in document.notes


@pytest.mark.parametrize("size", [(60_000, 60_000), (1, 2_000_000_000)])
def test_a_picture_that_unpacks_to_too_much_is_refused_before_it_is_decoded(read, size):
    data = bytearray(png(Image.new("L", (8, 8))))
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    with pytest.raises(StageFailed) as failed:
        read(bytes(data), "image/png")
    assert failed.value.code in ("image_too_large", "damaged")


def test_without_ocr_every_frame_is_told_as_not_read(read):
    document = read(tiff(page(), page()), "image/tiff", ParseLimits(ocr=False))
    assert [p.unread for p in document.pages] == ["not_read", "not_read"]
    assert [image.outcome for p in document.pages for image in p.images] == ["not_read", "not_read"]


SHAPES = st.lists(
    st.tuples(
        st.sampled_from(["text", "blank", "noise", "grey", "tiny", "line"]),
        st.sampled_from(["1", "L", "RGB", "P"]),
    ),
    min_size=1,
    max_size=4,
)


def shape(kind):
    if kind == "text":
        return page(["Counted and read"], size=(420, 120))
    if kind == "noise":
        return Image.frombytes("L", (200, 160), random.Random(5).randbytes(200 * 160))
    if kind == "line":
        image = Image.new("L", (300, 200), 255)
        ImageDraw.Draw(image).line((10, 10, 290, 190), fill=0, width=3)
        return image
    flat = {"blank": Image.new("L", (300, 200), 255), "grey": Image.new("L", (300, 200), 90), "tiny": page(size=(3, 2))}
    return flat[kind]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SHAPES)
def test_every_frame_is_counted_with_an_outcome(read, frames):
    document = read(tiff(*[shape(kind).convert(mode) for kind, mode in frames]), "image/tiff")
    assert len(document.pages) == len(frames)
    for (kind, _), found in zip(frames, document.pages, strict=True):
        whole = [image for image in found.images if image.outcome != "not_legible"]
        assert len(whole) == 1
        assert whole[0].outcome == ("read" if found.text else "no_text")
        if kind == "text":
            assert "Counted and read" in found.text
        if kind in ("blank", "grey", "tiny"):
            assert found.unread == "no_text"
    account = blocked(document, [Marks.of(found, []) for found in document.pages])
    assert account.closes
    assert account.images.found == sum(len(found.images) for found in document.pages)


def test_changed_bytes_are_read_or_refused_but_never_crash(read):
    exif = Image.Exif()
    exif[0x0112] = 6
    small = page(ENGLISH[:1], size=(300, 60))
    wholes = [
        ("image/png", png(small, exif=exif)),
        ("image/png", png(small, save_all=True, append_images=[small])),
        ("image/tiff", tiff(small.convert("1"), small.convert("1"), compression="group4")),
        ("image/tiff", tiff(small.convert("RGB"), compression="jpeg")),
        ("image/tiff", tiff(small, compression="tiff_lzw")),
    ]
    chance = random.Random(11)
    codes = set()
    for _ in range(400):
        mime, whole = chance.choice(wholes)
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 12))):
            data[chance.choice((chance.randrange(len(data)), -1 - chance.randrange(min(len(data), 250))))] = (
                chance.randrange(256)
            )
        try:
            read(bytes(data[: len(data) - chance.choice((0, 0, 40))]), mime, ParseLimits(ocr=False))
        except StageFailed as failed:
            codes.add(failed.code)
    assert "damaged" in codes
    assert codes <= {"damaged", "image_too_large", "too_many_pages"}


def test_an_address_keeps_its_lines_and_page_numbers_are_told_apart(read):
    image = Image.new("L", (1240, 1754), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(FONT), 26)
    lines = ("Ottilie Bergengruen", "Kastanienallee 58", "Wendeburg")
    for number, line in enumerate(lines):
        draw.text((120, 200 + 40 * number), line, font=font, fill=0)
    for number, line in enumerate((*ENGLISH[:2], "seal is broken, the shift leader counts")):
        draw.text((120, 500 + 40 * number), line, font=font, fill=0)
    draw.text((560, 1680), "Page 3 of 12", font=font, fill=0)
    found = read(png(image), "image/png").pages[0]
    shown = [(element.kind, found.text[element.start : element.end]) for element in found.elements]
    assert shown[0] == (Kind.PARAGRAPH, "\n".join(lines))
    assert shown[1] == (Kind.PARAGRAPH, " ".join((*ENGLISH[:2], "seal is broken, the shift leader counts")))
    assert shown[2] == (Kind.FOOTER, "Page 3 of 12")


def test_a_scan_that_lies_on_its_side_in_a_pdf(read, tmp_path):
    file = tmp_path / "scan.pdf"
    page(GERMAN).transpose(TURNS[90]).save(file, "PDF", resolution=200)
    document = read(file.read_bytes(), "application/pdf")
    found = document.pages[0]
    assert found.turned == 90
    assert words(found) == " ".join(GERMAN)
    assert [image.outcome for image in found.images] == ["read"]
    start = found.text.index("Größe")
    data = redacted_png(
        io.BytesIO(file.read_bytes()), "application/pdf", found, redact=[Span(start=start, end=start + 5)], dpi=200
    )
    again = read(data, "image/png").pages[0].text
    assert "Größe" not in again
    assert "Bericht nach" in again


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(["text", "blank", "noise", "small"]), max_size=3), min_size=1, max_size=3))
def test_every_picture_of_a_pdf_is_counted_with_an_outcome(read, make_pdf, pages):
    def drawing(kinds):
        def draw(canvas):
            canvas.drawString(72, 780, "Pictures below")
            for number, kind in enumerate(kinds):
                image = shape("text" if kind == "small" else kind)
                size = (12, 12) if kind == "small" else (150, 150 * image.height / image.width)
                # A pixel of its own keeps equal pictures apart, as files of several programs have them.
                image.putpixel((0, 0), 200 + number)
                canvas.drawImage(ImageReader(image), 72, 600 - 190 * number, *size)

        return draw

    document = read(make_pdf(*[drawing(kinds) for kinds in pages]), "application/pdf")
    for kinds, found in zip(pages, document.pages, strict=True):
        outcomes = [image.outcome for image in found.images if image.outcome != "not_legible"]
        wanted = {"text": "read", "blank": "no_text", "noise": "no_text", "small": "too_small"}
        assert sorted(outcomes) == sorted(wanted[kind] for kind in kinds)
        figures = [e for e in found.elements if e.kind is Kind.FIGURE]
        assert len(figures) == kinds.count("text")
    account = blocked(document, [Marks.of(found, []) for found in document.pages])
    assert account.closes
