"""The quick way through rows of one shape finds what the expressions for single cells find."""

from __future__ import annotations

import random

import pytest

from frostbyte.data_plane.parse.office import xlsx_cells
from frostbyte.data_plane.parse.office.cell_references import Shared
from frostbyte.data_plane.parse.office.xlsx_shapes import Even, Shapes

CELLS = [
    '<c r="{place}"><v>{value}</v></c>',
    '<c r="{place}" s="{row}"><v>{value}</v></c>',
    '<c r="{place}" t="s"><v>{value}</v></c>',
    '<c r="{place}" s="3"/>',
    '<c r="{place}" s="3"></c>',
    '<c r="{place}" t="str"><f>"x"&amp;B{row}</f><v>x{value}</v></c>',
    '<c r="{place}"><f>A{row}*2</f></c>',
    '<c r="{place}"><f t="shared" ref="A1:A9" si="0">B{row}+1</f><v>{value}</v></c>',
    '<c r="{place}"><f t="shared" si="0"/><v>{value}</v></c>',
    '<c r="{place}" t="inlineStr"><is><t xml:space="preserve"> &lt;{value}</t></is></c>',
    '<c r="{place}"><f></f><v></v></c>',
    ' <c r="{place}"><v>{value}</v></c>\n',
]
ODD = [
    '<c r="{place}"><v>{value}</v><extLst/></c>',
    '<c r="{place}x"><v>{value}</v></c>',
    '<c r="A1"><v>{value}</v></c>',
    '<c r="{place}"><v><b>{value}</b></v></c>',
    "<c><v>{value}</v></c>",
    "<c r='{place}'><v>{value}</v></c>",
]


def rows_of(draw: random.Random, odd: str = "") -> str:
    shapes = [draw.choices(CELLS, k=draw.randint(1, 6)) for _ in range(draw.randint(1, 3))]
    rows, number = [], 0
    for _ in range(400):
        number += draw.choice((1, 1, 1, 2))
        forms = draw.choice(shapes) if draw.random() < 0.1 else shapes[0]
        if odd and draw.random() < 0.01:
            forms = [*forms, odd]
        cells = "".join(
            form.format(place=f"{chr(65 + place)}{number}", row=number, value=draw.randrange(10**6))
            for place, form in enumerate(forms)
        )
        rows.append(f'<row r="{number}" spans="1:{draw.randint(1, 9)}">{cells}</row>')
        if draw.random() < 0.02:
            number += 1
            rows.append(draw.choice((f'<row r="{number}"/>', f'<row r="{number}" ht="9"></row>', "\n ")))
    return "".join(rows)


def told(chunks) -> list:
    return [
        (row.number, row.hidden, *((c.columns[at], c.kinds[at], c.values[at]) for at in range(row.start, row.end)))
        for c in chunks
        for row in c.rows
    ]


def formulas(chunks) -> dict:
    return {row: dict(found) for c in chunks for row, found in c.formulas.items() if found}


@pytest.mark.parametrize("seed", range(60))
def test_rows_of_one_shape_read_as_cell_by_cell(seed):
    body = rows_of(random.Random(seed))
    careful = xlsx_cells._usual(body, -1, Shared())
    assert careful is not None
    quick = Shapes(Shared()).chunks(body, -1)
    if quick is not None:
        cell_by_cell = [chunk.apart() if isinstance(chunk, Even) else chunk for chunk in quick]
        assert told(cell_by_cell) == told([careful])
        assert formulas(cell_by_cell) == formulas([careful])
        assert [chunk.last for chunk in quick] == [chunk.last for chunk in cell_by_cell]


def test_many_of_them_are_read_that_way():
    assert (
        sum(Shapes(Shared()).chunks(rows_of(random.Random(seed)), -1) is not None for seed in range(60)) > 25
    )  # some have a style for each row


@pytest.mark.parametrize("odd", ODD)
def test_a_row_of_another_form_is_left_to_the_careful_way(odd):
    for seed in range(10):
        body = rows_of(random.Random(seed), odd)
        if odd.split("{")[0] in body:
            quick = Shapes(Shared()).chunks(body, -1)
            cell_by_cell = [chunk.apart() if isinstance(chunk, Even) else chunk for chunk in quick or ()]
            assert quick is None or told(cell_by_cell) == told([xlsx_cells._usual(body, -1, Shared())])


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (5, 1_048_577), (0, 1)])
def test_rows_out_of_order_are_not_taken(numbers):
    body = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in numbers) + " " * 9000
    assert Shapes(Shared()).chunks(body, -1) is None


def test_rows_go_on_behind_those_before():
    body = '<row r="7"><c r="A7"><v>1</v></c></row>' + " " * 9000
    assert Shapes(Shared()).chunks(body, 6) is None
    assert Shapes(Shared()).chunks(body, 5) is not None
