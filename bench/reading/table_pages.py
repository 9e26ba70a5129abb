"""Pages with tables whose every cell is known: ruled, booktabs and borderless, seeded, as varied as real ones.

What cannot be seen is not in the truth: an empty cell is none, and a label that stands for several rows of a table
without rules is one cell of the first of them.
"""

from __future__ import annotations

import random
from typing import Final

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from bench.reading.table_ink import Entry, Sheet, Style, Truth, paint, paragraph
from bench.reading.table_text import ENGLISH, FONTS, GERMAN, alignment, value, wrap

KINDS: Final = ("ruled", "booktabs", "borderless")


def draw_page(canvas: Canvas, noise: random.Random, kind: str) -> list[Truth]:
    """One page with one or two tables of a kind, and what stands around them."""
    rotation = noise.choice([0] * 12 + [90, 270])
    page = A4 if noise.random() < 0.85 else landscape(A4)
    canvas.setPageSize(page)
    canvas.setPageRotation(rotation)
    if rotation:
        page = (page[1], page[0])
        canvas.setPageSize(page)  # reportlab turns the media box itself
        canvas.translate(*((page[1], 0) if rotation == 90 else (0, page[0])))
        canvas.rotate(90 if rotation == 90 else -90)
    font, bold = noise.choice(FONTS[:4])
    german = noise.random() < 0.4
    sheet = Sheet(
        canvas, noise, page[0], page[1], font, bold, noise.choice([9, 10, 10.5, 11, 12]), GERMAN if german else ENGLISH
    )
    left, right, y = 60.0, page[0] - 60, page[1] - 60
    if noise.random() < 0.2 and page[0] < page[1]:
        _beside_prose(sheet, kind, german, left, right, y)
        return sheet.truths
    for _ in range(2 if noise.random() < 0.2 else 1):
        if noise.random() < 0.7:
            y = paragraph(sheet, left, right, y, noise.randint(2, 6))
        y = _captioned(sheet, kind, german, left, right, y)
        if noise.random() < 0.3:
            y = paragraph(sheet, left, right, y, 1)
    if noise.random() < 0.7 and y > 120:
        paragraph(sheet, left, right, y, 3)
    return sheet.truths


def _beside_prose(sheet: Sheet, kind: str, german: bool, left: float, right: float, y: float) -> None:
    """Two columns of prose, a table in one of them."""
    middle = (left + right) / 2
    sides = [(left, middle - 11), (middle + 11, right)]
    sheet.noise.shuffle(sides)
    sheet.size = min(sheet.size, 10.0)
    (a, b), (c, d) = sides
    at = paragraph(sheet, a, b, y, sheet.noise.randint(3, 14))
    at = _captioned(sheet, kind, german, a, b, at)
    paragraph(sheet, a, b, at, 5)
    at = y
    while at > 200:
        at = paragraph(sheet, c, d, at, sheet.noise.randint(4, 9))


def _captioned(sheet: Sheet, kind: str, german: bool, left: float, right: float, y: float) -> float:
    noise, canvas = sheet.noise, sheet.canvas
    where = noise.choice(["above", "below", "none"])
    word = "Tabelle" if german else "Table"
    caption = f"{word} {noise.randint(1, 9)}: {' '.join(noise.choices(sheet.words, k=noise.randint(2, 5)))}"
    if where == "above":
        canvas.setFont(sheet.font, sheet.size)
        canvas.drawString(left, y, caption)
        y -= sheet.size * noise.uniform(0.6, 1.4)
    y = draw_table(sheet, kind, german, left, right, y)
    if where == "below":
        y -= sheet.size * noise.uniform(0.6, 1.2)
        canvas.setFont(sheet.font, sheet.size)
        canvas.drawString(left, y - sheet.size * 0.3, caption)
        y -= sheet.size
    return y - sheet.size * noise.uniform(1.4, 2.4)


def draw_table(sheet: Sheet, kind: str, german: bool, left: float, right: float, y: float) -> float:
    """One table with its upper edge at `y`; the place of its lower edge. Its truth goes to the sheet."""
    noise = sheet.noise
    narrow = right - left < 300
    size = noise.choice([7, 8, 8.5, 9, 10] if narrow else [8, 9, 9.5, 10, 11])
    font, bold = noise.choice(FONTS[: 4 if narrow else 5]) if noise.random() < 0.5 else (sheet.font, sheet.bold)
    pad_x = noise.choice([3.0, 4.0, 6.0, 9.0]) if kind == "ruled" else size * noise.choice([0.4, 0.5, 0.6, 0.8, 1.2])
    style = Style(
        kind=kind,
        font=font,
        bold=bold,
        size=size,
        pad_x=pad_x,
        pad_y=size * noise.choice([0.12, 0.2, 0.3, 0.5]) if kind != "ruled" else noise.choice([1.5, 3.0, 5.0]),
        leading=size * noise.choice([1.1, 1.15, 1.2]),
        valign=noise.choice(["top", "top", "middle"]),
        german=german,
    )
    columns = noise.randint(2, 4 if narrow else 10)
    most = max(2, int((y - 90) / (size * 1.2 + 2 * style.pad_y)) - 3)
    rows = noise.randint(2 if kind != "borderless" else 3, max(3, min(30, most)))
    kinds = [noise.choice(["words", "label"]), *(_column_kind(noise) for _ in range(columns - 1))]
    entries, body_from = _header(sheet, style, columns, kinds)
    entries += _body(sheet, style, rows, columns, kinds, body_from)
    if kind == "ruled":
        entries = _merged(noise, entries, body_from, body_from + rows, columns)
    widths = _widths(style, entries, columns, right - left, noise)
    while sum(widths) > right - left and columns > 2:
        columns -= 1
        entries = [e for e in entries if e.column < columns]
        for entry in entries:
            entry.columns = min(entry.columns, columns - entry.column)
        widths = _widths(style, entries, columns, right - left, noise)
    for row in range(body_from, body_from + rows):  # a row without any text cannot be seen
        if not any(e.text for e in entries if e.row <= row < e.row + e.rows):
            label = value(noise, "label", sheet.words, german)
            entries = [e for e in entries if (e.row, e.column) != (row, 0)]
            entries.append(Entry(row, 0, label))
    for entry in entries:
        room = sum(widths[entry.column : entry.column + entry.columns]) - 2 * style.pad_x
        entry.lines = wrap(entry.text, style.bold if entry.bold else style.font, size, room)
    total = _cut(entries, style, body_from + rows, y - 60)
    entries = [e for e in entries if e.row + e.rows <= total]
    heights = _heights(style, entries, total)
    x = left + (noise.choice([0.0, 0.5]) * max(0.0, right - left - sum(widths)))
    paint(sheet, style, entries, x, y, widths, heights, body_from)
    kept = [e for e in entries if e.text]
    sheet.truths.append(Truth(total, columns, kept))
    return y - sum(heights)


def _column_kind(noise: random.Random) -> str:
    return noise.choice(
        [
            "integer",
            "integer",
            "decimal",
            "decimal",
            "euro",
            "percent",
            "date",
            "code",
            "label",
            "words",
            "yesno",
            "text",
        ]
    )


def _header(sheet: Sheet, style: Style, columns: int, kinds: list[str]) -> tuple[list[Entry], int]:
    """The header rows, and how many there are."""
    noise = sheet.noise
    if noise.random() < (0.12 if style.kind != "booktabs" else 0.0):
        return [], 0
    strong = noise.random() < (0.65 if style.kind != "booktabs" else 0.4)
    entries: list[Entry] = []
    at = 0
    if columns >= 4 and noise.random() < 0.25:
        column = 1
        while column < columns:
            span = min(noise.choice([2, 2, 3]), columns - column)
            if span < 2:
                break
            text = noise.choice([str(noise.randint(2015, 2029)), " ".join(noise.choices(sheet.words, k=2)).title()])
            entries.append(Entry(0, column, text, columns=span, bold=strong, align="center", header=True))
            column += span
        at = 1
    for column in range(columns):
        words = noise.choices(sheet.words, k=noise.choice([1, 1, 1, 2, 3]))
        text = " ".join(words).capitalize()
        if column == 0 and noise.random() < 0.2:
            text = ""
        if style.kind == "ruled" and at and column == 0:
            entries.append(Entry(0, 0, text, rows=2, bold=strong, align="left", header=True))
        else:
            entries.append(Entry(at, column, text, bold=strong, align=alignment(kinds[column]), header=True))
    return entries, at + 1


def _body(sheet: Sheet, style: Style, rows: int, columns: int, kinds: list[str], start: int) -> list[Entry]:
    noise = sheet.noise
    empty = noise.choice([0.0, 0.0, 0.05, 0.15])
    grouped = style.kind != "ruled" and columns > 3 and noise.random() < 0.2
    shift = {c: noise.choice(["left", "center", "right"]) for c in range(1, columns) if noise.random() < 0.2}
    entries: list[Entry] = []
    for row in range(start, start + rows):
        last = row == start + rows - 1
        total = last and noise.random() < 0.3
        for column, kind in enumerate(kinds):
            text = value(noise, kind, sheet.words, style.german)
            if column and noise.random() < empty:
                text = ""
            if column == 0 and grouped and row > start and noise.random() < 0.5:
                text = ""
            if total and column == 0:
                text = "Summe" if style.german else "Total"
            align = alignment(kind)
            align = shift.get(column, align) if kind != "text" else "left"
            entries.append(Entry(row, column, text, bold=total and noise.random() < 0.9, align=align))
    return entries


def _merged(noise: random.Random, entries: list[Entry], start: int, end: int, columns: int) -> list[Entry]:
    """Some cells of a ruled table put together: labels over rows, notes over columns."""
    if noise.random() < 0.6 or end - start < 3:
        return entries
    gone: set[tuple[int, int]] = set()
    for _ in range(noise.randint(1, 3)):
        down, across = noise.choice([(2, 1), (3, 1), (1, 2), (1, columns), (2, 2)])
        row, column = noise.randint(start, end - 1), noise.randint(0, columns - 1)
        if row + down > end or column + across > columns or (down > 1 and across == columns):
            continue
        area = {(row + i, column + j) for i in range(down) for j in range(across)}
        if area & gone:
            continue
        gone |= area
        for entry in entries:
            if (entry.row, entry.column) == (row, column):
                entry.rows, entry.columns = down, across
        area.discard((row, column))
        entries = [e for e in entries if (e.row, e.column) not in area]
    return entries


def _widths(style: Style, entries: list[Entry], columns: int, room: float, noise: random.Random) -> list[float]:
    """The width of each column: what its longest text needs, long texts broken."""
    most = max(70.0, room / columns * 1.3) if columns > 2 else room / 2
    widths = [style.size * 2 + 2 * style.pad_x] * columns
    for entry in entries:
        font = style.bold if entry.bold else style.font
        need = min(stringWidth(entry.text, font, style.size), most)
        need = max([need, *(stringWidth(word, font, style.size) for word in entry.text.split())])
        need += 2 * style.pad_x + 0.5
        have = sum(widths[entry.column : entry.column + entry.columns])
        if need > have:
            for column in range(entry.column, entry.column + entry.columns):
                widths[column] += (need - have) / entry.columns
    slack = room - sum(widths)
    if slack > 0 and noise.random() < 0.5:
        widths = [w + slack * noise.choice([1.0, 0.5]) / columns for w in widths]
    return widths


def _heights(style: Style, entries: list[Entry], rows: int) -> list[float]:
    heights = [style.leading + 2 * style.pad_y] * rows
    for entry in sorted(entries, key=lambda e: e.rows):
        need = max(1, len(entry.lines)) * style.leading + 2 * style.pad_y
        have = sum(heights[entry.row : entry.row + entry.rows])
        if need > have:
            heights[entry.row + entry.rows - 1] += need - have
    return heights


def _cut(entries: list[Entry], style: Style, rows: int, room: float) -> int:
    """How many rows fit on the page, cut where no merged cell is cut."""
    while rows > 2 and sum(_heights(style, [e for e in entries if e.row + e.rows <= rows], rows)) > room:
        rows -= 1
    while rows > 2 and any(e.row < rows < e.row + e.rows for e in entries):
        rows -= 1
    return rows
