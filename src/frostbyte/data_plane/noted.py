"""What the notes of a document mean: a sentence for each name that readers put into `Document.notes`.

Programs go by the names, people read the sentences: on the command line, on the console's page of a document and in
docs/notes.md. Nothing heavy is imported here, so that whoever shows a note can load it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple


class Note(NamedTuple):
    """What one name means."""

    formats: str
    """The formats whose readers note it."""
    meaning: str
    """What was not read, or how it was; `…` stands for how the name ends where that differs."""
    remedy: str = ""
    """What somebody can do who wants to know more, or ''."""


class Told(NamedTuple):
    """A note as it is told of one document."""

    name: str
    times: int
    """How often the document has it."""
    meaning: str
    remedy: str

    def line(self) -> str:
        """All of it in one line, the name last."""
        often = f", {self.times} times" if self.times > 1 else ""
        return f"{' '.join(filter(None, (self.meaning, self.remedy)))} ({self.name}{often})"


OPEN: Final = "Open the original."

_PDF: Final = {
    "truncated": (
        "The file has no proper end: it was cut off, and what stood behind the cut is missing.",
        "Ask for the whole file and send that.",
    ),
    "recovered_xref": (
        "The file's own index of its parts is broken: its pages were found without it.",
        "Compare with the original: something may be missing, or be as it was before a change.",
    ),
    "page_damaged": (
        "At least one page cannot be opened; what it shows is missing.",
        "Open the original; if no viewer shows the page, ask for the file again.",
    ),
    "redactions_not_applied": (
        "Places are marked to be redacted, but what stands there was never taken out: it was read like other text.",
        "Apply the redactions in the program that marked them, send the file that comes of it, and erase this one.",
    ),
    "layers_off": (
        "The file has layers that are switched off: text that lies in them was read, and is marked as not visible.",
        "Switch the layers on in a viewer to see what they show.",
    ),
    "xfa_not_read": (
        "The file holds a form in XML (XFA), which only some viewers show. Its pages were read, the form was not.",
        "Open it in a program that shows such forms, print it to a PDF, and send that.",
    ),
    "attachments_not_read": (
        "Files are attached to it; none of them was read.",
        "Save the attachments and send each as a file of its own.",
    ),
    "annotations_not_read": (
        "Comments, stamps or fields were not read, or not as they look: a page has more than 2,000 of them, or they "
        "could not be drawn.",
        OPEN,
    ),
    "drawings_not_read": (
        "Shapes are drawn beside the text that may be letters; what they say was not read.",
        OPEN,
    ),
    "unmapped_glyphs": (
        "The letters of a page do not say which ones they are: what its picture shows was read by OCR in their place.",
        "Compare names and figures with the original.",
    ),
    "text_layer_trusted": (
        "A scan came with text that another program had read from it. That text was taken, and not compared with the "
        "picture.",
        "Compare names and figures with the picture of the page.",
    ),
}
_SCANS: Final = {
    "ocr_poor": (
        "At least one page is hard to read for OCR: every fifteenth character or more may be wrong.",
        "Scan it anew, sharp and at 300 dpi, or send the file that was printed.",
    ),
}
_FRAMES: Final = {
    "frame_damaged": (
        "At least one picture in the file is broken; what it shows was not read.",
        "Ask for the file again.",
    ),
    "metadata_damaged": ("What the file says of itself (title, author, date) is broken, and was not read wholly.", ""),
}
_PNG: Final = {
    "animated": ("The picture moves: each of its frames was read as a page.", ""),
}
_TIFF: Final = {
    "frame_incomplete": (
        "The file does not hold all of a picture: what its missing parts showed was not read.",
        "Ask for the file again.",
    ),
}
_TEXT: Final = {
    "encoding_guessed_…": (
        "The file does not say in which encoding its characters are; it was read as ….",
        "If letters look wrong, save it as UTF-8 and send it again.",
    ),
    "mixed_encodings": (
        "Most of the file is UTF-8, some bytes are not: they were read as the characters that Windows has for them.",
        "If letters look wrong, save it as UTF-8 and send it again.",
    ),
    "undecodable_bytes": (
        "Some bytes mean nothing in the file's encoding: U+FFFD stands in their place.",
        "Save it as UTF-8 in the program it came from, and send it again.",
    ),
}
_CSV: Final = {
    "no_table_shape": ("Its lines have not the shape of a table: it was read as plain text.", ""),
    "quote_not_closed": (
        "A quotation mark begins a cell and none ends it: in such lines they were read as signs like others.",
        "Compare the cells of these lines with the original.",
    ),
    "ragged_rows": (
        "Rows differ in their number of cells: a value may stand in another column than it belongs to.",
        "Compare the shorter and longer rows with the original.",
    ),
}
_OFFICE: Final = {
    "embedded_document_not_read": (
        "Another document is embedded in it, or is brought in from elsewhere; it was not read.",
        "Open the original, save that document, and send it as a file of its own.",
    ),
    "pictures_not_read": (
        "The file has pictures that nothing shows which was read; what they show was not read either.",
        OPEN,
    ),
    "chart_not_read": ("A chart or diagram is not in the file, though something refers to it; it was not read.", OPEN),
    "chart_text_left_out": ("A chart or diagram has more than 2,000 texts; those behind them were not read.", OPEN),
    "alternative_content_not_read": (
        "Something stands twice, for newer and for older programs. What Office shows today was read; the other "
        "has words that this lacks.",
        "Open the original in an older program to see them.",
    ),
    "properties_left_out": ("The file has more than 1,000 properties of its own; those behind them were not read.", ""),
}
_DOCX: Final = {
    "bound_content_not_read": (
        "A content control shows data of the file that could not be found: the text in the control itself was read.",
        "Open the original in Word, which may show another text.",
    ),
    "fields_without_results": (
        "Fields have no result: Word works it out when it opens the file. What they will show was not read.",
        "Open it in Word, update the fields, save it, and send it again.",
    ),
    "text_outside_of_cells_not_read": (
        "A table holds something that stands in none of its cells; it was not read.",
        OPEN,
    ),
    "nesting_too_deep": (
        "Parts lie in parts that lie in others, deeper than is read: what lies deepest was not read.",
        OPEN,
    ),
    "building_blocks_not_read": (
        "The file keeps building blocks, texts that Word offers and does not show; they were not read.",
        "",
    ),
    "embedded_fonts_not_compared": (
        "The file brings fonts of its own, in which a letter may look like another: letters were read, not looks.",
        "Compare with the original where it matters.",
    ),
    "direction_of_text_overridden": (
        "Text is told to run against its direction: it was read in the order in which it is stored, not as it looks.",
        "Compare with the original.",
    ),
}
_XLSX: Final = {
    "formulas_without_values": (
        "Formulas have no stored value: what they come to was not read.",
        "Open it in Excel, save it, and send it again.",
    ),
    "formulas_to_be_computed": (
        "Excel computes every formula anew when it opens the file: people may see other values than were read.",
        "Open it in Excel, save it, and send it again.",
    ),
    "values_of_other_workbooks_not_read": (
        "The file keeps copies of values of other workbooks, to which its formulas refer; they were not read.",
        "Send those workbooks too if they matter.",
    ),
    "pivot_cache_not_read": (
        "The file keeps the data that a pivot table was made of. The table was read as it is shown, the data was not.",
        "Send the data as a sheet if it matters.",
    ),
    "data_model_not_read": (
        "The file holds a data model (Power Pivot); its tables were not read.",
        "Send the tables as sheets if they matter.",
    ),
    "rich_values_not_read": (
        "Cells hold values that only newer programs show; the error that older ones show was read in their place.",
        OPEN,
    ),
    "conditional_formats_not_read": (
        "Formats that depend on a value show words of their own; the cells were read without them.",
        OPEN,
    ),
    "phonetic_text_not_read": ("Cells show how their words are pronounced; that was not read.", ""),
    "pictures_in_cells_not_read": (
        "Pictures lie in cells; they were not read.",
        "Send the pictures as files if they matter.",
    ),
    "drawing_damaged": ("What is drawn over a sheet is broken; it was not read.", OPEN),
    "control_not_read": ("A control lies on a sheet (ActiveX); what it shows was not read.", OPEN),
    "slicer_not_read": ("A sheet has slicers or a timeline, by which it is filtered; they were not read.", ""),
    "scenarios_not_read": ("A sheet keeps scenarios, other values for its cells; they were not read.", OPEN),
    "sheet_of_dialogs_not_read": (
        "A sheet is a dialog of old Excel or of a kind that is not known; not all that is on it was read.",
        OPEN,
    ),
    "texts_of_names_not_read": ("Names that the workbook defines hold texts or remarks; they were not read.", OPEN),
}

NOTES: Final[dict[str, Note]] = {
    name: Note(formats, *said)
    for formats, named in (
        ("PDF", _PDF),
        ("PDF, PNG, TIFF", _SCANS),
        ("PNG, TIFF", _FRAMES),
        ("PNG", _PNG),
        ("TIFF", _TIFF),
        ("TXT, CSV", _TEXT),
        ("CSV", _CSV),
        ("DOCX, XLSX", _OFFICE),
        ("DOCX", _DOCX),
        ("XLSX", _XLSX),
    )
    for name, said in named.items()
}
"""By name, format by format. A name that ends in `…` is that of a family, whose names end in what differs."""


def meaning_of(name: str) -> Note:
    """What a note means. Of a name that nothing is known of, which another version wrote, what it says itself."""
    if (known := NOTES.get(name)) is not None:
        return known
    for family, note in NOTES.items():
        stem = family.removesuffix("…")
        if stem != family and name.startswith(stem):
            return note._replace(meaning=note.meaning.replace("…", name.removeprefix(stem)))
    return Note("", f"{name.replace('_', ' ').capitalize()}.")


def told(names: Iterable[str]) -> list[Told]:
    """Each note of a document once, in the order of the first of its kind."""
    found: list[Told] = []
    for name, times in Counter(names).items():
        note = meaning_of(name)
        found.append(Told(name, times, note.meaning, note.remedy))
    return found
