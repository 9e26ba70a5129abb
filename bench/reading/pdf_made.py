"""PDFs made for the benches, with what stands in them known: pages of several columns in the order a person reads.

Every line holds words that occur once, `w0001`, `w0002` and so on, in reading order, between words of filling.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

_WORDS: Final = (
    "the river carries what winter leaves on its banks and a keeper counts every board that passes under the old bridge"
    " while lamps burn low in rooms where ledgers grow longer than anybody had planned when this house was built"
).split()

Line = tuple[str, float, float]
"""Text, left edge and baseline, in points from the page's lower left."""


class Flow:
    """Filling text with counted words in it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def lines(self, number: int, width: float, size: float) -> Iterator[str]:
        """So many lines of at most `width` points, each with a counted word."""
        for _ in range(number):
            self._count += 1
            line = f"w{self._count:04d}"
            while True:
                longer = f"{line} {self._random.choice(_WORDS)}"
                if stringWidth(longer, "Times-Roman", size) > width:
                    break
                line = longer
            yield line


def _draw(canvas: Canvas, text: str, left: float, base: float, width: float, size: float) -> None:
    """A justified line, word by word, as typesetting programs write it."""
    words = text.split()
    space = (width - sum(stringWidth(word, "Times-Roman", size) for word in words)) / max(1, len(words) - 1)
    canvas.setFont("Times-Roman", size)
    for word in words:
        canvas.drawString(left, base, word)
        left += stringWidth(word, "Times-Roman", size) + space


def _column(flow: Flow, lines: int, left: float, top: float, width: float, size: float) -> list[Line]:
    return [(text, left, top - number * size * 1.2) for number, text in enumerate(flow.lines(lines, width, size))]


def side_by_side(canvas: Canvas) -> None:
    """A title over two columns with a narrow gutter, written across both, line by line."""
    flow = Flow(1)
    (title,) = flow.lines(1, 300, 18)
    canvas.setFont("Times-Bold", 18)
    canvas.drawString(110, 760, title)
    columns = [_column(flow, 52, left, 720, 237, 10) for left in (54, 303)]
    for pair in zip(*columns, strict=True):
        for text, left, base in pair:
            _draw(canvas, text, left, base, 237, 10)


def with_spanning_parts(canvas: Canvas) -> None:
    """Abstract, two columns, a heading over both, two columns again; the right columns are written first."""
    flow = Flow(2)
    parts: list[tuple[list[Line], float]] = [(_column(flow, 5, 100, 770, 395, 9.5), 395)]
    for top, lines in ((690, 22), (340, 20)):
        if top == 340:
            (heading,) = flow.lines(1, 420, 13)
            canvas.setFont("Times-Bold", 13)
            canvas.drawString(54, 372, heading)
        parts.append((_column(flow, lines, 54, top, 230, 11), 230))
        parts.append((_column(flow, lines - 3, 311, top, 230, 11), 230))
    for lines_of, width in reversed(parts):
        for text, left, base in lines_of:
            _draw(canvas, text, left, base, width, 11 if width < 300 else 9.5)


def three_columns(canvas: Canvas) -> None:
    """Three narrow columns of unequal length, written across."""
    flow = Flow(3)
    columns = [_column(flow, lines, left, 780, 155, 9) for lines, left in ((60, 48), (60, 219), (41, 390))]
    for number in range(60):
        for column in columns:
            if number < len(column):
                _draw(canvas, *column[number], 155, 9)


def shifted_baselines(canvas: Canvas) -> None:
    """Two columns of different type size and leading, with indented paragraphs and a short last line each."""
    flow = Flow(4)
    left = _column(flow, 46, 60, 770, 225, 10.5)
    right = _column(flow, 58, 310, 766, 225, 8.5)
    for column, size in ((left, 10.5), (right, 8.5)):
        for number, (text, x, base) in enumerate(column):
            if number % 9 == 0:
                canvas.setFont("Times-Roman", size)
                canvas.drawString(x + 14, base, " ".join(text.split()[:-3]))
            elif number % 9 == 8:
                canvas.setFont("Times-Roman", size)
                canvas.drawString(x, base, " ".join(text.split()[:3]))
            else:
                _draw(canvas, text, x, base, 225, size)


LAYOUTS: Final[tuple[Callable[[Canvas], None], ...]] = (
    side_by_side,
    with_spanning_parts,
    three_columns,
    shifted_baselines,
)


def page(layout: Callable[[Canvas], None]) -> bytes:
    """A PDF of one such page."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1)
    layout(canvas)
    canvas.save()
    return target.getvalue()
