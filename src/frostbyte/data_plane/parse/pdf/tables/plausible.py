"""Whether what is aligned is a table: prose, lists, forms, addresses, contents and listings only look like one."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from frostbyte.data_plane.parse.pdf.tables.columns import Column, is_number
from frostbyte.data_plane.parse.pdf.tables.segments import Segment, TextLine, is_mark, pitch_of
from frostbyte.data_plane.parse.pdf.text import PageText

_LEADERS: Final = re.compile(r"(?:\s?[.·…_]){5,}")
_SECTION: Final = re.compile(r"^(?:\d+(?:\.\d+)*\.?|[A-Z](?:\.\d+)*\.?|[ivxlc]+)$")
_INDEX_ENTRY: Final = re.compile(r"[^\d\W].*,\s*\d{1,4}(?:\s*[,–-]\s*\d{1,4})*$")
_EQUATION: Final = re.compile(r"^\(\d+(?:\.\d+)*[a-z]?\)$")
_SIGN: Final = re.compile(r"^[^\w\s\"'“”„%€$£–—-]+$|[=≤≥∑∏∫√∈∞∂∀∃≈≠⊤⊥\ue000-\uf8ff]")
"""Pieces that are nothing but signs, or hold those of formulas."""
_SIZES: Final = 0.12
"""Part by which type sizes of one table differ."""
_OFF_GRID: Final = 0.12
"""Widths of a character by which typewriter text stands off its grid."""
_TIGHT: Final = 0.34
"""White in em between lines that are set as one text; rows of a table without rules stand further apart."""
_LONG_CELL: Final = 60
"""Characters of a cell in a table of two rows, at most."""
_FILLED: Final = 0.45
"""Part of the cells that hold text in a table without rules, at least."""


@dataclass(slots=True)
class Layout:
    """A table as it would be."""

    rows: list[list[TextLine]]
    columns: list[Column]
    head: int
    crossing: int
    framed: bool
    """Between rules of its width."""
    striped: bool
    white: float
    """Median white between rows in em."""


def plausible(layout: Layout) -> bool:
    """Whether it is a table."""
    rows, columns = layout.rows, layout.columns
    if len(rows) < 2 or len(columns) < 2:
        return False
    texts = _texts(layout)
    flat = [text for row in texts for text in row if text]
    if sum(_LEADERS.search(text) is not None for text in flat) >= 2:
        return False
    filled = len(flat) / (len(rows) * len(columns))
    if _is_prose(layout) or filled < 0.25 or _is_index(flat):
        return False
    if layout.framed or layout.striped:
        return True
    if filled < _FILLED or layout.crossing > max(1, len(rows) // 4) or _is_equation(texts):
        return False
    if _is_list(texts) or _is_form(texts) or _is_contents(texts, layout):
        return False
    numeric = sum(_share(texts, n, layout.head) >= 0.5 for n in range(len(columns)))
    if len(rows) == 2:
        strong = all(line.bold for line in rows[0]) and not any(line.bold for line in rows[1])
        short = len(flat) >= 1.5 * len(columns) and max(map(len, flat)) < _LONG_CELL
        return layout.head == 1 and (numeric > 0 or strong) and len(columns) > 2 and short
    if numeric:
        return True
    if len(columns) == 2 or len(rows) < 3:
        wrapped = sum(len(row) > 1 for row in rows)
        return layout.white >= _TIGHT and (layout.head > 0 or layout.white >= 0.6 or wrapped >= 2)
    return layout.white >= _TIGHT or layout.head > 0


def _texts(layout: Layout) -> list[list[str]]:
    table: list[list[str]] = []
    for row in layout.rows:
        cells = [""] * len(layout.columns)
        for line in row:
            for segment in line.segments:
                cells[segment.first] = f"{cells[segment.first]} {segment.text}".strip()
        table.append(cells)
    return table


def _share(texts: list[list[str]], number: int, head: int) -> float:
    """The part of a column's cells that are numbers."""
    cells = [row[number] for row in texts[head:] if row[number]]
    return sum(map(is_number, cells)) / len(cells) if cells else 0.0


def _is_prose(layout: Layout) -> bool:
    """Whether two columns of running text stand beside each other."""
    lines = [line for row in layout.rows for line in row]
    letters = [len(s.text) for line in lines for s in line.segments]
    if len(layout.columns) <= 3 and len(lines) > 4 and sum(letters) / max(1, len(letters)) > 42:
        return True
    long = sum(len(line.segments) == 1 and len(line.segments[0].text) > 45 for line in lines)
    return not layout.framed and long > 0.4 * len(lines)


def apart(lines: list[TextLine], text: PageText) -> bool:
    """Whether pieces stand apart for another reason than being cells: formulas, typewriter text."""
    segments = [segment for line in lines for segment in line.segments]
    sizes = sorted(segment.size for segment in segments)
    usual = sizes[len(sizes) // 2]
    mixed = sum(abs(size - usual) > _SIZES * usual for size in sizes) > 0.2 * len(sizes)
    if mixed and any(
        max(s.size for s in line.segments) - min(s.size for s in line.segments) > _SIZES * line.size for line in lines
    ):
        return True
    signs = sum(_SIGN.search(segment.text) is not None for segment in segments)
    return signs >= 0.2 * len(segments) or _is_listing(segments, text)


def _is_equation(texts: list[list[str]]) -> bool:
    """Whether the last column holds nothing but the number of an equation or two."""
    last = [row[-1] for row in texts if row[-1]]
    return len(last) <= 2 and any(map(_EQUATION.match, last))


def _is_listing(segments: list[Segment], text: PageText) -> bool:
    """Whether it is typewriter text set in one piece: all of it stands on one grid of character widths."""
    pitches: dict[tuple[str, float], float] = {}
    for segment in reversed(segments):
        run = segment.run
        if len(run.text) > 5 and (run.font, run.size) not in pitches:
            pitches[run.font, run.size] = segment.pitch or pitch_of(run, text)
    fixed = [s for s in segments if pitches.get((s.run.font, s.run.size))]
    if len(fixed) < 0.7 * len(segments):
        return False
    pitch = pitches[fixed[0].run.font, fixed[0].run.size]
    origin = min(s.left for s in fixed)
    steps = [(s.left - origin) / pitch for s in fixed]
    return sum(abs(step - round(step)) <= _OFF_GRID for step in steps) >= 0.8 * len(fixed)


def _is_list(texts: list[list[str]]) -> bool:
    """Whether the first of two columns holds nothing but bullets, numbers of items or of lines."""
    first = [row[0] for row in texts if row[0]]
    if len(texts[0]) != 2 or not first:
        return False
    if all(map(str.isdigit, first)):
        return all(int(b) - int(a) == 1 for a, b in pairwise(first))
    return sum(map(is_mark, first)) >= 0.8 * len(first)


def _is_form(texts: list[list[str]]) -> bool:
    """Whether labels that end in a colon stand before values."""
    first = [row[0] for row in texts if row[0]]
    return bool(first) and len(texts[0]) <= 4 and sum(t.endswith(":") for t in first) >= 0.6 * len(first)


def _is_contents(texts: list[list[str]], layout: Layout) -> bool:
    """Whether titles stand before page numbers that rise."""
    pages = [row[-1] for row in texts if row[-1]]
    if len(pages) < (2 if len(layout.columns) == 2 else 4) or not all(t.isdigit() for t in pages):
        return False
    numbers = [int(t) for t in pages]
    rises = all(a <= b for a, b in itertools.pairwise(numbers))
    first = [row[0] for row in texts if row[0]]
    sections = sum(_SECTION.match(t.split()[0]) is not None for t in first) >= 0.4 * len(first)
    return rises and (sections or len(layout.columns) == 2) and not (layout.head and texts[0][-1])


def _is_index(flat: list[str]) -> bool:
    """Whether most cells are words with page numbers."""
    return sum(_INDEX_ENTRY.search(text) is not None for text in flat) >= 0.5 * len(flat)
