"""Words in charts and diagrams (DrawingML), which stand in parts of their own."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import local

_MOST: Final = 2_000
"""Texts of one chart that are taken; a chart of a large sheet repeats its cells."""


def chart_lines(root: Any) -> tuple[list[str], bool]:
    """Titles, names of series and of categories in the order of the chart, each once; and whether some were left out.

    Values are left out: they are a copy of cells, and the chart does not show them.
    """
    found: dict[str, None] = {}
    for node in root.iter():
        name = local(node)
        if name in ("title", "dispUnitsLbl", "txPr") or (name == "rich" and local(node.getparent()) != "title"):
            text = "".join(item.text or "" for item in node.iter() if local(item) in ("t", "v")).strip()
        elif name == "v" and any(local(parent) in ("tx", "cat") for parent in node.iterancestors()):
            text = (node.text or "").strip()
        else:
            continue
        if text:
            found.setdefault(text)
    lines = list(found)
    return lines[:_MOST], len(lines) > _MOST


def diagram_lines(root: Any) -> list[str]:
    """The texts of a diagram's points in their order."""
    lines: list[str] = []
    for node in root.iter():
        if local(node) == "pt":
            paragraphs = [item for item in node.iter() if local(item) == "p"]
            texts = ["".join(part.text or "" for part in item.iter() if local(part) == "t") for item in paragraphs]
            lines += [text for text in texts if text.strip()]
    return lines[:_MOST]
