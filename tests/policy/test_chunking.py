"""Where pages are cut."""

from __future__ import annotations

from frostbyte.data_plane.chunking import Cutting, Heading, cut
from frostbyte.data_plane.document import Cell, Element, Kind, Page, Span


def _texts(page: Page, **options: object) -> list[str]:
    return [page.text[piece.start : piece.end] for piece in cut(page, **options).pieces]  # type: ignore[arg-type]


def test_lengths_stay_within_the_settings_and_end_at_sentences() -> None:
    page = Page(number=1, text="Dies ist ein Satz mit z. B. einer Abkürzung von Dr. Weber. " * 200)
    texts = _texts(page)
    assert "".join(texts) == page.text
    assert all(len(text) <= 1400 for text in texts)
    assert all(len(text) >= 1000 for text in texts[:-1])
    assert all(text.endswith("Weber. ") for text in texts)


def test_text_without_any_blank_is_cut_at_the_maximum() -> None:
    texts = _texts(Page(number=1, text="x" * 5000))
    assert "".join(texts) == "x" * 5000
    assert max(map(len, texts)) == 1400


def test_sections_carry_over_pages() -> None:
    text = "Teil A\nPunkt 1\nText."
    elements = (
        Element(kind=Kind.HEADING, start=0, end=6, level=1),
        Element(kind=Kind.HEADING, start=7, end=14, level=2),
        Element(kind=Kind.PARAGRAPH, start=15, end=20),
    )
    first = cut(Page(number=1, text=text, elements=elements))
    assert first.open == (Heading(level=1, page=1, start=0, end=6), Heading(level=2, page=1, start=7, end=14))
    second = cut(Page(number=2, text="Weiter."), open=first.open)
    assert second.pieces[0].headings == first.open


def test_a_heading_starts_a_chunk_with_its_text() -> None:
    text = "Intro.\nTitel\nText."
    elements = (
        Element(kind=Kind.PARAGRAPH, start=0, end=6),
        Element(kind=Kind.HEADING, start=7, end=12, level=1),
        Element(kind=Kind.PARAGRAPH, start=13, end=18),
    )
    inserted = (Span(start=6, end=7), Span(start=12, end=13))
    page = Page(number=1, text=text, elements=elements, inserted=inserted)
    assert _texts(page) == ["Intro.", "Titel\nText."]


def test_tables_are_cut_between_rows() -> None:
    text, cells, inserted = "", list[Cell](), list[Span]()
    for row in range(60):
        for column in range(3):
            value = f"Zeile {row}. Wert {column}"
            cells.append(Cell(row=row, column=column, start=len(text), end=len(text) + len(value)))
            text += value
            inserted.append(Span(start=len(text), end=len(text) + 1))
            text += "\n" if column == 2 else "\t"
    table = Element(kind=Kind.TABLE, start=0, end=len(text), cells=tuple(cells), rows=60, columns=3)
    texts = _texts(Page(number=1, text=text, elements=(table,), inserted=tuple(inserted)))
    assert len(texts) > 1
    assert all(part.startswith("Zeile") and part.split("\t")[0].endswith("Wert 0") for part in texts)
    assert all(part.endswith("Wert 2") for part in texts)


def test_what_must_stay_whole_is_not_cut() -> None:
    page = Page(number=1, text="wort " * 100)
    whole = [Span(start=90, end=210)]
    pieces = cut(page, whole=whole, settings=Cutting(target=100, maximum=120)).pieces
    assert any(piece.start <= 90 and piece.end >= 210 for piece in pieces)
    assert sum(piece.end - piece.start for piece in pieces) == 500


def test_hidden_text_has_a_chunk_of_its_own_and_opens_no_section() -> None:
    text = "Sichtbar. Geheim. Ende."
    elements = (
        Element(kind=Kind.PARAGRAPH, start=0, end=10),
        Element(kind=Kind.HEADING, start=10, end=18, level=1, hidden="white"),
        Element(kind=Kind.PARAGRAPH, start=18, end=23),
    )
    page = Page(number=1, text=text, elements=elements)
    assert _texts(page) == ["Sichtbar. ", "Geheim. ", "Ende."]
    assert cut(page).open == ()
