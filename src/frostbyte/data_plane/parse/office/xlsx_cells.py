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
from operator import lt
from typing import Any, Final, NamedTuple

from frostbyte.data_plane.parse.limits import damaged
from frostbyte.data_plane.parse.office.archive import check_xml, local, parsed
from frostbyte.data_plane.parse.office.cell_references import Shared, column_number
from frostbyte.data_plane.parse.office.escapes import storable, unescaped
from frostbyte.data_plane.parse.office.xlsx_shapes import LAST_ROW, Chunk, Even, RowOf, Shapes

_ROW: Final = re.compile(r"<row\b([^>]*)>")
_BEGIN: Final = r'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>(?:(?<=/>)|'
_VALUE: Final = r"(?:(?:<v>|<is><t[^>]*>)([^<]*)(?:</v>|</t></is>))?</c>)"
_CELL: Final = re.compile(_BEGIN + _VALUE)
_FORMULA_CELL: Final = re.compile(_BEGIN + r"(?:<f([^>]*)>(?:(?<=/>)|([^<]*)</f>))?" + _VALUE)
_START: Final = re.compile(r"<(?:(\w+):)?sheetData\b[^>]*?(/?)>")
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["']""")
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_NUMBER: Final = re.compile(r"""\br=["'](\d{1,7})["']""")
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_CHUNK: Final = 250_000
"""Characters of XML that are taken at a time: what is made of them stays in the processor's cache."""


class SheetXml(NamedTuple):
    """A worksheet taken apart."""

    chunks: Iterator[Chunk | Even]
    rest: Any
    """The root without the cells: columns, merged ranges, headers and the like."""


def read_sheet(data: bytes) -> SheetXml:
    """Take a worksheet part apart.

    Raises:
        StageFailed: `damaged`, `unsafe_xml`.
    """
    check_xml(data)
    text = _decoded(data)
    declared = _DECLARATION.match(text)
    begin = declared.end() if declared else 0
    start = _START.search(text, begin)
    if start is None or start.group(2):
        return SheetXml(iter(()), parsed(text[begin:].encode(), "XLSX"))
    name = f"{start.group(1)}:sheetData" if start.group(1) else "sheetData"
    end = text.rfind(f"</{name}>")
    if end < 0:
        raise damaged("XLSX")
    body, frame = text[start.end() : end], (text[begin : start.end()], text[end:])
    rest = parsed("".join(frame).encode(), "XLSX")
    if start.group(1):
        body = body.replace(f"<{start.group(1)}:", "<").replace(f"</{start.group(1)}:", "</")
        frame = ("<row>", "</row>")
    return SheetXml(_chunks(body, frame), rest)


def _decoded(data: bytes) -> str:
    """The text of a part."""
    if data.startswith(codecs.BOM_UTF8) or _ENCODING.match(data) is None:
        encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)) else "utf-8-sig"
    else:
        encoding = _ENCODING.match(data).group(1).decode("ascii")  # type: ignore[union-attr]
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise damaged("XLSX") from error


def _chunks(body: str, frame: tuple[str, str]) -> Iterator[Chunk | Even]:
    """All rows, some thousand cells at a time. `frame` is what stands around the body: it makes XML of a single row."""
    number, at, shared = -1, 0, Shared()
    shapes = Shapes(shared)
    while at < len(body):
        found = body.find("</row>", at + _CHUNK)
        end = len(body) if found < 0 else found + len("</row>")
        piece, at = body[at:end], end
        for part in shapes.chunks(piece, number) or _of_any_shape(piece, number, shared, frame):
            yield part
            number = part.last


def _of_any_shape(piece: str, number: int, shared: Shared, frame: tuple[str, str]) -> Iterable[Chunk]:
    chunk = _usual(piece, number, shared)
    return [chunk] if chunk is not None else _row_by_row(piece, number, shared, frame)


def _usual(piece: str, number: int, shared: Shared) -> Chunk | None:
    """Rows that hold nothing but cells of the usual forms, or None."""
    amount = piece.count("<c")
    coded = "<f" in piece
    cells = (_FORMULA_CELL if coded else _CELL).findall(piece)
    if not amount or len(cells) != amount or "hidden=" in piece:
        return None
    formulas: dict[int, dict[int, str]] = {}
    if coded:
        names, numbers, kinds, attributes, codes, values = zip(*cells, strict=True)
    else:
        names, numbers, kinds, values = zip(*cells, strict=True)
    counts = Counter(numbers)
    order = list(map(int, counts))
    if list(chain.from_iterable(map(repeat, counts, counts.values()))) != list(numbers):
        return None
    if order[0] <= number + 1 or order[-1] > LAST_ROW or not all(map(lt, order, order[1:])):
        return None
    columns = tuple(map(column_number, names))
    if coded:
        for place, (about, code) in enumerate(zip(attributes, codes, strict=True)):
            if about or code:
                row, column = int(numbers[place]) - 1, columns[place]
                if formula := shared.formula(dict(_ATTRIBUTE.findall(about)), storable(unescaped(code)), row, column):
                    formulas.setdefault(row, {})[column] = formula
    edges = list(accumulate(counts.values(), initial=0))
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
    hidden = "hidden" in about and dict(_ATTRIBUTE.findall(about)).get("hidden") in ("1", "true")
    match = _NUMBER.search(about)
    number = int(match.group(1)) - 1 if match else before + 1
    if not before < number < LAST_ROW:
        raise damaged("XLSX")
    return number, hidden


def _careful(row: str, number: int, shared: Shared, frame: tuple[str, str]) -> Chunk:
    """A row of whatever XML there is."""
    root = parsed(f"{frame[0]}{row}{frame[1]}".encode(), "XLSX")
    columns: list[int] = []
    kinds: list[str] = []
    values: list[str] = []
    formulas: dict[int, str] = {}
    column = -1
    for cell in next(root.iter("{*}row", "row")):
        if local(cell) != "c":
            continue
        letters = (cell.get("r") or "").rstrip("0123456789")
        column = column_number(letters) if letters else column + 1
        value = ""
        for child in cell:
            name = local(child)
            if name == "f":
                if formula := shared.formula(dict(child.attrib), child.text or "", number, column):
                    formulas[column] = formula
            elif name == "v":
                value = child.text or ""
            elif name == "is":
                value = string_of(child)
        columns.append(column)
        kinds.append("".join(f' {key}="{text}"' for key, text in cell.attrib.items() if key in ("s", "t")))
        values.append(value.replace("&", "&amp;"))
    return Chunk([], tuple(columns), tuple(kinds), tuple(values), {number: formulas})


def string_of(node: Any) -> str:
    """The text of an `si` or `is`: its runs, without the phonetic ones."""
    parts: list[str] = []
    for child in node:
        name = local(child)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [item.text or "" for item in child if local(item) == "t"]
    return "".join(parts)
