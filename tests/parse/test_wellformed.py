"""The checker finds each way in which an account can stay open."""

from __future__ import annotations

import msgspec
import pytest

from frostbyte.data_plane.document import (
    Cell,
    Document,
    Drop,
    Element,
    Grid,
    Kind,
    Line,
    Mark,
    Page,
    Source,
    Span,
    decode_page,
    encode,
)
from frostbyte.data_plane.parse.version import lineage
from frostbyte.data_plane.parse.wellformed import check
from frostbyte.kernel.errors import StageFailed

GOOD = Page(
    number=1,
    text="ab\ncd-ef",
    elements=(
        Element(kind=Kind.PARAGRAPH, start=0, end=2),
        Element(kind=Kind.PARAGRAPH, start=3, end=8, lines=(Line(start=3, end=6, box=(0, 0, 1, 1)),)),
    ),
    inserted=(Span(start=2, end=3),),
    dropped=(Drop(start=5, end=6, reason="hyphen_joined"),),
)


STRAY = Element(kind=Kind.PARAGRAPH, start=3, end=8, lines=(Line(start=2, end=4, box=(0, 0, 1, 1)),))


def document(*pages, found=None):
    return Document(
        source=Source(sha256="", mime="text/plain", size=0),
        lineage=lineage("test"),
        pages=pages,
        pages_found=len(pages) if found is None else found,
    )


def table(*cells):
    return (Element(kind=Kind.TABLE, start=0, end=8, rows=1, columns=2, cells=cells),)


def grid(start, end, first=None):
    cells = (Cell(row=0, column=0, start=start if first is None else first, end=end),)
    return Grid(start=start, end=end, rows=1, columns=1, cells=cells)


def test_a_good_page_passes():
    check(document(GOOD))
    inner = table(Cell(row=0, column=0, start=0, end=8, inner=(grid(0, 3, 0), grid(3, 8))))
    check(document(msgspec.structs.replace(GOOD, elements=inner, marks=(Mark(start=8, end=8, kind="deleted"),))))


@pytest.mark.parametrize(
    "change",
    [
        {"inserted": ()},
        {"elements": GOOD.elements[:1]},
        {"elements": (GOOD.elements[0], Element(kind=Kind.PARAGRAPH, start=1, end=8))},
        {"elements": (GOOD.elements[1], GOOD.elements[0])},
        {"elements": (GOOD.elements[0], Element(kind=Kind.PARAGRAPH, start=3, end=9))},
        {"dropped": (Drop(start=2, end=3, reason="x"),)},
        {"dropped": (Drop(start=-1, end=1, reason="x"),)},
        {"elements": (GOOD.elements[0], STRAY)},
        {"elements": table(Cell(row=0, column=0, start=0, end=2), Cell(row=0, column=1, start=3, end=7))},
        {"elements": table(Cell(row=0, column=0, start=0, end=4), Cell(row=0, column=1, start=3, end=8))},
        {"elements": table(Cell(row=0, column=0, start=0, end=2), Cell(row=1, column=1, start=3, end=8))},
        {"text": "ab\ncd-e\ud800"},
        {"marks": (Mark(start=4, end=9, kind="inserted"),)},
        {"elements": table(Cell(row=0, column=0, start=0, end=8, inner=(grid(0, 9),)))},
        {"elements": table(Cell(row=0, column=0, start=0, end=8, inner=(grid(0, 3, 2),)))},
        {"elements": table(Cell(row=0, column=0, start=0, end=8, inner=(grid(0, 3), grid(2, 8))))},
    ],
)  # fmt: skip
def test_each_fault_is_found(change):
    with pytest.raises(StageFailed) as caught:
        check(document(msgspec.structs.replace(GOOD, **change)))
    assert caught.value.code == "account_open"


def test_page_numbers_and_counts():
    with pytest.raises(StageFailed):
        check(document(GOOD, GOOD))
    with pytest.raises(StageFailed):
        check(document(GOOD, found=0))


def test_one_page_is_decoded_as_it_is_among_all():
    numbers = (1, 2, 4, 9)  # 3 and 5 to 8 could not be opened
    pages = [msgspec.structs.replace(GOOD, number=number, name=f"page {number}") for number in numbers]
    data = encode(document(*pages, found=9))
    found = [decode_page(data, number) for number in range(-1, 12)]
    assert [page.name for page in found if page] == [page.name for page in pages]
    assert [page for page in found if page] == pages
    assert [page.number if page else 0 for page in found] == [0, 0, 1, 2, 0, 4, 0, 0, 0, 0, 9, 0, 0]
    assert decode_page(encode(document(found=0)), 1) is None
