"""How many pages with tables are read exactly, and how many pages without tables get one.

    python -m bench.reading.pdf_tables [--seed N] [--show KIND] [--no-references]

Pages come from `bench.reading.table_pages` and `bench.reading.table_lookalikes`; the seed of the published figures was
not used while the rules were made. A page is exact if its tables are as many as were drawn, each with the same number
of rows and columns, every text in its cell with its spans, and nothing else in it. The reference (pdfplumber) does not
tell spans: its pages, and beside them ours, count as exact if every row holds its texts in order.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from reportlab.pdfgen.canvas import Canvas

from bench.reading.table_ink import Truth
from bench.reading.table_lookalikes import LOOKALIKES, draw_lookalike
from bench.reading.table_pages import KINDS, draw_page
from bench.table import Line, show
from frostbyte.data_plane.document import Kind, Page
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.reader import parse

COUNTS: Final = {"ruled": 67, "booktabs": 67, "borderless": 66}
TARGETS: Final = {"ruled": 65, "booktabs": 60, "borderless": 60}
SEED: Final = 4711
_LOOKALIKES: Final = 5
"""Pages of each sort of look-alike."""
_REFERENCE: Final = Path(__file__).parents[2] / ".venv-bench" / "bin" / "python"

Cells = tuple[int, int, frozenset[tuple[int, int, int, int, str]]]
Rows = list[list[str]]


def generated(kind: str, seed: int) -> tuple[bytes, list[list[Truth]]]:
    """A PDF of pages of a kind, and what stands on each."""
    target = io.BytesIO()
    canvas = Canvas(target, invariant=1)
    truths: list[list[Truth]] = []
    for number in range(COUNTS[kind]):
        truths.append(draw_page(canvas, random.Random(f"{seed} {kind} {number}"), kind))
        canvas.showPage()
    canvas.save()
    return target.getvalue(), truths


def lookalikes(seed: int) -> tuple[bytes, list[str]]:
    """A PDF of pages without tables, and what each of them is."""
    target = io.BytesIO()
    canvas = Canvas(target, invariant=1)
    names: list[str] = []
    for number in range(_LOOKALIKES * len(LOOKALIKES)):
        names.append(draw_lookalike(canvas, random.Random(f"{seed} look-alike {number}"), number))
        canvas.showPage()
    canvas.save()
    return target.getvalue(), names


def read(data: bytes) -> list[Page]:
    """The pages as we read them."""
    digest = hashlib.sha256(data).hexdigest()
    pages = parse(io.BytesIO(data), sha256=digest, mime="application/pdf", size=len(data), limits=ParseLimits()).pages
    return list(pages)


def found(page: Page) -> list[Cells]:
    """The tables of a page in our reading."""
    tables: list[Cells] = []
    for element in page.elements:
        if element.kind is Kind.TABLE:
            cells = (
                (c.row, c.column, c.row_span, c.column_span, _plain(page.reading(c.start, c.end)))
                for c in element.cells
            )
            tables.append((element.rows, element.columns, frozenset(cell for cell in cells if cell[4])))
    return tables


def drawn(truths: list[Truth]) -> list[Cells]:
    """The tables of a page as they were drawn."""
    return [
        (t.rows, t.columns, frozenset((e.row, e.column, e.rows, e.columns, _plain(e.text)) for e in t.entries))
        for t in truths
    ]


def rows_of(tables: list[Cells]) -> list[Rows]:
    """The texts of each row, in order."""
    result: list[Rows] = []
    for _, _, cells in tables:
        rows: dict[int, list[tuple[int, str]]] = {}
        for row, column, _, _, text in cells:
            rows.setdefault(row, []).append((column, text))
        result.append([[text for _, text in sorted(rows[row])] for row in sorted(rows)])
    return result


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


def references(files: list[Path]) -> dict[str, list[list[list[Rows]]]]:
    """What others find: by tool, file and page, the rows of each table. Nothing where they are not installed."""
    if not _REFERENCE.exists():
        return {}
    script = Path(__file__).with_name("table_references.py")
    done = subprocess.run([str(_REFERENCE), str(script), *map(str, files)], capture_output=True, timeout=600)
    found: dict[str, list[list[list[Rows]]]] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--show", default="")
    options.add_argument("--no-references", action="store_true")
    chosen = options.parse_args()
    lines: list[Line] = []
    pdfs: list[bytes] = []
    wanted: list[list[list[Rows]]] = []
    for kind in KINDS:
        data, truths = generated(kind, chosen.seed)
        pages = read(data)
        exact = [same(found(page), drawn(truth)) for page, truth in zip(pages, truths, strict=True)]
        by_rows = sum(rows_of(found(page)) == rows_of(drawn(truth)) for page, truth in zip(pages, truths, strict=True))
        if chosen.show == kind:
            Path(f"{kind}-{chosen.seed}.pdf").write_bytes(data)
            for number, (page, truth) in enumerate(zip(pages, truths, strict=True)):
                if not exact[number]:
                    explain(number + 1, found(page), drawn(truth))
        pdfs.append(data)
        wanted.append([[_rows(rows) for rows in rows_of(drawn(truth))] for truth in truths])
        lines.append(
            Line(
                measure=f"{kind} tables, pages exact",
                ours=sum(exact),
                unit=f"of {COUNTS[kind]}",
                target=f">= {TARGETS[kind]}",
                met=sum(exact) >= TARGETS[kind],
                note=f"by rows alone, without spans and empty columns: ours {by_rows}",
            )
        )
    data, names = lookalikes(chosen.seed)
    pages = read(data)
    false = [name for page, name in zip(pages, names, strict=True) if found(page)]
    if chosen.show == "lookalikes":
        Path(f"lookalikes-{chosen.seed}.pdf").write_bytes(data)
        for page, name in zip(pages, names, strict=True):
            if found(page):
                print(page.number, name, rows_of(found(page)), file=sys.stderr)
    lines.append(
        Line(
            measure="tables on pages that only look like it",
            ours=len(false),
            unit=f"of {len(names)} pages",
            target="<= 1",
            met=len(false) <= 1,
            note=", ".join(sorted(set(false))),
        )
    )
    if not chosen.no_references:
        lines += _compared([*pdfs, data], [*wanted, [[] for _ in names]])
    show(lines)
    return 0


def _compared(pdfs: list[bytes], wanted: list[list[list[Rows]]]) -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for kind, data in zip([*KINDS, "lookalikes"], pdfs, strict=True):
            files.append(Path(folder) / f"{kind}.pdf")
            files[-1].write_bytes(data)
        others = references(files)
    lines: list[Line] = []
    for tool, read_files in others.items():
        scores = [
            sum([_rows(rows) for rows in tables] == truth for tables, truth in zip(pages, truths, strict=True))
            for pages, truths in zip(read_files, wanted, strict=True)
        ]
        counts = [len(truths) for truths in wanted]
        told = ", ".join(
            f"{kind} {score} of {count}" for kind, score, count in zip(KINDS, scores, counts, strict=False)
        )
        lines.append(
            Line(
                measure=f"{tool}: pages exact by rows",
                ours=sum(scores[:3]),
                unit=f"of {sum(counts[:3])}",
                target="",
                met=None,
                note=f"{told}; false tables on {counts[3] - scores[3]} of {counts[3]} look-alikes",
            )
        )
    return lines


def _rows(rows: Rows) -> Rows:
    plain = [[text for text in map(_plain, row) if text] for row in rows]
    return [row for row in plain if row]


def same(tables: list[Cells], truth: list[Cells]) -> bool:
    """Whether the tables are those that were drawn, in any order."""
    return sorted(map(str, map(_key, tables))) == sorted(map(str, map(_key, truth)))


def _key(table: Cells) -> tuple[int, int, list[tuple[int, int, int, int, str]]]:
    return table[0], table[1], sorted(table[2])


def explain(number: int, tables: list[Cells], truth: list[Cells]) -> None:
    """Say on the error stream how a page was misread."""
    shapes = [t[:2] for t in tables], [t[:2] for t in truth]
    print(f"page {number}: found {shapes[0]} drawn {shapes[1]}", file=sys.stderr)
    for mine, theirs in zip(tables, truth, strict=False):
        missing, extra = sorted(theirs[2] - mine[2])[:4], sorted(mine[2] - theirs[2])[:4]
        print(f"   missing {missing}\n   extra {extra}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
