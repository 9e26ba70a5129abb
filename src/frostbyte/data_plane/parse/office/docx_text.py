"""The text of a WordprocessingML paragraph in its order: what is seen, what is not, and what hangs on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.alternatives import kept
from frostbyte.data_plane.parse.office.archive import attribute, is_on, local
from frostbyte.data_plane.parse.office.docx_bindings import NOT_READ, Bindings
from frostbyte.data_plane.parse.office.docx_drawing import Extra, drawn
from frostbyte.data_plane.parse.office.equations import linear
from frostbyte.data_plane.parse.office.styles import Look, Styles, read_look
from frostbyte.data_plane.parse.office.symbols import readable, symbol

_GONE: Final = {"del": "deleted", "moveFrom": "moved_away"}
_COME: Final = {"ins": "inserted", "moveTo": "moved_here"}
_AROUND: Final = frozenset(
    {"hyperlink", "smartTag", "fldSimple", "sdt", "sdtContent", "customXml", "dir", "bdo", "rubyBase"}
)
_CODED: Final = {"EQ": 1, "MACROBUTTON": 2, "GOTOBUTTON": 2}
"""Fields that show their own code, but for so many words at its beginning."""
_SILENT: Final = frozenset(
    "PAGE NUMPAGES SECTION SECTIONPAGES PAGEREF XE TC TA RD SET ASK PRIVATE ADVANCE FORMCHECKBOX FORMDROPDOWN FORMTEXT "
    "NEXT NEXTIF SKIPIF BARCODE LISTNUM DATE TIME PRINT SEQ AUTONUM AUTONUMLGL AUTONUMOUT REVNUM FILENAME".split()
)
"""Fields without a result of which no words are missed: they show nothing, numbers, or what the program makes up."""
_LEFT_TO_RIGHT: Final = re.compile("[A-Za-z]{2}")
_LONGEST: Final = 10_000
"""Characters of a field's code that are kept."""
_MAX_DEPTH: Final = 60
_SOFT_HYPHEN: Final = "\u00ad"


class Item(NamedTuple):
    """A piece of a paragraph."""

    what: str
    """`text`; `made`, which Word makes up while it shows it; `lost`, which is dropped for the reason `about`; `hidden`
    for the reason `about`; `footnote` and `endnote` (`about` a note); `open`, `close` and `refer` (a comment)."""
    text: str
    about: str


@dataclass(slots=True)
class Paragraph:
    """A paragraph taken apart."""

    items: list[Item] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    """What hangs on it."""
    notes: list[str] = field(default_factory=list)
    """What is shown and was not read."""

    def seen(self) -> str:
        """What a person sees."""
        return "".join(item.text for item in self.items if item.what in ("text", "made"))


@dataclass(slots=True)
class _Field:
    told: str = ""
    code: bool = True

    @property
    def kind(self) -> str:
        return self.told.split()[0].upper() if self.told.strip() else ""


@dataclass
class Fields:
    """The fields that are open; they run over paragraphs."""

    open: list[_Field] = field(default_factory=list)
    endless: set[Any] = field(default_factory=set)
    """Where one begins that has no end: it would take all that follows for its code, and Word does not."""

    def pair(self, characters: Iterable[Any]) -> None:
        """Look for the ends of fields among the `w:fldChar` of a part."""
        begun: list[Any] = []
        for node in characters:
            kind = attribute(node, "fldCharType")
            if kind == "begin":
                begun.append(node)
            elif kind == "end" and begun:
                begun.pop()
        self.endless.update(begun)

    @property
    def in_code(self) -> bool:
        """Whether what comes is a field's code and not its result."""
        return any(entry.code for entry in self.open)

    @property
    def in_contents(self) -> bool:
        """Whether what comes belongs to a table of contents."""
        return any(entry.kind in ("TOC", "INDEX", "TOA") for entry in self.open)

    def step(self, node: Any) -> str:
        """Take a `w:fldChar`; the code of a field that ends here and has no result, else ''."""
        kind = attribute(node, "fldCharType") if node not in self.endless else None
        if kind == "begin":
            self.open.append(_Field())
            del self.open[_MAX_DEPTH:]
        elif kind == "separate" and self.open:
            self.open[-1].code = False
        elif kind == "end" and self.open:
            ended = self.open.pop()
            return ended.told if ended.code or ended.kind in _CODED else ""
        return ""

    def told(self, code: str) -> None:
        """Take a piece of a field's code."""
        if self.open and self.open[-1].code and len(self.open[-1].told) < _LONGEST:
            self.open[-1].told += code


class ParagraphReader:
    """Reads the paragraphs of one part of a document."""

    def __init__(self, styles: Styles, fields: Fields, bindings: Bindings | None = None) -> None:
        self._styles = styles
        self._bindings = bindings
        self._fields = fields
        self._base = Look()
        self._ground = ""
        self._out = Paragraph()

    def read(self, node: Any, base: Look, ground: str) -> Paragraph:
        """Take a `w:p` apart.

        Args:
            node: the paragraph.
            base: the look that its style gives to its text.
            ground: the colour behind it, '' for unknown.
        """
        self._base, self._ground, self._out = base, ground, Paragraph()
        self._walk(node, "", "", 0)
        return self._out

    def _walk(self, node: Any, hidden: str, change: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            self._out.notes.append("nesting_too_deep")
            return
        for child in node:
            name = local(child)
            if name == "r":
                self._run(child, hidden, change, depth)
            elif name in _AROUND:
                replaced = self._around(child, name, hidden, change)
                self._walk(child, hidden or replaced, change, depth + 1)
            elif name in _GONE:
                self._walk(child, _GONE[name], change, depth + 1)
            elif name in _COME:
                self._walk(child, hidden, change or _COME[name], depth + 1)
            elif name == "AlternateContent":
                self._walk(kept(child, self._out.notes), hidden, change, depth + 1)
            elif name in ("oMath", "oMathPara"):
                for text, found in linear(child):
                    self._text(text, hidden, change, found)
            elif name in ("commentRangeStart", "commentRangeEnd"):
                what = "open" if name == "commentRangeStart" else "close"
                self._out.items.append(Item(what, "", attribute(child, "id") or ""))
            else:
                self._mark(child, name, hidden or self._base.hidden(self._ground), change, depth, self._base)

    def _around(self, node: Any, name: str, hidden: str, change: str) -> str:
        """What is told by something that stands around runs; why nobody sees these, or ''."""
        if name == "sdt":
            value, note = self._bindings.replaced(node) if self._bindings else ("", _bound(node))
            self._out.notes += [note] if note else []
            self._text(value, hidden, change, True)
            return "replaced" if value else ""
        if name == "hyperlink" and (text := (attribute(node, "tooltip") or "").strip()):
            self._out.extras.append(Extra("alternative_text", text, hidden))
        elif (
            name == "fldSimple"
            and next(node.iter("{*}t", "{*}delText", "{*}drawing", "{*}pict", "{*}sym"), None) is None
        ):
            self._resultless(attribute(node, "instr") or "", hidden, "")
        elif name == "bdo" and attribute(node, "val") == "rtl" and _LEFT_TO_RIGHT.search("".join(node.itertext())):
            self._out.notes.append("direction_of_text_overridden")
        return ""

    def _resultless(self, code: str, hidden: str, change: str) -> None:
        """A field that shows its code, or is to be worked out by the program that opens the file."""
        kind, _, rest = code.strip().partition(" ")
        if kind.upper() in _CODED:
            self._text(rest.split(None, _CODED[kind.upper()] - 1)[-1] if rest.strip() else "", hidden, change, True)
        elif kind and kind.upper() not in _SILENT:
            self._out.notes.append("fields_without_results")

    def _run(self, run: Any, hidden: str, change: str, depth: int) -> None:
        look = self._base
        for child in run:
            name = local(child)
            if name == "t":
                text = _own(child)
                self._text(readable(text, look.font or ""), hidden or look.hidden(self._ground), change, True)
            elif name == "rPr":
                own, style = read_look(child)
                if style:
                    look = self._styles.look(style).over(look)
                look = own.over(look)
            else:
                self._mark(child, name, hidden or look.hidden(self._ground), change, depth, look)

    def _mark(self, node: Any, name: str, hidden: str, change: str, depth: int, look: Look) -> None:
        """What a run holds besides text."""
        if name in _SIGNS:
            self._text(_SIGNS[name], hidden, change, True)
        elif name == "br" or name == "cr":
            self._text("\n", hidden, change, True)
        elif name == "sym":
            self._text(_symbol(node, look), hidden, change, True)
        elif name == "fldChar":
            self._form(node, hidden, change)
            if code := self._fields.step(node):
                self._resultless(code, hidden, change)
        elif name == "instrText":
            self._fields.told(node.text or "")
        elif name == "delText":
            self._text(_own(node), "deleted", change, True)
        elif name in ("footnoteReference", "endnoteReference"):
            custom = "own" if is_on_attribute(node, "customMarkFollows") else ""
            self._out.items.append(Item(name.removesuffix("Reference"), custom, attribute(node, "id") or ""))
        elif name == "commentReference":
            self._out.items.append(Item("refer", "", attribute(node, "id") or ""))
        elif name in ("drawing", "pict", "object"):
            self._out.extras += drawn(node, hidden, self._out.notes)
        elif name in ("subDoc", "altChunk"):
            self._out.extras.append(Extra("object", "", hidden))
        elif name == "contentPart":
            self._out.extras.append(Extra("image", "", hidden))
        elif name == "AlternateContent":
            if depth >= _MAX_DEPTH:
                self._out.notes.append("nesting_too_deep")
            for child in kept(node, self._out.notes) if depth < _MAX_DEPTH else ():
                self._mark(child, local(child), hidden, change, depth + 1, look)
        elif name == "ruby":
            self._ruby(node, hidden, change, depth)
        elif name == "t":
            self._text(_own(node), hidden, change, True)
        elif name in _KNOWN:
            self._walk([node], hidden, change, depth + 1)
        elif len(node) and not name.endswith("Pr"):
            self._walk(node, hidden, change, depth + 1)  # of whoever may have written it: what it holds is shown

    def _text(self, text: str, hidden: str, change: str, found: bool) -> None:
        if not text:
            return
        if found and not hidden and self._fields.in_code:
            hidden = "field_code"
        items = self._out.items
        if hidden:
            if items and items[-1].what == "hidden" and items[-1].about == hidden:
                items[-1] = Item("hidden", items[-1].text + text, hidden)
            else:
                items.append(Item("hidden", text, hidden))
        elif not found:
            items.append(Item("made", text, ""))
        elif _SOFT_HYPHEN in text:
            for number, part in enumerate(text.split(_SOFT_HYPHEN)):
                if number:
                    items.append(Item("lost", _SOFT_HYPHEN, "soft_hyphen"))
                if part:
                    items.append(Item("text", part, change))
        else:
            items.append(Item("text", text, change))

    def _ruby(self, node: Any, hidden: str, change: str, depth: int) -> None:
        """The characters, then their reading in brackets."""
        for name, before, behind in (("rubyBase", "", ""), ("rt", " (", ")")):
            for child in node:
                if local(child) == name:
                    self._text(before, hidden, change, False)
                    self._walk(child, hidden, change, depth + 1)
                    self._text(behind, hidden, change, False)

    def _form(self, node: Any, hidden: str, change: str) -> None:
        """Check boxes and lists of old forms show their state without a result."""
        for data in node:
            for child in data if local(data) == "ffData" else ():
                states = {local(item): item for item in child}
                if local(child) == "checkBox":
                    on = is_on(states.get("checked", states.get("default")))
                    self._text("☒" if on else "☐", hidden, change, False)
                elif local(child) == "ddList":
                    entries = [attribute(item, "val") or "" for item in child if local(item) == "listEntry"]
                    chosen = (
                        attribute(item, "val")
                        if (item := states.get("result", states.get("default"))) is not None
                        else "0"
                    )
                    if chosen and chosen.isdigit() and int(chosen[:6]) < len(entries):
                        self._text(entries[int(chosen[:6])], hidden, change, True)


_KNOWN: Final = frozenset({*_COME, *_GONE, "oMath", "oMathPara", "r"})
_SIGNS: Final = {"tab": "\t", "ptab": "\t", "noBreakHyphen": "\u2011"}


def _own(node: Any) -> str:
    """All text in a node: what other programs put into it parts it."""
    return "".join(node.itertext()) if len(node) else node.text or ""


def _bound(control: Any) -> str:
    """The note of a bound control for those who do not know the data."""
    return NOT_READ if next(control.iter("{*}dataBinding"), None) is not None else ""


def is_on_attribute(node: Any, name: str) -> bool:
    """Whether an attribute says yes."""
    return (attribute(node, name) or "0") not in ("0", "false", "off")


def _symbol(node: Any, look: Look) -> str:
    try:
        code = int(attribute(node, "char") or "", 16)
    except ValueError:
        return ""
    return symbol(code, attribute(node, "font") or look.font or "")
