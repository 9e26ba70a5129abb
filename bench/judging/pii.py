"""How well personal data is found, and how fast.

    python -m bench.judging.pii [--misses]

Quality: `bench/sets/pii/tuning.jsonl` (seen by who wrote the rules), `held_back.jsonl` (not seen) and `check.jsonl` (k1
written without having seen them, k2 to k7 each after the misses of those before were mended; looked at since, but for
k7). A line holds a text in which the values are marked ⟦TYPE|value⟧; look-alikes stand unmarked. Every text is one page
of a document without layout, and all types are asked for. A marked value counts as found if findings of its type cover
all its letters and digits (a missing title like "Dr." is tolerated); a finding that overlaps no mark of its type is
false. Recall is found / marked, precision is true / all findings. `--misses` shows both kinds of failure of the tuning
set.

Speed: CPU time of the gate's whole search over ordinary documents (the texts of the classification sets, repeated
to a megabyte, some 3,000 characters a page), once with the pattern types, once with names and addresses too. Bytes are
those of the text in UTF-8.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.table import Line, show
from frostbyte.adapters.names import installed
from frostbyte.data_plane.document import Document, Lineage, Page, Source
from frostbyte.data_plane.policy import NameFinder, RuleSet
from frostbyte.data_plane.policy.pii import Hit
from frostbyte.data_plane.policy.search import NAMED, Search, read
from frostbyte.kernel.tenancy import PiiType, TenantConfig

SETS: Final = Path(__file__).parents[1] / "sets"
RECALL: Final = 0.98
PRECISION: Final = 0.95
NAME_RECALL: Final = 0.95
NAME_PRECISION: Final = 0.9
PATTERN_SPEED: Final = 5.0
"""MB of text in a second of CPU time."""

PAGE: Final = 3000
"""Characters."""

_MARK: Final = re.compile(r"⟦(\w+)\|(.*?)⟧", re.DOTALL)
_TITLES: Final = frozenset(
    (
        "dr prof med mr mrs ms mx miss sir lady herr frau herrn familie rev hon judge md phd jr sr dipl ing rer nat col"
        " capt tante oma opa and und pd"
    ).split()
)
_PATTERNED: Final = tuple(kind for kind in PiiType if kind.value not in NAMED)


@dataclass
class Score:
    """Counts of one type."""

    marked: int = 0
    found: int = 0
    true: int = 0
    findings: int = 0

    def add(self, other: Score) -> None:
        """Sum up."""
        self.marked += other.marked
        self.found += other.found
        self.true += other.true
        self.findings += other.findings

    @property
    def recall(self) -> float:
        """Of the marked values; 1 where none is marked."""
        return self.found / self.marked if self.marked else 1.0

    @property
    def precision(self) -> float:
        """Of the findings; 1 where nothing was found."""
        return self.true / self.findings if self.findings else 1.0


@dataclass
class Result:
    """What one set brought."""

    scores: dict[str, Score] = field(default_factory=dict)
    failures: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """(miss or false, type, sample, value, rule); only for the set that may be looked at."""


def marked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """A sample's plain text, and its marks as (start, end, type)."""
    plain: list[str] = []
    marks: list[tuple[int, int, str]] = []
    at = length = 0
    for match in _MARK.finditer(text):
        plain += [text[at : match.start()], match.group(2)]
        start = length + match.start() - at
        length = start + len(match.group(2))
        marks.append((start, length, PiiType(match.group(1)).value))
        at = match.end()
    return "".join([*plain, text[at:]]), marks


def document(texts: Sequence[str]) -> Document:
    """A document with a page for each text."""
    return Document(
        source=Source(sha256="00" * 32, mime="text/plain", size=1),
        lineage=Lineage(parser="bench", version="1"),
        pages=tuple(Page(number=number, text=text) for number, text in enumerate(texts, 1)),
        pages_found=len(texts),
    )


def judge(path: Path, search: Search) -> Result:
    """Score one set."""
    result = Result({kind.value: Score() for kind in PiiType})
    for line in path.read_bytes().splitlines():
        sample = msgspec.json.decode(line)
        text, marks = marked(sample["text"])
        page = document([text])
        _judge(result, sample["id"], text, marks, search.pages(page, read(page))[0])
    return result


def _judge(result: Result, name: str, text: str, marks: list[tuple[int, int, str]], hits: list[Hit]) -> None:
    for start, end, kind in marks:
        covered = {p for h in hits if h.kind == kind for p in range(max(h.start, start), min(h.end, end))}
        found = all(p in covered for p in _asked(text, start, end))
        result.scores[kind].add(Score(marked=1, found=int(found)))
        if not found:
            result.failures.append(("miss", kind, name, text[start:end], ""))
    for hit in hits:
        true = any(kind == hit.kind and start < hit.end and hit.start < end for start, end, kind in marks)
        result.scores[hit.kind].add(Score(findings=1, true=int(true)))
        if not true:
            result.failures.append(("false", hit.kind, name, text[hit.start : hit.end], hit.rule))


def _asked(text: str, start: int, end: int) -> Iterator[int]:
    """The positions that have to be covered: letters and digits outside of titles."""
    for word in re.finditer(r"[^\W_]+", text[start:end]):
        if word.group().lower() not in _TITLES:
            yield from range(start + word.start(), start + word.end())


def quality(name: str, result: Result) -> Iterator[Line]:
    """Lines for a set: totals of patterns, of names and addresses, and each type for information."""
    patterns = Score()
    for kind, score in result.scores.items():
        if kind in NAMED:
            yield from _lines(f"PII {name}: {kind}", score, NAME_RECALL, NAME_PRECISION)
        else:
            patterns.add(score)
    yield from _lines(f"PII {name}: pattern types", patterns, RECALL, PRECISION)
    for kind, score in result.scores.items():
        if kind not in NAMED:
            note = f"precision {score.precision:.3f}, {score.marked} marked, {score.findings} findings"
            measure = f"PII {name}: recall of {kind}"
            yield Line(measure=measure, ours=round(score.recall, 3), unit="", target="", met=None, note=note)


def _lines(name: str, score: Score, recall: float, precision: float) -> Iterator[Line]:
    for what, ours, least, note in (
        ("recall", score.recall, recall, f"{score.found} of {score.marked}"),
        ("precision", score.precision, precision, f"{score.true} of {score.findings}"),
    ):
        yield Line(
            measure=f"{name} {what}",
            ours=round(ours, 3),
            unit="",
            target=f"at least {least}",
            met=ours >= least,
            note=note,
        )


def ordinary(size: int) -> list[str]:
    """Pages of ordinary documents, repeated to `size` bytes; a page holds some 3,000 characters."""
    paths = sorted((SETS / "classification").glob("*.jsonl"))
    texts: list[str] = [msgspec.json.decode(line)["text"] for path in paths for line in path.read_bytes().splitlines()]
    pages: list[str] = []
    page, total, index = "", 0, 0
    while total < size and texts:
        page += texts[index % len(texts)] + "\n\n"
        index += 1
        if len(page) >= PAGE:
            total += len(page.encode())
            pages.append(page)
            page = ""
    return pages


def speed(search: Search, size: int) -> float:
    """MB of ordinary text that one second of CPU time searches: the best of three."""
    texts = ordinary(size)
    pages = document(texts)
    search.pages(few := document(texts[:4]), read(few))  # what is compiled and loaded once
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        search.pages(pages, read(pages))
        best = min(best, time.process_time() - began)
    return sum(len(text.encode()) for text in texts) / best / 1e6


def searches(names: NameFinder | None) -> tuple[Search, Search]:
    """One for all types, one for the pattern types."""
    rules = RuleSet.load()
    every = TenantConfig(pii_types=tuple(PiiType))
    return Search(every, rules, names), Search(TenantConfig(pii_types=_PATTERNED), rules, names)


def main() -> None:
    """Print the table's lines."""
    names = installed()
    every, patterns = searches(names)
    for name in ("tuning", "held_back", "check"):
        path = SETS / "pii" / f"{name}.jsonl"
        if not path.is_file():
            continue
        result = judge(path, every)
        show(list(quality(name, result)))
        if name == "tuning" and "--misses" in sys.argv:
            _print_failures(result.failures)
    ours = speed(patterns, 1_000_000)
    line: dict[str, Any] = {"unit": "MB/CPU-s"}
    show(
        [
            Line(
                measure="PII search, pattern types",
                ours=round(ours, 2),
                target=f"at least {PATTERN_SPEED}",
                met=ours >= PATTERN_SPEED,
                **line,
            ),
            Line(
                measure="PII search, names and addresses too",
                ours=round(speed(every, 150_000), 3),
                target="",
                met=None,
                **line,
            ),
        ]
    )


def _print_failures(failures: list[tuple[str, str, str, str, str]]) -> None:
    for failure in sorted(failures):
        print(*map(repr, failure))
    print(Counter((f[0], f[1]) for f in failures))


if __name__ == "__main__":
    main()
