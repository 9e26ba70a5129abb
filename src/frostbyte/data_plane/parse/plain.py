"""TXT: pages at form feeds, paragraphs, headings, lists and tables by their shape.

The canonical text has the file's characters in their order. A line's end is a separator: where a paragraph was broken
by hand to a width, a space stands for it, and a hyphen that broke a word is dropped, so that people read sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.document import Kind, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_pages
from frostbyte.data_plane.parse.marks import LIST_MARK, NUMBERED_TITLE, hyphen_binds, hyphen_joins
from frostbyte.data_plane.parse.text_tables import find_tables

_LINE_END: Final = re.compile("\r\n|\r|\n|\x0b|\u2028|\u2029|\x85")
_RULE: Final = re.compile(r"^\s*([=\-~_*])\1{2,}\s*$")
_MARKDOWN: Final = re.compile(r"^(#{1,6})\s+\S")
_NUMBERED: Final = re.compile(r"^(\s*)(\d{1,3})[.)]\s+\S")
_BARE: Final = re.compile(r"^\s*\d+\s")
"""A number without a point: a title where it stands alone, else an address or an amount."""
_DIGIT: Final = re.compile(r"\d")
_FIELD: Final = re.compile(r"^[^\W\d_][\w .()/-]{0,30}:(?:\s+\S|$)")
"""`Subject: ...`: a field, not a sentence's line."""
_WIDEST: Final = 120
"""Characters of the longest line up to which a file may have been broken by hand."""
_LONGER: Final = 0.03
"""Part of the lines that may be longer: addresses of pages, tables."""
_NARROWEST: Final = 40


def text_pages(text: str, limits: ParseLimits) -> list[Page]:
    """The pages of a plain text; a form feed begins a new one.

    Raises:
        StageFailed: `too_many_pages`.
    """
    parts = text.split("\f")
    while len(parts) > 1 and not parts[-1].strip():
        parts[-2:] = ["\f".join(parts[-2:])]
    if len(parts) > limits.max_pages:
        raise too_many_pages(len(parts), limits.max_pages)
    last = len(parts)
    return [text_page(part if number == last else part + "\f", number) for number, part in enumerate(parts, 1)]


def text_page(text: str, number: int = 1) -> Page:
    """One page."""
    lines = _LINE_END.split(text)
    builder = PageBuilder()
    writer = _Writer(builder, lines)
    writer.write()
    return builder.page(number, unread="" if text.strip() or number == 1 else "blank")


@dataclass(slots=True)
class _Writer:
    builder: PageBuilder
    lines: list[str]

    def write(self) -> None:
        """Write all lines; each but the last is followed by a separator."""
        lines, builder = self.lines, self.builder
        width = self._width()
        tables = find_tables(lines)
        numbered = _numbered(lines)
        indents: list[int] = []
        at = 0
        while at < len(lines):
            if not lines[at].strip():
                if _only_controls(lines[at]):
                    builder.drop(lines[at], "control_character")
                elif lines[at]:
                    builder.insert(lines[at])
                at += 1
                self._end(at)
                continue
            if table := tables.get(at):
                table.write(builder)
                at = table.end
                self._end(at)
                continue
            end = at + 1
            while end < len(lines) and self._goes_on(at, end, numbered) and end not in tables:
                end += 1
            self._block(at, end, width, numbered, indents)
            at = end
            self._end(at)

    def _end(self, at: int) -> None:
        if at < len(self.lines):
            self.builder.insert("\n")

    def _goes_on(self, start: int, at: int, numbered: set[int]) -> bool:
        """Whether line `at` belongs to what began at line `start`."""
        line = self.lines[at]
        if not line.strip():
            return False
        if at == start + 1 and _underlines(self.lines[start], line):
            return True
        if at == start + 2 and _underlines(self.lines[start], self.lines[start + 1]):
            return False
        if at in numbered or LIST_MARK.match(line) or (NUMBERED_TITLE.match(line) and not _BARE.match(line)):
            return False
        if at + 1 < len(self.lines) and _underlines(line, self.lines[at + 1]):
            return False
        return not (at == start + 1 and start not in numbered and _level([self.lines[start]], alone=False))

    def _block(self, start: int, end: int, width: int, numbered: set[int], indents: list[int]) -> None:
        lines = self.lines[start:end]
        alone = end == len(self.lines) or not self.lines[end].strip()
        item = start in numbered or bool(LIST_MARK.match(lines[0]))
        level = 0 if item else _level(lines, alone=alone or len(lines) == 2)
        kind = Kind.HEADING if level else Kind.LIST_ITEM if item else Kind.PARAGRAPH
        if item:
            indent = len(lines[0]) - len(lines[0].lstrip())
            while indents and indents[-1] >= indent:
                indents.pop()
            indents.append(indent)
            level = len(indents)
        else:
            indents.clear()
        with self.builder.element(kind, level=level, separator=""):
            for number, line in enumerate(lines):
                if number + 1 == len(lines):
                    self.builder.found(line)
                elif level and kind is Kind.HEADING:
                    self.builder.found(line)
                    self.builder.insert("\n")
                else:
                    self._broken(line, lines[number + 1], 0 if _recorded(lines[0], lines[number + 1]) else width)

    def _broken(self, line: str, following: str, width: int) -> None:
        """Write a line and what stands for its end."""
        builder, next_text = self.builder, following.lstrip()
        first = next_text.split(maxsplit=1)[0]
        if width and line.endswith("-") and hyphen_joins(line, next_text):
            builder.found(line[:-1])
            builder.drop("-", "hyphen_joined")
        elif not width or len(line.rstrip()) + 1 + len(first) <= width:
            builder.found(line)
            builder.insert("\n")
        elif line.endswith("-") and hyphen_binds(line, next_text):
            builder.found(line)
        else:
            builder.found(line)
            builder.insert(" ")

    def _width(self) -> int:
        """The width to which the text was broken by hand; 0 where lines are as long as their paragraphs."""
        lengths = sorted(len(line.rstrip()) for line in self.lines if line.strip())
        longest = lengths[-1 - int(_LONGER * len(lengths))] if lengths else 0
        return longest - 4 if _NARROWEST <= longest <= _WIDEST else 0


def _only_controls(line: str) -> bool:
    return any(not character.isspace() or character in "\x0b\x0c\x1c\x1d\x1e\x1f" for character in line)


def _recorded(first: str, line: str) -> bool:
    """Whether a line begins anew as the first of its block does: with a day or another number of that form (a log,
    whose further lines are set in), or both with the name of a field (the head of a mail)."""
    if _FIELD.match(first) and _FIELD.match(line):
        return True
    form = _DIGIT.sub("9", first[:8])
    return form.lstrip("[(<").startswith("99") and (_DIGIT.sub("9", line[:8]) == form or line[:1].isspace())


def _numbered(lines: list[str]) -> set[int]:
    """Lines that are items of a list `1. 2. 3.`: neighbours count on. Alone such a line may be a title, and so may two
    with blank lines between them."""
    found: set[int] = set()
    before: tuple[int, int, str] | None = None
    gap = False
    for at, line in enumerate(lines):
        match = _NUMBERED.match(line)
        if match:
            number = int(match.group(2))
            if before and number == before[1] + 1 and match.group(1) == before[2]:
                titles = gap and NUMBERED_TITLE.match(lines[before[0]]) and NUMBERED_TITLE.match(line)
                if not titles or before[0] in found:
                    found |= {before[0], at}
            before, gap = (at, number, match.group(1)), False
        elif not line.strip():
            gap = True
        elif not line[:1].isspace():
            before = None
    return found


def _underlines(line: str, rule: str) -> bool:
    return bool(_RULE.match(rule)) and 0 < len(line.strip()) < 120 and not _RULE.match(line)


def _level(lines: list[str], *, alone: bool) -> int:
    """The level that these lines have as a heading, or 0."""
    first = lines[0].strip()
    if len(lines) == 2 and _underlines(lines[0], lines[1]):
        return 1 if lines[1].lstrip().startswith("=") else 2
    if len(lines) > 1:
        return 0
    if mark := _MARKDOWN.match(lines[0]):
        return len(mark.group(1))
    if len(first) > 100 or first[-1:] in ".,;:" or lines[0][:1].isspace():
        return 0
    if NUMBERED_TITLE.match(first) and (alone or not _BARE.match(first)):
        number = first.split()[0].rstrip(".)")
        return min(6, 1 + number.count("."))
    letters = [c for c in first if c.isalpha()]
    if len(letters) >= 4 and first.upper() == first and alone | (len(first.split()) <= 8):
        return 1
    return 0
