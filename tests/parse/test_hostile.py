"""Files made to hurt: each ends with a code that says what it was."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib

import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption

from frostbyte.data_plane.document import Document
from frostbyte.data_plane.parse.image.described import _packet
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.pdf.objects import recounted
from frostbyte.kernel.errors import StageFailed

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EVERY = [PDF, DOCX, XLSX, "image/png", "image/tiff"]


def code_of(read, data, mime, limits=None):
    with pytest.raises(StageFailed) as caught:
        read(data, mime, limits)
    assert caught.value.remedy
    return caught.value.code


def attempt(read, data, mime):
    """The document, or the code of the failure."""
    try:
        return read(data, mime)
    except StageFailed as error:
        return error.code


@pytest.mark.parametrize("mime", EVERY)
@pytest.mark.parametrize("data", [b"", b"MZ\x90\x00 no document", b"%PDF-1.7\nPK\x03\x04\x89PNG"])
def test_what_is_no_document_is_damaged(read, mime, data):
    assert code_of(read, data, mime) == "damaged"


def test_an_unknown_type_is_refused(read):
    assert code_of(read, b"x", "application/x-thing") == "unsupported_format"


def test_an_encrypted_pdf(read, make_pdf):
    data = make_pdf(lambda c: c.drawString(72, 700, "x"), encrypt=StandardEncryption("user", "owner"))
    assert code_of(read, data, PDF) == "encrypted"


def test_an_encrypted_office_file(read):
    assert code_of(read, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), DOCX) == "encrypted"


def test_a_truncated_pdf_goes_as_far_as_it_can(read, make_pdf):
    data = make_pdf(*[lambda c, n=n: c.drawString(72, 700, f"page number {n}") for n in range(5)])
    document = read(data[: data.index(b"xref")], PDF)
    assert "truncated" in document.notes
    assert "page number 0" in document.pages[0].text


def test_pages_that_lost_their_content_are_not_called_blank(read, sample):
    data, mime = sample("services-agreement.pdf")
    document = read(data[: len(data) // 2], mime)
    assert [page.unread for page in document.pages] == ["", "damaged", "damaged"]
    assert code_of(read, data[:900], mime) == "damaged"


def cyclic_pdf():
    body = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 2 0 R 4 0 R]/Count 3>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 1>>",
    ]
    out, places = b"%PDF-1.7\n", []
    for number, item in enumerate(body, 1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, item)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start


def test_a_page_tree_that_holds_itself_ends(read):
    began = time.monotonic()
    outcome = attempt(read, cyclic_pdf(), PDF)
    assert time.monotonic() - began < 10
    # Never an empty success: it is damaged, or the pages that could not be opened are counted as found.
    assert outcome == "damaged" or outcome.pages_found >= len(outcome.pages) >= 1


def test_ten_thousand_pages_are_too_many():
    from frostbyte.data_plane.parse.reader import parse

    document = pdfium.PdfDocument.new()
    for _ in range(10_000):
        document.new_page(100, 100)
    target = io.BytesIO()
    document.save(target)
    with pytest.raises(StageFailed) as caught:
        parse(target, sha256="", mime=PDF, size=target.tell())
    assert caught.value.code == "too_many_pages"


def bomb(name, megabytes):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for _ in range(megabytes):
            member.write(bytes(1 << 20))
    return target.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(("mime", "name"), [(DOCX, "word/document.xml"), (XLSX, "xl/workbook.xml")])
def test_a_zip_bomb_is_refused_before_it_unpacks(read, mime, name):
    began = time.monotonic()
    assert code_of(read, bomb(name, 300), mime) == "archive_bomb"
    assert time.monotonic() - began < 10


def test_a_zip_that_lies_about_its_size(read, make_docx):
    """The directory says 100 bytes, the member unpacks to 50 MB: no more than is declared is ever taken."""
    data = bytearray(bomb("word/document.xml", 50))
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 100)
    assert code_of(read, bytes(data), DOCX) == "damaged"


def test_too_many_members(read, zipped):
    data = zipped({f"word/{n}.xml": "x" for n in range(30)})
    assert code_of(read, data, DOCX, ParseLimits(max_entries=20)) == "archive_bomb"


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_xml_entities_are_refused(read, make_docx, prolog):
    data = make_docx("<w:p><w:r><w:t>text</w:t></w:r></w:p>", prolog=prolog)
    assert code_of(read, data, DOCX) == "unsafe_xml"


def test_xml_entities_in_utf16_are_refused(read, zipped):
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    assert code_of(read, zipped({"word/document.xml": text.encode("utf-16")}), DOCX) == "unsafe_xml"


def test_deep_nesting_ends(read, make_docx):
    body = "<w:p><w:r><w:t>top</w:t></w:r></w:p>" + "<w:sdt>" * 200 + "</w:sdt>" * 200
    document = read(make_docx(body), DOCX)
    assert document.pages[0].text == "top"
    assert document.notes == ("nesting_too_deep",)


def sheet_of(sample, zipped, cells):
    data, mime = sample("laboratory-budget.xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>'
    return zipped(members | {"xl/worksheets/sheet1.xml": sheet}), mime


def test_a_sheet_with_two_far_corners_is_two_small_blocks(read, sample, zipped):
    corners = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    page = read(*sheet_of(sample, zipped, corners)).pages[0]
    assert page.text == "1\n2"
    assert [mark.label for mark in page.marks] == ["A1", "XFD1048576"]


def test_a_staircase_of_cells_is_bounded(read, sample, zipped):
    """Each row begins where the last one ended: the empty places would be more than all cells."""
    from frostbyte.data_plane.parse.office.cell_references import column_name

    rows = "".join(
        f'<row r="{n}"><c r="{column_name(n)}{n}"><v>1</v></c><c r="{column_name(n + 1)}{n}"><v>1</v></c></row>'
        for n in range(1, 3_000)
    )
    assert code_of(read, *sheet_of(sample, zipped, rows)) == "too_many_cells"


def test_formatting_alone_does_not_stretch_a_sheet(read, sample, zipped):
    data, mime = sample("laboratory-budget.xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
        "</sheetData></worksheet>"
    )
    assert read(zipped(members | {"xl/worksheets/sheet1.xml": sheet}), mime).pages[0].text == "1"


def png_head(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_an_image_bomb_is_refused_by_its_head(read):
    assert code_of(read, png_head(60_000, 60_000), "image/png") == "image_too_large"


def test_a_cut_image_is_damaged(read, sample):
    data, mime = sample("complaint-letter.png")
    assert code_of(read, data[: len(data) // 2], mime) == "damaged"


def test_too_many_frames(read):
    frames = [Image.new("1", (20, 20)) for _ in range(6)]
    target = io.BytesIO()
    frames[0].save(target, "TIFF", save_all=True, append_images=frames[1:])
    assert code_of(read, target.getvalue(), "image/tiff", ParseLimits(max_pages=5)) == "too_many_pages"


@pytest.mark.slow
def test_one_damaged_frame_leaves_the_others(read, sample):
    data, mime = sample("storage-order-fax.tiff")
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        place = image.tag_v2[273][0]
        second = image.tag_v2[279][0]
    cut = data[: place + second // 3] + bytes(second - second // 3) + data[place + second :]
    document = read(cut, mime)
    assert "Order number 77-3041" in document.pages[0].text
    assert document.pages_found == 2
    assert len(document.pages) == 2


def test_too_much_text(read):
    assert code_of(read, b"x" * 100, "text/plain", ParseLimits(max_characters=50)) == "text_too_large"


@pytest.mark.parametrize("name", ["services-agreement.pdf", "invoice-2026-0417.docx", "laboratory-budget.xlsx"])
def test_flipped_bytes_never_escape_the_family(read, sample, name):
    """Any single damaged byte gives a document that is well formed, or a failure of the family."""
    from frostbyte.adapters.parsing import DirectReader

    data, mime = sample(name)
    reader = DirectReader()
    for place in range(3, len(data), max(1, len(data) // 60)):
        broken = bytearray(data)
        broken[place] ^= 0x55
        outcome = attempt(lambda data, mime: reader.parse([data], sha256="", mime=mime, size=1), bytes(broken), mime)
        assert isinstance(outcome, Document) or outcome in {"damaged", "encrypted", "archive_bomb"}, place


def test_sheets_that_would_be_cut_into_many_blocks_end_soon(read, sample, zipped):
    """Gaps between all columns, a thousand titles, a thousand tables with a gap: each is looked at once."""
    from frostbyte.data_plane.parse.office.cell_references import column_name

    def cell(row, column):
        return f'<c r="{column_name(column)}{row}" t="str"><v>x{row}.{column}</v></c>'

    gaps = "".join(f'<row r="{n}">{"".join(cell(n, c) for c in range(0, 1500, 3))}</row>' for n in range(1, 40))
    titles = "".join(f'<row r="{n}">{cell(n, 0)}</row>' for n in range(1, 5000))
    titles += f'<row r="5000">{cell(5000, 0)}{cell(5000, 1)}</row>'
    groups = "".join(f'<row r="{n}">{cell(n, 0)}{cell(n, 1)}</row>' for n in range(1, 9000) if n % 3)
    for rows in (gaps, titles, groups):
        began = time.process_time()
        read(*sheet_of(sample, zipped, rows))
        assert time.process_time() - began < 5


def test_thousands_of_notes_and_comments_end_soon(read, make_docx):
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    marks = "".join(
        f'<w:r><w:footnoteReference w:id="{n % 3}"/><w:commentReference w:id="{n}"/></w:r>' for n in range(20_000)
    )
    notes = "".join(f'<w:footnote w:id="{n}"><w:p/></w:footnote>' for n in range(3))
    relation = f'<Relationship Id="f" Type="{kinds}/footnotes" Target="footnotes.xml"/>'
    members = {"word/footnotes.xml": f"<w:footnotes {w}>{notes}</w:footnotes>"}
    began = time.process_time()
    read(make_docx(f"<w:p>{marks}</w:p>", members, relation), DOCX)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("body", [b"/Kids [" + b" " * 900_000 + b"]", b"/Kids [" * 120_000], ids=["blanks", "brackets"])
def test_a_tree_of_pages_of_blanks_or_brackets_is_passed_at_once(body):
    data = (
        b"%PDF-1.4\n1 0 obj <</Pages 2 0 R>> endobj\n2 0 obj <</Count 1 " + body + b">> endobj\ntrailer <</Root 1 0 R>>"
    )
    began = time.process_time()
    assert recounted(data) is None
    assert time.process_time() - began < 2


@pytest.mark.parametrize("begun", ["<dc:title>", "<dc:title", "<dc:title><"])
def test_a_packet_that_begins_without_end_is_passed_at_once(begun):
    began = time.process_time()
    assert list(_packet(begun * 60_000)) == []
    assert time.process_time() - began < 2
    assert list(_packet(begun * 3 + "<dc:title><rdf:li>A &amp; B</rdf:li></dc:title>"))[-1][1].endswith("A & B ")
