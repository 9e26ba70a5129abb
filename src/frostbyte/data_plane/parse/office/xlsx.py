"""XLSX: every sheet as people see it, straight from the parts of the archive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, NamedTuple

from frostbyte.data_plane.document import Kind, Mark, Page, Span
from frostbyte.data_plane.parse.building import PageBuilder, clean, written
from frostbyte.data_plane.parse.limits import ParseLimits, too_many_pages
from frostbyte.data_plane.parse.office.archive import Archive, attribute, local, opened
from frostbyte.data_plane.parse.office.cell_references import area
from frostbyte.data_plane.parse.office.embedded import EmbeddedImages
from frostbyte.data_plane.parse.office.escapes import unescaped
from frostbyte.data_plane.parse.office.properties import properties
from frostbyte.data_plane.parse.office.xlsx_blocks import BlockWriter, Line, Place, Sheet, separators
from frostbyte.data_plane.parse.office.xlsx_cells import read_sheet
from frostbyte.data_plane.parse.office.xlsx_drawings import Drawings
from frostbyte.data_plane.parse.office.xlsx_shapes import Chunk, Even, across
from frostbyte.data_plane.parse.office.xlsx_values import Values

_HEADER_CODE: Final = re.compile(r'&(?:"[^"]*"|\d+|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|[A-Za-z&])')
_SECTIONS: Final = ("&L", "&C", "&R")
_SHEETS: Final = frozenset({"worksheet", "chartsheet", "xlMacrosheet", "xlIntlMacrosheet"})
_NOT_READ: Final = {
    "package": "embedded_document_not_read",
    "oleObject": "embedded_document_not_read",
    "control": "control_not_read",
    "slicer": "slicer_not_read",
    "timeline": "slicer_not_read",
    "externalLink": "values_of_other_workbooks_not_read",
    "pivotCacheDefinition": "pivot_cache_not_read",
    "powerPivotData": "data_model_not_read",
    "richValueRel": "pictures_in_cells_not_read",
}
"""Notes by relations of sheets and of the workbook."""
_VARIANTS: Final = {"odd": "", "even": "even_pages", "first": "first_pages"}
_NOTHING: Final = re.compile(r"0+(?:\.0*)?$")
_NO_FORMULAS: Final[dict[int, str]] = {}
_MERGED: Final = 500_000
"""Merged ranges of a sheet that are kept."""


@dataclass(frozen=True, slots=True)
class XlsxResult:
    """What was read of a workbook."""

    pages: list[Page]
    found: int
    metadata: dict[str, str]
    notes: tuple[str, ...]


class _Entry(NamedTuple):
    """A sheet as the workbook names it."""

    name: str
    part: str
    kind: str
    hidden: bool


@dataclass(slots=True)
class _Comment:
    reference: str
    author: str
    text: str


@dataclass
class _Reading:
    archive: Archive
    values: Values
    images: EmbeddedImages
    limits: ParseLimits
    progress: Callable[[], None]
    persons: dict[str, str]
    notes: list[str] = field(default_factory=list)
    area: int = 0
    coded: bool = False
    """Whether there is a formula."""


def read_xlsx(source: BinaryIO, limits: ParseLimits, progress: Callable[[], None]) -> XlsxResult:
    """Read a workbook: each sheet is a page, each block of its cells a table.

    Raises:
        StageFailed: `encrypted`, `damaged`, `archive_bomb`, `unsafe_xml`, `too_many_pages`, `too_many_cells`.
    """
    with opened(source, "XLSX", limits) as archive:
        main = archive.main_part("xl/workbook.xml")
        relations = archive.relations(main)
        root = archive.xml(main)
        entries = _entries(root, relations)
        if len(entries) > limits.max_pages:
            raise too_many_pages(len(entries), limits.max_pages)
        parts = {kind: target for kind, target in relations.values() if target in archive.names}
        about = next((node for node in root if local(node) == "workbookPr"), None)
        from_1904 = about is not None and about.get("date1904") in ("1", "true")
        values = Values(archive, parts.get("sharedStrings", ""), parts.get("styles", ""), from_1904=from_1904)
        persons = _persons(archive, parts.get("person", ""))
        reading = _Reading(archive, values, EmbeddedImages(archive, limits, progress), limits, progress, persons)
        pages = [_page(reading, number, entry) for number, entry in enumerate(entries, 1)]
        reading.notes += _left_out(root, relations)
        if reading.images.passed_over():
            reading.notes.append("pictures_not_read")
        reading.notes += sorted(values.notes)
        again = reading.coded and "formulas_without_values" not in reading.notes
        if again and any(node.get("fullCalcOnLoad") in ("1", "true") for node in root.iter("{*}calcPr")):
            reading.notes.append("formulas_to_be_computed")  # their values may be those of nobody
        metadata, more = properties(archive)
    return XlsxResult(pages, len(pages), metadata, tuple(dict.fromkeys([*reading.notes, *more])))


def _entries(root: Any, relations: dict[str, tuple[str, str]]) -> list[_Entry]:
    found = []
    for sheets in root.iter("{*}sheets", "sheets"):
        for node in sheets.iter("{*}sheet", "sheet"):
            kind, part = relations.get(attribute(node, "id") or "", ("", ""))
            hidden = node.get("state", "visible") in ("hidden", "veryHidden")
            found.append(_Entry(node.get("name", ""), part, kind, hidden))
    return found


def _persons(archive: Archive, part: str) -> dict[str, str]:
    """Names of those who wrote threaded comments, by their identifier."""
    nodes = archive.xml(part) if part else ()
    return {node.get("id", ""): node.get("displayName", "") for node in nodes if local(node) == "person"}


def _page(reading: _Reading, number: int, entry: _Entry) -> Page:
    reading.progress()
    builder = PageBuilder()
    archive = reading.archive
    if entry.part not in archive.names:
        return builder.page(number, name=entry.name, hidden=entry.hidden, unread="damaged")
    relations = archive.relations(entry.part)
    comments = _comments(archive, relations, reading.persons)
    if entry.kind not in _SHEETS:
        reading.notes.append("sheet_of_dialogs_not_read")
    places = _cells(reading, builder, entry.part, relations, comments)
    reading.notes += [_NOT_READ[kind] for kind, _ in relations.values() if kind in _NOT_READ]
    Drawings(archive, reading.images, builder, reading.notes).write(relations)
    for comment in comments:
        _write_comment(builder, comment, places)
    unread = "" if builder.at or builder.images else "blank"
    return builder.page(number, name=entry.name, hidden=entry.hidden, unread=unread)


def _cells(
    reading: _Reading,
    builder: PageBuilder,
    part: str,
    relations: dict[str, tuple[str, str]],
    comments: list[_Comment],
) -> dict[Place, Span]:
    """Write the cells; where those with a comment stand."""
    xml = read_sheet(reading.archive.unpacked(part))
    sheet = _about(xml.rest)
    comments += _prompts(xml.rest)
    tables = [kind == "table" and target in reading.archive.names for kind, target in relations.values()]
    roots = [
        reading.archive.xml(target)
        for (_, target), is_table in zip(relations.values(), tables, strict=True)
        if is_table
    ]
    for root in roots:
        sheet.headers |= _table_header(root)
    wanted = {(found[0], found[1]) for comment in comments if (found := area(comment.reference))}
    writer = BlockWriter(builder, sheet, reading.values.is_text, reading.limits, reading.area)
    writer.write(_lines(xml.chunks, reading, sheet), wanted)
    reading.area = writer.area
    for root in roots:
        builder.piece(Kind.FIGURE, _alternative(root), hidden="alternative_text")
    _headers(builder, xml.rest)
    if next(xml.rest.iter("{*}scenario"), None) is not None:
        reading.notes.append("scenarios_not_read")
    return writer.places


def _lines(chunks: Iterator[Chunk | Even], reading: _Reading, sheet: Sheet) -> Iterator[Line]:
    """The rows as they are shown, without cells that show nothing."""
    values, hiding = reading.values, any(reading.values.hidden)
    for chunk in chunks:
        reading.progress()
        if hiding:
            sheet.unseen.update(_unseen(values, chunk.kinds))
        reading.coded = reading.coded or bool(chunk.formulas)
        if isinstance(chunk, Chunk):
            yield from _each(chunk, *values.shown(chunk.kinds, chunk.values), reading)
            continue
        texts, stored = zip(*map(values.column, chunk.kinds, chunk.values), strict=True)
        if any("" in column for column in (*texts, *chunk.formulas.values())):
            yield from _each(chunk.apart(), tuple(across(texts)), tuple(across(stored)), reading)
        else:
            yield from _even(chunk, across(texts), across(stored))


def _each(chunk: Chunk, texts: tuple[str, ...], stored: tuple[str | None, ...], reading: _Reading) -> Iterator[Line]:
    """Each row of a chunk."""
    for number, hidden, start, end in chunk.rows:
        part = slice(start, end)
        formulas = chunk.formulas.get(number, _NO_FORMULAS)
        columns, coded = chunk.columns[part], bool(formulas)
        own = tuple(map(formulas.get, columns)) if coded else ()
        line = Line(number, 1, hidden, columns, texts[part], stored[part], chunk.kinds[part], own, coded)
        if "" not in line.texts:
            yield line
            continue
        if formulas and not _computed(line, reading.values):
            reading.notes.append("formulas_without_values")
        if keep := [n for n, text in enumerate(line.texts) if text or line.columns[n] in formulas]:
            yield line.only(keep)


def _even(chunk: Even, texts: list[str], stored: list[str | None]) -> Iterator[Line]:
    """The rows of a chunk without an empty cell: those that follow each other as one."""
    numbers, width, coded = chunk.numbers, len(chunk.columns), bool(chunk.formulas)
    formulas: list[str | None] = [None] * len(texts) if coded else []
    for place, column in chunk.formulas.items():
        formulas[place::width] = column
    signs = separators(chunk.columns, chunk.columns[0])
    for start, end in _stretches(numbers):
        part = slice(start * width, end * width)
        shown, own = texts[part], formulas[part]
        yield Line(
            numbers[start],
            end - start,
            False,
            chunk.columns,
            shown,
            stored[part],
            chunk.kinds,
            own,
            coded,
            written(signs, shown),  # now, while the processor has them at hand
        )


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where those that rise by one start and end."""
    start = 0
    while start < len(numbers):
        end = len(numbers)
        if numbers[-1] - numbers[start] != end - start - 1:
            end = next(at for at in range(start + 1, end + 1) if at == end or numbers[at] != numbers[at - 1] + 1)
        yield start, end
        start = end


def _computed(line: Line, values: Values) -> bool:
    """Whether each formula has its value. Programs that only write files leave it to the one that opens them."""
    cells = zip(line.formulas, line.texts, line.kinds, strict=True)
    return all(text or not formula or values.is_text(kind) for formula, text, kind in cells)


def _unseen(values: Values, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for kind in set(kinds):
        style = values.style(kind)
        if style < len(values.hidden) and values.hidden[style]:
            yield kind, values.hidden[style]


def _about(rest: Any) -> Sheet:
    sheet = Sheet()
    for node in rest:
        name = local(node)
        if name == "cols":
            for column in node:
                if column.get("hidden") in ("1", "true") or _NOTHING.match(column.get("width", "")):
                    first, last = (column.get(key, "") for key in ("min", "max"))
                    if first.isdigit() and last.isdigit():
                        sheet.hidden_columns.update(range(int(first[:6]) - 1, min(int(last[:6]), 16_384)))
        elif name == "mergeCells":
            for item in node[:_MERGED]:
                if found := area(item.get("ref", "")):
                    sheet.merged[found[0], found[1]] = (found[2], found[3])
        elif name == "autoFilter" and (found := area(node.get("ref", ""))):
            sheet.headers |= {(found[0], column) for column in range(found[1], found[3] + 1)}
    return sheet


def _table_header(root: Any) -> set[Place]:
    found = area(root.get("ref", ""))
    if found is None or root.get("headerRowCount") == "0":
        return set()
    return {(found[0], column) for column in range(found[1], found[3] + 1)}


def _alternative(table: Any) -> str:
    """What is told of a table to those who do not see it."""
    parts = [table.get("comment")]
    parts += [item.get(key) for item in table.iter("{*}table") for key in ("altText", "altTextSummary")]
    return " ".join(part.strip() for part in parts if part and part.strip())


def _headers(builder: PageBuilder, rest: Any) -> None:
    """What stands above and below the printed sheet, in any view, without codes for fonts, dates and the like."""
    known: set[tuple[str, str]] = set()
    for part in [part for node in rest.iter("{*}headerFooter") for part in node]:
        name = local(part)
        kind, variant = Kind.HEADER if name.endswith("Header") else Kind.FOOTER, _VARIANTS.get(name[:-6], "")
        for text in _header_texts("".join(part.itertext())):
            if text and (name, text) not in known:
                known.add((name, text))
                builder.piece(kind, text)
                if variant:
                    last = builder.elements[-1]
                    builder.marks.append(Mark(start=last.start, end=last.end, kind=variant))


def _header_texts(coded: str) -> list[str]:
    """What stands left, in the middle and right."""
    texts, at = [""], 0
    for match in _HEADER_CODE.finditer(coded):
        texts[-1] += coded[at : match.start()]
        at = match.end()
        if match.group() in _SECTIONS:
            texts.append("")
        elif match.group() == "&&":
            texts[-1] += "&"
    texts[-1] += coded[at:]
    return [text.strip() for text in texts]


def _prompts(rest: Any) -> list[_Comment]:
    """What Excel says of cells when they are chosen, filled or pointed at, each text once."""
    found: dict[tuple[str, str], _Comment] = {}
    for node in rest.iter("{*}dataValidation", "{*}hyperlink"):
        places = node.get("sqref") or node.get("ref") or "".join(t.text or "" for t in node.iter("{*}sqref"))
        reference = re.split(r"[\s:]", places.strip())[0]
        told = [(node.get(title) or "", node.get(text) or "") for title, text in _TOLD]
        choices = ["".join(item.itertext()) for item in node.iter("{*}formula1") if node.get("type") == "list"]
        told += [("", text.strip('"')) for text in choices if text.startswith('"')]  # else a range has them
        for title, text in told:
            title, text = (title, text) if text.strip() else ("", title)
            found.setdefault((title, text), _Comment(reference, unescaped(title), unescaped(text)))
    return list(found.values())


_TOLD: Final = (("promptTitle", "prompt"), ("errorTitle", "error"), ("title", "tooltip"))
"""What tells of cells, with what stands above it."""


def _left_out(workbook: Any, relations: dict[str, tuple[str, str]]) -> list[str]:
    """Notes of what a workbook holds besides its sheets."""
    notes = [_NOT_READ[kind] for kind, _ in relations.values() if kind in _NOT_READ]
    names = [node for node in workbook.iter("{*}definedName") if not node.get("name", "").startswith("_xlnm.")]
    if any('"' in "".join(node.itertext()) or node.get("comment") for node in names):
        notes.append("texts_of_names_not_read")
    return notes


def _comments(archive: Archive, relations: dict[str, tuple[str, str]], persons: dict[str, str]) -> list[_Comment]:
    """Comments in their order. Programs that know threads also store each as an old comment, which is left out."""
    copied: dict[str, list[str]] = {}
    threaded: list[_Comment] = []
    plain: list[_Comment] = []
    for kind, target in relations.values():
        if target not in archive.names:
            continue
        if kind == "threadedComment":
            for node in archive.xml(target):
                text = "".join(item.text or "" for item in node if local(item) == "text")
                threaded.append(_Comment(node.get("ref", ""), persons.get(node.get("personId", ""), ""), text))
                copied.setdefault(node.get("ref", ""), []).append(_squeezed(text))
        elif kind == "comments":
            root = archive.xml(target)
            authors = [item.text or "" for item in root.iter() if local(item) == "author"]
            for node in root.iter():
                if local(node) == "comment":
                    text = "".join(item.text or "" for item in node.iter() if local(item) == "t")
                    index = node.get("authorId", "")
                    author = authors[int(index)] if index.isdigit() and int(index[:6]) < len(authors) else ""
                    plain.append(_Comment(node.get("ref", ""), author, text))
    others = [comment for comment in plain if not _is_copy(comment.text, copied.get(comment.reference, []))]
    return [*threaded, *others]


def _is_copy(text: str, thread: list[str]) -> bool:
    """Whether a comment is no more than the copy of a thread that Excel makes for older programs."""
    return bool(thread) and text.lstrip().startswith("[") and all(part in _squeezed(text) for part in thread)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _write_comment(builder: PageBuilder, comment: _Comment, places: dict[Place, Span]) -> None:
    if not comment.text.strip():
        return
    author = clean(comment.author)
    with builder.element(Kind.COMMENT, hidden="comment") as element:
        if author and not comment.text.lstrip().startswith(author):
            builder.found(author)
            builder.insert(": ")
        builder.found(comment.text)
    found = area(comment.reference)
    cell = places.get((found[0], found[1])) if found else None
    start, end = (cell.start, cell.end) if cell is not None else (element.start, element.start)
    label = comment.reference if found else ""
    builder.marks.append(Mark(start=start, end=end, kind="comment", target=element.start, label=label))
