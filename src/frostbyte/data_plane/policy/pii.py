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
_NEXT_SENTENCE: Final = re.compile(r"\.\s+[A-ZÄÖÜ]")
_EDGE: Final = re.compile(r"\W")
_LONGEST: Final = 400
"""No pattern finds more characters than this."""

_REACH: Final = 120
"""Characters on each side of a page's end in which a value that runs on must show a digit, an @ or a filler."""

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
    return patterns(tuple(rules), frozenset(kinds)).find(reading, headers)


_CUT: Final = re.compile(r"[0-9][^0-9\s]?[ -]{0,2}[\n\r\t]\s{0,8}[^0-9\s]?[0-9]")
_EDGES: Final = re.compile(r"[\d@<]")


def may_be_cut(text: str) -> bool:
    """Whether a line's end or a cell's border may cut a value: a quick look before `find_joined`."""
    return "@" in text or _CUT.search(text) is not None


def may_run_on(before: str, behind: str) -> bool:
    """Whether a value may begin at the end of one page and go on at the start of the next."""
    return _EDGES.search(before[-_REACH:]) is not None and _EDGES.search(behind[:_REACH]) is not None


class Patterns:
    """Rules made ready: which of them need labels, which digits, which a certain string.

    Args:
        rules: all that are in force; labels of every type count against the others.
        kinds: the types asked for.
    """

    def __init__(self, rules: Sequence[PiiRule], kinds: Collection[str]) -> None:
        self._vocabulary = Vocabulary(rules)
        wanted = [rule for rule in rules if rule.type.value in kinds]
        self._free = [rule for rule in wanted if not rule.context]
        self._joined = [rule for rule in wanted if rule.joined]
        self._labelled = {rule.id: rule for rule in wanted if rule.context}
        self._least = min((rule.digits for rule in self._labelled.values()), default=0)

    def find(self, reading: Reading, headers: Headers = no_headers) -> list[Hit]:
        """Everything of the kinds asked for, ordered; hits may overlap until `resolve`."""
        text = reading.text
        if not text:
            return []
        stretches = _Stretches(text)
        around = Surroundings(self._vocabulary, text, reading.at, headers)
        hits: set[Hit] = set()
        for rule in self._free:
            for start, end in stretches.of(rule, 0, len(text)):
                hits.update(_matches(rule, reading, around, start, end))
        if self._labelled and stretches.any(self._least):
            for start, end, ids in self._labelled_blocks(text, headers):
                for rule in (self._labelled[id_] for id_ in sorted(ids.intersection(self._labelled))):
                    for first, last in stretches.of(rule, start, end):
                        hits.update(_matches(rule, reading, around, first, last))
        return sorted(hits)

    def find_joined(self, reading: Reading, known: Iterable[Hit], text_at: Callable[[int, int], str]) -> Iterator[Hit]:
        """Values that a layout cut: those rules that allow it, in a joined reading.

        A hit counts only if it is no value that was already found whole with neighbouring text stuck to it.

        Args:
            known: what `find` saw in the reading with its separators.
            text_at: the canonical text of a range.
        """
        wholes = sorted(known)
        for hit in self._in_joined(reading):
            value = text_at(hit.start, hit.end)
            if not re.search(r"\s", value) or _NEXT_SENTENCE.search(value):
                continue
            first, last = (bisect_left(wholes, at, key=_start) for at in (hit.start - _LONGEST, hit.end))
            inside = [whole for whole in wholes[first:last] if whole.kind == hit.kind and hit.start < whole.end]
            if not any(w.kind != "EMAIL" or _COMMON_ENDS.search(text_at(w.start, w.end)) for w in inside):
                yield hit

    def _in_joined(self, reading: Reading) -> Iterator[Hit]:
        text = reading.text
        stretches = _Stretches(text)
        around = Surroundings(self._vocabulary, text, reading.at, no_headers)
        for rule in self._joined:
            for start, end in stretches.of(rule, 0, len(text)):
                yield from _matches(rule, reading, around, start, end)

    def _labelled_blocks(self, text: str, headers: Headers) -> Iterator[tuple[int, int, frozenset[str]]]:
        """Stretches of the text with the rules whose labels may stand there; one where a column's head may be far."""
        if len(text) <= 2 * _BLOCK or headers is not no_headers or "\t" in text or "|" in text or ";" in text:
            yield 0, len(text), self._vocabulary.rules_in(text)
            return
        before: frozenset[str] = frozenset()
        for start in range(0, len(text), _BLOCK):
            # A label's words and its value may lie on both sides of a border.
            end = min(start + _BLOCK, len(text))
            here = self._vocabulary.rules_in(text[max(0, start - _LONGEST) : end + _LONGEST])
            yield max(0, start - _MARGIN), min(end + _MARGIN, len(text)), here.union(before)
            before = here


@lru_cache(maxsize=64)
def patterns(rules: tuple[PiiRule, ...], kinds: frozenset[str]) -> Patterns:
    """`Patterns`, made once for the same rules and kinds."""
    return Patterns(rules, kinds)


_DIGITS: Final = re.compile(r"[0-9](?:[^0-9]{0,3}[0-9])+")
"""Digits with at most three other characters between neighbours; a reading has no others than these ten."""


class _Stretches:
    """Where in a text a rule's values can be."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[int, list[tuple[int, int]]] = {}
        self._runs = _runs(text)
        self._most = max((count for _, _, count in self._runs), default=0)

    def any(self, digits: int) -> bool:
        """Whether there is a stretch with so many digits."""
        return digits <= self._most

    def of(self, rule: PiiRule, first: int, last: int) -> Iterable[tuple[int, int]]:
        """Ranges of `[first, last)` worth a search for `rule`."""
        if rule.digits > self._most or not rule.may_stand(self._text):
            return ()
        if not rule.digits:
            return ((first, last),)
        ranges = self._with(rule.digits)
        if first == 0 and last == len(self._text):
            return ranges
        found = []
        for start, end in ranges[max(bisect_left(ranges, (first, 0)) - 1, 0) :]:
            if start >= last:
                break
            if end > first:
                found.append((max(start, first), min(end, last)))
        return found

    def _with(self, digits: int) -> list[tuple[int, int]]:
        if digits not in self._known:
            ranges: list[tuple[int, int]] = []
            length = len(self._text)
            for first, last, count in self._runs:
                if count < digits:
                    continue
                start, end = max(0, first - _MARGIN), min(length, last + _MARGIN)
                if ranges and start <= ranges[-1][1]:
                    ranges[-1] = (ranges[-1][0], end)
                else:
                    ranges.append((start, end))
            self._known[digits] = ranges
        return self._known[digits]


def _runs(text: str) -> list[tuple[int, int, int]]:
    """Runs of digits: start, end, how many."""
    runs = []
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        runs.append((start, end, sum(map(str.isdecimal, match.group()))))
    return runs


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
