"""How fast and how well scans are read, beside bare tesserocr.

    python -m bench.reading.ocr [--rounds 3]

Eight A4 pages at 200 dpi (four English, four German, three typefaces) are set from our own texts, so that the truth is
known. Both sides run in this process on the same bitmaps, page by page in turn, each with warm engines and both
languages; a page's time is the median of its rounds in processor time. What we do besides Tesseract (finding how the
page stands, its slope, its language, rules and structure) is part of ours. The error is the edit distance between the
words in reading order and the truth, by the truth's length; white space counts as one blank. The same pages slanted by
five degrees, upside down and at 72 dpi show what the preparation is for.

The second core: a TIFF of twelve of the pages through our reader with one thread and with one a core, by the wall
clock, in turn, best of the rounds. On a busy machine that says little: the load stands beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pypdfium2 as pdfium
import tesserocr
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from bench.table import Line, show
from frostbyte.data_plane.parse.image import ahead, ocr
from frostbyte.data_plane.parse.image.engine import BOTH, data_folder
from frostbyte.data_plane.parse.reader import parse

_TEXTS: Final = Path(__file__).parents[1] / "sets" / "retrieval" / "held_back"
_PAGES: Final = (
    ("hr-handbook", "Helvetica", 11),
    ("services-agreement-harlow", "Times-Roman", 11),
    ("sop-cold-chain", "Times-Roman", 10),
    ("travel-policy", "Courier", 9),
    ("mietvertrag-gewerbe", "Helvetica", 10),
    ("dienstanweisung-informationssicherheit", "Times-Roman", 11),
    ("betriebsvereinbarung-mobiles-arbeiten", "Helvetica", 11),
    ("versicherungsschreiben-wasserschaden", "Courier", 9),
)
_DPI: Final = 200
_MOST: Final = 1.2


def set_page(name: str, font: str, size: int) -> tuple[bytes, str]:
    """A PDF of one page of running text, and the text on it."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1)
    y = A4[1] - 70
    truth: list[str] = []
    for block in (_TEXTS / f"{name}.md").read_text(encoding="utf-8").split("\n\n"):
        if "|" in block:
            continue
        text = " ".join(re.sub(r"^(?:#+|\d+\.|-) ", "", line) for line in block.splitlines())
        for line in simpleSplit(text, font, size, 450):
            if y < 60:
                break
            canvas.setFont(font, size)
            canvas.drawString(72, y, line)
            truth.append(line)
            y -= size * 1.35
        y -= 8
    canvas.showPage()
    canvas.save()
    return target.getvalue(), " ".join(" ".join(truth).split())


def drawn(pdf: bytes, dpi: int = _DPI) -> Image.Image:
    """The page as a grey bitmap."""
    bitmap: Any = pdfium.PdfDocument(pdf)[0].render(scale=dpi / 72, grayscale=True)
    picture: Image.Image = bitmap.to_pil().convert("L")
    return picture


def error(truth: str, read: str) -> float:
    """Edit distance by the truth's length."""
    read = " ".join(read.split())
    target = np.array([ord(sign) for sign in read])
    places = np.arange(len(read) + 1)
    row = places.copy()
    for number, sign in enumerate(truth, 1):
        fresh = np.empty_like(row)
        fresh[0] = number
        fresh[1:] = np.minimum(row[1:] + 1, row[:-1] + (target != ord(sign)))
        row = np.minimum.accumulate(fresh - places) + places
    return float(row[-1]) / max(1, len(truth))


def bare_reader() -> Callable[[Image.Image, int], str]:
    """Tesseract as one would call it without us."""
    engine = tesserocr.PyTessBaseAPI(path=data_folder(), lang=BOTH, psm=tesserocr.PSM.AUTO)

    def read(picture: Image.Image, dpi: int) -> str:
        engine.SetImage(picture)
        engine.SetSourceResolution(dpi)
        return str(engine.GetUTF8Text())

    return read


def ours(picture: Image.Image, dpi: int) -> str:
    """The legible lines."""
    return "\n".join(line.text for line in ocr.read(picture, (dpi, dpi)).lines if line.legible)


def compare(pages: list[tuple[Image.Image, str]], dpi: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds, error) by side and page."""
    sides = {"ours": ours, "bare": bare_reader()}
    for read in sides.values():
        read(pages[0][0], dpi)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for picture, truth in pages:
        times: dict[str, list[float]] = {name: [] for name in sides}
        texts: dict[str, str] = {}
        for _ in range(rounds):
            for name, read in sides.items():
                began = time.process_time()
                texts[name] = read(picture, dpi)
                times[name].append(time.process_time() - began)
        for name in sides:
            found[name].append((statistics.median(times[name]), error(truth, texts[name])))
    return found


def second_core(pictures: list[Image.Image], rounds: int) -> tuple[float, float]:
    """Wall seconds for a TIFF of twelve pages with one thread and with one a core."""
    target = io.BytesIO()
    twelve = (pictures * 2)[:12]
    twelve = [page.point([max(0, value - number) for value in range(256)]) for number, page in enumerate(twelve)]
    twelve[0].save(target, "TIFF", save_all=True, append_images=twelve[1:], compression="tiff_lzw", dpi=(_DPI, _DPI))
    data = target.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    best = {1: float("inf"), 0: float("inf")}
    texts = set()
    for _ in range(rounds):
        for threads in best:
            cores = {0} if threads == 1 else os.sched_getaffinity(0)
            began = time.perf_counter()
            with patch.object(ahead.os, "sched_getaffinity", return_value=cores):
                document = parse(io.BytesIO(data), sha256=digest, mime="image/tiff", size=len(data))
            best[threads] = min(best[threads], time.perf_counter() - began)
            texts.add(tuple(page.text for page in document.pages))
    assert len(texts) == 1, "what is read must not depend on the number of threads"
    return best[1], best[0]


def main() -> None:
    """Print the lines of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    texts = [set_page(*page) for page in _PAGES]
    plain = [(drawn(pdf), truth) for pdf, truth in texts]
    lines: list[Line] = []
    found = compare(plain, _DPI, rounds)
    for name, part in (("English", slice(0, 4)), ("German", slice(4, 8)), ("all", slice(0, 8))):
        ours_, bare = (sum(seconds for seconds, _ in found[side][part]) for side in ("ours", "bare"))
        count = len(found["ours"][part])
        lines.append(
            Line(
                measure=f"OCR of an A4 page, {name}",
                ours=ours_ / count,
                reference=bare / count,
                unit="CPU s",
                target=f"<= {_MOST} x bare tesserocr",
                met=ours_ <= _MOST * bare,
            )
        )
        lines.append(error_line(f"median character error, {name}", found, part))
    spoilt: dict[str, tuple[Callable[[bytes], Image.Image], int]] = {
        "slanted by 5 degrees": (lambda pdf: drawn(pdf).rotate(5, Image.Resampling.BICUBIC, True, fillcolor=255), _DPI),
        "upside down": (lambda pdf: drawn(pdf).transpose(Image.Transpose.ROTATE_180), _DPI),
        "at 72 dpi": (lambda pdf: drawn(pdf, 72), 72),
    }
    for name, (spoil, dpi) in spoilt.items():
        chosen = texts[::2]
        result = compare([(spoil(pdf), truth) for pdf, truth in chosen], dpi, 1)
        lines.append(error_line(f"median character error, {name}", result, slice(0, len(chosen))))
    one, all_ = second_core([picture for picture, _ in plain], min(rounds, 2))
    cores = len(os.sched_getaffinity(0))
    lines.append(
        Line(
            measure="a scan of 12 pages, all cores against one",
            ours=one / all_,
            unit="x",
            target="pages in parallel",
            met=None,
            note=f"{one:.1f} s with one thread, {all_:.1f} s with {cores}; load when it ended {os.getloadavg()[0]:.1f}",
        )
    )
    show(lines)


def error_line(measure: str, found: dict[str, list[tuple[float, float]]], part: slice) -> Line:
    """Median errors of both sides, in percent."""
    ours_, bare = (statistics.median(wrong for _, wrong in found[side][part]) for side in ("ours", "bare"))
    return Line(measure=measure, ours=100 * ours_, reference=100 * bare, unit="%", target="", met=None)


if __name__ == "__main__":
    main()
