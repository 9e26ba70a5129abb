"""Tables in PDFs: by rules, by rules above and below, by alignment alone; and what only looks like one."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from bench.reading.table_lookalikes import LOOKALIKES, draw_lookalike
from bench.reading.table_pages import draw_page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.pdf.tables.ruled import Rules, find_grids
from frostbyte.data_plane.parse.pdf.text import Drawing

PDF = "application/pdf"
ROWS = [
    ("Item", "Quantity", "Price", "Delivered"),
    ("Screws, steel", "1,200", "0.04", "2026-03-01"),
    ("Hinges", "80", "2.15", "2026-03-04"),
    ("Door handles", "12", "14.90", "2026-04-11"),
    ("Locks", "7", "38.00", "2026-05-02"),
]
STOPS = (72, 230, 300, 380)


def place(canvas, rows=ROWS, stops=STOPS, y=600, step=18, font="Helvetica", head="Helvetica-Bold", size=10):
    for number, row in enumerate(rows):
        canvas.setFont(head if number == 0 else font, size)
        for x, text in zip(stops, row, strict=True):
            canvas.drawString(x, y - number * step, text)


def prose(canvas, y, lines=3, x=72, text="Words of a paragraph that stands around the table and goes on for a while."):
    canvas.setFont("Helvetica", 10)
    for number in range(lines):
        canvas.drawString(x, y - 12 * number, text)


def tables(page):
    return [element for element in page.elements if element.kind is Kind.TABLE]


def grid(page, table):
    texts = [["" for _ in range(table.columns)] for _ in range(table.rows)]
    for cell in table.cells:
        texts[cell.row][cell.column] = page.text[cell.start : cell.end].strip()
    return texts


def borderless(canvas):
    place(canvas)


def booktabs(canvas):
    place(canvas)
    for y in (614, 594, 520):
        canvas.line(68, y, 450, y)


def striped(canvas):
    canvas.setFillGray(0.9)
    for number in (1, 3):
        canvas.rect(68, 595 - number * 18, 380, 18, stroke=0, fill=1)
    canvas.setFillGray(0)
    place(canvas)


def ruled(canvas):
    canvas.grid([68, 226, 296, 376, 450], [613 - 18 * n for n in range(6)])
    place(canvas)


def thin_rectangles(canvas):
    for n in range(6):
        canvas.rect(68, 613 - 18 * n, 382, 0.5, stroke=0, fill=1)
    for x in (68, 226, 296, 376, 450):
        canvas.rect(x, 523, 0.5, 90, stroke=0, fill=1)
    place(canvas)


def one_path(canvas):
    path = canvas.beginPath()
    for n in range(6):
        path.rect(68, 613 - 18 * n, 382, 0.5)
    for x in (68, 226, 296, 376, 450):
        path.rect(x, 523, 0.5, 90)
    canvas.drawPath(path, stroke=0, fill=1)
    place(canvas)


def single_dashes(canvas):
    for y in (613 - 18 * n for n in range(6)):
        for x in range(68, 450, 5):
            canvas.line(x, y, min(x + 3, 450), y)
    for x in (68, 226, 296, 376, 450):
        for y in range(523, 613, 5):
            canvas.line(x, y, x, min(y + 3, 613))
    place(canvas)


def upright_rules_and_a_header_rule(canvas):
    canvas.grid([68, 226, 296, 376, 450], [613, 595, 523])
    place(canvas)


def one_upright_rule(canvas):
    canvas.grid([68, 226, 450], [613, 595, 523])
    place(canvas)


@pytest.mark.parametrize(
    "draw",
    [
        borderless,
        booktabs,
        striped,
        ruled,
        thin_rectangles,
        one_path,
        single_dashes,
        upright_rules_and_a_header_rule,
        one_upright_rule,
    ],
)
def test_each_text_is_in_its_cell_and_the_header_is_known(read, make_pdf, draw):
    def page(canvas):
        prose(canvas, 700)
        draw(canvas)
        prose(canvas, 480)

    page = read(make_pdf(page), PDF).pages[0]
    (table,) = tables(page)
    assert grid(page, table) == [list(row) for row in ROWS]
    assert {cell.row for cell in table.cells if cell.header} == {0}
    outside = [page.text[e.start : e.end] for e in page.elements if e is not table]
    assert all("paragraph" in text for text in outside)


def test_a_page_turned_by_its_rotation_is_read_as_it_is_shown(read, make_pdf):
    def draw(canvas):
        canvas.setPageRotation(90)
        canvas.translate(canvas._pagesize[1], 0)
        canvas.rotate(90)
        place(canvas, y=400)

    page = read(make_pdf(draw), PDF).pages[0]
    (table,) = tables(page)
    assert grid(page, table) == [list(row) for row in ROWS]


def test_a_cell_of_several_lines_is_one_cell(read, make_pdf):
    rows = [
        ("Part", "What it is for", "Price"),
        ("Pump", "moves the cooling water through", "120.00"),
        ("", "both circuits of the machine", ""),
        ("Valve", "closes the second circuit", "35.50"),
        ("Sensor", "tells how warm the water of the", "18.20"),
        ("", "first circuit is", ""),
    ]
    heights = [600, 580, 568, 548, 528, 516]

    def draw(canvas):
        for y, row in zip(heights, rows, strict=True):
            place(canvas, [row], (72, 150, 340), y=y, head="Helvetica-Bold" if y == 600 else "Helvetica")

    page = read(make_pdf(draw), PDF).pages[0]
    (table,) = tables(page)
    assert [row[1] for row in grid(page, table)] == [
        "What it is for",
        "moves the cooling water through both circuits of the machine",
        "closes the second circuit",
        "tells how warm the water of the first circuit is",
    ]


def test_a_heading_over_several_columns_spans_them(read, make_pdf):
    rows = [
        ("Region", "Q1", "Q2", "Q1", "Q2"),
        *((name, "10", "20", "30", "40") for name in ("North", "South", "West")),
    ]

    def draw(canvas):
        canvas.setFont("Helvetica-Bold", 10)
        canvas.drawCentredString(210, 618, "2025")
        canvas.drawCentredString(330, 618, "2026")
        for left, right in ((176, 244), (296, 364)):
            canvas.line(left, 613, right, 613)
        place(canvas, rows, (72, 180, 230, 300, 350))
        for y in (630, 594, 536):
            canvas.line(68, y, 370, y)

    page = read(make_pdf(draw), PDF).pages[0]
    (table,) = tables(page)
    spans = {page.text[c.start : c.end].strip(): (c.row, c.column, c.column_span) for c in table.cells if c.row == 0}
    assert spans["2025"] == (0, 1, 2)
    assert spans["2026"] == (0, 3, 2)
    assert {cell.row for cell in table.cells if cell.header} == {0, 1}


def test_a_currency_that_stands_apart_belongs_to_its_number(read, make_pdf):
    rows = [("Item", "", "Cost"), ("Rent", "€", "1,200.00"), ("Heating", "€", "310.50"), ("Water", "€", "88.10")]
    page = read(make_pdf(lambda c: place(c, rows, (72, 200, 260))), PDF).pages[0]
    (table,) = tables(page)
    assert table.columns == 2
    assert [" ".join(row[1].split()) for row in grid(page, table)] == ["Cost", "€ 1,200.00", "€ 310.50", "€ 88.10"]


def test_a_table_in_one_column_of_a_page_leaves_the_other_alone(read, make_pdf):
    text = "Words in a column of prose that are many"

    def draw(canvas):
        prose(canvas, 760, 10, 60, text)
        place(canvas, [row[:2] for row in ROWS], (60, 200), y=600)
        prose(canvas, 480, 12, 60, text)
        prose(canvas, 757, 40, 320, text)

    page = read(make_pdf(draw), PDF).pages[0]
    (table,) = tables(page)
    assert grid(page, table) == [list(row[:2]) for row in ROWS]


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_only_looks_like_a_table_is_none(read, make_pdf, name):
    number = list(LOOKALIKES).index(name)

    def page(seed):
        return lambda canvas: draw_lookalike(canvas, random.Random(f"look {seed}"), number)

    pages = read(make_pdf(*map(page, range(3))), PDF).pages
    assert [len(tables(page)) for page in pages] == [0, 0, 0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), kind=st.sampled_from(["ruled", "booktabs", "borderless"]))
def test_the_account_closes_and_cells_do_not_overlap(read, make_pdf, seed, kind):
    truths = []
    page = read(make_pdf(lambda c: truths.extend(draw_page(c, random.Random(seed), kind))), PDF).pages[0]
    for table in tables(page):
        taken = [
            (cell.row + i, cell.column + j)
            for cell in table.cells
            for i in range(cell.row_span)
            for j in range(cell.column_span)
        ]
        assert len(taken) == len(set(taken)) == table.rows * table.columns
        ends = [(cell.start, cell.end) for cell in table.cells]
        assert ends == sorted(ends)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))
    special = [(s.start, s.end) for s in page.inserted]
    letters = "".join(page.text[i] for i in range(len(page.text)) if not any(a <= i < b for a, b in special))
    for truth in truths:  # nothing is lost or read twice, wherever it was put
        for entry in truth.entries:
            for word in entry.text.split():
                assert word in letters


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(
        st.tuples(*[st.floats(-50, 900, allow_nan=False)] * 2, st.floats(0, 300), st.floats(0, 2), st.booleans()),
        max_size=60,
    )
)
def test_any_lines_make_grids_whose_cells_tile_them(lines):
    drawing = Drawing()
    for x, y, length, width, across in lines:
        if across:
            drawing.horizontal.append((x, y, x + length, y + width))
        else:
            drawing.vertical.append((x, y, x + width, y + length))
    for found in find_grids(Rules(drawing)):
        places = [
            (cell.row + i, cell.column + j)
            for cell in found.cells
            for i in range(cell.row_span)
            for j in range(cell.column_span)
        ]
        assert sorted(places) == [(row, column) for row in range(found.rows) for column in range(found.columns)]


def test_thousands_of_lines_and_pieces_take_no_time_to_speak_of(read, make_pdf):
    noise = random.Random(5)

    def draw(canvas):
        for _ in range(4_000):
            x, y = noise.uniform(0, 595), noise.uniform(0, 842)
            canvas.line(x, y, x + noise.choice([0, 300]), y + noise.choice([0, 300]))
        canvas.setFont("Helvetica", 4)
        for _ in range(3_000):
            canvas.drawString(noise.uniform(0, 580), noise.uniform(0, 842), str(noise.randint(1, 99)))

    data = make_pdf(draw)
    began = time.process_time()
    read(data, PDF)
    assert time.process_time() - began < 8
