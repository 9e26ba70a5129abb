"""A file is what its bytes say. Tables of cases: a new case needs no code."""

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.intake import sniff
from frostbyte.data_plane.intake.sniff import Refusal, Sniffer, look_closer, text_kind
from intake.door_bench import CSV, DOCX, EXE, PDF, PNG, TIFF, TXT, XLSX, Bench, ooxml, zipped

OFFICE = "application/vnd.openxmlformats-officedocument."


def type_of(data: bytes, cut: int = 700) -> str:
    """The type, or the code of the refusal."""
    sniffer = Sniffer()
    for at in range(0, len(data), cut):
        sniffer.feed(data[at : at + cut])
    sniffer.finish()
    if sniffer.refusal is not None:
        return sniffer.refusal.code
    if sniffer.mime:
        return sniffer.mime
    found = look_closer(io.BytesIO(data), len(data))
    return found.code if isinstance(found, Refusal) else found


def cfb(stream: str) -> bytes:
    """A container whose directory, in its third sector, names one stream."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<H", header, 0x1E, 9)
    struct.pack_into("<I", header, 0x30, 20)
    return bytes(header) + bytes(512 * 20) + stream.encode("utf-16-le").ljust(512, b"\0")


PROSE = "Dear Sir, I write to you, as agreed, about the lease.\nIt ends, as you know, in May, which is soon.\n" * 5
LETTER = "Dear Madam,\nkind regards,\n"
ADDRESSES = "name,street\n" + "".join(f'Anna {n},"Long Street {n}, Hamburg"\n' for n in range(30))

ACCEPTED = {
    "pdf": (PDF, sniff.PDF),
    "pdf after mail headers": (b"Content-Type: application/pdf\r\n\r\n" + PDF, sniff.PDF),
    "pdf after random junk": (random.Random(2).randbytes(1000) + PDF, sniff.PDF),
    "pdf after a byte order mark": (b"\xef\xbb\xbf" + PDF, sniff.PDF),
    "pdf that was cut": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3", sniff.PDF),
    "png": (PNG, sniff.PNG),
    "tiff little endian": (TIFF, sniff.TIFF),
    "tiff big endian": (b"MM\x00*" + bytes(30), sniff.TIFF),
    "docx": (DOCX, sniff.DOCX),
    "docx whose parts come in another order": (
        ooxml(OFFICE + "wordprocessingml.document.main+xml", first={"word/media/i.png": PNG * 500}), sniff.DOCX),
    "docx with a workbook inside": (
        zipped({"[Content_Types].xml": f'<Types><Default Extension="xlsx" ContentType="{OFFICE}spreadsheetml.sheet"/>'
                f"<Override ContentType='{OFFICE}wordprocessingml.document.main+xml'/></Types>".encode()}),
        sniff.DOCX),
    "docx whose types are utf-16": (
        zipped({"[Content_Types].xml": f'<Types><Override ContentType="{OFFICE}wordprocessingml.document.main+xml"/>'
                "</Types>".encode("utf-16")}), sniff.DOCX),
    "xlsx": (XLSX, sniff.XLSX),
    "text": (TXT, sniff.TXT),
    "one word": (b"x", sniff.TXT),
    "prose with commas": (PROSE.encode(), sniff.TXT),
    "a short letter": (LETTER.encode(), sniff.TXT),
    "a text about pdf": (b"A file begins with %PDF-1.7 and then come objects.\n", sniff.TXT),
    "windows text": ("Größe: 5 €, Maße\n".encode("cp1252") * 10, sniff.TXT),
    "utf-16 text": (("Grüße aus Köln.\n" * 10).encode("utf-16"), sniff.TXT),
    "utf-32 text": (("Guten Tag.\n" * 10).encode("utf-32"), sniff.TXT),
    "text with a form feed": (b"page one\n\x0cpage two\n" * 20, sniff.TXT),
    "text cut inside a character": (("ä" * 6000).encode()[:9001] + b"\xa4", sniff.TXT),
    "json": (b'{"a": [1, 2, 3], "b": "text"}\n', sniff.TXT),
    "csv comma": (b"a,b,c\n1,2,3\n4,5,6\n", sniff.CSV),
    "csv semicolon": (CSV, sniff.CSV),
    "csv tab": (b"a\tb\n1\t2\n", sniff.CSV),
    "csv utf-16": ("name;wert\nä;1\nö;2\n".encode("utf-16"), sniff.CSV),
    "csv with quoted commas": (ADDRESSES.encode(), sniff.CSV),
    "csv with line breaks in cells": (b'id;note\n1;"two\nlines"\n2;"x"\n', sniff.CSV),
    "csv longer than the head": (b"id;text;number\n" + b"17;some words here;3,14\n" * 2000, sniff.CSV),
}  # fmt: skip

REFUSED = {
    "nothing": (b"", "empty_file"),
    "program": (EXE, "unsupported_type"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(200), "unsupported_type"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + random.Random(1).randbytes(3000), "unsupported_type"),
    "gzip": (b"\x1f\x8b\x08\x00" + random.Random(1).randbytes(3000), "unsupported_type"),
    "random": (random.Random(3).randbytes(50_000), "unsupported_type"),
    "text that turns binary": (TXT * 300 + random.Random(4).randbytes(60_000), "unsupported_type"),
    "zeros": (bytes(5000), "unsupported_type"),
    "html": (b"<!DOCTYPE html><html><body>x</body></html>", "unsupported_type"),
    "xml": (b'<?xml version="1.0"?><a/>', "unsupported_type"),
    "svg": (b"  <svg xmlns='x'/>", "unsupported_type"),
    "rtf": (b"{\\rtf1\\ansi hello}", "unsupported_type"),
    "postscript": (b"%!PS-Adobe-3.0\n", "unsupported_type"),
    "plain zip": (zipped({"a.txt": b"x"}), "unsupported_type"),
    "opendocument": (zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}), "unsupported_type"),
    "presentation": (ooxml(OFFICE + "presentationml.presentation.main+xml", "/ppt/p.xml"), "unsupported_type"),
    "docm": (ooxml("application/vnd.ms-word.document.macroEnabled.main+xml"), "unsupported_type"),
    "doc": (cfb("WordDocument"), "unsupported_type"),
    "encrypted docx": (cfb("EncryptedPackage"), "encrypted"),
    "container that is cut": (cfb("EncryptedPackage")[:300], "unsupported_type"),
    "docx that was cut": (DOCX[:-30], "damaged_file"),
    "empty zip entry list": (b"PK\x03\x04" + bytes(40), "damaged_file"),
}


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("cut", [1 << 20, 700, 3])
def test_what_is_accepted(name: str, cut: int) -> None:
    data, mime = ACCEPTED[name]
    assert type_of(data, cut) == mime


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("cut", [1 << 20, 700])
def test_what_is_refused(name: str, cut: int) -> None:
    data, code = REFUSED[name]
    assert type_of(data, cut) == code


@pytest.mark.parametrize("name", REFUSED)
def test_through_the_door_the_same_codes_come_out_and_nothing_stays(bench: Bench, name: str) -> None:
    data, code = REFUSED[name]
    outcome = bench.one(data, "honest.pdf")
    assert outcome.code == code
    assert outcome.remedy
    assert list(bench.blobs.names("raw/")) == []


def test_legacy_office_says_what_to_do() -> None:
    data = cfb("WordDocument")
    found = look_closer(io.BytesIO(data), len(data))
    assert isinstance(found, Refusal)
    assert "DOCX" in found.remedy


def test_a_program_is_refused_before_all_of_it_came(bench: Bench) -> None:
    sink = bench.intake.open_batch("vendor").file("x.pdf")
    sink.write(EXE * 1000)
    assert sink.refused
    sink.write(b"x" * 5_000_000)
    assert sink.finish().size == len(EXE) * 1000 + 5_000_000


@pytest.mark.slow
def test_a_bomb_in_the_content_types_is_read_bounded() -> None:
    main = b'<Override ContentType="' + OFFICE.encode() + b'wordprocessingml.document.main+xml"/>'
    bomb = zipped({"[Content_Types].xml": b"<Types>" + main + b" " * 200_000_000})
    assert len(bomb) < 1_000_000
    assert type_of(bomb, 1 << 20) == "damaged_file"


def test_a_directory_that_claims_too_much_is_not_read() -> None:
    data = bytearray(DOCX)
    at = data.rfind(b"PK\x05\x06")
    struct.pack_into("<I", data, at + 12, 0x7FFFFFFF)
    assert type_of(bytes(data)) == "damaged_file"


def test_an_encrypted_entry_is_named() -> None:
    data = bytearray(DOCX)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(magic, at + 1)) >= 0:
            data[at + offset] |= 1
    assert type_of(bytes(data)) == "encrypted"


def test_zip64_is_understood() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("[Content_Types].xml", "w", force_zip64=True) as part:
        part.write(b'<Types><Override ContentType="' + OFFICE.encode() + b'spreadsheetml.sheet.main+xml"/></Types>')
    assert type_of(out.getvalue()) == sniff.XLSX


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000), st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-1"]))
def test_no_bytes_make_it_raise(data: bytes, magic: bytes) -> None:
    assert type_of(magic + data)


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=2500), st.integers(1, 900))
def test_the_way_it_is_fed_does_not_matter(data: bytes, cut: int) -> None:
    assert type_of(data, cut) == type_of(data, 1 << 20)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_office_file_never_raises(data: st.DataObject) -> None:
    broken = bytearray(DOCX)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(4, len(broken) - 1))] = data.draw(st.integers(0, 255))
    assert type_of(bytes(broken))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.text("abcäö 0123", min_size=1, max_size=8), min_size=3, max_size=3), min_size=3, max_size=9)
)
def test_what_a_csv_writer_writes_is_a_csv(rows: list[tuple[str, ...]]) -> None:
    text = "\n".join(";".join(cell.strip() or "x" for cell in row) for row in rows)
    assert text_kind(text.encode(), whole=True) == sniff.CSV


BANK = (
    '"Girokonto";"DE12 3456";""\n"Kontostand vom 01.01.2024:";"1.234,56 EUR"\n""\n'
    '"Buchungstag";"Buchungstext";"Auftraggeber";"Betrag (EUR)"\n"02.01.2024";"Lastschrift";"Werke, Ulm";"-45,00"\n'
    '"03.01.2024";"Gutschrift";"Ada Fenn";"100,00"\n"04.01.2024";"Gutschrift";"";"7,50"\n'
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BANK, sniff.CSV),
        ("Costs of spring\n\nName;Sum\nAda;1,5\nBo;2,5\n", sniff.CSV),
        ("# made by a program, on Monday\n# it is ours\na,b,c\n1,2,3\n4,5,6\n", sniff.CSV),
        ("a;b;c\n1;2;3\n4;5;6\nSum of all rows\n", sniff.CSV),
        ('a, b\n"x", "y, z"\n"p", "q"\n', sniff.CSV),
        ("sep=^\na^b\n1^2\n", sniff.CSV),
        ('a,b\n"x,2\n3,4\n5,6\n', sniff.CSV),
        ("| Name | Town |\n|------|------|\n| Ada  | Ulm  |\n", sniff.TXT),
        ("Miete 1.200,50\nStrom 80,25\nGas 70,10\n", sniff.TXT),
        ("2024-01-01 12:00:00,123 INFO it began\n2024-01-01 12:00:01,456 WARN it goes on\n", sniff.TXT),
        ("Dear Anna,\nthank you for the pears, plums\nand figs, nuts\nand more, all\nYours,\nBo\n", sniff.TXT),
    ],
)
def test_tables_with_remarks_around_them_and_texts_with_commas(text: str, kind: str) -> None:
    assert text_kind(text.encode(), whole=True) == kind
