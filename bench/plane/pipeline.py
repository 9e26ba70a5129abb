"""From upload to indexed, with OCR and dense embedding left out: what a page costs, and what a second core brings.

    python -m bench.plane.pipeline [--rounds 5] [--pages 700]

Each round starts a plane of its own (a subprocess on a free loopback port, embedded database, words only), sends the
files of `bench/reading/pdf_corpus.py` that hold no pictures in one upload, and waits until all are indexed. The plane
with all that it starts (parsers, judges, PostgreSQL) is pinned to one core, then to two; the client sleeps meanwhile
and is not counted. Processor time is that of all processes of the plane, read from /proc; the reference is raw
pypdfium2 text of the same files in a process of its own, on one core, before each round. Medians count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from bench.plane.intake import plane
from bench.reading import pdf_corpus
from bench.table import Line, show

LEAST_RATIO: Final = 0.2
LEAST_SCALING: Final = 1.6
_PATIENCE_SECONDS: Final = 900.0
_WARM: Final = 12
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_RAW: Final = """
import sys, time
import pypdfium2 as pdfium
pages, began = 0, time.process_time()
for path in sys.argv[1:]:
    document = pdfium.PdfDocument(path)
    for page in document:
        text = page.get_textpage()
        text.get_text_range()
        text.close(); page.close()
        pages += 1
    document.close()
print(pages, time.process_time() - began)
"""


def chosen(most: int) -> tuple[list[Path], int]:
    """Files with about `most` pages together, many authors before many pages, and how many pages they have."""
    found, _ = pdf_corpus.documentation()
    files: list[Path] = []
    total = 0
    for pages, path in sorted((len(pdfium.PdfDocument(path)), path) for path in found):
        if _has_pictures(pdfium.PdfDocument(path)):
            continue  # the plane would read them by OCR
        if total + pages <= most:
            files.append(path)
            total += pages
    return files[::-1], total  # the longest first, as a queue of documents is best begun


def _has_pictures(document: pdfium.PdfDocument) -> bool:
    """Whether any page holds an image."""
    return any(next(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE]), None) is not None for page in document)


def raw(files: Sequence[Path]) -> float:
    """CPU seconds a page that the bare library needs for its text."""
    done = subprocess.run([sys.executable, "-c", _RAW, *map(str, files)], check=True, capture_output=True, text=True)
    pages, seconds = done.stdout.split()
    return float(seconds) / int(pages)


def through(files: Sequence[Path], cores: set[int]) -> tuple[float, float]:
    """(seconds, CPU seconds) from the first byte sent until every file is indexed."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir(mode=0o700)
        workers = {"FROSTBYTE_WORKERS": str(len(cores) + 1), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"}
        with plane(data, workers, cores) as (pid, url, token):
            _warm(url, token)
            before, began = _cpu(pid, data), time.perf_counter()
            _send(url, token, files)
            _wait(url, token, len(files) + _WARM)
            return time.perf_counter() - began, _cpu(pid, data) - before


def _warm(url: str, token: str) -> None:
    """Files first that take so long that every child has started: each of them serves hundreds of documents."""
    text = "Nothing to see here but words that take their time. " * 4_000
    body = [("files", (f"{number}.txt", f"{number} {text}".encode())) for number in range(_WARM)]
    answer = httpx.post(f"{url}/api/v1/ingest", files=body, headers=_bearer(token), timeout=60, trust_env=False)
    answer.raise_for_status()
    _wait(url, token, _WARM)


def _send(url: str, token: str, files: Sequence[Path]) -> None:
    body = [("files", (f"{number}.pdf", path.read_bytes())) for number, path in enumerate(files)]
    answer = httpx.post(f"{url}/api/v1/ingest", files=body, headers=_bearer(token), timeout=300, trust_env=False)
    if answer.status_code != httpx.codes.ACCEPTED or len(answer.json()["accepted"]) != len(files):
        raise SystemExit(f"not accepted: status {answer.status_code}")


def _wait(url: str, token: str, documents: int) -> None:
    """Until no job is left; asked in the cheapest way, because the plane's answers count as its work."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(httpx.get(f"{url}/ready", trust_env=False).raise_for_status().json()["jobs"].values()):
        if time.monotonic() > deadline:
            raise SystemExit("not indexed in time")
        time.sleep(0.2)
    page = httpx.get(f"{url}/api/v1/documents", params={"limit": 200}, headers=_bearer(token), trust_env=False)
    states = [item["state"] for item in page.raise_for_status().json()["documents"]]
    if len(states) != documents or set(states) != {"indexed"}:
        raise SystemExit(f"of {documents} documents {states.count('indexed')} were indexed")


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _cpu(root: int, data: Path) -> float:
    """Processor seconds of a plane: its process, all that descend from it, and the database of its folder."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    mine = {root}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended: its time is with its parent
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(value) for value in fields[11:15])  # its own, and that of the children it buried
        if str(data).encode() in command:
            mine.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in mine and pid not in mine}:
        mine |= more
    return sum(used[pid] for pid in mine if pid in used) / _TICKS


def measure(rounds: int, most: int) -> list[Line]:
    """Alternate one core and two."""
    files, pages = chosen(most)
    if not files:
        raise SystemExit("no documentation packages could be fetched: nothing to measure")
    bare, spent, slow, fast = [], [], [], []
    cores = sorted(os.sched_getaffinity(0))[:2]
    for _ in range(rounds):
        bare.append(raw(files))
        seconds, cpu = through(files, set(cores[:1]))
        slow.append(seconds)
        spent.append(cpu / pages)
        fast.append(through(files, set(cores))[0])
    ours, reference = statistics.median(spent), statistics.median(bare)
    scaling = statistics.median(one / two for one, two in zip(slow, fast, strict=True))
    return [
        Line(
            measure="upload to indexed, PDF",
            ours=1 / ours,
            reference=1 / reference,
            unit="pages/CPU-s",
            target=f">= {LEAST_RATIO} x raw pypdfium2 text",
            met=reference / ours >= LEAST_RATIO,
            note=f"{len(files)} files, {pages} pages, all processes of the plane; median of {rounds}",
        ),
        Line(
            measure="two cores against one",
            ours=pages / statistics.median(fast),
            reference=pages / statistics.median(slow),
            unit="pages/s",
            target=f">= {LEAST_SCALING} x one core",
            met=scaling >= LEAST_SCALING,
            note=f"wall time, whole plane pinned, client excluded; median ratio of {rounds} is {scaling:.2f}",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=700)
    options = parser.parse_args()
    show(measure(options.rounds, options.pages))


if __name__ == "__main__":
    main()
