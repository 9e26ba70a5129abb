"""Pages without tables that look as if they had some."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from bench.reading.table_ink import Sheet, paragraph
from bench.reading.table_text import ENGLISH, FONTS, GERMAN, wrap

_CODE: Final = (
    "def total(rows):",
    "    result = 0            # sum of all",
    "    for row in rows:",
    "        result += row[1]  # second column",
    "    return result",
    "",
    "struct entry {",
    "    int      count;",
    "    char     name[20];",
    "    double   value;",
    "};",
    "if (a == b)   { x = 1; }",
    "else          { x = 2; }",
)


def draw_lookalike(canvas: Canvas, noise: random.Random, number: int) -> str:
    """One page that has no table; the name of what it has."""
    canvas.setPageSize(A4)
    canvas.setPageRotation(0)
    font, bold = noise.choice(FONTS[:4])
    words = noise.choice([ENGLISH, GERMAN])
    sheet = Sheet(canvas, noise, A4[0], A4[1], font, bold, noise.choice([9, 10, 11, 12]), words)
    names = list(LOOKALIKES)
    name = names[number % len(names)]
    if noise.random() < 0.4:
        _running(sheet)
    LOOKALIKES[name](sheet)
    return name


def _running(sheet: Sheet) -> None:
    """A page header and footer of several pieces, with rules."""
    canvas, noise = sheet.canvas, sheet.noise
    canvas.setFont(sheet.font, 8)
    canvas.drawString(60, 810, "ACME " + noise.choice(sheet.words))
    canvas.drawCentredString(300, 810, "2026-03-01")
    canvas.drawRightString(535, 810, f"Page {noise.randint(1, 99)}")
    canvas.line(60, 805, 535, 805)
    canvas.line(60, 40, 535, 40)
    canvas.drawString(60, 30, "Confidential")
    canvas.drawRightString(535, 30, "www.example.com")


def _prose(sheet: Sheet) -> None:
    y = 780.0
    while y > 100:
        y = paragraph(sheet, 60, 535, y, sheet.noise.randint(3, 9))


def _two_columns(sheet: Sheet) -> None:
    noise = sheet.noise
    gutter = noise.choice([14, 18, 24])
    top = paragraph(sheet, 60, 535, 780, 2) if noise.random() < 0.5 else 780.0
    justify = noise.random() < 0.6
    for left, right in ((60, 297 - gutter / 2), (297 + gutter / 2, 535)):
        y = top
        state = noise.getstate() if noise.random() < 0.5 else None
        while y > 90:
            y = paragraph(sheet, left, right, y, noise.randint(2, 12), justify)
        if state is not None and noise.random() < 0.3:
            noise.setstate(state)


def _three_columns(sheet: Sheet) -> None:
    sheet.size = 8
    for left in (60, 225, 390):
        y = 780.0
        while y > 90:
            y = paragraph(sheet, left, left + 145, y, sheet.noise.randint(3, 14), True)


def _bullets(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    y = paragraph(sheet, 60, 535, 780, 3)
    mark = noise.choice(["•", "–", "1.", "a)", "(1)", "[1]"])
    for number in range(noise.randint(5, 14)):
        label = mark.replace("1", str(number + 1)).replace("a", chr(97 + number))
        text = " ".join(noise.choices(sheet.words, k=noise.randint(2, 25)))
        canvas.setFont(sheet.font, size)
        canvas.drawString(70, y, label)
        for line in wrap(text, sheet.font, size, 420):
            canvas.drawString(70 + size * 2.4, y, line)
            y -= size * 1.2
        y -= noise.choice([0, size * 0.4])
    paragraph(sheet, 60, 535, y - 20, 4)


def _addresses(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    y = 760.0
    for left in (60, noise.choice([320, 350, 380])):
        at = y
        canvas.setFont(sheet.bold if noise.random() < 0.3 else sheet.font, size)
        for line in (
            noise.choice(sheet.words).capitalize() + noise.choice([" GmbH", " Inc.", " Ltd"]),
            noise.choice(["Ann Example", "Karl Muster", "Dr. Eva Beispiel"]),
            noise.choice(sheet.words).capitalize() + f"straße {noise.randint(1, 99)}",
            f"{noise.randint(10000, 99999)} {noise.choice(['Berlin', 'Hamburg', 'Springfield'])}",
            *([noise.choice(["Germany", "Deutschland", "USA"])] if noise.random() < 0.6 else []),
        ):
            canvas.drawString(left, at, line)
            canvas.setFont(sheet.font, size)
            at -= size * 1.2
    canvas.drawRightString(535, 650, f"Berlin, {noise.randint(1, 28)}. Mai 2026")
    y = paragraph(sheet, 60, 535, 610, 8)
    y = paragraph(sheet, 60, 535, y, 6)
    canvas.drawString(60, y - 40, "______________________")
    canvas.drawString(330, y - 40, "______________________")
    canvas.drawString(60, y - 54, "Ort, Datum")
    canvas.drawString(330, y - 54, "Unterschrift")


def _form(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    y = paragraph(sheet, 60, 535, 780, 2)
    wide = noise.random() < 0.3
    for _ in range(noise.randint(5, 14)):
        for left in (60, 310) if wide else (60,):
            canvas.setFont(sheet.bold if noise.random() < 0.5 else sheet.font, size)
            canvas.drawString(left, y, noise.choice(sheet.words).capitalize() + ":")
            canvas.setFont(sheet.font, size)
            canvas.drawString(left + 110, y, noise.choice([noise.choice(sheet.words), str(noise.randint(1, 9999))]))
        y -= size * noise.choice([1.3, 1.8])
    paragraph(sheet, 60, 535, y - 20, 4)


def _code(sheet: Sheet) -> None:
    canvas = sheet.canvas
    y = paragraph(sheet, 60, 535, 780, 3)
    for _ in range(3):
        canvas.setFont("Courier", 9)
        for line in _CODE:
            if sheet.noise.random() < 0.85:
                canvas.drawString(72, y, line)
                y -= 10.8
        y = paragraph(sheet, 60, 535, y - 12, 3)


def _contents(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    leaders = noise.random() < 0.7
    canvas.setFont(sheet.bold, size + 4)
    canvas.drawString(60, 780, noise.choice(["Contents", "Inhalt", "Table of contents"]))
    y, page, chapter, section = 750.0, 1, 0, 0
    canvas.setFont(sheet.font, size)
    for _ in range(noise.randint(12, 30)):
        if chapter == 0 or noise.random() < 0.3:
            chapter, section = chapter + 1, 0
            number, left = f"{chapter}", 60.0
        else:
            section += 1
            number, left = f"{chapter}.{section}", 60 + size * 1.5
        page += noise.randint(0, 5)
        title = " ".join(noise.choices(sheet.words, k=noise.randint(1, 5))).capitalize()
        canvas.drawString(left, y, number)
        canvas.drawString(left + size * 2.5, y, title)
        end = left + size * 3 + stringWidth(title, sheet.font, size)
        dots = int((505 - end) / stringWidth(" .", sheet.font, size))
        if leaders and dots > 0:
            canvas.drawRightString(510, y, " ." * dots)
        canvas.drawRightString(535, y, str(page))
        y -= size * 1.5


def _definitions(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    y = 780.0
    for _ in range(noise.randint(4, 9)):
        canvas.setFont(sheet.bold, size)
        canvas.drawString(60, y, noise.choice(sheet.words).capitalize())
        y -= size * 1.25
        y = paragraph(sheet, 90, 535, y, noise.randint(1, 4))


def _chart(sheet: Sheet) -> None:
    canvas, noise = sheet.canvas, sheet.noise
    y = paragraph(sheet, 60, 535, 780, 5) - 220
    canvas.setFont(sheet.font, 8)
    canvas.line(100, y, 100, y + 200)
    canvas.line(100, y, 480, y)
    for n in range(6):
        canvas.drawRightString(95, y + n * 36, str(n * 20))
        canvas.line(97, y + n * 36, 480 if noise.random() < 0.5 else 100, y + n * 36)
        canvas.drawCentredString(130 + n * 60, y - 12, noise.choice([str(2020 + n), noise.choice(sheet.words)]))
        canvas.rect(115 + n * 60, y, 30, noise.uniform(10, 190), stroke=1, fill=noise.choice([0, 1]))
    canvas.drawString(100, y - 30, f"Figure 1: {noise.choice(sheet.words)} by year")
    paragraph(sheet, 60, 535, y - 50, 6)


def _references(sheet: Sheet) -> None:
    canvas, noise, size = sheet.canvas, sheet.noise, sheet.size
    y = 780.0
    for number in range(1, noise.randint(6, 16)):
        canvas.setFont(sheet.font, size)
        canvas.drawString(60, y, f"[{number}]")
        title = " ".join(noise.choices(sheet.words, k=noise.randint(8, 25)))
        text = f"A. Author, B. Writer: {title}, 20{noise.randint(10, 26)}."
        for line in wrap(text, sheet.font, size, 430):
            canvas.drawString(60 + size * 2.5, y, line)
            y -= size * 1.2
        y -= size * 0.3


def _boxed(sheet: Sheet) -> None:
    """A note in a box, a heading with a rule, a shaded paragraph."""
    canvas, noise = sheet.canvas, sheet.noise
    y = paragraph(sheet, 60, 535, 780, 5)
    top = y + sheet.size
    y = paragraph(sheet, 72, 523, y - 6, 4)
    canvas.rect(60, y, 475, top - y, stroke=1, fill=0)
    y -= 30
    canvas.setFont(sheet.bold, 14)
    canvas.drawString(60, y, " ".join(noise.choices(sheet.words, k=2)).title())
    canvas.line(60, y - 5, 535, y - 5)
    y = paragraph(sheet, 60, 535, y - 24, 5)
    canvas.line(60, y, 535, y)
    paragraph(sheet, 60, 535, y - 18, 7)


def _index(sheet: Sheet) -> None:
    canvas, noise = sheet.canvas, sheet.noise
    size = min(sheet.size, 9.0)
    for left in (60, 230, 400):
        y = 780.0
        for word in sorted(noise.choices(sheet.words, k=45)):
            canvas.setFont(sheet.font, size)
            pages = ", ".join(str(noise.randint(1, 300)) for _ in range(noise.choice([1, 1, 2, 3])))
            canvas.drawString(left + noise.choice([0, 0, 0, size]), y, f"{word}, {pages}")
            y -= size * 1.2


LOOKALIKES: Final[dict[str, Callable[[Sheet], None]]] = {
    "prose": _prose,
    "two columns": _two_columns,
    "three columns": _three_columns,
    "bullets": _bullets,
    "addresses": _addresses,
    "form": _form,
    "code": _code,
    "contents": _contents,
    "definitions": _definitions,
    "chart": _chart,
    "references": _references,
    "boxed": _boxed,
    "index": _index,
}
