"""How truly a PDF is read: headings with the outline withheld, order of columns, and PDFium's characters kept.

    python -m bench.reading.pdf_quality [--each]

Headings: each file of `bench/reading/pdf_corpus.py` that has an outline is copied page by page into a new file, which
has none, and read. A title of the outline is recalled if a heading on its page or the next has the same letters and
digits (numbering apart); a heading is precise if it is such a title's. Both are counted over all titles and headings
together. Order: a made page counts if its numbered words come in their order. Agreement: the part of the letters,
digits and signs (all but white space and hyphens at line ends) of PDFium's text of each page that the canonical text
has too, as multisets, and the other way round; the lesser counts. `--each` tells it file by file.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pypdfium2

from bench.reading import pdf_corpus, pdf_made
from bench.table import Line, show
from frostbyte.data_plane.document import Document, Kind
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.reader import parse

_NUMBERING: Final = re.compile(
    r"^(?:(?:chapter|section|appendix|part|kapitel|abschnitt|anhang|teil)\s+)?(?:(?:\d+|[a-z]|[ivxlc]+)[.):\-–—]+)*"
    r"(?:\d+|[a-z](?=[.):\s])|[ivxlc]+(?=[.):\s]))?[.):\-–—]*\s+"
)


def read(data: bytes) -> Document:
    """The canonical document without OCR."""
    limits = ParseLimits(ocr=False)
    return parse(io.BytesIO(data), sha256="0" * 64, mime="application/pdf", size=len(data), limits=limits)


def without_outline(document: pypdfium2.PdfDocument) -> bytes:
    """The same pages in a file that has no outline."""
    copy = pypdfium2.PdfDocument.new()
    copy.import_pages(document)
    target = io.BytesIO()
    copy.save(target)
    copy.close()
    return target.getvalue()


def normal(title: str) -> str:
    """Letters and digits of a title, without its number."""
    low = " ".join(title.split()).casefold()
    bare = _NUMBERING.sub("", low) or low
    return "".join(character for character in bare if character.isalnum())


def titles(document: pypdfium2.PdfDocument) -> list[tuple[int, str]]:
    """Page (1-based) and title of each entry of the outline that has both."""
    found: list[tuple[int, str]] = []
    for entry in document.get_toc():
        target: Any = entry.get_dest()
        page = target.get_index() if target is not None else None
        if page is not None and (title := normal(entry.get_title() or "")):
            found.append((page + 1, title))
    return list(dict.fromkeys(found))  # a broken outline may lead to an entry twice


def headings(document: Document) -> list[tuple[int, str]]:
    """Page and title of each heading that was found."""
    return [
        (page.number, title)
        for page in document.pages
        for element in page.elements
        if element.kind is Kind.HEADING and (title := normal(page.reading(element.start, element.end)))
    ]


def matched(wanted: Sequence[tuple[int, str]], found: Sequence[tuple[int, str]]) -> int:
    """How many wanted titles have a heading of their own."""
    left = Counter(found)
    hits = 0
    for page, title in wanted:
        for place in ((page, title), (page + 1, title)):
            if left[place]:
                left[place] -= 1
                hits += 1
                break
    return hits


def agreement(document: pypdfium2.PdfDocument, read_pages: Document) -> tuple[int, int]:
    """Characters that both texts have, and those of the longer one, over all pages."""
    both = longest = 0
    texts = {page.number: page for page in read_pages.pages}
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage()
        theirs = _characters(text.get_text_range())
        text.close()
        page.close()
        ours = texts.get(number + 1)
        mine = Counter[str]()
        if ours is not None:
            inserted = "".join(ours.text[span.start : span.end] for span in ours.inserted)
            mine = _characters(ours.text) - _characters(inserted)
        both += (mine & theirs).total()
        longest += max(mine.total(), theirs.total())
    return both, longest


def _characters(text: str) -> Counter[str]:
    return Counter(c for c in text if not c.isspace() and c.isprintable() and c not in "-\xad\ufffd\ufffe")


def in_order(layout: bytes) -> bool:
    """Whether the numbered words of a made page come in their order, each once."""
    text = "\n".join(page.text for page in read(layout).pages)
    numbers = [int(word) for word in re.findall(r"w(\d{4})", text)]
    return numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", action="store_true")
    each = parser.parse_args().each
    files, note = pdf_corpus.documentation()
    wanted = found = hits = both = longest = 0
    for path in files:
        document = pypdfium2.PdfDocument(path)
        outline = titles(document)
        result = read(without_outline(document))
        same, all_of = agreement(document, result)
        both, longest = both + same, longest + all_of
        line = f"agreement {same / max(1, all_of):.4f}"
        if outline:
            ours = headings(result)
            right = matched(outline, ours)
            wanted, found, hits = wanted + len(outline), found + len(ours), hits + right
            line += f" recall {right / len(outline):.2f} precision {right / max(1, len(ours)):.2f} of {len(outline)}"
        if each:
            print(f"{path.name:45s} {line}", file=sys.stderr, flush=True)
        document.close()
    layouts = [in_order(pdf_made.page(layout)) for layout in pdf_made.LAYOUTS]
    if each:
        print({a.__name__: b for a, b in zip(pdf_made.LAYOUTS, layouts, strict=True)}, file=sys.stderr)
    show(lines(wanted, found, hits, both, longest, layouts, f"{len(files)} files" + (f"; {note}" if note else "")))


def lines(wanted: int, found: int, hits: int, both: int, longest: int, layouts: list[bool], note: str) -> list[Line]:
    """The table's lines."""
    order = Line(
        measure="PDF columns in order",
        ours=float(sum(layouts)),
        unit=f"of {len(layouts)} layouts",
        target="all",
        met=all(layouts),
    )
    if not wanted:
        return [order]
    recall, precision, agrees = hits / wanted, hits / max(1, found), both / max(1, longest)
    return [
        Line(
            measure="PDF heading recall, outline withheld",
            ours=recall,
            unit=f"of {wanted} titles",
            target=">= 0.8",
            met=recall >= 0.8,
            note=note,
        ),
        Line(
            measure="PDF heading precision, outline withheld",
            ours=precision,
            unit=f"of {found} headings",
            target=">= 0.6",
            met=precision >= 0.6,
        ),
        Line(
            measure="PDF character agreement with PDFium",
            ours=agrees,
            unit="of characters",
            target=">= 0.99",
            met=agrees >= 0.99,
        ),
        order,
    ]


if __name__ == "__main__":
    main()
