"""PDF: what lies in layers that are switched off, or outside what a drawing shows of itself, is marked."""

from __future__ import annotations

import pytest

from parse.pdf_by_hand import SEEN, one_page, packed

PDF = "application/pdf"
LINE = "Seen by everybody."
IN_LAYER = SEEN + "/OC /L BDC BT /F 12 Tf 72 600 Td (In the layer.) Tj ET EMC"
LAYER = "<</Type/OCG/Name(Draft \\(old\\))>>"
OTHER = "<</Type/OCG/Name(Other)>>"


def told(document):
    page = document.pages[0]
    return {page.text[e.start : e.end].strip(): e.hidden for e in page.elements}


def layered(properties, *more, content=IN_LAYER):
    return one_page(content, root=f"/OCProperties{properties}", resources="/Properties<</L 6 0 R>>", more=more)


@pytest.mark.parametrize(
    ("properties", "more"),
    [
        ("<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", (LAYER,)),
        ("<</OCGs[6 0 R 7 0 R]/D<</Order[[6 0 R]]/OFF [ 7 0 R 6 0 R ]>>>>", (LAYER, OTHER)),
        ("<</OCGs[6 0 R 7 0 R]/D<</BaseState/OFF/ON[7 0 R]>>>>", (LAYER, OTHER)),
        ("<</OCGs[6 0 R]/D 7 0 R>>", (LAYER, "<</OFF[6 0 R]>>")),
        (" 7 0 R", (LAYER, "<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>")),
        ("<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", ("<</Type/OCG/Name<FEFF00DC>>>",)),
        ("<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", ("<</Type/OCG/Name(\\334ber)>>",)),
    ],
)
def test_text_of_a_layer_that_is_off_is_marked_and_the_layer_noted(read, properties, more):
    document = read(layered(properties, *more), PDF)
    assert (told(document), document.notes) == ({LINE: "", "In the layer.": "invisible"}, ("layers_off",))


def test_text_of_a_layer_that_is_on_is_not_marked(read):
    for properties in ("<</OCGs[6 0 R]/D<</OFF[]>>>>", "<</OCGs[6 0 R]/D<<>>/Configs[<</OFF[6 0 R]>>]>>"):
        document = read(layered(properties, LAYER), PDF)
        assert (told(document), document.notes) == ({LINE: "", "In the layer.": ""}, ())
    other = layered("<</OCGs[6 0 R 7 0 R]/D<</OFF[7 0 R]>>>>", LAYER, OTHER)
    assert (told(read(other, PDF)), read(other, PDF).notes) == ({LINE: "", "In the layer.": ""}, ("layers_off",))


def test_a_layer_told_in_an_object_stream_is_known(read):
    sentence = "Seen.) Tj ET /OC /L BDC BT /F 12 Tf 72 600 Td (In the layer.) Tj ET EMC BT ("
    data = packed(
        [sentence, "Another page."],
        root="/OCProperties 4 0 R",
        resources="/Properties<</L 5 0 R>>",
        more={4: "<</OCGs[5 0 R]/D<</OFF[5 0 R]>>>>", 5: LAYER},
    )
    assert told(read(data, PDF)) == {"Seen.": "", "In the layer.": "invisible"}


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (SEEN + "/X Do", "/OC 6 0 R"),
        (SEEN + "/OC /L BDC /X Do EMC", ""),
        (SEEN + "/OC /M BDC BT /F 12 Tf 72 600 Td (In the layer.) Tj ET EMC", ""),
    ],
)
def test_what_a_layer_draws_through_a_form_or_by_a_rule_is_marked_by_the_page_picture(read, content, more):
    drawn = "BT /F 12 Tf 72 600 Td (In the layer.) Tj ET"
    data = one_page(
        content,
        root="/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>",
        resources="/Properties<</L 6 0 R/M 7 0 R>>/XObject<</X 8 0 R>>",
        more=(
            LAYER,
            "<</Type/OCMD/OCGs[6 0 R]/P/AllOn>>",
            f"<</Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</F 5 0 R>>>>{more}"
            f"/Length {len(drawn)}>>\nstream\n{drawn}\nendstream",
        ),
    )
    assert told(read(data, PDF)) == {LINE: "", "In the layer.": "invisible"}


def test_what_a_layer_that_is_off_would_cover_is_seen(read):
    content = SEEN + "/OC /L BDC 0 g 60 690 300 40 re f EMC"
    assert told(read(layered("<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", LAYER, content=content), PDF)) == {LINE: ""}


def test_of_two_texts_in_one_place_that_of_the_layer_is_marked(read):
    content = SEEN + "/OC /L BDC BT /F 12 Tf 72 699 Td (Instead of that.) Tj ET EMC"
    page = read(layered("<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>", LAYER, content=content), PDF).pages[0]
    marked = " ".join(page.text[e.start : e.end] for e in page.elements if e.hidden)
    assert ("Instead" in marked, "everybody" in marked) == (True, False)


DRAWING = "BT /F 12 Tf 20 20 Td (Within it.) Tj ET BT /F 12 Tf 20 120 Td (Outside.) Tj ET"


@pytest.mark.parametrize(
    ("before", "drawing", "extra"),
    [
        ("1 0 0 1 100 300 cm", "/BBox[0 0 200 50]", ""),
        ("1 0 0 1 100 300 cm", "/BBox[0 0 200 50]/Matrix[2 0 0 2 10 10]", ""),
        ("0 1 -1 0 300 300 cm", "/BBox[0 0 200 50]", ""),
        ("100 300 200 50 re W n 1 0 0 1 100 300 cm", "/BBox[0 0 500 500]", ""),
        ("100 300 200 50 re W n 1 0 0 1 100 300 cm", "/BBox[0 0 500 500]", "/Rotate 90"),
    ],
)
def test_letters_that_a_drawing_cuts_off_are_marked_wherever_it_stands(read, before, drawing, extra):
    shown = f"/Type/XObject/Subtype/Form{drawing}/Resources<</Font<</F 5 0 R>>>>/Length {len(DRAWING)}"
    # A second time, with nothing cut off but by its own bounds, which are wide enough then.
    again = "q 1 0 0 1 300 450 cm /X Do Q" if "500 500" in drawing else ""
    data = one_page(
        f"{SEEN} q {before} /X Do Q {again}",
        extra=extra,
        resources="/XObject<</X 6 0 R>>",
        more=(f"<<{shown}>>\nstream\n{DRAWING}\nendstream",),
    )
    page = read(data, PDF).pages[0]
    marks = [(page.text[e.start : e.end].strip(), e.hidden) for e in page.elements]
    assert marks.count(("Outside.", "invisible")) == 1
    assert marks.count(("Within it.", "")) == marks.count(("Outside.", "")) + 1
    assert (LINE, "") in marks
