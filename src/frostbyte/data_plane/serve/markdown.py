"""A document as Markdown as a person would have written it, through the eyes of a `View`: nothing hidden gets out.

Tracked changes stand as `<ins>` and `<del>`, comments and notes as footnotes, what a person would not see as HTML
comments. docs/cli.md describes the form.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from frostbyte.data_plane.artefacts import View
from frostbyte.data_plane.document import Document, Element, Kind, Page
from frostbyte.data_plane.serve.inline import BREAK, Inline, comment, escaped
from frostbyte.data_plane.serve.markdown_table import table
from frostbyte.data_plane.serve.preformatted import preformatted

_LABEL: Final = re.compile(
    r"\s*(?:(?P<bullet>[•◦▪‣●○■–—*+\-·])|(?P<number>\d{1,9})(?P<sign>[.)])|(?P<other>\(?(?:\d{1,2}|[A-Za-z]|[ivxlcIVXLC]{1,6})[.)]))\s+"
)
_HASHES: Final = re.compile(r"^\s*#{1,6}\s+")
_UNDERLINE: Final = re.compile(r"\n\s*([=\-~_*])\1{2,}\s*$")
_CLOSING: Final = re.compile(r"(?:(?<=\s)|^)(#+)$")
_NOTE: Final = re.compile(r"^\s*\[\^([^\]\s]{1,20})\]:?\s*")
_EXPLAINED: Final = frozenset({"read", "text_layer", "under_text", "too_small"})
"""Outcomes of images that need no word: read, or nothing to read."""


def to_markdown(document: Document, view: View) -> str:
    """The document as Markdown; pages of a document with several are told by comments."""
    writer = _Writer(document, view)
    for page in document.pages:
        writer.page(page)
    missing = max(document.pages_found, len(document.pages)) - len(document.pages)
    if missing:
        writer.block(f"*({missing} of {document.pages_found} pages could not be opened)*")
    return writer.text()


class _Writer:
    """Collects blocks."""

    def __init__(self, document: Document, view: View) -> None:
        self._document = document
        self._view = view
        self._blocks: list[str] = []
        self._told: set[str] = set()
        """Headers and footers that were shown."""
        self._list: list[tuple[int, int]] = []
        """Open list items: level, and the column at which their text begins."""
        self._last = ""
        """Marker of the last item on each level, to see whether a list goes on."""
        self._numbers: dict[int, str] = {}
        if view.title and not self._titled():
            self.block(f"<!-- title: {comment(view.title)} -->")

    def _titled(self) -> bool:
        """Whether the document shows its title by itself."""
        for page in self._document.pages[:1]:
            for element in page.elements:
                if element.kind is Kind.HEADING and not element.hidden:
                    shown = self._view.text(page, element.start, element.end)
                    shown = _HASHES.sub("", _UNDERLINE.sub("", shown))
                    return " ".join(shown.split()) == " ".join(self._view.title.split())
        return False

    def text(self) -> str:
        """All of it."""
        return "\n\n".join(self._blocks) + "\n"

    def block(self, text: str) -> None:
        """Append a block; nothing for ''."""
        if text:
            self._blocks.append(text)
            self._list.clear()

    def page(self, page: Page) -> None:
        """Append a page."""
        inline = Inline(page, self._view)
        self._head(page)
        for element in page.elements:
            if element.start in inline.shown and element.hidden:
                continue
            if element.kind is Kind.LIST_ITEM and not element.hidden and not element.cells:
                self._item(element, inline)
            else:
                self.block(self._block(element, inline))
        for label, remark in inline.remarks:
            text = inline.text(remark.start, remark.end, " ")
            self.block(f"[^{label}]: Comment: {text}" if text else "")
        outcomes = Counter(image.outcome for image in page.images if image.outcome not in _EXPLAINED)
        if outcomes and not page.unread:
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
            self.block(f"<!-- images without text: {told} -->")

    def _head(self, page: Page) -> None:
        name = " ".join(self._view.page_names.get(page.number, "").split())
        if name:
            self.block(f"# {_heading(name)}")
        elif len(self._document.pages) > 1 or self._document.pages_found > 1:
            self.block(f"<!-- page {page.number} -->")
        if page.hidden:
            self.block("*(hidden sheet)*")
        if page.ocr_confidence is not None:
            turned = f", turned by {page.turned} degrees" if page.turned else ""
            self.block(f"<!-- read by OCR, confidence {page.ocr_confidence:.2f}{turned} -->")
        if page.unread == "blank":
            self.block("<!-- blank -->")
        elif page.unread:
            self.block(f"*(page {page.number} could not be read: {page.unread.replace('_', ' ')})*")

    def _block(self, element: Element, inline: Inline) -> str:
        if element.cells and not element.hidden:
            return "\n\n".join(filter(None, (_hidden_parts(element, inline.page), table(element, inline))))
        raw = inline.raw(element.start, element.end)
        if not raw.strip():
            return ""
        if element.kind is Kind.COMMENT:
            return f"> Comment: {inline.text(element.start, element.end, ' ')}"
        if element.hidden:
            return f"<!-- hidden ({element.hidden}): {comment(raw)} -->"
        return self._visible(element, raw, inline)

    def _visible(self, element: Element, raw: str, inline: Inline) -> str:
        start, end = element.start, element.end
        if element.kind in (Kind.HEADER, Kind.FOOTER):
            told = f"<!-- {element.kind.value}: {comment(raw)} -->"
            if told in self._told:
                return ""
            self._told.add(told)
            return told
        if element.kind is Kind.HEADING:
            text = _HASHES.sub("", _UNDERLINE.sub("", inline.text(start, end, "\n", starts=False)))
            level = element.level + (1 if self._view.page_names.get(inline.page.number) else 0)
            text = _CLOSING.sub(r"\\\1", " ".join(text.split()))
            return f"{'#' * min(max(level, 1), 6)} {text}" if text else ""
        if element.kind is Kind.FOOTNOTE:
            text = inline.text(start, end, " ", starts=True)
            if match := _NOTE.match(text):
                return f"[^{match[1]}]: {text[match.end() :]}"
            return text
        if element.kind is Kind.PARAGRAPH and (block := preformatted(raw)) and not inline.marked(start, end):
            return block
        text = inline.text(start, end, BREAK)
        if element.kind is Kind.CAPTION:
            return f"*{text}*" if "*" not in text and "\n" not in text else text
        if element.kind is Kind.FIGURE:
            return "> Figure: " + text.replace("\n", "\n> ")
        return text

    def _item(self, element: Element, inline: Inline) -> None:
        """Append a list item to the list that is open, or begin one."""
        shown = inline.raw(element.start, element.end)
        if not shown.strip():
            return
        marker, length = _marker(shown)
        level = max(element.level, 1)
        while self._list and self._list[-1][0] >= level:
            self._list.pop()
        column = self._list[-1][1] if self._list else 0
        begin = self._behind(element, inline, length)
        text = inline.text(begin, element.end, BREAK)
        going = self._going
        if not going:
            self._numbers.clear()
        self._numbers = {key: value for key, value in self._numbers.items() if key <= level}
        before = self._numbers.get(level, "")
        self._numbers[level] = marker
        indent = " " * column
        body = text.replace("\n", "\n" + indent + " " * (len(marker) + 1))
        lines = f"{indent}{marker} {body}"
        if going and before and not _follows(before, marker):
            # Another list: Markdown sees that by another kind of marker; where that is the same, a comment parts them.
            parted = "" if before[-1] != marker[-1] else f"{indent}<!-- -->\n\n"
            lines = f"\n{parted}{lines}"
        if going:
            self._blocks[-1] += "\n" + lines
        else:
            self._blocks.append(lines)
        self._list.append((level, column + len(marker) + 1))
        self._last = self._blocks[-1]

    @property
    def _going(self) -> bool:
        """Whether the last block is the list that is being written."""
        return bool(self._blocks) and self._blocks[-1] is self._last

    def _behind(self, element: Element, inline: Inline, length: int) -> int:
        """The position behind the first `length` characters of what is seen of the element."""
        for place in range(element.start, element.end + 1):
            if len(inline.raw(element.start, place)) >= length:
                return place
        return element.start


def _marker(shown: str) -> tuple[str, int]:
    """The list marker of an item in Markdown, and the length of the label in the text that it replaces."""
    match = _LABEL.match(shown)
    if match is None or match["other"]:
        return "-", 0
    if match["bullet"]:
        return "-", match.end()
    return f"{match['number']}{match['sign']}", match.end()


def _follows(before: str, marker: str) -> bool:
    """Whether Markdown would show the marker as it is after the one before."""
    if "-" in (before, marker):
        return before == marker
    return before[-1] == marker[-1] and int(marker[:-1]) == int(before[:-1]) + 1


def _heading(text: str) -> str:
    return _CLOSING.sub(r"\\\1", escaped(text, starts=False))


def _hidden_parts(element: Element, page: Page) -> str:
    """Which rows and columns of the table its sheet does not show."""
    rows: set[int] = set()
    columns: set[int] = set()
    for mark in page.marks:
        if mark.kind in ("hidden_row", "hidden_column") and element.start <= mark.start < max(element.end, 1):
            for cell in element.cells:
                if mark.start <= cell.start and cell.end <= mark.end:
                    (rows if mark.kind == "hidden_row" else columns).add(
                        cell.row + 1 if mark.kind == "hidden_row" else cell.column + 1
                    )
    told = [
        f"{name} {', '.join(map(str, sorted(numbers)))}"
        for name, numbers in (("rows", rows), ("columns", columns))
        if numbers
    ]
    return f"<!-- not shown in the sheet: {'; '.join(told)} of this table -->" if told else ""
