"""Office files by their parts: found whatever program named them, and never another than the one that people see."""

from __future__ import annotations

import io
import warnings
import zipfile

import pytest

from frostbyte.kernel.errors import StageFailed

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(*entries):
    made = [f'<Relationship Id="r{n}" Type="{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(entries)]
    return f'<Relationships xmlns="{PACKAGE}">{"".join(made)}</Relationships>'


def document(words):
    return f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>{words}</w:t></w:r></w:p></w:body></w:document>'


@pytest.mark.parametrize("name", ["word/Header1.XML", "word\\header1.xml", "/word/header1.xml", "word/header1.xml"])
@pytest.mark.parametrize(
    "target", ["header1.xml", "HEADER1.xml", "./header1.xml", "/word/header1.xml", "head%65r1.xml"]
)
def test_parts_are_found_by_names_that_differ_in_case_or_strokes(read, make_docx, name, target):
    header = f'<w:hdr xmlns:w="{W}"><w:p><w:r><w:t>above</w:t></w:r></w:p></w:hdr>'
    relation = f'<Relationship Id="h" Type="{KINDS}/header" Target="{target}"/>'
    page = read(make_docx("<w:p><w:r><w:t>below</w:t></w:r></w:p>", {name: header}, relation), DOCX).pages[0]
    assert page.text == "below\nabove"


def test_a_relation_of_no_family_is_not_followed(read, zipped):
    parts = {
        "_rels/.rels": relations(
            ("urn:x/officeDocument", "word/decoy.xml"), (f"{KINDS}/officeDocument", "word/real.xml")
        ),
        "word/decoy.xml": document("decoy"),
        "word/real.xml": document("real"),
    }
    assert read(zipped(parts), DOCX).pages[0].text == "real"


@pytest.mark.parametrize("name", ["word/document.xml", "word/Document.xml"])
def test_two_parts_of_one_name_are_refused_where_they_differ(read, make_docx, name):
    def twice(words):
        data = io.BytesIO(make_docx("<w:p><w:r><w:t>one</w:t></w:r></w:p>"))
        with zipfile.ZipFile(data, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(name, words or archive.read("word/document.xml"))
        return data.getvalue()

    with pytest.raises(StageFailed, match="structure"):
        read(twice(document("two")), DOCX)
    assert read(twice(""), DOCX).pages[0].text == "one"


def test_properties_are_found_where_any_program_puts_them(read, make_docx):
    core = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    top = relations(
        (f"{KINDS}/officeDocument", "word/document.xml"),
        (core, "package/services/metadata/core-properties/1a.psmdcp"),
        (f"{KINDS}/extended-properties", "docProps/app.xml"),
        (f"{KINDS}/custom-properties", "docProps/custom.xml"),
    )
    about = {
        "_rels/.rels": top,
        "package/services/metadata/core-properties/1a.psmdcp": f'<c:coreProperties xmlns:c="{PACKAGE}" '
        'xmlns:d="http://purl.org/dc/elements/1.1/">'
        "<d:title>The title</d:title><c:category>Leases</c:category></c:coreProperties>",
        "docProps/app.xml": "<Properties><Pages>3</Pages><Company>Bright</Company><Manager>Ada</Manager></Properties>",
        "docProps/custom.xml": '<Properties xmlns:vt="v"><property name="Matter"><vt:lpwstr>0417</vt:lpwstr></property>'
        '<property name="Client"><vt:lpwstr>Grey</vt:lpwstr></property></Properties>',
    }
    found = read(make_docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>", about), DOCX)
    assert found.title == "The title"
    assert found.metadata == {
        "title": "The title",
        "category": "Leases",
        "company": "Bright",
        "manager": "Ada",
        "custom": "Matter: 0417; Client: Grey",
    }


def test_a_way_of_packing_that_is_not_known_is_named(read, make_docx):
    data = bytearray(make_docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>"))
    for sign, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # where headers tell the method
        place = data.find(sign)
        while place >= 0:
            data[place + at] = 9
            place = data.find(sign, place + 4)
    with pytest.raises(StageFailed, match="Deflate64"):
        read(bytes(data), DOCX)
