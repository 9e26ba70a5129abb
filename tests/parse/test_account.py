"""Promise 5 by property: of any document every piece stands in the text once, sums close, one word changes one word.

The documents are written here, part by part, so that what went in is known.
"""

from __future__ import annotations

import csv
import io
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbyte.data_plane import policy
from frostbyte.kernel.tenancy import TenantConfig

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TXT, CSV = "text/plain", "text/csv"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Words:
    """Hands out words unlike all others and of one length; the one that is `changed` is another."""

    def __init__(self, changed=-1):
        self.all = []
        self._numbers = count()
        self._changed = changed

    def __call__(self):
        number = next(self._numbers)
        self.all.append("omega" if number == self._changed else f"w{number:03}q")
        return self.all[-1]


@pytest.fixture(scope="module")
def rules():
    return policy.RuleSet.load()


@pytest.fixture(scope="module")
def check(read, rules):
    """Read what `write` writes, and hold it against the promise. `write(words)` gives bytes."""

    def call(write, mime, place):
        words = Words()
        document = read(write(words), mime)
        everything = "\n".join(page.text for page in document.pages)
        for word in words.all:
            assert everything.count(word) == 1, word
        account = policy.clear(
            document,
            doc_id=UUID(int=1),
            generation="g",
            config=TenantConfig(),
            config_version=1,
            rules=rules,
            names=None,
        ).account
        assert account.closes
        if words.all:
            number = place % len(words.all)
            changed = read(write(Words(number)), mime)
            for before, after in zip(document.pages, changed.pages, strict=True):
                assert after.text == before.text.replace(words.all[number], "omega")
                assert shape(after) == shape(before)

    return call


def shape(page):
    return [
        (e.kind, e.level, e.hidden, e.start, e.end, [(c.row, c.column, c.start, c.end) for c in e.cells])
        for e in page.elements
    ]


def r(text, properties=""):
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text} </w:t></w:r>'


def box(text):
    return f"<w:r><w:drawing><w:txbxContent><w:p>{r(text)}</w:p></w:txbxContent></w:drawing></w:r>"


def field(text):
    char = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return char.format("begin") + char.format("separate") + r(text) + char.format("end")


RUNS = {
    "plain": r,
    "inserted": lambda text: f"<w:ins>{r(text)}</w:ins>",
    "deleted": lambda text: f"<w:del><w:r><w:delText>{text} </w:delText></w:r></w:del>",
    "moved": lambda text: f"<w:moveFrom>{r(text)}</w:moveFrom>",
    "vanished": lambda text: r(text, "<w:vanish/>"),
    "white": lambda text: r(text, '<w:color w:val="FFFFFF"/>'),
    "box": box,
    "field": field,
    "link": lambda text: f"<w:hyperlink>{r(text)}</w:hyperlink>",
    "control": lambda text: f"<w:sdt><w:sdtContent>{r(text)}</w:sdtContent></w:sdt>",
    "broken": lambda text: r(text) + "<w:r><w:tab/><w:br/></w:r>",
}
PROPERTIES = ["", '<w:outlineLvl w:val="1"/>', '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>']
PARAGRAPH = st.tuples(
    st.just("p"), st.sampled_from(PROPERTIES), st.lists(st.sampled_from([*RUNS, "note", "comment"]), max_size=5)
)


def tables(inner):
    row = st.lists(st.lists(inner, max_size=2), min_size=1, max_size=3)
    return st.tuples(st.just("table"), st.lists(row, min_size=1, max_size=3))


BLOCK = st.recursive(PARAGRAPH, tables, max_leaves=8)


class DocxWriter:
    """Turns drawn blocks into parts."""

    def __init__(self, words):
        self.words = words
        self.notes, self.comments = [], []

    def blocks(self, blocks):
        return "".join(self.block(block) for block in blocks)

    def block(self, block):
        if block[0] == "p":
            return f"<w:p><w:pPr>{block[1]}</w:pPr>{''.join(self.run(kind) for kind in block[2])}</w:p>"
        rows = "".join(
            f"<w:tr>{''.join(f'<w:tc>{self.blocks(cell)}<w:p/></w:tc>' for cell in row)}</w:tr>" for row in block[1]
        )
        return f"<w:tbl>{rows}</w:tbl>"

    def run(self, kind):
        if kind not in ("note", "comment"):
            return RUNS[kind](self.words())
        entries, name = (self.notes, "footnote") if kind == "note" else (self.comments, "comment")
        entries.append(f'<w:{name} w:id="{len(entries) + 1}"><w:p>{r(self.words())}</w:p></w:{name}>')
        return f'<w:r><w:{name}Reference w:id="{len(entries)}"/></w:r>'


@pytest.mark.slow
@FEW
@given(st.lists(BLOCK, max_size=6), st.integers(0, 999))
def test_docx(check, make_docx, blocks, place):
    level = '<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    numbering = f'<w:abstractNum w:abstractNumId="0">{level}</w:abstractNum>'
    numbering += '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'

    def write(words):
        writer = DocxWriter(words)
        body = writer.blocks(blocks)
        parts = {"numbering": numbering, "footnotes": "".join(writer.notes), "comments": "".join(writer.comments)}
        parts["header"] = f"<w:p>{r(words())}</w:p>"
        relations = "".join(f'<Relationship Id="{k}" Type="{KINDS}/{k}" Target="{k}.xml"/>' for k in parts)
        return make_docx(body, {f"word/{k}.xml": f"<w:{k} {W}>{v}</w:{k}>" for k, v in parts.items()}, relations)

    check(write, DOCX, place)


CELL = st.sampled_from(["inline", "rich", "shared", "plain", "none", "formula", "styled", "comment"])
SHEETS = st.lists(st.lists(st.lists(CELL, max_size=5), max_size=8), min_size=1, max_size=3)


class XlsxWriter:
    """Turns drawn rows into parts."""

    def __init__(self, words):
        self.words = words
        self.strings, self.comments = [], []

    def cell(self, kind, name):
        if kind == "none":
            return ""
        if kind == "styled":
            return f'<c r="{name}" s="1"/>'
        word = self.words()
        if kind == "shared":
            self.strings.append(word)
            return f'<c r="{name}" t="s"><v>{len(self.strings) - 1}</v></c>'
        if kind == "rich":
            return f'<c r="{name}" t="inlineStr"><is><r><t>{word[:2]}</t></r><r><t>{word[2:]}</t></r></is></c>'
        if kind == "plain":
            return f'<c r="{name}" t="str"><v>{word}</v></c>'
        if kind == "formula":
            return f'<c r="{name}" t="str"><f>A1&amp;"x"</f><v>{word}</v></c>'
        if kind == "comment":
            self.comments.append(f'<comment ref="{name}"><text><t>{self.words()}</t></text></comment>')
        return f'<c r="{name}" t="inlineStr"><is><t>{word}</t></is></c>'

    def sheet(self, rows):
        made = ""
        for number, row in enumerate(rows, 1):
            cells = "".join(self.cell(kind, f"{'ABCDE'[n]}{number}") for n, kind in enumerate(row))
            made += f'<row r="{number}">{cells}</row>' if row else ""
        return f'<worksheet xmlns="{S}"><sheetData>{made}</sheetData></worksheet>'


def relations(entries):
    made = "".join(f'<Relationship Id="{i}" Type="{KINDS}/{kind}" Target="{name}"/>' for i, kind, name in entries)
    return f'<Relationships xmlns="{PACKAGE}">{made}</Relationships>'


@FEW
@given(SHEETS, st.integers(0, 999))
def test_xlsx(check, zipped, sheets, place):
    def write(words):
        writer = XlsxWriter(words)
        parts = {"_rels/.rels": relations([("r", "officeDocument", "xl/workbook.xml")])}
        entries = [("st", "styles", "styles.xml"), ("ss", "sharedStrings", "sharedStrings.xml")]
        names = ""
        for number, rows in enumerate(sheets):
            parts[f"xl/worksheets/s{number}.xml"] = writer.sheet(rows)
            if writer.comments:
                comments = f'<comments xmlns="{S}"><commentList>{"".join(writer.comments)}</commentList></comments>'
                parts[f"xl/c{number}.xml"], writer.comments = comments, []
                parts[f"xl/worksheets/_rels/s{number}.xml.rels"] = relations([("c", "comments", f"../c{number}.xml")])
            entries.append((f"s{number}", "worksheet", f"worksheets/s{number}.xml"))
            names += f'<sheet name="S{number}" r:id="s{number}"/>'
        parts["xl/workbook.xml"] = f'<workbook xmlns="{S}" xmlns:r="{KINDS}"><sheets>{names}</sheets></workbook>'
        parts["xl/_rels/workbook.xml.rels"] = relations(entries)
        parts["xl/styles.xml"] = f'<styleSheet xmlns="{S}"><cellXfs><xf/><xf numFmtId="10"/></cellXfs></styleSheet>'
        strings = "".join(f"<si><t>{word}</t></si>" for word in writer.strings)
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{S}">{strings}</sst>'
        return zipped(parts)

    check(write, XLSX, place)


@FEW
@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4), min_size=1, max_size=5))
def test_stored_numbers_are_never_lost(read, zipped, rows):
    """Whatever a format shows, the stored value stands in the cell: as its text or beside it."""
    codes = ("0", "0.00", "0%", "#,##0.0;(#,##0.0)")
    styles = "".join(f'<numFmt numFmtId="{170 + n}" formatCode="{code}"/>' for n, code in enumerate(codes))
    forms = "".join(f'<xf numFmtId="{170 + n}"/>' for n in range(len(codes)))
    cells = "".join(
        f'<row r="{y}">'
        + "".join(f'<c r="{"ABCD"[x]}{y}" s="{x}"><v>{value!r}</v></c>' for x, value in enumerate(row))
        + "</row>"
        for y, row in enumerate(rows, 1)
    )
    sheet = '<sheet name="S" r:id="s"/>'
    parts = {
        "_rels/.rels": relations([("r", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{KINDS}"><sheets>{sheet}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations([("s", "worksheet", "s.xml"), ("t", "styles", "t.xml")]),
        "xl/t.xml": f'<styleSheet xmlns="{S}"><numFmts>{styles}</numFmts><cellXfs>{forms}</cellXfs></styleSheet>',
        "xl/s.xml": f'<worksheet xmlns="{S}"><sheetData>{cells}</sheetData></worksheet>',
    }
    page = read(zipped(parts), XLSX).pages[0]
    found = [
        float(cell.value or page.text[cell.start : cell.end].replace(",", ""))
        for element in page.elements
        for cell in element.cells
    ]
    assert found == [value for row in rows for value in row]


@FEW
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=8),
    st.sampled_from(",;\t|"),
    st.integers(0, 999),
)
def test_csv(check, rows, delimiter, place):
    def write(words):
        target = io.StringIO(newline="")
        lines = [[" ".join(words() for _ in range(size)) for size in row] for row in rows]
        lines[0][0] += f'"{delimiter}"\n'
        csv.writer(target, delimiter=delimiter).writerows(lines)
        return target.getvalue().encode()

    check(write, CSV, place)


TEXT = {
    "paragraph": lambda words: "\n".join(" ".join(words() for _ in range(n)) for n in (12, 12, 3)),
    "title": lambda words: f"{words()} {words()}\n=========",
    "mark": lambda words: f"## {words()}",
    "list": lambda words: f"- {words()}\n- {words()} {words()}\n  - {words()}",
    "counted": lambda words: f"1. {words()}\n2. {words()}",
    "strokes": lambda words: f"| {words()} | {words()} |\n|---|---|\n| {words()} | {words()} |",
    "aligned": lambda words: "\n".join(f"{words()}   {words()}   {words()}" for _ in range(3)),
    "tabs": lambda words: f"{words()}\t{words()}\n{words()}\t{words()}",
    "feed": lambda words: f"\f{words()}",
    "controls": lambda words: f"{words()}\x00\x1b{words()}",
}


@FEW
@given(st.lists(st.sampled_from(sorted(TEXT)), max_size=8), st.sampled_from(["\n", "\n\n"]), st.integers(0, 999))
def test_txt(check, blocks, gap, place):
    check(lambda words: gap.join(TEXT[block](words) for block in blocks).encode(), TXT, place)
