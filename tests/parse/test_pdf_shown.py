"""PDF: what annotations and fields show is read once, in its place; what they hold and do not show is marked."""

from __future__ import annotations

import pytest

from frostbyte.data_plane.document import Kind
from parse.pdf_by_hand import SEEN, annotated

PDF = "application/pdf"
SHOWS = "/AP<</N 6 0 R>>"
LINE = "Seen by everybody."


def told(document):
    page = document.pages[0]
    return {page.text[e.start : e.end].strip(): e.hidden for e in page.elements}


@pytest.mark.parametrize("subtype", ["Stamp", "FreeText", "Watermark", "Widget/FT/Sig", "Link", "Text"])
def test_what_an_annotation_shows_is_read(read, subtype):
    document = read(annotated(f"/Subtype/{subtype}{SHOWS}", shows="Approved by Ada", form="Widget" in subtype), PDF)
    assert told(document) == {LINE: "", "Approved by Ada": ""}
    shown = document.pages[0].elements[1]
    assert shown.kind is Kind.PARAGRAPH
    assert 72 < shown.lines[0].box[0] < 76


def test_a_page_with_nothing_but_a_stamp_is_not_blank(read):
    document = read(annotated(f"/Subtype/Stamp{SHOWS}", content="", shows="Approved by Ada"), PDF)
    assert (told(document), document.pages[0].unread) == ({"Approved by Ada": ""}, "")


def test_what_a_field_shows_stands_in_its_place_in_the_order(read):
    below = "BT /F 12 Tf 72 500 Td (The line below it.) Tj ET"
    document = read(
        annotated(f"/Subtype/Widget/FT/Tx/T(a)/V(Ada){SHOWS}", content=SEEN + below, shows="Ada", form=True), PDF
    )
    assert document.pages[0].text.split("\n") == [LINE, "Ada", "The line below it."]


@pytest.mark.parametrize(
    ("field", "shows", "expected"),
    [
        ("/FT/Tx/V(1234.5)", "1,234.50", {"1,234.50": "", "1234.5": "field_value"}),
        ("/FT/Tx/Ff 8192/V(secret)", "******", {"******": "", "secret": "field_value"}),
        ("/FT/Ch/Ff 131072/V(de)/Opt[[(de)(Germany)][(fr)(France)]]", "Germany", {"Germany": "", "de": "field_value"}),
        ("/FT/Tx/V(kept)/F 2", "kept", {"kept": "invisible"}),
        ("/FT/Tx/V(kept)/F 36", "kept", {"kept": "invisible"}),
        ("/FT/Tx/V(kept)/Rect[72 900 272 920]", "kept", {"kept": "off_page"}),
        ("/FT/Tx/V(kept)/Rect[72 600 72 600]", "kept", {"kept": "tiny"}),
        ("/FT/Tx/V(Ada Byron)", "Ada Byron", {"Ada Byron": ""}),
    ],
)
def test_the_value_of_a_field_is_told_once_and_marked_where_it_is_not_what_is_shown(read, field, shows, expected):
    document = read(annotated(f"/Subtype/Widget/T(a){field}{SHOWS}", shows=shows, form=True), PDF)
    assert told(document) == {LINE: "", **expected}


def test_a_value_that_nothing_shows_yet_is_told(read):
    data = annotated("/Subtype/Widget/FT/Tx/T(a)/V(Ada Byron)", form=True, acroform="/NeedAppearances true")
    assert told(read(data, PDF)) == {LINE: "", "Ada Byron": ""}


def test_of_boxes_to_be_ticked_only_those_ticked_are_told(read):
    box = "/Subtype/Widget/FT/Btn/Ff 32768/T(colour)/V/Red"
    data = annotated(
        f"{box}/AS/Red/AP<</N<</Red 6 0 R>>>>",
        f"{box}/AS/Off/AP<</N<</Blue 6 0 R>>>>/Rect[72 500 272 520]",
        shows="x",
        form=True,
    )
    assert told(read(data, PDF)) == {LINE: "", "x": "", "Red": "field_value"}


def test_the_text_of_a_free_remark_is_a_comment_where_it_shows_something_else(read):
    data = annotated(f"/Subtype/FreeText/Contents(inside){SHOWS}", shows="outside")
    assert told(read(data, PDF)) == {LINE: "", "outside": "", "inside": "comment"}
    assert told(read(annotated("/Subtype/FreeText/Contents(inside)"), PDF)) == {LINE: "", "inside": ""}
    same = annotated(f"/Subtype/FreeText/Contents(both of them){SHOWS}", shows="both of them")
    assert read(same, PDF).pages[0].text.split("\n") == [LINE, "both of them"]


def test_text_under_an_annotation_is_covered_but_not_under_one_that_only_colours_it(read):
    under = SEEN + "BT /F 12 Tf 80 606 Td (Under it.) Tj ET"
    assert told(read(annotated(f"/Subtype/Square{SHOWS}", content=under), PDF)) == {LINE: "", "Under it.": "covered"}
    for subtype in ("Highlight", "Underline", "StrikeOut", "Squiggly"):
        marked = f"/Subtype/{subtype}/QuadPoints[72 620 272 620 72 600 272 600]{SHOWS}"
        data = annotated(marked, f"/Subtype/Stamp{SHOWS}/Rect[72 400 272 420]", content=under)
        assert told(read(data, PDF)) == {LINE: "", "Under it.": ""}


@pytest.mark.parametrize(
    ("annotation", "note"),
    [
        ("/Subtype/FileAttachment/FS<</Type/Filespec/F(a.txt)>>", "attachments_not_read"),
        ("/Subtype/Redact/QuadPoints[72 712 200 712 72 695 200 695]", "redactions_not_applied"),
    ],
)
def test_files_in_remarks_and_words_that_were_only_marked_for_redaction_are_noted(read, annotation, note):
    document = read(annotated(annotation), PDF)
    assert (document.notes, document.pages[0].text) == ((note,), LINE)


def test_a_form_in_xml_is_noted(read):
    data = annotated("/Subtype/Widget/FT/Tx/T(a)/V(Ada Byron)", form=True, acroform="/XFA(<xdp/>)")
    assert read(data, PDF).notes == ("xfa_not_read",)


def test_more_annotations_than_are_read_are_noted(read, monkeypatch):
    from frostbyte.data_plane.parse.pdf import notes

    monkeypatch.setattr(notes, "_MAX_NOTES", 1)
    document = read(annotated("/Subtype/Text/Contents(one)", "/Subtype/Text/Contents(two)"), PDF)
    assert (told(document), document.notes) == ({LINE: "", "one": "comment"}, ("annotations_not_read",))


@pytest.mark.parametrize(("value", "expected"), [("/V/Yes", {"x": "", "Yes": "field_value"}), ("", {})])
def test_a_box_that_does_not_say_which_of_its_looks_it_has_is_read_by_its_value(read, value, expected):
    data = annotated(f"/Subtype/Widget/FT/Btn/T(a){value}/AP<</N<</Yes 6 0 R/Off 99 0 R>>>>", shows="x", form=True)
    assert told(read(data, PDF)) == {LINE: "", **expected}
