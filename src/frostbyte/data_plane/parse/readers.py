"""From each parser's result to a canonical document: what `formats.REGISTERED` names as readers.

A reader takes the content (seekable), what is known of its origin, the bounds and a function to call at least once a
page. The same bytes give the same document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from frostbyte.data_plane.document import Document, Kind, Page, Source
from frostbyte.data_plane.parse import encoding, plain, separated
from frostbyte.data_plane.parse.building import clean
from frostbyte.data_plane.parse.image import frames
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.office.docx import read_docx
from frostbyte.data_plane.parse.office.xlsx import read_xlsx
from frostbyte.data_plane.parse.pdf.file import read_pdf
from frostbyte.data_plane.parse.version import lineage

Read = Callable[[BinaryIO, Source, ParseLimits, Callable[[], None]], Document]
"""A reader."""


def pdf(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    """A PDF."""
    result = read_pdf(source, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("pdf"),
        pages=tuple(result.pages),
        title=result.title,
        metadata=result.metadata,
        pages_found=result.found,
        notes=result.notes,
    )


def image(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    """A picture of one or more pages."""
    result = frames.read_images(source, origin.mime, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("image"),
        pages=tuple(result.pages),
        title="",
        metadata=result.metadata,
        pages_found=result.found,
        notes=result.notes,
    )


def text(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    """A text or separated values."""
    source.seek(0)
    decoded, notes = encoding.decode(source.read(), limits)
    progress()
    table = separated.csv_page(decoded, limits) if origin.mime == "text/csv" else None
    if table is not None:
        pages, more = [table[0]], table[1]
    else:
        pages = plain.text_pages(decoded, limits)
        more = ("no_table_shape",) if origin.mime == "text/csv" else ()
    return Document(
        source=origin,
        lineage=lineage("text"),
        pages=tuple(pages),
        title=_title(pages),
        pages_found=len(pages),
        notes=(*notes, *more),
    )


def docx(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    """A Word document, as one page."""
    result = read_docx(source, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("docx"),
        pages=(result.page,),
        title=result.metadata.get("title", "") or _title([result.page]),
        metadata=result.metadata,
        pages_found=1,
        notes=result.notes,
    )


def xlsx(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    """A workbook: a page for each sheet."""
    result = read_xlsx(source, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("xlsx"),
        pages=tuple(result.pages),
        title=result.metadata.get("title", ""),
        metadata=result.metadata,
        pages_found=result.found,
        notes=result.notes,
    )


def _title(pages: list[Page]) -> str:
    for page in pages:
        for element in page.elements:
            if element.kind is Kind.HEADING and not element.hidden:
                shown = page.reading(element.start, element.end)
                title, *_ = (shown.lstrip("# ") or shown).splitlines() or [""]
                return clean(title)[:300]
    return ""
