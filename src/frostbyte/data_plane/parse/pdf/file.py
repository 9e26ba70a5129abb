"""PDF through PDFium: opening, pages, and what only the whole document tells (headings, repeated headers)."""

from __future__ import annotations

import re
from collections import Counter
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
from frostbyte.data_plane.parse.marks import LIST_MARK, NUMBERED_TITLE
from frostbyte.data_plane.parse.pdf.grouping import Block
from frostbyte.data_plane.parse.pdf.page import Draft, read_page, write_page
from frostbyte.data_plane.parse.pdf.rescue import rescued
from frostbyte.data_plane.parse.pdf.scans import finish_scans, poor

_EDGE: Final = 0.12
"""Part of the page's height at top and bottom where headers and footers stand."""
_MAX_OUTLINE: Final = 20_000
_TITLE_LENGTH: Final = 200
"""Characters; longer blocks in large type are not titles."""
_LARGER: Final = 1.12
"""Ratio to the body's size from which type is a heading's."""


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
        drafts = _read_pages(document, limits, progress, notes)
        if "truncated" in notes:
            for draft in drafts:
                # An empty page of a file that was cut off has lost its content; nobody can say that it was blank.
                draft.unread = draft.unread.replace("blank", "damaged")
        if not drafts or all(draft.unread == "damaged" for draft in drafts):
            raise damaged("PDF")
        if any(draft.scanned for draft in drafts):
            notes.append("text_layer_trusted")  # another program's OCR was taken over, not compared with the scan
        _find_repeats(drafts)
        _find_headings(drafts, _outline(document))
        metadata = {key.lower(): text for key, value in document.get_metadata_dict().items() if (text := clean(value))}
        if document.count_attachments():
            notes.append("attachments_not_read")
    pages = [write_page(draft) for draft in drafts]
    title = metadata.get("title", "").removeprefix("untitled") or _first_title(drafts)
    return PdfResult(pages, count, title, metadata, tuple(dict.fromkeys(notes)))


def _read_pages(
    document: pdfium.PdfDocument, limits: ParseLimits, progress: Callable[[], None], notes: list[str]
) -> list[Draft]:
    """All pages that can be opened; scans are read by OCR while the next pages are being looked at."""
    form: Any = document.formenv.raw if document.formenv is not None else None
    drafts: list[Draft] = []
    with ReadAhead(progress) as ahead:
        for number in range(1, len(document) + 1):
            progress()
            try:
                page = document[number - 1]
            except pdfium.PdfiumError:
                notes.append("page_damaged")
                continue
            try:
                drafts.append(read_page(page, number, limits, ahead, form))
            finally:
                page.close()
        for draft in drafts:
            finish_scans(draft)
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
        document = pdfium.PdfDocument(data)
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
    """Whether the end-of-file mark stands near the end (ISO 32000 allows some bytes after it)."""
    source.seek(0, 2)
    size = source.tell()
    source.seek(max(0, size - 2048))
    return b"%%EOF" in source.read()


def _outline(document: pdfium.PdfDocument) -> dict[int, dict[str, int]]:
    """Levels of the outline's titles, by page number and normalised title."""
    titles: dict[int, dict[str, int]] = {}
    try:
        for entry in islice(document.get_toc(), _MAX_OUTLINE):
            title = _normal(entry.get_title() or "")
            target: Any = entry.get_dest()
            page = target.get_index() if target is not None else None
            if title and page is not None:
                titles.setdefault(page + 1, {}).setdefault(title, min(6, entry.level + 1))
    except pdfium.PdfiumError:
        return titles
    return titles


def _find_repeats(drafts: list[Draft]) -> None:
    """Give blocks that stand at the same edge of most pages a role; all but the first are dropped."""
    seen: dict[tuple[str, str], list[tuple[Draft, int]]] = {}
    for draft in drafts:
        for number, block in enumerate(draft.blocks):
            if (
                isinstance(block, Block)
                and not block.runs[0].hidden
                and len(block.lines) <= 3
                and (edge := _edge(block, draft))
            ):
                places = seen.setdefault((edge, re.sub(r"\d+", "#", _normal(block.text))), [])
                if not places or places[-1][0] is not draft:
                    places.append((draft, number))
    for (edge, _), places in seen.items():
        if len(places) < max(3, len(drafts) // 2):
            continue
        kind = Kind.HEADER if edge == "header" else Kind.FOOTER
        for position, (draft, number) in enumerate(places):
            draft.roles[number] = (kind, 0)
            if position:
                draft.repeats[number] = f"repeated_{edge}"


def _edge(block: Block, draft: Draft) -> str:
    top = min(run.box[1] for run in block.runs)
    bottom = max(run.box[3] for run in block.runs)
    if bottom <= draft.height * _EDGE:
        return "header"
    if top >= draft.height * (1 - _EDGE):
        return "footer"
    return ""


def _find_headings(drafts: list[Draft], outline: dict[int, dict[str, int]]) -> None:
    """Headings by the document's outline where it has one, else by size, weight and numbering."""
    body, sizes = _sizes(drafts)
    outlined = 0.0
    rest: list[tuple[Draft, int, Block]] = []
    for draft in drafts:
        # Outline entries are often set just before the page turns: the page after it counts too.
        titles = outline.get(draft.number - 1, {}) | outline.get(draft.number, {})
        for number, block in enumerate(draft.blocks):
            if not isinstance(block, Block) or number in draft.roles or block.runs[0].hidden:
                continue
            if level := _outlined(block.text, titles):
                draft.roles[number] = (Kind.HEADING, level)
                outlined = max(outlined, block.size)
            elif len(block.text) <= _TITLE_LENGTH and len(block.lines) <= 3:
                rest.append((draft, number, block))
    for draft, number, block in rest:
        if not outlined:
            level = _level(block, block.text, body, sizes)
        else:
            # The outline knows the headings; only a title above them all is missing from it.
            level = int(block.size > max(outlined, body) * _LARGER)
        if level:
            draft.roles[number] = (Kind.HEADING, level)


def _sizes(drafts: list[Draft]) -> tuple[float, list[float]]:
    """The size most characters have, and the larger sizes of short blocks, largest first."""
    weights: Counter[float] = Counter()
    large: Counter[float] = Counter()
    for draft in drafts:
        for block in draft.blocks:
            if isinstance(block, Block) and not block.runs[0].hidden:
                weights[round(block.size * 2) / 2] += len(block.text)
    body = weights.most_common(1)[0][0] if weights else 10.0
    for draft in drafts:
        for block in draft.blocks:
            if isinstance(block, Block) and block.size >= body * _LARGER and len(block.text) <= _TITLE_LENGTH:
                large[round(block.size * 2) / 2] += 1
    return body, sorted(large, reverse=True)


def _outlined(text: str, titles: dict[str, int]) -> int:
    normal = _normal(text)
    if normal in titles:
        return titles[normal]
    bare = re.sub(r"^[\d.§)\s]+", "", normal)
    for title, level in titles.items():
        if bare and bare == re.sub(r"^[\d.§)\s]+", "", title):
            return level
    return 0


def _level(block: Block, text: str, body: float, sizes: list[float]) -> int:
    if not any(character.isalpha() for character in text):
        return 0
    size = round(block.size * 2) / 2
    if size >= body * _LARGER and size in sizes:
        return min(5, 1 + sizes.index(size))
    words = text.split()
    plain = len(block.lines) == 1 and len(words) <= 14 and text.rstrip()[-1:] not in ".,;:"
    if plain and block.bold and not LIST_MARK.match(text) and len(block.lines[0]) == 1:
        return min(6, 1 + len(sizes))
    if plain and block.size >= body and NUMBERED_TITLE.match(text) and len(words) <= 8 and block.bold:
        return min(6, 1 + len(sizes))
    return 0


def _first_title(drafts: list[Draft]) -> str:
    for draft in drafts[:2]:
        for number, (kind, level) in sorted(draft.roles.items()):
            block = draft.blocks[number]
            if kind is Kind.HEADING and level == 1 and isinstance(block, Block):
                return clean(block.text)
    return ""


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
