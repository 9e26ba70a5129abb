"""Simple Markdown as the files that people send: PDF, DOCX, TXT, XLSX, CSV.

Read are `#` to `###` headings, paragraphs, `- ` and `1. ` list items and pipe tables; nothing else. A document that
holds nothing but a title and one table becomes a workbook or a CSV, so that sheets are measured too.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

import msgspec
from openpyxl import Workbook
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

_ITEM: Final = re.compile(r"(?:[-*]|(\d+)\.)\s+(.*)")
_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BODY: Final = ParagraphStyle("body", fontName="Helvetica", fontSize=10, leading=13, spaceAfter=6)
_CELL: Final = ParagraphStyle("cell", parent=_BODY, fontSize=9, leading=11, spaceAfter=0)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the Markdown."""

    kind: str
    """`heading`, `paragraph`, `bullet`, `number` or `table`."""
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered document."""

    mime: str
    data: bytes


def parts(text: str) -> list[Part]:
    """The pieces in order."""
    found: list[Part] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        item = _ITEM.fullmatch(line)
        taken = [line]
        if line.startswith("|"):
            taken = _while(lines, at, lambda other: other.startswith("|"))
            rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in taken]
            kept = tuple(row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row))
            found.append(Part(kind="table", rows=kept))
        elif line.startswith("#"):
            found.append(Part(kind="heading", level=len(line) - len(line.lstrip("#")), text=line.lstrip("# ")))
        elif item:
            found.append(Part(kind="number" if item[1] else "bullet", level=int(item[1] or 0), text=item[2]))
        elif line:
            taken = _while(lines, at, lambda other: bool(other) and other[0] not in "#|" and not _ITEM.match(other))
            found.append(Part(kind="paragraph", text=" ".join(taken)))
        at += len(taken)
    return [plain(part) for part in found]


def plain(part: Part) -> Part:
    """Without emphasis marks."""
    return msgspec.structs.replace(
        part,
        text=re.sub(r"\*\*|__|`", "", part.text),
        rows=tuple(tuple(re.sub(r"\*\*|__|`", "", cell) for cell in row) for row in part.rows),
    )


def _while(lines: list[str], at: int, wanted: Callable[[str], bool]) -> list[str]:
    taken = [lines[at].strip()]
    while at + len(taken) < len(lines) and wanted(lines[at + len(taken)].strip()):
        taken.append(lines[at + len(taken)].strip())
    return taken


def render(text: str, number: int) -> File:
    """The document in one of the formats, chosen by what it holds and by `number`, its place in the set."""
    pieces = parts(text)
    if [part.kind for part in pieces] == ["heading", "table"]:
        return xlsx(pieces) if number % 2 else csv_file(pieces)
    return (pdf, docx, txt, pdf, docx)[number % 5](pieces)


def pdf(pieces: list[Part]) -> File:
    """A4 with ruled and, in turn, booktabs tables."""
    story: list[object] = []
    tables = 0
    for part in pieces:
        if part.kind == "table":
            story += [_pdf_table(part, ruled=tables % 2 == 0), Spacer(1, 8)]
            tables += 1
        elif part.kind == "heading":
            size = {1: 17, 2: 13, 3: 11}.get(part.level, 11)
            style = ParagraphStyle(
                "h", fontName="Helvetica-Bold", fontSize=size, leading=size + 4, spaceBefore=8, spaceAfter=6
            )
            story.append(Paragraph(escape(part.text), style))
        elif part.kind == "paragraph":
            story.append(Paragraph(escape(part.text), _BODY))
        else:
            style = ParagraphStyle("item", parent=_BODY, leftIndent=18, bulletIndent=4, spaceAfter=3)
            mark = f"{part.level}." if part.kind == "number" else "\u2022"
            story.append(Paragraph(escape(part.text), style, bulletText=mark))
    target = io.BytesIO()
    SimpleDocTemplate(target, pagesize=A4, invariant=1, leftMargin=60, rightMargin=60).build(story)
    return File(mime="application/pdf", data=target.getvalue())


def _pdf_table(part: Part, *, ruled: bool) -> Table:
    columns = max(len(row) for row in part.rows)
    cells = [[Paragraph(escape(cell), _CELL) for cell in row] + [""] * (columns - len(row)) for row in part.rows]
    lines = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
    if not ruled:
        lines = [("LINEABOVE", (0, 0), (-1, 0), 1, colors.black), ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black)]
        lines.append(("LINEBELOW", (0, -1), (-1, -1), 1, colors.black))
    return Table(cells, colWidths=[475 / columns] * columns, repeatRows=1, style=TableStyle(lines))


def docx(pieces: list[Part]) -> File:
    """The parts that a reader needs, with heading styles and real list numbering."""
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/>'
        f'<w:pPr><w:outlineLvl w:val="{n - 1}"/></w:pPr></w:style>'
        for n in (1, 2, 3)
    )
    kinds = "".join(
        f'<w:abstractNum w:abstractNumId="{n}"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl></w:abstractNum>'
        for n, kind, text in ((1, "bullet", "\u2022"), (2, "decimal", "%1."))
    ) + "".join(f'<w:num w:numId="{n}"><w:abstractNumId w:val="{n}"/></w:num>' for n in (1, 2))
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    members = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
        f'"application/xml"/><Override PartName="/word/document.xml" ContentType="{main}.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/styles" Target="styles.xml"/><Relationship Id="r2" Type="{office}/numbering" '
        f'Target="numbering.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {word}>{styles}</w:styles>",
        "word/numbering.xml": f"<w:numbering {word}>{kinds}</w:numbering>",
        "word/document.xml": f"<w:document {word}><w:body>{''.join(map(_word, pieces))}</w:body></w:document>",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), f'<?xml version="1.0" encoding="UTF-8"?>{data}')
    return File(mime=_DOCX, data=target.getvalue())


def _word(part: Part) -> str:
    if part.kind == "table":
        rows = (
            "".join(f"<w:tc>{_word(Part(kind='paragraph', text=cell))}</w:tc>" for cell in row) for row in part.rows
        )
        return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"
    properties = {
        "heading": f'<w:pStyle w:val="Heading{min(part.level, 3)}"/>',
        "bullet": '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>',
        "number": '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="2"/></w:numPr>',
    }.get(part.kind, "")
    run = f'<w:r><w:t xml:space="preserve">{escape(part.text)}</w:t></w:r>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{run}</w:p>"


def txt(pieces: list[Part]) -> File:
    """UTF-8, headings underlined, tables with aligned columns."""
    lines: list[str] = []
    for part in pieces:
        if part.kind == "heading":
            lines += ["", part.text, ("=" if part.level == 1 else "-") * max(len(part.text), 3), ""]
        elif part.kind == "paragraph":
            lines += [part.text, ""]
        elif part.kind == "table":
            widths = [max(len(row[at]) for row in part.rows if at < len(row)) for at in range(len(part.rows[0]))]
            lines += [
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in part.rows
            ]
            lines.append("")
        else:
            lines.append(f"{part.level}. {part.text}" if part.kind == "number" else f"- {part.text}")
    return File(mime="text/plain", data="\n".join(lines).encode())


def xlsx(pieces: list[Part]) -> File:
    """One sheet, named after the title; the header in its first row."""
    book = Workbook()
    sheet = book.active
    sheet.title = re.sub(r"[\[\]:*?/\\]", " ", pieces[0].text)[:31]
    for row in pieces[1].rows:
        sheet.append(list(row))
    target = io.BytesIO()
    book.save(target)
    return File(mime=_XLSX, data=target.getvalue())


def csv_file(pieces: list[Part]) -> File:
    """Semicolons, UTF-8, the header in the first line."""
    target = io.StringIO()
    csv.writer(target, delimiter=";").writerows(pieces[1].rows)
    return File(mime="text/csv", data=target.getvalue().encode())
