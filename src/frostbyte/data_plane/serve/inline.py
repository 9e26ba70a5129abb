"""Text inside Markdown: escaped only where Markdown would misread it, with what the source says of its parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from frostbyte.data_plane.artefacts import View
from frostbyte.data_plane.document import Element, Mark, Page

BREAK: Final = "\\\n"
"""A line end that stays one."""

_SIGN: Final = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|\s*$)"  # a backslash that would escape what follows
    r"|`+|~~+|(?<!\S)~(?=\S)|\*+|_+"
    r"|<(?=[A-Za-z/!?])|&(?=#\w|\w+;)"
    r"|\[(?=\^|[^\]\n]*\](?:\(|:|\[))"
)
_START: Final = re.compile(
    r"(?:#{1,6}|[-+*])(?=\s|$)|>|\d{1,9}(?=[.)](?:\s|$))|=+\s*$|[-_*=](?:\s*[-_*=]){2,}\s*$|:?-+:?\s*\||~~~"
)
_NOTE: Final = re.compile(r"\\\[\^([^\]\s]{1,20})\]")
_TIGHT: Final = re.compile("-(?=-)")


def escaped(line: str, *, starts: bool = True) -> str:
    """One line of text as Markdown that reads the same.

    Args:
        line: without line ends.
        starts: it stands at the beginning of a line of Markdown.
    """

    def sign(match: re.Match[str]) -> str:
        found, at = match[0], match.start()
        before = line[at - 1 : at]
        after = line[match.end() : match.end() + 1]
        # At an end of a line that begins no line of Markdown there may stand a tag.
        spaced = (before.isspace() or (starts and not before)) and (after.isspace() or (starts and not after))
        if found[0] == "*" and spaced:
            return found  # neither opens nor closes anything
        if found[0] == "_" and (spaced or (before.isalnum() and after.isalnum())):
            return found  # part of a word, or alone
        return "".join("\\" + character for character in found)

    text = _SIGN.sub(sign, line)
    if starts and (match := _START.match(text)):
        at = match.end() if match[0].isdigit() else 0
        text = f"{text[:at]}\\{text[at:]}"
    return text


def comment(text: str) -> str:
    """Text inside `<!-- -->`, on one line."""
    return _TIGHT.sub("- ", " ".join(text.split()))


@dataclass(slots=True)
class Inline:
    """Writes ranges of one page; remembers which elements it has shown where the source refers to them."""

    page: Page
    view: View
    by_start: dict[int, Element] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    """Starts of elements that were shown in the midst of others."""
    remarks: list[tuple[str, Element]] = field(default_factory=list)
    """Comments that were referred to: label and element; still to be written."""
    _hidden: list[tuple[int, int]] = field(default_factory=list)
    _marks: list[Mark] = field(default_factory=list)
    _labels: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        # Two elements may begin at one place if the first is empty; what is referred to has text.
        self.by_start = {element.start: element for element in self.page.elements if element.end > element.start}
        self._hidden = [(item.start, item.end) for item in self.view.hidden(self.page.number)]
        self._marks = [mark for mark in self.page.marks if mark.kind in _INLINE]
        self._labels = {mark.label for mark in self.page.marks if mark.kind in ("footnote", "endnote") and mark.label}

    def raw(self, start: int, end: int) -> str:
        """What may be seen of the range, as it is."""
        return self.view.text(self.page, start, end)

    def marked(self, start: int, end: int) -> bool:
        """Whether the source says more of a part of the range than its text."""
        return any(mark.start <= end and start <= mark.end for mark in self.page.marks)

    def text(self, start: int, end: int, newline: str, *, starts: bool = True) -> str:
        """The range as Markdown.

        Args:
            start: first position.
            end: behind the last.
            newline: what a line end becomes.
            starts: it stands at the beginning of a line of Markdown, and so does what follows a line end.
        """
        raw = self._decorated(start, end, starts)
        lines = [" ".join(line.split(" ")).strip() for line in raw.splitlines()]
        return newline.join(line for line in lines if line)

    def _decorated(self, start: int, end: int, starts: bool) -> str:
        marks = [
            mark
            for mark in self._marks
            if (mark.start < end and mark.end > start) or start <= mark.start == mark.end <= end
        ]
        events: list[tuple[int, int, Callable[[], str]]] = []
        for mark in marks:
            events += self._events(mark, start, end)
        events.sort(key=lambda event: event[:2])
        parts: list[str] = []
        at = start
        for place, _, write in events:
            parts.append(self._plain(at, place, first=starts and at == start, later=starts) if place > at else "")
            at = max(at, place)
            parts.append(write())
        parts.append(self._plain(at, end, first=starts and at == start, later=starts))
        return "".join(parts)

    def _events(self, mark: Mark, start: int, end: int) -> list[tuple[int, int, Callable[[], str]]]:
        first, last = self._clear(max(mark.start, start)), self._clear(min(mark.end, end))
        if mark.kind in ("inserted", "moved_here"):
            return [(first, 2, lambda: "<ins>"), (last, 0, lambda: "</ins>")] if first < last else []
        if mark.kind in ("deleted", "moved_away"):
            return [(first, 1, lambda: self._deleted(mark))]
        return [(last, 1, lambda: self._remark(mark))] if mark.end <= end else []

    def _clear(self, place: int) -> int:
        """The place, or the end of what is hidden around it: nothing may be put inside that."""
        for start, end in self._hidden:
            if start < place < end:
                return end
        return place

    def _plain(self, start: int, end: int, *, first: bool, later: bool) -> str:
        raw = self.raw(start, end)
        if not raw.strip():
            return raw
        lines = raw.split("\n")
        written: list[str] = []
        for number, line in enumerate(lines):
            lead = len(line) - len(line.lstrip())
            written.append(line[:lead] + escaped(line[lead:], starts=later if number else first))
        text = "\n".join(written)
        return _NOTE.sub(lambda match: f"[^{match[1]}]" if match[1] in self._labels else match[0], text)

    def _deleted(self, mark: Mark) -> str:
        element = self.by_start.get(mark.target if mark.target is not None else -1)
        if element is None or not element.hidden:
            return ""
        self.shown.add(element.start)
        text = " ".join(self._plain(element.start, element.end, first=False, later=False).split())
        return f"<del>{text}</del>" if text else ""

    def _remark(self, mark: Mark) -> str:
        element = self.by_start.get(mark.target if mark.target is not None else -1)
        if element is None:
            return ""
        for label, known in self.remarks:
            if known is element:
                return f"[^{label}]"
        label = f"comment-{self.page.number}-{sum(1 for _ in self.remarks) + 1}"
        self.remarks.append((label, element))
        self.shown.add(element.start)
        return f"[^{label}]"


_INLINE: Final = frozenset({"inserted", "moved_here", "deleted", "moved_away", "comment"})
