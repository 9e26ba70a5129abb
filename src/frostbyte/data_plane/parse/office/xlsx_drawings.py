"""What floats over the cells of a sheet: images, charts, diagrams, text boxes, controls and their alternative texts."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from lxml import etree

from frostbyte.data_plane.document import Kind
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.office.alternatives import shown
from frostbyte.data_plane.parse.office.archive import Archive, attribute, check_xml, local
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages
from frostbyte.data_plane.parse.office.graphics import body_text, graphic_lines, signer

_BLANK: Final = re.compile(r"[^\S\n]+")
_UNCLOSED: Final = re.compile(rb"<br\s*>")
_OLD_SHAPES: Final = frozenset("shape rect roundrect oval line polyline image group arc curve".split())


class Drawings:
    """The drawings of one sheet. What stands both in a drawing and in an old one (VML) is written once."""

    def __init__(self, archive: Archive, images: EmbeddedImages, builder: PageBuilder, notes: list[str]) -> None:
        self._archive = archive
        self._images = images
        self._builder = builder
        self._notes = notes
        self._written: set[str] = set()

    def write(self, relations: dict[str, tuple[str, str]]) -> None:
        """Write all that a sheet's relations lead to."""
        found = [(kind, target) for kind, target in relations.values() if target in self._archive.names]
        for wanted, write in (("drawing", self._drawing), ("vmlDrawing", self._old)):
            for kind, target in found:
                if kind == wanted:
                    write(target)
        for kind, target in found:
            if kind == "image":  # behind the cells
                self._images.write(self._builder, target)

    def _drawing(self, part: str) -> None:
        archive, relations = self._archive, self._archive.relations(part)
        unseen: set[Any] = set()
        for node in shown(archive.xml(part), self._notes):
            name = local(node)
            if name == "cNvPr":
                self._alternative(node)
                if node.get("hidden") in ("1", "true"):
                    unseen.update(
                        body for around in islice(node.iterancestors(), 2) for body in around.iter("{*}txBody")
                    )
            elif name == "txBody":
                self._text(body_text(node), "invisible" if node in unseen else "")
            elif name == "blip":
                relation = attribute(node, "embed") or attribute(node, "link") or ""
                self._images.write(self._builder, relations.get(relation, ("", ""))[1])
            elif name == "contentPart":  # handwriting
                self._images.write(self._builder, "")
            elif name in ("chart", "relIds"):
                target = relations.get(attribute(node, "id" if name == "chart" else "dm") or "", ("", ""))[1]
                if target not in archive.names:
                    self._notes.append("chart_not_read")
                    continue
                lines, more = graphic_lines(archive, target, "chart" if name == "chart" else "diagram")
                self._builder.piece(Kind.FIGURE, "\n".join(lines))
                if more:
                    self._notes.append("chart_text_left_out")

    def _alternative(self, node: Any) -> None:
        """What is told of a shape to those who do not see it, or who point at it."""
        parts = [node.get("title"), node.get("descr"), *(item.get("tooltip") for item in node)]
        text = " ".join(dict.fromkeys(part.strip() for part in parts if part and part.strip()))
        self._builder.piece(Kind.FIGURE, text, hidden="alternative_text")
        self._written.add(_folded(text))

    def _text(self, text: str, hidden: str = "") -> None:
        self._written.add(_folded(text))
        self._builder.piece(Kind.PARAGRAPH, text, hidden=hidden)

    def _old(self, part: str) -> None:
        """Controls and pictures of printed headers. Boxes of comments hold nothing but a copy of them."""
        data = self._archive.read(part)
        check_xml(data)
        # Excel itself writes what is no XML: line ends of HTML.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        root, relations = etree.fromstring(_UNCLOSED.sub(rb"<br/>", data), parser), self._archive.relations(part)
        if root is None:
            self._notes.append("drawing_damaged")
            return
        for node in root.iter():
            name = local(node)
            if name in _OLD_SHAPES and not _is_comment(node):
                text = " ".join(part for key in ("title", "alt") if (part := (node.get(key) or "").strip()))
                if _folded(text) not in self._written:
                    self._builder.piece(Kind.FIGURE, text, hidden="alternative_text")
            elif name == "textbox" and not any(map(_is_comment, islice(node.iterancestors(), 1))):
                text = "\n".join(filter(str.strip, _lines(node)))
                if _folded(text) not in self._written:
                    self._text(text)
            elif name == "signatureline":
                self._text(signer(node))
            elif name == "imagedata":
                relation = attribute(node, "relid") or attribute(node, "id") or ""
                self._images.write(self._builder, relations.get(relation, ("", ""))[1])


def _is_comment(shape: Any) -> bool:
    about = next(shape.iter("{*}ClientData"), None)
    return about is not None and about.get("ObjectType") == "Note"


def _lines(textbox: Any) -> list[str]:
    """The lines of a box whose text is HTML."""
    parts: list[str] = []
    for node in textbox.iter():
        if local(node) in ("div", "br", "p"):
            parts.append("\n")
        parts.append((node.text or "").replace("\n", " ") if local(node) else "")
        parts.append((node.tail or "").replace("\n", " ") if node is not textbox else "")
    return [_BLANK.sub(" ", line).strip() for line in "".join(parts).split("\n")]


def _folded(text: str) -> str:
    return "".join(text.split())
