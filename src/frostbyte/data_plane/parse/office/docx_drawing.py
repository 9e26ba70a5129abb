"""What a drawing in a paragraph holds, DrawingML or VML: text boxes, images, charts, diagrams and words drawn as
pictures, each once."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.alternatives import shown
from frostbyte.data_plane.parse.office.archive import attribute, local
from frostbyte.data_plane.parse.office.graphics import body_text, signer

_OLD_SHAPES: Final = frozenset("shape rect roundrect oval line polyline image group arc curve".split())
_UNSEEN: Final = re.compile(r"visibility\s*:\s*hidden", re.IGNORECASE)


class Extra(NamedTuple):
    """What hangs on a paragraph."""

    what: str
    """`box` with a node; `image`, `chart`, `diagram` and `object` with a relation; `art` (words drawn as a picture) and
    `alternative_text` with their text."""
    value: Any
    hidden: str = ""
    """Why nobody sees it, or ''."""


def drawn(node: Any, hidden: str, notes: list[str]) -> list[Extra]:
    """The extras of a `w:drawing`, `w:pict` or `w:object`; `hidden`: why its run is not seen."""
    found: list[Extra] = []
    inside: set[Any] = set()
    if not hidden and any(map(_is_unseen, node.iter("{*}docPr", "{*}shape", "{*}group"))):
        hidden = "invisible"
    for child in shown(node, notes):
        if child in inside:
            continue
        name = local(child)
        if name == "txbxContent":
            inside.update(child.iter())
            found.append(Extra("box", child, hidden))
        elif name == "txBody" or (name == "textbox" and next(child.iter("{*}txbxContent"), None) is None):
            inside.update(child.iter())
            text = body_text(child) if name == "txBody" else " ".join("".join(child.itertext()).split())
            found.append(Extra("art", text, hidden))
        elif text := _told(child, name):
            if not any(extra.what == "alternative_text" and extra.value == text for extra in found):
                found.append(Extra("alternative_text", text, hidden))
        elif (extra := _related(child, name)) is not None:
            found.append(extra._replace(hidden=hidden))
    return found


def _is_unseen(node: Any) -> bool:
    return node.get("hidden") in ("1", "true") or _UNSEEN.search(node.get("style") or "") is not None


def _told(node: Any, name: str) -> str:
    """What is told of a shape to those who do not see it, or who point at it."""
    if name in ("docPr", "cNvPr"):
        parts = [attribute(node, "title"), attribute(node, "descr"), *(attribute(item, "tooltip") for item in node)]
    elif name in _OLD_SHAPES:
        parts = [attribute(node, "title"), attribute(node, "alt")]
    else:
        return ""
    return " ".join(dict.fromkeys(part.strip() for part in parts if part and part.strip()))


def _related(node: Any, name: str) -> Extra | None:
    """What a node brings in from another part. A picture that is outside of the file is one that cannot be read."""
    if name in ("blip", "imagedata"):
        inside, outside = ("embed", "link") if name == "blip" else ("id", "href")
        relation = attribute(node, inside)
        return Extra("image", relation or "") if relation or attribute(node, outside) else None
    if name == "contentPart":  # handwriting
        return Extra("image", "")
    if name == "textpath":
        return Extra("art", text) if (text := attribute(node, "string")) else None
    if name == "signatureline":
        return Extra("art", text) if (text := signer(node)) else None
    if name in ("OLEObject", "control", "objectEmbed", "objectLink"):
        return Extra("object", attribute(node, "id") or "")
    what, key = _PARTS.get(name, ("", ""))
    relation = attribute(node, key) if what else None
    return Extra(what, relation) if relation else None


_PARTS: Final = {"chart": ("chart", "id"), "relIds": ("diagram", "dm"), "fill": ("image", "id")}
"""What hangs on nodes by the relation that an attribute names."""


def ground_of(box: Any, paper: str) -> str:
    """The colour behind a text box: unknown where its shape is filled."""
    for shape in box.iterancestors():
        name = local(shape)
        if name == "wsp":
            filled = any(local(item) in ("solidFill", "gradFill", "blipFill", "pattFill", "style") for part in shape
                         if local(part) in ("spPr", "style") for item in (part, *part))  # fmt: skip
            return "" if filled else paper
        if name in ("shape", "rect", "roundrect", "oval"):
            return "" if attribute(shape, "fillcolor") else paper
        if name == "p":
            break
    return paper
