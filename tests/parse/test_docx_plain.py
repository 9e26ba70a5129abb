"""DOCX: what is taken from the bytes is what the careful reader would have read, and nothing else is taken."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from frostbyte.data_plane.parse.office import docx_judge, docx_plain
from frostbyte.data_plane.parse.office.docx_plain import read_part
from frostbyte.data_plane.parse.office.styles import Styles

URI = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
RELATED = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
UTC = 'xmlns:w16du="http://schemas.microsoft.com/office/word/2023/wordml/word16du"'
W14 = 'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"'
PROLOG = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

LOOKS = (
    "", "<w:rPr/>",
    '<w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri"/><w:sz w:val="22"/><w:lang w:val="en-GB"/></w:rPr>',
    '<w:rPr><w:b/><w:bCs/><w:color w:val="2E74B5"/></w:rPr>', "<w:rPr><w:b/></w:rPr>",
    '<w:rPr><w:rStyle w:val="Strong"/><w:noProof/><w:kern w:val="2"/></w:rPr>',
)  # fmt: skip
ODD_LOOKS = (
    "<w:rPr><w:vanish/></w:rPr>", '<w:rPr><w:color w:val="FFFFFF"/></w:rPr>', '<w:rPr><w:sz w:val="2"/></w:rPr>',
    '<w:rPr><w:shd w:val="clear" w:fill="000000"/></w:rPr>', '<w:rPr><w:highlight w:val="yellow"/></w:rPr>',
    '<w:rPr><w:rStyle w:val="Secret"/></w:rPr>', '<w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr>',
    '<w:rPr><w:rPrChange w:id="1"><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr>',
    '<w:rPr><w:sz w:val="02"/></w:rPr>', '<w:rPr><w:color w:val="1F4E79"/></w:rPr>',
    '<w:rPr><w:color w:val="auto"/><w:shd w:fill="1f4e79"/></w:rPr>',
    '<w:rPr><w:rStyle w:val="Ink"/></w:rPr>', '<w:rPr><w:rStyle w:val="Ground"/></w:rPr>',
    '<w:rPr><w:rStyle w:val="Ground"/><w:color w:val="1F4E79"/></w:rPr>', '<w:rPr><w:color w:val="000000"/></w:rPr>',
    '<w:rPr><w:rStyle w:val="Ink"/><w:highlight w:val="blue"/></w:rPr>', '<w:rPr><w:vanish w:val="0"/></w:rPr>',
    '<w:rPr><w:lang w:val="a" w:val="b"/></w:rPr>', '<w:rPr><w14:ligatures w14:val="x"/></w:rPr>',
    '<w:rPr><w:lang w:val="></w:t><w:t>"/></w:rPr>', "<w:rPr><w:lang w:val=' w:rsidR=\"00A77B3E\"'/></w:rPr>",
)  # fmt: skip
WORDS = ("The supplier delivers. ", "Prüfung – in days, ", "a &amp; b &lt;w:t&gt; ", "• one", "", " ", "1) two")
ODD_WORDS = (
    "it&#x2019;s", "co\u00adop", "\uf0b7 three", "x > y", "line\r\nend", "nb\u00a0sp\u0085", "\ufffd", "\U0001f600",
    "<![CDATA[ <w:vanish/></w:t> ]]>", "<!-- </w:t> -->", "<?pi </w:t> ?>", "a\x02b",
    '<![CDATA[<w:p w14:paraId="12345678">]]>', ' w:rsidR="00A77B3E"', "a\x01b", "]]>",
    "a\x85", "\x85\x9fb", "\x7f", "a\x03b", "\x05", "</w:t><w:t>", "</w:delText><w:delText>",
    "&who;", "\ufffe", "<w:tab/>c",
)  # fmt: skip
INSIDE = (
    "<w:tab/>", "<w:br/>", "<w:lastRenderedPageBreak/>", "<w:delText>gone</w:delText>", "<w:t/>", "<w:t>d</w:t >",
    '<w:fldChar w:fldCharType="begin"/>', '<w:fldChar w:fldCharType="separate"/>', '<w:fldChar w:fldCharType="end"/>',
    "<w:instrText> TOC </w:instrText>", '<w:footnoteReference w:id="1"/>', "<w:softHyphen/>",
    "<w:pict><v:shape xmlns:v='v'><v:textbox><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>"
    "</v:textbox></v:shape></w:pict>",
)  # fmt: skip
AROUND = (
    ("<w:fldSimple>", "</w:fldSimple>"), ('<w:moveFrom w:id="1">', "</w:moveFrom>"), ("<w:bdo>", "</w:bdo>"),
    ("<w:ins>", "</w:ins>"), ("<w:del>", "</w:del>"), ('<w:hyperlink r="1">', "</w:hyperlink>"),
    ("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>"), (f'<w:smartTag xmlns:w="{URI}">', "</w:smartTag>"),
    ('<w:smartTag xmlns:w="other">', "</w:smartTag>"), ("<w:p>", "</w:p>"), ("<w:r>", "</w:r>"), ("</w:r>", "<w:r>"),
)  # fmt: skip
CHANGE = 'w:id="%d" w:author="%s" w:date="2026-11-28T07:00:00Z"'
CHANGES = ("ins", "ins", "del", "del", "moveFrom", "moveTo", "hyperlink", "hyperlink")
LINKS = (' r:id="rId7"', ' r:id="rId8" w:history="1"', ' w:anchor="_Toc1" w:history="1"', ' w:anchor="a:b"')
ODD_CHANGES = (
    "", ' w:id="1"', ' w:id="1" w:id="1"', ' r:id="rId7" w:tooltip="a > b"', ' w:author="a<b"', " w:rsidR='00A77B3E'",
    ' w:id="1" w:author="\u20ac" w:date="2026-11-28T07:00:00Z"', ' w:id="1" w:author="a&amp;b" w:date="2026"',
)  # fmt: skip
TABS = ("",) * 9 + ("<w:tab/>", "<w:br/>", "<w:noBreakHyphen/>")
BETWEEN = (
    '<w:proofErr w:type="spellStart"/>', '<w:bookmarkStart w:id="0" w:name="_Toc1"/>', '<w:bookmarkEnd w:id="0"/>',
    '<w:commentRangeStart w:id="0"/>', "\n", "<!-- between -->", "<?pi?>", "loose",
    '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>',
)  # fmt: skip
PROPERTIES = (
    "", "", "<w:pPr/>", '<w:pPr><w:spacing w:after="120"/><w:jc w:val="both"/></w:pPr>',
    '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>',
    '<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:b/></w:rPr></w:pPr>',
)  # fmt: skip
ODD_PROPERTIES = (
    '<w:pPr><w:pStyle w:val="Secret"/></w:pPr>', '<w:pPr><w:pStyle w:val="TOC1"/></w:pPr>',
    '<w:pPr><w:tabs><w:tab w:val="left" w:pos="1"/></w:tabs></w:pPr>', "<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>",
    '<w:pPr><w:sectPr><w:headerReference w:type="default" r:id="h"/></w:sectPr></w:pPr>',
    '<w:pPr><w:shd w:fill="000000"/></w:pPr>', '<w:pPr><w:pStyle w:val="Shaded"/></w:pPr>',
    '<w:pPr><w:pStyle w:val="Inked"/></w:pPr>',
    '<w:pPr><w:shd w:fill="1F4E79"/></w:pPr>', '<w:pPr><w:shd w:val="pct20"/></w:pPr>',
    '<w:pPr><w:rPr><w:ins w:id="4" w:author="A" w:date="2026-11-28T07:00:00Z"/></w:rPr></w:pPr>',
    '<w:pPr><w:pPrChange w:id="4" w:author="A" w:date="2026-11-28T07:00:00Z"><w:pPr><w:shd w:fill="1F4E79"/></w:pPr>'
    "</w:pPrChange></w:pPr>", '<w:pPr><w:pStyle w:val="Heading1"/><w:pStyle w:val="x>y"/></w:pPr>',
    '<w:pPr><w:sectPr><w:footnotePr><w:numFmt w:val="lowerRoman"/></w:footnotePr></w:sectPr></w:pPr>',
)  # fmt: skip
REVISIONS = ("", ' w:rsidR="00A77B3E"', ' w:rsidR="00B22222" w:rsidRPr="00A77B3E"')
ODD_REVISIONS = (
    ' w14:paraId="12345678" w14:textId="77777777"', ' w:rsidR="00A77B3E" w:rsidR="00A77B3E"', ' w:rsidR="x"',
    ' xmlns:w="other"', ' xml:space="preserve"',
)  # fmt: skip
CELLS = ("", "<w:tcPr/>", '<w:tcPr><w:tcW w:w="2000" w:type="dxa"/></w:tcPr>')
ODD_CELLS = (
    '<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>', "<w:tcPr><w:vMerge/></w:tcPr>",
    '<w:tcPr><w:shd w:fill="000000"/></w:tcPr>',
    "<w:p/>", '<w:bookmarkStart w:id="2" w:name="b"/>',
)  # fmt: skip
BLOCKS = (
    "<w:p/>", "<w:p><w:pPr/></w:p>", '<w:bookmarkStart w:id="7" w:name="x"/>', '<w:commentRangeStart w:id="0"/>',
    '<stretch xmlns="urn:frostbyte:docx"/>', "<w:altChunk/>", "</w:body><w:body>", "</w:p>", "<w:tbl/>",
    "<w:tbl><w:tr/></w:tbl>",
    "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>", "<!-- </w:p> -->", "text",
    "<w:p><w:r><w:t>&who;</w:t></w:r></w:p>",
)  # fmt: skip
STYLES = (
    f'<w:styles xmlns:w="{URI}"><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>%s'
    '</w:style><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>'
    '<w:style w:styleId="Ink"><w:rPr><w:color w:val="1F4E79"/></w:rPr></w:style>'
    '<w:style w:styleId="Ground"><w:rPr><w:shd w:fill="1F4E79"/></w:rPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Inked"><w:rPr><w:color w:val="1F4E79"/></w:rPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Shaded"><w:pPr><w:shd w:fill="1F4E79"/></w:pPr></w:style></w:styles>'
)
NUMBERING = (
    f'<w:numbering xmlns:w="{URI}"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
    '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)


class Author:
    """Writes bodies as Word does, and now and then as nobody should."""

    def __init__(self, choose, odd):
        self.choose = choose
        self.utc = choose((True, False))
        self.odds = [True] + [False] * odd

    def of(self, usual, odd):
        return self.choose(odd if self.choose(self.odds) else usual)

    def maybe(self, odd):
        return self.choose(odd) if self.choose(self.odds) else ""

    def run(self, name="t"):
        text = self.of(WORDS, ODD_WORDS)
        space = self.choose(("", ' xml:space="preserve"'))
        begin, end = (self.of((name,), ("t", "delText")) for _ in "be") if self.choose(self.odds) else (name, name)
        before, behind = (self.choose(TABS) + self.maybe(INSIDE) for _ in "bb")
        inside = f"{self.of(LOOKS, ODD_LOOKS)}{before}<w:{begin}{space}>{text}</w:{end}>{behind}"
        before, behind = self.choose(AROUND) if self.choose(self.odds) else ("", "")
        revised = self.of(REVISIONS, ODD_REVISIONS)
        return f"{before}<w:r{revised}>{inside}</w:r>{behind}{self.maybe(BETWEEN)}"

    def changed(self, depth=0):
        """Runs in a link or a change."""
        name = self.choose(CHANGES)
        change = CHANGE % (self.choose(range(1_000)), self.choose(("Ada", "Jörg M.", "Ł. Ż", "")))
        utc = self.choose(("", ' w16du:dateUtc="2026-11-28T07:00:00Z"')) if self.utc else ""
        about = self.of(LINKS if name == "hyperlink" else (f" {change}{utc}",), ODD_CHANGES)
        inside = "".join(
            self.changed(depth + 1) if depth < 6 and self.choose("rrrc") == "c" else
            self.run("delText" if name == "del" else "t")
            for _ in range(self.choose((0, 1, 1, 2, 3)))
        )  # fmt: skip
        return f"<w:{name}{about}>{inside}</w:{name}>"

    def paragraph(self, most=3):
        runs = "".join(
            self.run() if self.choose("rrrrc") == "r" else self.changed()
            for _ in range(self.choose(range(most + 1)))
        )  # fmt: skip
        properties = self.of(PROPERTIES, ODD_PROPERTIES) if most > 1 else self.maybe(PROPERTIES)
        return f"<w:p{self.of(REVISIONS, ODD_REVISIONS)}>{properties}{self.maybe(BETWEEN)}{runs}</w:p>"

    def table(self):
        def cell():
            inner = self.table() if self.choose(self.odds) and self.choose(self.odds) else ""
            return f"<w:tc>{self.of(CELLS, ODD_CELLS)}{inner}{self.paragraph(1)}</w:tc>"

        rows = "".join(
            f"<w:tr>{''.join(cell() for _ in range(self.choose((1, 2, 3))))}</w:tr>"
            for _ in range(self.choose((1, 2, 3)))
        )
        return f"<w:tbl><w:tblPr/><w:tblGrid/>{rows}</w:tbl>"

    def body(self):
        made = ""
        for _ in range(self.choose((3, 6, 12))):
            kind = self.choose("pppppt")
            block = self.table() if kind == "t" else self.paragraph()
            if self.choose(self.odds):
                block = self.choose(
                    (*BLOCKS, f"<w:sdt><w:sdtContent>{block}</w:sdtContent></w:sdt>", f"<w:del>{block}</w:del>")
                )
            made += block
        return made

    def damaged(self, document):
        """A few bytes too few, or twice."""
        if not self.choose(self.odds):
            return document
        start = self.choose(range(len(document)))
        end = start + self.choose((1, 2, 5, 20, 60, 200))
        return document[:start] + self.choose(("", document[start:end] * 2)) + document[end:]

    def members(self):
        names = (f"{W14} {RELATED}", RELATED)
        declared = self.of(
            tuple(f'xmlns:w="{URI}" {more}' for more in names), (f'xmlns:w="{STRICT}"', f"xmlns:w='{URI}'")
        )
        declared = f"{declared} {UTC}" if self.utc and not self.maybe((True,)) else declared
        ground = self.maybe(('<w:background w:color="000000"/>', '<w:background w:color="1F4E79"/>'))
        start = self.of(
            (PROLOG,), ("", PROLOG.replace("UTF-8", "ISO-8859-1"), "<!DOCTYPE a>", PROLOG + "\r\n", "\ufeff")
        )
        end = "<w:sectPr/>" if self.choose((True, False)) else ""
        document = f"{start}<w:document {declared} mc='1'>{ground}<w:body>{self.body()}{end}</w:body></w:document>"
        document = self.of((document,), (document.replace("</w:body></", f"</w:body>{ground}</"),))
        note = f'<w:footnotes xmlns:w="{URI}"><w:footnote w:id="1">{p("note")}</w:footnote></w:footnotes>'
        usual = self.of(("",), ("<w:rPr><w:vanish/></w:rPr>", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'))
        parts = {"styles": STYLES % usual, "numbering": NUMBERING, "footnotes": note}
        return {
            "word/document.xml": self.damaged(document),
            "word/_rels/document.xml.rels": '<Relationships xmlns="x">'
            + "".join(f'<Relationship Id="{kind}" Type="{KINDS}/{kind}" Target="{kind}.xml"/>' for kind in parts)
            + "</Relationships>",
            **{f"word/{kind}.xml": text for kind, text in parts.items()},
        }


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**40), st.sampled_from((8, 30, 200)))
def test_what_is_taken_from_the_bytes_is_what_the_careful_reader_reads(readings, zipped, seed, odd):
    careful, quick = readings(zipped(Author(random.Random(seed).choice, odd).members()))
    assert quick == careful


def part(body):
    """A part of that body, long enough that its plain blocks are worth finding."""
    filler = p("and so on " * 20) * 2_000
    return f'{PROLOG}<w:document xmlns:w="{URI}" {W14}><w:body>{body}{filler}</w:body></w:document>'.encode()


def p(text, look="", properties="", revised=""):
    return f"<w:p{revised}>{properties}<w:r{revised}>{look}<w:t>{text}</w:t></w:r></w:p>"


def run(text, name="t", look=""):
    return f"<w:r>{look}<w:{name}>{text}</w:{name}></w:r>"


def taken(body):
    """Blocks that are not in the tree of a body, and the texts of those that are."""
    read = read_part(part(body), Styles(etree.fromstring(STYLES % "")))
    left = ["".join(node.itertext(f"{{{URI}}}t")) for node in read.root.iter(f"{{{URI}}}p")]
    return sum(len(stretch.blocks) for stretch in read.plain.values()) - 2_000, left


def table(*rows):
    cells = ("".join(f"<w:tc>{CELLS[2]}{cell}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("properties", PROPERTIES)
@pytest.mark.parametrize("revised", [*REVISIONS, ODD_REVISIONS[0]])
def test_paragraphs_as_word_writes_them_are_never_made_a_tree_of(look, properties, revised):
    again = p("one", look, properties, revised).replace("</w:p>", f"<w:r>{look}<w:t>more</w:t></w:r></w:p>")
    assert taken(again + "<w:p/>" + p("two", look)) == (3, [])


PLAIN = p("cell")
BOLD = p("cell", "<w:rPr><w:b/></w:rPr>")
NONE = "<w:p/>"
HALF = BOLD.replace("</w:p>", "<w:r><w:t> more</w:t></w:r></w:p>")
TWICE = BOLD.replace("</w:p>", "<w:r><w:rPr><w:i/><w:b/></w:rPr><w:t> more</w:t></w:r></w:p>")
SAME = BOLD.replace("</w:r>", "<w:lastRenderedPageBreak/><w:t> more</w:t></w:r>")
BLANK = BOLD.replace("</w:p>", "<w:r><w:t></w:t></w:r></w:p>")
FIRST_BLANK = BOLD.replace("<w:r>", "<w:r><w:t></w:t></w:r><w:r>", 1)
LATE = PLAIN.replace("</w:r>", "<w:rPr><w:b/></w:rPr></w:r>")


def test_tables_are_none_either():
    assert taken(table((PLAIN, PLAIN), (BOLD, NONE), (NONE, PLAIN))) == (1, [])
    assert taken(p("before") + table((BOLD, BOLD), (PLAIN, PLAIN)) + p("behind")) == (3, [])
    assert taken(table((PLAIN + PLAIN, PLAIN))) == (0, ["cell"] * 3)


@pytest.mark.parametrize(
    ("rows", "headed"),
    [
        (((BOLD, BOLD), (PLAIN, PLAIN)), True),
        (((BOLD, BOLD), (BOLD, PLAIN), (BOLD, BOLD)), True),
        (((BOLD, TWICE), (BOLD, NONE)), True),
        (((SAME, BLANK), (NONE, NONE), (NONE, NONE)), True),
        (((FIRST_BLANK, BOLD), (PLAIN, PLAIN)), True),
        (((BOLD, BOLD), (BOLD, HALF)), True),
        (((BOLD, LATE), (PLAIN, PLAIN)), True),
        (((BOLD, BOLD), (BOLD, BOLD), (PLAIN, PLAIN)), False),
        (((BOLD, BOLD),), False),
        (((BOLD,), (PLAIN,)), False),
        (((BOLD, HALF), (PLAIN, PLAIN)), False),
        (((BOLD, NONE), (PLAIN, PLAIN)), False),
        (((NONE, BOLD), (PLAIN, PLAIN)), False),
        (((PLAIN, BOLD), (PLAIN, PLAIN)), False),
    ],
)
@pytest.mark.parametrize(
    "behind", ["", PLAIN, table((PLAIN, PLAIN), (PLAIN, PLAIN)), p("x", "<w:rPr><w:vanish/></w:rPr>")]
)
def test_a_first_row_that_alone_is_bold_heads_the_columns(readings, make_docx, rows, headed, behind):
    careful, quick = readings(make_docx(table(*rows) + behind))
    assert quick == careful
    assert (b'"header":true' in quick) is headed
    assert LATE in rows[0] or taken(table(*rows)) == (1, [])


@pytest.mark.parametrize("look", ODD_LOOKS[:6])
def test_what_may_not_be_seen_is_left_to_the_careful_reader_alone(look):
    seen = "shd" in look or "highlight" in look
    assert taken(p("one") + p("two", look) + p("three")) == ((3, []) if seen else (2, ["two"]))


@pytest.mark.parametrize("properties", [one for one in ODD_PROPERTIES if "x>y" not in one])
def test_paragraphs_with_more_in_their_properties_stay(properties):
    odd = p("two", "", properties).replace(' r:id="h"', "")
    stay = any(sign in properties for sign in ("Secret", "sectPr", "<w:pPr><w:shd")) and "pPrChange" not in properties
    assert taken(p("one") + odd + p("three"))[1] == (["two"] if stay else [])


def test_a_very_wide_first_row_costs_no_more_than_its_length(monkeypatch):
    seen = []
    real = docx_plain._Heads.known
    monkeypatch.setattr(docx_plain._Heads, "known", lambda self, **more: seen.append(self._seen) or real(self, **more))
    assert taken(table([BOLD] * 3_000, [PLAIN])) == (1, [])
    assert len(seen) < 3_100
    assert seen == sorted(seen)


def test_a_part_of_nothing_but_oddities_is_given_up_soon(monkeypatch):
    judged = []
    whole = "".join(p(number, f'<w:rPr><w:lang w:val="{number}"/><w:vanish/></w:rPr>') for number in range(5_000))
    monkeypatch.setattr(docx_judge.Judge, "_judged", lambda *about: judged.append(about) or docx_judge.REFUSED)
    data = f'<w:document xmlns:w="{URI}"><w:body>{whole}</w:body></w:document>'.encode()
    assert not read_part(data, Styles(None)).plain
    assert 0 < len(judged) < 300


ABOUT = CHANGE % (7, "Jörg M.")
WIDER = {
    "link": f'<w:hyperlink w:anchor="_Toc1" w:history="1">{run("a")}{run("b")}</w:hyperlink>',
    "tab": "<w:r><w:tab/><w:t>a</w:t></w:r><w:r><w:br/></w:r>",
    "inserted": f"<w:ins {ABOUT}>{run('a')}{run('b')}</w:ins>{run('c')}",
    "deleted": f"<w:del {ABOUT}>{run('a', 'delText')}{run('b', 'delText')}</w:del>{run('c')}",
    "all deleted": f"<w:del {ABOUT}>{run('a', 'delText')}</w:del>",
    "moved": f"<w:moveFrom {ABOUT}>{run('a')}</w:moveFrom><w:moveTo {ABOUT}>{run('a')}</w:moveTo>",
    "both": f"<w:ins {ABOUT}><w:del {ABOUT}>{run('a', 'delText')}</w:del>{run('b')}</w:ins>",
    "linked change": f"<w:hyperlink><w:ins {ABOUT}>{run('a')}</w:ins></w:hyperlink>",
    "mark": f"<w:pPr><w:tabs><w:tab/></w:tabs><w:rPr><w:ins {ABOUT}/></w:rPr></w:pPr>{run('a')}",
    "nothing": f"<w:ins {ABOUT}>{run('')}</w:ins>{run('a')}<w:del {ABOUT}>{run('', 'delText')}</w:del>",
}


@pytest.mark.parametrize("inside", WIDER.values(), ids=WIDER)
@pytest.mark.parametrize("after", ["", run(" more")])
def test_links_tabs_and_changes_are_taken_from_the_bytes_too(readings, make_docx, inside, after):
    changed = f"<w:p>{inside}{after}</w:p>"
    assert taken(p("one") + changed + changed + p("three")) == (4, [])
    careful, quick = readings(make_docx(p("one") + changed * 2 + p("three")))
    assert quick == careful


def test_tabs_and_links_in_cells_are_taken_and_changes_are_not(readings, make_docx):
    head, cell, changed = (f"<w:p>{WIDER[kind]}</w:p>" for kind in ("tab", "link", "inserted"))
    bold = head.replace("<w:r>", "<w:r><w:rPr><w:b/></w:rPr>")
    for rows in (((head, cell), (cell, head)), ((bold, BOLD), (cell, PLAIN)), ((BOLD, bold), (bold, bold))):
        assert taken(table(*rows)) == (1, [])
        careful, quick = readings(make_docx(table(*rows)))
        assert quick == careful
    assert taken(table((PLAIN, changed)))[0] == 0


@pytest.mark.parametrize(
    "body",
    [
        f"<w:p>{run('one', 'delText')}{run('two')}</w:p>",
        "<w:p><w:r><w:delText>one</w:delText><w:t>two</w:t></w:r></w:p>",
        f"<w:p><w:moveFrom {ABOUT}>{run('one', 'delText')}</w:moveFrom></w:p>",
        f"<w:p><w:del {ABOUT}><w:r><w:delText>one</w:t></w:r></w:del></w:p>",
        f"<w:p><w:ins {ABOUT}>{run('one')}</w:del></w:p>",
        f"<w:p><w:ins {ABOUT} w:id='1'>{run('one')}</w:ins></w:p>",
        f"<w:p><w:ins {ABOUT}>{run('one' + chr(0x85))}</w:ins>{run(chr(0x85) + 'two')}</w:p>",
        f"<w:p>{run('one' + chr(0x85))}<w:r><w:tab/></w:r>{run(chr(0x85) + 'two')}{run(chr(0x85) + 'two')}</w:p>",
        f"<w:p>{run('one' + chr(3) + 'two')}{WIDER['tab']}</w:p>",
        *(
            f"<w:p>{properties}{run('one', look=look)}{WIDER['tab']}</w:p>"
            for look in (*LOOKS, *ODD_LOOKS) for properties in ("", *ODD_PROPERTIES[6:10])
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ground", ["", '<w:background w:color="1F4E79"/>', '<w:background w:color="000000"/>'])
def test_what_a_change_is_not_is_left_to_the_careful_reader(readings, zipped, body, ground):
    start = f"<w:document xmlns:w='{URI}' {RELATED} {W14}>"
    for before, behind in ((ground, ""), ("", ground)):
        document = f"{start}{before}<w:body>{p('zero')}{body}{p('three')}</w:body>{behind}</w:document>"
        careful, quick = readings(
            zipped(Author(random.Random(1).choice, 200).members() | {"word/document.xml": document})
        )
        assert quick == careful


def test_when_changes_are_never_alike_what_is_plain_is_taken_all_the_same():
    odd = "".join(
        f"<w:p>{run('a')}<w:ins w:id='{number}'>{run('b')}</w:ins>{run('c')}</w:p>{p('d')}" for number in range(2_000)
    )
    found, left = taken(odd)
    assert found > 2_000
    assert len(left) > 1_500


def test_deletions_that_are_never_alike_are_given_up_soon(monkeypatch):
    judged = []
    real = docx_judge.Judge._judged
    monkeypatch.setattr(docx_judge.Judge, "_judged", lambda *about: judged.append(about) or real(*about))
    odd = (f"<w:p><w:del w:q='{number}'>{run('a', 'delText')}</w:del></w:p>" for number in range(5_000))
    read_part(part("".join(odd)), Styles(None))
    assert 0 < len(judged) < 200
