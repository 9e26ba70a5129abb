"""How fast a PDF becomes the whole canonical document, beside the bare library and other readers.

    python -m bench.reading.pdf [--rounds 3]

Pages per second of processor time on one core, over the files of `bench/reading/pdf_corpus.py`. Each reader runs in a
process of its own, in turn, on the same files; a file's time is the median of its rounds (the slow readers have one).
Ours is measured as the worker's image has it, with modules compiled by `tools/compiled.py`, and beside it from sources,
as everybody else runs it; where no compiler is, from sources alone, and the note says so.
The slowest, pdfplumber, reads every sixth file. A file that a reader fails on is left out for both sides. What each
reader is asked for stands in `bench/reading/pdf_readers.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
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
_COMPILER: Final = _ROOT / "tools" / "compiled.py"
_PLAIN: Final = "from sources"
_TARGETS: Final = {
    _PLAIN: (1.0, "ours from sources"),
    "raw": (0.35, "raw pypdfium2 text"),
    "liteparse": (1.0, "liteparse blocks"),
    "kreuzberg": (2.5, "kreuzberg structured"),
    "docling": (3.5, "docling-parse"),
    "pdfplumber": (15.0, "pdfplumber with tables"),
}
_FAST: Final = ("frostbyte", _PLAIN, "raw", "liteparse")
_SPARSE: Final = 6
_LONGEST: Final = 800.0

Times = dict[str, list[float]]


def run(reader: str, files: Sequence[Path], compiled: Path | None) -> dict[str, float]:
    """CPU seconds for each file that the reader could read; empty where the reader is not installed.

    Args:
        reader: whose time is taken.
        files: what it reads.
        compiled: the tree with our compiled modules; without one ours is measured from its sources alone.
    """
    ours = reader in ("frostbyte", _PLAIN)
    python = sys.executable if ours or reader == "raw" else str(_OTHERS)
    if not Path(python).exists() or (reader == _PLAIN and compiled is None):
        return {}
    tree = compiled if reader == "frostbyte" and compiled is not None else _ROOT / "src"
    done = subprocess.run(
        [
            python,
            str(_ROOT / "bench" / "reading" / "pdf_readers.py"),
            "frostbyte" if ours else reader,
            *map(str, files),
        ],
        env=os.environ | {"PYTHONPATH": str(tree)} if ours else None,
        capture_output=True,
        timeout=_LONGEST,
    )
    if done.returncode:
        return {}
    results = json.loads(done.stdout.splitlines()[-1])
    return {name: value for name, value in results.items() if isinstance(value, float)}


def compiled_tree(folder: Path) -> Path | None:
    """The package as the worker's image has it, or None where there is no compiler."""
    if shutil.which("gcc") is None:
        return None
    subprocess.run([sys.executable, str(_COMPILER), str(folder)], capture_output=True, check=True)
    return folder


def measure(files: Sequence[Path], rounds: int, compiled: Path | None) -> dict[str, dict[str, float]]:
    """Median seconds by reader and file."""
    times: dict[str, Times] = {reader: {} for reader in ("frostbyte", *_TARGETS)}
    for turn in range(rounds):
        for reader, found in times.items():
            if turn and reader not in _FAST:
                continue
            for name, seconds in run(reader, files[::_SPARSE] if reader == "pdfplumber" else files, compiled).items():
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
        compiled = compiled_tree(Path(folder) / "compiled")
        if compiled is None:
            note = "from sources, as no compiler is here; the worker's image has a faster one" + (
                f"; {note}" if note else ""
            )
        times = measure(files, options.rounds, compiled)
    show(lines(times, pages, note))


if __name__ == "__main__":
    main()
