"""A first look at a DOCX part: which paragraphs are more than visible runs, and what paragraphs state of themselves.

Nine paragraphs of ten are plain. lxml finds the others by their tags without making an object of each node, so that
the careful reader sees only those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lxml import etree

from frostbyte.data_plane.parse.office.archive import attribute, local
from frostbyte.data_plane.parse.office.styles import Styles, fill_of

_RICH: Final = (
    "del ins moveFrom moveTo delText fldChar tab ptab br cr noBreakHyphen softHyphen sym drawing pict object "
    "footnoteReference endnoteReference commentRangeStart commentRangeEnd commentReference ruby vanish shd highlight "
    "subDoc altChunk contentPart bdo"
).split()
"""What a plain paragraph does not hold. Tabs also stand in properties, which costs a little time and nothing else."""
_ODD: Final = re.compile("[\u00ad\ue000-\uf8ff]")
"""Characters that the plain way through a paragraph does not know."""
_OTHER: Final = ("{*}AlternateContent", "{*}oMath", "{*}dataBinding")


@dataclass(slots=True)
class Stated:
    """What a paragraph's properties say."""

    style: str = ""
    outline: int | None = None
    number: str = ""
    indent: int | None = None
    fill: str | None = None


@lru_cache(maxsize=16)
def _parted(space: str) -> Any:
    """Finds texts that other programs have put something into."""
    return etree.XPath("//w:t[*]|//w:delText[*]", namespaces={"w": space or "none"})


class Scan:
    """One part's paragraphs at a glance."""

    def __init__(self, root: Any, styles: Styles) -> None:
        space = etree.QName(root).namespace or ""
        self.paragraph = f"{{{space}}}p"
        """The tag of a paragraph."""
        self.table = f"{{{space}}}tbl"
        self.field_character = f"{{{space}}}fldChar"
        self.run_text = f"{{{space}}}t"
        """The tag of what a plain paragraph has its text in."""
        self.rich: set[Any] = set()
        """Paragraphs that need the careful reader."""
        self.properties: dict[Any, Stated] = {}
        """By paragraph; those that state nothing are not in it."""
        self._mark(root.iter(*(f"{{{space}}}{name}" for name in _RICH), *_OTHER))
        value = f"{{{space}}}val"
        self._mark(node for node in root.iter(f"{{{space}}}color") if (node.get(value) or "")[:1] in ("F", "f"))
        self._mark(node for node in root.iter(f"{{{space}}}sz") if len(node.get(value) or "") == 1)
        around, tooltip = (
            root.iter(*(f"{{{space}}}{name}" for name in ("hyperlink", "fldSimple"))),
            f"{{{space}}}tooltip",
        )
        self._mark(node for node in around if node.get(tooltip) or next(node.iter(self.run_text), None) is None)
        self._mark(_parted(space)(root))
        if styles.hiding:
            named = root.iter(f"{{{space}}}rStyle")
            self._mark(node for node in named if attribute(node, "val") in styles.hiding)
        self._state(root, space)

    def plain_text(self, paragraph: Any) -> str | None:
        """The text of a paragraph that holds nothing but runs without a look that hides; None for any other."""
        if paragraph in self.rich:
            return None
        text = "".join([found.text or "" for found in paragraph.iter(self.run_text)])
        # Nothing odd is printable, and to ask is cheap.
        return text if text.isascii() or text.isprintable() or not _ODD.search(text) else None

    def ground(self, paragraph: Any, ground: str) -> str:
        """The colour behind a paragraph."""
        stated = self.properties.get(paragraph)
        return ground if stated is None or stated.fill is None else stated.fill

    def _mark(self, nodes: Any) -> None:
        rich = self.rich
        for node in nodes:
            for around in node.iterancestors(self.paragraph):
                if around in rich:
                    break
                rich.add(around)

    def _state(self, root: Any, space: str) -> None:
        names = ("pStyle", "outlineLvl", "numPr")
        for node in root.iter(*(f"{{{space}}}{name}" for name in names)):
            properties = node.getparent()
            paragraph = properties.getparent()
            if paragraph is None or paragraph.tag != self.paragraph:
                continue
            stated = self.properties.setdefault(paragraph, Stated())
            name = local(node)
            if name == "pStyle":
                stated.style = attribute(node, "val") or ""
            elif name == "outlineLvl":
                value = attribute(node, "val") or ""
                stated.outline = min(6, int(value) + 1) if value in list("012345678") else 0
            else:
                for item in node:
                    value = attribute(item, "val") or ""
                    if local(item) == "numId":
                        stated.number = value
                    elif local(item) == "ilvl" and value in list("012345678"):
                        stated.indent = int(value)
        for node in root.iter(f"{{{space}}}shd"):
            properties = node.getparent()
            paragraph = properties.getparent()
            if local(properties) == "pPr" and paragraph is not None:
                self.properties.setdefault(paragraph, Stated()).fill = fill_of(node)
