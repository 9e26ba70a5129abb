"""What stands on a PDF page without being part of its content: filled-in fields, stamps, comments, free text.

What annotations show is drawn into the page, in memory, before its text is asked for: it is read where people see it,
with its pictures and with what it covers. Told besides are the texts that nobody sees there: comments, values of fields
that show something else.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Box, Kind
from frostbyte.data_plane.parse.pdf import native
from frostbyte.data_plane.parse.pdf.text import Frame, Run

_MAX_NOTES: Final = 2_000
"""Annotations of one page that are read."""
_MAX_LENGTH: Final = 1_000_000
"""UTF-16 bytes of one annotation."""
_LINK: Final = 2
"""Subtype of links (fpdf_annot.h): their text is the page's own."""
_FREE_TEXT: Final = 3
_MARKINGS: Final = frozenset({9, 10, 11, 12})
"""Highlight, underline, squiggly, strike-out: they colour text, and would count as what covers it."""
_STAMP: Final = 13
_POPUP: Final = 16
"""The window of another annotation's text."""
_FILE: Final = 17
_WIDGET: Final = 20
_REDACT: Final = 28
_HIDDEN: Final = 0x22
"""Flags (ISO 32000-1, 12.5.3): hidden, or not shown on a screen."""
_SMALL: Final = 1.5
"""Points: nobody reads in a smaller field."""
_CHECKBOX: Final = 2
_RADIO: Final = 3
"""Kinds of fields (fpdf_formfill.h)."""


@dataclass(frozen=True, slots=True)
class PageNote:
    """The text of one annotation."""

    kind: Kind
    text: str
    box: Box
    hidden: str
    shown: bool = False
    """Whether what it shows was drawn into the page, so that its text may stand there already."""
    otherwise: str = ""
    """What hides the text where other text is shown in its place."""


def shown_page(document: pdfium.PdfDocument, number: int) -> tuple[pdfium.PdfPage, list[PageNote], set[str]]:
    """Open a page with what its annotations show drawn into it.

    Args:
        document: the open document.
        number: the page's, from 1.

    Returns:
        The page, to be closed by the caller; the texts of its annotations, in the file's order; notes for the account.

    Raises:
        PdfiumError: the page cannot be opened.
    """
    page = document[number - 1]
    count = raw.FPDFPage_GetAnnotCount(page.raw)
    if count <= 0:
        return page, [], set()
    try:
        reading = _Annotations(page, document.formenv.raw if document.formenv is not None else None)
        reading.all(count)
        if not reading.drawn:
            return page, reading.notes, reading.remarks
        for position in reversed(reading.apart):
            raw.FPDFPage_RemoveAnnot(page.raw, position)
        # PDFium draws what each annotation shows into the page; what it drew is there once the page is opened anew.
        failed = raw.FPDFPage_Flatten(page.raw, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_FAIL
    except BaseException:
        page.close()
        raise
    page.close()
    page = document[number - 1]
    if failed:
        return page, [replace(note, shown=False) for note in reading.notes], reading.remarks | {"annotations_not_read"}
    return page, reading.notes, reading.remarks


class _Annotations:
    """One pass over a page's annotations."""

    def __init__(self, page: pdfium.PdfPage, form: Any | None) -> None:
        self.notes: list[PageNote] = []
        self.remarks: set[str] = set()
        self.drawn = False
        """Whether any shows something of its own."""
        self.apart: list[int] = []
        """Numbers of those that are not to be drawn: nobody sees them, or they only colour what is there."""
        self._handle = ctypes.addressof(page.raw.contents)
        self._frame = Frame(page)
        self._form = form

    def all(self, count: int) -> None:
        if count > _MAX_NOTES:
            self.remarks.add("annotations_not_read")
        for number in range(min(count, _MAX_NOTES)):
            annotation = native.annotation(self._handle, number)
            if not annotation:
                continue
            try:
                self._one(annotation, number)
            finally:
                native.close_annotation(annotation)

    def _one(self, annotation: int, number: int) -> None:
        subtype = native.annotation_kind(annotation)
        if subtype == _POPUP:
            return
        unseen = bool(native.annotation_flags(annotation) & _HIDDEN)
        if unseen or subtype in _MARKINGS:
            self.apart.append(number)
        shown = not unseen and subtype not in _MARKINGS and bool(native.annotation_has(annotation, b"AP"))
        self.drawn |= shown
        if shown and not native.annotation_has(annotation, b"AS"):
            _choose(ctypes.cast(annotation, raw.FPDF_ANNOTATION))
        if subtype == _LINK:
            return
        if subtype == _FILE:
            self.remarks.add("attachments_not_read")
        elif subtype == _REDACT:
            self.remarks.add("redactions_not_applied")  # the text that was to be taken out is still there
        note = self._note(ctypes.cast(annotation, raw.FPDF_ANNOTATION), subtype, unseen, shown)
        if note.text.strip():
            self.notes.append(note)

    def _note(self, annotation: Any, subtype: int, unseen: bool, shown: bool) -> PageNote:
        rect = raw.FS_RECTF()
        raw.FPDFAnnot_GetRect(annotation, rect)
        box = self._frame.box(rect.left, rect.bottom, rect.right, rect.top)
        hidden = "invisible" if unseen else ""
        if not hidden and self._frame.off_page(box):
            hidden = "off_page"
        if not hidden and min(box[2] - box[0], box[3] - box[1]) < _SMALL:
            hidden = "tiny"
        if subtype == _WIDGET:
            return PageNote(Kind.PARAGRAPH, self._field(annotation), box, hidden, shown, "field_value")
        text = _value(annotation, b"Contents")
        if subtype == _FREE_TEXT:
            return PageNote(Kind.PARAGRAPH, text, box, hidden, shown, "comment")
        return PageNote(Kind.COMMENT, text, box, "comment", shown and subtype == _STAMP)

    def _field(self, annotation: Any) -> str:
        """The value of a field; of a box to be ticked only where it is."""
        form = self._form
        if form is not None and raw.FPDFAnnot_GetFormFieldType(form, annotation) in (_CHECKBOX, _RADIO):
            if not raw.FPDFAnnot_IsChecked(form, annotation):
                return ""
            return _read(lambda buffer, size: raw.FPDFAnnot_GetFormFieldExportValue(form, annotation, buffer, size))
        text = _value(annotation, b"V")
        if not text and form is not None:
            text = _read(lambda buffer, size: raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))
        return text


def untold(notes: list[PageNote], runs: list[Run]) -> list[PageNote]:
    """The notes without those whose text stands in the page where they show it.

    Args:
        notes: of one page.
        runs: all text of the page, with what its annotations show.
    """
    kept: list[PageNote] = []
    for note in notes:
        if note.shown:
            seen = _squeezed("".join(run.text for run in runs if _meets(run.box, note.box)))
            if _squeezed(note.text) in seen:
                continue
            if seen and note.otherwise:
                kind = Kind.COMMENT if note.otherwise == "comment" else note.kind
                kept.append(replace(note, kind=kind, hidden=note.otherwise))
                continue
        kept.append(note)
    return kept


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _meets(inner: Box, box: Box) -> bool:
    """Whether the middle of a line's height lies within the box, and a part of it."""
    return box[1] - 2 <= (inner[1] + inner[3]) / 2 <= box[3] + 2 and inner[0] < box[2] and inner[2] > box[0]


def _choose(annotation: Any) -> None:
    """State which of its looks an annotation shows that may have several and says nothing: that of its value, or none.

    Without it PDFium ends the process as it draws such a one into the page.
    """
    state = (_value(annotation, b"V") or "Off").encode("utf-16-le") + b"\0\0"
    raw.FPDFAnnot_SetStringValue(annotation, b"AS", (ctypes.c_ushort * (len(state) // 2)).from_buffer_copy(state))


def _value(annotation: Any, key: bytes) -> str:
    return _read(lambda buffer, size: raw.FPDFAnnot_GetStringValue(annotation, key, buffer, size))


def _read(get: Any) -> str:
    """Ask twice, as PDFium's C interface wants it: for the length, then for the UTF-16 text."""
    size = min(int(get(None, 0)), _MAX_LENGTH)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * ((size + 1) // 2))()
    get(buffer, size)
    return (
        bytes(buffer)[: size - 2]
        .decode("utf-16-le", "replace")
        .rstrip("\x00")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
