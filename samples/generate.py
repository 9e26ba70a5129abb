"""Writes the sample documents beside this file, and those of docs/gallery; the same bytes with the locked packages.

python samples/generate.py [FOLDER]
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdfium2 as pdfium
import reportlab
from office import budget, invoice
from paper import paper
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from texts import (
    AGREEMENT,
    AGREEMENT_TITLE,
    DELIVERIES,
    FAX,
    FEES,
    INVOICE,
    LETTER,
    NOTE,
    NOTE_HIDDEN,
    NOTE_TITLE,
    POLICY,
    POLICY_TITLE,
    QUESTIONS,
    SOP,
)

_FONT = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
_MARGIN = 72.0
_WIDTH, _HEIGHT = A4


def _canvas(target: io.BytesIO, title: str) -> Canvas:
    canvas = Canvas(target, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(title)
    canvas.setAuthor("Frostbyte samples")
    return canvas


class _Flow:
    """Sets text down a column and turns the page where it ends."""

    def __init__(self, canvas: Canvas, turn: Callable[[], None], bottom: float = 90.0, leading: float = 1.25) -> None:
        self.canvas = canvas
        self.y = 0.0
        self._turn = turn
        self._bottom = bottom
        self._leading = leading
        turn()
        self.y = _HEIGHT - 100

    def keep(self, points: float) -> None:
        """Turn the page unless that much of it is left."""
        if self.y - points < self._bottom:
            self._turn()
            self.y = _HEIGHT - 100

    def text(self, text: str, font: str, size: float, *, left: float, width: float, after: float) -> None:
        """Set a paragraph."""
        for line in simpleSplit(text, font, size, width):
            if self.y < self._bottom:
                self._turn()
                self.y = _HEIGHT - 100
            self.canvas.setFont(font, size)
            self.canvas.drawString(left, self.y, line)
            self.y -= size * self._leading
        self.y -= after


def agreement() -> bytes:
    """A contract over several pages with headings, outline, running header and footer, and a ruled table."""
    target = io.BytesIO()
    canvas = _canvas(target, AGREEMENT_TITLE)
    page = 0

    def turn() -> None:
        nonlocal page
        if page:
            canvas.showPage()
        page += 1
        canvas.setFont("Helvetica", 9)
        canvas.drawString(_MARGIN, _HEIGHT - 50, "Halden Instruments / Brightwater Laboratory Services")
        canvas.drawString(_MARGIN, 45, f"Laboratory Services Agreement, page {page}")

    flow = _Flow(canvas, turn, bottom=200.0, leading=1.6)
    flow.text(AGREEMENT_TITLE, "Helvetica-Bold", 20, left=_MARGIN, width=450, after=18)
    for number, (heading, paragraphs) in enumerate(AGREEMENT):
        flow.keep(90)
        canvas.bookmarkPage(f"s{number}")
        canvas.addOutlineEntry(heading, f"s{number}", 0)
        flow.text(heading, "Helvetica-Bold", 14, left=_MARGIN, width=450, after=6)
        for paragraph in paragraphs:
            flow.text(paragraph, "Helvetica", 12, left=_MARGIN, width=440, after=14)
        if heading.startswith("3."):
            flow.y = _grid(canvas, FEES, (200, 110, 140), _MARGIN, flow.y) - 28
        flow.y -= 6
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _grid(canvas: Canvas, rows: Sequence[Sequence[str]], widths: Sequence[float], left: float, top: float) -> float:
    height = 20.0
    edges = [left]
    for width in widths:
        edges.append(edges[-1] + width)
    bottom = top - height * len(rows)
    canvas.setLineWidth(0.6)
    for number in range(len(rows) + 1):
        canvas.line(left, top - number * height, edges[-1], top - number * height)
    for edge in edges:
        canvas.line(edge, top, edge, bottom)
    for number, row in enumerate(rows):
        canvas.setFont("Helvetica-Bold" if number == 0 else "Helvetica", 10)
        for edge, value in zip(edges, row, strict=False):
            canvas.drawString(edge + 5, top - number * height - 14, value)
    return bottom


def policy() -> bytes:
    """A German policy in two columns, with words broken at line ends."""
    target = io.BytesIO()
    canvas = _canvas(target, POLICY_TITLE)
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(60, _HEIGHT - 80, POLICY_TITLE)
    lines: list[tuple[str, str, float]] = []
    for heading, paragraphs in POLICY:
        lines.append((heading, "Helvetica-Bold", 12))
        for paragraph in paragraphs:
            lines.extend((line, "Helvetica", 10) for line in _broken(paragraph, 215))
        lines.append(("", "Helvetica", 6))
    half = next(n for n, line in enumerate(lines) if n >= len(lines) // 2 and line[1] == "Helvetica-Bold")
    for left, part in ((60.0, lines[:half]), (318.0, lines[half:])):
        y = _HEIGHT - 120
        for text, font, size in part:
            canvas.setFont(font, size)
            canvas.drawString(left, y, text)
            y -= size * 1.35
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _broken(text: str, width: float) -> list[str]:
    """Lines of at most `width` points; long words are broken with a hyphen where a vowel meets a consonant."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        trial = f"{line} {word}".strip()
        if pdfmetrics.stringWidth(trial, "Helvetica", 10) <= width:
            line = trial
            continue
        cut = 0
        for place in range(4, len(word) - 3):
            fits = pdfmetrics.stringWidth(f"{line} {word[:place]}-", "Helvetica", 10) <= width
            if fits and word[place - 1] in "aeiouäöü" and word[place] not in "aeiouäöüyh" and word.isalpha():
                cut = place
        if cut:
            lines.append(f"{line} {word[:cut]}-")
            line = word[cut:]
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def note() -> bytes:
    """A harmless supplier note with an injected prompt in white on white."""
    target = io.BytesIO()
    canvas = _canvas(target, NOTE_TITLE)
    flow = _Flow(canvas, lambda: None)
    flow.text(NOTE_TITLE, "Helvetica-Bold", 18, left=_MARGIN, width=450, after=14)
    for paragraph in NOTE:
        flow.text(paragraph, "Helvetica", 11, left=_MARGIN, width=450, after=10)
    canvas.setFillColor(white)
    flow.text(NOTE_HIDDEN, "Helvetica", 8, left=_MARGIN, width=450, after=0)
    canvas.setFillColor(HexColor("#000000"))
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _typed(lines: Sequence[str], size: tuple[int, int], points: int, margin: int) -> Image.Image:
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(_FONT), points)
    y = margin
    for line in lines:
        draw.text((margin, y), line, font=font, fill=0)
        y += int(points * 1.6)
    return image


def letter() -> bytes:
    """A letter as a scanner would deliver it: A4 at 150 dpi, grey."""
    image = _typed(LETTER, (1240, 1754), 28, 130).quantize(16)
    target = io.BytesIO()
    image.save(target, "PNG", optimize=True, dpi=(150, 150))
    return target.getvalue()


def fax() -> bytes:
    """Two frames, black and white, as a fax server stores them."""
    frames = [_typed(lines, (1240, 1100), 30, 110).convert("1", dither=Image.Dither.NONE) for lines in FAX]
    target = io.BytesIO()
    frames[0].save(target, "TIFF", save_all=True, append_images=frames[1:], compression="group4", dpi=(150, 150))
    return target.getvalue()


def slanted() -> bytes:
    """The agreement's first page as a scanner takes it in askew: 200 dpi, black and white, turned by 2.4 degrees."""
    document = pdfium.PdfDocument(agreement())
    page = document[0].render(scale=200 / 72, grayscale=True).to_pil()
    turned = page.rotate(2.4, resample=Image.Resampling.BICUBIC, fillcolor=255)
    target = io.BytesIO()
    black = turned.point(lambda value: 255 if value > 150 else 0).convert("1", dither=Image.Dither.NONE)
    black.save(target, "TIFF", compression="group4", dpi=(200, 200))
    return target.getvalue()


def deliveries() -> bytes:
    """A CSV as German office programs write it: semicolons, and a byte-order mark."""
    rows = (";".join(f'"{value}"' if ";" in value else value for value in row) for row in DELIVERIES)
    return b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n"


def program() -> bytes:
    """The beginning of a Windows program, which is no document whatever its name says."""
    return b"MZ\x90\x00\x03\x00\x00\x00" + bytes(52) + b"\x80\x00\x00\x00" + bytes(64) + b"PE\x00\x00L\x01" + bytes(250)


SAMPLES: dict[str, Callable[[], bytes]] = {
    "services-agreement.pdf": agreement,
    "besucherdaten-richtlinie.pdf": policy,
    "invoice-2026-0417.docx": lambda: invoice(INVOICE),
    "laboratory-budget.xlsx": budget,
    "deliveries.csv": deliveries,
    "cold-storage-sop.txt": lambda: SOP.encode(),
    "complaint-letter.png": letter,
    "storage-order-fax.tiff": fax,
    "supplier-note.pdf": note,
    "notes.pdf": program,
    "questions.json": lambda: (json.dumps(QUESTIONS, indent=2, ensure_ascii=False) + "\n").encode(),
}


GALLERY: dict[str, Callable[[], bytes]] = {
    "two-column-paper.pdf": paper,
    "slanted-scan.tiff": slanted,
}
"""Only for docs/gallery.md: the batch of the demonstration stays small."""


def write(folder: Path, gallery: Path) -> None:
    """Write the samples into `folder` and what only the gallery shows into `gallery`."""
    for target, files in ((folder, SAMPLES), (gallery, GALLERY)):
        target.mkdir(exist_ok=True)
        for name, make in files.items():
            (target / name).write_bytes(make())


if __name__ == "__main__":
    home = Path(__file__).parent
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]), Path(sys.argv[1]) / "gallery")
    else:
        write(home, home.parent / "docs" / "gallery")
