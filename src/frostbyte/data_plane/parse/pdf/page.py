"""One PDF page: what stands on it, in order, and its canonical text.

The text depends on the page alone, never on the rest of the document, so that a page can be read again by itself to
find the place of every character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import pypdfium2 as pdfium

from frostbyte.data_plane.document import Box, Cell, Drop, Element, Image, Kind, Line, Page, Word
from frostbyte.data_plane.parse.building import PageBuilder, union
from frostbyte.data_plane.parse.image.ahead import ReadAhead
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.marks import hyphen_joins, spaced
from frostbyte.data_plane.parse.pdf.drawing import read_drawing
from frostbyte.data_plane.parse.pdf.grouping import Block, blocks, breaks_early, list_levels
from frostbyte.data_plane.parse.pdf.layout import cut_at_gutters, reading_order
from frostbyte.data_plane.parse.pdf.notes import PageNote, untold
from frostbyte.data_plane.parse.pdf.scans import (
    Reading,
    confidence,
    hide_unseen,
    is_written_over,
    read_pictures,
    read_scan,
    turned,
    write_readings,
)
from frostbyte.data_plane.parse.pdf.style import SLANTED
from frostbyte.data_plane.parse.pdf.tables import Grid, GridCell, find_tables
from frostbyte.data_plane.parse.pdf.text import Frame, PageText, Picture, Run

_SCAN_SHARE: Final = 0.6
"""Part of the page that an image covers from which invisible text over it is the text layer of a scan."""


@dataclass(slots=True)
class Draft:
    """A page before the document decides what its blocks are."""

    number: int
    width: float
    height: float
    blocks: list[Block | Grid]
    pictures: list[tuple[Picture, str]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    notes: list[PageNote] = field(default_factory=list)
    stamped: bool = False
    """A scan that was read as a whole, with some text of its own over it."""
    garbled: bool = False
    """The text is of glyphs that do not say what they are: what its picture shows is read in its place."""
    outlined: bool = False
    """Some of what is drawn beside the text may be letters."""
    scanned: bool = False
    """The text is the layer that some other OCR put over a scan."""
    unread: str = ""
    roles: dict[int, tuple[Kind, int]] = field(default_factory=dict)
    """Kind and level by block number; the rest are paragraphs, list items and tables."""
    repeats: dict[int, str] = field(default_factory=dict)
    """Block numbers that repeat on other pages, and the reason to drop them."""


@dataclass(slots=True)
class Layout:
    """A page's text in reading order, while PDFium still holds it."""

    draft: Draft
    frame: Frame
    text: PageText
    runs: list[Run]
    pictures: list[Picture]
    outlines: int
    """Shapes on the page that may be letters."""


@contextmanager
def laid_out(page: pdfium.PdfPage, number: int, off: frozenset[str], *, words: bool = False) -> Iterator[Layout]:
    """The text layer of an open page, without OCR; with the place of each word if asked.

    Args:
        page: the page, as `shown_page` opened it.
        number: its own, from 1.
        off: names of layers that are not shown.
        words: whether the place of each word is wanted.
    """
    frame = Frame(page)
    drawing = read_drawing(page, frame, off)
    text = PageText(page, frame, drawing)
    try:
        runs = text.runs()
        if off:
            hide_unseen(page, runs)
        scanned = _is_layer(runs, drawing.pictures, frame)
        if scanned:
            for run in runs:
                if run.hidden in _LAYERED:
                    run.hidden, run.layer = "", True
        straight = [run for run in runs if run.turn != SLANTED] if text.slanted else runs
        grids, rest = find_tables(drawing, straight, text)
        items = blocks(reading_order([*cut_at_gutters(rest, text), *grids]))
        if text.slanted:  # across the page, over its lines, which it would part
            items += blocks(reading_order([run for run in runs if run.turn == SLANTED]))
        if words:
            _locate_words(items, text)
        draft = Draft(number=number, width=frame.width, height=frame.height, blocks=items, scanned=scanned)
        draft.garbled = text.garbled
        yield Layout(draft, frame, text, runs, drawing.pictures, drawing.outlines)
    finally:
        text.close()


def read_page(
    page: pdfium.PdfPage,
    number: int,
    limits: ParseLimits,
    ahead: ReadAhead,
    notes: list[PageNote],
    off: frozenset[str],
) -> Draft:
    """Read a page as `shown_page` opened it, by OCR where it has no text of its own: `finish_scans` ends that."""
    with laid_out(page, number, off, words=limits.words) as layout:
        draft, runs, pictures = layout.draft, layout.runs, layout.pictures
    if notes:
        draft.notes = untold(notes, runs)
    if draft.garbled:
        read_scan(page, draft, pictures, [], limits, ahead)
    elif any(not run.hidden for run in runs) and not _is_stamped(draft, pictures, runs):
        draft.outlined = layout.outlines >= _MANY
        read_pictures(page, draft, pictures, runs, limits, ahead)
    elif page_has_ink(page):
        read_scan(page, draft, pictures, runs, limits, ahead)
    elif not runs and not draft.notes:
        draft.unread = "blank"
    return draft


def _locate_words(items: list[Block | Grid], text: PageText) -> None:
    for item in items:
        runs = item.runs if isinstance(item, Block) else [run for cell in item.cells for run in cell.runs]
        for run in runs:
            text.locate_words(run)


def page_has_ink(page: pdfium.PdfPage) -> bool:
    """Whether anything at all is drawn on the page."""
    return next(iter(page.get_objects(max_depth=1)), None) is not None


def _is_layer(runs: list[Run], pictures: list[Picture], frame: Frame) -> bool:
    """Whether the text is the layer over a scan, but for what was stamped on it (numbers of pages, who signed)."""
    if not pictures or not runs or not _is_pictured(pictures, frame.width, frame.height):
        return False
    layer = sum(len(run.text) for run in runs if run.hidden in _LAYERED)
    return layer > 0 and layer >= _STAMPED * sum(len(run.text) for run in runs if not run.hidden)


def _is_pictured(pictures: list[Picture], width: float, height: float) -> bool:
    """Whether pictures cover the page: one, or the strips in which many scanners write it."""
    return sum(_area(picture.box) for picture in pictures) >= _SCAN_SHARE * max(1.0, width * height)


def _is_stamped(draft: Draft, pictures: list[Picture], runs: list[Run]) -> bool:
    """Whether the page is a scan without a text layer on which little has been written."""
    if not pictures or draft.scanned or not _is_pictured(pictures, draft.width, draft.height):
        return False
    return not is_written_over([(0.0, 0.0, draft.width, draft.height)], runs)


_MANY: Final = 20
"""Shapes like letters on a page that are told of."""
_STAMPED: Final = 4
"""Characters of a scan's text layer to one that is seen, from which it is a layer."""
_LAYERED: Final = frozenset({"invisible", "covered"})
"""What hides the text layer of a scan: OCR programs write it without ink, or under the picture."""

Origin = Callable[[int, Run], None]
"""Told of each run that is written: position in the text, and the run."""


def write_page(draft: Draft, origin: Origin | None = None) -> Page:
    """The canonical page of the draft."""
    builder = PageBuilder()
    depths = list_levels(draft.blocks)
    for number, block in enumerate(draft.blocks):
        if isinstance(block, Grid):
            _write_grid(builder, block, origin)
            continue
        kind, level = draft.roles.get(number) or (
            (Kind.LIST_ITEM, depths[number]) if block.mark else (Kind.PARAGRAPH, 0)
        )
        _write_block(builder, block, kind, level, draft, origin, draft.repeats.get(number, ""))
    if draft.garbled and any(reading.scan.has_text for reading in draft.readings):
        _drop_range(builder, 0, builder.at, "unmapped_glyphs")
    alone = not draft.blocks or draft.stamped or draft.garbled
    write_readings(builder, draft.readings, alone=alone, upright=bool(draft.blocks))
    for note in draft.notes:
        with builder.element(note.kind, box=note.box, hidden=note.hidden) as element:
            span = builder.found(note.text)
            element.lines.append(Line(start=span.start, end=span.end, box=note.box))
    builder.images.extend(Image(box=picture.box, outcome=outcome) for picture, outcome in draft.pictures)
    return builder.page(
        draft.number,
        width=draft.width,
        height=draft.height,
        unit="pt",
        ocr_confidence=confidence(draft.readings),
        turned=turned(draft.readings) if not draft.blocks else 0,
        unread=draft.unread,
    )


def _write_block(
    builder: PageBuilder, block: Block, kind: Kind, level: int, draft: Draft, origin: Origin | None, repeat: str
) -> None:
    runs = block.runs
    box = union([run.box for run in runs])
    start = builder.begin()
    lines: list[Line] = []
    _write_lines(builder, block.lines, lines, origin, block)
    builder.end(
        Element(
            kind=kind,
            start=start,
            end=builder.at,
            level=level,
            box=box,
            lines=tuple(lines),
            hidden=runs[0].hidden,
            ocr=runs[0].layer,
        )
    )
    if repeat:
        _drop_range(builder, start, builder.at, repeat)


def _drop_range(builder: PageBuilder, start: int, end: int, reason: str) -> None:
    """Mark all that was found in `[start, end)` as dropped, around what is inserted or dropped already."""
    special = sorted(builder.inserted(start) + [(d.start, d.end) for d in builder.dropped if d.end > start])
    at = start
    fresh: list[Drop] = []
    for first, last in special:
        if first > at:
            fresh.append(Drop(start=at, end=first, reason=reason))
        at = max(at, last)
    if at < end:
        fresh.append(Drop(start=at, end=end, reason=reason))
    builder.dropped = sorted([*builder.dropped, *fresh], key=lambda drop: drop.start)


def _write_lines(
    builder: PageBuilder, lines: list[list[Run]], record: list[Line], origin: Origin | None, block: Block | None = None
) -> None:
    for number, line in enumerate(lines):
        after = lines[number + 1][0].text if number + 1 < len(lines) else ""
        for position, run in enumerate(line):
            if position:
                builder.insert("\t")
            start, text = builder.at, run.text
            if origin is not None:
                origin(start, run)
            words = tuple(Word(start=start + a, end=start + b, box=box) for a, b, box in run.words) if run.words else ()
            record.append(Line(start=start, end=start + len(text), box=run.box, words=words))
            if not after or position < len(line) - 1:
                builder.found(text)
                continue
            stripped = text.rstrip()
            if stripped[-1:] == "-" and hyphen_joins(stripped, after):
                builder.found(stripped[:-1])
                builder.drop(text[len(stripped) - 1 :], "hyphen_joined")
                continue
            builder.found(text)
            if block is not None and breaks_early(block, number):
                builder.insert("\n")
            elif spaced(text, after):
                builder.insert(" ")


def _write_grid(builder: PageBuilder, grid: Grid, origin: Origin | None) -> None:
    with builder.element(Kind.TABLE, box=grid.box, rows=grid.rows, columns=grid.columns) as table:
        row = 0
        for number, cell in enumerate(grid.cells):
            if number:
                builder.insert("\n" if cell.row > row else "\t")
            row = cell.row
            start = builder.at
            _write_lines(builder, _cell_lines(cell), table.lines, origin)
            table.cells.append(
                Cell(
                    row=cell.row,
                    column=cell.column,
                    row_span=cell.row_span,
                    column_span=cell.column_span,
                    start=start,
                    end=builder.at,
                    header=cell.header,
                    box=cell.box,
                )
            )


def _cell_lines(cell: GridCell) -> list[list[Run]]:
    lines: list[list[Run]] = []
    for run in sorted(cell.runs, key=lambda item: (round(item.baseline), item.box[0])):
        if lines and abs(lines[-1][0].baseline - run.baseline) < 0.5 * max(run.size, 1.0):
            lines[-1].append(run)
        else:
            lines.append([run])
    return lines


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
