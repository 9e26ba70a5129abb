"""The text of a WordprocessingML paragraph in its order: what is seen, what is not, and what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.office.archive import attribute, is_on, local
from frostbyte.data_plane.parse.office.equations import linear
from frostbyte.data_plane.parse.office.styles import Look, Styles, read_look
from frostbyte.data_plane.parse.office.symbols import readable, symbol

_GONE: Final = {"del": "deleted", "moveFrom": "moved_away"}
_COME: Final = {"ins": "inserted", "moveTo": "moved_here"}
_AROUND: Final = frozenset(
    {"hyperlink", "smartTag", "fldSimple", "sdt", "sdtContent", "customXml", "dir", "bdo", "rubyBase"}
)
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
    extras: list[tuple[str, Any]] = field(default_factory=list)
    """What hangs on it: `box` with a node; `image`, `chart`, `diagram` and `object` with a relation; `art` (words drawn
    as a picture) and `alternative_text` with their text."""

    def seen(self) -> str:
        """What a person sees."""
        return "".join(item.text for item in self.items if item.what in ("text", "made"))


@dataclass(slots=True)
class _Field:
    kind: str = ""
    code: bool = True


@dataclass
class Fields:
    """The fields that are open; they run over paragraphs."""

    open: list[_Field] = field(default_factory=list)

    @property
    def in_code(self) -> bool:
        """Whether what comes is a field's code and not its result."""
        return any(entry.code for entry in self.open)

    @property
    def in_contents(self) -> bool:
        """Whether what comes belongs to a table of contents."""
        return any(entry.kind in ("TOC", "INDEX", "TOA") for entry in self.open)

    def step(self, node: Any) -> None:
        """Take a `w:fldChar`."""
        kind = attribute(node, "fldCharType")
        if kind == "begin":
            self.open.append(_Field())
            del self.open[_MAX_DEPTH:]
        elif kind == "separate" and self.open:
            self.open[-1].code = False
        elif kind == "end" and self.open:
            self.open.pop()

    def told(self, code: str) -> None:
        """Take a piece of a field's code."""
        if self.open and self.open[-1].code and not self.open[-1].kind:
            self.open[-1].kind = code.split()[0].upper() if code.split() else ""


class ParagraphReader:
    """Reads the paragraphs of one part of a document."""

    def __init__(self, styles: Styles, fields: Fields) -> None:
        self._styles = styles
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
            return
        for child in node:
            name = local(child)
            if name == "r":
                self._run(child, hidden, change, depth)
            elif name in _AROUND:
                self._walk(child, hidden, change, depth + 1)
            elif name in _GONE:
                self._walk(child, _GONE[name], change, depth + 1)
            elif name in _COME:
                self._walk(child, hidden, change or _COME[name], depth + 1)
            elif name == "AlternateContent":
                # The same content stands twice, for newer and older programs; the first is read.
                branch = next((item for item in child if local(item) in ("Choice", "Fallback")), None)
                if branch is not None:
                    self._walk(branch, hidden, change, depth + 1)
            elif name in ("oMath", "oMathPara"):
                for text, found in linear(child):
                    self._text(text, hidden, change, found)
            elif name in ("commentRangeStart", "commentRangeEnd"):
                what = "open" if name == "commentRangeStart" else "close"
                self._out.items.append(Item(what, "", attribute(child, "id") or ""))
            elif name == "ruby":
                self._ruby(child, hidden, change, depth)

    def _run(self, run: Any, hidden: str, change: str, depth: int) -> None:
        look = self._base
        for child in run:
            name = local(child)
            if name == "t":
                text = child.text or ""
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
            self._fields.step(node)
        elif name == "instrText":
            self._fields.told(node.text or "")
        elif name == "delText":
            self._text(node.text or "", "deleted", change, True)
        elif name in ("footnoteReference", "endnoteReference"):
            custom = "own" if is_on_attribute(node, "customMarkFollows") else ""
            self._out.items.append(Item(name.removesuffix("Reference"), custom, attribute(node, "id") or ""))
        elif name == "commentReference":
            self._out.items.append(Item("refer", "", attribute(node, "id") or ""))
        elif name in ("drawing", "pict", "object"):
            _drawing(node, self._out)
        elif name == "AlternateContent":
            branch = next((item for item in node if local(item) in ("Choice", "Fallback")), None)
            for child in branch if branch is not None and depth < _MAX_DEPTH else ():
                self._mark(child, local(child), hidden, change, depth + 1, look)
        elif name == "ruby":
            self._ruby(node, hidden, change, depth)
        elif name == "t":
            self._text(node.text or "", hidden, change, True)
        elif name in _COME or name in _GONE or name in ("oMath", "r"):
            wrapped = [node] if name != "r" else node
            self._walk(wrapped, hidden, change, depth + 1)

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
                    chosen = attribute(states["result"], "val") if "result" in states else "0"
                    if chosen and chosen.isdigit() and int(chosen[:6]) < len(entries):
                        self._text(entries[int(chosen[:6])], hidden, change, True)


_SIGNS: Final = {"tab": "\t", "ptab": "\t", "noBreakHyphen": "\u2011"}


def is_on_attribute(node: Any, name: str) -> bool:
    """Whether an attribute says yes."""
    return (attribute(node, name) or "0") not in ("0", "false", "off")


def _symbol(node: Any, look: Look) -> str:
    try:
        code = int(attribute(node, "char") or "", 16)
    except ValueError:
        return ""
    return symbol(code, attribute(node, "font") or look.font or "")


def _drawing(node: Any, out: Paragraph) -> None:
    """Text boxes, images, charts, diagrams and words drawn as pictures, each once."""
    inside: set[Any] = set()
    for child in node.iter():
        if child in inside:
            continue
        name = local(child)
        if name == "txbxContent" or (name == "Fallback" and _has_choice(child)):
            inside.update(child.iter())
            if name == "txbxContent":
                out.extras.append(("box", child))
        elif name == "docPr":
            text = " ".join(part for key in ("title", "descr") if (part := (attribute(child, key) or "").strip()))
            if text:
                out.extras.append(("alternative_text", text))
        elif name == "shape" and (text := (attribute(child, "alt") or "").strip()):
            out.extras.append(("alternative_text", text))
        elif name in ("blip", "imagedata"):
            if relation := attribute(child, "embed" if name == "blip" else "id"):
                out.extras.append(("image", relation))
        elif name == "chart" and (relation := attribute(child, "id")):
            out.extras.append(("chart", relation))
        elif name == "relIds" and (relation := attribute(child, "dm")):
            out.extras.append(("diagram", relation))
        elif name == "textpath" and (text := attribute(child, "string") or ""):
            out.extras.append(("art", text))
        elif name in ("OLEObject", "control"):
            out.extras.append(("object", attribute(child, "id") or ""))


def _has_choice(fallback: Any) -> bool:
    parent = fallback.getparent()
    return parent is not None and any(local(item) == "Choice" for item in parent)


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
