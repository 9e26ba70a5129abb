"""What the lines of a scan are: headings, paragraphs, list items, cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.document import Box, Kind
from frostbyte.data_plane.parse.image.engine import Word
from frostbyte.data_plane.parse.image.ocr import OcrLine, Scan
from frostbyte.data_plane.parse.image.rules import Ruled
from frostbyte.data_plane.parse.marks import LIST_MARK, NUMBERED_TITLE

_TITLE: Final = 1.22
"""Times the usual height of letters from which a line stands out as a heading."""
_GREAT_TITLE: Final = 1.55
_TITLE_LINES: Final = 3
_TITLE_LENGTH: Final = 160
_BULLET: Final = re.compile(r"^([^\w\s(\"'„“»§$€&/\\#]|[eo0]|[«*¢©®°+»])\s+\S")
"""What Tesseract makes of a bullet: a lonely sign or a small round letter before the item."""
_ITEM: Final = re.compile(r"^\s*\(?\d{1,2}[.)]\s+\S")


@dataclass(slots=True)
class Part:
    """Words of one line, with their place on the upright picture."""

    text: str
    level: Box


@dataclass(slots=True)
class Piece:
    """An element of the page."""

    kind: Kind
    level: int = 0
    lines: list[OcrLine] = field(default_factory=list)
    table: Ruled | None = None
    cells: list[list[Part]] = field(default_factory=list)
    """One list a cell of the table, in its order."""
    bullet: bool = False
    """The first sign of the text is a bullet, whatever it was taken for."""


def arrange(scan: Scan) -> list[Piece]:
    """The legible lines as elements, in reading order."""
    lines = [line for line in scan.lines if line.legible]
    if not lines:
        return []
    pieces: list[Piece] = []
    tables = {id(grid): Piece(Kind.TABLE, table=grid, cells=[[] for _ in grid.places]) for grid in scan.grids}
    written: set[int] = set()
    usual = _usual(lines)
    for line in lines:
        grid = next((entry for entry in scan.grids if _inside(line.level, entry.box)), None)
        if grid is not None:
            if id(grid) not in written:
                written.add(id(grid))
                pieces.append(tables[id(grid)])
            _fill(tables[id(grid)], grid, line)
            continue
        last = pieces[-1] if pieces else None
        if last is None or last.table is not None or _breaks(last.lines[-1], line, usual):
            pieces.append(Piece(Kind.PARAGRAPH, lines=[line]))
        else:
            last.lines.append(line)
    for piece in pieces:
        if piece.table is None:
            _judge(piece, usual)
    _bullets(pieces)
    return pieces


def _usual(lines: list[OcrLine]) -> float:
    """Height of the letters of most of the text."""
    heights = sorted((line.height, len(line.text)) for line in lines)
    half, seen = sum(length for _, length in heights) / 2, 0
    for height, length in heights:
        seen += length
        if seen >= half:
            return height
    return heights[-1][0]


def _breaks(before: OcrLine, line: OcrLine, usual: float) -> bool:
    """Whether a new element begins with the line."""
    if line.paragraph != before.paragraph or LIST_MARK.match(line.text) or _ITEM.match(line.text):
        return True
    if max(line.height, before.height) > 1.15 * min(line.height, before.height) and (
        max(line.height, before.height) >= _TITLE * usual
    ):
        return True
    gap = line.level[1] - before.level[3]
    if gap > 1.2 * usual or line.level[3] < before.level[1]:
        return True
    return _BULLET.match(line.text) is not None and line.text[0] not in "eo0"


def _judge(piece: Piece, usual: float) -> None:
    text = " ".join(line.text for line in piece.lines)
    if LIST_MARK.match(text) or _ITEM.match(text):
        numbered = len(piece.lines) == 1 and NUMBERED_TITLE.match(text) and piece.lines[0].height >= 1.1 * usual
        if not numbered:
            piece.kind, piece.level = Kind.LIST_ITEM, 1
            return
    height = sum(line.height for line in piece.lines) / len(piece.lines)
    letters = sum(character.isalpha() for character in text)
    short = len(piece.lines) <= _TITLE_LINES and len(text) <= _TITLE_LENGTH and letters >= 3
    if not short or letters < 0.5 * len(text.replace(" ", "")):
        return
    if height >= _TITLE * usual:
        piece.kind, piece.level = Kind.HEADING, 1 if height >= _GREAT_TITLE * usual else 2
    elif len(piece.lines) == 1 and NUMBERED_TITLE.match(text) and len(text) <= 80 and text[-1] not in ",:-":
        piece.kind, piece.level = Kind.HEADING, 2


def _bullets(pieces: list[Piece]) -> None:
    """Pieces in a row that begin with the same lonely sign at the same place are a list."""
    run: list[Piece] = []
    for piece in [*pieces, None]:
        mark = _bullet(piece)
        if piece is not None and run and mark and mark == _bullet(run[-1]) and _level(piece, run[-1]):
            run.append(piece)
            continue
        if len(run) >= 2:
            for item in run:
                item.kind, item.level, item.bullet = Kind.LIST_ITEM, 1, True
        run = [piece] if piece is not None and mark else []


def _bullet(piece: Piece | None) -> str:
    if piece is None or piece.table is not None or piece.kind is Kind.HEADING:
        return ""
    match = _BULLET.match(piece.lines[0].text)
    return match[1] if match else ""


def _level(piece: Piece, other: Piece) -> bool:
    first, second = piece.lines[0], other.lines[0]
    return abs(first.level[0] - second.level[0]) <= first.height


def _inside(box: Box, outer: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _fill(piece: Piece, grid: Ruled, line: OcrLine) -> None:
    """Put the words of a line into the cells that they stand in; a cell's words of one line stay together."""
    by_cell: dict[int, list[Word]] = {}
    for word in line.words:
        by_cell.setdefault(_cell(grid, word.box), []).append(word)
    for number, words in by_cell.items():
        box = (
            min(word.box[0] for word in words),
            min(word.box[1] for word in words),
            max(word.box[2] for word in words),
            max(word.box[3] for word in words),
        )
        cell = piece.cells[number]
        cell.append(Part(" ".join(word.text for word in words), box))
        row = max(1.0, 0.6 * line.height)
        cell.sort(key=lambda part: (round((part.level[1] + part.level[3]) / 2 / row), part.level[0]))


def _cell(grid: Ruled, box: Box) -> int:
    """Number of the cell that holds the middle of the box, or of the nearest."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

    def distance(number: int) -> float:
        left, top, right, bottom = grid.places[number].box
        return max(left - x, 0.0, x - right) + max(top - y, 0.0, y - bottom)

    return min(range(len(grid.places)), key=distance)
