"""Tables in plain text: drawn with strokes as in Markdown, with tabs, or aligned by spaces.

What only draws a table (strokes, rules, padding) is dropped as `table_rule`; tabs stand between its cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.document import Cell, Kind
from frostbyte.data_plane.parse.building import PageBuilder

_STROKES: Final = re.compile(
    r"^\s*+\|?+(?:\s*+:?-{2,}+:?\s*+[|+])++\s*+(?::?-{2,}+:?)?+\s*+\|?+\s*+$|^\s*+\+(?:[-=]{2,}+\+)++\s*+$"
)
"""The line below a Markdown header, or between rows of a drawn table."""
_GAP: Final = re.compile(r" {2,}|\t+")
_RULES: Final = re.compile(r"^\s*[-=_]{2,}(?:[ \t]+[-=_]{2,})+\s*$")
_LEAST_ALIGNED: Final = 3
"""Rows of a table that only spaces show: two lines may align by accident."""
_WIDE: Final = 60
"""Characters of a cell of such a table; longer ones are text in two columns."""
_SHORT: Final = 12
"""Lines of a run in which a table is looked for at each line anew."""
_LONGEST: Final = 400
"""Characters of a line of a table that only spaces show."""
_MOST: Final = 2_000
"""Rows of one aligned table that are looked at together."""

Piece = tuple[int, int]
"""Start and end in a line."""


@dataclass(slots=True)
class TextTable:
    """A table found in lines `start` to `end`."""

    lines: list[str]
    end: int
    rows: list[list[Piece] | None]
    """The cells of each line; None for a line that is all rule."""
    header: bool

    def write(self, builder: PageBuilder) -> None:
        """Write the table as one element; line ends between its rows are separators."""
        columns = max(len(row) for row in self.rows if row is not None)
        filled = sum(row is not None for row in self.rows)
        with builder.element(Kind.TABLE, rows=filled, columns=columns, separator="") as table:
            number = 0
            for place, (line, row) in enumerate(zip(self.lines, self.rows, strict=True)):
                if place:
                    builder.insert("\n")
                if row is None:
                    builder.drop(line, "table_rule")
                    continue
                at = 0
                for column, (start, end) in enumerate(row):
                    if start > at:
                        builder.drop(line[at:start], "table_rule")
                    if column:
                        builder.insert("\t")
                    span = builder.found(line[start:end])
                    head = self.header and number == 0
                    table.cells.append(Cell(row=number, column=column, start=span.start, end=span.end, header=head))
                    at = end
                if at < len(line):
                    builder.drop(line[at:], "table_rule")
                number += 1


def find_tables(lines: list[str]) -> dict[int, TextTable]:
    """All tables by the line in which they begin."""
    found: dict[int, TextTable] = {}
    at, no_strokes, no_columns = 0, 0, 0
    while at < len(lines):
        table = None
        if at >= no_strokes:
            table, no_strokes = _stroked(lines, at)
        if table is None:
            table = _tabbed(lines, at)
        if table is None and at >= no_columns:
            table, no_columns = _aligned(lines, at)
        if table is not None:
            found[at] = table
        at = table.end if table is not None else at + 1
    return found


def _stroked(lines: list[str], start: int) -> tuple[TextTable | None, int]:
    """Rows of cells between strokes, with at least one line of dashes among them; and how far that was looked for."""
    if "|" not in lines[start] and not _STROKES.match(lines[start]):
        return None, start + 1
    end = start
    while end < len(lines) and ("|" in lines[end] or _STROKES.match(lines[end])):
        end += 1
    block = lines[start:end]
    rules = [bool(_STROKES.match(line)) for line in block]
    rows = [None if rule else _between(line) for line, rule in zip(block, rules, strict=True)]
    cells = [row for row in rows if row is not None]
    if not any(rules) or not cells or max(map(len, cells)) < 2 or len({len(row) for row in cells}) > 2:
        return None, end
    first = next(number for number, row in enumerate(rows) if row is not None)
    return TextTable(block, end, list(rows), first + 1 < len(rules) and rules[first + 1]), end


def _between(line: str) -> list[Piece]:
    """The cells of a line between strokes, without their padding."""
    strokes = [place for place, sign in enumerate(line) if sign == "|" and line[place - 1 : place] != "\\"]
    inner = line.strip()
    left = 0 if not inner.startswith("|") else strokes.pop(0) + 1
    closed = bool(strokes) and not line[strokes[-1] + 1 :].strip()
    stop = strokes.pop() if closed else len(line)
    borders = [*strokes, stop]
    pieces: list[Piece] = []
    for border in borders:
        pieces.append(_trimmed(line, left, border))
        left = border + 1
    return pieces


def _trimmed(line: str, start: int, end: int) -> Piece:
    text = line[start:end]
    left = len(text) - len(text.lstrip())
    return (start, start) if left == len(text) else (start + left, start + len(text.rstrip()))


def _tabbed(lines: list[str], start: int) -> TextTable | None:
    """Neighbouring lines with as many tabs each."""
    count = lines[start].strip("\n").count("\t")
    if not count or lines[start][:1] == "\t":
        return None
    end = start
    while end < len(lines) and lines[end].count("\t") == count and lines[end][:1] != "\t":
        end += 1
    if end - start < 2:
        return None
    rows: list[list[Piece] | None] = []
    for line in lines[start:end]:
        row: list[Piece] = []
        at = 0
        for part in line.split("\t"):
            row.append((at, at + len(part)))
            at += len(part) + 1
        rows.append(row)
    return TextTable(lines[start:end], end, rows, _heads(lines[start:end], rows))


def _aligned(lines: list[str], start: int) -> tuple[TextTable | None, int]:
    """Lines whose words stand in columns, with gutters through all of them; and how far that was looked for."""
    end = start
    while end < min(len(lines), start + _MOST) and _may_align(lines[end]):
        end += 1
    block = lines[start:end]
    rules = [bool(_RULES.match(line)) for line in block]
    texts = [line for line, rule in zip(block, rules, strict=True) if not rule]
    # A long run is looked at once; in a short one the table may begin some lines further down.
    seen = end if end - start > _SHORT else start + 1
    columns = _columns(texts) if len(texts) >= _LEAST_ALIGNED else []
    if len(columns) < 2:
        return None, seen
    rows: list[list[Piece] | None] = []
    for line, rule in zip(block, rules, strict=True):
        rows.append(None if rule else [_trimmed(line, min(a, len(line)), min(b, len(line))) for a, b in columns])
    filled = [row for row in rows if row is not None]
    full = sum(all(right > left for left, right in row) for row in filled)
    if max(right - left for row in filled for left, right in row) > _WIDE or full < 0.6 * len(texts):
        return None, seen
    below = len(rules) > 1 and rules[1]
    return TextTable(block, end, rows, below or _heads(texts, list(filled))), end


def _may_align(line: str) -> bool:
    if len(line) > _LONGEST:
        return False
    return bool(line.strip()) and "\t" not in line and bool(_GAP.search(line.strip()) or _RULES.match(line))


def _columns(lines: list[str]) -> list[Piece]:
    """Ranges of characters between gutters that run through all lines."""
    width = max(map(len, lines))
    used = bytearray(width + 2)
    for line in lines:
        for match in re.finditer(r"\S+(?: \S+)*", line):
            used[match.start() : match.end()] = b"\x01" * (match.end() - match.start())
    columns: list[Piece] = []
    for run in re.finditer(rb"\x01+(?:\x00\x01+)*", bytes(used)):
        columns.append((run.start(), run.end()))
    return [(start, columns[n + 1][0] if n + 1 < len(columns) else width) for n, (start, _) in enumerate(columns)]


def _heads(lines: list[str], rows: list[list[Piece] | None]) -> bool:
    """Whether the first row names the columns: no digits in it, but in those below."""
    first = rows[0] or []
    top = [lines[0][start:end] for start, end in first]
    below = any(character.isdigit() for line in lines[1:] for character in line)
    return below and all(top) and not any(character.isdigit() for text in top for character in text)
