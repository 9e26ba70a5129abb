"""The cells of a worksheet from its XML, row by row.

Programs write cells in a handful of forms. A regular expression takes those at the speed of C and matches nothing else:
a row in which it does not find as many cells as begin there is read node by node.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, pairwise, repeat
from operator import ge, lt
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.limits import damaged
from frostbyte.data_plane.parse.office.archive import check_xml, local, parsed
from frostbyte.data_plane.parse.office.cell_references import Shared, column_number
from frostbyte.data_plane.parse.office.escapes import attributes, storable, unescaped
from frostbyte.data_plane.parse.office.xlsx_shapes import LAST_ROW, MAY_HIDE, Chunk, Even, RowOf, Shapes

_ROW: Final = re.compile(r"<row\b([^>]*)>")
_BEGIN: Final = r'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>(?:(?<=/>)|'
_VALUE: Final = r"(?:(?:<v>|<is><t[^>]*>)([^<]*)(?:</v>|</t></is>))?</c>)"
_CELL: Final = re.compile(_BEGIN + _VALUE)
_FORMULA_CELL: Final = re.compile(_BEGIN + r"(?:<f([^>]*)>(?:(?<=/>)|([^<]*)</f>))?" + _VALUE)
_FOREIGN: Final = re.compile(r"<[^\s<>/:]+:(?:row|c)\b|<[!?]")
"""Rows and cells with a prefix of their own, which the expressions above would pass over, and what is no element: they
would take a row in a comment for the end of the one around it."""
_ANOTHER: Final = re.compile(r"</?(?:[^\s<>/:]+:)?sheetData\b")
_START: Final = re.compile(rb"<(?:(\w+):)?sheetData\b[^>]*?(/?)>")
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["']""")
_DECLARATION: Final = re.compile(rb"^\s*<\?xml[^>]*\?>")
_UTF_16: Final = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
_NUMBER: Final = re.compile(r"""\br=["'](\d{1,7})["']""")
_NOTHING: Final = re.compile(r"0+(?:\.0*)?$")
_CHUNK: Final = 250_000
"""Bytes of XML that are taken at a time: what is made of them stays in the processor's cache."""


class SheetXml(NamedTuple):
    """A worksheet taken apart."""

    chunks: Iterator[Chunk | Even]
    rest: Any
    """The root without the cells: columns, merged ranges, headers and the like."""


def read_sheet(data: bytes | bytearray) -> SheetXml:
    """Take a worksheet part apart.

    Raises:
        StageFailed: `damaged`, `unsafe_xml`.
    """
    check_xml(data)
    data = _utf_8(data)
    declared = _DECLARATION.match(data)
    begin = declared.end() if declared else 0
    start = _START.search(data, begin)
    if start is None or start.group(2):
        root = parsed(bytes(data[begin:]), "XLSX")
        return SheetXml(_nodes(root, -1, Shared()), root)  # none, unless its encoding or prefix is no usual one
    prefix = start.group(1)
    end = data.rfind(b"</%b:sheetData>" % prefix if prefix else b"</sheetData>")
    if end < 0:
        raise damaged("XLSX")
    frame = (data[begin : start.end()], data[end:])
    rest = parsed(b"".join(frame), "XLSX")
    around = ("<row>", "</row>") if prefix else (_text(frame[0]), _text(frame[1]))
    return SheetXml(_chunks(_pieces(data, start.end(), end, prefix), around), rest)


def _utf_8(data: bytes | bytearray) -> bytes | bytearray:
    """A part in the usual encoding, without the mark that tells it."""
    encoding = found.group(1).decode("ascii").lower() if (found := _ENCODING.match(data)) else ""
    if data.startswith(_UTF_16):
        encoding = "utf-16"
    if data.startswith(codecs.BOM_UTF8) or encoding in ("", "utf-8"):
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(encoding).encode()
    except (UnicodeError, LookupError) as error:
        raise damaged("XLSX") from error


def _text(data: bytes | bytearray | memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise damaged("XLSX") from error


def _pieces(data: bytes | bytearray, at: int, behind: int, prefix: bytes | None) -> Iterator[str]:
    """Whole rows, about so many bytes at a time: a sheet as one text would be as much memory again, touched once."""
    view, row_end = memoryview(data), b"</%b:row>" % prefix if prefix else b"</row>"
    name = f"{prefix.decode()}:" if prefix else ""
    while at < behind:
        found = data.find(row_end, at + _CHUNK, behind)
        end = behind if found < 0 else found + len(row_end)
        piece, at = _text(view[at:end]), end
        yield piece.replace(f"<{name}", "<").replace(f"</{name}", "</") if name else piece


def _chunks(pieces: Iterable[str], frame: tuple[str, str]) -> Iterator[Chunk | Even]:
    """All rows, some thousand cells at a time. `frame` is what stands around the body: it makes XML of a single row."""
    number, shared = -1, Shared()
    shapes = Shapes(shared)
    for piece in pieces:
        for part in shapes.chunks(piece, number) or _of_any_shape(piece, number, shared, frame):
            yield part
            number = part.last


def _of_any_shape(piece: str, number: int, shared: Shared, frame: tuple[str, str]) -> Iterable[Chunk]:
    if "sheetData" in piece and _ANOTHER.search(piece):
        raise damaged("XLSX")  # what stands behind the first is no row, and what is no row was not looked for
    if _FOREIGN.search(piece):
        return _nodes(parsed(piece.join(frame).encode(), "XLSX"), number, shared)
    chunk = _usual(piece, number, shared)
    return [chunk] if chunk is not None else _row_by_row(piece, number, shared, frame)


def _usual(piece: str, number: int, shared: Shared) -> Chunk | None:
    """Rows that hold nothing but cells of the usual forms, or None."""
    amount = piece.count("<c")
    coded = "<f" in piece
    cells = (_FORMULA_CELL if coded else _CELL).findall(piece)
    if not amount or len(cells) != amount or any(sign in piece for sign in MAY_HIDE):
        return None
    formulas: dict[int, dict[int, str]] = {}
    if coded:
        names, numbers, kinds, abouts, codes, values = zip(*cells, strict=True)
    else:
        names, numbers, kinds, values = zip(*cells, strict=True)
    counts = Counter(numbers)
    order = list(map(int, counts))
    if list(chain.from_iterable(map(repeat, counts, counts.values()))) != list(numbers):
        return None
    if order[0] <= number + 1 or order[-1] > LAST_ROW or not all(map(lt, order, order[1:])):
        return None
    columns = tuple(map(column_number, names))
    edges = list(accumulate(counts.values(), initial=0))
    falls = sum([columns[edge - 1] >= columns[edge] for edge in edges[1:-1]])
    if sum(map(ge, columns, columns[1:])) > falls:
        return None  # cells of a row that are not in their order
    if coded:
        for place, (about, code) in enumerate(zip(abouts, codes, strict=True)):
            if about or code:
                row, column = int(numbers[place]) - 1, columns[place]
                if formula := shared.formula(attributes(about), storable(unescaped(code)), row, column):
                    formulas.setdefault(row, {})[column] = formula
    rows = [RowOf(row - 1, False, start, end) for row, (start, end) in zip(order, pairwise(edges), strict=True)]
    return Chunk(rows, columns, kinds, values, formulas)


def _row_by_row(body: str, number: int, shared: Shared, frame: tuple[str, str]) -> Iterator[Chunk]:
    """The same for rows of any form, each a chunk of its own; rows without cells are left out."""
    for piece in body.split("</row>"):
        for match in _ROW.finditer(piece):
            number, hidden = _about_row(match.group(1), number)
            inner = piece[match.end() :]
            if match.group(1).endswith("/") or "<row" in inner or "<c" not in inner:
                continue
            chunk = _usual(inner, number - 1, shared)
            if chunk is None or len(chunk.rows) > 1 or chunk.rows[0].number != number:
                chunk = _careful(f"{match.group()}{inner}</row>", number, shared, frame)
            if chunk.columns:
                yield chunk._replace(rows=[RowOf(number, hidden, 0, len(chunk.columns))])


def _about_row(about: str, before: int) -> tuple[int, bool]:
    """The number of a row, from 0, and whether it is hidden."""
    stated = attributes(about) if any(sign in about for sign in MAY_HIDE) else {}
    hidden = stated.get("hidden") in ("1", "true") or _NOTHING.match(stated.get("ht", "")) is not None
    match = _NUMBER.search(about)
    number = int(match.group(1)) - 1 if match else before + 1
    if not before < number < LAST_ROW:
        raise damaged("XLSX")
    return number, hidden


def _nodes(root: Any, number: int, shared: Shared) -> Iterator[Chunk]:
    """The rows below a node, whatever their prefix is; those without cells are left out."""
    for row in filter(local, root.iter("{*}row", "row")):
        number, hidden = _about_row("".join(f' {key}="{text}"' for key, text in row.attrib.items()), number)
        if (chunk := _cells(row, number, shared)).columns:
            yield chunk._replace(rows=[RowOf(number, hidden, 0, len(chunk.columns))])


def _careful(row: str, number: int, shared: Shared, frame: tuple[str, str]) -> Chunk:
    """A row of whatever XML there is."""
    root = parsed(row.join(frame).encode(), "XLSX")
    return _cells(next(root.iter("{*}row", "row")), number, shared)


def _cells(row: Any, number: int, shared: Shared) -> Chunk:
    columns: list[int] = []
    kinds: list[str] = []
    values: list[str] = []
    formulas: dict[int, str] = {}
    column = -1
    for cell in row.iter("{*}c", "c"):
        if local(cell) != "c":
            continue
        letters = (cell.get("r") or "").rstrip("0123456789")
        column = column_number(letters) if letters else column + 1
        value, inline = "", None
        for child in cell:
            name = local(child)
            if name == "f":
                if formula := shared.formula(dict(child.attrib), _own(child), number, column):
                    formulas[column] = formula
            elif name == "v":
                value = _own(child)
            elif name == "is":
                inline = string_of(child)
        if inline is not None and (not value or cell.get("t") == "inlineStr"):
            value = inline
        columns.append(column)
        kinds.append("".join(f' {key}="{text}"' for key, text in cell.attrib.items() if key in ("s", "t")))
        values.append(value.replace("&", "&amp;"))
    if not all(map(lt, columns, columns[1:])):
        order = sorted(range(len(columns)), key=columns.__getitem__)
        columns = [columns[at] for at in order]
        kinds, values = ([found[at] for at in order] for found in (kinds, values))
        if len(set(columns)) < len(columns):
            raise damaged("XLSX")  # two cells of one name: programs show one or the other
    return Chunk([], tuple(columns), tuple(kinds), tuple(values), {number: formulas})


def _own(node: Any) -> str:
    """All text in a node."""
    return "".join(node.itertext())


def string_of(node: Any) -> str:
    """The text of an `si` or `is`: its runs, without the phonetic ones."""
    parts: list[str] = []
    for child in node:
        name = local(child)
        if name == "t":
            parts.append(_own(child))
        elif name == "r":
            parts += [_own(item) for item in child if local(item) == "t"]
    return "".join(parts)
