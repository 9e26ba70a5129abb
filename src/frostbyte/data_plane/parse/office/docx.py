"""DOCX: body, tables, notes, headers, text boxes, comments and tracked changes, straight from the parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from frostbyte.data_plane.document import Cell, Kind, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_cells
from frostbyte.data_plane.parse.marks import LIST_MARK
from frostbyte.data_plane.parse.office.archive import Archive, attribute, local, opened
from frostbyte.data_plane.parse.office.docx_text import Paragraph, is_on, read_paragraph
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages

_HEADING_NAME: Final = re.compile(r"^(?:heading|überschrift)\s*(\d)$", re.IGNORECASE)
_MAX_DEPTH: Final = 40
_WRAPPERS: Final = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo", "AlternateContent", "Choice"})


@dataclass(frozen=True, slots=True)
class DocxResult:
    """What was read of a DOCX."""

    page: Page
    metadata: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Style:
    level: int
    listed: bool


def read_docx(source: BinaryIO, limits: ParseLimits, progress: Callable[[], None]) -> DocxResult:
    """Read a DOCX as one page: body first, then notes, headers, footers and comments.

    Raises:
        StageFailed: `encrypted`, `damaged`, `archive_bomb`, `unsafe_xml`, `too_many_cells`.
    """
    with opened(source, "DOCX", limits) as archive:
        main = archive.main_part("word/document.xml")
        writer = _Writer(archive, main, limits, progress)
        writer.body(archive.xml(main))
        writer.other_parts()
        return DocxResult(writer.builder.page(1), archive.properties(), tuple(dict.fromkeys(writer.notes)))


class _Writer:
    def __init__(self, archive: Archive, main: str, limits: ParseLimits, progress: Callable[[], None]) -> None:
        self.builder = PageBuilder()
        self.notes: list[str] = []
        self._archive = archive
        self._limits = limits
        self._progress = progress
        self._cells = 0
        self._relations = archive.relations(main)
        self._images = EmbeddedImages(archive, limits, progress)
        self._styles = _styles(archive, self._part("styles"))

    def body(self, root: Any) -> None:
        """Write the main document."""
        for node in root:
            if local(node) == "body":
                self._blocks(node, Kind.PARAGRAPH, self._relations, 0)

    def other_parts(self) -> None:
        """Write notes, headers, footers and comments."""
        for kind, tag, part in (
            (Kind.FOOTNOTE, "footnote", self._part("footnotes")),
            (Kind.FOOTNOTE, "endnote", self._part("endnotes")),
        ):
            if part:
                self._entries(part, tag, kind, "")
        for word, kind in (("header", Kind.HEADER), ("footer", Kind.FOOTER)):
            for part in sorted({target for found, target in self._relations.values() if found == word}):
                if part in self._archive.names:
                    self._blocks(self._archive.xml(part), kind, self._archive.relations(part), 0)
        if part := self._part("comments"):
            self._entries(part, "comment", Kind.COMMENT, "comment")

    def _part(self, kind: str) -> str:
        for found, target in self._relations.values():
            if found == kind and target in self._archive.names:
                return target
        return ""

    def _entries(self, part: str, tag: str, kind: Kind, hidden: str) -> None:
        relations = self._archive.relations(part)
        for node in self._archive.xml(part):
            if local(node) == tag and attribute(node, "type") not in ("separator", "continuationSeparator"):
                self._blocks(node, kind, relations, 0, hidden)

    def _blocks(
        self, parent: Any, kind: Kind, relations: dict[str, tuple[str, str]], depth: int, hidden: str = ""
    ) -> None:
        if depth > _MAX_DEPTH:
            self.notes.append("nesting_too_deep")
            return
        for node in parent:
            name = local(node)
            if name == "p":
                self._paragraph(node, kind, relations, depth, hidden)
            elif name == "tbl":
                self._table(node, relations, depth)
            elif name in _WRAPPERS:
                self._blocks(node, kind, relations, depth + 1, hidden)
            elif name in ("del", "moveFrom"):
                self._blocks(node, kind, relations, depth + 1, "deleted")

    def _paragraph(self, node: Any, kind: Kind, relations: dict[str, tuple[str, str]], depth: int, hidden: str) -> None:
        self._progress()
        paragraph = read_paragraph(node)
        text = paragraph.text
        level = 0
        if kind is Kind.PARAGRAPH:
            kind, level = self._role(node, text)
        self.builder.piece(kind, text, level=level, hidden=hidden)
        self._extras(paragraph, relations, depth)

    def _extras(self, paragraph: Paragraph, relations: dict[str, tuple[str, str]], depth: int) -> None:
        for reason, parts in paragraph.hidden.items():
            kind = Kind.FIGURE if reason == "alternative_text" else Kind.PARAGRAPH
            self.builder.piece(kind, "".join(parts), hidden=reason)
        for box in paragraph.boxes:
            self._blocks(box, Kind.PARAGRAPH, relations, depth + 1)
        for relation in paragraph.images:
            self._images.write(self.builder, relations.get(relation, ("", ""))[1])

    def _role(self, node: Any, text: str) -> tuple[Kind, int]:
        properties = next((child for child in node if local(child) == "pPr"), None)
        style = _Style(0, False)
        numbered = -1
        if properties is not None:
            for child in properties:
                name = local(child)
                if name == "pStyle":
                    style = self._styles.get(attribute(child, "val") or "", style)
                elif name == "outlineLvl" and (attribute(child, "val") or "9") in "012345678":
                    return Kind.HEADING, min(6, int(attribute(child, "val") or "0") + 1)
                elif name == "numPr":
                    indent = next((attribute(item, "val") for item in child if local(item) == "ilvl"), None) or "0"
                    numbered = int(indent) if indent.isdigit() else 0
        if style.level:
            return Kind.HEADING, style.level
        if numbered >= 0 or style.listed:
            return Kind.LIST_ITEM, max(0, numbered) + 1
        return (Kind.LIST_ITEM, 1) if LIST_MARK.match(text) else (Kind.PARAGRAPH, 0)

    def _table(self, node: Any, relations: dict[str, tuple[str, str]], depth: int) -> None:
        cells = _grid(node)
        rows = max((cell.row + cell.row_span for cell in cells), default=0)
        columns = max((cell.column + cell.column_span for cell in cells), default=0)
        self._cells += rows * columns
        if self._cells > self._limits.max_cells:
            raise too_many_cells(self._limits.max_cells)
        if not cells:
            return
        extras: list[Paragraph] = []
        builder = self.builder
        with builder.element(Kind.TABLE, rows=rows, columns=columns) as table:
            row = 0
            for number, cell in enumerate(cells):
                if number:
                    builder.insert("\n" if cell.row > row else "\t")
                row = cell.row
                start = builder.at
                self._cell(cell.node, extras, start, depth + 1)
                table.cells.append(
                    Cell(
                        row=cell.row,
                        column=cell.column,
                        row_span=cell.row_span,
                        column_span=cell.column_span,
                        start=start,
                        end=builder.at,
                        header=cell.header,
                    )
                )
        for paragraph in extras:
            self._extras(paragraph, relations, depth + 1)

    def _cell(self, node: Any, extras: list[Paragraph], start: int, depth: int) -> None:
        """Write a cell's paragraphs; tables inside it are flattened into its text."""
        if depth > _MAX_DEPTH:
            self.notes.append("nesting_too_deep")
            return
        for child in node:
            name = local(child)
            if name == "p":
                paragraph = read_paragraph(child)
                extras.append(paragraph)
                if paragraph.text.strip():
                    if self.builder.at > start:
                        self.builder.insert("\n")
                    self.builder.found(paragraph.text)
            elif name == "tbl":
                for inner in _grid(child):
                    if self.builder.at > start:
                        self.builder.insert("\n" if inner.column == 0 else "\t")
                    self._cell(inner.node, extras, self.builder.at, depth + 1)
            elif name in _WRAPPERS:
                self._cell(child, extras, start, depth + 1)


@dataclass(slots=True)
class _GridCell:
    row: int
    column: int
    row_span: int
    column_span: int
    header: bool
    node: Any


def _rows(table: Any) -> Iterable[Any]:
    for node in table:
        name = local(node)
        if name == "tr":
            yield node
        elif name in _WRAPPERS:
            yield from _rows(node)


def _cells(row: Any) -> list[Any]:
    found: list[Any] = []
    for child in row:
        if local(child) == "tc":
            found.append(child)
        elif local(child) in _WRAPPERS:
            found.extend(_cells(child))
    return found


def _grid(table: Any) -> list[_GridCell]:
    """The cells with their place; a cell merged downwards takes the rows that continue it."""
    cells: list[_GridCell] = []
    open_above: dict[int, _GridCell] = {}
    for row, node in enumerate(_rows(table)):
        about: dict[str, Any] = {}
        for child in node:
            if local(child) == "trPr":
                about = {local(item): item for item in child}
        header = is_on(about.get("tblHeader"))
        column = _number(about["gridBefore"], 0) if "gridBefore" in about else 0
        for cell in _cells(node):
            span, merge = _merge(cell)
            above = open_above.get(column)
            if merge == "continue" and above is not None and not "".join(cell.itertext()).strip():
                above.row_span = row - above.row + 1
            else:
                entry = _GridCell(row, column, 1, span, header, cell)
                cells.append(entry)
                if merge:
                    open_above[column] = entry
                else:
                    open_above.pop(column, None)
            column += span
    return cells


def _merge(cell: Any) -> tuple[int, str]:
    span, merge = 1, ""
    properties = next((child for child in cell if local(child) == "tcPr"), None)
    for child in properties if properties is not None else ():
        if local(child) == "gridSpan":
            span = max(1, min(_number(child, 1), 1_000))
        elif local(child) == "vMerge":
            merge = attribute(child, "val") or "continue"
    return span, merge


def _number(node: Any, default: int) -> int:
    value = attribute(node, "val") or ""
    return int(value) if value.isdigit() and len(value) < 6 else default


def _styles(archive: Archive, part: str) -> dict[str, _Style]:
    """Heading level and list membership of each paragraph style, through the styles it is based on."""
    if not part:
        return {}
    raw: dict[str, tuple[int, bool, str]] = {}
    for node in archive.xml(part):
        if local(node) != "style":
            continue
        level, listed, based = 0, False, ""
        for child in node.iter():
            name, value = local(child), attribute(child, "val") or ""
            if name == "name":
                if match := _HEADING_NAME.match(value):
                    level = min(6, int(match.group(1)))
                elif value.casefold() in ("title", "titel"):
                    level = 1
            elif name == "outlineLvl" and value in list("012345678"):
                level = level or min(6, int(value) + 1)
            elif name == "numPr":
                listed = True
            elif name == "basedOn":
                based = value
        raw[attribute(node, "styleId") or ""] = (level, listed, based)
    return {name: _resolve(raw, name) for name in raw}


def _resolve(raw: dict[str, tuple[int, bool, str]], name: str) -> _Style:
    level, listed = 0, False
    seen: set[str] = set()
    while name in raw and name not in seen:
        seen.add(name)
        own_level, own_listed, name = raw[name]
        level = level or own_level
        listed = listed or own_listed
    return _Style(level, listed)
