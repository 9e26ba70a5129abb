"""TXT and CSV: which encoding, which dialect, which shape."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import Final

from charset_normalizer import from_bytes

from frostbyte.data_plane.document import Cell, Kind, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_cells
from frostbyte.data_plane.parse.marks import LIST_MARK, NUMBERED_TITLE
from frostbyte.kernel.errors import StageFailed

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE: Final = 65_536
_DELIMITERS: Final = ",;\t|"
_CANDIDATES: Final = ["cp1252", "mac_roman", "cp850", "utf_16_le", "utf_16_be"]
_LINE_END: Final = re.compile("\r\n|\r|\n|\u2028|\u2029|\x85")


def decode(data: bytes, limits: ParseLimits) -> tuple[str, tuple[str, ...]]:
    """Text of the bytes, and notes on how it was found.

    A byte-order mark decides; else strict UTF-8; else the best guess among the encodings of English and German
    texts. Bytes without meaning in a declared encoding become U+FFFD and are noted.

    Raises:
        StageFailed: `text_too_large`.
    """
    text, notes = _decode(data)
    if len(text) > limits.max_characters:
        raise StageFailed(
            "text_too_large",
            f"The text has {len(text)} characters; at most {limits.max_characters} are read.",
            "Split it into smaller files.",
        )
    return text, notes


def _decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, name in _BOMS:
        if data.startswith(mark):
            body = data[len(mark) :]
            try:
                return body.decode(name), ()
            except UnicodeDecodeError:
                return body.decode(name, "replace"), ("undecodable_bytes",)
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        best = from_bytes(data[: 4 * _SAMPLE], cp_isolation=_CANDIDATES).best()
    name = best.encoding if best is not None else "cp1252"
    text = data.decode(name, "replace")
    notes = (f"encoding_guessed_{name}",)
    return text, (*notes, "undecodable_bytes") if "\ufffd" in text else notes


def text_page(text: str) -> Page:
    """The page of a plain text: paragraphs at blank lines, headings and list items by their shape."""
    builder = PageBuilder()
    lines = _LINE_END.split(text)
    pending: list[str] = []
    for index, line in enumerate(lines):
        blank = not line.strip()
        if pending and (blank or _begins(line, pending)):
            _paragraph(builder, pending, alone=blank)
            pending = []
        if blank:
            builder.insert(line)
        else:
            pending.append(line)
            if _underlined(pending):
                _paragraph(builder, pending, alone=True, last=True)
                pending = []
        if index + 1 < len(lines) and not pending:
            builder.insert("\n")
    if pending:
        _paragraph(builder, pending, alone=True, last=True)
    return builder.page(1)


def _begins(line: str, pending: list[str]) -> bool:
    """Whether `line` begins something new right below `pending`."""
    if LIST_MARK.match(line) or NUMBERED_TITLE.match(line):
        return True
    return _heading_level(pending, alone=False) > 0 and not _RULE.match(line)


_RULE: Final = re.compile(r"^\s*([=\-~_*])\1{2,}\s*$")
_MARKDOWN: Final = re.compile(r"^(#{1,6})\s+\S")


def _underlined(pending: list[str]) -> bool:
    return len(pending) == 2 and bool(_RULE.match(pending[1])) and len(pending[0]) < 120


def _heading_level(lines: list[str], *, alone: bool) -> int:
    """The level that these lines have as a heading, or 0."""
    first = lines[0].strip()
    if _underlined(lines):
        return 1 if lines[1].lstrip().startswith("=") else 2
    if len(lines) > 1:
        return 0
    if mark := _MARKDOWN.match(lines[0]):
        return len(mark.group(1))
    if len(first) > 100 or first[-1:] in ".,;:" or lines[0][:1].isspace():
        return 0
    if NUMBERED_TITLE.match(first):
        number = first.split()[0].rstrip(".)")
        return min(6, 1 + number.count("."))
    letters = [c for c in first if c.isalpha()]
    if len(letters) >= 4 and first.upper() == first and alone | (len(first.split()) <= 8):
        return 1
    return 0


def _paragraph(builder: PageBuilder, lines: list[str], *, alone: bool, last: bool = False) -> None:
    """Write the lines; their own line ends are the separators, so nothing is put before the element.

    `last`: the end of the last line is not this function's to write.
    """
    level = _heading_level(lines, alone=alone)
    if level:
        kind = Kind.HEADING
    elif LIST_MARK.match(lines[0]):
        kind, level = Kind.LIST_ITEM, 1
    else:
        kind = Kind.PARAGRAPH
    with builder.element(kind, level=level, separator=""):
        for index, line in enumerate(lines):
            if index:
                builder.insert("\n")
            builder.found(line)
    if not last:
        builder.insert("\n")


def csv_page(text: str, limits: ParseLimits) -> tuple[Page, tuple[str, ...]]:
    """The page of a CSV: one table, or plain text (noted) where the lines do not have the shape of a table.

    Raises:
        StageFailed: `too_many_cells`.
    """
    rows = _rows(text)
    if rows is None:
        return text_page(text), ("no_table_shape",)
    notes: tuple[str, ...] = ()
    width = max(len(row) for row in rows)
    if len({len(row) for row in rows}) > 1:
        notes = ("ragged_rows",)
    if len(rows) * width > limits.max_cells:
        raise too_many_cells(limits.max_cells)
    header = _has_header(rows)
    builder = PageBuilder()
    with builder.element(Kind.TABLE, rows=len(rows), columns=width) as table:
        for number, row in enumerate(rows):
            if number:
                builder.insert("\n")
            for column, value in enumerate(row):
                if column:
                    builder.insert("\t")
                span = builder.found(value)
                table.cells.append(
                    Cell(row=number, column=column, start=span.start, end=span.end, header=header and number == 0)
                )
    return builder.page(1), notes


def _rows(text: str) -> list[list[str]] | None:
    sample = text[:_SAMPLE]
    best: list[list[str]] | None = None
    try:
        first = csv.Sniffer().sniff(sample, _DELIMITERS).delimiter
    except csv.Error:
        first = ""
    csv.field_size_limit(2**31 - 1)
    for delimiter in dict.fromkeys([first, *_DELIMITERS]):
        if not delimiter:
            continue
        rows = [row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        if _shape(rows):
            best = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
            break
    return best or None


def _shape(rows: list[list[str]]) -> bool:
    """Whether most rows have the same number of columns, at least two. A sniffer calls prose a table too."""
    if not rows:
        return False
    widths = [len(row) for row in rows[:200]]
    usual = max(set(widths), key=lambda width: (widths.count(width), width))
    return usual >= 2 and widths.count(usual) >= 0.6 * len(widths)


_NUMBER: Final = re.compile(r"^[\s€$£]*[-+]?[\d.,\s]+%?[\s€$£]*$")


def _has_header(rows: list[list[str]]) -> bool:
    """The first row names the columns: all filled, none a number, and something below."""
    first = rows[0]
    return len(rows) > 1 and all(value.strip() and not _NUMBER.match(value) for value in first)
