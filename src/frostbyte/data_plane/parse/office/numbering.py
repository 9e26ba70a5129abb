"""Numbers and bullets of lists and headings, which Word makes while it shows the document (ECMA-376 part 1, 17.9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from frostbyte.data_plane.parse.office.archive import attribute, local
from frostbyte.data_plane.parse.office.symbols import readable

_LEVELS: Final = 9
_PLACE: Final = re.compile(r"%([1-9])")
_ROMAN: Final = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
_WORD: Final = re.compile(r"[^\W\d_]+")
_ROMAN_NUMBER: Final = re.compile(r"m*(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})$")
_LONGEST: Final = 1_000
"""Characters of a label; letters and Roman numbers of hostile files would grow without end."""


def roman(number: int) -> str:
    """1994 as MCMXCIV; numbers that Romans could not write stay decimal."""
    if not 0 < number < 4000:
        return str(number)
    parts: list[str] = []
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        parts.append(sign * count)
    return "".join(parts)


def letters(number: int) -> str:
    """A to Z, then AA, BB, CC ... as Word counts."""
    if not 0 < number <= 780:
        return str(number)
    return chr(ord("A") + (number - 1) % 26) * ((number - 1) // 26 + 1)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_FORMATS: Final[dict[str, Callable[[int], str]]] = {
    "decimalZero": lambda number: f"{number:02d}",
    "upperRoman": roman,
    "lowerRoman": lambda number: roman(number).lower(),
    "upperLetter": letters,
    "lowerLetter": lambda number: letters(number).lower(),
    "ordinal": _ordinal,
    "numberInDash": lambda number: f"- {number} -",
    "decimalEnclosedCircle": lambda number: chr(0x245F + number) if 0 < number <= 20 else str(number),
    "decimalEnclosedParen": lambda number: f"({number})",
    "decimalEnclosedFullstop": lambda number: f"{number}.",
    "hex": lambda number: f"{number:X}",
    "none": lambda number: "",
    "bullet": lambda number: "",
}


def formatted(number: int, style: str) -> str:
    """A number as one of Word's number formats shows it; those that we do not know count in decimal."""
    return _FORMATS.get(style, str)(number)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a list."""

    start: int = 1
    style: str = "decimal"
    text: str = ""
    suffix: str = " "
    restart: int | None = None
    legal: bool = False
    paragraph_style: str = ""


_UNSAID: Final = Level()


@dataclass(slots=True)
class _List:
    levels: dict[int, Level] = field(default_factory=dict)
    link: str = ""
    """The style whose list this one stands for."""


@dataclass(frozen=True, slots=True)
class _Use:
    definition: str
    levels: dict[int, Level]
    starts: dict[int, int]


class Numbering:
    """Counts along as the paragraphs come."""

    def __init__(self, root: Any | None) -> None:
        self._lists: dict[str, _List] = {}
        self._uses: dict[str, _Use] = {}
        self._counts: dict[str, list[int | None]] = {}
        self._begun: set[tuple[str, int]] = set()
        self._levels: dict[str, tuple[Level, ...]] = {}
        if root is not None:
            self._read(root)

    def known(self, use: str) -> bool:
        """Whether `use` (a `numId`) is defined."""
        return use in self._uses

    def level_of(self, use: str, paragraph_style: str) -> int:
        """The level that is tied to a paragraph style, else 0."""
        found = self._uses.get(use)
        levels = self._lists[found.definition].levels if found else {}
        return next((at for at, level in levels.items() if level.paragraph_style == paragraph_style), 0)

    def label(self, use: str, at: int) -> str:
        """Count one more item of `use` at level `at`, and say what Word writes before it, with the space behind."""
        found = self._uses.get(use)
        if found is None or not 0 <= at < _LEVELS:
            return ""
        if use not in self._levels:
            levels = self._lists[found.definition].levels | found.levels
            self._levels[use] = tuple(levels.get(place, _UNSAID) for place in range(_LEVELS))
        counts = self._counts.setdefault(found.definition, [None] * _LEVELS)
        return self._counted(use, at, found.starts.get(at), self._levels[use], counts)

    def _counted(
        self, use: str, at: int, start: int | None, levels: tuple[Level, ...], counts: list[int | None]
    ) -> str:
        before = counts[at]
        if start is not None and (use, at) not in self._begun:
            counts[at] = start
        else:
            counts[at] = levels[at].start if before is None else before + 1
        self._begun.add((use, at))
        for deeper in range(at + 1, _LEVELS):
            if counts[deeper] is not None:
                restart = levels[deeper].restart
                if restart is None or at < restart:
                    counts[deeper] = None
        level = levels[at]
        if level.style == "bullet":
            text = level.text
        else:

            def part(match: re.Match[str]) -> str:
                place = int(match.group(1)) - 1
                other = levels[place]
                number = counts[place]
                if number is None:
                    counts[place] = number = other.start
                style = "decimal" if level.legal and other.style not in ("none", "bullet") else other.style
                return formatted(number, style)

            text = _PLACE.sub(part, level.text)
        return text[:_LONGEST] + level.suffix if text.strip() else ""

    def _read(self, root: Any) -> None:
        styles: dict[str, str] = {}
        for node in root:
            name = local(node)
            if name == "abstractNum":
                identity = attribute(node, "abstractNumId") or ""
                self._lists[identity] = made = _List()
                for child in node:
                    kind = local(child)
                    if kind == "lvl":
                        at, level = _level(child)
                        made.levels[at] = level
                    elif kind == "numStyleLink":
                        made.link = attribute(child, "val") or ""
                    elif kind == "styleLink":
                        styles[attribute(child, "val") or ""] = identity
            elif name == "num":
                self._use(node)
        for made in self._lists.values():
            if made.link and not made.levels and made.link in styles:
                made.levels = self._lists[styles[made.link]].levels

    def _use(self, node: Any) -> None:
        definition, levels, starts = "", dict[int, Level](), dict[int, int]()
        for child in node:
            if local(child) == "abstractNumId":
                definition = attribute(child, "val") or ""
            elif local(child) == "lvlOverride":
                at = _whole(attribute(child, "ilvl"), 0)
                for item in child:
                    if local(item) == "startOverride":
                        starts[at] = _whole(attribute(item, "val"), 1)
                    elif local(item) == "lvl":
                        levels[at] = _level(item)[1]
        if definition in self._lists:
            self._uses[attribute(node, "numId") or ""] = _Use(definition, levels, starts)


def _level(node: Any) -> tuple[int, Level]:
    level, font = Level(start=1), ""
    for child in node:
        name, value = local(child), attribute(child, "val") or ""
        if name == "start":
            level = replace(level, start=_whole(value, 1))
        elif name == "numFmt":
            level = replace(level, style=value)
        elif name == "lvlText":
            level = replace(level, text=value)
        elif name == "suff":
            level = replace(level, suffix="" if value == "nothing" else " ")
        elif name == "lvlRestart":
            level = replace(level, restart=_whole(value, 0))
        elif name == "isLgl":
            level = replace(level, legal=value not in ("0", "false", "off"))
        elif name == "pStyle":
            level = replace(level, paragraph_style=value)
        elif name == "rPr":
            font = next((attribute(item, "ascii") or "" for item in child if local(item) == "rFonts"), "")
    if level.style == "bullet":
        level = replace(level, text=_bullet(level.text, font))
    return _whole(attribute(node, "ilvl"), 0), level


def is_worded(label: str) -> bool:
    """Whether a label says more than which number an item has: then it is text even of an item that has none."""
    words = (word.lower() for word in _WORD.findall(label))
    return any(len(set(word)) > 1 and not _ROMAN_NUMBER.match(word) for word in words)


def _bullet(text: str, font: str) -> str:
    """A bullet as people see it. Courier's `o` is Word's second-level circle."""
    if text == "o":
        return "◦"
    return readable(text, font) if text.strip() else text


def _whole(value: str | None, default: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 7 else default
