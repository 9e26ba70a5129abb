"""TXT and CSV: encodings, dialects, shapes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.plain import csv_page, text_page

TXT, CSV = "text/plain", "text/csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(read, encoding):
    text = "Die Größe der Öfen überrascht; das Maß ist voll – für alle Bürger."
    assert read(text.encode(encoding), TXT).pages[0].text == text


def test_invalid_utf8_is_guessed_and_noted(read):
    document = read(b"caf\xe9 au lait, d\xe9j\xe0 vu", TXT)
    assert document.pages[0].text == "café au lait, déjà vu"
    assert document.notes[0].startswith("encoding_guessed_")


def test_control_characters_are_dropped(read):
    page = read(b"a\x00b\x1bc\nd", TXT).pages[0]
    assert [(d.start, d.end, d.reason) for d in page.dropped] == [
        (1, 2, "control_character"),
        (3, 4, "control_character"),
    ]
    assert page.reading(0, len(page.text)) == "abc\nd"


def test_shapes_of_a_plain_text(read):
    text = "REPORT\n\n1. First part\nSome words here,\nand more.\n\n- one\n- two\n\n# Mark\n\nUnder\n=====\nend."
    page = read(text.encode(), TXT).pages[0]
    assert page.text == text
    got = [(e.kind.value, e.level, page.text[e.start : e.end]) for e in page.elements]
    assert got == [
        ("heading", 1, "REPORT"),
        ("heading", 1, "1. First part"),
        ("paragraph", 0, "Some words here,\nand more."),
        ("list_item", 1, "- one"),
        ("list_item", 1, "- two"),
        ("heading", 1, "# Mark"),
        ("heading", 1, "Under\n====="),
        ("paragraph", 0, "end."),
    ]


def test_an_empty_file_is_an_empty_page(read):
    document = read(b"", TXT)
    assert document.pages[0].text == ""
    assert document.pages_found == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_dialects(read, delimiter):
    rows = [["Name", "Town", "Note"], ["Ada", "Bonn", "x"], ["Bo", "Ulm", "y"]]
    page = read("\n".join(delimiter.join(row) for row in rows).encode(), CSV).pages[0]
    (table,) = page.elements
    assert (table.kind, table.rows, table.columns) == (Kind.TABLE, 3, 3)
    assert page.text == "Name\tTown\tNote\nAda\tBonn\tx\nBo\tUlm\ty"
    assert [c.header for c in table.cells] == [True] * 3 + [False] * 6


def test_csv_quotes_and_ragged_rows(read):
    document = read(b'a,b,c\r\n"x, y","two\nlines",3\r\n1,2\r\n', CSV)
    page = document.pages[0]
    assert document.notes == ("ragged_rows",)
    assert [page.text[c.start : c.end] for c in page.elements[0].cells[3:6]] == ["x, y", "two\nlines", "3"]


def test_prose_is_no_table(read):
    document = read(b"Dear Sir,\nthank you, as always, for it.\nYours\nMe\nand so on\nto the end\n", CSV)
    assert document.notes == ("no_table_shape",)
    assert document.pages[0].elements[0].kind is Kind.PARAGRAPH


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from(["\n", "\n\n", " ", "- ", "1. Title", "====", "A B"])), max_size=40)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_is_well_formed_and_complete(read, parts):
    text = "".join(parts)
    document = read(text.encode(), TXT)
    page = document.pages[0]
    body = text.removeprefix("\ufeff")
    joined = "".join(page.text[e.start : e.end] for e in page.elements)
    assert "".join(joined.split()) == "".join(body.split())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=10))
def test_any_csv_is_well_formed(read, rows):
    import csv
    import io

    target = io.StringIO(newline="")
    csv.writer(target).writerows(rows)
    read(target.getvalue().encode(), CSV)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("alpha beta gamma delta".split()), min_size=3, max_size=30), st.data())
def test_changing_one_word_changes_exactly_that(words, data):
    place = data.draw(st.integers(0, len(words) - 1))
    before = text_page(" ".join(words))
    after = text_page(" ".join([*words[:place], "omega", *words[place + 1 :]]))
    start = len(" ".join(words[:place])) + (place > 0)
    assert before.text[:start] == after.text[:start]
    assert after.text[start : start + 5] == "omega"
    assert before.text[start + len(words[place]) :] == after.text[start + 5 :]
    assert [e.kind for e in before.elements] == [e.kind for e in after.elements]


def test_changing_one_cell_changes_exactly_that():
    first, _ = csv_page("a,b\n1,2\n3,4\n", ParseLimits())
    second, _ = csv_page("a,b\n1,22\n3,4\n", ParseLimits())
    texts = [[p.text[c.start : c.end] for c in p.elements[0].cells] for p in (first, second)]
    assert [pair for pair in zip(*texts, strict=True) if pair[0] != pair[1]] == [("2", "22")]
