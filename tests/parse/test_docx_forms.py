"""DOCX as other programs write it, and as somebody writes it who wants Word to show words and us to miss them."""

from __future__ import annotations

import pytest

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
SHAPES = 'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
OWN = 'xmlns:z="urn:z"'


def r(text):
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(inner="", properties=""):
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def tc(inner):
    return f"<w:tc>{inner}</w:tc>"


def char(kind, inside=""):
    return f'<w:r><w:fldChar w:fldCharType="{kind}">{inside}</w:fldChar></w:r>'


def code(text):
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


WORDS = p(r("words"))


def twice(choice, fallback, requires="wps"):
    both = f'<mc:Choice Requires="{requires}">{choice}</mc:Choice><mc:Fallback>{fallback}</mc:Fallback>'
    return f"<mc:AlternateContent {MC} {SHAPES} {OWN}>{both}</mc:AlternateContent>"


@pytest.fixture
def document(read, readings, make_docx):
    """Read a DOCX of a body and named parts; both ways give the same."""

    def call(body, more="", members=None, **parts):
        relations = "".join(f'<Relationship Id="{kind}" Type="{KINDS}/{kind}" Target="{kind}.xml"/>' for kind in parts)
        inside = {f"word/{kind}.xml": text for kind, text in parts.items()} | (members or {})
        data = make_docx(body, inside, relations + more)
        careful, quick = readings(data)
        assert quick == careful
        return read(data, DOCX)

    return call


def shown(document):
    page = document.pages[0]
    return [page.reading(element.start, element.end) for element in page.elements]


def hidden(document):
    page = document.pages[0]
    return {page.reading(element.start, element.end): element.hidden for element in page.elements if element.hidden}


@pytest.mark.parametrize(
    "body",
    [
        p(twice(r("words"), r("words"))),
        p(twice(r("decoy"), r("words"), "z")),
        twice(p(r("words")), p(r("words"))),
        twice(p(r("decoy")), p(r("words")), "z"),
        p(f"<w:r>{twice('<w:t>decoy</w:t>', '<w:t>words</w:t>', 'z')}</w:r>"),
        f"<w:tbl><w:tr>{twice(tc(p(r('decoy'))), tc(p(r('words'))), 'z')}</w:tr></w:tbl>",
        "<w:tbl>" + twice("", f"<w:tr>{tc(WORDS)}</w:tr>", "z") + "</w:tbl>",
        f"<w:tbl><w:tr>{tc(twice(p(r('decoy')), p(r('words')), 'z') + p())}</w:tr></w:tbl>",
        f"<z:x {OWN}>{p(r('words'))}</z:x>",
        p(f"<z:x {OWN}>{r('words')}</z:x>"),
        p(f"<w:r><z:x {OWN}><w:t>words</w:t></z:x><w:tab/></w:r>"),
        f"<w:tbl><z:x {OWN}><w:tr><z:x>{tc(p(r('words')))}</z:x></w:tr></z:x></w:tbl>",
        f"<w:tbl><w:tr><w:tc><z:x {OWN}>{WORDS}</z:x></w:tc></w:tr></w:tbl>",
        p(f"<w:r><w:t>wo<z:x {OWN}/>rds</w:t></w:r>"),
        p(f"<w:del><w:r><w:delText>wo<z:x {OWN}/>rds</w:delText></w:r></w:del>"),
        r("words"),
        f"<w:ins>{r('words')}</w:ins>",
        f"<m:oMathPara {MATH}><m:oMath><m:r><m:t>words</m:t></m:r></m:oMath></m:oMathPara>",
        f"<w:tbl><w:tr><w:tc><m:oMath {MATH}><m:r><m:t>words</m:t></m:r></m:oMath></w:tc></w:tr></w:tbl>",
    ],
)
def test_words_are_read_once_in_whatever_stands_around_them(document, body):
    got = document(body)
    assert [text.strip() for text in shown(got) if text.strip()] == ["words"]
    assert got.notes == (("alternative_content_not_read",) if "decoy" in body else ())


def drawing(inside, about="", hidden=""):
    office = "http://schemas.openxmlformats.org/drawingml/2006"
    w = f'xmlns:wp="{office}/wordprocessingDrawing" xmlns:a="{office}/main" xmlns:v="urn:schemas-microsoft-com:vml" '
    w += f'xmlns:r="{KINDS}"'
    return f"<w:r><w:drawing {w} {SHAPES}><wp:docPr{about}{hidden}/>{inside}</w:drawing></w:r>"


def test_drawings_tell_all_their_words_and_pictures(document):
    box = f"<w:txbxContent>{p(r('boxed'))}</w:txbxContent>"
    group = (
        '<wps:cNvPr descr="ship"/><wps:cNvPr title="Boat" descr="red"/>'
        '<a:txBody><a:p><a:t>drawn</a:t></a:p></a:txBody><a:blip r:link="out"/>'
        '<v:rect alt="old"><v:textbox><div>html</div></v:textbox></v:rect>'
    )
    boxes = drawing(box, hidden=' hidden="1"') + f"<w:del>{drawing(box)}</w:del>"
    got = document(p(r("text") + drawing(group, ' descr="ship"') + boxes))
    assert shown(got) == ["text", "ship", "Boat red", "drawn", "old", "html", "boxed", "boxed"]
    assert [element.hidden for element in got.pages[0].elements[-2:]] == ["invisible", "deleted"]
    assert [image.outcome for image in got.pages[0].images] == ["not_read"]
    assert document(p(r("x") + drawing('<a:chart r:id="c"/>'))).notes == ("chart_not_read",)


def test_what_is_told_of_links_and_tables_is_read(document):
    about = '<w:tblPr><w:tblCaption w:val="Costs"/><w:tblDescription w:val="by month"/></w:tblPr>'
    table = f"<w:tbl>{about}<w:tr>{tc(p(r('a')))}</w:tr></w:tbl>"
    got = document(p(f'<w:hyperlink w:tooltip="go there">{r("link")}</w:hyperlink>') + table)
    assert shown(got) == ["link", "go there", "a", "Costs by month"]
    assert hidden(got) == {"go there": "alternative_text", "Costs by month": "alternative_text"}


def test_fields_that_show_their_code_are_read_and_those_without_a_result_noted(document):
    button = char("begin") + code("MACROBUTTON NoMacro ") + code("Press here ") + char("end")
    got = document(p(button) + p(char("begin") + code("EQ \\x(sum)") + char("separate") + char("end")))
    assert ([text.strip() for text in shown(got)], got.notes) == (["Press here", "\\x(sum)"], ())
    quote = p(r("a") + char("begin") + code('QUOTE "words"') + char("end"))
    simple = p(r("a") + '<w:fldSimple w:instr="DOCPROPERTY Matter"/>')
    for body in (quote, simple):
        assert document(body).notes == ("fields_without_results",)
    assert document(p(r("a") + char("begin") + code("PAGE") + char("end"))).notes == ()
    entries = '<w:listEntry w:val="one"/><w:listEntry w:val="two"/>'
    listed = f'<w:ffData><w:ddList><w:default w:val="1"/>{entries}</w:ddList></w:ffData>'
    assert shown(document(p(char("begin", listed) + code("FORMDROPDOWN") + char("end")))) == ["two"]


def test_a_label_of_words_is_read_of_an_item_that_has_no_others(document):
    def level(at, style, text):
        return f'<w:lvl w:ilvl="{at}"><w:numFmt w:val="{style}"/><w:lvlText w:val="{text}"/></w:lvl>'

    levels = level(0, "decimal", "Article %1") + level(1, "lowerRoman", "(%2)") + level(2, "bullet", "NOTE")
    made = f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
    numbers = f'<w:numbering {W}>{made}<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'

    def item(at, text=""):
        return p(text, f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="1"/></w:numPr>')

    cell = f"<w:tbl><w:tr>{tc(item(0))}</w:tr></w:tbl>"
    got = document(item(0) + item(1) + item(2) + item(1, r("text")) + cell, numbering=numbers)
    assert [text.strip() for text in shown(got)] == ["Article 1", "NOTE", "(ii) text", "Article 2"]


def test_cells_that_go_on_lose_no_picture_and_nothing_outside_of_cells_is_silent(document):
    go_on = "<w:tcPr><w:vMerge/></w:tcPr>"
    first = f"<w:tr>{tc('<w:tcPr><w:vMerge w:val=&/></w:tcPr>' + p(r('a')))}</w:tr>".replace("&", '"restart"')
    drawn = p(drawing("", ' descr="ship"'))
    got = document(f"<w:tbl>{first}<w:tr>{tc(go_on + drawn)}</w:tr></w:tbl>")
    assert hidden(got) == {"ship": "alternative_text"}
    assert document(f"<w:tbl>{first}{p(r('between'))}</w:tbl>").notes == ("text_outside_of_cells_not_read",)
    assert document(f"<w:tbl><w:tr>{p(r('between'))}{tc(p(r('a')))}</w:tr></w:tbl>").notes == (
        "text_outside_of_cells_not_read",
    )
    chunk = f"<w:tbl><w:tr>{tc('<w:altChunk/>' + p(r('a')))}</w:tr></w:tbl>"
    assert document(chunk).notes == document(p(r("a") + "<w:subDoc/>")).notes == ("embedded_document_not_read",)


def test_what_else_is_not_read_is_noted(document):
    deep = "<w:smartTag>" * 61 + r("deep") + "</w:smartTag>" * 61
    assert "nesting_too_deep" in document(p("<w:r><w:tab/></w:r>" + deep)).notes
    equation = "<m:f><m:num>" * 60 + "<m:r><m:t>deep</m:t></m:r>" + "</m:num></m:f>" * 60
    assert "deep" in document(p(f"<m:oMath {MATH}>{equation}</m:oMath>")).pages[0].text
    got = document(p(r("a")), members={"word/media/image9.png": "x", "word/media/a.svg": "y"}, glossaryDocument="<g/>")
    assert got.notes == ("building_blocks_not_read", "pictures_not_read")


def store(inside, identity="{AB}"):
    return {
        "customXml/item1.xml": inside,
        "customXml/_rels/item1.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="r" Type="{KINDS}/customXmlProps" Target="itemProps1.xml"/></Relationships>',
        "customXml/itemProps1.xml": f'<d:datastoreItem xmlns:d="urn:d" d:itemID="{identity}"/>',
    }


def control(path, content, kind="", name="{ab}"):
    bound = f'<w:dataBinding w:prefixMappings="xmlns:n=\'urn:x\'" w:xpath="{path}" w:storeItemID="{name}"/>'
    return f"<w:sdt><w:sdtPr>{kind}{bound}</w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"


@pytest.mark.parametrize("where", ["run", "block", "cell", "row"])
def test_a_control_shows_the_data_that_it_is_bound_to(document, where):
    def body(path):
        if where == "run":
            return p(r("To ") + control(path, r("Click here")))
        if where == "block":
            return control(path, p(r("Click here")))
        cell = tc(control(path, p(r("Click here")))) if where == "cell" else control(path, tc(p(r("Click here"))))
        return f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>"

    related = f'<Relationship Id="c" Type="{KINDS}/customXml" Target="../customXml/item1.xml"/>'
    data = '<x xmlns="urn:x"><to>other</to><to>Ada</to><empty/><same>Clickhere</same></x>'

    def read(path):
        return document(body(path), related, store(data))

    got = read("/n:x[1]/n:to[2]")
    texts = shown(got)
    assert texts[0] == {"run": "To Ada", "block": "Ada", "cell": "Ada", "row": "Click here"}[where]
    assert texts[1] == ("Ada" if where == "row" else "Click here")
    assert hidden(got) == ({} if where == "row" else {"Click here": "replaced"})
    for path in ("/n:x/n:empty", "/n:x/n:same"):
        assert (len(shown(read(path))), hidden(read(path)), read(path).notes) == (1, {}, ())
    assert read("//n:x[position()=1]").notes == ("bound_content_not_read",)


def test_controls_are_bound_to_properties_and_to_choices(document):
    name = "{6C3C8BC8-F283-45AE-878A-BAB7291924A1}"
    core = '<c:coreProperties xmlns:c="c" xmlns:d="d"><d:title>The title</d:title></c:coreProperties>'
    bound = p(control("/ns1:coreProperties[1]/ns0:title[1]", r("[Title]"), name=name))
    assert shown(document(bound, members={"docProps/core.xml": core})) == ["The title", "[Title]"]
    listed = '<w:dropDownList><w:listItem w:value="1" w:displayText="One"/></w:dropDownList>'
    related = f'<Relationship Id="c" Type="{KINDS}/customXml" Target="../customXml/item1.xml"/>'
    chosen = p(control("/n:x/@n", r("Choose"), listed))
    assert shown(document(chosen, related, store('<x xmlns="urn:x" n="1"/>'))) == ["One", "Choose"]


def test_a_field_without_an_end_hides_nothing(document):
    got = document(
        p(char("begin") + code("PAGE") + r("a")) + p(char("begin") + char("separate") + r("b") + char("end"))
    )
    assert (shown(got), hidden(got)) == (["a", "b"], {})


def test_what_looks_otherwise_than_it_reads_is_noted(document):
    assert document(p(f'<w:bdo w:val="rtl">{r("drow")}</w:bdo>')).notes == ("direction_of_text_overridden",)
    fonts = {
        "word/_rels/fontTable.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="f" Type="{KINDS}/font" Target="fonts/font1.odttf"/></Relationships>'
    }
    assert document(p(r("a")), members=fonts, fontTable="<f/>").notes == ("embedded_fonts_not_compared",)


def test_a_second_note_of_one_name_is_not_lost(document):
    notes = "".join(f'<w:footnote w:id="2">{p(r(text))}</w:footnote>' for text in ("one", "two"))
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    got = document(p(r("a") + reference), footnotes=f"<w:footnotes {W}>{notes}</w:footnotes>")
    assert shown(got) == ["a[^1]", "[^1]: one", "two"]


@pytest.mark.parametrize("besides", ["", "<w:tab/>"])
@pytest.mark.parametrize(
    "decoy", ["<z:t>no</z:t>", "<y:t>no</y:t>", '<z:fldChar z:fldCharType="begin"/>', "<z:delText>no</z:delText>"]
)
def test_elements_of_others_are_none_of_words(document, decoy, besides):
    y = 'xmlns:y="http://schemas.microsoft.com/office/word/2099/own"'
    got = document(p(f"<w:r {OWN} {y}><w:t>be</w:t>{decoy}<w:t>fore</w:t>{besides}<w:t>after</w:t></w:r>"))
    assert shown(got) == ["before" + ("\t" if besides else "") + "after"]


def test_attributes_of_others_are_none_of_words(document):
    sign = f'<w:r {OWN}><w:sym z:font="Arial" z:char="0041" w:font="Arial" w:char="0042"/></w:r>'
    assert shown(document(p(sign))) == ["B"]
    relations = "".join(f'<Relationship Id="{n}" Type="{KINDS}/header" Target="{n}.xml"/>' for n in ("decoy", "real"))
    headers = {f"word/{n}.xml": f"<w:hdr {W}>{p(r(n))}</w:hdr>" for n in ("decoy", "real")}
    first = f'<w:headerReference {OWN} xmlns:r="{KINDS}" z:id="decoy" r:id="real" w:type="default"/>'
    assert shown(document(p(r("a")) + f"<w:sectPr>{first}</w:sectPr>", relations, headers))[:2] == ["a", "real"]


def test_notes_and_comments_are_found_in_whatever_stands_around_them(document):
    notes = f'<w:footnotes {W}><z:x {OWN}><w:footnote w:id="2">{p(r("note"))}</w:footnote></z:x></w:footnotes>'
    comments = f'<w:comments {W}><z:x {OWN}><w:comment w:id="1">{p(r("remark"))}</w:comment></z:x></w:comments>'
    got = document(p(r("a") + '<w:r><w:footnoteReference w:id="2"/></w:r>'), footnotes=notes, comments=comments)
    assert shown(got) == ["a[^1]", "[^1]: note", "remark"]


def test_a_line_to_sign_on_tells_who_is_to_sign(document):
    o = 'xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:v="urn:schemas-microsoft-com:vml"'
    line = '<o:signatureline o:suggestedsigner="Ada Grey" o:suggestedsigner2="Director" o:signinginstructions=""/>'
    got = document(p(f'<w:r><w:pict><v:shape {o} alt="Signature Line">{line}</v:shape></w:pict></w:r>'))
    assert shown(got) == ["Signature Line", "Ada Grey\nDirector"]
