"""XLSX: cells as their formats show them, blocks, what is hidden, and the forms in which programs write."""

from __future__ import annotations

import msgspec
import pytest

from frostbyte.data_plane.document import Kind, encode
from frostbyte.data_plane.parse.office.cell_references import area, column_name, column_number, moved
from frostbyte.data_plane.parse.office.number_formats import NumberFormat, general
from frostbyte.kernel.errors import StageFailed

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

FORMATS = [
    ("0.00", 2.675, "2.68"),
    ("#,##0.00", 1234567.891, "1,234,567.89"),
    ("#,##0", -1234.5, "-1,235"),
    ("0.0%", 0.1953, "19.5%"),
    ("0%", 0.285, "29%"),
    ('#,##0.00 "€"', 1234.5, "1,234.50 €"),
    ("#,##0.00\\ [$€-407]", 1234567.5, "1.234.567,50 €"),
    ('"$"#,##0.00_);\\("$"#,##0.00\\)', -12.5, "($12.50)"),
    ("dd.mm.yyyy", 46083.5, "02.03.2026"),
    ("[$-407]d. mmmm yyyy", 46083, "2. März 2026"),
    ("h:mm AM/PM", 0.75, "6:00 PM"),
    ("[h]:mm", 1.5, "36:00"),
    ("mm:ss.0", 0.0012345, "01:46.7"),
    ("# ?/?", 1.25, "1 1/4"),
    ("# ??/??", 0.3333333, "1/3"),
    ("?/8", 0.5, "4/8"),
    ("0.00E+00", 12345.678, "1.23E+04"),
    ("##0.0E+0", 12345.678, "12.3E+3"),
    ("#.##", 0.5, ".5"),
    ("0.###", 1.5, "1.5"),
    ("000-00-0000", 78051120, "078-05-1120"),
    ("(0##) ###-####", 305551234, "(030) 555-1234"),
    ("#,##0,", 1234567, "1,235"),
    ('[>=100]"big";"small"', 5, "small"),
    ("[Red]-0.0;[Blue]0.0", 3, "-3.0"),
    ('General" kg"', 2.5, "2.5 kg"),
    ("m/d/yy h:mm", 46083.25, "3/2/26 6:00"),
    ("#,##0.00;[Red]-#,##0.00", -3.456, "-3.46"),
    ("0.00", -0.001, "0.00"),
    ("yyyy-mm-dd", 60, "1900-02-29"),
    ("yyyy-mm-dd", 61, "1900-03-01"),
]


@pytest.mark.parametrize(("code", "value", "shown"), FORMATS)
def test_a_number_is_shown_as_its_format_says(code, value, shown):
    assert NumberFormat(code).number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (1234567.891234, "1234567.891"),
        (123456789012345, "123456789012345"),
        (0.000123456789, "0.000123457"),
        (0.00001234567, "1.23457E-05"),
        (1.5e20, "1.5E+20"),
        (-2.5, "-2.5"),
    ],
)
def test_general(value, shown):
    assert general(value) == shown


def test_dates_of_1904_and_texts_in_formats():
    assert NumberFormat("yyyy-mm-dd", from_1904=True).number(0) == "1904-01-01"
    assert NumberFormat('"Mr "@').text("Grey") == "Mr Grey"
    assert NumberFormat("dd.mm.yyyy hh:mm").stored(46083.5) == "2026-03-02T12:00:00"
    assert NumberFormat("hh:mm").stored(0.25) == "06:00:00"


def test_names_of_cells():
    assert [column_name(n) for n in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert all(column_number(column_name(n)) == n for n in range(0, 16_384, 37))
    assert area("$B$2:C9") == (1, 1, 8, 2)
    assert area("nonsense") is None


@pytest.mark.parametrize(
    ("formula", "shifted"),
    [
        ("A1+$A1+A$1+$A$1", "B3+$A3+B$1+$A$1"),
        ('SUM(Data!A1:B2)&"A1"', 'SUM(Data!B3:C4)&"A1"'),
        ("'A1 b'!A1*LOG10(A1)", "'A1 b'!B3*LOG10(B3)"),
        ("A:A+tax_A1", "B:B+tax_A1"),
        ("Table1[A1]+XFE1", "Table1[A1]+XFE3"),
    ],
)
def test_shared_formulas_move_along(formula, shifted):
    assert moved(formula, 2, 1) == shifted


@pytest.fixture
def book(read, zipped):
    """Read a workbook of one sheet's inside, with styles and further members."""

    def call(sheet, *, styles="", strings="", relations="", members=None, workbook="", raw=False):
        named = [("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")]
        if strings:
            named.append(("rId3", "sharedStrings", "sharedStrings.xml"))
        rels = "".join(f'<Relationship Id="{i}" Type="{KINDS}/{kind}" Target="{name}"/>' for i, kind, name in named)
        parts = {
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{KINDS}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{KINDS}">{workbook}<sheets>'
            '<sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{rels}</Relationships>',
            "xl/styles.xml": f'<styleSheet xmlns="{S}">{styles}</styleSheet>',
            "xl/worksheets/sheet1.xml": sheet if raw else f'<worksheet xmlns="{S}">{sheet}</worksheet>',
            "xl/worksheets/_rels/sheet1.xml.rels": f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>',
        }
        if strings:
            parts["xl/sharedStrings.xml"] = f'<sst xmlns="{S}">{strings}</sst>'
        return read(zipped(parts | (members or {})), XLSX).pages[0]

    return call


def c(name, value, attributes="", inside=""):
    if isinstance(value, str):
        return f'<c r="{name}" t="inlineStr"{attributes}><is><t>{value}</t></is></c>'
    return f'<c r="{name}"{attributes}>{inside}<v>{value}</v></c>'


def rows(*lines):
    """Rows of values from A1 on; None is a blank row, '' no cell."""
    made = []
    for number, line in enumerate(lines, 1):
        cells = "".join(c(f"{column_name(n)}{number}", value) for n, value in enumerate(line or ()) if value != "")
        made.append(f'<row r="{number}">{cells}</row>' if line else "")
    return f"<sheetData>{''.join(made)}</sheetData>"


def shown(page):
    return [(e.kind.value, page.text[e.start : e.end]) for e in page.elements]


def table_cells(page, index=0):
    table = [e for e in page.elements if e.kind is Kind.TABLE][index]
    return {(cell.row, cell.column): page.text[cell.start : cell.end] for cell in table.cells}


def test_styles_give_texts_and_the_stored_value_stays(book):
    styles = (
        '<numFmts><numFmt numFmtId="170" formatCode="#,##0.00 &quot;EUR&quot;"/></numFmts><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="14"/><xf numFmtId="10"/><xf numFmtId="170"/><xf numFmtId="46"/></cellXfs>'
    )
    numbers = enumerate((2.5, 46083, 0.1234, 1234.5, 1.25))
    cells = "".join(c(f"{column_name(n)}1", value, f' s="{n}"') for n, value in numbers)
    page = book(f'<sheetData><row r="1">{cells}</row></sheetData>', styles=styles)
    assert page.text == "2.5\t2026-03-02\t12.34%\t1,234.50 EUR\t30:00:00"
    assert [cell.value for cell in page.elements[0].cells] == [None, None, "0.1234", "1234.5", "1.25"]


def test_kinds_of_values(book):
    cells = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="b"><v>1</v></c>'
        '<c r="D1" t="e"><v>#N/A</v></c><c r="E1" t="str"><f>A1&amp;"x"</f><v>a &lt; b_x000D_</v></c>'
    )
    strings = "<si><t>plain</t></si><si><r><t>ri</t></r><r><rPr/><t>ch</t></r><rPh><t>no</t></rPh></si>"
    page = book(f'<sheetData><row r="1">{cells}</row></sheetData>', strings=strings)
    assert page.text == "plain\trich\tTRUE\t#N/A\ta < b\r"
    assert page.elements[0].cells[4].formula == '=A1&"x"'


def test_lone_surrogates_beside_the_text_are_replaced(book):
    """XML knows no such character, but one cell of the usual forms is not looked at by a parser of XML."""
    styles = '<numFmts><numFmt numFmtId="170" formatCode="&quot;Dr &quot;@"/></numFmts><cellXfs><xf/>'
    framed = '<c r="A1" t="inlineStr" s="1"><is><t>a&#xD83D;</t></is></c>'
    for many in (1, 300):
        coded = "".join(f'<row r="{n}"><c r="A{n}"><f>"_xD83D_"</f><v>1</v></c></row>' for n in range(2, many + 2))
        page = book(
            f'<sheetData><row r="1">{framed}</row>{coded}</sheetData>', styles=f'{styles}<xf numFmtId="170"/></cellXfs>'
        )
        cells = [cell for element in page.elements for cell in element.cells]
        assert {cell.formula for cell in cells} == {None, '="\ufffd"'}
        assert "a\ufffd" in {cell.value for cell in cells}
        assert msgspec.json.decode(encode(page), type=type(page)) == page


def test_every_form_of_xml_reads_the_same(book):
    usual = rows(["Name", "Sum"], ["Ada", 3], ["Bo", 4.5])
    first = book(usual)
    spaced = usual.replace("><", ">\n  <")
    prefixed = usual.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:")
    single = usual.replace('"', "'")
    nameless = "<sheetData><row><c t='inlineStr'><is><t>Name</t></is></c><c t='inlineStr'><is><t>Sum</t></is></c></row>"
    nameless += "<row><c t='inlineStr'><is><r><t>A</t></r><r><t>da</t></r></is></c><c><v>3</v></c></row>"
    nameless += "<row><c t='inlineStr'><is><t>Bo</t></is></c><c><v>4.5</v></c></row></sheetData>"
    for other in (spaced, single, nameless, usual.replace("<v>3</v>", "<!-- <c -->\n<v>3</v>")):
        assert book(other) == first
    assert book(f'<x:worksheet xmlns:x="{S}">{prefixed}</x:worksheet>', raw=True) == first
    wide = f'<?xml version="1.0" encoding="UTF-16"?><worksheet xmlns="{S}">{usual}</worksheet>'
    assert book(wide.encode("utf-16"), raw=True) == first


@pytest.mark.parametrize("prefix", ["x", "a-b", "ä"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_no_encoding_or_prefix_hides_cells(book, encoding, prefix):
    usual = rows(["Name", "Größe"], ["Ada", 3], ["Bo", 4.5])
    prefixed = usual.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:").replace(f"<{prefix}:/", "</")
    prefixed = f'<{prefix}:worksheet xmlns:{prefix}="{S}">{prefixed}</{prefix}:worksheet>'
    for sheet in (f'<worksheet xmlns="{S}">{usual}</worksheet>', prefixed):
        declared = ' encoding="ISO-8859-1"' if encoding == "latin-1" else ""
        assert book(f'<?xml version="1.0"{declared}?>{sheet}'.encode(encoding), raw=True) == book(usual)


@pytest.mark.parametrize("many", [1, 300])
def test_a_prefix_for_some_rows_or_cells_hides_none(book, many):
    usual = rows(["Name", "Sum"], *(["Ada", 3] for _ in range(many)), ["Bo", 4.5])
    before, last = usual[: usual.rfind("<row")], usual[usual.rfind("<row") :].removesuffix("</sheetData>")
    row = last.replace("</", "</y:").replace("<", "<y:").replace("<y:/y:", "</y:")
    cell = last.replace("<c ", "<y:c ").replace("</c>", "</y:c>")
    for other in (row, cell):
        sheet = f'<worksheet xmlns="{S}" xmlns:y="{S}">{before}{other}</sheetData></worksheet>'
        assert book(sheet.encode(), raw=True) == book(usual)


def test_a_sheet_whose_text_is_in_no_encoding_is_damaged(book):
    sheet = f'<worksheet xmlns="{S}">{rows(["Name"], ["Ada"])}</worksheet>'.encode().replace(b"Ada", b"A\xffda")
    with pytest.raises(StageFailed) as failed:
        book(sheet, raw=True)
    assert failed.value.code == "damaged"


def test_blocks(book):
    page = book(
        rows(
            ["Costs of the year"], None, ["Item", "Cost"], ["Rent", 10], ["Heat", 2], None, ["Light", 3], None,
            ["Town", "People"], ["Ulm", 5], None, None, ["Checked by Ada"],
        )
    )  # fmt: skip
    assert shown(page) == [
        ("heading", "Costs of the year"),
        ("table", "Item\tCost\nRent\t10\nHeat\t2\nLight\t3"),
        ("table", "Town\tPeople\nUlm\t5"),
        ("paragraph", "Checked by Ada"),
    ]
    assert [mark.label for mark in page.marks if mark.kind == "cells"] == ["A1", "A3:B7", "A9:B10", "A13"]
    assert table_cells(page)[4, 0] == "Light"
    assert [cell.header for cell in page.elements[1].cells] == [True, True] + [False] * 6


def test_tables_side_by_side(book):
    page = book(rows(["Item", "Cost", "", "", "Town", "People"], ["Rent", 1, "", "", "Ulm", 5], ["Heat", 2]))
    assert shown(page) == [("table", "Item\tCost\nRent\t1\nHeat\t2"), ("table", "Town\tPeople\nUlm\t5")]
    spacer = book(rows(["Total", "", 5], ["Tax", "", 1]))
    assert shown(spacer) == [("table", "Total\t\t5\nTax\t\t1")]


def test_what_is_hidden_is_marked(book):
    styles = (
        '<fonts><font/><font><color rgb="FFFFFFFF"/></font></fonts>'
        '<fills><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="solid"><fgColor rgb="FF203040"/></patternFill></fill></fills>'
        '<cellXfs><xf/><xf fontId="1"/><xf fontId="1" fillId="1"/></cellXfs>'
    )
    sheet = (
        '<cols><col min="2" max="2" hidden="1"/></cols><sheetData><row r="1">'
        + c("A1", "head", ' s="2"') + c("B1", "cost") + c("C1", "pale", ' s="1"')
        + f'</row><row r="2" hidden="1">{c("A2", 1)}{c("B2", 2)}</row></sheetData>'
    )  # fmt: skip
    page = book(sheet, styles=styles)
    got = [(mark.kind, page.text[mark.start : mark.end]) for mark in page.marks if mark.kind != "cells"]
    assert sorted(got) == [
        ("hidden_column", "2"),
        ("hidden_column", "cost"),
        ("hidden_row", "1\t2"),
        ("white", "pale"),
    ]


def test_comments_stand_at_their_cells_and_threads_once(book):
    rels = f'<Relationship Id="a" Type="{KINDS}/comments" Target="../comments1.xml"/>'
    threads = "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment"
    rels += f'<Relationship Id="b" Type="{threads}" Target="../threads.xml"/>'
    old = "".join(
        f'<comment ref="{ref}" authorId="0"><text><t>{text}</t></text></comment>'
        for ref, text in (("A1", "old"), ("B1", "[Threaded]\n\nComment:\n    new"))
    )
    old = f"<authors><author>Bo</author></authors><commentList>{old}</commentList>"
    new = '<threadedComment ref="B1"><text>new</text></threadedComment>'
    members = {
        "xl/comments1.xml": f'<comments xmlns="{S}">{old}</comments>',
        "xl/threads.xml": f"<ThreadedComments>{new}</ThreadedComments>",
    }
    page = book(rows(["a", "b"]), relations=rels, members=members)
    assert shown(page) == [("table", "a\tb"), ("comment", "new"), ("comment", "Bo: old")]
    marks = [(page.text[m.start : m.end], m.label) for m in page.marks if m.kind == "comment"]
    assert marks == [("a", "A1"), ("b", "B1")]


def test_a_format_that_shows_nothing_loses_nothing(book):
    styles = '<numFmts><numFmt numFmtId="170" formatCode=";;;"/></numFmts><cellXfs><xf/><xf numFmtId="170"/></cellXfs>'
    hiding = ' s="1"'
    sheet = f'<sheetData><row r="1">{c("A1", 7, hiding)}{c("B1", 8)}</row></sheetData>'
    assert book(sheet, styles=styles).text == "7\t8"


def test_formulas_that_nobody_computed_are_noted(read):
    import io

    import openpyxl

    made = openpyxl.Workbook()
    made.active.append(["=1+1", 3])
    target = io.BytesIO()
    made.save(target)
    document = read(target.getvalue(), XLSX)
    assert document.notes == ("formulas_without_values",)
    assert document.pages[0].elements[0].cells[0].formula == "=1+1"
