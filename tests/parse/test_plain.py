"""TXT and CSV: encodings, dialects, shapes."""

from __future__ import annotations

import csv
import io
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.intake.sniff import text_kind
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.plain import text_page
from frostbyte.data_plane.parse.separated import csv_page
from frostbyte.kernel.errors import StageFailed

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
    body = text.removeprefix("\ufeff")
    joined = "".join(page.text[e.start : e.end] for page in document.pages for e in page.elements)
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


TABLES = """| Name | Town |
|------|------|
| Ada  | Ulm  |

Item          Price   Left
------------  ------  ----
Rent           10.00  yes
Light           2.50  no

a\t1
b\t2
"""


def test_tables_of_strokes_spaces_and_tabs(read):
    page = read(TABLES.encode(), TXT).pages[0]
    assert [e.kind for e in page.elements] == [Kind.TABLE] * 3
    cells = [[page.text[c.start : c.end] for c in e.cells] for e in page.elements]
    assert cells == [
        ["Name", "Town", "Ada", "Ulm"],
        ["Item", "Price", "Left", "Rent", "10.00", "yes", "Light", "2.50", "no"],
        ["a", "1", "b", "2"],
    ]
    assert [sum(c.header for c in e.cells) for e in page.elements] == [2, 3, 0]
    assert page.reading(0, page.elements[0].end) == "Name\tTown\n\nAda\tUlm"
    assert {drop.reason for drop in page.dropped} == {"table_rule"}


def test_prose_with_gaps_is_no_table(read):
    text = "He said:  never.\nShe  laughed at that.\nThen  both went  home together.\n"
    assert [e.kind for e in read(text.encode(), TXT).pages[0].elements] == [Kind.PARAGRAPH]


def test_lines_broken_to_a_width_read_as_sentences(read):
    text = (
        "This paragraph was broken by hand where the lines of its editor ended,\n"
        "so that a reader of the text finds no sense in its ends, and the con-\n"
        "tract of Vor- und Nachteile goes on.\n\n"
        "Ada Fenn\n12 Mill Lane\nUlm\n"
    )
    page = read(text.encode(), TXT).pages[0]
    first, address = page.elements
    assert "ended, so that" in page.text
    assert "the contract of Vor- und" in page.reading(first.start, first.end)
    assert page.text[address.start : address.end] == "Ada Fenn\n12 Mill Lane\nUlm"
    assert [drop.reason for drop in page.dropped] == ["hyphen_joined"]


def test_lists_count_and_nest(read):
    text = "1. apples\n2. plums\n   and more\n\n- one\n  - inner\n- two\n"
    page = read(text.encode(), TXT).pages[0]
    assert [(e.kind.value, e.level) for e in page.elements] == [("list_item", n) for n in (1, 1, 1, 2, 1)]


def test_form_feeds_turn_the_page(read):
    document = read(b"one\ftwo\f\fthree\f\n", TXT)
    assert [page.number for page in document.pages] == [1, 2, 3, 4]
    assert [page.reading(0, len(page.text)).strip() for page in document.pages] == ["one", "two", "", "three"]
    with pytest.raises(StageFailed) as caught:
        read(b"a\f" * 30 + b"a", TXT, ParseLimits(max_pages=10))
    assert caught.value.code == "too_many_pages"


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp850", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    ["Die Größe der Öfen überrascht; das Maß ist voll.", "Müller, Straße 5, 20 §", "Café à côté, naïve façade"],
)
def test_encodings_without_a_mark(read, encoding, text):
    assert read(text.encode(encoding), TXT).pages[0].text == text


@pytest.mark.parametrize(
    ("encodings", "text"),
    [
        ("cp1252 mac_roman", "She said “never” – and left."),
        ("cp1252 mac_roman iso8859_15 cp858", "It costs 20 €\n"),
        ("cp1252 mac_roman", "It’s the tenant’s"),
        ("cp1252 mac_roman cp850", "Señor Muñoz, ¿qué pasó?"),
        ("cp1252 mac_roman cp850", "Århus ligger på Ærø, brødrene sagde at søen er blå"),
        ("iso8859_15", "le cœur de l'été, 20 €"),
        ("cp1252", "Ä, Ö, Ü und x² + y³"),
        ("cp1250 iso8859_2 cp852", "Zażółć gęślą jaźń: Łódź, Kraków, źrebię"),
        ("cp1250 iso8859_2 cp852", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("cp1254", "Sayın müşteri, sözleşmeniz için teşekkür ederiz."),
        ("cp1251 koi8_r cp866 iso8859_5", "Настоящий договор подписан в Москве между арендодателем и арендатором."),
        ("cp1253", "Αυτό είναι ένα ελληνικό κείμενο. Η σύμβαση υπογράφεται στην Αθήνα."),
        ("cp932 euc_jp", "これは日本語の文章です。契約書の第一条は以下のとおりとする。東京都千代田区。"),
        ("gb18030", "这是一个中文文件。合同第一条如下所述。北京市海淀区中关村大街。"),
    ],
)
def test_encodings_of_signs_and_of_other_languages(read, encodings, text):
    for encoding in encodings.split():
        document = read(text.encode(encoding), TXT)
        assert document.pages[0].text == text
        assert any(note.startswith("encoding_guessed_") for note in document.notes)


def test_a_stray_byte_spoils_only_itself(read):
    lines = ["Größe der Öfen", "Maß für Müller", "“Straße” – 5 €"]
    whole = "\n".join(lines).encode()
    document = read(whole + "\nÄnderung\n".encode("cp1252") + b"M\xc3;cut\n", TXT)
    assert document.pages[0].text.splitlines() == [*lines, "Änderung", "M\ufffd;cut"]
    assert document.notes == ("mixed_encodings", "undecodable_bytes")
    late = b"plain " * 100_000 + "Müller\n".encode() + b"caf\xe9\n"
    assert read(late, TXT).pages[0].text.endswith("Müller\ncafé\n")


def test_csv_with_its_separator_line_title_and_decimal_commas(read):
    document = read(b'sep=;\r\nKosten\r\nName;Betrag\r\nAda;"1.234,50"\r\nBo;2,00\r\n', CSV)
    page = document.pages[0]
    title, table = page.elements
    assert page.text[title.start : title.end] == "Kosten"
    assert [page.text[c.start : c.end] for c in table.cells] == ["Name", "Betrag", "Ada", "1.234,50", "Bo", "2,00"]
    assert [(page.text[d.start : d.end], d.reason) for d in page.dropped] == [("sep=;", "separator_line")]
    assert [c.header for c in table.cells] == [True, True, False, False, False, False]


def test_numbers_with_decimal_commas_are_one_cell(read):
    page = read(b"1,5;2,5\n3,25;4,0\n", CSV).pages[0]
    assert page.text == "1,5\t2,5\n3,25\t4,0"
    assert not any(c.header for c in page.elements[0].cells)


def test_csv_with_escaped_quotes(read):
    page = read(b'a,b\n"say \\"hi, you\\" now",2\n', CSV).pages[0]
    assert [page.text[c.start : c.end] for c in page.elements[0].cells[2:]] == ['say "hi, you" now', "2"]


def test_lines_of_logs_and_heads_of_mails_are_not_joined(read):
    log = (
        "2026-03-01 12:00:00 INFO the run with the number 55 has begun on this machine\n"
        "2026-03-01 12:00:01 WARN something was not as it should have been in the end\n"
        "    at pump.start, and somewhere else in the same part of that program, too\n"
        "2026-03-01 12:00:02 INFO end\n"
    )
    head = "Subject: a letter with a subject that is as long as its lines are wide, alas\nDate: Monday, 2 March\n"
    for text in (log, head):
        page = read(text.encode(), TXT).pages[0]
        assert page.text == text


def test_one_long_line_does_not_hide_that_a_text_was_broken_to_a_width(read):
    prose = "\n\n".join(
        ["These words were broken by hand at the width that\ntheir writer had in front of her, line by line."] * 20
    )
    page = read(f"{prose}\n\nhttps://example.com/{'a' * 150}\n".encode(), TXT).pages[0]
    assert "at the width that their writer" in page.text


def test_colours_of_a_terminal_are_dropped_whole(read):
    page = read(b"\x1b[1mBold\x1b[0m and \x1b[31;4mred\x1b[m\n", TXT).pages[0]
    assert page.reading(0, len(page.text)) == "Bold and red\n"
    assert {drop.reason for drop in page.dropped} == {"control_character"}


@pytest.mark.parametrize(
    ("text", "title"), [("# #\n", "# #"), ("# # Title #\n", "Title #"), ("Title\n=====\n", "Title")]
)
def test_a_heading_of_signs_is_a_title_too(read, text, title):
    assert read(text.encode(), TXT).title == title


def test_a_vertical_tab_ends_a_line(read):
    assert read(b"one\x0btwo\n", TXT).pages[0].text == "one\ntwo\n"


def test_items_with_blank_lines_between_them_are_a_list_and_titles_are_not(read):
    kinds = [e.kind for e in read(b"1. one\n\n2. two.\n\n3. three\n", TXT).pages[0].elements]
    assert kinds == [Kind.LIST_ITEM] * 3
    kinds = [e.kind for e in read(b"1. Scope\n\n   All of it.\n\n2. Terms\n\n   None.\n", TXT).pages[0].elements]
    assert kinds == [Kind.HEADING, Kind.PARAGRAPH] * 2


def rows_of(page):
    found: dict[int, list[str]] = {}
    for cell in page.elements[-1].cells:
        found.setdefault(cell.row, []).append(page.text[cell.start : cell.end])
    return list(found.values())


def test_what_stands_above_a_table_is_no_row_of_it(read):
    bank = b'"Giro";"DE12 34";""\n"Balance:";"1.234,56"\n""\n"Day";"Text";"From";"Sum"\n"2.1.";"Debit";"Ulm";"-45,00"\n'
    page = read(bank, CSV).pages[0]
    assert [page.text[e.start : e.end] for e in page.elements[:2]] == ["Giro DE12 34", "Balance: 1.234,56"]
    assert rows_of(page) == [["Day", "Text", "From", "Sum"], ["2.1.", "Debit", "Ulm", "-45,00"]]
    assert sum(cell.header for cell in page.elements[2].cells) == 4
    page = read(b"Report;;\nName;Value;Town\nAda;1,5;Ulm\nBo;2,5;Hull\n", CSV).pages[0]
    assert [len(row) for row in rows_of(page)] == [3, 3, 3]
    assert page.text.startswith("Report\nName\t")
    page = read(b"# by Ada, on Monday\na,b,c\n1,2,3\n4,5,6\n", CSV).pages[0]
    assert page.text.startswith("# by Ada, on Monday\n")


def test_columns_that_are_empty_to_the_end_are_none(read):
    table = read(b"a;b;c;;\n1;2;3;;\n4;;6;;\n", CSV).pages[0].elements[0]
    assert (table.rows, table.columns, sum(cell.header for cell in table.cells)) == (3, 3, 3)
    assert read(b"a;b;c;;\n1;2;3;;\n4;5;6;;x\n", CSV).pages[0].elements[0].columns == 5


def test_sparse_rows_below_a_header_stay_rows(read):
    page = read(b"a;b;c\n1;;\n;2;\n3;4;5\n", CSV).pages[0]
    assert rows_of(page) == [["a", "b", "c"], ["1", "", ""], ["", "2", ""], ["3", "4", "5"]]


def test_a_quote_without_an_end_keeps_to_its_line(read):
    document = read(b'a,b\n1,"2"\n"5 pipes,6\n7,8\n9,10\n', CSV)
    assert rows_of(document.pages[0]) == [["a", "b"], ["1", "2"], ['"5 pipes', "6"], ["7", "8"], ["9", "10"]]
    assert document.notes == ("quote_not_closed",)
    assert read(b'a,b\n1,"2"\n', CSV).notes == ()


def test_blanks_before_quotes_and_vertical_tabs_in_cells(read):
    assert rows_of(read(b'a, b\n"x", "y, z"\n"p", "q"\n', CSV).pages[0]) == [["a", "b"], ["x", "y, z"], ["p", "q"]]
    assert rows_of(read(b"a,b\none\x0btwo,2\n3,4\n", CSV).pages[0])[1] == ["one\ntwo", "2"]


CELLS = [
    "Ada", "Bo Fenn", "12,40", "1.234,50", "-3", "2026-01-02", "", "x; y", "a, b", 'say "hi"', "one\ntwo", "Ulm | Hull",
    "=1+1", '5"', "'q'", "tab\there", "ü ß", "  lead", "x*y", "https://a.b/c?d=e&f", "many words that go on for long",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_a_writer_of_csv_writes_comes_back_whatever_stands_in_the_cells(read, delimiter, ends, encoding):
    for seed in range(12):
        draw = random.Random(seed)
        width = draw.randint(3, 7)
        rows = [[f"col{n}" for n in range(width)]]
        rows += [["x", *draw.choices(CELLS, k=width - 1)] for _ in range(draw.randint(2, 9))]
        rows = [[cell.replace("\n", ends) for cell in row] for row in rows]
        target = io.StringIO()
        quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        csv.writer(target, delimiter=delimiter, lineterminator=ends, quoting=quoting).writerows(rows)
        title = draw.choice(["", f"Title of it{ends}", f"Title{ends}As of today{ends}{ends}"])
        data = f"{title}{target.getvalue()}".encode(encoding)
        assert text_kind(data, whole=True) == CSV
        assert rows_of(read(data, CSV).pages[0]) == rows


@pytest.mark.slow
def test_many_lines_that_might_be_tables_end_soon(read):
    for line in ("a | b", "x  y  " + "z" * 80, "---  |"):
        began = time.process_time()
        read("\n".join([line] * 40_000).encode(), TXT)
        assert time.process_time() - began < 5
    for line in (" " * 60_000 + "a", "--|" + " " * 60_000 + "a", "| --- " * 20_000 + "a"):
        began = time.process_time()
        read(line.encode(), TXT)
        assert time.process_time() - began < 5
