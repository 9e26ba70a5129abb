"""Cells and spans kept as columns are the tuple of records that they stand for."""

from __future__ import annotations

import pickle
import random
from array import array
from itertools import pairwise

import msgspec
import pytest

from frostbyte.data_plane.document import (
    Cell,
    Cells,
    Document,
    Element,
    Kind,
    Page,
    Source,
    Span,
    Spans,
    Special,
    decode_document,
    encode,
)
from frostbyte.data_plane.packed import plain
from frostbyte.data_plane.parse.version import lineage
from frostbyte.data_plane.parse.wellformed import check
from frostbyte.kernel.errors import StageFailed


def at(*positions):
    return array("q", positions)


CELLS = (
    Cell(row=0, column=0, start=0, end=2, column_span=2, header=True),
    Cell(row=1, column=0, start=3, end=3, formula="=A1"),
    Cell(row=1, column=1, start=4, end=6, value="0.5"),
)
PACKED = Cells(
    at(0, 1, 1),
    at(0, 0, 1),
    at(0, 3, 4),
    at(2, 3, 6),
    [None, "=A1", None],
    [None, None, "0.5"],
    {0: Special(1, 2, True)},
)
SPANS = (Span(start=2, end=3), Span(start=3, end=4))
BOTH = [(PACKED, CELLS), (Spans(at(2, 3), at(3, 4)), SPANS)]


def document(cells, inserted, text="ab\n\tcd", rows=2, columns=2):
    table = Element(kind=Kind.TABLE, start=0, end=len(text), rows=rows, columns=columns, cells=cells)
    return Document(
        source=Source(sha256="", mime="text/plain", size=0),
        lineage=lineage("test"),
        pages=(Page(number=1, text=text, elements=(table,), inserted=inserted),),
        pages_found=1,
    )


@pytest.mark.parametrize(("packed", "records"), BOTH)
def test_they_are_read_like_a_tuple(packed, records):
    assert packed == records
    assert records == packed
    assert packed != records[:-1]
    assert packed != (*records[:-1], records[0])
    assert packed != list(records)
    assert hash(packed) == hash(records)
    assert (len(packed), packed[-1], packed[1:]) == (len(records), records[-1], records[1:])
    assert list(reversed(packed)) == list(reversed(records))
    assert records[1] in packed
    assert repr(packed) == repr(records)
    assert pickle.loads(pickle.dumps(packed)) == records


def test_columns_that_no_cell_has_may_be_left_out():
    assert Cells(at(0, 0), at(0, 1), at(0, 2), at(1, 3)) == (
        Cell(row=0, column=0, start=0, end=1),
        Cell(row=0, column=1, start=2, end=3),
    )
    assert not Cells(at(), at(), at(), at())


def test_the_document_is_the_same_byte_for_byte():
    packed, plainly = document(PACKED, Spans(at(2, 3), at(3, 4))), document(CELLS, SPANS)
    assert packed == plainly
    assert hash(packed.pages[0]) == hash(plainly.pages[0])
    assert encode(packed) == encode(plainly) == msgspec.json.encode(plainly)
    assert decode_document(encode(packed)) == packed
    assert type(decode_document(encode(packed)).pages[0].elements[0].cells) is tuple


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        Cells(at(0, 1), at(0), at(0), at(1))
    with pytest.raises(ValueError, match="differ in length"):
        Cells(at(0), at(0), at(0), at(1), ["=A1", None])
    with pytest.raises(ValueError, match="differ in length"):
        Spans(at(1), at())


def test_an_encoder_is_told_of_nothing_else():
    with pytest.raises(NotImplementedError, match="set"):
        plain({1})


def said(found: Document) -> str:
    try:
        check(found)
    except StageFailed as failure:
        return failure.message
    return ""


def test_the_check_finds_the_same_in_columns():
    draw, outcomes = random.Random(3), set()
    for _ in range(3_000):
        last, edges = 0, []
        for _ in range(draw.randint(1, 5)):
            start = last + draw.choice((1, 1, 1, 1, 0, -1))
            last = start + draw.choice((2, 2, 1, 0, -1))
            edges.append((start, last))
        edges[0] = (draw.choice((0, 0, 0, -1, 1)), edges[0][1])
        wide, rows = draw.random() < 0.3, draw.choice((1, 1, 2))
        special = {draw.randrange(len(edges)): Special(draw.choice((1, 2)), draw.choice((1, 3)), True)} if wide else {}
        cells = Cells(
            at(*(draw.choice((0, 0, 0, 0, 1)) for _ in edges)),
            at(*range(len(edges))),
            at(*(start for start, _ in edges)),
            at(*(end for _, end in edges)),
            special=special,
        )
        gaps = [(a[1], b[0]) for a, b in pairwise(edges)]
        spans = Spans(at(*(a for a, _ in gaps)), at(*(b for _, b in gaps)))
        text, columns = "x" * max(0, last + draw.choice((0, 0, 0, -1))), len(edges) + draw.choice((0, 0, -1))
        inputs = (text, rows, columns)
        outcome = said(document(cells, spans, *inputs))
        assert outcome == said(document(tuple(cells), tuple(spans), *inputs))
        outcomes.add(outcome.rpartition(":")[2].strip("0123456789 "))
    assert "" in outcomes
    assert len(outcomes) > 5
