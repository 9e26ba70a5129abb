"""A paper as journals set it, in two columns: for the gallery, where parsers show what they can."""

from __future__ import annotations

import io
from collections.abc import Iterator

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

TITLE = "What a Door Costs: Openings and Temperature in Shared Cold Rooms"
AUTHORS = "M. Halvorsen, T. Okafor and R. Lindqvist"
PLACE = "Institute for Storage Engineering, Halden"
ABSTRACT = (
    "Shared cold rooms are opened far more often than the people who plan them expect. Over 24 months we recorded "
    "every opening of six rooms together with the air temperature at three heights. The temperature at shelf height "
    "rose by 0.8 °C after a short opening and by 3.1 °C after a long one, and it was the number of long openings, not "
    "of all openings, that decided whether a room kept its limit."
)
FOOTNOTE = "1 Rooms are named by the letters that the operator uses; letters that are missing belong to freezers."
TABLE_CAPTION = "Table 1. Openings and excursions, both years together."
TABLE = (
    ("Room", "Openings", "Long", "Excursions", "Worst (°C)"),
    ("A", "41,208", "1,904", "3", "8.4"),
    ("B", "18,655", "312", "0", "7.1"),
    ("C", "52,310", "4,871", "17", "11.9"),
    ("E", "9,042", "288", "0", "6.8"),
    ("F", "33,777", "2,015", "5", "9.2"),
    ("H", "27,490", "1,133", "1", "8.1"),
)
FIGURE_CAPTION = "Figure 1. Excursions per thousand long openings, by room."

Block = tuple[str, str]
FIRST: tuple[Block, ...] = (
    ("h", "1. Introduction"),
    (
        "p",
        "A cold room is specified for a closed door. Its compressor, its insulation and the placing of its sensors "
        "assume that warm air enters rarely and leaves quickly. In a room that several laboratories share, neither "
        "holds: samples are carried in and out all day, and doors are held open with a foot while both hands are full.",
    ),
    (
        "p",
        "Guidelines count openings. We asked whether that is the right thing to count, and found that it is not.",
    ),
    ("h", "2. Method"),
    ("s", "2.1 Rooms"),
    (
        "p",
        "Six rooms between 18 and 46 cubic metres took part.¹ All are held at 5 °C with an allowed range of 2 °C to "
        "8 °C. Each door carries a magnetic contact that is read every second.",
    ),
    ("s", "2.2 Definitions"),
    ("p", "For what follows we distinguish three things:"),
    ("l", "• an opening is any interval in which the contact is broken for at least one second;"),
    ("l", "• a long opening lasts for more than forty seconds;"),
    ("l", "• an excursion is an interval of at least ten minutes above 8 °C at shelf height."),
    (
        "p",
        "Forty seconds is the time after which, in a preliminary experiment, the temperature at the middle shelf "
        "began to follow the temperature at the door. Shorter openings exchange the air near the floor only.",
    ),
    ("h", "3. Results"),
    (
        "p",
        "Table 1 gives the counts. Room C, a thoroughfare between two corridors, was opened more often than any other "
        "and accounts for two thirds of all excursions.",
    ),
    ("t", ""),
    (
        "p",
        "The number of all openings explains little: room A was opened twice as often as room H and had an excursion "
        "rate that hardly differs from it. Per long opening, however, the rooms agree within a factor of four, with "
        "the exception of the two rooms that had none (Figure 1).",
    ),
    ("f", ""),
    ("h", "4. Discussion"),
    (
        "p",
        "Two measures follow. A door that closes by itself after thirty seconds would have prevented 23 of the 26 "
        "excursions at a cost of about 410 EUR a room. Moving the most used racks next to the door, which is what "
        "guidelines recommend, would have prevented none: the openings that matter are those of people who look for "
        "something, not of those who know where it stands.",
    ),
    (
        "p",
        "Our rooms are of one make and in one building, and nobody may conclude from them to walk-in freezers, whose "
        "air is far drier. The instrumentation is inexpensive, though, and we encourage others to repeat the count.",
    ),
    ("h", "References"),
    ("r", "[1] Aldous, P.: Air exchange through open doors. Journal of Storage Engineering 12 (2019), 44-61."),
    ("r", "[2] Brandt, K.; Osei, L.: Sensors at the wrong height. Cold Chain Letters 7 (2021), 3-9."),
    ("r", "[3] Halden Instruments: HT-5 contact sensor, operating manual, 3rd edition, 2022."),
)

_WIDTH, _HEIGHT = A4
_LEFTS = (56.0, 306.0)
_COLUMN = 233.0
_BOTTOM = 74.0
_FONTS = {"h": ("Times-Bold", 11.5), "s": ("Times-BoldItalic", 10.0)}


class _Press:
    """Fills columns from left to right and pages from first to last."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.page = 1
        self.column = 0
        self.y = 0.0
        self.top = 0.0

    def head(self) -> None:
        """The running header and the page number."""
        self.canvas.setFont("Times-Italic", 8.5)
        self.canvas.drawString(56, _HEIGHT - 40, "Journal of Storage Engineering 19 (2025), 112-113")
        self.canvas.drawRightString(_WIDTH - 56, _HEIGHT - 40, f"{111 + self.page}")

    def keep(self, points: float) -> None:
        """Go on in the next column unless that much is left in this one."""
        if self.y - points >= _BOTTOM + (24 if self.page == 1 and self.column == 0 else 0):
            return
        if self.column == 0:
            self.column, self.y = 1, self.top
            return
        self.canvas.showPage()
        self.page, self.column = self.page + 1, 0
        self.y = self.top = _HEIGHT - 76
        self.head()

    @property
    def left(self) -> float:
        return _LEFTS[self.column]

    def lines(self, lines: list[str], font: str, size: float, *, indent: float = 0.0, after: float = 5.0) -> None:
        for number, line in enumerate(lines):
            self.keep(size * 1.22)
            self.canvas.setFont(font, size)
            self.canvas.drawString(self.left + (indent if number else 0.0), self.y, line)
            self.y -= size * 1.22
        self.y -= after


def paper() -> bytes:
    """Two pages in two columns: headings, a list, a table without vertical rules, a chart, a footnote, references."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(TITLE)
    canvas.setAuthor(AUTHORS)
    press = _Press(canvas)
    press.head()
    y = _HEIGHT - 86
    for text, font, size, gap in (
        (TITLE, "Times-Bold", 16, 24),
        (AUTHORS, "Times-Roman", 11, 15),
        (PLACE, "Times-Italic", 10, 22),
    ):
        canvas.setFont(font, size)
        canvas.drawCentredString(_WIDTH / 2, y, text)
        y -= gap
    canvas.setFont("Times-Bold", 9.5)
    canvas.drawString(92, y, "Abstract")
    for line in simpleSplit(ABSTRACT, "Times-Roman", 9.5, _WIDTH - 184):
        y -= 11.6
        canvas.setFont("Times-Roman", 9.5)
        canvas.drawString(92, y, line)
    press.y = press.top = y - 30
    canvas.setLineWidth(0.4)
    canvas.line(_LEFTS[0], _BOTTOM + 12, _LEFTS[0] + 90, _BOTTOM + 12)
    foot = _BOTTOM + 2
    for line in simpleSplit(FOOTNOTE, "Times-Roman", 7.5, _COLUMN):
        canvas.setFont("Times-Roman", 7.5)
        canvas.drawString(_LEFTS[0], foot, line)
        foot -= 9
    for kind, text in FIRST:
        _set(press, kind, text)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _set(press: _Press, kind: str, text: str) -> None:
    if kind in _FONTS:
        press.y -= 6
        press.keep(48)
        press.lines([text], *_FONTS[kind], after=3)
    elif kind == "t":
        _table(press)
    elif kind == "f":
        _chart(press)
    elif kind == "l":
        press.lines(list(_broken(text, _COLUMN - 10)), "Times-Roman", 10, indent=8, after=2)
    elif kind == "r":
        press.lines(list(_broken(text, _COLUMN - 10)), "Times-Roman", 8.5, indent=14, after=2)
    else:
        press.lines(list(_broken(text, _COLUMN)), "Times-Roman", 10)


def _table(press: _Press) -> None:
    """Rules above, below the head and below the body: what LaTeX's booktabs draws."""
    canvas, rows = press.canvas, len(TABLE)
    press.keep(rows * 13 + 44)
    canvas.setFont("Times-Roman", 8.5)
    canvas.drawString(press.left, press.y, TABLE_CAPTION)
    rights = [press.left + at for at in (28.0, 82.0, 124.0, 178.0, 230.0)]
    top = press.y - 8
    for weight, y in ((0.9, top), (0.5, top - 15), (0.9, top - 15 - 13 * (rows - 1) - 3)):
        canvas.setLineWidth(weight)
        canvas.line(press.left, y, press.left + _COLUMN, y)
    y = top - 11
    for number, row in enumerate(TABLE):
        canvas.setFont("Times-Bold" if number == 0 else "Times-Roman", 9)
        canvas.drawString(press.left + 2, y, row[0])
        for right, value in zip(rights[1:], row[1:], strict=True):
            canvas.drawRightString(right, y, value)
        y -= 15 if number == 0 else 13
    press.y = y - 10


def _chart(press: _Press) -> None:
    canvas = press.canvas
    press.keep(132)
    base, values = press.y - 96, (("A", 1.6), ("B", 0.0), ("C", 3.5), ("E", 0.0), ("F", 2.5), ("H", 0.9))
    canvas.setLineWidth(0.6)
    canvas.line(press.left + 10, base, press.left + 220, base)
    for number, (name, value) in enumerate(values):
        left = press.left + 20 + number * 34
        canvas.setFillGray(0.6)
        canvas.rect(left, base, 20, value * 24, stroke=0, fill=1)
        canvas.setFillGray(0)
        canvas.setFont("Helvetica", 7)
        canvas.drawCentredString(left + 10, base - 9, name)
        canvas.drawCentredString(left + 10, base + value * 24 + 3, f"{value:.1f}")
    canvas.setFont("Times-Roman", 8.5)
    canvas.drawString(press.left, base - 24, FIGURE_CAPTION)
    press.y = base - 40


def _broken(text: str, width: float) -> Iterator[str]:
    """Lines of at most `width` points in Times 10; long words are broken with a hyphen where they may be."""
    line = ""
    for word in text.split():
        trial = f"{line} {word}".strip()
        if pdfmetrics.stringWidth(trial, "Times-Roman", 10) <= width:
            line = trial
            continue
        place = max((p for p in _places(word) if _fits(f"{line} {word[:p]}-", width)), default=0)
        yield f"{line} {word[:place]}-" if place else line
        line = word[place:]
    yield line


def _places(word: str) -> Iterator[int]:
    vowels = "aeiou"
    for place in range(3, len(word) - 3):
        if (
            word.isalpha()
            and word[place - 1] in vowels
            and word[place] not in vowels + "xwh"
            and word[place + 1] in vowels
        ):
            yield place


def _fits(line: str, width: float) -> bool:
    return bool(pdfmetrics.stringWidth(line, "Times-Roman", 10) <= width)
