"""Tables as Markdown: one line a row, whatever stands in the cells."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from frostbyte.data_plane.document import Cell, Element, Grid
from frostbyte.data_plane.serve.inline import Inline

_DIGIT: Final = re.compile(r"\d")


def table(element: Element, inline: Inline) -> str:
    """The table.

    A header cell over several columns is repeated in each, a cell over several rows in each of them, so that every
    line can be read alone; in the other rows a wide cell leaves the columns to its right blank. A table whose first
    row is no header and holds no titles gets an empty one, since Markdown knows no table without.
    """
    rows, columns = max(element.rows, 1), max(element.columns, 1)
    grid = [[""] * columns for _ in range(rows)]
    header = any(cell.header and cell.row == 0 for cell in element.cells) or _has_titles(element, inline)
    for cell in element.cells:
        text = _cell(cell, inline)
        for row in range(cell.row, min(rows, cell.row + cell.row_span)):
            wide = cell.column_span if cell.header or (header and cell.row == 0) else 1
            for column in range(cell.column, min(columns, cell.column + wide)):
                grid[row][column] = text
    if not any(any(row) for row in grid):
        return ""
    if not header:
        grid.insert(0, [""] * columns)
    lines = ["| " + " | ".join(row) + " |" for row in grid]
    lines.insert(1, "|" + " --- |" * columns)
    return "\n".join(lines)


def _has_titles(element: Element, inline: Inline) -> bool:
    """Whether the first row, though the file does not say so, holds titles: words alone, above rows with numbers."""
    first = [cell for cell in element.cells if cell.row == 0]
    if element.rows < 2 or sum(cell.column_span for cell in first) < max(2, element.columns):
        return False
    titles = [inline.raw(cell.start, cell.end).strip() for cell in first]
    if not all(titles) or any(_DIGIT.search(title) for title in titles):
        return False
    return any(_DIGIT.search(inline.raw(cell.start, cell.end)) for cell in element.cells if cell.row > 0)


def _cell(cell: Cell, inline: Inline) -> str:
    parts: list[str] = []
    at = cell.start
    for grid in cell.inner:
        parts.append(inline.text(at, grid.start, "<br>", starts=False))
        parts.append(_nested(grid, inline))
        at = grid.end
    parts.append(inline.text(at, cell.end, "<br>", starts=False))
    text = "<br>".join(part for part in parts if part)
    return " ".join(text.split()).replace("|", "\\|")


def _nested(grid: Grid, inline: Inline) -> str:
    """A table in a cell, on one line: HTML, which Markdown lets stand there."""
    rows: dict[int, list[str]] = {}
    for cell in grid.cells:
        tag = "th" if cell.header else "td"
        inner = "".join(_nested(deeper, inline) for deeper in cell.inner)
        end = cell.inner[0].start if cell.inner else cell.end
        text = escape(" ".join(inline.raw(cell.start, end).split()), quote=False)
        after = cell.inner[-1].end if cell.inner else cell.end
        rest = escape(" ".join(inline.raw(after, cell.end).split()), quote=False)
        # Inside HTML tags on a line of Markdown the text between them is still Markdown.
        spans = f' rowspan="{cell.row_span}"' * (cell.row_span > 1) + f' colspan="{cell.column_span}"' * (
            cell.column_span > 1
        )
        rows.setdefault(cell.row, []).append(f"<{tag}{spans}>{_plain(text)}{inner}{_plain(rest)}</{tag}>")
    return "<table>" + "".join(f"<tr>{''.join(cells)}</tr>" for _, cells in sorted(rows.items())) + "</table>"


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]~])", r"\\\1", text)
