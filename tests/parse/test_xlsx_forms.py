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


DRAWN = (
    'xmlns:x="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    f'xmlns:r="{KINDS}" xmlns:own="urn:own"'
)


def shape(text, about=""):
    words = f"<x:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></x:txBody>"
    return f'<x:sp><x:nvSpPr><x:cNvPr id="1" name="n"{about}/></x:nvSpPr>{words}</x:sp>'


def twice(choice, fallback, requires="a14"):
    both = f'<mc:Choice Requires="{requires}">{choice}</mc:Choice><mc:Fallback>{fallback}</mc:Fallback>'
    return f"<mc:AlternateContent>{both}</mc:AlternateContent>"


@pytest.fixture
def drawn(book):
    """Read a sheet with a drawing, as what is shown and the notes."""

    def call(inside, *related, members=None):
        parts = {
            "xl/drawings/drawing1.xml": f"<x:wsDr {DRAWN}>{inside}</x:wsDr>",
            "xl/drawings/_rels/drawing1.xml.rels": relations(*related),
        }
        document = book("", ("d", "drawing", "../drawings/drawing1.xml"), members=parts | (members or {}))
        return shown(document), document

    return call


def test_what_stands_for_newer_and_older_programs_is_read_once_and_as_excel_shows_it(drawn):
    assert drawn(twice(shape("words"), shape("words")))[0] == ["words"]
    texts, document = drawn(twice(shape("decoy"), shape("words"), "own"))
    assert (texts, document.notes) == (["words"], ("alternative_content_not_read",))
    texts, document = drawn(twice(shape("words"), shape("wor ds")))
    assert (texts, document.notes) == (["words"], ())
    inside = twice(
        "<a14:m><m:t xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math'>x</m:t></a14:m>",
        "<a:r><a:t>x</a:t></a:r>",
    )
    assert drawn(f"<x:sp><x:txBody><a:p><a:r><a:t>y</a:t></a:r>{inside}</a:p></x:txBody></x:sp>")[0] == ["yx"]


def test_lines_hints_and_hidden_shapes_of_drawings(drawn):
    lines = "<x:sp><x:txBody><a:p><a:r><a:t>one</a:t></a:r><a:br/><a:r><a:t>two</a:t></a:r></a:p></x:txBody></x:sp>"
    hint = (
        '<x:pic><x:cNvPr title="A" descr="ship"><a:hlinkClick tooltip="sails"/></x:cNvPr><a:blip r:link="z"/></x:pic>'
    )
    texts, document = drawn(lines + hint + shape("unseen", ' hidden="1"'))
    page = document.pages[0]
    assert texts == ["one\ntwo", "A ship sails", "unseen"]
    assert [element.hidden for element in page.elements] == ["", "alternative_text", "invisible"]
    assert [image.outcome for image in page.images] == ["not_read"]


def test_charts_of_both_kinds_show_names_labels_and_what_is_drawn_into_them(drawn):
    def cache(name, *values):
        points = "".join(f'<c:pt idx="{n}"><c:v>{value}</c:v></c:pt>' for n, value in enumerate(values))
        return f"<c:{name}><c:formatCode>0.0%</c:formatCode>{points}</c:{name}>"

    def chart(labels):
        series = f"<c:xVal>{cache('strCache', 'Ulm')}</c:xVal><c:val>{cache('numCache', '0.1953')}</c:val>{labels}"
        return f"<c:chartSpace {DRAWN}><c:ser>{series}</c:ser></c:chartSpace>"

    frame = '<a:graphicData><c:chart r:id="c"/></a:graphicData>'
    members = {
        "xl/charts/chart1.xml": chart(""),
        "xl/charts/_rels/chart1.xml.rels": relations(("u", "chartUserShapes", "../drawings/own.xml")),
        "xl/drawings/own.xml": f"<c:userShapes {DRAWN}>{shape('drawn in')}</c:userShapes>",
    }
    old = ("c", "chart", "../charts/chart1.xml")
    assert drawn(frame, old, members=members)[0] == ["Ulm\ndrawn in"]
    members["xl/charts/chart1.xml"] = chart('<c:dLbls><c:showVal val="1"/></c:dLbls>')
    assert drawn(frame, old, members=members)[0] == ["Ulm\n19.5%\ndrawn in"]
    data = '<strDim type="cat"><lvl><pt idx="0">Bonn</pt></lvl></strDim><numDim><lvl><pt idx="0">7</pt></lvl></numDim>'
    new = ("c", "http://schemas.microsoft.com/office/2014/relationships/chartEx", "../charts/chart2.xml")
    assert drawn(frame, new, members={"xl/charts/chart2.xml": f"<chartSpace>{data}</chartSpace>"})[0] == ["Bonn"]
    assert drawn(frame)[1].notes == ("chart_not_read",)


def test_captions_of_controls_are_read_once_and_boxes_of_comments_not(book):
    def old(text, kind):
        return (
            f'<v:shape><v:textbox><div>{text}<br>there</div></v:textbox><x:ClientData ObjectType="{kind}"/></v:shape>'
        )

    v = 'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:x="urn:schemas-microsoft-com:office:excel"'
    members = {
        "xl/drawings/old.vml": f"<xml {v}>{old('Press', 'Button')}{old('Copy', 'Note')}{old('Both', 'Button')}</xml>",
        "xl/drawings/drawing1.xml": f"<x:wsDr {DRAWN}>{shape('Both there')}</x:wsDr>",
    }
    related = ("v", "vmlDrawing", "../drawings/old.vml"), ("d", "drawing", "../drawings/drawing1.xml")
    assert shown(book(cells(c("A1", "a")), *related, members=members)) == ["a", "Both there", "Press\nthere"]


def test_headers_keep_their_ampersands_in_every_view(book):
    def header(text):
        return f"<headerFooter><oddHeader>{text.replace('&', '&amp;')}</oddHeader></headerFooter>"

    views = (
        f"<customSheetViews><customSheetView>{header('&Cother')}{header('&Lleft')}</customSheetView></customSheetViews>"
    )
    sheet = cells(c("A1", "a")) + views + header('&Lleft&CP&&L &"Arial,Bold"&12of R&&D&RPage &P')
    assert shown(book(sheet)) == ["a", "other", "left", "P&L of R&D", "Page"]


def test_what_excel_says_of_cells_is_told_once(book):
    rule = '<dataValidation type="list" sqref="{}" promptTitle="Hint" prompt="choose" error="wrong">'
    rule += '<formula1>"Yes,No"</formula1></dataValidation>'
    link = '<hyperlinks><hyperlink ref="A2" tooltip="go there"/></hyperlinks>'
    rules = f"<dataValidations>{rule.format('A1:A9 C1')}{rule.format('B1')}</dataValidations>"
    document = book(cells(c("A1", "a"), c("A2", "b")) + rules + link)
    assert shown(document) == ["a\nb", "Hint: choose", "wrong", "Yes,No", "go there"]
    page = document.pages[0]
    assert [(mark.label, page.text[mark.start : mark.end]) for mark in page.marks if mark.kind == "comment"] == [
        ("A1", "a"),
        ("A1", "a"),
        ("A1", "a"),
        ("A2", "b"),
    ]


def test_a_comment_beside_a_thread_is_kept_unless_it_is_its_copy(book):
    threads = "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment"
    members = {
        "xl/comments1.xml": f'<comments xmlns="{S}"><commentList><comment ref="A1"><text><t>[of its own]</t></text>'
        "</comment></commentList></comments>",
        "xl/threads.xml": '<Threads><threadedComment ref="A1"><text>new</text></threadedComment></Threads>',
    }
    related = ("o", "comments", "../comments1.xml"), ("t", threads, "../threads.xml")
    assert shown(book(cells(c("A1", "a")), *related, members=members)) == ["a", "new", "[of its own]"]


def test_sheets_of_macros_are_read_and_tables_told(book):
    about = f'<table xmlns="{S}" ref="A1:A2" comment="All costs"><x:table xmlns:x="x" altText="By month"/></table>'
    macros = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"
    document = book(
        cells(c("A1", "a"), c("A2", "b")),
        ("t", "table", "../tables/t.xml"),
        members={"xl/tables/t.xml": about},
        kind=macros,
    )
    assert (shown(document), document.notes) == (["a\nb", "All costs By month"], ())


def test_what_is_not_read_of_a_workbook_is_noted(book):
    office = "http://schemas.microsoft.com/office/2007/relationships"
    document = book(
        cells('<c r="A1" ph="1"><v>1</v></c>') + '<scenarios><scenario name="best"/></scenarios>',
        ("p", "package", "../embeddings/a.docx"),
        ("o", "control", "../activeX/a.xml"),
        ("s", f"{office}/slicer", "../slicers/a.xml"),
        styles='<dxfs><dxf><numFmt numFmtId="170" formatCode="&quot;words&quot;"/></dxf></dxfs>',
        more='<definedNames><definedName name="n">"words"</definedName></definedNames>',
    )
    assert document.notes == (
        "scenarios_not_read",
        "embedded_document_not_read",
        "control_not_read",
        "slicer_not_read",
        "texts_of_names_not_read",
        "conditional_formats_not_read",
        "phonetic_text_not_read",
    )


def test_values_that_are_to_be_computed_anew_are_noted(book):
    sheet = cells('<c r="A1"><f>1+1</f><v>0</v></c>')
    assert book(sheet).notes == ()
    assert book(sheet, more='<calcPr fullCalcOnLoad="1"/>').notes == ("formulas_to_be_computed",)
    assert book(cells('<c r="A1"><v>0</v></c>'), more='<calcPr fullCalcOnLoad="1"/>').notes == ()


def test_an_error_that_stands_for_a_rich_value_is_noted(book):
    assert book(cells('<c r="A1" t="e" vm="1"><v>#VALUE!</v></c>')).notes == ("rich_values_not_read",)
    assert book(cells('<c r="A1" t="e"><v>#VALUE!</v></c>')).notes == ()
