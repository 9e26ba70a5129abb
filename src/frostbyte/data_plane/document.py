"""The canonical document: what every parser makes and every later stage reads.

Positions. Each page has one canonical text: everything that was found on it, before redaction, in reading order.
All spans (elements, lines, cells, findings, chunks) are half-open character ranges `[start, end)` of that text.
Some of its characters are special:
* `inserted` ones were added between pieces (a line end between paragraphs, a tab between cells): they count zero;
* `dropped` ones were found but are not read on (a hyphen at a line's end that was joined, a header that repeats):
  they count as dropped, with a reason.
What a reader sees of a span is its characters without the dropped ones: `Page.reading(start, end)`.

Formats without pages are one page; a sheet of a workbook is a page with a name; so is each frame of a TIFF.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from frostbyte.data_plane.packed import Packed, plain
from frostbyte.kernel.formats import FORMATS as FORMATS

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in the page's unit, origin at the top left of the page as it is shown."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable, comparable, encodable to JSON with the same bytes each time."""


class Kind(StrEnum):
    """What an element is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    FIGURE = "figure"
    CAPTION = "caption"
    FOOTNOTE = "footnote"
    HEADER = "header"
    FOOTER = "footer"
    COMMENT = "comment"


class Span(Record, frozen=True, kw_only=False, gc=False):
    """A half-open range of characters of a page's canonical text."""

    start: int
    end: int


class Drop(Record, frozen=True, kw_only=True, gc=False):
    """Characters that were found and are not read on."""

    start: int
    end: int
    reason: str
    """Stable name: hyphen_joined, repeated_header, repeated_footer, hidden_text, control_character ..."""


class Mark(Record, frozen=True, kw_only=True, gc=False):
    """What the source says of a range besides its text. Marks may overlap, and may be empty: a place."""

    start: int
    end: int
    kind: str
    """Stable name. Tracked changes: `inserted`, `moved_here`; `deleted` and `moved_away` are empty and stand where the
    text stood. `comment` is what a comment refers to; `footnote` and `endnote` stand at a reference, `text_box` at an
    anchor. `contents` is a table of contents. `first_pages` and `even_pages` tell headers and footers apart.
    `hidden_row` and `hidden_column` are cells that the sheet does not show. `cells` is where a sheet's block lies.
    Any reason of `Element.hidden`, empty: where such text stood."""
    target: int | None = None
    """Start of the element that this refers to: the comment, the note, the deleted text."""
    label: str = ""
    """A sheet's range like `B2:E14`, or a note's sign. Never content."""


class Word(Record, frozen=True, kw_only=True, gc=False):
    """A word of a line, with where."""

    start: int
    end: int
    box: Box


class Line(Record, frozen=True, kw_only=True, gc=False):
    """A line as it stands on the page, with where."""

    start: int
    end: int
    box: Box
    words: tuple[Word, ...] = ()
    """Only where they were asked for (`ParseLimits.words`)."""


class Cell(Record, frozen=True, kw_only=False, gc=False):
    """A table's cell; its text is the span."""

    row: int
    column: int
    start: int
    end: int
    row_span: int = 1
    column_span: int = 1
    header: bool = False
    box: Box | None = None
    formula: str | None = None
    """What computes the value, for spreadsheets."""
    value: str | None = None
    """The stored value, for spreadsheets, where its number format shows another text: `0.1953` for `19.5%`, ISO 8601
    for dates and times."""
    inner: tuple[Grid, ...] = ()
    """Tables inside the cell, in order; their text is part of its own."""


class Grid(Record, frozen=True, kw_only=True):
    """A table in a cell. The account counts the outer table's cells; these divide one of them."""

    start: int
    end: int
    rows: int
    columns: int
    cells: tuple[Cell, ...]


Integers: TypeAlias = "array[int]"
"""Integers in a text, eight bytes each."""


class Spans(Packed[Span]):
    """Spans, kept as the starts of all and the ends of all."""

    __slots__ = ("ends", "starts")

    def __init__(self, starts: Integers, ends: Integers) -> None:
        if len(starts) != len(ends):
            raise ValueError("columns differ in length")
        self.starts = starts
        self.ends = ends

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self.starts, self.ends)

    def __len__(self) -> int:
        return len(self.starts)


class Special(NamedTuple):
    """How a cell differs from one that is one row high, one column wide and heads nothing."""

    row_span: int
    column_span: int
    header: bool


class Cells(Packed[Cell]):
    """Cells without boxes and inner tables, kept as columns: one for each field, where formulas and values that no
    cell has are none at all, and of the few cells that are special how they are, by their place among all."""

    __slots__ = ("columns", "ends", "formulas", "rows", "special", "starts", "values")

    def __init__(
        self,
        rows: Integers,
        columns: Integers,
        starts: Integers,
        ends: Integers,
        formulas: Sequence[str | None] = (),
        values: Sequence[str | None] = (),
        special: Mapping[int, Special] = MappingProxyType({}),
    ) -> None:
        kept = [rows, columns, starts, ends, *filter(None, (formulas, values))]
        if len(set(map(len, kept))) > 1:
            raise ValueError("columns differ in length")
        self.rows = rows
        self.columns = columns
        self.starts = starts
        self.ends = ends
        self.formulas = formulas
        self.values = values
        self.special = special

    def __iter__(self) -> Iterator[Cell]:
        size = len(self.rows)
        downs, acrosses, headers = [1] * size, [1] * size, [False] * size
        for place, about in self.special.items():
            downs[place], acrosses[place], headers[place] = about
        nothing = [None] * size
        return map(
            Cell,
            self.rows,
            self.columns,
            self.starts,
            self.ends,
            downs,
            acrosses,
            headers,
            nothing,
            self.formulas or nothing,
            self.values or nothing,
        )

    def __len__(self) -> int:
        return len(self.rows)


if TYPE_CHECKING:
    ManyCells = Sequence[Cell]
    ManySpans = Sequence[Span]
else:  # what decoding makes of them
    ManyCells = tuple[Cell, ...]
    ManySpans = tuple[Span, ...]


class Element(Record, frozen=True, kw_only=True):
    """A piece of a page, in reading order. Elements of a page do not overlap."""

    kind: Kind
    start: int
    end: int
    level: int = 0
    """1 for the highest heading; depth for list items."""
    box: Box | None = None
    lines: tuple[Line, ...] = ()
    cells: ManyCells = ()
    rows: int = 0
    columns: int = 0
    ocr: bool = False
    hidden: str = ""
    """Why a person would not see it (white, tiny, off_page, invisible, covered, comment, deleted, moved_away, metadata,
    alternative_text, field_code, replaced by data that a control is bound to), or ''."""


class Image(Record, frozen=True, kw_only=True):
    """A picture on a page, and whether its text was read."""

    box: Box | None
    outcome: str
    """`read` if OCR gave text, else the reason: no_text, too_small, not_decodable, not_read ..."""


class Page(Record, frozen=True, kw_only=True):
    """One page, sheet or frame."""

    number: int
    """1-based."""
    text: str
    width: float = 0.0
    height: float = 0.0
    unit: str = ""
    """`pt` or `px`; '' for formats without a layout."""
    name: str = ""
    """A sheet's name. It is content."""
    hidden: bool = False
    elements: tuple[Element, ...] = ()
    inserted: ManySpans = ()
    dropped: tuple[Drop, ...] = ()
    images: tuple[Image, ...] = ()
    marks: tuple[Mark, ...] = ()
    """In the order of their starts."""
    ocr_confidence: float | None = None
    """Mean word confidence, 0..1, where the page was read by OCR."""
    turned: int = 0
    """Degrees clockwise by which a scan's text stands (0, 90, 180, 270): at 90 its lines run downwards. Boxes are those
    of the page as it is shown, not of the text made upright."""
    unread: str = ""
    """Why nothing could be read of this page (damaged, ocr_failed, blank ...), or ''."""

    def reading(self, start: int, end: int) -> str:
        """The characters of `[start, end)` that are read on: all but the dropped ones."""
        parts: list[str] = []
        at = start
        for drop in self.dropped:
            if drop.end <= at or drop.start >= end:
                continue
            parts.append(self.text[at : max(at, drop.start)])
            at = max(at, min(drop.end, end))
        parts.append(self.text[at:end])
        return "".join(parts)


class Lineage(Record, frozen=True, kw_only=True):
    """Which code read the document; part of the generation."""

    parser: str
    version: str


class Source(Record, frozen=True, kw_only=True):
    """What was read."""

    sha256: str
    mime: str
    size: int


class Document(Record, frozen=True, kw_only=True):
    """The canonical document."""

    source: Source
    lineage: Lineage
    pages: tuple[Page, ...]
    title: str = ""
    metadata: dict[str, str] = {}
    """What the file says of itself (author, subject ...): content, judged and redacted like text."""
    pages_found: int = 0
    """Pages the file has; those not in `pages` could not be opened and are dropped as `missing_page`."""
    notes: tuple[str, ...] = ()
    """Stable names of what was damaged, recovered or left out (recovered_xref, truncated ...): `noted.NOTES`."""


def encode(value: msgspec.Struct) -> bytes:
    """The record's JSON: fields in their order, keys of dictionaries as they were put in."""
    return msgspec.json.encode(value, enc_hook=plain)


def decode_document(data: bytes) -> Document:
    """The inverse of `encode`.

    Raises:
        msgspec.ValidationError: the bytes are no canonical document.
    """
    return msgspec.json.decode(data, type=Document)


class _Leaves(msgspec.Struct, frozen=True):
    """Of a document the pages alone, each as the JSON that it came in."""

    pages: tuple[msgspec.Raw, ...]


class _Number(msgspec.Struct, frozen=True):
    """Of a page its number alone."""

    number: int


def decode_page(data: bytes, number: int) -> Page | None:
    """One page of an encoded document, without making the others: a fifth of the time for 500 pages.

    Args:
        data: the document's JSON.
        number: the page's, 1-based.

    Returns:
        The page; None where the document has none of that number.

    Raises:
        msgspec.ValidationError: the bytes are no canonical document.
    """
    leaves = msgspec.json.decode(data, type=_Leaves).pages
    for leaf in reversed(leaves[: max(number, 0)]):  # numbers rise, so it lies at its place or before it
        found = msgspec.json.decode(leaf, type=_Number).number
        if found <= number:
            return msgspec.json.decode(leaf, type=Page) if found == number else None
    return None


class Finding(Record, frozen=True, kw_only=True):
    """Something a policy gate saw on a page. The characters themselves are never in it."""

    page: int
    start: int
    end: int
    gate: str
    """`pii` or `injection`."""
    kind: str
    """EMAIL, SSN ... for pii; the rule's name for injection."""
    action: str
    """`redact`, `flag`, `block` or `withhold`."""
    rule: str
    confidence: float


class ClearedChunk(Record, frozen=True, kw_only=True):
    """Text that passed the gates, redacted: the only thing that may be embedded, indexed or shown.

    Built by `policy.clear()` and `policy.load_cleared()` alone; a test walks the syntax tree for any other call.
    """

    chunk_id: UUID
    doc_id: UUID
    generation: str
    page: int
    start: int
    end: int
    text: str
    headings: tuple[str, ...]
    """Redacted titles of the sections around it, outermost first."""
    injection_score: float
    pii: tuple[str, ...]
    """Types of PII that were found in it (redacted or flagged)."""
    config_version: int


class Tally(Record, frozen=True, kw_only=True):
    """Counts of one unit."""

    found: int
    indexed: int = 0
    redacted: int = 0
    withheld: int = 0
    dropped: dict[str, int] = {}
    """By reason."""

    @property
    def closes(self) -> bool:
        """found = indexed + redacted + withheld + dropped, none negative."""
        parts = (self.indexed, self.redacted, self.withheld, *self.dropped.values())
        return min(parts) >= 0 and self.found == sum(parts)


class Account(Record, frozen=True, kw_only=True):
    """What became of everything that was found (promise 5). Each tally closes: found = the sum of the others."""

    pages: Tally
    characters: Tally
    cells: Tally
    images: Tally

    @property
    def closes(self) -> bool:
        """Whether every sum is right."""
        return all(t.closes for t in (self.pages, self.characters, self.cells, self.images))
