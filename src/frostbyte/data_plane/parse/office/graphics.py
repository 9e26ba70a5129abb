"""Words in charts, diagrams and shapes (DrawingML), which stand in parts of their own or in a drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from frostbyte.data_plane.parse.office.alternatives import chosen
from frostbyte.data_plane.parse.office.archive import Archive, attribute, is_on, local
from frostbyte.data_plane.parse.office.number_formats import NumberFormat

_MOST: Final = 2_000
"""Texts of one chart or diagram that are taken; a chart of a large sheet repeats its cells."""
_NAMES: Final = frozenset({"tx", "cat", "strCache", "dlblRangeCache"})
"""Around values that a chart shows as words: names of series, categories, labels taken from cells."""


def graphic_lines(archive: Archive, part: str, kind: str) -> tuple[list[str], bool]:
    """What stands in a `chart` or `diagram`, and whether some was left out."""
    root = archive.xml(part)
    if kind == "diagram":
        return diagram_lines(root)
    lines, more = chart_lines(root)
    for relation, target in archive.relations(part).values():
        if relation == "chartUserShapes" and target in archive.names:  # text boxes that are drawn into the chart
            lines += [text for body in archive.xml(target).iter("{*}txBody") if (text := body_text(body)).strip()]
    return lines, more


def chart_lines(root: Any) -> tuple[list[str], bool]:
    """Titles, names of series and of categories in the order of the chart, each once; and whether some were left out.

    Values are left out where the chart does not show them: they are a copy of cells.
    """
    found: dict[str, None] = {}
    form = _labels(root)
    for node in root.iter():
        name = local(node)
        if name in ("title", "dispUnitsLbl", "txPr") or (name == "rich" and local(node.getparent()) != "title"):
            text = "".join(item.text or "" for item in node.iter() if local(item) in ("t", "v")).strip()
        elif name == "v" and any(local(parent) in _NAMES for parent in node.iterancestors()):
            text = (node.text or "").strip()
        elif name == "v" and form is not None:
            text = _value(node, form)
        elif name == "pt" and not len(node) and any(local(parent) == "strDim" for parent in node.iterancestors()):
            text = (node.text or "").strip()  # of charts since Office 2016
        else:
            continue
        if text:
            found.setdefault(text)
    lines = list(found)
    return lines[:_MOST], len(lines) > _MOST


def _labels(root: Any) -> str | None:
    """The format in which a chart shows its values beside them, '' for that of the values; None if it shows none."""
    if next(root.iter("{*}dTable"), None) is not None:
        return ""
    for node in root.iter("{*}dLbls", "{*}dLbl"):
        if any(is_on(item) for item in node.iterchildren("{*}showVal")):
            code = next(node.iterchildren("{*}numFmt"), None)
            linked = code is None or attribute(code, "sourceLinked") in ("1", "true")
            return "" if linked else attribute(code, "formatCode") or ""
    return None


def _value(node: Any, form: str) -> str:
    value = (node.text or "").strip()
    codes = (item for around in node.iterancestors() for item in around.iterchildren("{*}formatCode"))
    own = next((item.text for item in codes), None)
    stated = next((attribute(around, "formatCode") for around in node.iterancestors("{*}pt")), None)
    try:
        return NumberFormat(form or stated or own or "").number(float(value)).strip() or value
    except (ValueError, OverflowError):
        return value


def diagram_lines(root: Any) -> tuple[list[str], bool]:
    """The texts of a diagram's points in their order, and whether some were left out."""
    lines: list[str] = []
    for node in root.iter():
        if local(node) == "pt":
            paragraphs = [item for item in node.iter() if local(item) == "p"]
            lines += [text for item in paragraphs if (text := "".join(_pieces(item))).strip()]
    return lines[:_MOST], len(lines) > _MOST


def body_text(body: Any) -> str:
    """The paragraphs of a shape's text, each a line."""
    return "\n".join("".join(_pieces(node)) for node in body if local(node) == "p")


def signer(line: Any) -> str:
    """Who is to sign on a `o:signatureline`, as it shows."""
    keys = ("suggestedsigner", "suggestedsigner2", "suggestedsigneremail", "signinginstructions")
    return "\n".join(text.strip() for key in keys if (text := attribute(line, key)) and text.strip())


def _pieces(node: Any) -> Iterator[str]:
    for child in node:
        name = local(child)
        if name == "t":
            yield "".join(child.itertext())
        elif name == "br":
            yield "\n"
        elif name == "AlternateContent":
            if (branch := chosen(child)) is not None:
                yield from _pieces(branch)
        elif not name.endswith("Pr"):
            yield from _pieces(child)
