"""What the cells of a workbook show: shared strings, styles and number formats turned into ready answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from frostbyte.data_plane.parse.limits import damaged
from frostbyte.data_plane.parse.office.archive import Archive, attribute, check_xml, local, parsed
from frostbyte.data_plane.parse.office.escapes import attributes, storable, unescaped
from frostbyte.data_plane.parse.office.number_columns import SHORT, SHOWN, Column, Fixed, fixed_column, general_column
from frostbyte.data_plane.parse.office.number_formats import BUILT_IN, NumberFormat, general
from frostbyte.data_plane.parse.office.xlsx_cells import string_of

_T = TypeVar("_T")

Shown = tuple[str, str | None]
"""The text that a cell shows, and the value that it stores where that reads otherwise."""

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


class _Texts(dict[str, str]):
    """The same for cells that store no other value."""

    def __init__(self, work: Callable[[str], str]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, value: str) -> str:
        text = self._work(value)
        if len(self) < _REMEMBERED:
            self[value] = text
        return text


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
        self._strings = shared_strings(archive.unpacked(strings)) if strings else []
        self._from_1904 = from_1904
        self._formats: list[NumberFormat | None] = []
        self.notes: set[str] = set()
        """Of what cells show and is not read."""
        self.hidden: list[str] = []
        """By style: why nobody sees such a cell (white, tiny), or ''."""
        if styles:
            self._read_styles(archive.xml(styles))
        self._shared = _Texts(self._string)
        self._text = _Answers(lambda value: (self._shared[value], None)).__getitem__
        self._by_kind = _Kinds(self._make)
        self._by_style: dict[int, Callable[[str], Shown]] = {}
        self._whole: dict[Callable[[str], Shown], Callable[[Sequence[str]], Column | None]] = {
            self._text: lambda values: (list(map(self._shared.__getitem__, values)), [None] * len(values)),
            _plain: _plain_column,
        }
        """How a whole column is answered for at one stroke, if it can be, by the answer for a single cell."""

    def shown(self, kinds: Sequence[str], values: Sequence[str]) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
        """What cells show and store; there is at least one."""
        answers = map(self._by_kind.__getitem__, kinds)
        texts, stored = zip(*[answer(value) for answer, value in zip(answers, values, strict=True)], strict=True)
        return texts, stored

    def column(self, kind: str, values: Sequence[str]) -> Column:
        """The same for cells of one kind, which is quicker."""
        answer = self._by_kind[kind]
        whole = self._whole.get(answer)
        return (whole(values) if whole else None) or _one_by_one(answer, values)

    def style(self, kind: str) -> int:
        """The number of a cell's style."""
        stated = attributes(kind).get("s", "0")
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 8 else 0

    def is_text(self, kind: str) -> bool:
        """Whether such cells hold text."""
        return attributes(kind).get("t") in ("s", "str", "inlineStr")

    def _make(self, kind: str) -> Callable[[str], Shown]:
        stated, style = attributes(kind), self.style(kind)
        stored = stated.get("t", "n")
        if stated.get("ph") in ("1", "true"):
            self.notes.add("phonetic_text_not_read")
        if stored == "e" and "vm" in stated:
            self.notes.add("rich_values_not_read")  # the error is what older programs show
        form = self._formats[style] if style < len(self._formats) else None
        if stored == "b":
            return lambda value: _TRUTH.get(value, (value, None))
        if stored in ("s", "str", "inlineStr", "d", "e"):
            plain = self._text if stored == "s" else _plain
            if form is None or form.text("\x00") == "\x00":
                return plain
            made = form
            return lambda value: _framed(made, plain(value)[0])
        if style not in self._by_style:
            usual = form is None or form.shows_general
            work = _general if form is None or usual else _Number(form).shown
            self._by_style[style] = answer = _Answers(work).__getitem__
            if usual:
                self._whole[answer] = general_column
            elif form is not None and (fixed := form.fixed()):
                self._whole[answer] = partial(fixed_column, Fixed(*fixed))
        return self._by_style[style]

    def _string(self, value: str) -> str:
        if value.isascii() and value.isdigit() and len(value) < 10 and int(value) < len(self._strings):
            return self._strings[int(value)]
        if not value:
            return ""
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
            elif name == "dxfs":
                if any('"' in item.get("formatCode", "") for item in node.iter("{*}numFmt")):
                    self.notes.add("conditional_formats_not_read")
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


def _plain_column(values: Sequence[str]) -> Column:
    together = "".join(values)
    escaped = "&" in together or "_" in together
    return [_plain(value)[0] for value in values] if escaped else values, [None] * len(values)


def _one_by_one(answer: Callable[[str], Shown], values: Sequence[str]) -> Column:
    texts, stored = zip(*map(answer, values), strict=True)
    return texts, stored


def _framed(form: NumberFormat, text: str) -> Shown:
    """A text in a format that writes something around it; one that would show nothing leaves it as it is."""
    shown = form.text(text) if text else ""
    return (shown, storable(text)) if shown.strip() else (text, None)


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


def shared_strings(data: bytes | bytearray) -> list[str]:
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
    return [
        unescaped(string_of(node).replace("&", "&amp;")) for node in parsed(bytes(data), "XLSX").iter("{*}si", "si")
    ]
