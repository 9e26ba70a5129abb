"""What the lines of a scan are: headings, paragraphs, list items, cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from frostbyte.data_plane.document import Box, Kind
from frostbyte.data_plane.parse.image.engine import Word
from frostbyte.data_plane.parse.image.ocr import OcrLine, Scan
from frostbyte.data_plane.parse.image.rules import Place, Ruled
from frostbyte.data_plane.parse.marks import LIST_MARK, NUMBERED_TITLE

_TITLE: Final = 1.22
"""Times the usual height of letters from which a line stands out as a heading."""
_GREAT_TITLE: Final = 1.55
_SMALL_TITLE: Final = 1.1
"""The same for a few words that stand alone and end without a point."""
_TITLE_WORDS: Final = 8
_EDGE: Final = 0.09
"""Part of the page's height at top and bottom where page numbers stand."""
_PAGE_NUMBER: Final = re.compile(
    r"^(?:(?:page|seite|s\.|p\.)\s*)?[-–]?\s*\d{1,4}\s*[-–]?(?:\s*(?:of|von|/)\s*\d{1,4})?$", re.IGNORECASE
)
_TITLE_LINES: Final = 3
_TITLE_LENGTH: Final = 160
_BULLET: Final = re.compile(r"^([^\w\s(\"'„“§$€&/\\#]{1,2}e?|[eo0])\s+\S")
"""What Tesseract makes of a bullet: a lonely sign or a small round letter before the item."""
_BARE_NUMBER: Final = re.compile(r"^\s*\d{1,2}\s")
_RULE_SIGNS: Final = "|¦[]_"
"""What Tesseract makes of the rules of a table."""
_GAP: Final = 1.3
"""Times the height of letters from which white space parts cells, not words."""
_LEAST_ROWS: Final = 3
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
    kept: set[int] = field(default_factory=set)
    """Numbers of the lines that end before the column does, though the next word would have fitted (an address)."""
    bullet: bool = False
    """The first sign of the text is a bullet, whatever it was taken for."""


def arrange(scan: Scan) -> list[Piece]:
    """The legible lines as elements, in reading order."""
    lines = [line for line in scan.lines if line.legible]
    if not lines:
        return []
    pieces: list[Piece] = []
    usual = _usual(lines)
    free = [line for line in lines if not any(_inside(line.level, grid.box) for grid in scan.grids)]
    grids = [*scan.grids, *_loose(free, usual)]
    tables = {id(grid): Piece(Kind.TABLE, table=grid, cells=[[] for _ in grid.places]) for grid in grids}
    written: set[int] = set()
    for line in lines:
        grid = next((entry for entry in grids if _inside(line.level, entry.box)), None)
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
            _edge(piece, scan.height)
            if piece.kind is not Kind.HEADING:
                _keep_breaks(piece, free)
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
    if LIST_MARK.match(line.text) or _ITEM.match(line.text):
        return True
    if line.paragraph != before.paragraph and not _goes_on(before, line):
        return True
    if max(line.height, before.height) > 1.15 * min(line.height, before.height) and (
        max(line.height, before.height) >= _TITLE * usual
    ):
        return True
    gap = line.level[1] - before.level[3]
    if gap > 1.2 * usual or line.level[3] < before.level[1]:
        return True
    return _BULLET.match(line.text) is not None and line.text[0] not in "eo0"


def _goes_on(before: OcrLine, line: OcrLine) -> bool:
    """Whether a sentence runs on over what Tesseract took for the end of a paragraph."""
    if _BULLET.match(line.text):
        return False
    level = abs(before.level[0] - line.level[0]) <= before.height
    return level and line.text[0].islower() and before.text[-1] not in ".!?:;" and len(line.text.split()) > 1


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
    elif len(piece.lines) == 1 and _is_small_title(text, height / usual):
        piece.kind, piece.level = Kind.HEADING, 2


def _is_small_title(text: str, ratio: float) -> bool:
    if ratio >= _SMALL_TITLE and _stands_alone(text):
        return True
    numbered = NUMBERED_TITLE.match(text) is not None and not _BARE_NUMBER.match(text)
    return numbered and len(text) <= 80 and text[-1] not in ",:-"


def _stands_alone(text: str) -> bool:
    return len(text.split()) <= _TITLE_WORDS and text[0].isupper() and text[-1] not in ".,;:!?-"


def _edge(piece: Piece, height: int) -> None:
    """A page number at the edge of the page is no text."""
    text = " ".join(line.text for line in piece.lines)
    if len(piece.lines) == 1 and height and _PAGE_NUMBER.match(text):
        if piece.lines[0].level[1] > (1 - _EDGE) * height:
            piece.kind, piece.level = Kind.FOOTER, 0
        elif piece.lines[0].level[3] < _EDGE * height:
            piece.kind, piece.level = Kind.HEADER, 0


def _keep_breaks(piece: Piece, lines: list[OcrLine]) -> None:
    for number, (line, after) in enumerate(pairwise(piece.lines)):
        left, right = line.level[0], line.level[2]
        edge = max(other.level[2] for other in lines if abs(other.level[0] - left) <= 3 * line.height)
        word = after.words[0].box[2] - after.words[0].box[0]
        if edge - right > word + line.height + 0.05 * (edge - left):
            piece.kept.add(number)


def _bullets(pieces: list[Piece]) -> None:
    """Pieces in a row that begin with the same lonely sign at the same place are a list."""
    run: list[Piece] = []
    for piece in [*pieces, None]:
        mark = _bullet(piece)
        if piece is not None and run and mark and _level(piece, run[-1]):
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


def _loose(lines: list[OcrLine], usual: float) -> list[Ruled]:
    """Tables without rules: rows one below the other whose wide gaps leave the same columns white."""
    found: list[Ruled] = []
    run: list[list[Box]] = []
    for line in [*lines, None]:
        parts = _parted(line) if line is not None else []
        if run and parts:
            gap = parts[0][1] - run[-1][0][3]
            if len(parts) > 1 and -0.5 * usual <= gap <= 2.5 * usual:
                run.append(parts)
                continue
        if len(run) >= _LEAST_ROWS and (grid := _columns(run)) is not None:
            found.append(grid)
        run = [parts] if len(parts) > 1 else []
    return found


def _parted(line: OcrLine) -> list[Box]:
    """Boxes of the line's words, those that stand close together as one."""
    parts: list[Box] = []
    for word in line.words:
        box = word.box
        if not word.text.strip(_RULE_SIGNS):
            continue
        if parts and box[0] - parts[-1][2] < _GAP * line.height:
            last = parts[-1]
            parts[-1] = (min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3]))
        else:
            parts.append(box)
    return parts


def _columns(run: list[list[Box]]) -> Ruled | None:
    """The table of rows that are parted alike; None if no gap runs through all of them."""
    columns: list[list[float]] = []
    for left, right in sorted((box[0], box[2]) for row in run for box in row):
        if columns and left <= columns[-1][1]:
            columns[-1][1] = max(columns[-1][1], right)
        else:
            columns.append([left, right])
    if len(columns) < 2:
        return None
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(columns)]
    xs = [columns[0][0], *middles, columns[-1][1]]
    tops = [min(box[1] for box in row) for row in run]
    bottoms = [max(box[3] for box in row) for row in run]
    ys = [tops[0], *((bottom + top) / 2 for bottom, top in zip(bottoms, tops[1:], strict=False)), bottoms[-1]]
    places = tuple(
        Place(row, column, 1, 1, (xs[column], ys[row], xs[column + 1], ys[row + 1]))
        for row in range(len(run))
        for column in range(len(columns))
    )
    return Ruled((xs[0], ys[0], xs[-1], ys[-1]), len(run), len(columns), places)


def _inside(box: Box, outer: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _fill(piece: Piece, grid: Ruled, line: OcrLine) -> None:
    """Put the words of a line into the cells that they stand in; a cell's words of one line stay together."""
    by_cell: dict[int, list[Word]] = {}
    words = [word for word in line.words if word.text.strip(_RULE_SIGNS)]
    for word in words:
        by_cell.setdefault(_cell(grid, word.box), []).append(word)
    for number, words in by_cell.items():
        box = (
            min(word.box[0] for word in words),
            min(word.box[1] for word in words),
            max(word.box[2] for word in words),
            max(word.box[3] for word in words),
        )
        cell = piece.cells[number]
        text = " ".join(word.text for word in words)
        cell.append(Part(text.removeprefix("|").removesuffix("|"), box))
        row = max(1.0, 0.6 * line.height)
        cell.sort(key=lambda part: (round((part.level[1] + part.level[3]) / 2 / row), part.level[0]))


def _cell(grid: Ruled, box: Box) -> int:
    """Number of the cell that holds the middle of the box, or of the nearest."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

    def distance(number: int) -> float:
        left, top, right, bottom = grid.places[number].box
        return max(left - x, 0.0, x - right) + max(top - y, 0.0, y - bottom)

    return min(range(len(grid.places)), key=distance)
