"""What labels a value: words before it, a caption around it, the head of its column.

A label belongs to the value that it stands nearest to. So what counts is not whether a context word is somewhere
near, but whether the nearest label says what the rule looks for: in "passport no. pending, invoice 512345678" the
invoice owns the number. Labels are sequences of words, compared without case; whatever stands between their words
(blanks, points, hyphens, a line's end) does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.policy.columns import Columns
from frostbyte.data_plane.policy.ruleset import PiiRule
from frostbyte.kernel.tenancy import PiiType

Headers = Callable[[int], tuple[str, int]]
"""For a canonical position in a table: what heads its column, and where the text that may label it begins."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_HYPHENATED: Final = re.compile(r"-[ \t]*[\r\n]+[ \t]*")
_SPACED: Final = re.compile(r"(?<!\w)(?:[^\W\d_] ){2,}[^\W\d_](?!\w)")
"""Letters that a scan set apart: "T e l"."""

_APART: Final = re.compile(r" [^\W\d_] [^\W\d_](?!\w)")
"""Stands in whatever `_SPACED` finds, and is looked for much faster."""
_BETWEEN: Final = re.compile(r"[\W_]{0,4}")
_REACH: Final = 120
"""No label lies further before its value."""

_GLUE: Final = re.compile(
    r"(?:[\W_]|(?:no|nr|num|number|nummer|id|code|is|was|ist|war|lautet|are|of|the|der|die|das|den|vom|von|für|for|from|to|ab|bis)\b){0,12}",
    re.IGNORECASE,
)
"""What may stand between a value and a label that takes it away from others."""

_NEW_SENTENCE: Final = re.compile(r"[.!?]\s+[A-ZÄÖÜ][a-zäöüß]+\s")
_BRACKETS: Final = re.compile(r"\([^()]*\)")
_OTHER_NUMBER: Final = re.compile(r"\d{4}")
_LINE_BETWEEN: Final = re.compile(r"\n[^\n]*\w[^\n]*\n")
_BEHIND: Final = re.compile(
    r"[ \t]{0,3}(?:[(\[][ \t]?|-[ \t]|(?:is|ist|as|als|war|was)(?: [^\W\d_]{2,6}){0,2} |\n[ \t]*)"
)
"""What leads to a label behind its value: a bracket, a dash, "is my", or a caption below the line."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label's meaning."""

    rules: frozenset[str]
    """Ids of the rules that ask for it."""
    kinds: frozenset[str]
    """Types that it speaks for; empty for what is no personal data (an order number)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A label at a place."""

    start: int
    end: int
    label: Label


class Vocabulary:
    """All labels that a set of rules knows.

    Args:
        rules: all that are in force; a label of one type is also what excludes the others.
    """

    def __init__(self, rules: Sequence[PiiRule]) -> None:
        owners: dict[tuple[str, ...], tuple[set[str], set[str]]] = {}
        for rule in rules:
            for phrase in (*rule.context, *rule.unless):
                ids, kinds = owners.setdefault(_tokens(phrase), (set(), set()))
                if phrase in rule.context:
                    ids.add(rule.id)
                    kinds.add(rule.type.value)
        self._by_first: dict[str, list[tuple[tuple[str, ...], Label]]] = {}
        for tokens, (ids, kinds) in owners.items():
            if tokens:
                label = Label(frozenset(ids), frozenset(kinds))
                self._by_first.setdefault(tokens[0], []).append((tokens, label))
        for phrases in self._by_first.values():
            phrases.sort(key=lambda entry: (-len(entry[0]), entry[0]))
        self._words = frozenset(self._by_first)

    def rules_in(self, text: str) -> frozenset[str]:
        """Ids of the rules that may find one of their labels in `text`: a quick look at its words."""
        words = _different(text)
        if "-\n" in text or "- \n" in text:
            words |= _different(_HYPHENATED.sub("", text))
        lower = text.lower()
        if _APART.search(lower):
            words.update(match.group().replace(" ", "") for match in _SPACED.finditer(lower))
        ids: set[str] = set()
        for first in self._words & words:
            apart: set[str] = set()
            for tokens, label in self._by_first[first]:
                if not words.issuperset(tokens) or (len(tokens) > 1 and tokens[1] in apart):
                    continue
                # The letters of "a/c" are in every text, but seldom beside each other.
                if len(first) == 1 < len(tokens) and not _beside(first, tokens[1]).search(lower):
                    apart.add(tokens[1])
                    continue
                ids |= label.rules
        return frozenset(ids)

    def find(self, text: str, start: int, end: int) -> list[Found]:
        """The labels in `text[start:end]`, from left to right, the longest at each place."""
        words = _words(text, start, end)
        found: list[Found] = []
        index = 0
        while index < len(words):
            word, begin, _ = words[index]
            step = 1
            for tokens, label in self._by_first.get(word, ()):
                if self._fits(text, words, index, tokens):
                    step = len(tokens)
                    found.append(Found(begin, words[index + step - 1][2], label))
                    break
            index += step
        return found

    @staticmethod
    def _fits(text: str, words: list[tuple[str, int, int]], index: int, tokens: tuple[str, ...]) -> bool:
        if index + len(tokens) > len(words):
            return False
        for offset, token in enumerate(tokens):
            word, begin, _ = words[index + offset]
            if word != token or (offset and not _BETWEEN.fullmatch(text, words[index + offset - 1][2], begin)):
                return False
        return True


@lru_cache(maxsize=256)
def _beside(first: str, second: str) -> re.Pattern[str]:
    return re.compile(rf"{first}(?<![^\W\d_].)[\W_]{{0,4}}{second}")


def _different(text: str) -> set[str]:
    """The different words of a text, in lower case."""
    if _FAR_LETTER.search(text):
        return set(_WORD.findall(text.lower()))
    return set(text.encode("latin-1", "replace").translate(_LETTERS).decode("latin-1").split())


_FAR_LETTER: Final = re.compile(r"[^\W\d_\x00-\xff]")
_LETTERS: Final = bytes(ord(chr(code).lower()) if _WORD.match(chr(code)) else ord(" ") for code in range(256))
"""Letters of Latin-1 in lower case, and a blank for anything else."""


@lru_cache(maxsize=4096)
def _tokens(phrase: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(phrase.lower()))


def _words(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Words in lower case with their places; what a line's end or a scan set apart is one word."""
    words: list[tuple[str, int, int]] = []
    for match in _WORD.finditer(text, start, end):
        word, begin, stop = match.group().lower(), match.start(), match.end()
        if words:
            last, first, edge = words[-1]
            apart = text[edge:begin]
            if _HYPHENATED.fullmatch(apart) or (
                apart == " " and len(word) == 1 and (edge - first) == 2 * len(last) - 1
            ):
                words[-1] = (last + word, first, stop)
                continue
        words.append((word, begin, stop))
    return words


class Surroundings:
    """What labels the values of one text.

    Args:
        headers: the heads of the columns of tables that a parser saw; others are told by their layout.
        at: the canonical position of each character.
    """

    def __init__(self, vocabulary: Vocabulary, text: str, at: Sequence[int], headers: Headers) -> None:
        self._vocabulary = vocabulary
        self._text = text
        self._at = at
        self._headers = headers
        self._columns = Columns(text)
        self._before: tuple[int, list[Found]] = (-1, [])
        self._heads: dict[str, list[Found]] = {}

    def allow(self, rule: PiiRule, start: int, end: int, listed: int) -> bool:
        """Whether the words around `text[start:end]` let it be what `rule` looks for.

        Args:
            listed: where the last value of the rule ended, or -1: a list's members share the label of the first.
        """
        if rule.sure:
            return True
        head, floor = self._head(start)
        if rule.context and not floor and listed >= 0 and _is_list(self._text, listed, start):
            return True
        cell = self._columns.cell(start) if floor else start
        verdict = self._said_before(rule, start, max(cell if floor else 0, listed, 0))
        if verdict is None:
            verdict = _by_head(rule, head)
        if verdict is None and floor:
            verdict = self._said_in_bracket(rule, end)
        if verdict is None and floor < cell:
            verdict = self._said_before(rule, start, max(floor, listed, 0))
        if verdict is None and floor and rule.context and _OTHER_NUMBER.search(self._text, floor, cell):
            verdict = self._said_first(rule, start)
        if verdict is not None:
            return verdict
        if not rule.context:
            return rule.type is not PiiType.PHONE or not _OTHERS.search(self._text, max(0, start - 50), start)
        return self._said_behind(rule, end)

    def _head(self, start: int) -> tuple[list[Found], int]:
        """Labels in the head of the value's column, and where what may label it in its row begins; 0 outside tables."""
        head, floor = self._headers(self._at[start])
        if floor:
            begin = self._index(floor)
        else:
            head, begin = self._columns.head(start)
        return self._known_head(head), begin

    def _known_head(self, head: str) -> list[Found]:
        if head not in self._heads:
            self._heads[head] = self._vocabulary.find(head, 0, len(head)) if head else []
        return self._heads[head]

    def _index(self, position: int) -> int:
        low, high = 0, len(self._at)
        while low < high:
            middle = (low + high) // 2
            if self._at[middle] < position:
                low = middle + 1
            else:
                high = middle
        return low

    def _labels_before(self, start: int) -> list[Found]:
        if self._before[0] != start:
            first = max(0, start - _REACH)
            while first and self._text[first - 1].isalpha() and first > start - 2 * _REACH:
                first -= 1
            self._before = (start, self._vocabulary.find(self._text, first, start))
        return self._before[1]

    def _said_before(self, rule: PiiRule, start: int, first: int) -> bool | None:
        """Whether the nearest label before the value is one of the rule's; None if there is none."""
        for found in reversed(self._labels_before(start)):
            if found.start < first:
                return None
            gap = self._text[found.end : start]
            if rule.id in found.label.rules:
                return True if found.start >= start - rule.before and not _broken(gap) else None
            if rule.type.value not in found.label.kinds and _GLUE.fullmatch(gap):
                return False
        return None

    def _said_first(self, rule: PiiRule, start: int) -> bool | None:
        """What the row's first cell says, in a table whose rows are labelled and not its columns.

        Only asked where the cell to the left holds a number too, so that it labels nothing.
        """
        cell, second = self._columns.row_head(start)
        return _by_head(rule, self._known_head(cell)) if cell and start > second else None

    def _said_in_bracket(self, rule: PiiRule, end: int) -> bool | None:
        """What a bracket behind a cell's value says: it is nearer than the cell to the left."""
        if self._text[end : end + 2] != " (":
            return None
        found = self._vocabulary.find(self._text, end + 2, min(end + 42, len(self._text)))
        if not found or found[0].start != end + 2 or not found[0].label.kinds:
            return None
        return rule.id in found[0].label.rules

    def _said_behind(self, rule: PiiRule, end: int) -> bool:
        lead = _BEHIND.match(self._text, end, end + 40)
        if lead is None:
            return False
        line = self._text.find("\n", lead.end())
        stop = min(lead.end() + 40, len(self._text) if line < 0 else line)
        found = self._vocabulary.find(self._text, lead.end(), stop)
        if not found or found[0].start != lead.end() or rule.id not in found[0].label.rules:
            return False
        # A caption below stands alone in its line; otherwise it labels what follows it.
        return "\n" not in lead.group() or not self._text[found[0].end : stop].strip(" \t.()")


_OTHERS: Final = re.compile(
    r"(?<![^\W_])(?![^\W\d_]{0,20}(?i:tel|ruf|fon|fax|hand|mob|funk|kontakt|notf|durchw|service|hotline|priv|dienst"
    r"|büro|netz|sms|whats|zentral|sammel|neben|haupt|direkt|wahl))"
    r"[^\W\d_]{1,24}(?:\.?-|\.)?(?:[Nn]r|[Nn]ummern?)\b\.?:? {0,3}\Z"
)
"""A German compound that numbers something else than a telephone."""

_LIST: Final = re.compile(r"[\s,;/&]*(?:and|und|or|oder)?[\s,;/&]*")
"""What stands between the members of a list: the label of the first is theirs too."""


def _is_list(text: str, listed: int, start: int) -> bool:
    return start - listed < 12 and _LIST.fullmatch(text, listed, start) is not None


def _by_head(rule: PiiRule, head: Iterable[Found]) -> bool | None:
    """What a column's head says: True for one of the rule's labels, False for only others', None for nothing."""
    said = None
    for found in head:
        if rule.id in found.label.rules or (not rule.context and rule.type.value in found.label.kinds):
            return True
        if rule.type.value not in found.label.kinds:
            said = False
    return said


def _broken(gap: str) -> bool:
    """Whether a label and a value with this between them have nothing to do with each other."""
    if not gap.strip(" :.#\t\n"):
        return "\n\n\n" in gap
    outside = _BRACKETS.sub("", gap)
    return bool(_NEW_SENTENCE.search(gap) or _OTHER_NUMBER.search(outside) or _LINE_BETWEEN.search(gap))
