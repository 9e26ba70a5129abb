"""How fast a PDF becomes the whole canonical document, beside the bare library and other readers.

    python -m bench.reading.pdf [--rounds 3]

Pages per second of processor time on one core, over the files of `bench/reading/pdf_corpus.py`. Each reader runs in a
process of its own, in turn, on the same files; a file's time is the median of its rounds (the slow readers have one).
The slowest, pdfplumber, reads every sixth file. A file that a reader fails on is left out for both sides. What each
reader is asked for stands in `bench/reading/pdf_readers.py`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pypdfium2

from bench.reading import pdf_corpus, pdf_made
from bench.table import Line, show

_ROOT: Final = Path(__file__).parents[2]
_OTHERS: Final = _ROOT / ".venv-bench" / "bin" / "python"
_TARGETS: Final = {
    "raw": (0.35, "raw pypdfium2 text"),
    "liteparse": (1.0, "liteparse blocks"),
    "kreuzberg": (2.5, "kreuzberg structured"),
    "docling": (3.5, "docling-parse"),
    "pdfplumber": (15.0, "pdfplumber with tables"),
}
_FAST: Final = ("frostbyte", "raw", "liteparse")
_SPARSE: Final = 6
_LONGEST: Final = 800.0

Times = dict[str, list[float]]


def run(reader: str, files: Sequence[Path]) -> dict[str, float]:
    """CPU seconds for each file that the reader could read; empty where the reader is not installed."""
    python = sys.executable if reader in ("frostbyte", "raw") else str(_OTHERS)
    if not Path(python).exists():
        return {}
    done = subprocess.run(
        [python, str(_ROOT / "bench" / "reading" / "pdf_readers.py"), reader, *map(str, files)],
        capture_output=True,
        timeout=_LONGEST,
    )
    if done.returncode:
        return {}
    results = json.loads(done.stdout.splitlines()[-1])
    return {name: value for name, value in results.items() if isinstance(value, float)}


def measure(files: Sequence[Path], rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by reader and file."""
    times: dict[str, Times] = {reader: {} for reader in ("frostbyte", *_TARGETS)}
    for turn in range(rounds):
        for reader, found in times.items():
            if turn and reader not in _FAST:
                continue
            for name, seconds in run(reader, files[::_SPARSE] if reader == "pdfplumber" else files).items():
                found.setdefault(name, []).append(seconds)
    return {
        reader: {name: statistics.median(values) for name, values in found.items()} for reader, found in times.items()
    }


def lines(times: dict[str, dict[str, float]], pages: dict[str, int], note: str) -> list[Line]:
    """One line a reference."""
    ours = times["frostbyte"]
    found: list[Line] = []
    for reader, (least, label) in _TARGETS.items():
        common = sorted(ours.keys() & times[reader].keys())
        if not common:
            continue
        count = sum(pages[name] for name in common)
        mine, theirs = (count / sum(side[name] for name in common) for side in (ours, times[reader]))
        found.append(
            Line(
                measure=f"PDF to document, beside {label}",
                ours=mine,
                reference=theirs,
                unit="pages/CPU-s",
                target=f">= {least:g} x",
                met=mine >= least * theirs,
                note=f"{len(common)} files, {count} pages" + (f"; {note}" if note else ""),
            )
        )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    documentation, note = pdf_corpus.documentation()
    with tempfile.TemporaryDirectory() as folder:
        files = list(documentation)
        for layout in pdf_made.LAYOUTS:
            path = Path(folder) / f"{layout.__name__}.pdf"
            path.write_bytes(pdf_made.page(layout))
            files.append(path)
        pages = {str(path): len(pypdfium2.PdfDocument(path)) for path in files}
        times = measure(files, options.rounds)
    show(lines(times, pages, note))


if __name__ == "__main__":
    main()
