"""Runs the gates' searches over a whole document: pages, page breaks, table headers, and what is not on a page."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from frostbyte.data_plane.document import Cell, Document, Element, Page
from frostbyte.data_plane.policy import injection, mentions, naming, pii
from frostbyte.data_plane.policy.account import Marks
from frostbyte.data_plane.policy.injection import Suspicion
from frostbyte.data_plane.policy.pii import Hit
from frostbyte.data_plane.policy.port import NameFinder
from frostbyte.data_plane.policy.reading import Reading, join, of_page, plain, split
from frostbyte.data_plane.policy.ruleset import RuleSet
from frostbyte.data_plane.policy.verdict import account_open
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.tenancy import PiiType, TenantConfig

NAMED: Final = frozenset({PiiType.NAME.value, PiiType.ADDRESS.value})
"""The types that only a NameFinder finds."""

REACH: Final = 300
"""Characters on each side of a page break that are read as one text."""

_PERSON_KEYS: Final = re.compile(
    r"author|creator|modified_?by|last_?saved_?by|manager|owner|verfasser|autor", re.IGNORECASE
)


@dataclass(frozen=True)
class Search:
    """What to look for."""

    config: TenantConfig
    rules: RuleSet
    names: NameFinder | None

    def __post_init__(self) -> None:
        """Raises Unavailable(`pii_engine_missing`) if names are asked for and nothing can find them (promise 2)."""
        if self.wants_names and self.names is None:
            raise engine_missing()

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types asked for."""
        return frozenset(kind.value for kind in self.config.pii_types)

    @cached_property
    def _patterns(self) -> pii.Patterns:
        return pii.patterns(self.rules.pii, self.kinds)

    @property
    def wants_names(self) -> bool:
        """Whether a NameFinder is needed."""
        return not NAMED.isdisjoint(self.kinds)

    def text(self, text: str) -> list[Hit]:
        """Personal data in a text that stands on no page."""
        reading = plain(text)
        hits = self._patterns.find(reading)
        return pii.resolve([*hits, *self._named(reading)])

    def metadata(self, key: str, value: str) -> list[Hit]:
        """Personal data in a property of a file; who wrote it is a name by what the property is."""
        if PiiType.NAME.value in self.kinds and _PERSON_KEYS.search(key) and any(char.isalpha() for char in value):
            return [Hit(0, len(value), PiiType.NAME.value, "metadata_person", 0.9)]
        return self.text(value)

    def pages(self, document: Document, readings: Sequence[Reading]) -> list[list[Hit]]:
        """Personal data on each page, at the page's own positions.

        Args:
            readings: the document's, of `read`.
        """
        bases, lengths = _layout(document)
        hits: list[Hit] = []
        named: list[Reading] = []
        words: set[str] = set()
        before: Reading | None = None
        for page, base, reading in zip(document.pages, bases, readings, strict=True):
            here = self._page(page, base, reading)
            if self.wants_names:
                named.append(reading)
                words.update(word for name in _sure_names(reading, here) for word in mentions.words_of(name))
            hits += here
            if before is not None and pii.may_run_on(before.text, reading.text):
                across = join(before, reading, reach=REACH)
                hits += [h for h in self._patterns.find(across) if h.start < base <= h.end - 1]
            before = reading
        if PiiType.NAME.value in self.kinds:
            hits += [hit for reading in named for hit in _mentions(reading, words)]
        return [pii.resolve(part) for part in _by_page(hits, bases, lengths)]

    def _page(self, page: Page, base: int, reading: Reading) -> list[Hit]:
        columns = _Columns(page, base)
        hits = self._patterns.find(reading, columns.header if columns.there else pii.no_headers)
        if pii.may_be_cut(reading.text):
            joined = of_page(page, base, joined=True)
            hits += list(self._patterns.find_joined(joined, hits, lambda a, b: page.text[a - base : b - base]))
        return [*hits, *self._named(reading)]

    def _named(self, reading: Reading) -> Iterator[Hit]:
        if not self.wants_names or self.names is None or not reading.text.strip():
            return
        for start, end, kind, confidence in naming.find(reading.text, self.names):
            if kind in self.kinds and end > start:
                begin, stop = reading.span(start, end)
                rule = "name_words" if confidence >= naming.BY_WORDS else "name_engine"
                yield Hit(begin, stop, kind, rule, confidence)

    def suspicions(self, document: Document, readings: Sequence[Reading]) -> list[list[Suspicion]]:
        """What reads like orders to a model, on each page, at the page's own positions.

        Args:
            readings: the document's, of `read`.
        """
        bases, lengths = _layout(document)
        found: list[Suspicion] = []
        before: Reading | None = None
        for page, base, reading in zip(document.pages, bases, readings, strict=True):
            found += injection.find(reading, self.rules.injection)
            found += injection.find_marks(page.text, base, self.rules.injection)
            found += injection.hidden_marks(page, base, self.rules.injection)
            if before is not None and before.text and reading.text:
                across = injection.find(join(before, reading, reach=REACH), self.rules.injection)
                found += [s for s in across if s.start < base <= s.end - 1]
            before = reading
        parts: list[list[Suspicion]] = [[] for _ in bases]
        for item in sorted(set(found)):
            for index, start, end in split((item.start, item.end), bases, lengths):
                parts[index].append(Suspicion(start, end, item.rule, item.score))
        return parts

    def suspicion(self, text: str, *, unseen: bool = False) -> float:
        """The injection score of a text that stands on no page; `unseen` if a reader of the file does not see it."""
        reading, rules = plain(text), self.rules.injection
        found = injection.find(reading, rules) + injection.find_marks(text, 0, rules)
        if unseen:
            found += injection.find_unseen(reading, rules)
        whole = (0, max(len(text), 1))
        return injection.score_range(*whole, found, [whole] if unseen else ())[0]


def read(document: Document) -> list[Reading]:
    """The readings of all pages, at document-wide positions."""
    bases, _ = _layout(document)
    return [of_page(page, base) for page, base in zip(document.pages, bases, strict=True)]


class _Columns:
    """The header of the column in which a position stands."""

    def __init__(self, page: Page, base: int) -> None:
        self._page = page
        self._base = base
        self._known: dict[int, tuple[list[Cell], dict[int, str]]] = {}

    @property
    def there(self) -> bool:
        """Whether the page has a table."""
        return bool(self._tables[0])

    @cached_property
    def _tables(self) -> tuple[list[int], list[Element]]:
        tables = sorted((e for e in self._page.elements if e.cells), key=lambda e: e.start)
        return [table.start for table in tables], tables

    def header(self, position: int) -> tuple[str, int]:
        """The header's text, and where the cell to the left begins; ('', 0) outside of tables."""
        starts, tables = self._tables
        here = position - self._base
        index = bisect_right(starts, here) - 1
        if index < 0 or here >= tables[index].end:
            return "", 0
        if index not in self._known:
            self._known[index] = self._read(tables[index])
        cells, headers = self._known[index]
        found = bisect_right(cells, here, key=lambda cell: cell.start) - 1
        if found < 0 or here >= cells[found].end:
            return "", 0
        cell = cells[found]
        left = cells[found - 1] if found and cells[found - 1].row == cell.row else cell
        return headers.get(cell.column, ""), self._base + left.start

    def _read(self, table: Element) -> tuple[list[Cell], dict[int, str]]:
        heads = [cell for cell in table.cells if cell.header] or [cell for cell in table.cells if cell.row == 0]
        headers: dict[int, str] = {}
        for cell in heads:
            text = self._page.reading(cell.start, cell.end)[:200].replace("_", " ")
            for column in range(cell.column, cell.column + max(cell.column_span, 1)):
                headers[column] = f"{headers.get(column, '')} {text}"[:1000]
        return sorted((cell for cell in table.cells if cell.end > cell.start), key=lambda cell: cell.start), headers


def _sure_names(reading: Reading, hits: Iterable[Hit]) -> Iterator[str]:
    """The names in a reading that more than the engine speaks for."""
    for hit in hits:
        if hit.kind == PiiType.NAME.value and hit.confidence >= naming.BY_WORDS:
            yield reading.text[reading.index(hit.start) : reading.index(hit.end - 1) + 1]


def _mentions(reading: Reading, words: Collection[str]) -> Iterator[Hit]:
    """Names that are sure, wherever else they stand: what is redacted here must not show there."""
    for start, end in mentions.places(reading.text, words):
        begin, stop = reading.span(start, end)
        yield Hit(begin, stop, PiiType.NAME.value, "name_again", 0.8)


def engine_missing() -> Unavailable:
    """The error for names that nothing can find."""
    return Unavailable(
        "pii_engine_missing",
        "Names or addresses are to be found, but no engine that finds them is installed.",
        "Install the name model's package, or take NAME and ADDRESS out of pii_types.",
    )


def check_spans(document: Document) -> None:
    """Raise `account_open` for a document whose spans leave their page: nothing could be counted."""
    for page in document.pages:
        length = len(page.text)
        spans: Iterable[tuple[int, int]] = (
            *((s.start, s.end) for s in page.inserted),
            *((d.start, d.end) for d in page.dropped),
            *((e.start, e.end) for e in page.elements),
            *((c.start, c.end) for e in page.elements for c in e.cells),
        )
        if any(not 0 <= start <= end <= length for start, end in spans):
            raise account_open()
    numbers = [page.number for page in document.pages]
    if len(set(numbers)) != len(numbers) or any(number < 1 for number in numbers):
        raise account_open()


def marks_of(document: Document, redacted: Sequence[Sequence[Hit]]) -> list[Marks]:
    """The kinds of every position, by page."""
    return [
        Marks.of(page, [(hit.start, hit.end) for hit in hits])
        for page, hits in zip(document.pages, redacted, strict=True)
    ]


def _layout(document: Document) -> tuple[list[int], list[int]]:
    bases, lengths, at = [], [], 0
    for page in document.pages:
        bases.append(at)
        lengths.append(len(page.text))
        at += len(page.text) + 1
    return bases, lengths


def _by_page(hits: Iterable[Hit], bases: Sequence[int], lengths: Sequence[int]) -> list[list[Hit]]:
    parts: list[list[Hit]] = [[] for _ in bases]
    for hit in hits:
        for index, start, end in split((hit.start, hit.end), bases, lengths):
            parts[index].append(Hit(start, end, hit.kind, hit.rule, hit.confidence))
    return parts
