"""Readers of PDFs behind one call, ours and others', each in a process of its own.

    python bench/reading/pdf_readers.py READER FILE...

Prints one JSON object: CPU seconds (all threads and children) for each file, or why it failed. What stands
outside a document's reading (imports, models, a warm-up on the first file) is not counted. Runs without the package
where the reader is not ours, so it imports nothing at its head that the other environment lacks.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

Read = Callable[[bytes], object]
"""Reads a document; what it gives is thrown away."""


def frostbyte() -> Read:
    """Bytes to the whole canonical document, as the plane's parser does, but for OCR."""
    from frostbyte.data_plane.parse.limits import ParseLimits
    from frostbyte.data_plane.parse.reader import parse

    limits = ParseLimits(ocr=False)
    return lambda data: parse(io.BytesIO(data), sha256="0" * 64, mime="application/pdf", size=len(data), limits=limits)


def raw() -> Read:
    """PDFium's plain text of each page: the least that any reader on it does."""
    import pypdfium2

    def read(data: bytes) -> None:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
        for number in range(count):
            page = document[number]
            text = page.get_textpage()
            text.get_text_range()
            text.close()
            page.close()
        document.close()

    return read


def kreuzberg() -> Read:
    """Its document structure, which it derives while writing Markdown; no OCR."""
    from kreuzberg import ExtractionConfig, extract_bytes_sync

    config = ExtractionConfig(use_cache=False, include_document_structure=True, output_format="markdown")

    return lambda data: extract_bytes_sync(data, "application/pdf", config=config)


def liteparse() -> Read:
    """Layout blocks with fonts, no OCR."""
    from liteparse import LiteParse

    reader = LiteParse(ocr_enabled=False, extract_blocks=True, quiet=True)
    return reader.parse


def docling() -> Read:
    """docling-parse's lines of each page, and nothing else of it: words, characters, shapes and bitmaps cost more."""
    from docling_parse.pdf_parser import ContentConfig, ContentLevel, DoclingPdfParser

    others = ("char_cells", "word_cells", "shapes", "bitmaps")
    lines = ContentConfig(**{f"{name}_content_level": ContentLevel.SKIP for name in others})
    reader = DoclingPdfParser(loglevel="fatal")

    def read(data: bytes) -> None:
        document = reader.load(io.BytesIO(data), lazy=True, content_config=lines)
        for _, page in document.iterate_pages(content_config=lines):
            len(page.textline_cells)
        document.unload()

    return read


def pdfplumber() -> Read:
    """Text and tables of each page."""
    import pdfplumber

    def read(data: bytes) -> None:
        with pdfplumber.open(io.BytesIO(data)) as document:
            for page in document.pages:
                page.extract_text()
                page.extract_tables()
                page.close()

    return read


READERS = {reader.__name__: reader for reader in (frostbyte, raw, kreuzberg, liteparse, docling, pdfplumber)}


def cpu_seconds() -> float:
    """Of this process, its threads and its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    """Read the files and print what each took."""
    read = READERS[sys.argv[1]]()
    paths = [Path(name) for name in sys.argv[2:]]
    results: dict[str, object] = {}
    for turn, path in enumerate([paths[0], *paths]):
        data = path.read_bytes()
        start = cpu_seconds()
        try:
            read(data)
        except Exception as error:
            results[str(path)] = type(error).__name__
            continue
        if turn:
            results[str(path)] = cpu_seconds() - start
    print(json.dumps(results))


if __name__ == "__main__":
    main()
