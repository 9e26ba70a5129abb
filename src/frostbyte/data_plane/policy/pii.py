"""The PII gate's search: patterns, the checks behind them, and the words around a value.

A pattern says what a value looks like, a check whether it can be one (checksum, calendar, number plan), its label
whether it is one (see labels). Where a value's shape alone is weak (a date, eight digits), a label is required.

Most text holds nothing, so a quick look comes first: rules that need a label are tried only where one of its words
stands, and only the stretches that hold as many digits as a rule's values are searched.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.policy.checks import CHECKS
from frostbyte.data_plane.policy.labels import Headers, Surroundings, Vocabulary
from frostbyte.data_plane.policy.reading import Reading
from frostbyte.data_plane.policy.ruleset import PiiRule

_COMMON_ENDS: Final = re.compile(r"\.(?:com|org|net|de|eu|at|ch|uk|edu|gov|info|biz|io|us|fr|it|es|nl)$", re.IGNORECASE)
_EDGE: Final = re.compile(r"\W")
_LONGEST: Final = 400
"""No pattern finds more characters than this."""

_BLOCK: Final = 4096
"""Characters in which labels are looked for at once: a long text's rules are not tried all over for one word."""

_MARGIN: Final = 48
"""Characters around a stretch of digits that a pattern may look at."""


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """Personal data at a document-wide range of canonical positions."""

    start: int
    end: int
    kind: str
    rule: str
    confidence: float


def no_headers(_position: int) -> tuple[str, int]:
    """For text without tables."""
    return "", 0


def find(
    reading: Reading, rules: Iterable[PiiRule], kinds: Collection[str], headers: Headers = no_headers
) -> list[Hit]:
    """Everything of the `kinds` asked for, ordered; hits may overlap until `resolve`."""
    return _patterns(tuple(rules), frozenset(kinds)).find(reading, headers)


def find_joined(
    reading: Reading,
    rules: Iterable[PiiRule],
    kinds: Collection[str],
    known: Iterable[Hit],
    text_at: Callable[[int, int], str],
) -> list[Hit]:
    """Values that a layout cut: those rules that allow it, in a joined reading.

    A hit counts only if it is no value that was already found whole with neighbouring text stuck to it.

    Args:
        known: what `find` saw in the reading with its separators.
        text_at: the canonical text of a range.
    """
    wholes = sorted(known)
    found: list[Hit] = []
    for hit in _patterns(tuple(rules), frozenset(kinds)).joined(reading):
        if not re.search(r"\s", text_at(hit.start, hit.end)):
            continue
        near = wholes[bisect_left(wholes, hit.start - _LONGEST, key=_start) : bisect_left(wholes, hit.end, key=_start)]
        inside = [whole for whole in near if whole.kind == hit.kind and hit.start < whole.end]
        if any(w.kind != "EMAIL" or _COMMON_ENDS.search(text_at(w.start, w.end)) for w in inside):
            continue
        found.append(hit)
    return found


class _Patterns:
    """Rules made ready: which of them need labels, which digits, which a certain string."""

    def __init__(self, rules: Sequence[PiiRule], kinds: Collection[str]) -> None:
        self._vocabulary = Vocabulary(rules)
        self._rules = [rule for rule in rules if rule.type.value in kinds]
        self._free = [rule for rule in self._rules if not rule.context]
        self._labelled = [rule for rule in self._rules if rule.context]

    def find(self, reading: Reading, headers: Headers) -> list[Hit]:
        text = reading.text
        if not text:
            return []
        stretches = _Stretches(text)
        around = Surroundings(self._vocabulary, text, reading.at, headers)
        hits: list[Hit] = []
        for rule in self._free:
            for start, end in stretches.of(rule, 0, len(text)):
                hits += _matches(rule, reading, around, start, end)
        for start, end, ids in self._labelled_blocks(text, headers):
            for rule in self._labelled:
                if rule.id in ids:
                    for a, b in stretches.of(rule, start, end):
                        hits += _matches(rule, reading, around, a, b)
        return sorted(set(hits))

    def joined(self, reading: Reading) -> Iterator[Hit]:
        text = reading.text
        stretches = _Stretches(text)
        around = Surroundings(self._vocabulary, text, reading.at, no_headers)
        for rule in self._rules:
            if rule.joined:
                for start, end in stretches.of(rule, 0, len(text)):
                    yield from _matches(rule, reading, around, start, end)

    def _labelled_blocks(self, text: str, headers: Headers) -> Iterator[tuple[int, int, frozenset[str]]]:
        """Stretches of the text with the rules whose labels may stand there; one where a column's head may be far."""
        if not self._labelled:
            return
        if len(text) <= 2 * _BLOCK or headers is not no_headers or "\t" in text or "|" in text or ";" in text:
            yield 0, len(text), self._vocabulary.rules_in(text)
            return
        before: frozenset[str] = frozenset()
        for start in range(0, len(text), _BLOCK):
            # A label's words and its value may lie on both sides of a border.
            end = min(start + _BLOCK, len(text))
            here = self._vocabulary.rules_in(text[max(0, start - _LONGEST) : end + _LONGEST])
            yield max(0, start - _MARGIN), min(end + _MARGIN, len(text)), here | before
            before = here


_patterns = lru_cache(maxsize=64)(_Patterns)


class _Stretches:
    """Where in a text a rule's values can be."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[int, list[tuple[int, int]]] = {}

    def of(self, rule: PiiRule, first: int, last: int) -> Iterable[tuple[int, int]]:
        """Ranges of `[first, last)` worth a search for `rule`."""
        if rule.needs and rule.needs not in self._text:
            return ()
        if not rule.digits:
            return ((first, last),)
        ranges = self._with(rule.digits)
        if first == 0 and last == len(self._text):
            return ranges
        index = bisect_left(ranges, (first, 0))
        index = max(index - 1, 0)
        found = []
        for start, end in ranges[index:]:
            if start >= last:
                break
            if end > first:
                found.append((max(start, first), min(end, last)))
        return found

    def _with(self, digits: int) -> list[tuple[int, int]]:
        if digits not in self._known:
            ranges: list[tuple[int, int]] = []
            for match in _runs(digits).finditer(self._text):
                start, end = max(0, match.start() - _MARGIN), min(len(self._text), match.end() + _MARGIN)
                if ranges and start <= ranges[-1][1]:
                    ranges[-1] = (ranges[-1][0], end)
                else:
                    ranges.append((start, end))
            self._known[digits] = ranges
        return self._known[digits]


@lru_cache(maxsize=32)
def _runs(digits: int) -> re.Pattern[str]:
    """At least so many digits with at most three other characters between neighbours."""
    return re.compile(rf"\d(?:\D{{0,3}}\d){{{digits - 1},}}")


def _matches(rule: PiiRule, reading: Reading, around: Surroundings, first: int, last: int) -> Iterator[Hit]:
    """The values of a rule that begin in `[first, last)` of a reading."""
    text = reading.text
    check = CHECKS.get(rule.check)
    group = "value" if "value" in rule.regex.groupindex else 0
    search = rule.regex.search
    listed = -1
    position = first
    stop = min(last + _LONGEST, len(text))
    while (match := search(text, position, stop)) and match.start() < last:
        start, end = match.span(group)
        position = max(match.end(), position + 1)
        if check is not None:
            accepted = check(text[start:end])
            if accepted is None:
                position = _next_edge(text, start)  # a later value may begin inside what the pattern took
                continue
            start, end = start + accepted[0], start + accepted[1]
            position = max(end, start + 1)
        if not around.allow(rule, start, end, listed):
            position = max(_next_edge(text, start), start + 1)
            continue
        listed = end
        begin, behind = reading.span(start, end)
        yield Hit(begin, behind, rule.type.value, rule.id, rule.confidence)


def _next_edge(text: str, start: int) -> int:
    """The first position behind `start` at which a word ends: no value begins before it."""
    edge = _EDGE.search(text, start + 1)
    return edge.start() if edge else len(text)


def _start(hit: Hit) -> int:
    return hit.start


def resolve(hits: Iterable[Hit]) -> list[Hit]:
    """Hits without doubles: one inside another of at least its confidence goes, same kinds that overlap unite."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end, -h.confidence, h.kind, h.rule)):
        last = kept[-1] if kept else None
        if last is None or hit.start >= last.end:
            kept.append(hit)
        elif hit.kind == last.kind:
            best = max(last, hit, key=lambda h: h.confidence)
            kept[-1] = Hit(last.start, max(last.end, hit.end), hit.kind, best.rule, best.confidence)
        elif hit.end <= last.end and hit.confidence <= last.confidence:
            continue
        elif hit.start == last.start and hit.end == last.end:
            kept[-1] = hit
        else:
            kept.append(hit)
    return kept
