"""XLSX: values through calamine, and from the parts what it does not tell (formulas, errors, comments, images)."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import python_calamine as calamine
from lxml import etree
from openpyxl.formula.translate import Translator
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string, get_column_letter

from frostbyte.data_plane.document import Cell, Kind, Page
from frostbyte.data_plane.parse.building import PageBuilder
from frostbyte.data_plane.parse.limits import ParseLimits, damaged, encrypted, too_many_cells, too_many_pages
from frostbyte.data_plane.parse.office.archive import Archive, check_xml, local, opened
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages

_COLUMNS: Final = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})\d')
_ROWS: Final = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d{1,7})"')
_SPECIAL: Final = re.compile(rb'<(?:\w+:)?f[\s>/]|\bt="e"')
_EXACT: Final = 1e15
"""Whole numbers below this are exact in a double."""

Place = tuple[int, int]
"""Row and column, from 0."""


@dataclass(frozen=True, slots=True)
class XlsxResult:
    """What was read of a workbook."""

    pages: list[Page]
    found: int
    metadata: dict[str, str]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Sheet:
    """What the parts say of a sheet."""

    formulas: dict[Place, str] = field(default_factory=dict)
    errors: dict[Place, str] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)


def read_xlsx(source: BinaryIO, limits: ParseLimits, progress: Callable[[], None]) -> XlsxResult:
    """Read a workbook: each sheet is a page with one table.

    Raises:
        StageFailed: `encrypted`, `damaged`, `archive_bomb`, `unsafe_xml`, `too_many_pages`, `too_many_cells`.
    """
    notes: list[str] = []
    with opened(source, "XLSX", limits) as archive:
        parts = _sheet_parts(archive)
        if len(parts) > limits.max_pages:
            raise too_many_pages(len(parts), limits.max_pages)
        about: dict[str, _Sheet] = {}
        area = 0
        for name, part in parts.items():
            progress()
            about[name], cells = _inspect(archive, part, limits)
            area += cells
            if area > limits.max_cells:
                raise too_many_cells(limits.max_cells)
        images = EmbeddedImages(archive, limits, progress)
        pages = _pages(source, about, images, progress, notes)
        metadata = archive.properties()
    return XlsxResult(pages, max(len(pages), len(parts)), metadata, tuple(dict.fromkeys(notes)))


def _pages(
    source: BinaryIO,
    about: dict[str, _Sheet],
    images: EmbeddedImages,
    progress: Callable[[], None],
    notes: list[str],
) -> list[Page]:
    source.seek(0)
    pages: list[Page] = []
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(source)
        for number, meta in enumerate(workbook.sheets_metadata, 1):
            progress()
            builder = PageBuilder()
            hidden = meta.visible != calamine.SheetVisibleEnum.Visible
            sheet = about.get(meta.name, _Sheet())
            if meta.typ == calamine.SheetTypeEnum.WorkSheet:
                _write(builder, workbook.get_sheet_by_name(meta.name), sheet)
            else:
                notes.append("chart_sheet_not_read")
            for comment in sheet.comments:
                builder.piece(Kind.COMMENT, comment, hidden="comment")
            for image in sheet.images:
                images.write(builder, image)
            unread = "" if builder.at else "blank"
            pages.append(builder.page(number, name=meta.name, hidden=hidden, unread=unread))
    except calamine.PasswordError:
        raise encrypted("XLSX") from None
    except (calamine.CalamineError, calamine.ZipError, calamine.XmlError, OSError, ValueError) as error:
        raise damaged("XLSX") from error
    return pages


def _write(builder: PageBuilder, sheet: Any, about: _Sheet) -> None:
    values: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    top, left = sheet.start or (0, 0)
    merged = {(first[0] - top, first[1] - left): last for first, last in sheet.merged_cell_ranges or ()}
    rows: list[list[tuple[int, str]]] = []
    for number, row in enumerate(values):
        line: list[tuple[int, str]] = []
        for column, value in enumerate(row):
            text = _shown(value) or about.errors.get((top + number, left + column), "")
            if text or (number, column) in merged or (top + number, left + column) in about.formulas:
                line.append((column, text))
        rows.append(line)
    if not any(rows):
        return
    height, width = len(values), max(len(row) for row in values)
    header = next(number for number, line in enumerate(rows) if line)
    named = _is_header(values[header])
    with builder.element(Kind.TABLE, rows=height, columns=width) as table:
        first = True
        for number, line in enumerate(rows):
            if not line:
                continue
            if not first:
                builder.insert("\n")
            first = False
            at = 0
            for column, text in line:
                if column > at:
                    builder.insert("\t" * (column - at))
                    at = column
                span = builder.found(text)
                last = merged.get((number, column))
                table.cells.append(
                    Cell(
                        row=number,
                        column=column,
                        start=span.start,
                        end=span.end,
                        row_span=min(last[0] - top, height - 1) - number + 1 if last else 1,
                        column_span=min(last[1] - left, width - 1) - column + 1 if last else 1,
                        header=named and number == header,
                        formula=about.formulas.get((top + number, left + column)),
                    )
                )


def _shown(value: Any) -> str:
    """A value as text: dates in ISO form, whole numbers without a fraction."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time(0)
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _is_header(row: list[Any]) -> bool:
    filled = [value for value in row if value != ""]
    return len(filled) > 1 and all(isinstance(value, str) for value in filled)


def _sheet_parts(archive: Archive) -> dict[str, str]:
    """Member names of the sheets, by sheet name, in the workbook's order."""
    main = archive.main_part("xl/workbook.xml")
    relations = archive.relations(main)
    parts: dict[str, str] = {}
    for node in archive.xml(main).iter():
        if local(node) == "sheet":
            relation = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
            target = relations.get(relation, ("", ""))[1]
            parts[node.get("name", "")] = target if target in archive.names else ""
    return parts


def _inspect(archive: Archive, part: str, limits: ParseLimits) -> tuple[_Sheet, int]:
    """What the parts say of a sheet, and the cells of its used area."""
    about = _Sheet()
    if not part:
        return about, 0
    data = archive.read(part)
    check_xml(data)
    area = _area(data)
    if area > limits.max_cells:
        area = _filled_area(data)
    if area <= limits.max_cells and _SPECIAL.search(data):
        _formulas(data, about)
    for kind, target in archive.relations(part).values():
        if target not in archive.names:
            continue
        if kind in ("comments", "threadedComment"):
            about.comments.extend(_comments(archive.xml(target)))
        elif kind == "drawing":
            about.images.extend(name for found, name in archive.relations(target).values() if found == "image")
    return about, area


def _area(data: bytes) -> int:
    columns: set[int] = {column_index_from_string(name.decode()) for name in set(_COLUMNS.findall(data))}
    rows = {int(number) for number in _ROWS.findall(data)}
    if not columns or not rows:
        return 0
    return (max(columns) - min(columns) + 1) * (max(rows) - min(rows) + 1)


def _filled_area(data: bytes) -> int:
    """The area around the cells that hold something; formatting alone stretches sheets to a million rows."""
    rows: set[int] = set()
    columns: set[int] = set()
    for place, _ in _cells(data):
        rows.add(place[0])
        columns.add(place[1])
    return (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1) if rows else 0


def _cells(data: bytes) -> Iterator[tuple[Place, Any]]:
    """Each cell that has children, with its place; freed as the reading goes on."""
    events = etree.iterparse(io.BytesIO(data), events=("end",), resolve_entities=False, no_network=True, huge_tree=True)
    try:
        for _, node in events:
            name = local(node)
            if name == "c" and len(node):
                reference = node.get("r") or ""
                try:
                    column, row = coordinate_from_string(reference)
                except ValueError:
                    continue
                yield (row - 1, int(column_index_from_string(column)) - 1), node
            elif name == "row":
                node.clear()
                while node.getprevious() is not None:
                    del node.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise damaged("XLSX") from error


def _formulas(data: bytes, about: _Sheet) -> None:
    shared: dict[str, tuple[str, str]] = {}
    for place, node in _cells(data):
        for child in node:
            name = local(child)
            if name == "f":
                formula = _formula(child, f"{get_column_letter(place[1] + 1)}{place[0] + 1}", shared)
                if formula:
                    about.formulas[place] = formula
            elif name == "v" and node.get("t") == "e" and child.text:
                about.errors[place] = child.text


def _formula(node: Any, reference: str, shared: dict[str, tuple[str, str]]) -> str:
    """The formula with its `=`; members of a shared formula get theirs moved to their place."""
    text = f"={node.text}" if node.text else ""
    if node.get("t") != "shared":
        return text
    index = node.get("si") or ""
    if text:
        shared[index] = (text, reference)
        return text
    if index not in shared:
        return ""
    master, origin = shared[index]
    return str(Translator(master, origin=origin).translate_formula(reference))


def _comments(root: Any) -> list[str]:
    found: list[str] = []
    for node in root.iter():
        if local(node) in ("comment", "threadedComment"):
            text = "".join(item.text or "" for item in node.iter() if local(item) in ("t", "text"))
            if text.strip():
                found.append(text)
    return found
