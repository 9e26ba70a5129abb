"""DOCX and XLSX: what people see, and what they do not."""

from __future__ import annotations

import io

import openpyxl
from openpyxl.comments import Comment

from frostbyte.data_plane.document import Kind

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def p(text, properties=""):
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(text, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def test_docx_headings_lists_and_outline_levels(read, make_docx):
    body = (
        p("Top", '<w:outlineLvl w:val="0"/>')
        + p("words")
        + p("item", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>')
    )
    page = read(make_docx(body), DOCX).pages[0]
    assert page.text == "Top\nwords\nitem"
    assert [(e.kind, e.level) for e in page.elements] == [
        (Kind.HEADING, 1),
        (Kind.PARAGRAPH, 0),
        (Kind.LIST_ITEM, 2),
    ]


def test_docx_merged_and_nested_cells(read, make_docx):
    nested = f"<w:tc><w:tbl><w:tr>{cell('in1')}{cell('in2')}</w:tr></w:tbl>{p('')}</w:tc>"
    span2 = '<w:gridSpan w:val="2"/>'
    merge, go_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    body = (
        f"<w:tbl><w:tr>{cell('wide', span2)}{cell('tall', merge)}</w:tr>"
        f"<w:tr>{cell('a')}{nested}{cell('', go_on)}</w:tr></w:tbl>"
    )
    page = read(make_docx(body), DOCX).pages[0]
    (table,) = page.elements
    cells = {(c.row, c.column, c.row_span, c.column_span): page.text[c.start : c.end] for c in table.cells}
    assert cells == {(0, 0, 1, 2): "wide", (0, 2, 2, 1): "tall", (1, 0, 1, 1): "a", (1, 1, 1, 1): "in1\tin2"}
    assert (table.rows, table.columns) == (2, 3)


def test_docx_changes_hidden_text_and_text_boxes(read, make_docx):
    body = (
        '<w:p><w:r><w:t xml:space="preserve">pay </w:t></w:r>'
        "<w:del><w:r><w:delText>nothing</w:delText></w:r></w:del><w:ins><w:r><w:t>all</w:t></w:r></w:ins></w:p>"
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r></w:p>"
        '<w:p><w:r><w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>pale</w:t></w:r></w:p>'
        "<w:p><w:r><w:drawing><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
        '<w:docPr descr="a red ship"/></w:drawing></w:r></w:p>'
    )
    page = read(make_docx(body), DOCX).pages[0]
    assert [(page.text[e.start : e.end], e.hidden) for e in page.elements] == [
        ("pay all", ""),
        ("nothing", "deleted"),
        ("secret", "invisible"),
        ("pale", "white"),
        ("boxed", ""),
        ("a red ship", "alternative_text"),
    ]


def test_docx_sample_has_notes_header_and_comment(read, sample):
    page = read(*sample("invoice-2026-0417.docx")).pages[0]
    kinds = {e.kind: (page.text[e.start : e.end], e.hidden) for e in page.elements}
    assert kinds[Kind.FOOTNOTE] == ("[^1]: Bank charges are borne by the customer.", "")
    assert kinds[Kind.HEADER] == ("Brightwater Laboratory Services Ltd", "")
    assert kinds[Kind.COMMENT] == ("M. Tolliver: Agreed by telephone with Mr Pargeter.", "comment")


def workbook():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    sheet["B2"], sheet["C2"] = "Name", "Amount"
    sheet["B3"], sheet["C3"] = "Ada", 3.0
    sheet["B4"], sheet["C4"] = "Grace", 2.5
    sheet["C3"].comment = Comment("check this", "me")
    sheet.merge_cells("B6:C6")
    sheet["B6"] = "the end"
    hidden = book.create_sheet("Secret")
    hidden["A1"] = "do not look"
    hidden.sheet_state = "hidden"
    book.create_sheet("Empty")
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_xlsx_sheets_cells_merges_comments_and_hidden(read):
    data, secret, empty = read(workbook(), XLSX).pages
    table, note, comment = data.elements
    assert data.name == "Data"
    cells = {(c.row, c.column, c.column_span): data.text[c.start : c.end] for c in table.cells}
    assert cells[(1, 0, 1)] == "Ada"
    assert cells[(1, 1, 1)] == "3"
    assert cells[(2, 1, 1)] == "2.5"
    assert (note.kind, data.text[note.start : note.end]) == (Kind.PARAGRAPH, "the end")
    assert [c.header for c in table.cells[:2]] == [True, True]
    assert (comment.kind, comment.hidden) == (Kind.COMMENT, "comment")
    assert "check this" in data.text
    assert (secret.name, secret.hidden, secret.text) == ("Secret", True, "do not look")
    assert empty.unread == "blank"


def test_xlsx_dates_and_formulas(read, sample):
    costs, summary = read(*sample("laboratory-budget.xlsx")).pages
    assert "2026-03-02" in costs.text
    formulas = [c.formula for c in costs.elements[0].cells if c.formula]
    assert formulas == ["=C2*D2", "=C3*D3", "=C4*D4"]
    assert "Spent\t5754" in summary.text


def test_xlsx_errors_and_shared_formulas(read, zipped, sample):
    import zipfile

    data, mime = sample("laboratory-budget.xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:B2" si="0">A1*2</f><v>2</v></c></row>'
        '<row r="2"><c r="A2" t="e"><v>#DIV/0!</v></c><c r="B2"><f t="shared" si="0"/><v>4</v></c></row>'
        "</sheetData></worksheet>"
    )
    page = read(zipped(members | {"xl/worksheets/sheet1.xml": sheet}), mime).pages[0]
    assert page.text == "1\t2\n#DIV/0!\t4"
    assert [c.formula for c in page.elements[0].cells] == [None, "=A1*2", None, "=A2*2"]
