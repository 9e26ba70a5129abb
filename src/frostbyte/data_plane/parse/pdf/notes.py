"""What stands on a PDF page without being part of its content: filled-in form fields, comments, free text."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Box, Kind
from frostbyte.data_plane.parse.pdf import native
from frostbyte.data_plane.parse.pdf.text import Frame

_MAX_NOTES: Final = 2_000
"""Annotations of one page that are read."""
_MAX_LENGTH: Final = 1_000_000
"""UTF-16 bytes of one annotation."""
_LINK: Final = 2
"""Subtype of links (fpdf_annot.h): their text is the page's own."""
_FREE_TEXT: Final = 3
_POPUP: Final = 16
"""The window of another annotation's text."""
_WIDGET: Final = 20


@dataclass(frozen=True, slots=True)
class PageNote:
    """The text of one annotation."""

    kind: Kind
    text: str
    box: Box
    hidden: str


def read_notes(page: pdfium.PdfPage, frame: Frame, form: Any | None) -> list[PageNote]:
    """The texts of a page's annotations, in the file's order.

    Args:
        page: the open page.
        frame: its frame.
        form: PDFium's form handle, for values that fields inherit; None for documents without a form.
    """
    notes: list[PageNote] = []
    handle = ctypes.addressof(page.raw.contents)
    for number in range(min(raw.FPDFPage_GetAnnotCount(page.raw), _MAX_NOTES)):
        annotation = native.annotation(handle, number)
        if not annotation:
            continue
        try:
            subtype = native.annotation_kind(annotation)
            read = subtype not in (_LINK, _POPUP)
            note = _note(ctypes.cast(annotation, raw.FPDF_ANNOTATION), subtype, frame, form) if read else None
        finally:
            native.close_annotation(annotation)
        if note is not None and note.text.strip():
            notes.append(note)
    return notes


def _note(annotation: Any, subtype: int, frame: Frame, form: Any | None) -> PageNote:
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    box = frame.box(rect.left, rect.bottom, rect.right, rect.top)
    if subtype == _WIDGET:
        text = _value(annotation, b"V")
        if not text and form is not None:
            text = _read(lambda buffer, size: raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))
        return PageNote(Kind.PARAGRAPH, text, box, "")
    text = _value(annotation, b"Contents")
    if subtype == _FREE_TEXT:
        return PageNote(Kind.PARAGRAPH, text, box, "")
    return PageNote(Kind.COMMENT, text, box, "comment")


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
