"""Writes what was read of a picture into a page."""

from __future__ import annotations

from collections.abc import Callable

from frostbyte.data_plane.document import Box, Cell, Image, Kind, Line
from frostbyte.data_plane.parse.building import Open, PageBuilder, union
from frostbyte.data_plane.parse.image.ocr import Scan
from frostbyte.data_plane.parse.image.structure import Piece, arrange
from frostbyte.data_plane.parse.marks import hyphen_binds, hyphen_joins

Shown = Callable[[Box], Box | None]
"""From a box on the picture to one on the page, None where that has no place."""


def write_scan(
    builder: PageBuilder,
    scan: Scan,
    *,
    scale: float = 1.0,
    left: float = 0.0,
    top: float = 0.0,
    kind: Kind | None = None,
    located: bool = True,
    whole: Box | None = None,
) -> None:
    """Append the legible lines as elements; record the others as images.

    Args:
        builder: the page being written.
        scan: what was read.
        scale: page units per pixel of the picture that was read.
        left: page x of the picture's left edge.
        top: page y of the picture's top edge.
        kind: what all elements but tables are; None to tell headings, paragraphs and list items apart.
        located: whether the page has a layout to which boxes refer.
        whole: where the picture lies, if that is all that shall be told of its elements' places.
    """

    def placed(box: Box) -> Box:
        return (
            round(left + box[0] * scale, 2),
            round(top + box[1] * scale, 2),
            round(left + box[2] * scale, 2),
            round(top + box[3] * scale, 2),
        )

    def shown(box: Box) -> Box | None:
        return placed(box) if located and whole is None else None

    for line in scan.lines:
        if not line.legible:
            # Something stands there that nobody can judge: counted, and covered in redacted pictures.
            builder.images.append(Image(box=shown(line.box) or whole, outcome="not_legible"))
    for piece in arrange(scan):
        if piece.table is not None:
            _write_table(builder, piece, scan, shown, whole)
        else:
            _write_piece(builder, piece, kind or piece.kind, shown, whole)


def _write_piece(builder: PageBuilder, piece: Piece, kind: Kind, shown: Shown, whole: Box | None) -> None:
    boxes = [shown(line.box) for line in piece.lines]
    level = piece.level if kind is piece.kind else 0
    around = union([box for box in boxes if box]) or whole
    with builder.element(kind, level=level, box=around, ocr=True) as element:
        for number, (line, box) in enumerate(zip(piece.lines, boxes, strict=True)):
            start = builder.at
            after = piece.lines[number + 1].text if number + 1 < len(piece.lines) else ""
            text = line.text
            if number == 0 and piece.bullet and kind is Kind.LIST_ITEM:
                mark, _, text = text.partition(" ")
                builder.drop(f"{mark} ", "list_mark")
            _write_line(builder, text, after, "\n" if number in piece.kept else " ")
            if box:
                element.lines.append(Line(start=start, end=start + len(line.text), box=box))


def _write_table(builder: PageBuilder, piece: Piece, scan: Scan, shown: Shown, whole: Box | None) -> None:
    grid = piece.table
    assert grid is not None

    def back(box: Box) -> Box | None:
        return shown(scan.place.box(box))

    around = back(grid.box) or whole
    with builder.element(Kind.TABLE, box=around, rows=grid.rows, columns=grid.columns, ocr=True) as table:
        for number, (place, parts) in enumerate(zip(grid.places, piece.cells, strict=True)):
            if number:
                builder.insert("\t" if place.row == grid.places[number - 1].row else "\n")
            start = builder.at
            for position, part in enumerate(parts):
                after = parts[position + 1].text if position + 1 < len(parts) else ""
                _write_part(builder, table, part.text, after, back(part.level))
            table.cells.append(
                Cell(
                    row=place.row,
                    column=place.column,
                    row_span=place.row_span,
                    column_span=place.column_span,
                    start=start,
                    end=builder.at,
                    header=place.row == 0 and grid.rows > 1,
                    box=back(place.box),
                )
            )


def _write_part(builder: PageBuilder, table: Open, text: str, after: str, box: Box | None) -> None:
    start = builder.at
    _write_line(builder, text, after)
    if box is not None:
        table.lines.append(Line(start=start, end=start + len(text), box=box))


def _write_line(builder: PageBuilder, text: str, after: str, between: str = " ") -> None:
    """Append a line of a paragraph and what joins it to the line `after` ('' for the last)."""
    if after and text.endswith("-") and hyphen_joins(text, after):
        builder.found(text[:-1])
        builder.drop("-", "hyphen_joined")
        return
    builder.found(text)
    if after and not (text.endswith("-") and hyphen_binds(text, after)) and not text[-1:].isspace():
        builder.insert(between)
