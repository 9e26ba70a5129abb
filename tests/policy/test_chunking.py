"""Where pages are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from frostbyte.data_plane.chunking import Cutting, Heading, cut
from frostbyte.data_plane.document import Cell, Element, Kind, Page, Span
from frostbyte.data_plane.tokens import count


def _texts(page: Page, **options: object) -> list[str]:
    return [page.text[piece.start : piece.end] for piece in cut(page, **options).pieces]  # type: ignore[arg-type]


def test_lengths_stay_within_the_settings_and_end_at_sentences() -> None:
    page = Page(number=1, text="Dies ist ein Satz mit z. B. einer Abkürzung von Dr. Weber. " * 200)
    texts = _texts(page)
    assert "".join(texts) == page.text
    lengths = [count(text) for text in texts]
    assert max(lengths) <= 480
    assert min(lengths) >= 100  # none is a leftover
    assert all(text.endswith("Weber. ") for text in texts)


def test_text_without_any_blank_is_cut_at_the_maximum() -> None:
    texts = _texts(Page(number=1, text="x" * 5000))
    assert "".join(texts) == "x" * 5000
    assert max(map(count, texts)) <= 480


@pytest.mark.parametrize("window", [64, 256, 512, 8192])
def test_a_chunk_under_its_titles_fits_two_windows_of_the_model(window: int) -> None:
    title = "Über die Aufbewahrung besonders schützenswerter Unterlagen"
    text = title + "\n" + "Die Löschung personenbezogener Daten, vgl. § 12 Abs. 3, ist zu dokumentieren. " * 300
    elements = (
        Element(kind=Kind.HEADING, start=0, end=len(title), level=1),
        Element(kind=Kind.PARAGRAPH, start=len(title) + 1, end=len(text)),
    )
    page = Page(number=1, text=text, elements=elements)
    pieces = cut(page, settings=Cutting.for_window(window)).pieces
    for piece in pieces:
        above = [page.text[heading.start : heading.end] for heading in piece.headings]
        assert above == [title]
        assert count("\n".join([*above, text[piece.start : piece.end]])) <= min(2 * window, 512)


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
    assert _texts(page, settings=Cutting(minimum=0)) == ["Intro.", "Titel\nText."]
    [joined] = cut(page).pieces  # too short to be found by themselves
    assert (joined.start, joined.end, joined.headings) == (0, len(text), ())
    parts = cut(page, settings=Cutting(minimum=0)).pieces
    assert [part.headings for part in parts] == [(), (Heading(level=1, page=1, start=7, end=12),)]


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


def _page(*pieces: tuple[Kind, str], cells: dict[int, tuple[Cell, ...]] | None = None) -> Page:
    """A page of these elements, each on a line of its own."""
    text, elements, inserted = "", list[Element](), list[Span]()
    for number, (kind, words) in enumerate(pieces):
        if text:
            inserted.append(Span(start=len(text), end=len(text) + 1))
            text += "\n"
        found = tuple(
            replace(cell, start=cell.start + len(text), end=cell.end + len(text))
            for cell in (cells or {}).get(number, ())
        )
        elements.append(Element(kind=kind, start=len(text), end=len(text) + len(words), level=1, cells=found))
        text += words
    return Page(number=1, text=text, elements=tuple(elements), inserted=tuple(inserted))


def _table(rows: int, words: str) -> tuple[str, tuple[Cell, ...]]:
    text, cells = "", list[Cell]()
    for row in range(rows):
        for column in range(2):
            value = ("Name" if column else "Nummer") if row == 0 else f"{words} {row}.{column}"
            cells.append(Cell(row=row, column=column, start=len(text), end=len(text) + len(value), header=row == 0))
            text += value + ("\t" if column == 0 else "\n")
    return text[:-1], tuple(cells)


def _above(page: Page, settings: Cutting) -> list[tuple[str, list[str]]]:
    pieces = cut(page, settings=settings).pieces
    return [(page.text[p.start : p.end], [page.text[h.start : h.end] for h in p.headings]) for p in pieces]


def test_rows_stand_under_the_header_of_their_table_and_its_caption() -> None:
    table, cells = _table(40, "Ventil mit Flansch")
    page = _page((Kind.HEADING, "Lager"), (Kind.CAPTION, "Tabelle 1: Ventile"), (Kind.TABLE, table), cells={2: cells})
    first, *others = _above(page, Cutting(target=60, maximum=100, minimum=10))
    assert first[0].startswith("Lager\nTabelle 1: Ventile\nNummer\tName\nVentil")
    assert len(others) > 3
    assert all(above == ["Lager", "Tabelle 1: Ventile", "Nummer\tName"] for _, above in others)
    assert sum(text.count("Nummer") for text, _ in (first, *others)) == 1  # counted once, whatever is repeated


def test_items_stand_under_the_sentence_that_introduces_them() -> None:
    items = [(Kind.LIST_ITEM, f"Punkt {n}: die Tür bleibt während der Reinigung geschlossen.") for n in range(12)]
    lead = "Allgemeines vorweg. Beim Reinigen gilt:"
    page = _page((Kind.PARAGRAPH, lead), *items, (Kind.PARAGRAPH, "Danach ist frei. " * 20))
    made = _above(page, Cutting(target=60, maximum=100, minimum=10))
    assert made[0][0].startswith(lead + "\nPunkt 0")
    starting_inside = [above for text, above in made if text.startswith("Punkt")]
    assert starting_inside
    assert all(above == ["Beim Reinigen gilt:"] for above in starting_inside)
    assert [above for text, above in made if text.startswith("Danach")][-1] == []


def test_a_heading_is_never_left_alone_at_the_end_of_a_page() -> None:
    words = "Ein Satz von mittlerer Länge steht hier. " * 12
    made = _above(
        _page((Kind.PARAGRAPH, words), (Kind.HEADING, "Ausblick")), Cutting(target=300, maximum=400, minimum=20)
    )
    assert len(made) == 1
    alone = _above(_page((Kind.HEADING, "Jahresbericht")), Cutting())
    assert [text for text, _ in alone] == ["Jahresbericht"]  # a page that holds nothing else


def test_short_sections_join_and_stand_under_what_is_above_all_of_them() -> None:
    text = "A\nA1\neins\nA2\nzwei\nB\ndrei"
    at = [0, 2, 5, 10, 13, 18, 20]
    ends = [1, 4, 9, 12, 17, 19, 24]
    levels = [1, 2, 0, 2, 0, 1, 0]
    elements = tuple(
        Element(kind=Kind.HEADING if level else Kind.PARAGRAPH, start=start, end=end, level=level)
        for start, end, level in zip(at, ends, levels, strict=True)
    )
    page = Page(number=1, text=text, elements=elements)
    [(_, above)] = _above(page, Cutting())
    assert above == []
    [piece, *_] = cut(Page(number=1, text=text[:17], elements=elements[:5]), settings=Cutting()).pieces
    assert [page.text[h.start : h.end] for h in piece.headings] == ["A"]


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.text("abc .:;\n", min_size=1, max_size=400)), max_size=12))
def test_any_page_is_cut_whole_and_within_the_lengths(pieces: list[tuple[Kind, str]]) -> None:
    page = _page(*pieces)
    settings = Cutting(target=40, maximum=60, minimum=12)
    made = cut(page, settings=settings).pieces
    covered = [at for piece in made for at in range(piece.start, piece.end)]
    assert len(covered) == len(set(covered))
    gone = {at for span in page.inserted for at in range(span.start, span.end)}
    if page.text.strip():
        assert set(range(len(page.text))) - gone <= set(covered)
    assert all(count(page.text[piece.start : piece.end].strip()) <= 62 for piece in made)


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
