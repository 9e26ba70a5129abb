"""The quick way through the rows of a worksheet: most have the same shape as the one above.

A row's XML without its values is its shape. Where the shape is known, columns, styles and types of all its cells are
known, too, and only the values are cut out. A shape is compared character by character, so that a row is taken this
way only where the regular expressions of `xlsx_cells` would find the same.
"""

from __future__ import annotations

import re
from itertools import chain, count
from operator import lt
from typing import Final, NamedTuple

from frostbyte.data_plane.parse.office.cell_references import Shared, column_number
from frostbyte.data_plane.parse.office.escapes import unescaped

LAST_ROW: Final = 1_048_576
_SIGNS: Final = "\x00\x01\x02\x03\x04\x05\x06"
"""Signs of ours, which XML never holds: 0 stands for a value, 1 ends one, 2 and 3 stand around a formula, 4 and 5
around an inline text, 6 stands for the row's number."""
_CELL: Final = re.compile(
    r'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>(?:(?<=/>)|(\x02\x00\x03|<f([^>]*)/>)?(\x00\x01|\x04\x00\x05)?</c>)'
)
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_ENOUGH: Final = 64
_RARE: Final = 8
"""Where a sheet has more than `_ENOUGH` shapes, and less than so many rows for each, to learn them does not pay."""
_RUN: Final = 16
"""Rows of one shape, on the average, from which each run of them is given as a chunk of its own."""


class RowOf(NamedTuple):
    """Where the cells of a row stand in a chunk."""

    number: int
    """From 0."""
    hidden: bool
    start: int
    end: int


class Chunk(NamedTuple):
    """The cells of some rows, one behind the other."""

    rows: list[RowOf]
    columns: tuple[int, ...]
    kinds: tuple[str, ...]
    """Attributes of each cell as they are written, but for its place: ` s="3" t="s"`."""
    values: tuple[str, ...]
    """As they are stored, with the entities of XML."""
    formulas: dict[int, dict[int, str]]
    """By row and column, with the `=`."""
    width: int = 0
    """Cells of each row, where all rows have the same columns and kinds; else 0."""


class _Shape(NamedTuple):
    """What rows have in common."""

    pattern: str
    parts: int
    columns: tuple[int, ...]
    kinds: tuple[str, ...]
    takes: tuple[int, ...]
    """Which part each cell's value is, 0 for none."""
    codes: tuple[tuple[int, int], ...]
    """Columns with a formula and which part it is."""
    shared: tuple[tuple[int, dict[str, str]], ...]
    """Columns with a formula that stands elsewhere, and what is said of it."""


class _Run(NamedTuple):
    """Rows of one shape that follow each other."""

    shape: _Shape
    digits: list[str]
    parts: list[str]


class Shapes:
    """The shapes that rows of one sheet have had so far."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._known: dict[str, _Shape] = {}
        self._learned = 0
        self._seen = 0

    def chunks(self, piece: str, number: int) -> list[Chunk] | None:
        """Whole rows behind the row `number`; None where one of them has no plain shape."""
        if self._learned > max(_ENOUGH, self._seen // _RARE) or any(map(piece.__contains__, _SIGNS)):
            return None
        piece = piece.replace("</v>", "<v>\x01")
        if "<f>" in piece:
            piece = piece.replace("<f>", "\x02<v>").replace("</f>", "<v>\x03")
        if "<is>" in piece:
            piece = piece.replace("<is><t>", "\x04<v>").replace("</t></is>", "<v>\x05")
        runs = self._runs(piece)
        digits = [text for run in runs or () for text in run.digits]
        if not runs or not all(map(str.isdigit, digits)) or not "".join(digits).isascii() or max(map(len, digits)) > 7:
            return None
        numbers = [int(text) - 1 for text in digits]
        if numbers[0] <= number or numbers[-1] >= LAST_ROW or not all(map(lt, numbers, numbers[1:])):
            return None
        self._seen += len(numbers)
        chunks = []
        for run in runs:
            chunks.append(self._chunk(run, numbers[: len(run.digits)]))
            del numbers[: len(run.digits)]
        return chunks if len(chunks) * _RUN <= len(digits) else [_together(chunks)]

    def _runs(self, piece: str) -> list[_Run] | None:
        *rows, rest = piece.split("</row>")
        if rest.strip() or "hidden=" in piece:
            return None
        runs: list[_Run] = []
        pattern, shape = "", None
        for row in rows:
            head, _, cells = row.partition(">")
            while head.endswith("/"):
                head, _, cells = cells.partition(">")
            if not head.lstrip().startswith('<row r="'):
                return None
            if not cells:
                continue
            digits = head.split('"', 2)[1]
            found = cells.split("<v>")
            text = "\x00".join(found[::2])
            if not digits or pattern.replace("\x06", digits) != text:
                shape = self._shape(text, digits)
                if shape is None:
                    return None
                pattern = shape.pattern
                runs.append(_Run(shape, [], []))
            runs[-1].digits.append(digits)
            runs[-1].parts.extend(found)
            runs[-1].parts.append("")  # so that each second one, in all rows, lies between two signs
        # Between the signs stands nothing but text: a tag there would be no plain cell.
        return None if any("<" in "".join(run.parts[1::2]) for run in runs) else runs

    def _shape(self, text: str, digits: str) -> _Shape | None:
        key = text.replace(f'{digits}"', '"')
        shape = self._known.get(key)
        if shape is None or shape.pattern.replace("\x06", digits) != text:
            self._learned += 1
            shape = _learned(text, digits)
            if shape is not None and len(self._known) < _ENOUGH * _ENOUGH:
                self._known[key] = shape
        return shape

    def _chunk(self, run: _Run, numbers: list[int]) -> Chunk:
        shape, parts, rows = run.shape, run.parts, len(numbers)
        width = len(shape.columns)
        values = [""] * (width * rows)
        for place, take in enumerate(shape.takes):
            if take:
                values[place::width] = parts[take :: shape.parts]
        formulas: dict[int, dict[int, str]] = {}
        for column, part in shape.codes:
            for row, code in zip(numbers, parts[part :: shape.parts], strict=True):
                if code:
                    formulas.setdefault(row, {})[column] = f"={unescaped(code)}"
        for row in numbers if shape.shared else ():
            for column, about in shape.shared:
                if formula := self._shared.formula(about, "", row, column):
                    formulas.setdefault(row, {})[column] = formula
        places = [RowOf(row, False, at, at + width) for row, at in zip(numbers, count(0, width), strict=False)]
        return Chunk(places, shape.columns * rows, shape.kinds * rows, tuple(values), formulas, width)


def _learned(text: str, digits: str) -> _Shape | None:
    """The shape of a row, or None if it is more than plain cells."""
    cells = _CELL.findall(text)
    if not cells or _CELL.sub("", text).strip() or any(cell[1] != digits for cell in cells):
        return None
    takes: list[int] = []
    codes: list[tuple[int, int]] = []
    shared: list[tuple[int, dict[str, str]]] = []
    columns = tuple(column_number(cell[0]) for cell in cells)
    part = 1
    for column, (_, _, _, formula, about, value) in zip(columns, cells, strict=True):
        if formula.startswith("\x02"):
            codes.append((column, part))
            part += 2
        elif formula:
            shared.append((column, dict(_ATTRIBUTE.findall(about))))
        takes.append(part if value else 0)
        part += 2 * bool(value)
    return _Shape(
        pattern=re.sub(f'(<c r="[A-Z]{{1,3}}){digits}"', '\\1\x06"', text),
        parts=part + 1,
        columns=columns,
        kinds=tuple(cell[2] for cell in cells),
        takes=tuple(takes),
        codes=tuple(codes),
        shared=tuple(shared),
    )


def _together(chunks: list[Chunk]) -> Chunk:
    """Chunks as one."""
    rows, at, formulas = list[RowOf](), 0, dict[int, dict[int, str]]()
    for chunk in chunks:
        rows += [RowOf(row.number, False, at + row.start, at + row.end) for row in chunk.rows]
        at += len(chunk.values)
        formulas |= chunk.formulas
    columns = tuple(chain.from_iterable([chunk.columns for chunk in chunks]))
    kinds = tuple(chain.from_iterable([chunk.kinds for chunk in chunks]))
    values = tuple(chain.from_iterable([chunk.values for chunk in chunks]))
    return Chunk(rows, columns, kinds, values, formulas)
