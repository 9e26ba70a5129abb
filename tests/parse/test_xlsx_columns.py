"""What is read of a sheet column by column is what is read of it row by row, byte for byte."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frostbyte.data_plane.document import encode
from frostbyte.data_plane.parse.office import xlsx, xlsx_cells
from frostbyte.data_plane.parse.office.number_columns import Fixed, fixed_column
from frostbyte.data_plane.parse.office.number_formats import NumberFormat
from frostbyte.data_plane.parse.office.xlsx_shapes import Even, Shapes
from frostbyte.data_plane.parse.office.xlsx_values import _Number
from frostbyte.data_plane.parse.reader import parse
from frostbyte.kernel.errors import StageFailed

S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEXTS = (
    "Name Sum Town plain Ada&#32;&amp;&#32;Bo x_x000D_y _x005F_a tab\tin two\x0alines Ünï &#10;z _x0007_ \x7f".split(
        " "
    )
)
TITLES = ("Name", "Sum", "Town", "Date", "Id", "Note", "Code", "No", "Kind", "Share", "same", "same")
FORMATS = "".join(f'<xf numFmtId="{code}" fontId="{code // 171}"/>' for code in (0, 14, 4, 10, 170, 2, 1, 171))
STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="#,##0.00 &quot;EUR&quot;"/>'
    '<numFmt numFmtId="171" formatCode=";;;"/></numFmts><fonts><font/><font><color rgb="FFFFFFFF"/></font></fonts>'
    f"<fills><fill/></fills><cellXfs>{FORMATS}</cellXfs>"
)


def number(draw: random.Random) -> str:
    return draw.choice(
        (
            str(draw.randrange(10 ** draw.randint(1, 9))),
            repr(draw.random() * 10 ** draw.randint(-6, 9)),
            repr(draw.randrange(10**8) / 100),
            f"-{draw.randrange(1000) / 10}",
            f"{draw.randrange(10**6)}.5",
            f"45{draw.randrange(900):03}",
        )
    )


def amount(draw: random.Random) -> str:
    return repr(draw.randrange(10 ** draw.randint(3, 10)) / 100)


def rarely(draw: random.Random) -> str:
    return number(draw) if draw.random() < 0.99 else ""


def form(draw: random.Random) -> str:
    """How the cells of a column are written."""
    style = draw.choice(("", "", *(f' s="{n}"' for n in range(8))))
    shared = f'<f t="shared" ref="A1:A9" si="{draw.randrange(2)}">'
    return draw.choice(
        (
            *[f'<c r="%p"{style}><v>%a</v></c>', f'<c r="%p"{style}><v>%n</v></c>'] * 3,
            f'<c r="%p"{style}><v>%e</v></c>',
            *['<c r="%p" t="s"><v>%s</v></c>', '<c r="%p" t="inlineStr"><is><t>%t</t></is></c>'] * 2,
            f'<c r="%p"{style}><f>A%r&amp;"_x0041_"</f><v>%n</v></c>',
            f'<c r="%p"{style}><f>B%r</f></c>',
            f'<c r="%p">{shared}%p+1</f><v>%n</v></c>',
            '<c r="%p"><f t="shared" si="0"/><v>%n</v></c>',
            '<c r="%p" t="str"><f></f><v>%t</v></c>',
            f'<c r="%p"{style}/>',
            '<c r="%p" t="b"><v>1</v></c>',
        )
    )


def row(draw: random.Random, at: int, shape: list[tuple[int, str]], about: str) -> str:
    made = []
    for column, text in shape:
        cell = text.replace("%p", f"{chr(65 + column)}{at}").replace("%r", str(at))
        for sign, call in (("%n", number), ("%a", amount), ("%e", rarely)):
            cell = cell.replace(sign, call(draw) if sign in cell else "")
        made.append(cell.replace("%s", str(draw.randrange(len(TEXTS)))).replace("%t", draw.choice(TEXTS)))
    return f'<row r="{at}"{about}>{"".join(made)}</row>'


def sheet(seed: int) -> str:
    draw = random.Random(seed)
    at, rows, shape = 0, [], [(0, form(draw))]
    while at < draw.choice((80, 500, 1500)):
        if draw.random() < 0.6:
            columns = range(draw.choice((0, 0, 1)), draw.choice((1, 2, 4, 8)) + 1)
            shape = [(column, form(draw)) for column in columns if column == columns[0] or draw.random() < 0.85]
        if draw.random() < 0.5:
            at += 1
            shown = zip([column for column, _ in shape], draw.sample(TITLES, len(shape)), strict=True)
            rows.append(row(draw, at, [(c, f'<c r="%p" t="inlineStr"><is><t>{t}</t></is></c>') for c, t in shown], ""))
        for _ in range(draw.choice((1, 4, 90, 600))):
            at += 1
            about = ' hidden="1"' if draw.random() < seed % 3 * 0.001 else ' spans="1:9"'
            rows.append(row(draw, at, shape, about))
            if draw.random() < 0.004:
                at += 1
                rows.append(draw.choice((f'<row r="{at}"/>', "", f'<row r="{at}" hidden="1"></row>')))
        at += draw.choice((0, 0, 1, 2, 5))
    body = "".join(rows)
    if seed % 7 == 1:
        body = body.replace("<row", "\n <row")
    if seed % 11 == 2:
        body = body.replace('"', "'")
    corners = [(draw.randrange(5), draw.randint(1, at)) for _ in range(draw.choice((0, 0, 4)))]
    merged = "".join(f'<mergeCell ref="{chr(65 + x)}{y}:{chr(66 + x)}{y + 1}"/>' for x, y in corners)
    hidden = '<cols><col min="2" max="2" hidden="1"/></cols>' if draw.random() < 0.3 else ""
    filtered = f'<autoFilter ref="A{draw.randint(1, 9)}:D{at}"/>' if draw.random() < 0.3 else ""
    return f"{hidden}<sheetData>{body}</sheetData>{filtered}<mergeCells>{merged}</mergeCells>"


def relations(*entries: tuple[str, str]) -> str:
    made = (f'<Relationship Id="{kind}" Type="{KINDS}/{kind}" Target="{target}"/>' for kind, target in entries)
    return f'<Relationships xmlns="{PACKAGE}">{"".join(made)}</Relationships>'


def book(inside: str, zipped) -> bytes:
    strings = "".join(f"<si><t>{text}</t></si>" for text in TEXTS)
    comments = "".join(f'<comment ref="{place}"><text><t>why</t></text></comment>' for place in ("A1", "B70", "C300"))
    entries = (("worksheet", "sheet.xml"), ("styles", "styles.xml"), ("sharedStrings", "strings.xml"))
    return zipped(
        {
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{KINDS}"><sheets><sheet name="One" r:id="worksheet"/>'
            "</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(*entries),
            "xl/styles.xml": f'<styleSheet xmlns="{S}">{STYLES}</styleSheet>',
            "xl/strings.xml": f'<sst xmlns="{S}">{strings}</sst>',
            "xl/sheet.xml": f'<worksheet xmlns="{S}">{inside}</worksheet>',
            "xl/_rels/sheet.xml.rels": relations(("comments", "comments.xml")),
            "xl/comments.xml": f'<comments xmlns="{S}"><commentList>{comments}</commentList></comments>',
        }
    )


def outcome(data: bytes) -> bytes:
    try:
        return encode(parse(io.BytesIO(data), sha256="", mime=XLSX, size=len(data)))
    except StageFailed as failure:
        return failure.code.encode()


@pytest.mark.parametrize("part", range(4))
def test_both_ways_give_the_same_document(part, zipped, monkeypatch):
    rows = {"even": 0, "whole": 0}
    whole, even = Shapes._whole, xlsx._even

    def counted_whole(self, piece):
        found = whole(self, piece)
        rows["whole"] += bool(found)
        return found

    def counted_even(chunk: Even, texts, stored):
        rows["even"] += len(chunk.numbers)
        return even(chunk, texts, stored)

    for seed in range(part * 12, part * 12 + 12):
        data = book(sheet(seed), zipped)
        with monkeypatch.context() as patch:
            patch.setattr(xlsx_cells, "_CHUNK", 30_000)
            patch.setattr(Shapes, "_whole", counted_whole)
            patch.setattr(xlsx, "_even", counted_even)
            by_column = outcome(data)
        with monkeypatch.context() as patch:
            patch.setattr(Shapes, "chunks", lambda self, piece, number: None)
            assert outcome(data) == by_column, f"seed {seed}"
    assert rows["even"] > 1_000
    assert rows["whole"] > 2


@pytest.mark.parametrize(
    "between",
    ['<row r="2"><c r="A2"><v>7</v></c></row>', "<v/>", " ", '<row r="2"/>', "<!-- <row -->"],
)
def test_a_piece_is_whole_only_if_nothing_stands_between_its_rows(between):
    """The pattern finds rows wherever they are; the sum of their lengths has to be that of the piece."""
    from frostbyte.data_plane.parse.office.cell_references import Shared

    shapes = Shapes(Shared())
    rows = [
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" s="1"><f>A{n}</f><v>1</v></c></row>' for n in range(3, 300)
    ]
    assert shapes.chunks("".join(rows[:150]), -1)
    assert shapes._whole("".join(rows[150:]))
    assert shapes._whole("".join([*rows[150:200], between, *rows[200:]])) is None
    assert shapes._whole(between + "".join(rows[150:])) is None
    assert shapes._whole("".join(rows[150:]) + between) is None


CODES = ("0", "0.00", "#,##0", "#,##0.00", '#,##0.0 "EUR"', '"$"#,##0.000', "0.0000", "0.00000", "0%", "#,##0.00;-0.0")
AMOUNTS = st.one_of(
    st.decimals(0, 10**9, places=2).map(str),
    st.decimals(-10, 10**6, places=1).map(str),
    st.integers(0, 10**10).map(str),
    st.floats(-1e9, 1e9).map(repr),
    st.sampled_from(["0", "0.0", "-0.5", "1.", ".5", "007", "999999999.99", "0.005", "1e3", "", "1\n2", "٣", "0.0001"]),
)


@given(st.sampled_from(CODES), st.lists(AMOUNTS, min_size=1, max_size=6))
@example("#,##0.00", ["1", "12.5", "1234.56", "123456.7", "1234567.89", "123456789"])
@example("#,##0", ["1", "123", "1234", "1234567"])
@example("0.0000", ["0.0001", "0.0005"])
def test_a_column_of_amounts_shows_what_each_shows(code: str, values: list[str]) -> None:
    made = NumberFormat(code)
    fixed = made.fixed()
    column = fixed_column(Fixed(*fixed), values) if fixed else None
    if column is not None:
        assert list(zip(*column, strict=True)) == [_Number(made).shown(value) for value in values]


def test_columns_of_amounts_are_shown_at_one_stroke() -> None:
    form = NumberFormat("#,##0.00").fixed()
    assert form is not None
    assert fixed_column(Fixed(*form), ["5", "12345.6", "1234567.89"]) == (
        ["5.00", "12,345.60", "1,234,567.89"],
        ["5", "12345.6", None],
    )
    assert fixed_column(Fixed(*form), ["0.125"]) is None
    assert NumberFormat("0.00%").fixed() is None
    assert NumberFormat("#,##0.00;[Red]-#,##0.00").fixed() is None
