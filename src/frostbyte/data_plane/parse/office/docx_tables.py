"""Tables of a DOCX as grids: merged cells, skipped columns, header rows (ECMA-376 part 1, 17.4)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, count, islice, repeat
from operator import add
from typing import Any, Final

from frostbyte.data_plane.document import Cell, Cells, Special
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.office.alternatives import LEFT_OUT, chosen, loses
from frostbyte.data_plane.parse.office.archive import attribute, is_on, local
from frostbyte.data_plane.parse.office.docx_scan import Scan

WRAPPERS: Final = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo"})
_ROW_PARTS: Final = frozenset({"tc", "trPr", "tblPrEx"})
_TABLE_PARTS: Final = frozenset({"tr", "tblPr", "tblGrid"})
_SEEN: Final = tuple(f"{{*}}{name}" for name in "t delText drawing pict object sym altChunk".split())
"""What a person may see, or is noted."""
_SPECIAL: Final = (
    "gridSpan", "vMerge", "hMerge", "shd", "gridBefore", "tblHeader", "sdt", "customXml", "ins", "moveTo"
)  # fmt: skip
_ALTERNATIVE: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_MAX_DEPTH: Final = 256
"""XML is no deeper."""
_WIDEST: Final = 1_000


@dataclass(slots=True)
class GridCell:
    """A cell with its place."""

    row: int
    column: int
    row_span: int
    column_span: int
    header: bool
    node: Any
    fill: str = ""
    """What its properties say of the colour behind it: '' nothing, else a colour or `?`."""


def grid(table: Any) -> list[GridCell]:
    """The cells, row by row; a cell that is merged takes the places that continue it."""
    cells: list[GridCell] = []
    rows = _plain(table)
    if rows is not None:
        for row, nodes in enumerate(rows):
            cells += [GridCell(row, n, 1, 1, False, cell) for n, cell in enumerate(nodes)]
        _first_row(table, cells)
        return cells
    open_above: dict[int, GridCell] = {}
    for row, node in enumerate(_members(table, "tr")):
        column, header = _row(node)
        left: GridCell | None = None
        for cell in _members(node, "tc"):
            span, down, across, fill = _properties(cell)
            above = open_above.get(column)
            if across == "continue" and left is not None and _empty(cell):
                left.column_span += span
            elif down == "continue" and above is not None and _empty(cell):
                above.row_span = row - above.row + 1
                left = above if above.row == row else None
            else:
                left = GridCell(row, column, 1, span, header, cell, fill)
                cells.append(left)
                if down:
                    open_above[column] = left
                else:
                    open_above.pop(column, None)
            column += span
    if cells and not any(cell.header for cell in cells):
        _first_row(table, cells)
    return cells


def _plain(table: Any) -> list[list[Any]] | None:
    """The cells of each row of a table without merged or skipped ones, header rows or wrappers; None for any other."""
    space = table.tag[: table.tag.index("}") + 1] if "}" in table.tag else ""
    # Most tables are plain rows of plain cells; whether one is, lxml sees without making an object of each node.
    if next(table.iter(*(f"{space}{name}" for name in _SPECIAL), _ALTERNATIVE), None) is not None:
        return None
    rows = list(table.iterchildren(f"{space}tr"))
    cells = [list(node.iterchildren(f"{space}tc")) for node in rows]
    if len(rows) < len(table) and not _TABLE_PARTS.issuperset(map(local, table)):
        return None
    odd = (node for node, own in zip(rows, cells, strict=True) if len(own) < len(node))
    return cells if all(_ROW_PARTS.issuperset(map(local, node)) for node in odd) else None


def lost(table: Any) -> list[str]:
    """Notes of what might be seen and stands in no cell, or in cells for other programs."""
    outside = [node for node in table if local(node) not in _TABLE_PARTS]
    outside += [item for row in table.iterchildren("{*}tr") for item in row if local(item) not in _ROW_PARTS]
    strays = (node for node in outside if next(node.iter("{*}tc"), None) is None)
    notes = ["text_outside_of_cells_not_read" for node in strays if next(node.iter(*_SEEN), None) is not None]
    others = (item for node in outside for item in node.iter("{*}AlternateContent"))
    return notes + [LEFT_OUT for item in others if loses(item, chosen(item))]


def size(cells: list[GridCell]) -> tuple[int, int]:
    """Rows and columns of the grid."""
    rows = max([cell.row + cell.row_span for cell in cells], default=0)
    return rows, max([cell.column + cell.column_span for cell in cells], default=0)


def controls(table: Any) -> list[Any]:
    """The content controls around its rows and cells."""
    around = [table, *(node for node in table if local(node) == "tr")]
    return [node for parent in around for node in parent.iterchildren("{*}sdt")]


def told(table: Any) -> str:
    """What is told of a table to those who do not see it."""
    names = ("{*}tblCaption", "{*}tblDescription")
    about = [attribute(item, "val") for part in table.iterchildren("{*}tblPr") for item in part.iterchildren(*names)]
    return " ".join(text.strip() for text in about if text and text.strip())


def plain_rows(table: Any, scan: Scan) -> list[int] | None:
    """How many cells each row of a table has whose cells each hold one plain paragraph; None for any other table."""
    rows = _plain(table)
    if not rows or not all(rows):
        return None
    texts = plain_texts([GridCell(0, 0, 1, 1, False, cell) for row in rows for cell in row], scan)
    return None if texts is None else [len(row) for row in rows]


def plain_texts(cells: list[GridCell], scan: Scan) -> list[str] | None:
    """The texts of cells that each hold one plain paragraph that states no style; None if one holds anything else."""
    texts: list[str] = []
    for cell in cells:
        blocks = len(cell.node)
        # A cell ends with a paragraph, and has its properties, if any, before all else.
        paragraph = cell.node[-1] if blocks else None
        if paragraph is None or paragraph.tag != scan.paragraph or paragraph in scan.properties:
            return None
        if blocks > 1 and (blocks > 2 or local(cell.node[0]) != "tcPr"):
            return None
        text = scan.plain_text(paragraph)
        if text is None:
            return None
        texts.append(text if text.strip() else "")
    return texts


def written(builder: PageBuilder, cells: list[GridCell], texts: list[str]) -> list[Cell]:
    """Write cells of such texts at one stroke: nearly all tables are made of them."""
    starts = _written(builder, [cell.row for cell in cells], texts)
    return [
        Cell(
            row=cell.row,
            column=cell.column,
            row_span=cell.row_span,
            column_span=cell.column_span,
            start=start,
            end=start + len(text),
            header=cell.header,
        )
        for cell, start, text in zip(cells, starts, texts, strict=True)
    ]


def written_plain(builder: PageBuilder, rows: list[int], texts: list[str], *, headed: bool) -> Cells:
    """The same for rows of so many cells each; `headed`: the first heads the columns."""
    numbers = array("q", chain.from_iterable(map(repeat, count(), rows)))
    columns = array("q", chain.from_iterable(map(range, rows)))
    lengths = list(map(len, texts))
    if all(lengths):
        edges = array("q", accumulate([length + 1 for length in lengths], initial=builder.at - 1))
        ends, starts = edges[1:], array("q", [edge + 1 for edge in edges[:-1]])
        rest = iter(texts)
        lines = ["\t".join(islice(rest, amount)) for amount in rows]
        builder.found_and_inserted("\n".join(lines), ends[:-1], starts[1:])
    else:
        starts = array("q", _written(builder, numbers, texts))
        ends = array("q", map(add, starts, lengths))
    special = dict.fromkeys(range(rows[0]), Special(1, 1, True)) if headed else {}
    return Cells(numbers, columns, starts, ends, special=special)


def _written(builder: PageBuilder, rows: Sequence[int], texts: list[str]) -> list[int]:
    """Write the texts of cells, each of its row, with separators between them; where each begins."""
    starts: list[int] = []
    parts: list[str] = []
    opened, closed = array("q"), array("q")
    last, at = 0, builder.at
    for row, text in zip(rows, texts, strict=True):
        if parts:
            parts.append("\n" if row > last else "\t")
            if closed and closed[-1] == at:  # separators around an empty cell are one
                closed[-1] = at + 1
            else:
                opened.append(at)
                closed.append(at + 1)
            at += 1
        parts.append(text)
        starts.append(at)
        last = row
        at += len(text)
    builder.found_and_inserted("".join(parts), opened, closed)
    return starts


def _first_row(table: Any, cells: list[GridCell]) -> None:
    """Where no row repeats on each page, a first row that alone is set in bold throughout heads the columns."""
    first = [cell for cell in cells if cell.row == 0]
    if len(first) == len(cells) or len(first) < 2 or not all(_bold(cell.node) for cell in first):
        return
    if not all(_bold(cell.node) for cell in cells if cell.row == 1):
        for cell in first:
            cell.header = True


def _bold(cell: Any) -> bool:
    """Whether all words of a cell are bold by their own formatting; an empty cell is not."""
    runs = [run for run in cell.iter("{*}r") if any(child.text for child in run.iterchildren("{*}t"))]
    return bool(runs) and all(map(is_bold, runs))


def is_bold(run: Any) -> bool:
    """Whether a run is bold by its own formatting."""
    return any(is_on(mark) for look in run.iterchildren("{*}rPr") for mark in look.iterchildren("{*}b"))


def _empty(cell: Any) -> bool:
    return not any(text.strip() for text in cell.itertext()) and next(cell.iter(*_SEEN[2:]), None) is None


def _members(parent: Any, name: str, depth: int = 0) -> Iterator[Any]:
    """Rows of a table or cells of a row, also those inside content controls and the like."""
    for child in parent:
        found = local(child)
        if found == name:
            yield child
        elif found == "AlternateContent":
            branch = chosen(child)
            yield from _members(branch if branch is not None else (), name, depth + 1)
        elif depth < _MAX_DEPTH and found not in _INNER and not found.endswith("Pr"):
            yield from _members(child, name, depth + 1)


_INNER: Final = frozenset({"tr", "tc", "p", "r", "tbl"})
"""Where no row or cell of the table around it is looked for."""


def _row(node: Any) -> tuple[int, bool]:
    """The columns that the row leaves out at its beginning, and whether it is a header."""
    column, header = 0, False
    for child in node.iterchildren("{*}trPr"):
        for item in child:
            if local(item) == "gridBefore":
                column = number(item, 0)
            elif local(item) == "tblHeader":
                header = is_on(item)
    return min(column, _WIDEST), header


def _properties(cell: Any) -> tuple[int, str, str, str]:
    """Width in columns, merging downwards, merging to the right, colour behind."""
    span, down, across, fill = 1, "", "", ""
    properties = cell[0] if len(cell) else None
    if properties is None or local(properties) != "tcPr":
        return span, down, across, fill
    for child in properties:
        name = local(child)
        if name == "gridSpan":
            span = max(1, min(number(child, 1), _WIDEST))
        elif name == "vMerge":
            down = attribute(child, "val") or "continue"
        elif name == "hMerge":
            across = attribute(child, "val") or "continue"
        elif name == "shd":
            value = (attribute(child, "fill") or "auto").upper()
            fill = "" if value == "AUTO" else value if len(value) == 6 else "?"
    return span, down, across, fill


def number(node: Any, default: int) -> int:
    """The value of a property that is a small whole number."""
    value = attribute(node, "val") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else default
