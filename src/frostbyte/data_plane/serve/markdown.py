"""A document as Markdown and as JSON, through the eyes of a `View`: nothing hidden gets out."""

from __future__ import annotations

from typing import Any

from frostbyte.data_plane.artefacts import View
from frostbyte.data_plane.document import Cell, Document, Element, Grid, Kind, Page

_NOT_SHOWN = (Kind.HEADER, Kind.FOOTER, Kind.FIGURE)


def to_markdown(document: Document, view: View) -> str:
    """The document as a person would have written it down; pages are separated by a comment with their number."""
    blocks: list[str] = []
    if view.title:
        blocks.append(f"<!-- title: {_comment(view.title)} -->")
    for page in document.pages:
        label = f" {_comment(view.page_names[page.number])}" if view.page_names.get(page.number) else ""
        blocks.append(f"<!-- page {page.number}{label} -->")
        if page.unread:
            blocks.append(f"*(page {page.number} could not be read: {page.unread})*")
        blocks.extend(
            block
            for element in page.elements
            if element.kind not in _NOT_SHOWN and (block := _block(page, element, view))
        )
    return "\n\n".join(blocks) + "\n"


def to_json(document: Document, view: View) -> dict[str, Any]:
    """The document's structure with text as it may be shown; spans are canonical positions."""
    return {
        "title": view.title,
        "metadata": view.metadata,
        "mime": document.source.mime,
        "parser": f"{document.lineage.parser} {document.lineage.version}",
        "notes": list(document.notes),
        "pages_found": document.pages_found,
        "pages": [_page(page, view) for page in document.pages],
    }


def _page(page: Page, view: View) -> dict[str, Any]:
    return {
        "number": page.number,
        "name": view.page_names.get(page.number, ""),
        "width": page.width,
        "height": page.height,
        "unit": page.unit,
        "hidden": page.hidden,
        "ocr_confidence": page.ocr_confidence,
        "unread": page.unread,
        "elements": [_element(page, element, view) for element in page.elements],
        "marks": [
            {"kind": mark.kind, "start": mark.start, "end": mark.end, "target": mark.target, "label": mark.label}
            for mark in page.marks
        ],
        "images": [{"box": image.box, "outcome": image.outcome} for image in page.images],
    }


def _element(page: Page, element: Element, view: View) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": element.kind.value,
        "level": element.level,
        "start": element.start,
        "end": element.end,
        "box": element.box,
        "hidden": element.hidden,
        "ocr": element.ocr,
    }
    if not element.cells:
        return shown | {"text": view.text(page, element.start, element.end)}
    return shown | _grid(page, element, view)


def _grid(page: Page, table: Element | Grid, view: View) -> dict[str, Any]:
    """A table's cells as they are shown. What a cell stores or computes is not told: no gate has judged that."""
    cells: list[dict[str, Any]] = []
    for cell in table.cells:
        shown: dict[str, Any] = {
            "row": cell.row,
            "column": cell.column,
            "row_span": cell.row_span,
            "column_span": cell.column_span,
            "header": cell.header,
            "start": cell.start,
            "end": cell.end,
            "text": view.text(page, cell.start, cell.end),
        }
        if cell.inner:
            shown["tables"] = [_grid(page, inner, view) for inner in cell.inner]
        cells.append(shown)
    return {"rows": table.rows, "columns": table.columns, "cells": cells}


def _block(page: Page, element: Element, view: View) -> str:
    if element.cells:
        return _table(page, element, view)
    text = view.text(page, element.start, element.end).strip()
    if not text:
        return ""
    if element.hidden:
        return f"<!-- hidden ({element.hidden}): {_comment(text)} -->"
    if element.kind is Kind.HEADING:
        return f"{'#' * min(max(element.level, 1), 6)} {' '.join(text.split())}"
    if element.kind is Kind.LIST_ITEM:
        return f"{'  ' * max(element.level - 1, 0)}- {' '.join(text.split())}"
    if element.kind in (Kind.FOOTNOTE, Kind.COMMENT):
        return f"> {element.kind.value}: {' '.join(text.split())}"
    return _escaped(text)


def _table(page: Page, element: Element, view: View) -> str:
    grid = [[""] * max(element.columns, 1) for _ in range(max(element.rows, 1))]
    for cell in element.cells:
        if cell.row < len(grid) and cell.column < len(grid[0]):
            grid[cell.row][cell.column] = _cell(page, cell, view)
    lines = ["| " + " | ".join(row) + " |" for row in grid]
    lines.insert(1, "|" + " --- |" * len(grid[0]))
    return "\n".join(lines)


def _cell(page: Page, cell: Cell, view: View) -> str:
    return " ".join(view.text(page, cell.start, cell.end).split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    """A line that would start a heading, a quote or a list by accident keeps its letters."""
    return "\n".join("\\" + line if line[:1] in "#>" else line for line in text.splitlines())


def _comment(text: str) -> str:
    return " ".join(text.split()).replace("--", "- -")
