"""Writes the sample DOCX and XLSX part by part: small, deterministic, and with the corners that parsers miss."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_P = "http://schemas.openxmlformats.org/package/2006/relationships"
_CT = "http://schemas.openxmlformats.org/package/2006/content-types"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def pack(members: Mapping[str, str | bytes]) -> bytes:
    """A zip with these members, the same bytes each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return target.getvalue()


def _relations(entries: Sequence[tuple[str, str, str]]) -> str:
    body = "".join(f'<Relationship Id="{i}" Type="{_R}/{kind}" Target="{target}"/>' for i, kind, target in entries)
    return f'{_HEAD}<Relationships xmlns="{_P}">{body}</Relationships>'


def _types(parts: Sequence[tuple[str, str]]) -> str:
    body = "".join(f'<Override PartName="/{name}" ContentType="{kind}+xml"/>' for name, kind in parts)
    return (
        f'{_HEAD}<Types xmlns="{_CT}"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{body}</Types>'
    )


def paragraph(text: str, style: str = "") -> str:
    """A `w:p` with one run."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def _table(rows: Sequence[Sequence[str]], total: tuple[str, str]) -> str:
    lines = []
    for number, row in enumerate(rows):
        head = "<w:trPr><w:tblHeader/></w:trPr>" if number == 0 else ""
        cells = "".join(f"<w:tc>{paragraph(value)}</w:tc>" for value in row)
        lines.append(f"<w:tr>{head}{cells}</w:tr>")
    merged = f'<w:tcPr><w:gridSpan w:val="{len(rows[0]) - 1}"/></w:tcPr>'
    lines.append(f"<w:tr><w:tc>{merged}{paragraph(total[0])}</w:tc><w:tc>{paragraph(total[1])}</w:tc></w:tr>")
    return f"<w:tbl>{''.join(lines)}</w:tbl>"


def invoice(rows: Sequence[Sequence[str]]) -> bytes:
    """The invoice: heading, table with a merged cell, footnote, header, comment and a tracked deletion."""
    tracked = (
        '<w:p><w:r><w:t xml:space="preserve">Payable within </w:t></w:r>'
        '<w:del w:id="1" w:author="M. Tolliver"><w:r><w:delText>fourteen</w:delText></w:r></w:del>'
        '<w:ins w:id="2" w:author="M. Tolliver"><w:r><w:t>thirty</w:t></w:r></w:ins>'
        '<w:r><w:t xml:space="preserve"> days of receipt to IBAN DE89 3704 0044 0532 0130 00.</w:t></w:r>'
        '<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    )
    body = (
        paragraph("Invoice 2026-0417", "Heading1")
        + paragraph("Brightwater Laboratory Services Ltd to Halden Instruments Ltd, 17 April 2026.")
        + paragraph("Services in March 2026", "Heading2")
        + _table(rows, ("Total, excluding value added tax", "5,754.00"))
        + tracked
        + paragraph("Questions about this invoice: accounts@example.com")
    )
    document = f'{_HEAD}<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    styles = (
        f'{_HEAD}<w:styles xmlns:w="{_W}">'
        '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style></w:styles>'
    )
    footnotes = (
        f'{_HEAD}<w:footnotes xmlns:w="{_W}"><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>'
        f'<w:footnote w:id="2">{paragraph("Bank charges are borne by the customer.")}</w:footnote></w:footnotes>'
    )
    header = f'{_HEAD}<w:hdr xmlns:w="{_W}">{paragraph("Brightwater Laboratory Services Ltd")}</w:hdr>'
    comments = (
        f'{_HEAD}<w:comments xmlns:w="{_W}"><w:comment w:id="1" w:author="M. Tolliver">'
        f"{paragraph('Agreed by telephone with Mr Pargeter.')}</w:comment></w:comments>"
    )
    return pack(
        {
            "[Content_Types].xml": _types(
                [
                    ("word/document.xml", f"{_WORD}.document.main"),
                    ("word/styles.xml", f"{_WORD}.styles"),
                    ("word/footnotes.xml", f"{_WORD}.footnotes"),
                    ("word/header1.xml", f"{_WORD}.header"),
                    ("word/comments.xml", f"{_WORD}.comments"),
                ]
            ),
            "_rels/.rels": _relations([("rId1", "officeDocument", "word/document.xml")]),
            "word/document.xml": document,
            "word/_rels/document.xml.rels": _relations(
                [
                    ("rId1", "styles", "styles.xml"),
                    ("rId2", "footnotes", "footnotes.xml"),
                    ("rId3", "header", "header1.xml"),
                    ("rId4", "comments", "comments.xml"),
                ]
            ),
            "word/styles.xml": styles,
            "word/footnotes.xml": footnotes,
            "word/header1.xml": header,
            "word/comments.xml": comments,
        }
    )


def _cell(reference: str, value: str | float, formula: str = "", style: int = 0) -> str:
    tag = f' s="{style}"' if style else ""
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"{tag}><is><t>{escape(value)}</t></is></c>'
    inner = f"<f>{escape(formula)}</f>" if formula else ""
    return f'<c r="{reference}"{tag}>{inner}<v>{value}</v></c>'


def _sheet(rows: Sequence[str], merged: str = "") -> str:
    body = "".join(f'<row r="{number}">{cells}</row>' for number, cells in enumerate(rows, 1))
    merge = f'<mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    return f'{_HEAD}<worksheet xmlns="{_S}"><sheetData>{body}</sheetData>{merge}</worksheet>'


def budget() -> bytes:
    """The workbook: sheet `Costs` with dates and formulas, sheet `Summary` with a merged title."""
    costs = [("Heavy metals, water", 46083, 48, 84.0), ("Nitrate and phosphate", 46085, 12, 46.0)]
    costs.append(("Urgent surcharge", 46101, 18, 65.0))
    rows = [
        "".join(_cell(f"{c}1", t) for c, t in zip("ABCDE", ("Service", "Date", "Samples", "Fee", "Cost"), strict=True))
    ]
    for number, (name, day, samples, fee) in enumerate(costs, 2):
        rows.append(
            _cell(f"A{number}", name)
            + _cell(f"B{number}", day, style=1)
            + _cell(f"C{number}", samples)
            + _cell(f"D{number}", fee)
            + _cell(f"E{number}", samples * fee, f"C{number}*D{number}")
        )
    summary = [
        _cell("A1", "Laboratory budget, first quarter of 2026"),
        _cell("A2", "Planned") + _cell("B2", 7500),
        _cell("A3", "Spent") + _cell("B3", 5754, "SUM(Costs!E2:E4)"),
        _cell("A4", "Left") + _cell("B4", 1746, "B2-B3"),
    ]
    workbook = (
        f'{_HEAD}<workbook xmlns="{_S}" xmlns:r="{_R}"><sheets><sheet name="Costs" sheetId="1" r:id="rId1"/>'
        '<sheet name="Summary" sheetId="2" r:id="rId2"/></sheets></workbook>'
    )
    styles = (
        f'{_HEAD}<styleSheet xmlns="{_S}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>'
    )
    return pack(
        {
            "[Content_Types].xml": _types(
                [
                    ("xl/workbook.xml", f"{_SHEET}.sheet.main"),
                    ("xl/worksheets/sheet1.xml", f"{_SHEET}.worksheet"),
                    ("xl/worksheets/sheet2.xml", f"{_SHEET}.worksheet"),
                    ("xl/styles.xml", f"{_SHEET}.styles"),
                ]
            ),
            "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.xml")]),
            "xl/workbook.xml": workbook,
            "xl/_rels/workbook.xml.rels": _relations(
                [
                    ("rId1", "worksheet", "worksheets/sheet1.xml"),
                    ("rId2", "worksheet", "worksheets/sheet2.xml"),
                    ("rId3", "styles", "styles.xml"),
                ]
            ),
            "xl/worksheets/sheet1.xml": _sheet(rows),
            "xl/worksheets/sheet2.xml": _sheet(summary, "A1:B1"),
            "xl/styles.xml": styles,
        }
    )
