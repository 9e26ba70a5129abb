"""DOCX: numbers as shown, notes where they are referred to, changes with their state, everything exactly once."""

from __future__ import annotations

import pytest

from frostbyte.data_plane.document import Kind

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def r(text, properties=""):
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(inner="", properties=""):
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def item(text, use, level=0):
    return p(r(text), f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{use}"/></w:numPr>')


def styled(text, style):
    return p(r(text), f'<w:pStyle w:val="{style}"/>')


def tc(inner, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"


def char(kind, inside=""):
    return f'<w:r><w:fldChar w:fldCharType="{kind}">{inside}</w:fldChar></w:r>'


def begun(code):
    return char("begin") + f"<w:r><w:instrText>{code}</w:instrText></w:r>" + char("separate")


def field(code, result):
    return begun(code) + result + char("end")


def level(at, style, text, more=""):
    return (
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{text}"/>{more}</w:lvl>'
    )


def numbering(*lists, uses=""):
    made = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{"".join(levels)}</w:abstractNum>' for n, levels in enumerate(lists)
    )
    plain = "".join(f'<w:num w:numId="{n + 1}"><w:abstractNumId w:val="{n}"/></w:num>' for n, _ in enumerate(lists))
    return f"<w:numbering {W}>{made}{plain}{uses}</w:numbering>"


def relation(kind, target, identity=""):
    return f'<Relationship Id="{identity or kind}" Type="{KINDS}/{kind}" Target="{target}"/>'


@pytest.fixture
def page(read, readings, make_docx):
    """Read a DOCX of a body and named parts (`styles`, `numbering`, `footnotes` ...); both ways give the same."""

    def call(body, more="", **parts):
        relations = "".join(relation(kind, f"{kind}.xml") for kind in parts) + more
        members = {f"word/{kind}.xml": text for kind, text in parts.items()}
        data = make_docx(body, members, relations)
        careful, quick = readings(data)
        assert quick == careful
        return read(data, DOCX).pages[0]

    return call


def shown(page):
    return [page.reading(e.start, e.end) for e in page.elements]


def marked(page, kind):
    return [page.text[mark.start : mark.end] for mark in page.marks if mark.kind == kind]


def target(page, kind):
    """What the marks of a kind lead to."""
    starts = {element.start: element for element in page.elements}
    found = [starts[mark.target] for mark in page.marks if mark.kind == kind]
    return [page.text[element.start : element.end] for element in found]


def found(page):
    """What was found: the text without what was inserted."""
    text, at = "", 0
    for span in page.inserted:
        text += page.text[at : span.start]
        at = span.end
    return text + page.text[at:]


def test_numbers_are_shown_as_word_counts_them(page):
    lists = numbering(
        [level(0, "decimal", "%1."), level(1, "decimal", "%1.%2"), level(2, "lowerLetter", "%3)")],
        [level(0, "upperRoman", "(%1)", "<w:isLgl/>"), level(1, "upperLetter", "%1-%2", "<w:isLgl/>")],
        uses='<w:num w:numId="9"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
        "</w:lvlOverride></w:num>",
    )
    order = [(1, 0), (1, 1), (1, 1), (1, 2), (1, 2), (1, 0), (1, 1), (9, 0), (9, 0), (2, 1)]
    got = page("".join(item("x", use, at) for use, at in order), numbering=lists)
    want = ["1. x", "1.1 x", "1.2 x", "a) x", "b) x", "2. x", "2.1 x", "7. x", "8. x", "1-1 x"]
    assert shown(got) == want
    assert [e.level for e in got.elements[:4]] == [1, 2, 2, 3]
    assert found(got) == "x" * 10


@pytest.mark.parametrize(
    ("style", "labels"),
    [
        ("lowerRoman", ["i", "ii", "iii", "iv"]),
        ("upperLetter", ["A", "B", "C", "D"]),
        ("decimalZero", ["01", "02", "03", "04"]),
        ("ordinal", ["1st", "2nd", "3rd", "4th"]),
        ("none", ["", "", "", ""]),
        ("unheardOf", ["1", "2", "3", "4"]),
    ],
)
def test_number_formats(page, style, labels):
    got = page("".join(item("x", 1) for _ in labels), numbering=numbering([level(0, style, "%1")]))
    assert shown(got) == [f"{label} x" if label else "x" for label in labels]


def test_bullets_of_symbol_fonts(page):
    font = '<w:rPr><w:rFonts w:ascii="{}"/></w:rPr>'
    lists = numbering(
        [
            level(0, "bullet", "\uf0b7", font.format("Symbol")),
            level(1, "bullet", "o"),
            level(2, "bullet", "\uf0fc", font.format("Wingdings")),
        ]
    )
    assert shown(page("".join(item("x", 1, n) for n in range(3)), numbering=lists)) == ["• x", "◦ x", "✓ x"]


def style(identity, name, properties="", kind="paragraph"):
    return f'<w:style w:type="{kind}" w:styleId="{identity}"><w:name w:val="{name}"/>{properties}</w:style>'


NUMBERED = '<w:numPr><w:numId w:val="{}"/></w:numPr>'
BASED = '<w:basedOn w:val="berschrift1"/>'
STYLES = f"<w:styles {W}>{{}}</w:styles>".format(
    style("berschrift1", "heading 1", f"<w:pPr>{NUMBERED.format(1)}</w:pPr>")
    + style("Clause", "Clause", BASED)
    + style("Plain", "Plain", f'{BASED}<w:pPr><w:outlineLvl w:val="9"/>{NUMBERED.format(0)}</w:pPr>')
    + style("Local", "Überschrift 2")
    + style("Inhalt1", "toc 1")
    + style("Cap", "caption")
    + style("Ghost", "Ghost", "<w:rPr><w:vanish/></w:rPr>", "character")
)


def test_headings_by_style_and_what_is_none(page):
    body = (
        styled("One", "berschrift1") + styled("Two", "Clause") + styled("text", "Plain") + styled("Sub", "Local")
        + styled("Heading of no style", "Heading3") + styled("One 3", "Inhalt1") + styled("Table 1", "Cap")
    )  # fmt: skip
    got = page(body, styles=STYLES, numbering=numbering([level(0, "decimal", "%1")]))
    assert [(e.kind.value, e.level, page_text) for e, page_text in zip(got.elements, shown(got), strict=True)] == [
        ("heading", 1, "1 One"),
        ("heading", 1, "2 Two"),
        ("paragraph", 0, "text"),
        ("heading", 2, "Sub"),
        ("heading", 3, "Heading of no style"),
        ("paragraph", 0, "One 3"),
        ("caption", 0, "Table 1"),
    ]
    assert marked(got, "contents") == ["One 3"]


def test_a_table_of_contents_makes_no_headings(page):
    body = p(begun(" TOC ") + r("1 Alpha"), '<w:outlineLvl w:val="0"/>') + p(r("2 Beta"), '<w:outlineLvl w:val="0"/>')
    got = page(body + p(char("end")) + p(r("Alpha"), '<w:outlineLvl w:val="0"/>'))
    assert [e.kind for e in got.elements] == [Kind.PARAGRAPH, Kind.PARAGRAPH, Kind.HEADING]
    assert marked(got, "contents") == ["1 Alpha", "2 Beta"]


def test_fields_show_results_and_never_codes(page):
    inner = field('IF "a" = "a" ', r("yes"))
    got = page(p(r("go to ") + field(' HYPERLINK "http://x.example" ', r("the site")) + inner))
    assert got.text == "go to the siteyes"


def test_tracked_changes_keep_their_state(page):
    body = p(
        r("pay ") + "<w:del><w:r><w:delText>nothing</w:delText></w:r></w:del>"
        + f"<w:ins>{r('all')}</w:ins>" + r(" now")
        + "<w:del><w:r><w:delText>ish</w:delText></w:r></w:del>" + f"<w:moveTo>{r('here')}</w:moveTo>"
    )  # fmt: skip
    got = page(body + p(f"<w:moveFrom>{r('here')}</w:moveFrom>"))
    assert shown(got) == ["pay all nowhere", "nothing", "ish", "here"]
    assert [e.hidden for e in got.elements] == ["", "deleted", "deleted", "moved_away"]
    assert marked(got, "inserted") == ["all"]
    assert marked(got, "moved_here") == ["here"]
    assert [mark.start for mark in got.marks if mark.kind == "deleted"] == [4, 11]
    assert target(got, "deleted") == ["nothing", "ish"]


def test_notes_stand_behind_what_refers_to_them(page):
    notes = f'<w:footnotes {W}><w:footnote w:type="separator" w:id="0">{p(r("line"))}</w:footnote>'
    notes += "".join(f'<w:footnote w:id="{n}">{p(r(f"note {n}"))}</w:footnote>' for n in (2, 3, 9)) + "</w:footnotes>"
    ends = f'<w:endnotes {W}><w:endnote w:id="2">{p(r("last"))}</w:endnote></w:endnotes>'
    sign = '<w:r><w:footnoteReference w:id="{}"/></w:r>'
    table = f"<w:tbl><w:tr>{tc(p(r('cell') + sign.format(2)))}</w:tr></w:tbl>"
    body = p(r("a") + sign.format(3) + r("b") + '<w:r><w:endnoteReference w:id="2"/></w:r>') + table + p(r("end"))
    got = page(body, footnotes=notes, endnotes=ends)
    want = ["a[^1]b[^i]", "[^1]: note 3", "cell[^2]", "[^2]: note 2", "end", "[^i]: last", "note 9", "line"]
    assert shown(got) == want
    assert target(got, "footnote") == ["[^1]: note 3", "[^2]: note 2"]
    assert "[^" not in found(got)


def test_comments_say_what_they_refer_to(page):
    comments = f'<w:comments {W}><w:comment w:id="5" w:author="A. Fenn">{p(r("why?"))}</w:comment></w:comments>'
    body = p(r("the ") + '<w:commentRangeStart w:id="5"/>' + r("price")) + p(
        r("is high") + '<w:commentRangeEnd w:id="5"/><w:r><w:commentReference w:id="5"/></w:r>' + r("er")
    )
    got = page(body, comments=comments)
    assert got.elements[-1].hidden == "comment"
    assert marked(got, "comment") == ["price\nis high"]
    assert target(got, "comment") == ["A. Fenn: why?"]


def test_tables_in_tables_keep_their_structure(page):
    inner = f"<w:tbl><w:tr>{tc(p(r('x1')))}{tc(p(r('x2')))}</w:tr></w:tbl>"
    got = page(f"<w:tbl><w:tr>{tc(p(r('a')) + inner + p(r('z')))}{tc(p(r('b')))}</w:tr></w:tbl>")
    (first, _) = got.elements[0].cells
    assert got.text == "a\nx1\tx2\nz\tb"
    (grid,) = first.inner
    assert [(c.row, c.column, got.text[c.start : c.end]) for c in grid.cells] == [(0, 0, "x1"), (0, 1, "x2")]


@pytest.mark.parametrize(
    "texts",
    [
        (("a", "b c"), ("", "d")),
        (("", ""), ("", "e")),
        (("", "x"), ("y", ""), ("", "")),
        (("tab\tand\x7fcontrol", "\u00e9"), ("soft\u00adhyphen", "  ")),
    ],
)
@pytest.mark.parametrize("before", ["", p(r("Before"))])
def test_plain_tables_read_the_same_at_one_stroke_and_cell_by_cell(page, texts, before):
    """A bookmark, which says nothing, in one cell has each read by itself."""
    rows = ["".join(tc(p(r(text)), '<w:tcW w:w="900"/>') for text in row) for row in texts]
    table = "".join(f"<w:tr>{row}</w:tr>" for row in rows)
    marked = table.replace("</w:tcPr>", '</w:tcPr><w:bookmarkStart w:id="0"/>', 1)
    assert marked != table
    quick, careful = (page(f"{before}<w:tbl>{one}</w:tbl>{p(r('After'))}") for one in (table, marked))
    assert quick == careful
    (found,) = [element for element in quick.elements if element.kind is Kind.TABLE]
    shown = [[quick.reading(c.start, c.end) for c in found.cells if c.row == row] for row in range(len(texts))]
    assert shown == [[text.strip(" ").replace("\x7f", "").replace("\u00ad", "") for text in row] for row in texts]


def test_merged_cells_to_the_right_and_bold_headers(page):
    bold = "<w:b/>"
    body = (
        f"<w:tbl><w:tr>{tc(p(r('Name', bold)))}{tc(p(r('Price', bold)))}</w:tr>"
        f"""<w:tr>{tc(p(r("both")), '<w:hMerge w:val="restart"/>')}{tc(p(), "<w:hMerge/>")}</w:tr></w:tbl>"""
    )
    cells = page(body).elements[0].cells
    assert [(c.row, c.column, c.column_span, c.header) for c in cells] == [
        (0, 0, 1, True),
        (0, 1, 1, True),
        (1, 0, 2, False),
    ]


def test_what_nobody_sees(page):
    white, body = '<w:color w:val="FFFFFF"/>', ""
    dark = '<w:shd w:val="clear" w:fill="102030"/>'
    body += p(r("ghost", '<w:rStyle w:val="Ghost"/>') + r("tiny", '<w:sz w:val="2"/>') + r("web", "<w:webHidden/>"))
    body += p(r("same", '<w:color w:val="102030"/>' + dark) + r("banner", white + dark))
    body += f"<w:tbl><w:tr>{tc(p(r('head', white)), dark)}{tc(p(r('pale', white)))}</w:tr></w:tbl>"
    got = page(body, styles=STYLES)
    assert [(text, e.hidden) for e, text in zip(got.elements, shown(got), strict=True)] == [
        ("web", ""),
        ("ghost", "invisible"),
        ("tiny", "tiny"),
        ("banner", ""),
        ("same", "white"),
        ("head\t", ""),
        ("pale", "white"),
    ]


def test_headers_are_told_apart_and_stand_once(page):
    head = "<w:hdr " + W + ">{}</w:hdr>"
    names = {"header1": "On each page", "header2": "First", "header3": "Even", "header4": "On each page"}
    relations = "".join(relation("header", f"{name}.xml", name) for name in names)
    reference = '<w:headerReference w:type="{}" r:id="{}" xmlns:r="' + KINDS + '"/>'
    first = "".join(
        reference.format(*pair) for pair in (("default", "header1"), ("first", "header2"), ("even", "header3"))
    )
    second = reference.format("default", "header4")
    body = p(r("text"), f"<w:sectPr>{first}<w:titlePg/></w:sectPr>") + f"<w:sectPr>{second}</w:sectPr>"
    parts = {name: head.format(p(r(text))) for name, text in names.items()}
    got = page(body, relations, **parts)
    assert [(text, e.hidden) for e, text in zip(got.elements, shown(got), strict=True)] == [
        ("text", ""),
        ("On each page", ""),
        ("First", ""),
        ("Even", "invisible"),
    ]
    assert marked(got, "first_pages") == ["First"]
    assert [(got.text[d.start : d.end], d.reason) for d in got.dropped] == [("On each page", "repeated_header")]


def test_signs_symbols_forms_and_equations(page):
    def box(on):
        return char("begin", f'<w:ffData><w:checkBox><w:default w:val="{on}"/></w:checkBox></w:ffData>') + char("end")

    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    number = "<m:r><m:t>{}</m:t></m:r>"
    fraction = f"<m:f><m:num>{number.format('a+b')}</m:num><m:den>{number.format('2')}</m:den></m:f>"
    power = f"<m:sSup><m:e>{number.format('x')}</m:e><m:sup>{number.format('2')}</m:sup></m:sSup>"
    body = (
        p('<w:r><w:sym w:font="Wingdings" w:char="F0FC"/><w:sym w:font="Symbol" w:char="F061"/></w:r>')
        + p(
            r("non")
            + "<w:r><w:noBreakHyphen/><w:softHyphen/></w:r>"
            + r("stop\u00adped")
            + "<w:r><w:br/></w:r>"
            + r("x")
        )
        + p(box(1) + r("yes ") + box(0) + r("no"))
        + p(f"<m:oMath {m}>{fraction}{number.format('=')}<m:rad><m:deg/><m:e>{power}</m:e></m:rad></m:oMath>")
    )
    got = page(body)
    assert shown(got) == ["✓α", "non\u2011stopped\nx", "☒yes ☐no", "(a+b)/2=√(x^2)"]
    assert found(got).endswith("yes noa+b2=x2")
    assert [d.reason for d in got.dropped] == ["soft_hyphen"]


def test_embedded_documents_are_said_not_to_be_read(read, make_docx):
    document = read(make_docx(p(r("x")) + '<w:altChunk r:id="a" xmlns:r="x"/>' * 2), DOCX)
    assert document.notes == ("embedded_document_not_read",) * 2


def test_text_boxes_stand_once_whichever_way_they_are_stored(page):
    box = f"<w:txbxContent>{p(r('boxed'))}</w:txbxContent>"
    names = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    branches = f"<mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
    both = f"<mc:AlternateContent {names}>{branches}</mc:AlternateContent>"
    old = f"<mc:AlternateContent {names}><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    assert shown(page(p(f"<w:r>{both}</w:r>"))) == ["boxed"]
    assert shown(page(p(f"<w:r>{old}</w:r>"))) == ["boxed"]


def test_strict_files_read_like_others(read, make_docx):
    body = styled("Top", "Heading1") + item("x", 1) + p(r("white", '<w:color w:val="FFFFFF"/>'))
    lists = numbering([level(0, "decimal", "%1.")])
    relations = relation("numbering", "numbering.xml")
    plain = make_docx(body, {"word/numbering.xml": lists}, relations)
    transitional = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    strict = f'<w:document xmlns:w="{STRICT}"><w:body>{body}</w:body></w:document>'
    members = {"word/numbering.xml": lists.replace(transitional, STRICT), "word/document.xml": strict}
    assert read(make_docx("", members, relations), DOCX).pages == read(plain, DOCX).pages
