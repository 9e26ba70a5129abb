"""PDF: nothing is lost, nothing is told twice, damage is survived and said."""

from __future__ import annotations

import io
from collections import Counter

import pypdfium2 as pdfium
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.document import Kind
from parse.pdf_by_hand import SEEN, one_page, packed

PDF = "application/pdf"
SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WORDS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGäöüß0123456789.,-"), min_size=1, max_size=9)
LINES = st.lists(
    st.tuples(
        st.lists(WORDS, min_size=1, max_size=7),
        st.integers(0, 400),
        st.integers(20, 800),
        st.sampled_from([1, 7, 10, 10, 10, 14, 22]),
        st.sampled_from(["Helvetica", "Times-Bold", "Courier"]),
        st.sampled_from([0, 0, 0, 0, 90, 180, 270, 30]),
        st.sampled_from([0.0, 0.0, 0.0, 1.0]),
    ),
    max_size=14,
)
RULES = st.lists(st.tuples(*[st.integers(0, 600)] * 4, st.booleans()), max_size=8)


def signs(text):
    return Counter(c for c in text if not c.isspace() and c not in "-\ufffe\xad")


def draw_page(lines, rules):
    def draw(canvas):
        for x, y, width, height, filled in rules:
            canvas.setFillGray(0.5)
            canvas.rect(x, y, width, height, stroke=1, fill=int(filled))
        for words, x, y, size, font, angle, grey in lines:
            canvas.saveState()
            canvas.setFillGray(grey)
            canvas.setFont(font, size)
            canvas.translate(x, y)
            canvas.rotate(angle)
            canvas.drawString(0, 0, " ".join(words))
            canvas.restoreState()

    return draw


@pytest.mark.slow
@SETTINGS
@given(st.lists(st.tuples(LINES, RULES), min_size=1, max_size=3))
def test_every_sign_of_pdfium_is_found_exactly_once(read, make_pdf, pages):
    data = make_pdf(*(draw_page(lines, rules) for lines, rules in pages))
    document = read(data, PDF)  # checks its own account
    source = pdfium.PdfDocument(data)
    for page in document.pages:
        inserted = Counter("".join(page.text[s.start : s.end] for s in page.inserted))
        assert not signs("".join(inserted.elements()))
        ours, theirs = signs(page.text), signs(source[page.number - 1].get_textpage().get_text_range())
        if page.ocr_confidence is None:
            assert ours == theirs
        else:  # where drawings were taken for letters, their text is beside PDFium's, never in place of it
            assert not theirs - ours


@SETTINGS
@given(
    st.lists(
        st.lists(st.sampled_from("mill water wheel keeper river".split()), min_size=3, max_size=9),
        min_size=2,
        max_size=9,
    ),
    st.data(),
)
def test_a_word_altered_changes_that_word_alone(read, make_pdf, lines, data):
    row = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[row]) - 1))
    altered = [list(line) for line in lines]
    altered[row][column] = "Brücke"

    def draw(rows):
        def page(canvas):
            canvas.setFont("Courier", 10)
            for number, line in enumerate(rows):
                canvas.drawString(72, 780 - 12 * number, " ".join(f"{word:6}" for word in line))

        return page

    before, after = (read(make_pdf(draw(rows)), PDF).pages[0] for rows in (lines, altered))
    changed = [(a, b) for a, b in zip(before.text.split(), after.text.split(), strict=True) if a != b]
    assert changed == ([] if lines[row][column] == "Brücke" else [(lines[row][column], "Brücke")])


def test_a_file_cut_off_is_read_as_far_as_it_goes_also_from_object_streams(read):
    sentences = [f"Page number {number} of the book of the mill." for number in range(5)]
    whole = packed(sentences)
    assert [page.text for page in read(whole, PDF).pages] == sentences
    cut = whole[: whole.index(b"103 0 obj") + 5]
    document = read(cut, PDF)
    assert [page.text for page in document.pages][:3] == sentences[:3]
    assert [page.unread for page in document.pages][3:] == ["damaged", "damaged"]
    assert set(document.notes) >= {"truncated", "recovered_xref"}


def test_an_update_that_was_cut_off_is_said(read):
    whole = one_page(SEEN)
    assert read(whole, PDF).notes == ()
    document = read(whole + b"4 0 obj\n<</Length 60>>\nstream\nBT /F 12 Tf 72 700 Td (Not any", PDF)
    assert (document.pages[0].text, document.notes) == ("Seen by everybody.", ("truncated",))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("nested", [False, True])
def test_pages_that_a_file_does_not_count_are_read(read, count, nested):
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    kids = "[6 0 R 7 0 R 3 0 R]"
    data = one_page(SEEN, more=(page, page, f"<</Type/Pages/Parent 2 0 R/Kids{kids}/Count 3>>"))
    tree = f"/Kids{'[8 0 R]' if nested else kids}/Count {count}"
    document = read(data.replace(b"/Kids[3 0 R]/Count 1", tree.encode()), PDF)
    assert [page.text for page in document.pages] == ["Seen by everybody."] * 3
    assert document.pages_found == 3


def test_shapes_that_may_be_letters_are_told_of_and_bars_are_not(read, make_pdf):
    def draw(letters):
        def page(canvas):
            canvas.drawString(72, 700, "A page with a drawing.")
            for number in range(25):
                path = canvas.beginPath()
                path.moveTo(72 + 15 * number, 600)
                for corner in range(1, 10 if letters else 4):
                    path.lineTo(72 + 15 * number + 4 * (corner % 3), 600 + 1.5 * corner)
                canvas.drawPath(path, fill=1, stroke=0)

        return page

    assert read(make_pdf(draw(True)), PDF).notes == ("drawings_not_read",)
    assert read(make_pdf(draw(False)), PDF).notes == ()


def test_a_lost_table_of_objects_is_said(read, make_pdf):
    data = make_pdf(lambda c: c.drawString(72, 700, "Still here."))
    at = data.rindex(b"startxref")
    document = read(data[:at] + b"startxref\n7\n%%EOF\n", PDF)
    assert document.pages[0].text == "Still here."
    assert document.notes == ("recovered_xref",)


def test_a_file_that_only_restricts_printing_is_read(read):
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    target = io.BytesIO()
    canvas = Canvas(target, encrypt=StandardEncryption("", ownerPassword="x", canPrint=0))
    canvas.drawString(72, 700, "Nobody needs a password.")
    canvas.save()
    assert read(target.getvalue(), PDF).pages[0].text == "Nobody needs a password."


@pytest.mark.parametrize("text", ["Haftpflicht-|Versicherung", "Vor-|und Nachteile", "Verwah-|rung"])
def test_hyphens_of_german(read, make_pdf, text):
    first, second = text.split("|")

    def draw(canvas):
        canvas.setFont("Helvetica", 11)
        canvas.drawString(72, 700, f"Alles Weitere steht in der {first}")
        canvas.drawString(72, 687, f"{second} und im Anhang.")

    page = read(make_pdf(draw), PDF).pages[0]
    expected = {"Haftpflicht-": "Haftpflicht-Versicherung", "Vor-": "Vor- und Nachteile", "Verwah-": "Verwahrung"}[
        first
    ]
    assert expected in page.reading(0, len(page.text))
    assert [e.kind for e in page.elements] == [Kind.PARAGRAPH]
