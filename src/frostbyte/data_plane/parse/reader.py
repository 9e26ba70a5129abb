"""The one entry to all parsers: bytes and a media type in, a checked canonical document out.

Runs inside the child process; everything that can parse hostile input is imported here and nowhere above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from frostbyte.data_plane.document import FORMATS, Document, Kind, Page, Source
from frostbyte.data_plane.parse import encoding, plain, separated, wellformed
from frostbyte.data_plane.parse.building import clean
from frostbyte.data_plane.parse.image import frames
from frostbyte.data_plane.parse.limits import DEFAULT_LIMITS, ParseLimits
from frostbyte.data_plane.parse.office import docx, xlsx
from frostbyte.data_plane.parse.pdf import file as pdf
from frostbyte.data_plane.parse.version import lineage
from frostbyte.kernel.errors import StageFailed


def _silent() -> None:
    """Told of progress by parsers that nobody watches."""


def parse(
    source: BinaryIO,
    *,
    sha256: str,
    mime: str,
    size: int,
    limits: ParseLimits = DEFAULT_LIMITS,
    progress: Callable[[], None] = _silent,
) -> Document:
    """Read a document. The same bytes give the same document.

    Args:
        source: the content; seekable.
        sha256: hex digest of the content, recorded as it is given.
        mime: one of `document.FORMATS`.
        size: bytes.
        limits: bounds on the work.
        progress: called at least once a page.

    Raises:
        StageFailed: see `port.Reader.parse`.
    """
    if mime not in FORMATS:
        raise StageFailed(
            "unsupported_format",
            "This format is not read.",
            f"Send one of {', '.join(FORMATS.values())}.",
        )
    progress()
    document = _PARSERS[mime](source, Source(sha256=sha256, mime=mime, size=size), limits, progress)
    total = sum(len(page.text) for page in document.pages)
    if total > limits.max_characters:
        raise StageFailed(
            "text_too_large",
            f"The text has {total} characters; at most {limits.max_characters} are read.",
            "Split it into smaller files.",
        )
    wellformed.check(document)
    return document


def _pdf(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    result = pdf.read_pdf(source, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("pdf"),
        pages=tuple(result.pages),
        title=result.title,
        metadata=result.metadata,
        pages_found=result.found,
        notes=result.notes,
    )


def _image(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    pages, found, notes = frames.read_images(source, origin.mime, limits, progress)
    return Document(
        source=origin, lineage=lineage("image"), pages=tuple(pages), title="", pages_found=found, notes=notes
    )


def _text(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    source.seek(0)
    text, notes = encoding.decode(source.read(), limits)
    progress()
    table = separated.csv_page(text, limits) if origin.mime == "text/csv" else None
    if table is not None:
        pages, more = [table[0]], table[1]
    else:
        pages = plain.text_pages(text, limits)
        more = ("no_table_shape",) if origin.mime == "text/csv" else ()
    return Document(
        source=origin,
        lineage=lineage("text"),
        pages=tuple(pages),
        title=_title(pages),
        pages_found=len(pages),
        notes=(*notes, *more),
    )


def _docx(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    result = docx.read_docx(source, limits, progress)
    return Document(
        source=origin,
        lineage=lineage("docx"),
        pages=(result.page,),
        title=result.metadata.get("title", "") or _title([result.page]),
        metadata=result.metadata,
        pages_found=1,
        notes=result.notes,
    )


def _xlsx(source: BinaryIO, origin: Source, limits: ParseLimits, progress: Callable[[], None]) -> Document:
    result = xlsx.read_xlsx(source, limits, progress)
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
                return clean(page.reading(element.start, element.end).lstrip("# ").splitlines()[0])[:300]
    return ""


_PARSERS: dict[str, Callable[[BinaryIO, Source, ParseLimits, Callable[[], None]], Document]] = {
    "application/pdf": _pdf,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _docx,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _xlsx,
    "text/plain": _text,
    "text/csv": _text,
    "image/png": _image,
    "image/tiff": _image,
}
