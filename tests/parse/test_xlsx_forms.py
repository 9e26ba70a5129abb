"""XLSX as other programs write it, and as somebody writes it who wants Excel to show words and us to miss them."""

from __future__ import annotations

import pytest

from frostbyte.kernel.errors import StageFailed

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(*entries):
    made = "".join(
        f'<Relationship Id="{name}" Type="{kind if ":" in kind else f"{KINDS}/{kind}"}" Target="{target}"/>'
        for name, kind, target in entries
    )
    return f'<Relationships xmlns="{PACKAGE}">{made}</Relationships>'


@pytest.fixture
def book(read, zipped):
    """Read a workbook of one sheet, with shared strings, styles, relations of the sheet and further members."""

    def call(sheet, *related, strings="", styles="", members=None, kind="worksheet", more=""):
        parts = {
            "_rels/.rels": relations(("r", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{KINDS}"><sheets>'
            f'<sheet name="One" sheetId="1" r:id="s"/></sheets>{more}</workbook>',
            "xl/_rels/workbook.xml.rels": relations(
                ("s", kind, "worksheets/sheet1.xml"),
                ("t", "sharedStrings", "strings.xml"),
                ("y", "styles", "styles.xml"),
            ),
            "xl/strings.xml": f'<sst xmlns="{S}">{strings}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{S}">{styles}</styleSheet>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{S}" xmlns:r="{KINDS}">{sheet}</worksheet>',
            "xl/worksheets/_rels/sheet1.xml.rels": relations(*related),
        }
        return read(zipped(parts | (members or {})), XLSX)

    return call


def c(name, text, more=""):
    return f'<c r="{name}" t="inlineStr"{more}><is><t>{text}</t></is></c>'


def cells(*rows):
    """Rows as their XML, or as cells."""
    made = (row if row.startswith("<row") else f'<row r="{n}">{row}</row>' for n, row in enumerate(rows, 1))
    return f"<sheetData>{''.join(made)}</sheetData>"


def shown(document):
    page = document.pages[0]
    return [page.reading(element.start, element.end) for element in page.elements]


@pytest.mark.parametrize("many", [1, 200])
def test_cells_are_read_in_their_order_however_they_are_stored(book, many):
    rows = [c(f"C{n}", "c") + c(f"A{n}", "a") + c(f"B{n}", "b") for n in range(1, many + 1)]
    assert shown(book(cells(*rows))) == ["\n".join(["a\tb\tc"] * many)]


def test_two_cells_of_one_name_are_refused(book):
    with pytest.raises(StageFailed, match="structure"):
        book(cells(c("A1", "one") + c("A1", "two")))


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="A1" t="inlineStr"><is><t>word</t></is><v>1</v></c>',
        '<c r="A1" t="inlineStr"><v>1</v><is><t>word</t></is></c>',
        '<c r="A1" t="s" z:t="n"><v>0</v></c>',
        '<c r="A1" t = "s"><v>0</v></c>',
        '<c r="A1" t="&#115;"><v>0</v></c>',
        "<c r='A1' t='s'><v>0</v></c>",
        '<c r="A1" t="str"><v>wo<z:x/>rd</v></c>',
        '<c r="A1" t="inlineStr"><is><t>wo<z:x/>rd</t></is></c>',
        '<c r="A1" t="b"><v>word</v></c>',
        '<z:x><c r="A1" t="s"><v>0</v></c></z:x>',
        '<!--<row/>--><c r="A1" t="s"><v>0</v></c>',
        '<!--</c><c r="B1"><v>8</v></c>--><c r="A1" t="s"><v>0</v></c>',
    ],
)
@pytest.mark.parametrize("hidden", ["", ' hidden="0"'])
def test_a_cell_shows_its_text_in_whatever_xml(book, cell, hidden):
    sheet = f'<sheetData xmlns:z="urn:z"><row r="1"{hidden}>{cell}</row></sheetData>'
    assert shown(book(sheet, strings="<si><t>word</t></si>")) == ["word"]


@pytest.mark.parametrize("again", ["<!-- </sheetData> -->", "</sheetData><sheetData>"])
def test_what_stands_behind_a_second_end_of_the_cells_is_not_lost(book, again):
    with pytest.raises(StageFailed, match="structure"):
        book(f"{cells(c('A1', 'a'))}<headerFooter><oddHeader>words</oddHeader></headerFooter>{again}")


def test_rows_and_columns_without_height_or_width_are_marked_hidden(book):
    columns = '<cols><col min="2" max="2" width="0" customWidth="1"/></cols>'
    rows = (
        f'<row r="1" ht="0" customHeight="1">{c("A1", "low")}</row>',
        f'<row r="2" ht="0.75">{c("B2", "narrow")}</row>',
    )
    page = book(columns + cells(*rows)).pages[0]
    marks = [(mark.kind, page.text[mark.start : mark.end]) for mark in page.marks if mark.kind != "cells"]
    assert marks == [("hidden_row", "low"), ("hidden_column", "narrow")]
