"""Markdown of documents: read back by a CommonMark parser it has the same structure and the same words."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from frostbyte.data_plane.artefacts import Redaction, View
from frostbyte.data_plane.document import (
    Cell,
    Document,
    Element,
    Grid,
    Image,
    Kind,
    Lineage,
    Mark,
    Page,
    Source,
    Span,
)
from frostbyte.data_plane.serve.markdown import to_markdown
from frostbyte.data_plane.serve.shape import to_json

PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


class Writer:
    """Writes a page for a test."""

    def __init__(self, **page):
        self.text, self.elements, self.inserted, self.marks = "", [], [], []
        self.options = page

    def add(self, kind, text, **options):
        self._part("\n")
        start = len(self.text)
        self.text += text
        self.elements.append(Element(kind=kind, start=start, end=len(self.text), **options))
        return start

    def table(self, rows, *, header=True, spans=None):
        self._part("\n")
        start, cells = len(self.text), []
        for y, row in enumerate(rows):
            for x, text in enumerate(row):
                if text is None:
                    continue
                if cells:
                    self._part("\n" if x == 0 else "\t")
                at = len(self.text)
                self.text += text
                down, wide = (spans or {}).get((y, x), (1, 1))
                cells.append(
                    Cell(
                        row=y,
                        column=x,
                        start=at,
                        end=len(self.text),
                        header=header and y == 0,
                        row_span=down,
                        column_span=wide,
                    )
                )
        self.elements.append(
            Element(
                kind=Kind.TABLE,
                start=start,
                end=len(self.text),
                cells=tuple(cells),
                rows=len(rows),
                columns=len(rows[0]),
            )
        )

    def _part(self, separator):
        if self.text:
            self.inserted.append(Span(start=len(self.text), end=len(self.text) + 1))
            self.text += separator

    def page(self, number=1):
        return Page(
            number=number,
            text=self.text,
            elements=tuple(self.elements),
            inserted=tuple(self.inserted),
            marks=tuple(self.marks),
            **self.options,
        )


def document(*pages, mime="application/pdf"):
    return Document(
        source=Source(sha256="0" * 64, mime=mime, size=1),
        lineage=Lineage(parser="test", version="1"),
        pages=pages,
        pages_found=len(pages),
    )


def everything(doc, redactions=(), withheld=()):
    names = {page.number: page.name for page in doc.pages if page.name}
    return View(title=doc.title, metadata={}, page_names=names, redactions=redactions, withheld=withheld)


def markdown(*writers, mime="application/pdf"):
    doc = document(*(writer.page(number) for number, writer in enumerate(writers, 1)), mime=mime)
    return to_markdown(doc, everything(doc))


def words(token):
    """The text of an inline token as a reader sees it."""
    parts = []
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak") or child.content == "<br>":
            parts.append(" ")
        elif child.type in ("text", "code_inline", "text_special"):
            assert child.type != "code_inline"
            parts.append(child.content)
        else:
            assert child.type == "html_inline", child.type
    return " ".join("".join(parts).split())


def blocks(text):
    """(kind, words) of what stands in the Markdown: headings, paragraphs, items and cells."""
    found, inside = [], []
    for token in PARSER.parse(text):
        if token.type in ("heading_open", "list_item_open", "th_open", "td_open", "paragraph_open", "blockquote_open"):
            inside.append(token.type.removesuffix("_open"))
        elif token.type in (
            "heading_close",
            "list_item_close",
            "th_close",
            "td_close",
            "paragraph_close",
            "blockquote_close",
        ):
            inside.pop()
        elif token.type == "inline":
            kind = next((x for x in inside if x in ("list_item", "heading", "th", "td", "blockquote")), "paragraph")
            deepest = [x for x in inside if x == "list_item"]
            found.append((kind if not deepest else "list_item", words(token)))
        elif token.type == "fence":
            found.append(("paragraph", " ".join(token.content.split())))
        else:
            assert token.type not in ("code_block", "hr"), token
    return found


TRICKY = [
    "# no heading", "#hash", "> no quote", "- no item", "+ plus", "* star", "1. no item", "12) nor this",
    "1.5 is a number",
    "***", "---", "___", "=====", "a * b * c", "*emphasis*", "**strong**", "snake_case_name", "_under_", "__init__",
    "`code`", "``", "~~gone~~", "~/folder", "<b>bold</b>", "<!-- comment -->", "a < b > c", "&amp; &copy; & &#65;",
    "[link](http://example.com)", "[label]: http://example.com", "[^1] note", "![picture](x.png)", "[NAME] said",
    "C:\\new\\*file", "back\\", "a | b", "| --- | --- |", "--- | ---", "50 % + 3 - 2", "§ 7 Kündigung", "„Anführung“",
    "http://example.com/a_b_c?x=1&y=2", "e-mail@example.com", "1986-07-14", "* * *", "- - -", "+", "-", "#", "2024.",
    "~~~", "```", "text #", "A. Name", "(a) part", "$5_000$", "5*3*2", "x**2**y", "::", "-----BEGIN", "= 5", "<3",
]  # fmt: skip


@pytest.mark.parametrize("text", TRICKY)
def test_text_that_looks_like_markdown_stays_text(text):
    writer = Writer()
    writer.add(Kind.PARAGRAPH, text)
    writer.add(Kind.PARAGRAPH, f"Before it\n{text}\nand behind")
    writer.add(Kind.HEADING, text, level=2)
    writer.add(Kind.LIST_ITEM, f"• {text}", level=1)
    writer.table([["Head", text], [text, "x"]])
    wanted = " ".join(text.split())
    assert blocks(markdown(writer)) == [
        ("paragraph", wanted),
        ("paragraph", f"Before it {wanted} and behind"),
        ("heading", re.sub(r"^#{1,6} +", "", wanted)),
        ("list_item", wanted),
        ("th", "Head"),
        ("th", wanted),
        ("td", wanted),
        ("td", "x"),
    ]


@pytest.mark.parametrize(
    "text", ["plain words, with commas; and (brackets).", "5 * 3 = 15", "file_name_v2.txt", "R&D", "a < b", "[EMAIL]"]
)
def test_nothing_is_escaped_without_need(text):
    writer = Writer()
    writer.add(Kind.PARAGRAPH, text)
    assert markdown(writer) == f"{text}\n"


def test_lists_keep_their_numbers_and_nest():
    writer = Writer()
    for level, text in (
        (1, "1. Open the valve"),
        (2, "a) slowly"),
        (2, "b) by one turn"),
        (1, "2. Wait"),
        (2, "• until it drips"),
        (3, "– or not"),
        (1, "3. Close it"),
    ):
        writer.add(Kind.LIST_ITEM, text, level=level)
    assert markdown(writer) == (
        "1. Open the valve\n   - a) slowly\n   - b) by one turn\n2. Wait\n   - until it drips\n     - or not\n"
        "3. Close it\n"
    )


def test_a_list_that_starts_again_is_another_list():
    writer = Writer()
    for text in ("1. one", "2. two", "1. one again"):
        writer.add(Kind.LIST_ITEM, text, level=1)
    lists = [token for token in PARSER.parse(markdown(writer)) if token.type == "ordered_list_open"]
    assert len(lists) == 2


def test_bullets_after_numbers_are_a_list_of_their_own():
    writer = Writer()
    for text in ("• one", "• two", "3. three", "4. four", "1) again"):
        writer.add(Kind.LIST_ITEM, text, level=1)
    assert markdown(writer) == "- one\n- two\n\n3. three\n4. four\n\n1) again\n"
    opened = [token.type for token in PARSER.parse(markdown(writer)) if token.type.endswith("list_open")]
    assert opened == ["bullet_list_open", "ordered_list_open", "ordered_list_open"]


def test_words_above_numbers_are_titles_though_the_file_does_not_say_so():
    writer = Writer()
    writer.table([["Part", "Price"], ["Valve", "12.40"]], header=False)
    assert markdown(writer) == "| Part | Price |\n| --- | --- |\n| Valve | 12.40 |\n"


def test_tables_with_merged_cells_line_ends_and_without_header():
    writer = Writer()
    writer.table(
        [["Site", "Costs", None], ["Hull", "rent\nand heat", "4|5"], [None, "staff", "7"]],
        spans={(0, 1): (1, 2), (1, 0): (2, 1)},
    )
    writer.table([["Left", "7"], ["Right", "8"]], header=False)
    assert markdown(writer) == (
        "| Site | Costs | Costs |\n| --- | --- | --- |\n| Hull | rent<br>and heat | 4\\|5 |\n| Hull | staff | 7 |\n\n"
        "|  |  |\n| --- | --- |\n| Left | 7 |\n| Right | 8 |\n"
    )


@pytest.mark.parametrize("text", ["b *\n* c", "__\n__", "C:\\ \nD:\\", "a ~~\n~~ b", "`\n`"])
def test_signs_at_line_ends_of_a_cell_stay_signs(text):
    writer = Writer()
    writer.table([["h", text], ["x", "7"]])
    assert blocks(markdown(writer))[1] == ("th", " ".join(text.split()))


def test_a_table_in_a_cell():
    text = "Sizes\nA\t1\nB\t2"
    cells = tuple(
        Cell(row=row, column=column, start=start, end=start + 1)
        for row, column, start in ((0, 0, 6), (0, 1, 8), (1, 0, 10), (1, 1, 12))
    )
    outer = Cell(
        row=0, column=0, start=0, end=13, inner=(Grid(start=6, end=13, rows=2, columns=2, cells=cells),), header=True
    )
    table = Element(kind=Kind.TABLE, start=0, end=13, cells=(outer,), rows=1, columns=1)
    doc = document(Page(number=1, text=text, elements=(table,)))
    assert to_markdown(doc, everything(doc)).splitlines()[0] == (
        "| Sizes<br><table><tr><td>A</td><td>1</td></tr><tr><td>B</td><td>2</td></tr></table> |"
    )


def test_notes_comments_and_tracked_changes():
    writer = Writer()
    start = writer.add(Kind.PARAGRAPH, "Pay within thirty days.[^1]")
    gone = writer.add(Kind.PARAGRAPH, "fourteen", hidden="deleted")
    note = writer.add(Kind.FOOTNOTE, "[^1]: Charges are yours.")
    remark = writer.add(Kind.COMMENT, "M. T.: agreed *today*", hidden="comment")
    writer.marks = [
        Mark(start=start + 11, end=start + 17, kind="inserted"),
        Mark(start=start + 11, end=start + 11, kind="deleted", target=gone),
        Mark(start=start + 23, end=start + 23, kind="footnote", target=note, label="1"),
        Mark(start=start, end=start + 10, kind="comment", target=remark),
    ]
    assert markdown(writer) == (
        "Pay within[^comment-1-1] <del>fourteen</del><ins>thirty</ins> days.[^1]\n\n"
        "[^1]: Charges are yours.\n\n[^comment-1-1]: Comment: M. T.: agreed \\*today\\*\n"
    )


def test_what_nobody_sees_is_a_comment_and_headers_are_told_once():
    first, second = Writer(), Writer(images=(Image(box=None, outcome="not_decodable"),))
    for writer in (first, second):
        writer.add(Kind.HEADER, "Halden -- internal")
        writer.add(Kind.PARAGRAPH, "Visible")
    first.add(Kind.PARAGRAPH, "say --> yes", hidden="white")
    second.add(Kind.FIGURE, "Flow\nof water", ocr=True)
    second.add(Kind.CAPTION, "Figure 2: water")
    assert markdown(first, second) == (
        "<!-- page 1 -->\n\n<!-- header: Halden - - internal -->\n\nVisible\n\n"
        "<!-- hidden (white): say - -> yes -->\n\n"
        "<!-- page 2 -->\n\nVisible\n\n> Figure: Flow\\\n> of water\n\n*Figure 2: water*\n\n"
        "<!-- images without text: 1 not_decodable -->\n"
    )


def test_sheets_are_headings_and_hidden_ones_are_told():
    first, second = Writer(name="Costs"), Writer(name="Old_*prices*", hidden=True)
    first.add(Kind.HEADING, "Spring", level=1)
    second.table([["A", "B"], ["1", "2"]])
    assert markdown(first, second) == (
        "# Costs\n\n## Spring\n\n# Old\\_\\*prices\\*\n\n*(hidden sheet)*\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n"
    )


PROGRAM = "for (i = 0; i < n; i++) {\n    x[i] *= 2;  // ``twice``\n}"
DRAWING = "┌────┬────┐\n│ a  │ bb │\n└────┴────┘"


@pytest.mark.parametrize("text", [PROGRAM, DRAWING, "def f(a):\n\tif a:\n\t\treturn a", "a = 1\n  b = 2"])
def test_programs_and_drawings_keep_their_blanks_between_fences(text):
    writer = Writer()
    writer.add(Kind.PARAGRAPH, text)
    (token,) = PARSER.parse(markdown(writer))
    assert (token.type, token.content) == ("fence", text.expandtabs(4) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "Bill to:\n  Halden Ltd,\n  4 Quayside Row,\n  Port Ellery",
        "The tenant(s):\n    the person(s) who sign;\n    the person(s) who pay.",
        "Sugar is sweet\n   and so are you",
        "a = 1",
    ],
)
def test_other_texts_that_are_set_in_are_no_programs(text):
    writer = Writer()
    writer.add(Kind.PARAGRAPH, text)
    assert [kind for kind, _ in blocks(markdown(writer))] == ["paragraph"]
    assert "```" not in markdown(writer)


def test_line_ends_of_a_text_file_stay_line_ends():
    writer = Writer()
    writer.add(Kind.PARAGRAPH, "Halden Ltd\n4 Quayside Row\nPort Ellery")
    assert markdown(writer, mime="text/plain") == "Halden Ltd\\\n4 Quayside Row\\\nPort Ellery\n"


@pytest.mark.parametrize("heading", ["# Storage", "Storage\n======="])
def test_a_title_that_the_document_shows_is_not_told_twice(heading):
    writer = Writer()
    writer.add(Kind.HEADING, heading, level=1)
    doc = msgspec.structs.replace(document(writer.page(), mime="text/plain"), title="Storage")
    assert to_markdown(doc, everything(doc)) == "# Storage\n"


SIGNS = st.text(alphabet="ab C1.)#*_-+>|`~[]()<!&;=:\\\t §ß\n", max_size=24)
KINDS = st.sampled_from([Kind.HEADING, Kind.PARAGRAPH, Kind.LIST_ITEM, Kind.TABLE])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(KINDS, SIGNS, st.integers(1, 3)), max_size=6))
def test_any_text_comes_back_from_a_markdown_parser(pieces):
    writer, wanted = Writer(), []
    for kind, text, level in pieces:
        shown = " ".join(text.split())
        if kind is Kind.TABLE:
            writer.table([["h", text], ["x", text]])
            wanted += [("th", "h"), ("th", shown), ("td", "x"), ("td", shown)]
            continue
        if kind is Kind.LIST_ITEM:
            text = f"• x{text}"
            shown = f"x{shown}" if text[3:4] and not text[3:4].isspace() else " ".join(["x", *text[3:].split()])
        if kind is Kind.HEADING:
            text = f"h{text}"
            shown = " ".join(text.split())
        writer.add(kind, text, level=level)
        if shown:
            wanted.append((kind.value, shown))
    assert blocks(markdown(writer)) == wanted


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_redacted_or_withheld_gets_out(data):
    writer = Writer()
    secrets = []
    kinds = [Kind.HEADING, Kind.PARAGRAPH, Kind.LIST_ITEM, Kind.FOOTNOTE, Kind.FIGURE, Kind.HEADER, Kind.COMMENT]
    for number in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from([*kinds, Kind.TABLE]))
        secret = f"zq{number}zq{'x' * data.draw(st.integers(0, 3))}"
        text = data.draw(
            st.sampled_from([f"{secret} ends", f"1. {secret}", f"see {secret}", f"[^1]: {secret}", secret])
        )
        if kind is Kind.TABLE:
            writer.table([["Head", text], [text, "x"]])
            secrets += [match.start() for match in re.finditer(secret, writer.text)]
        else:
            hidden = data.draw(st.sampled_from(["", "white", "deleted", "comment"]))
            start = writer.add(kind, text, hidden=hidden)
            secrets.append(start + text.index(secret))
            if number:
                kind_ = data.draw(st.sampled_from(["inserted", "deleted", "comment", "moved_here"]))
                end = data.draw(st.integers(0, len(writer.text)))
                begin = data.draw(st.integers(0, end))
                writer.marks.append(Mark(start=begin, end=end, kind=kind_, target=start))
    page = writer.page()
    spans = [(at, at + len(re.match(r"zq\d+zqx*", page.text[at:])[0])) for at in secrets]
    redactions = tuple(Redaction(page=1, start=s, end=e, placeholder="[NAME]") for s, e in sorted(set(spans)))
    doc = document(page)
    held = ()
    if data.draw(st.booleans()):
        element = page.elements[0]
        held = (Redaction(page=1, start=element.start, end=element.end, placeholder="[withheld]"),)
    view = everything(doc, redactions, held)
    for text in (to_markdown(doc, view), json.dumps(to_json(doc, view))):
        assert "zq" not in text
