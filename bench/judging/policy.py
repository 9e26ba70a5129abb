"""What the policy stage costs, as a whole and by part, on a document of 200 pages.

    python -m bench.judging.policy [--profile]

The document is made of the tuning texts of the classification set: headings, paragraphs and a table on every fifth
page, in English and German. Each figure is canonical text by CPU seconds of this process, the best of three rounds.
"Whole" is `judge`: the stored document in, the stored verdict out, with the default types and no name finder. The parts
are the same calls that `clear` makes; "chunks and account" is what is left of the whole. `--profile` prints instead
where the whole spends its time.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from bench.judging.classification_fit import TUNING, samples
from bench.table import Line, show
from frostbyte.data_plane import chunking
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.document import (
    Cell,
    Document,
    Element,
    Kind,
    Lineage,
    Page,
    Source,
    Span,
    decode_document,
    encode,
)
from frostbyte.data_plane.policy import RuleSet, class_reading
from frostbyte.data_plane.policy.classify import classify
from frostbyte.data_plane.policy.judging import Case, judge
from frostbyte.data_plane.policy.search import Search, read
from frostbyte.kernel.tenancy import TenantConfig

PAGES: Final = 200
_PAGE: Final = 2600
"""Characters of prose on a page."""
_ROUNDS: Final = 3
_ROWS: Final = 24


def made() -> Document:
    """The document that is judged."""
    texts = [sample.text for sample in samples(TUNING)]
    pages, at = [], 0
    for number in range(1, PAGES + 1):
        parts: list[tuple[Kind, str]] = [(Kind.HEADING, f"{number}. Part of the collection")]
        while sum(len(text) for _, text in parts) < _PAGE:
            parts += [(Kind.PARAGRAPH, line) for line in texts[at % len(texts)].split("\n") if line]
            at += 1
        pages.append(_page(number, parts, table=number % 5 == 0))
    return Document(
        source=Source(sha256="00" * 32, mime="application/pdf", size=1),
        lineage=Lineage(parser="bench", version="1"),
        pages=tuple(pages),
        pages_found=PAGES,
        title="Collection",
    )


def _page(number: int, parts: list[tuple[Kind, str]], *, table: bool) -> Page:
    text, elements, inserted = "", [], []
    for kind, part in parts:
        if text:
            inserted.append(Span(start=len(text), end=len(text) + 1))
            text += "\n"
        elements.append(Element(kind=kind, start=len(text), end=len(text) + len(part), level=int(kind is Kind.HEADING)))
        text += part
    if table:
        cells, begin = [], len(text)
        for row in range(_ROWS):
            for column, value in enumerate(("Item", "Order no.", "Amount") if not row else _row(number, row)):
                inserted.append(Span(start=len(text), end=len(text) + 1))
                text += "\t" if column else "\n"
                start, text = len(text), text + value
                cells.append(Cell(row=row, column=column, start=start, end=len(text), header=not row))
        elements.append(
            Element(kind=Kind.TABLE, start=begin + 1, end=len(text), cells=tuple(cells), rows=_ROWS, columns=3)
        )
    return Page(
        number=number, text=text, elements=tuple(elements), inserted=tuple(inserted), width=595, height=842, unit="pt"
    )


def _row(number: int, row: int) -> tuple[str, str, str]:
    return f"Bracket {number}-{row}", f"{40_000 + 97 * row + number}", f"{row * 13.7:.2f}"


def costs(acts: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of each, the best of interleaved rounds: what disturbs one disturbs all."""
    best = dict.fromkeys(acts, float("inf"))
    for _ in range(_ROUNDS):
        for name, act in acts.items():
            began = time.process_time()
            act()
            best[name] = min(best[name], time.process_time() - began)
    return best


def cut(document: Document) -> None:
    """The cutting alone."""
    sections: tuple[chunking.Heading, ...] = ()
    for page in document.pages:
        sections = chunking.cut(page, open=sections, whole=[], settings=Cutting()).open


def main() -> int:
    """Measure, or profile."""
    rules, config, document = RuleSet.load(), TenantConfig(), made()
    stored = encode(document)
    case = Case(doc_id=UUID(int=7), generation="g", config=config, config_version=1)
    search = Search(config, rules, None)
    size = sum(len(page.text) for page in document.pages) / 1e6
    whole = lambda: judge(stored, case, rules, None)  # noqa: E731
    if "--profile" in sys.argv:
        profile = cProfile.Profile()
        profile.runcall(whole)
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return 0
    opening = "\n".join(page.text for page in document.pages)[: class_reading.READ]
    verdict = whole()
    parts = costs(
        {
            "whole": whole,
            "reading the document": lambda: decode_document(stored),
            "personal data": lambda: search.pages(document, read(document)),
            "injection": lambda: search.suspicions(document, read(document)),
            "cutting": lambda: cut(document),
            "classification": lambda: classify(document.title, opening, rules),
        }
    )
    all_of_it = parts.pop("whole")
    rest = all_of_it - sum(parts.values())
    if rest > 0:  # else the noise of this machine is larger
        parts["chunks and account"] = rest
    note = f"{PAGES} pages, {size:.2f} MB of text; the verdict has {len(verdict) / 1e6:.2f} MB"
    lines = [Line(measure="policy: whole", ours=size / all_of_it, unit="MB/CPU-s", target="", met=None, note=note)]
    for name, seconds in parts.items():
        share = f"{seconds / all_of_it:.0%} of the stage"
        lines.append(
            Line(measure=f"policy: {name}", ours=size / seconds, unit="MB/CPU-s", target="", met=None, note=share)
        )
    show(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
