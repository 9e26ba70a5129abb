"""The PII gate's search: patterns, the checks behind them, and the words around a value.

A pattern says what a value looks like, a check whether it can be one (checksum, calendar, number plan), a context
word whether it is one. Where a value's shape alone is weak (a date, eight digits), a context word is required.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.policy.checks import CHECKS
from frostbyte.data_plane.policy.reading import Reading
from frostbyte.data_plane.policy.ruleset import PiiRule

Headers = Callable[[int], tuple[str, int]]
"""For a canonical position in a table: what heads its column, and where the text that may label it begins."""

_LIST: Final = re.compile(r"[\s,;/&]*(?:and|und|or|oder)?[\s,;/&]*")
"""What stands between the members of a list: the label of the first is theirs too."""

_OPENING: Final = re.compile(r"[ \t]{0,2}[(\[][ \t]?")
"""A label behind its value stands in brackets."""
_COMMON_ENDS: Final = re.compile(r"\.(?:com|org|net|de|eu|at|ch|uk|edu|gov|info|biz|io|us|fr|it|es|nl)$", re.IGNORECASE)
_EDGE: Final = re.compile(r"\W")
_LONGEST: Final = 400
"""No pattern finds more characters than this."""

_AFTER: Final = 24
"""How far behind a value a context word is looked for."""


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
    hits = [hit for rule in rules if rule.type in kinds for hit in _matches(rule, reading, headers)]
    return sorted(hits)


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
    for rule in rules:
        if not rule.joined or rule.type not in kinds:
            continue
        for hit in _matches(rule, reading, no_headers):
            if not re.search(r"\s", text_at(hit.start, hit.end)):
                continue
            near = wholes[
                bisect_left(wholes, hit.start - _LONGEST, key=_start) : bisect_left(wholes, hit.end, key=_start)
            ]
            inside = [whole for whole in near if whole.kind == hit.kind and hit.start < whole.end]
            if any(w.kind != "EMAIL" or _COMMON_ENDS.search(text_at(w.start, w.end)) for w in inside):
                continue
            found.append(hit)
    return found


def _matches(rule: PiiRule, reading: Reading, headers: Headers) -> Iterable[Hit]:
    text = reading.text
    if not _labelled(rule, text):
        return
    check = CHECKS.get(rule.check)
    named = "value" in rule.regex.groupindex
    listed = -1
    position = 0
    while match := rule.regex.search(text, position):
        start, end = match.span("value" if named else 0)
        position = max(match.end(), position + 1)
        if check is not None:
            accepted = check(text[start:end])
            if accepted is None:
                position = _next_edge(text, start)  # a later value may begin inside what the pattern took
                continue
            start, end = start + accepted[0], start + accepted[1]
            position = max(end, start + 1)
        if not _allowed(rule, reading, start, end, listed, headers):
            continue
        listed = end
        begin, stop = reading.span(start, end)
        yield Hit(begin, stop, rule.type.value, rule.id, rule.confidence)


def _labelled(rule: PiiRule, text: str) -> bool:
    """Whether a rule that asks for a context word can find one at all; headers of tables are part of the text too."""
    words = rule.context_regex
    return words is None or any(words.search(version) for version in {text, text.replace("_", " ")})


def _next_edge(text: str, start: int) -> int:
    """The first position behind `start` at which a word ends: no value begins before it."""
    edge = _EDGE.search(text, start + 1)
    return edge.start() if edge else len(text)


def _allowed(rule: PiiRule, reading: Reading, start: int, end: int, listed: int, headers: Headers) -> bool:
    text = reading.text
    if rule.unless_regex is not None and rule.unless_regex.search(text[max(0, start - 30) : start]):
        return False
    words = rule.context_regex
    if words is None:
        return True
    header, floor = headers(reading.at[start])
    first = max(0, start - rule.before, reading.index(floor) if floor else 0)
    if listed >= first and not floor and _LIST.fullmatch(text, listed, start):
        return True
    if words.search(text[max(first, listed) : start]) or words.search(header):
        return True
    after = _OPENING.match(text, end, end + 4)
    return after is not None and words.match(text, after.end(), after.end() + _AFTER) is not None


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
