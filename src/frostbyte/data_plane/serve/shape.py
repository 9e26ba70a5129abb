"""A document's structure as JSON, through the eyes of a `View`: nothing hidden gets out."""

from __future__ import annotations

from typing import Any

from frostbyte.data_plane.artefacts import View
from frostbyte.data_plane.document import Document, Element, Grid, Page


def to_json(document: Document, view: View) -> dict[str, Any]:
    """The document's structure with text as it may be shown; spans are canonical positions."""
    return {
        "title": view.title,
        "metadata": view.metadata,
        "mime": document.source.mime,
        "parser": f"{document.lineage.parser} {document.lineage.version}",
        "notes": list(document.notes),
        "pages_found": document.pages_found,
        "pages": [page_json(page, view) for page in document.pages],
    }


def page_json(page: Page, view: View) -> dict[str, Any]:
    """One page's structure with text as it may be shown."""
    return {
        "number": page.number,
        "name": view.page_names.get(page.number, ""),
        "width": page.width,
        "height": page.height,
        "unit": page.unit,
        "hidden": page.hidden,
        "ocr_confidence": page.ocr_confidence,
        "turned": page.turned,
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
