"""From upload to indexed, with OCR and dense embedding left out: what a page costs, and what a second core brings.

    python -m bench.plane.pipeline [--rounds 5] [--pages 700]

Each round starts a plane of its own (a subprocess on a free loopback port, embedded database, words only), sends the
files of `bench/reading/pdf_corpus.py` that hold no pictures in one upload, and waits until all are indexed. The plane
with all that it starts (parsers, judges, PostgreSQL) is pinned to one core, then to two; the client sleeps meanwhile
and is not counted. Processor time is that of all processes of the plane, read from /proc; the reference is raw
pypdfium2 text of the same files in a process of its own, on one core, before each round. Medians count.

The plane is measured as the worker's image has it, with modules compiled by `tools/compiled.py`, and beside it, on one
core, from sources; where no compiler is, from sources alone. A last run on two cores, which counts for no median, says
what the second core brought less than all, and in which stages: `bench/plane/cores.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from bench.plane.cores import Unused, ceiling
from bench.plane.intake import plane
from bench.reading import pdf_corpus
from bench.reading.pdf import compiled_tree
from bench.table import Line, show

LEAST_RATIO: Final = 0.2
LEAST_SCALING: Final = 1.6
_PATIENCE_SECONDS: Final = 900.0
_WARM: Final = 12
_WORTH_TELLING: Final = 0.005
"""Of the cores' time."""
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


def through(files: Sequence[Path], cores: set[int], tree: Path | None = None) -> tuple[float, float]:
    """(seconds, CPU seconds) from the first byte sent until every file is indexed.

    Args:
        tree: the package's, where another than this one is measured.
    """
    with tempfile.TemporaryDirectory() as name, _ready(Path(name), cores, tree) as (data, pid, url, token):
        before, began = _cpu(pid, data), time.perf_counter()
        _send(url, token, files)
        _wait(url, token, len(files) + _WARM)
        return time.perf_counter() - began, _cpu(pid, data) - before


def looked_at(files: Sequence[Path], cores: set[int], tree: Path | None = None) -> tuple[float, dict[str, float]]:
    """The part of these cores' time that a plane left unused on the way, and the same by stages under way."""
    with tempfile.TemporaryDirectory() as name, _ready(Path(name), cores, tree) as (data, pid, url, token):
        with Unused(lambda: _cpu(pid, data), len(cores)) as unused:
            _send(url, token, files)
            _wait(url, token, len(files) + _WARM)
        return unused.share, unused.by_stage(Path(name) / "server.log")


@contextmanager
def _ready(folder: Path, cores: set[int], tree: Path | None) -> Iterator[tuple[Path, int, str, str]]:
    """A plane that has worked already: its data folder, process id, address and token."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    settings = {
        "FROSTBYTE_WORKERS": str(len(cores) + 1),
        "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        "FROSTBYTE_LOG_LEVEL": "info",
    }
    if tree is not None:
        settings["PYTHONPATH"] = str(tree)
    with plane(data, settings, cores) as (pid, url, token):
        _warm(url, token)
        yield data, pid, url, token


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


def measure(rounds: int, most: int, tree: Path | None) -> list[Line]:
    """Alternate one core and two, and sources where `tree` holds another package than they are."""
    files, pages = chosen(most)
    if not files:
        raise SystemExit("no documentation packages could be fetched: nothing to measure")
    bare, spent, plain, slow, fast = [], [], [], [], []
    cores = sorted(os.sched_getaffinity(0))[:2]
    for _ in range(rounds):
        bare.append(raw(files))
        seconds, cpu = through(files, set(cores[:1]), tree)
        slow.append(seconds)
        spent.append(cpu / pages)
        fast.append(through(files, set(cores), tree)[0])
        if tree is not None:
            plain.append(through(files, set(cores[:1]))[1] / pages)
    ours, reference = statistics.median(spent), statistics.median(bare)
    sources = f"; from sources {1 / statistics.median(plain):.1f}" if plain else "; from sources, no compiler is here"
    scaling = statistics.median(one / two for one, two in zip(slow, fast, strict=True))
    return [
        Line(
            measure="upload to indexed, PDF",
            ours=1 / ours,
            reference=1 / reference,
            unit="pages/CPU-s",
            target=f">= {LEAST_RATIO} x raw pypdfium2 text",
            met=reference / ours >= LEAST_RATIO,
            note=f"{len(files)} files, {pages} pages, all processes of the plane; median of {rounds}{sources}",
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
        *second_core(files, cores, rounds, tree),
    ]


def second_core(files: Sequence[Path], cores: Sequence[int], rounds: int, tree: Path | None) -> list[Line]:
    """What a second core can bring here, and what the plane left of two."""
    if len(cores) < 2:
        return []
    clock, processor = ceiling(files, cores, rounds)
    share, stages = looked_at(files, set(cores), tree)
    told = ", ".join(f"{name} {part:.1%}" for name, part in stages.items() if part >= _WORTH_TELLING)
    return [
        Line(
            measure="two processes that share nothing against one",
            ours=clock,
            unit="x",
            target="none promised",
            met=None,
            note=f"reading the same files; by processor time {processor:.2f}: no plane comes above it",
        ),
        Line(
            measure="of two cores not used by the plane",
            ours=share * 100,
            unit="%",
            target="none promised",
            met=None,
            note=f"from upload to indexed, by the stages under way: {told}",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=700)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(measure(options.rounds, options.pages, compiled_tree(Path(folder) / "compiled")))


if __name__ == "__main__":
    main()
