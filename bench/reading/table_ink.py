"""Tables as they are put on a page: text, rules, stripes; and prose around them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas


@dataclass(slots=True)
class Entry:
    """A cell as it was drawn."""

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1
    bold: bool = False
    align: str = "left"
    lines: list[str] = field(default_factory=list)
    header: bool = False


@dataclass(slots=True)
class Truth:
    """A table as it was drawn; `entries` are its cells that hold text."""

    rows: int
    columns: int
    entries: list[Entry]


@dataclass(slots=True)
class Style:
    """How a table is set."""

    kind: str
    font: str
    bold: str
    size: float
    pad_x: float
    pad_y: float
    leading: float
    valign: str
    german: bool


@dataclass(slots=True)
class Sheet:
    """A page being drawn, with what is true of it."""

    canvas: Canvas
    noise: random.Random
    width: float
    height: float
    font: str
    bold: str
    size: float
    words: list[str]
    truths: list[Truth] = field(default_factory=list)


def paragraph(sheet: Sheet, left: float, right: float, y: float, lines: int, justify: bool | None = None) -> float:
    """Prose, sometimes justified; the place under it."""
    noise, canvas = sheet.noise, sheet.canvas
    spread = noise.random() < 0.5 if justify is None else justify
    leading = sheet.size * noise.choice([1.15, 1.2, 1.25])
    canvas.setFont(sheet.font, sheet.size)
    for number in range(lines):
        if y < 50:
            break
        wide = right - left if number < lines - 1 else (right - left) * noise.uniform(0.3, 0.9)
        line: list[str] = []
        while stringWidth(" ".join(line), sheet.font, sheet.size) < wide:
            word = noise.choice(sheet.words)
            line.append(noise.choice([word, word, word, word + ",", str(noise.randint(2, 900)), "of", "und"]))
        line = line[:-1] or [noise.choice(sheet.words)]
        gap = 0.0
        if spread and number < lines - 1 and len(line) > 3:
            gap = (wide - stringWidth(" ".join(line), sheet.font, sheet.size)) / (len(line) - 1)
        text = canvas.beginText(left, y)
        text.setWordSpace(gap)
        text.textOut(" ".join(line))
        text.setWordSpace(0)
        canvas.drawText(text)
        y -= leading
    return y - sheet.size * noise.uniform(0.4, 1.2)


def paint(
    sheet: Sheet,
    style: Style,
    entries: list[Entry],
    x: float,
    y: float,
    widths: list[float],
    heights: list[float],
    body_from: int,
) -> None:
    xs = [x + sum(widths[:n]) for n in range(len(widths) + 1)]
    ys = [y - sum(heights[:n]) for n in range(len(heights) + 1)]
    painter = {"ruled": _rules, "booktabs": _booktabs, "borderless": _shades}[style.kind]
    painter(sheet, style, entries, xs, ys, body_from)
    points = _points(style, entries)
    for entry in entries:
        _write(sheet.canvas, style, entry, xs, ys, points.get(entry.column, 0.0))


def _points(style: Style, entries: list[Entry]) -> dict[int, float]:
    """Width of the widest part behind the decimal point, by column."""
    behind: dict[int, float] = {}
    for entry in entries:
        if entry.align == "decimal" and not entry.header:
            tail = entry.text[_point(entry.text, style.german) :]
            behind[entry.column] = max(behind.get(entry.column, 0.0), stringWidth(tail, style.bold, style.size))
    return behind


def _point(text: str, german: bool) -> int:
    at = text.rfind("," if german else ".")
    return at if at >= 0 else len(text)


def _write(canvas: Canvas, style: Style, entry: Entry, xs: list[float], ys: list[float], behind: float) -> None:
    font = style.bold if entry.bold else style.font
    left, right = xs[entry.column] + style.pad_x, xs[entry.column + entry.columns] - style.pad_x
    top, bottom = ys[entry.row], ys[entry.row + entry.rows]
    spare = top - bottom - 2 * style.pad_y - len(entry.lines) * style.leading
    align = entry.align if entry.columns == 1 or entry.align == "left" else "center"
    y = top - style.pad_y - (spare / 2 if style.valign == "middle" else 0.0) - style.size * 0.95
    canvas.setFont(font, style.size)
    for line in entry.lines:
        if align == "center":
            canvas.drawCentredString((left + right) / 2, y, line)
        elif align == "right" or (align == "decimal" and (entry.header or len(entry.lines) > 1)):
            canvas.drawRightString(right, y, line)
        elif align == "decimal":
            at = _point(line, style.german)
            canvas.drawRightString(right - behind, y, line[:at])
            canvas.drawString(right - behind, y, line[at:])
        else:
            canvas.drawString(left, y, line)
        y -= style.leading


def _line(sheet: Sheet, how: str, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
    canvas = sheet.canvas
    if how == "rectangle":
        canvas.rect(
            min(x0, x1) - width / 2,
            min(y0, y1) - width / 2,
            abs(x1 - x0) + width,
            abs(y1 - y0) + width,
            stroke=0,
            fill=1,
        )
    elif how == "pieces":
        length = max(abs(x1 - x0), abs(y1 - y0))
        count = max(1, int(length / 5))
        for n in range(count):
            a, b = n / count, (n + 0.6) / count
            canvas.line(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a, x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)
    else:
        canvas.line(x0, y0, x1, y1)


def _rules(sheet: Sheet, style: Style, entries: list[Entry], xs: list[float], ys: list[float], body_from: int) -> None:
    noise, canvas = sheet.noise, sheet.canvas
    how = noise.choice(["line", "line", "line", "rectangle", "box", "dashed", "pieces"])
    width = noise.choice([0.25, 0.5, 0.5, 1.0, 1.5])
    grey = noise.choice([0.0, 0.0, 0.0, 0.4, 0.75])
    outer = noise.random() < 0.85
    canvas.saveState()
    if body_from and noise.random() < 0.4:
        canvas.setFillGray(noise.choice([0.8, 0.9]))
        canvas.rect(xs[0], ys[body_from], xs[-1] - xs[0], ys[0] - ys[body_from], stroke=0, fill=1)
    canvas.setStrokeGray(grey)
    canvas.setFillGray(grey)
    canvas.setLineWidth(width)
    if how == "dashed":
        canvas.setDash(3, 2)
    taken = {
        (r, c) for e in entries for r in range(e.row, e.row + e.rows) for c in range(e.column, e.column + e.columns)
    }
    free = [Entry(r, c, "") for r in range(len(ys) - 1) for c in range(len(xs) - 1) if (r, c) not in taken]
    for entry in [*entries, *free]:
        x0, x1 = xs[entry.column], xs[entry.column + entry.columns]
        y0, y1 = ys[entry.row], ys[entry.row + entry.rows]
        if how == "box":
            canvas.rect(x0, y1, x1 - x0, y0 - y1, stroke=1, fill=0)
            continue
        if outer or entry.row > 0:
            _line(sheet, how, x0, y0, x1, y0, width)
        if outer or entry.column > 0:
            _line(sheet, how, x0, y0, x0, y1, width)
    if how != "box" and outer:
        _line(sheet, how, xs[0], ys[-1], xs[-1], ys[-1], width)
        _line(sheet, how, xs[-1], ys[0], xs[-1], ys[-1], width)
    canvas.restoreState()


def _booktabs(
    sheet: Sheet, style: Style, entries: list[Entry], xs: list[float], ys: list[float], body_from: int
) -> None:
    noise, canvas = sheet.noise, sheet.canvas
    how = noise.choice(["line", "line", "rectangle"])
    every = noise.random() < 0.2
    canvas.saveState()
    for number, y in enumerate(ys):
        edge = number in (0, len(ys) - 1)
        if not (edge or number == body_from or (every and number > body_from)):
            continue
        width = 1.0 if edge else 0.5
        canvas.setLineWidth(width)
        canvas.setStrokeGray(0.0 if edge else noise.choice([0.0, 0.5]))
        _line(sheet, how, xs[0], y, xs[-1], y, width)
    canvas.setLineWidth(0.4)
    if body_from == 2 and noise.random() < 0.7:
        for entry in entries:
            if entry.row == 0 and entry.columns > 1:
                end = xs[entry.column + entry.columns] - style.pad_x * 0.6
                _line(sheet, how, xs[entry.column] + style.pad_x * 0.6, ys[1], end, ys[1], 0.4)
    canvas.restoreState()


def _shades(sheet: Sheet, style: Style, entries: list[Entry], xs: list[float], ys: list[float], body_from: int) -> None:
    """Zebra stripes or nothing at all."""
    if sheet.noise.random() > 0.3:
        return
    canvas = sheet.canvas
    canvas.saveState()
    canvas.setFillGray(sheet.noise.choice([0.85, 0.93]))
    for number in range(body_from % 2, len(ys) - 1, 2):
        canvas.rect(xs[0], ys[number + 1], xs[-1] - xs[0], ys[number] - ys[number + 1], stroke=0, fill=1)
    canvas.restoreState()
