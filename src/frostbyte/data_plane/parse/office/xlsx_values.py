"""What the cells of a workbook show: shared strings, styles and number formats turned into ready answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from frostbyte.data_plane.parse.limits import damaged
from frostbyte.data_plane.parse.office.archive import Archive, attribute, check_xml, local, parsed
from frostbyte.data_plane.parse.office.escapes import unescaped
from frostbyte.data_plane.parse.office.number_columns import SHORT, SHOWN, general_column
from frostbyte.data_plane.parse.office.number_formats import BUILT_IN, NumberFormat, general
from frostbyte.data_plane.parse.office.xlsx_cells import string_of

_T = TypeVar("_T")

Shown = tuple[str, str | None]
"""The text that a cell shows, and the value that it stores where that reads otherwise."""

_KIND: Final = re.compile(r"""\b([a-z]+)=["']([^"']*)["']""")
_STRING: Final = re.compile(r"<si><t[^>]*>([^<]*)</t></si>")
_REMEMBERED: Final = 200_000
_TRUTH: Final = {"1": ("TRUE", None), "0": ("FALSE", None), "true": ("TRUE", None), "false": ("FALSE", None)}
_WHITE: Final = re.compile(r"^(?:[0-9A-Fa-f]{2})?[Ff][5-9A-Fa-f][Ff][5-9A-Fa-f][Ff][5-9A-Fa-f]$")
_TINY: Final = 1.5


class _Answers(dict[str, Shown]):
    """Answers by stored value, each worked out once: cells repeat their values, and a dictionary answers in C."""

    def __init__(self, work: Callable[[str], Shown]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, value: str) -> Shown:
        shown = self._work(value)
        if len(self) < _REMEMBERED:
            self[value] = shown
        return shown


class _Kinds(dict[str, Callable[[str], Shown]]):
    """How to answer for a cell with these attributes."""

    def __init__(self, make: Callable[[str], Callable[[str], Shown]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, kind: str) -> Callable[[str], Shown]:
        if len(self) > _REMEMBERED:
            self.clear()
        self[kind] = made = self._make(kind)
        return made


class Values:
    """Answers for every kind of cell of one workbook."""

    def __init__(self, archive: Archive, strings: str, styles: str, *, from_1904: bool) -> None:
        self._strings = shared_strings(archive.read(strings)) if strings else []
        self._from_1904 = from_1904
        self._formats: list[NumberFormat | None] = []
        self.hidden: list[str] = []
        """By style: why nobody sees such a cell (white, tiny), or ''."""
        if styles:
            self._read_styles(archive.xml(styles))
        self._text = _Answers(self._string)
        self._by_kind = _Kinds(self._make)
        self._by_style: dict[int, Callable[[str], Shown]] = {}
        self._general: set[Callable[[str], Shown]] = set()
        """Those of the answers that are of the format General."""

    def shown(
        self, kinds: Sequence[str], values: Sequence[str], width: int = 0
    ) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
        """What cells show and store; there is at least one. Where each `width` of them have the same kinds, they are
        taken column by column, which is quicker."""
        if not width:
            answers = map(self._by_kind.__getitem__, kinds)
            texts, stored = zip(*[answer(value) for answer, value in zip(answers, values, strict=True)], strict=True)
            return texts, stored
        all_texts: list[str] = [""] * len(values)
        all_stored: list[str | None] = [None] * len(values)
        for place in range(width):
            answer, column = self._by_kind[kinds[place]], values[place::width]
            found = general_column(column) if answer in self._general else None
            all_texts[place::width], all_stored[place::width] = found or zip(*map(answer, column), strict=True)
        return tuple(all_texts), tuple(all_stored)

    def style(self, kind: str) -> int:
        """The number of a cell's style."""
        stated = dict(_KIND.findall(kind)).get("s", "0")
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 8 else 0

    def is_text(self, kind: str) -> bool:
        """Whether such cells hold text."""
        return dict(_KIND.findall(kind)).get("t") in ("s", "str", "inlineStr")

    def _make(self, kind: str) -> Callable[[str], Shown]:
        stored, style = dict(_KIND.findall(kind)).get("t", "n"), self.style(kind)
        form = self._formats[style] if style < len(self._formats) else None
        if stored == "b":
            return lambda value: _TRUTH.get(value, ("", None))
        if stored in ("s", "str", "inlineStr", "d", "e"):
            plain = self._text.__getitem__ if stored == "s" else _plain
            if form is None or form.text("\x00") == "\x00":
                return plain
            made = form
            return lambda value: _framed(made, plain(value)[0])
        if style not in self._by_style:
            work = _general if form is None or form.shows_general else _Number(form).shown
            self._by_style[style] = answer = _Answers(work).__getitem__
            if work is _general:
                self._general.add(answer)
        return self._by_style[style]

    def _string(self, value: str) -> Shown:
        if value.isascii() and value.isdigit() and len(value) < 10 and int(value) < len(self._strings):
            return self._strings[int(value)], None
        if not value:
            return "", None
        raise damaged("XLSX")

    def _read_styles(self, root: Any) -> None:
        codes: dict[str, str] = {}
        fonts, fills = list[str](), list[bool]()
        for node in root:
            name = local(node)
            if name == "numFmts":
                codes = {item.get("numFmtId", ""): item.get("formatCode", "") for item in node}
            elif name == "fonts":
                fonts = [_unseen(item) for item in node]
            elif name == "fills":
                fills = [_colored(item) for item in node]
            elif name == "cellXfs":
                known: dict[str, NumberFormat | None] = {}
                for item in node:
                    number = item.get("numFmtId", "0")
                    if number not in known:
                        known[number] = self._format(number, codes)
                    self._formats.append(known[number])
                    unseen = _entry(fonts, item.get("fontId"), "")
                    colored = _entry(fills, item.get("fillId"), False)
                    self.hidden.append("" if unseen == "white" and colored else unseen)

    def _format(self, number: str, codes: dict[str, str]) -> NumberFormat | None:
        code = codes.get(number)
        if code is None:
            code = BUILT_IN.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else None
        return NumberFormat(code, from_1904=self._from_1904) if code else None


def _entry(entries: list[_T], index: str | None, default: _T) -> _T:
    place = int(index) if index and index.isascii() and index.isdigit() and len(index) < 7 else 0
    return entries[place] if place < len(entries) else default


def _unseen(font: Any) -> str:
    """Why nobody would see text of a font on white, or ''."""
    for child in font:
        if local(child) == "sz":
            try:
                if float(attribute(child, "val") or "11") < _TINY:
                    return "tiny"
            except ValueError:
                continue
        # Theme colour 0 is the window's background, which is white.
        elif local(child) == "color" and (
            _WHITE.match(child.get("rgb", "")) or (child.get("theme") == "0" and not child.get("tint"))
        ):
            return "white"
    return ""


def _colored(fill: Any) -> bool:
    """Whether something other than white stands behind the cell."""
    for pattern in fill:
        if local(pattern) == "gradientFill":
            return True
        if local(pattern) == "patternFill" and pattern.get("patternType", "none") != "none":
            front = next((item for item in pattern if local(item) == "fgColor"), None)
            return front is None or not _WHITE.match(front.get("rgb", "")) or pattern.get("patternType") != "solid"
    return False


def _plain(value: str) -> Shown:
    return (unescaped(value) if "&" in value or "_x" in value else value), None


def _framed(form: NumberFormat, text: str) -> Shown:
    """A text in a format that writes something around it; one that would show nothing leaves it as it is."""
    shown = form.text(text) if text else ""
    return (shown, text) if shown.strip() else (text, None)


def _general(value: str) -> Shown:
    if len(value) <= SHOWN and ((value.isdigit() and value.isascii() and value[0] != "0") or SHORT.fullmatch(value)):
        return value, None
    try:
        shown = general(float(value))
    except (ValueError, OverflowError):
        return value, None
    return shown, None if shown == value or _same(shown, value) else value


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


class _Number:
    """Numbers in one format."""

    def __init__(self, form: NumberFormat) -> None:
        self._form = form
        self._quick = form.quick()

    def shown(self, value: str) -> Shown:
        """The text and the stored value. Where the format shows nothing, the value itself is the text."""
        if not value:
            return "", None
        try:
            if quick := self._quick(value):
                return quick
            number = float(value)
            text = self._form.number(number).strip()
        except (ValueError, OverflowError):
            return value, None
        stored = self._form.stored(number) if self._form.is_date else None
        if not text:
            text = stored or value
        stored = stored or value
        return text, None if text == stored or text.replace(",", "") == stored else stored


def shared_strings(data: bytes) -> list[str]:
    """The strings that cells name by number."""
    check_xml(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    count = text.count
    entries = count("<si>")
    if entries and count("<") - 4 * entries == count("<?") + count("<sst") + count("</sst>"):
        found = _STRING.findall(text)
        if len(found) == entries:
            return [unescaped(item) if "&" in item or "_x" in item else item for item in found]
    return [unescaped(string_of(node).replace("&", "&amp;")) for node in parsed(data, "XLSX") if local(node) == "si"]
