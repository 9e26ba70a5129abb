"""Office files to the whole canonical document, beside openpyxl and python-docx, which people would use instead.

The files are generated, and there are two of each kind. One is written as Office writes: the workbook has shared
strings, dates, amounts and shares in number formats, one formula column, 200,000 cells; the document has 300 sections
of a heading, five paragraphs of five runs with fonts and revision marks, a table of eight rows, and a numbered list.
The other is as the library writes it that we are beside: as many cells of numbers and inline strings; the same
sections with one bare run for each paragraph.

Ours is `reader.parse`: text as shown, formulas, numbers of lists, the checked account. openpyxl reads values only
(`read_only`, `data_only`): through defusedxml, which its documentation asks for where files come from others, as ours
do, and without it, as it is where nobody installs that. python-docx reads the text of all paragraphs and cells. Each
runs in a process of its own, in turn, and counts the processor's time of the reading alone, imports left out; the best
of three counts, because other work can only slow it.

Run: python -m bench.reading.office
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.table import Line, show

_ROUNDS: Final = 3
_ROWS: Final = 20_000
_SECTIONS: Final = 300
_ROOT: Final = Path(__file__).parents[2]
_OTHERS: Final = str(_ROOT / ".venv-bench/bin/python")
_W: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KINDS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_DOCX: Final = f"{_OFFICE}wordprocessingml.document"
_XLSX: Final = f"{_OFFICE}spreadsheetml.sheet"
_VOCABULARY: Final = (
    "the supplier shall deliver every sample within thirty days of order and laboratory reports results in writing to "
    "both parties unless otherwise agreed Frist Labor Prüfung Ergebnis Vertrag"
).split()

_OURS: Final = """
import io, sys, time
from frostbyte.data_plane.parse.reader import parse
data = open(sys.argv[1], "rb").read()
began = time.process_time()
parse(io.BytesIO(data), sha256="", mime=sys.argv[2], size=len(data))
print(time.process_time() - began)
"""
_OPENPYXL: Final = """
import sys, time
import openpyxl
began = time.process_time()
book = openpyxl.load_workbook(sys.argv[1], read_only=True, data_only=True)
cells = sum(len(row) for sheet in book for row in sheet.iter_rows(values_only=True))
print(time.process_time() - began)
"""
_UNDEFUSED: Final = f"""
import os
os.environ["OPENPYXL_DEFUSEDXML"] = "False"
{_OPENPYXL}
"""
_PYTHON_DOCX: Final = """
import sys, time
import docx
began = time.process_time()
document = docx.Document(sys.argv[1])
texts = [(paragraph.style.name, paragraph.text) for paragraph in document.paragraphs]
cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
print(time.process_time() - began)
"""
_BOOK: Final = """
import random, sys
import openpyxl
draw = random.Random(7)
book = openpyxl.Workbook(write_only=True)
sheet = book.create_sheet("Data")
for row in range(int(sys.argv[2])):
    amount, count = draw.randrange(10_000_000) / 100, draw.randint(1, 99)
    name, town = draw.choice(("Ada Fenn", "Bo Lund", "Cem Aras")), draw.choice(("Bonn", "Ulm", "York"))
    note, code = f"delivery note {row % 5000}", f"C-{row % 700:04}"
    sheet.append([row, name, town, 45_000 + row % 900, amount, draw.random(), count, note, code, amount * count])
book.save(sys.argv[1])
"""
_LETTER: Final = """
import random, sys
import docx
draw = random.Random(8)
words = "the supplier shall deliver every sample within thirty days of order and laboratory reports results".split()
sentence = lambda amount: " ".join(draw.choice(words) for _ in range(amount)).capitalize() + "."
document = docx.Document()
for number in range(int(sys.argv[2])):
    document.add_heading(f"Section {number}", 1)
    for _ in range(5):
        document.add_paragraph(sentence(60))
    for row in document.add_table(rows=8, cols=4).rows:
        for cell in row.cells:
            cell.text = sentence(3)
    for _ in range(4):
        document.add_paragraph(sentence(9), style="List Number")
document.save(sys.argv[1])
"""


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        book, letter = Path(folder) / "book.xlsx", Path(folder) / "letter.docx"
        cells = workbook(book)
        document(letter)
        bare_book, bare_letter = Path(folder) / "bare.xlsx", Path(folder) / "bare.docx"
        for code, path, amount in ((_BOOK, bare_book, _ROWS), (_LETTER, bare_letter, _SECTIONS)):
            subprocess.run([_OTHERS, "-c", code, path, str(amount)], check=True)
        show(
            [
                measured("XLSX", book, _XLSX, _OPENPYXL, cells, "cells"),
                measured("XLSX as openpyxl writes it", bare_book, _XLSX, _OPENPYXL, cells, "cells"),
                measured("XLSX, openpyxl without defusedxml,", book, _XLSX, _UNDEFUSED, cells, "cells"),
                measured("XLSX as openpyxl writes it, without,", bare_book, _XLSX, _UNDEFUSED, cells, "cells"),
                measured("DOCX", letter, _DOCX, _PYTHON_DOCX, _SECTIONS, "pages"),
                measured("DOCX as python-docx writes it", bare_letter, _DOCX, _PYTHON_DOCX, _SECTIONS, "pages"),
            ]
        )


def measured(name: str, path: Path, mime: str, reference: str, amount: int, unit: str) -> Line:
    """Ours and theirs, in turn."""
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(_seconds(sys.executable, _OURS, path, mime))
        theirs.append(_seconds(_OTHERS, reference, path, mime))
    ratio = min(theirs) / min(ours)
    whom = {"XLSX": "openpyxl read_only", "DOCX": "python-docx with tables"}[name[:4]]
    return Line(
        measure=f"{name} to canonical document",
        ours=amount / min(ours),
        reference=amount / min(theirs),
        unit=f"{unit}/CPU-s",
        target=f">= 10 x {whom}",
        met=ratio >= 10,
        note=f"{amount:,} {unit}; ours {min(ours):.2f} s, {whom} {min(theirs):.2f} s",
    )


def _seconds(python: str, code: str, path: Path, mime: str) -> float:
    done = subprocess.run([python, "-c", code, str(path), mime], cwd=_ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def workbook(path: Path) -> int:
    """Write the workbook; how many cells it has."""
    draw = random.Random(7)
    strings: dict[str, int] = {}

    def text(place: str, value: str) -> str:
        return f'<c r="{place}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'

    titles = ("Id", "Name", "Town", "Date", "Amount", "Share", "Count", "Note", "Code", "Sum")
    lines = ["".join(text(f"{column}1", title) for column, title in zip("ABCDEFGHIJ", titles, strict=True))]
    for row in range(2, _ROWS + 1):
        amount, count = draw.randrange(10_000_000) / 100, draw.randint(1, 99)
        lines.append(
            f'<c r="A{row}"><v>{row}</v></c>'
            + text(f"B{row}", draw.choice(("Ada Fenn", "Bo Lund", "Cem Aras", "Dora Voss")))
            + text(f"C{row}", draw.choice(("Bonn", "Ulm", "York")))
            + f'<c r="D{row}" s="1"><v>{45_000 + row % 900}</v></c><c r="E{row}" s="2"><v>{amount!r}</v></c>'
            f'<c r="F{row}" s="3"><v>{draw.randrange(1000) / 1000!r}</v></c><c r="G{row}"><v>{count}</v></c>'
            + text(f"H{row}", f"delivery note {row % 5000}")
            + text(f"I{row}", f"C-{row % 700:04}")
            + f'<c r="J{row}" s="2"><f>E{row}*G{row}</f><v>{round(amount * count, 2)!r}</v></c>'
        )
    body = "".join(f'<row r="{number}" spans="1:10">{cells}</row>' for number, cells in enumerate(lines, 1))
    formats = "".join(f'<xf numFmtId="{number}" applyNumberFormat="1"/>' for number in (0, 14, 4, 10))
    shared = "".join(f"<si><t>{string}</t></si>" for string in strings)
    _pack(
        path,
        f"{_OFFICE}spreadsheetml.sheet.main+xml",
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="{_KINDS}"><sheets>'
            '<sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relations(
                ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")
            ),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_S}"><sheetData>{body}</sheetData></worksheet>',
            "xl/sharedStrings.xml": f'<sst xmlns="{_S}">{shared}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{_S}"><fonts><font/></fonts>'
            '<fills><fill><patternFill patternType="none"/></fill></fills><borders><border/></borders>'
            f"<cellStyleXfs><xf/></cellStyleXfs><cellXfs>{formats}</cellXfs></styleSheet>",
        },
    )
    return _ROWS * len(titles)


def document(path: Path) -> None:
    """Write the document."""
    draw = random.Random(8)

    def sentence(words: int) -> str:
        return " ".join(draw.choice(_VOCABULARY) for _ in range(words)).capitalize() + "."

    def paragraph(properties: str, *sentences: str) -> str:
        look = '<w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri"/><w:sz w:val="22"/><w:lang w:val="en-GB"/></w:rPr>'
        runs = "".join(f'<w:r w:rsidR="00A77B3E">{look}<w:t xml:space="preserve">{s} </w:t></w:r>' for s in sentences)
        return f'<w:p w:rsidR="00A77B3E" w:rsidRDefault="00A77B3E"><w:pPr>{properties}</w:pPr>{runs}</w:p>'

    def row() -> str:
        width = '<w:tcPr><w:tcW w:w="2000" w:type="dxa"/></w:tcPr>'
        cells = "".join(f"<w:tc>{width}{paragraph('', sentence(3))}</w:tc>" for _ in range(4))
        return f"<w:tr>{cells}</w:tr>"

    listed = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    spaced = '<w:spacing w:after="120"/>'
    body = ""
    for number in range(_SECTIONS):
        body += paragraph('<w:pStyle w:val="Heading1"/>', f"Section {number}")
        body += "".join(paragraph(spaced, *(sentence(12) for _ in range(5))) for _ in range(5))
        body += f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(row() for _ in range(8))}</w:tbl>"
        body += "".join(paragraph(listed, sentence(9)) for _ in range(4))
    level = '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    _pack(
        path,
        f"{_OFFICE}wordprocessingml.document.main+xml",
        "word/document.xml",
        {
            "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>',
            "word/_rels/document.xml.rels": _relations(("styles", "styles.xml"), ("numbering", "numbering.xml")),
            "word/styles.xml": f'<w:styles xmlns:w="{_W}"><w:style w:type="paragraph" w:default="1" w:styleId="Normal">'
            '<w:name w:val="Normal"/></w:style><w:style w:type="paragraph" w:styleId="Heading1">'
            '<w:name w:val="heading 1"/></w:style></w:styles>',
            "word/numbering.xml": f'<w:numbering xmlns:w="{_W}"><w:abstractNum w:abstractNumId="0">{level}'
            '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>',
        },
    )


def _relations(*entries: tuple[str, str]) -> str:
    made = "".join(
        f'<Relationship Id="rId{number}" Type="{_KINDS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(entries, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{made}</Relationships>'


def _pack(path: Path, main_type: str, main: str, parts: dict[str, str]) -> None:
    overrides = f'<Override PartName="/{main}" ContentType="{main_type}"/>'
    for name in parts:
        known = _TYPES.get(name.rsplit("/", 1)[-1])
        if known is not None:
            overrides += f'<Override PartName="/{name}" ContentType="{_OFFICE}{known(main)}+xml"/>'
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", head + types)
        archive.writestr("_rels/.rels", head + _relations(("officeDocument", main)))
        for name, text in parts.items():
            archive.writestr(name, head + text)


_TYPES: Final[dict[str, Callable[[str], str]]] = {
    "sheet1.xml": lambda main: "spreadsheetml.worksheet",
    "sharedStrings.xml": lambda main: "spreadsheetml.sharedStrings",
    "styles.xml": lambda main: f"{'spreadsheet' if main.startswith('xl/') else 'wordprocessing'}ml.styles",
    "numbering.xml": lambda main: "wordprocessingml.numbering",
}


if __name__ == "__main__":
    main()
