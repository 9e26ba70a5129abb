"""PDF through PDFium: opening, pages, and what only the whole document tells (headings, repeated headers)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from frostbyte.data_plane.document import Kind, Page
from frostbyte.data_plane.parse.building import clean
from frostbyte.data_plane.parse.image.ahead import ReadAhead
from frostbyte.data_plane.parse.limits import ParseLimits, damaged, encrypted, too_many_pages
from frostbyte.data_plane.parse.pdf.grouping import Block
from frostbyte.data_plane.parse.pdf.headings import normal_title
from frostbyte.data_plane.parse.pdf.layers import layers_off
from frostbyte.data_plane.parse.pdf.notes import shown_page
from frostbyte.data_plane.parse.pdf.objects import recounted
from frostbyte.data_plane.parse.pdf.page import Draft, read_page, write_page
from frostbyte.data_plane.parse.pdf.rescue import rescued
from frostbyte.data_plane.parse.pdf.roles import find_roles
from frostbyte.data_plane.parse.pdf.scans import finish_scans, poor

_MAX_OUTLINE: Final = 20_000


_NO_TITLE: Final = re.compile(
    r"^\(?(?:untitled|anonymous|unspecified|unknown|no title)\)?[\d\s]*$|^microsoft (?:word|powerpoint|excel) - ", re.I
)
"""What programs write where nobody gave a title, or the name of a file that was printed."""


@dataclass(frozen=True, slots=True)
class PdfResult:
    """What was read of a PDF."""

    pages: list[Page]
    found: int
    title: str
    metadata: dict[str, str]
    notes: tuple[str, ...]


def read_pdf(source: BinaryIO, limits: ParseLimits, progress: Callable[[], None]) -> PdfResult:
    """Read a PDF as far as it goes.

    Raises:
        StageFailed: `encrypted`, `damaged`, `too_many_pages`.
    """
    notes: list[str] = []
    if not _is_complete(source):
        notes.append("truncated")
    with opened(source) as document:
        count = len(document)
        if count == 0:
            raise damaged("PDF")
        if count > limits.max_pages:
            raise too_many_pages(count, limits.max_pages)
        off = layers_off(source)
        if off:
            notes.append("layers_off")
        drafts = _read_pages(document, off, limits, progress, notes)
        if "truncated" in notes:
            for draft in drafts:
                # An empty page of a file that was cut off has lost its content; nobody can say that it was blank.
                draft.unread = draft.unread.replace("blank", "damaged")
        if not drafts or all(draft.unread == "damaged" for draft in drafts):
            raise damaged("PDF")
        if not raw.FPDF_DocumentHasValidCrossReferenceTable(document.raw):
            notes.append("recovered_xref")
        if any(draft.scanned for draft in drafts):
            notes.append("text_layer_trusted")  # another program's OCR was taken over, not compared with the scan
        find_roles(drafts, _outline(document))
        metadata = {key.lower(): text for key, value in document.get_metadata_dict().items() if (text := clean(value))}
        if document.get_formtype() in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND):
            notes.append("xfa_not_read")  # a form in XML beside the pages, which only some viewers show
        if document.count_attachments():
            notes.append("attachments_not_read")
    pages = [write_page(draft) for draft in drafts]
    stated = metadata.get("title", "")
    title = _first_title(drafts) if not stated or _NO_TITLE.match(stated) else stated
    return PdfResult(pages, count, title, metadata, tuple(dict.fromkeys(notes)))


def _read_pages(
    document: pdfium.PdfDocument,
    off: frozenset[str],
    limits: ParseLimits,
    progress: Callable[[], None],
    notes: list[str],
) -> list[Draft]:
    """All pages that can be opened; scans are read by OCR while the next pages are being looked at."""
    drafts: list[Draft] = []
    with ReadAhead(progress) as ahead:
        for number in range(1, len(document) + 1):
            progress()
            try:
                page, texts, remarks = shown_page(document, number)
            except pdfium.PdfiumError:
                notes.append("page_damaged")
                continue
            try:
                notes += sorted(remarks)
                drafts.append(read_page(page, number, limits, ahead, texts, off))
            finally:
                page.close()
        for draft in drafts:
            finish_scans(draft)
    if any(draft.outlined for draft in drafts):
        notes.append("drawings_not_read")  # letters drawn as shapes, perhaps: nobody asked what they say
    if any(draft.garbled for draft in drafts):
        notes.append("unmapped_glyphs")
    if any(poor(draft.readings) for draft in drafts):
        notes.append("ocr_poor")
    return drafts


@contextmanager
def opened(source: BinaryIO) -> Iterator[pdfium.PdfDocument]:
    """The document, opened by PDFium; one whose end is missing gets a second try.

    Raises:
        StageFailed: `encrypted`, `damaged`.
    """
    source.seek(0)
    data = source.read()
    try:
        document = pdfium.PdfDocument(recounted(data) or data)
    except pdfium.PdfiumError as error:
        if raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise encrypted("PDF") from None
        document = _second_try(data)
    try:
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()  # else filled-in fields are neither drawn nor told
        yield document
    finally:
        document.close()


def _second_try(data: bytes) -> pdfium.PdfDocument:
    whole = rescued(data)
    if whole is None:
        raise damaged("PDF")
    try:
        return pdfium.PdfDocument(whole)
    except pdfium.PdfiumError:
        raise damaged("PDF") from None


def _is_complete(source: BinaryIO) -> bool:
    """Whether the end-of-file mark stands near the end, with no object after it: those of an update that was cut off.

    ISO 32000 allows some bytes after the mark.
    """
    source.seek(0, 2)
    size = source.tell()
    source.seek(max(0, size - 2048))
    _, mark, rest = source.read().rpartition(b"%%EOF")
    return bool(mark) and b" obj" not in rest


def _outline(document: pdfium.PdfDocument) -> dict[int, dict[str, int]]:
    """Levels of the outline's titles, by page number and normalised title."""
    titles: dict[int, dict[str, int]] = {}
    try:
        for entry in islice(document.get_toc(), _MAX_OUTLINE):
            title = normal_title(entry.get_title() or "")
            target: Any = entry.get_dest()
            page = target.get_index() if target is not None else None
            if title and page is not None:
                titles.setdefault(page + 1, {}).setdefault(title, min(6, entry.level + 1))
    except pdfium.PdfiumError:
        return titles
    return titles


def _first_title(drafts: list[Draft]) -> str:
    for draft in drafts[:2]:
        for number, (kind, level) in sorted(draft.roles.items()):
            block = draft.blocks[number]
            if kind is Kind.HEADING and level == 1 and isinstance(block, Block):
                return clean(block.text)
    return ""
