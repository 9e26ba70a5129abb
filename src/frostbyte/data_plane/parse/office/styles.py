"""Styles of a DOCX: which are headings, lists, captions and tables of contents, and which hide what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import attribute, is_on, local

_WORDS: Final = (
    "heading|überschrift|berschrift|titre|título|ttulo|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nagwek|nadpis|"
    "заголовок|başlık|címsor|encabezado|cabeçalho|标题|標題|見出し|제목"
)
_HEADING: Final = re.compile(rf"^(?:{_WORDS})[\s_-]*([1-9])$", re.IGNORECASE)
"""Word writes built-in names in English, other programs in the language of their user; identifiers are localised."""
_TITLE: Final = frozenset({"title", "titel", "titre", "título", "titolo"})
_CONTENTS: Final = re.compile(r"^(?:toc|verzeichnis|tm|tdc|sommario|inhopg|index)\s*[1-9]$", re.IGNORECASE)
_CAPTION: Final = frozenset({"caption", "beschriftung", "légende", "didascalia", "bijschrift", "epígrafe"})
_WHITE: Final = 245
"""Channel value from which a colour is white, as for PDF."""
_TINY: Final = 3
"""Half points; smaller text is tiny, as for PDF (1.5 pt)."""
_DEEPEST: Final = 50
"""Styles that are based on each other; Word allows eleven."""
_HEX: Final = re.compile(r"^[0-9A-Fa-f]{6}$")


@dataclass(frozen=True, slots=True)
class Look:
    """What of a run's formatting decides whether it is seen. None: not said here."""

    vanish: bool | None = None
    color: str | None = None
    size: int | None = None
    fill: str | None = None
    """Background behind the text; '' where something covers the page with a colour that we do not know."""
    font: str | None = None

    def over(self, base: Look) -> Look:
        """This look where it says something, `base` elsewhere."""
        if self is _PLAIN:
            return base
        return Look(
            self.vanish if self.vanish is not None else base.vanish,
            self.color if self.color is not None else base.color,
            self.size if self.size is not None else base.size,
            self.fill if self.fill is not None else base.fill,
            self.font if self.font is not None else base.font,
        )

    def hidden(self, ground: str) -> str:
        """Why nobody sees text of this look on a `ground` (a colour, or '' for unknown), or ''."""
        if self.vanish:
            return "invisible"
        if self.size is not None and self.size < _TINY:
            return "tiny"
        if self.color is not None:
            behind = self.fill if self.fill is not None else ground
            if self.color == behind or (_white(self.color) and _white(behind)):
                return "white"
        return ""


_PLAIN: Final = Look()
PAPER: Final = "FFFFFF"


def _white(color: str) -> bool:
    return len(color) == 6 and min(bytes.fromhex(color)) >= _WHITE


def fill_of(node: Any) -> str | None:
    """The colour of a `w:shd`: None where it leaves the ground as it is."""
    value = attribute(node, "fill") or "auto"
    if _HEX.match(value):
        return value.upper()
    pattern = attribute(node, "val") or "clear"
    return None if pattern in ("clear", "nil") and value == "auto" else ""


def read_look(properties: Any) -> tuple[Look, str]:
    """The look that a `w:rPr` states, and the character style that it names."""
    vanish: bool | None = None
    color: str | None = None
    size: int | None = None
    fill: str | None = None
    font: str | None = None
    style = ""
    for child in properties:
        name = local(child)
        if name == "rFonts":
            font = attribute(child, "ascii") or attribute(child, "hAnsi")
        elif name == "sz":
            value = attribute(child, "val") or ""
            size = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
        elif name == "color":
            value = attribute(child, "val") or ""
            color = value.upper() if _HEX.match(value) else "auto"
        elif name == "vanish":
            vanish = is_on(child)
        elif name == "rStyle":
            style = attribute(child, "val") or ""
        elif name == "shd":
            fill = fill_of(child)
        elif name == "highlight" and attribute(child, "val") not in ("none", "white"):
            fill = ""
    if all(value is None for value in (vanish, color, size, fill, font)):
        return _PLAIN, style
    return Look(vanish, color, size, fill, font), style


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style makes of its paragraphs."""

    level: int = 0
    """Of the heading, or 0."""
    number: str = ""
    """The list (`numId`) that it belongs to; '0' for none though its parent has one."""
    indent: int | None = None
    contents: bool = False
    caption: bool = False
    look: Look = _PLAIN
    hides: bool = False
    """Whether the look may hide text, or turns characters into others."""


@dataclass(slots=True)
class _Raw:
    level: int | None = None
    number: str = ""
    indent: int | None = None
    contents: bool = False
    caption: bool = False
    based: str = ""
    look: Look = field(default=_PLAIN)
    shaded: bool = False


class Styles:
    """The styles by their identifiers."""

    def __init__(self, root: Any | None) -> None:
        self._raw: dict[str, _Raw] = {}
        self.default = ""
        """The style of paragraphs that name none."""
        base = _PLAIN
        for node in root if root is not None else ():
            if local(node) == "docDefaults":
                base = next((read_look(item)[0] for item in node.iter() if local(item) == "rPr"), base)
            elif local(node) == "style":
                identity = attribute(node, "styleId") or ""
                self._raw[identity] = _read(node)
                if attribute(node, "type") == "paragraph" and attribute(node, "default") in ("1", "true", "on"):
                    self.default = identity
        self._base = base
        self._looks: dict[str, Look] = {}
        self._known: dict[str, Style] = {}
        self.hiding = frozenset(name for name in self._raw if _may_hide(self.look(name)))
        """Styles whose text may be hidden by the style alone."""
        looks = [base, *(raw.look for raw in self._raw.values())]
        self.colors = frozenset(look.color for look in looks) - {None}
        self.fills = frozenset(look.fill for look in looks) - {None}
        """Colours that styles give to text, and those behind it."""
        self.shaded = frozenset(name for name, raw in self._raw.items() if raw.shaded)
        """Styles, of tables mostly, that put colours behind text."""

    def paragraph(self, identity: str) -> Style:
        """A paragraph style through those that it is based on; unknown ones are judged by their identifier."""
        identity = identity or self.default
        if identity not in self._known:
            self._known[identity] = self._resolve(identity)
        return self._known[identity]

    def look(self, identity: str) -> Look:
        """The look of a style of any type, with what it is based on but without the document's defaults."""
        if identity not in self._looks:
            look = _PLAIN
            for raw in self._chain(identity):
                look = look.over(raw.look)
            self._looks[identity] = look
        return self._looks[identity]

    def _chain(self, identity: str) -> list[_Raw]:
        chain: list[_Raw] = []
        seen: set[str] = set()
        while identity in self._raw and identity not in seen and len(chain) < _DEEPEST:
            seen.add(identity)
            chain.append(self._raw[identity])
            identity = self._raw[identity].based
        return chain

    def _resolve(self, identity: str) -> Style:
        chain = self._chain(identity)
        if not chain:
            named = _named(identity)
            return Style(named.level or 0, "", None, named.contents, named.caption, self._base, _may_hide(self._base))
        level = next((raw.level for raw in chain if raw.level is not None), 0)
        numbered = next((raw for raw in chain if raw.number), None)
        indent = next((raw.indent for raw in chain if raw.indent is not None), None)
        contents = any(raw.contents for raw in chain)
        caption = any(raw.caption for raw in chain)
        number = numbered.number if numbered else ""
        look = self.look(identity).over(self._base)
        return Style(level, number, indent, contents, caption, look, _may_hide(look))


def _may_hide(look: Look) -> bool:
    if look.vanish or (look.size is not None and look.size < _TINY):
        return True
    return look.color is not None and (_white(look.color) or look.color == look.fill)


def _named(name: str) -> _Raw:
    raw = _Raw()
    if match := _HEADING.match(name):
        raw.level = min(6, int(match.group(1)))
    elif name.casefold() in _TITLE:
        raw.level = 1
    raw.contents = bool(_CONTENTS.match(name))
    raw.caption = name.casefold() in _CAPTION
    return raw


def _read(node: Any) -> _Raw:
    fields: Mapping[str, Any] = {local(child): child for child in node}
    raw = _named((attribute(fields["name"], "val") or "") if "name" in fields else "")
    if raw.level is None and attribute(node, "type") != "character":
        raw.level = _named(attribute(node, "styleId") or "").level
    raw.based = (attribute(fields["basedOn"], "val") or "") if "basedOn" in fields else ""
    ground: str | None = None
    for child in fields.get("pPr", ()):
        name, value = local(child), attribute(child, "val") or ""
        if name == "outlineLvl":
            raw.level = min(6, int(value) + 1) if value in list("012345678") else 0
        elif name == "numPr":
            for item in child:
                text = attribute(item, "val") or ""
                if local(item) == "numId":
                    raw.number = text
                elif local(item) == "ilvl" and text in list("012345678"):
                    raw.indent = int(text)
        elif name == "shd":
            ground = fill_of(child)
    look = read_look(fields["rPr"])[0] if "rPr" in fields else _PLAIN
    raw.look = look if ground is None else look.over(Look(fill=ground))
    raw.shaded = any(fill_of(item) is not None for item in node.iter("{*}shd"))
    return raw
