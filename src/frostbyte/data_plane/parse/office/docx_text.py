"""The text of a WordprocessingML paragraph: what is seen, what is not, and what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import attribute, local

_DELETED: Final = frozenset({"del", "moveFrom"})
_INSIDE: Final = frozenset(
    {"ins", "moveTo", "hyperlink", "smartTag", "fldSimple", "sdt", "sdtContent", "customXml", "dir", "bdo", "oMath",
     "oMathPara", "r", "ruby", "rt", "rubyBase", "object", "pict"}
)  # fmt: skip
_MAX_DEPTH: Final = 60


@dataclass
class Paragraph:
    """A paragraph taken apart."""

    parts: list[str] = field(default_factory=list)
    hidden: dict[str, list[str]] = field(default_factory=dict)
    """Text by the reason why a person does not see it."""
    boxes: list[Any] = field(default_factory=list)
    """Text boxes anchored here (`txbxContent` nodes)."""
    images: list[str] = field(default_factory=list)
    """Relation ids of images."""

    @property
    def text(self) -> str:
        """What is seen."""
        return "".join(self.parts)


def read_paragraph(node: Any) -> Paragraph:
    """Take a `w:p` apart."""
    paragraph = Paragraph()
    _walk(node, paragraph, "", 0)
    return paragraph


def _walk(node: Any, paragraph: Paragraph, hidden: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        return
    for child in node:
        name = local(child)
        if name in _DELETED:
            _walk(child, paragraph, "deleted", depth + 1)
        elif name == "r":
            _walk(child, paragraph, hidden or _run_hidden(child), depth + 1)
        elif name in _INSIDE:
            _walk(child, paragraph, hidden, depth + 1)
            if name in ("pict", "object"):
                _drawing(child, paragraph)
        elif name == "AlternateContent":
            # The same content stands twice, for newer and older programs; the first is read.
            branch = next((item for item in child if local(item) in ("Choice", "Fallback")), None)
            if branch is not None:
                _walk(branch, paragraph, hidden, depth + 1)
        elif name == "drawing":
            _drawing(child, paragraph)
        else:
            _leaf(child, name, paragraph, hidden)


def _leaf(node: Any, name: str, paragraph: Paragraph, hidden: str) -> None:
    text = ""
    if name in ("t", "delText"):
        text = node.text or ""
        hidden = "deleted" if name == "delText" else hidden
    elif name in ("tab", "ptab"):
        text = "\t"
    elif name in ("br", "cr"):
        text = "\n"
    elif name == "noBreakHyphen":
        text = "\u2011"
    elif name == "sym":
        text = _symbol(node)
    if not text:
        return
    if hidden:
        paragraph.hidden.setdefault(hidden, []).append(text)
    else:
        paragraph.parts.append(text)


def _symbol(node: Any) -> str:
    try:
        code = int(attribute(node, "char") or "", 16)
    except ValueError:
        return ""
    # Symbol fonts keep their characters in the private use area above F000; most are bullets.
    return "•" if 0xE000 <= code <= 0xF8FF else chr(code) if 0x20 <= code < 0xD800 else ""


def _run_hidden(run: Any) -> str:
    properties = next((child for child in run if local(child) == "rPr"), None)
    if properties is None:
        return ""
    found: dict[str, Any] = {local(child): child for child in properties}
    if is_on(found.get("vanish")) or is_on(found.get("webHidden")):
        return "invisible"
    size = found.get("sz")
    if size is not None and (attribute(size, "val") or "").isdigit() and int(attribute(size, "val") or "0") < 3:
        return "tiny"
    color = found.get("color")
    if color is not None and (attribute(color, "val") or "").upper() in ("FFFFFF", "FEFEFE", "FDFDFD"):
        shade = found.get("shd")
        dark = shade is not None and (attribute(shade, "fill") or "auto").upper() not in ("AUTO", "FFFFFF")
        return "" if dark or "highlight" in found else "white"
    return ""


def is_on(node: Any) -> bool:
    """Whether a toggle property is present and not switched off."""
    return node is not None and (attribute(node, "val") or "1") not in ("0", "false", "off")


def _drawing(node: Any, paragraph: Paragraph) -> None:
    inside: set[Any] = set()
    for child in node.iter():
        name = local(child)
        if child in inside:
            continue
        if name in ("Fallback", "txbxContent"):
            inside.update(child.iter())
            if name == "txbxContent":
                paragraph.boxes.append(child)
        elif name == "docPr" and (text := (attribute(child, "descr") or "").strip()):
            paragraph.hidden.setdefault("alternative_text", []).append(text)
        elif name in ("blip", "imagedata"):
            relation = attribute(child, "embed" if name == "blip" else "id")
            if relation:
                paragraph.images.append(relation)
