"""What the classification gate reads of a document: its zones as words, and which terms stand in them.

Words are compared by what survives a bad scan: lower case, no accents, and one letter for each group that OCR
confuses (0 and o; 1, i and l; 5 and s; 8 and b; rn and m; vv and w; q and g). Both the document and the terms go
through the same fold, so nothing that was equal becomes different. German umlauts equal their two-letter spelling.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final, NamedTuple

from frostbyte.data_plane.policy.class_rules import ClassRule, Zone

OPENING: Final = 1000
"""Characters in which a document says what it is."""

ENDING: Final = 800
"""Characters in which it is signed or closed."""

READ: Final = 24_000
"""Characters that are looked at from the beginning; the ending is looked at besides. The cost stays bounded."""

PAGE: Final = 3000
"""Characters of a full page: amounts of a feature are counted against it."""

_SHORT: Final = 64
"""Characters that a heading has at most."""
_TITLE_LINES: Final = 8
_HEADINGS: Final = 400
_BREAK: Final = "\x1f"
"""Stands between pieces so that no phrase reaches across."""

_DIGITS: Final = str.maketrans("0158", "oisb")
_CONFUSED: Final = (("l", "i"), ("q", "g"))
_ACCENTED: Final = tuple((char, unicodedata.normalize("NFD", char)[0]) for char in "äöüáàâãåçéèêëíìîïñóòôõúùûýÿ")
_DIGRAPHS: Final = (("ß", "ss"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("rn", "m"), ("vv", "w"))
_WORD: Final = re.compile(rf"[^\W_]+|{_BREAK}")
_SPACED: Final = re.compile(r"(?<!\S)(?:[^\W\d_] ){3,40}[^\W\d_](?!\S)")
# These begin with what they may begin with, and ask for what stands before it only then.
_BROKEN: Final = re.compile(r"[-\u00ad](?<=[^\W\d_].)\n(?=[^\W\d_])")
_NUMBERED: Final = re.compile(
    r"[§\d](?:(?<=§) ?\d{1,3}|(?<=\d)(?<![\w.].)\d?(?:\.\d{1,2}){0,3})[.)]? {1,3}([^\W\d_][^.:;\n]{2,60})[.:\n]"
)
_LABELLED: Final = re.compile(r"^[ \t]*([^\W\d_][^.:,;\n]{1,40}):", re.MULTILINE)
_SENTENCE: Final = re.compile(r"(?:\S+\s+){3,}\S+[.!?;,]\s*$")
_SUBJECT: Final = re.compile(r"(?:subject|betreff|betr|re|aw|wg|fwd?)\b", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower-case text in which letters that OCR confuses are one; digits stay."""
    folded = text.lower()
    # One after the other is faster than a table, which is asked for each character; none makes what another looks for.
    for char, one in _CONFUSED if folded.isascii() else (*_CONFUSED, *_ACCENTED):
        folded = folded.replace(char, one)
    for pair, one in _DIGRAPHS:
        folded = folded.replace(pair, one)
    return folded


def words(text: str) -> list[str]:
    """The folded words of a text, in order; digits become letters only inside words."""
    return [
        word if word.isalpha() or word.isdecimal() else word.translate(_DIGITS) for word in _WORD.findall(fold(text))
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as the gate sees it."""

    lower: dict[Zone, str]
    """Each zone's lower-case text, for patterns."""
    parts: dict[Zone, str]
    """Each zone's text as it stands, for terms."""
    pages: float
    """Pages of `PAGE` characters that were read, at least 1."""
    length: int
    """Characters of the whole text."""


def read(title: str, text: str) -> Reading:
    """Take a document apart; costs time in proportion to what is read, whatever it holds."""
    length = len(text)
    body = text[:READ] if length <= READ + ENDING else f"{text[:READ]}\n{text[-ENDING:]}"
    body = _BROKEN.sub("", body)
    head = _SPACED.sub(lambda match: match[0].replace(" ", ""), f"{title}\n{body[:OPENING]}")
    body = f"{head}{body[OPENING:]}"
    zones = {
        Zone.TITLE: _title(title, head),
        Zone.OPENING: head,
        Zone.HEADINGS: _headings(body),
        Zone.ENDING: body[-ENDING:],
        Zone.ANYWHERE: body,
    }
    return Reading(
        lower={zone: part.lower() for zone, part in zones.items()},
        parts=zones,
        pages=max(1.0, len(body) / PAGE),
        length=length,
    )


def _title(title: str, head: str) -> str:
    """Short lines at the beginning, without sentences; a letter's subject names what it is about, not what it is."""
    lines = [line for line in head.split("\n")[1:] if line.strip()][:_TITLE_LINES]
    short = [line for line in lines if len(line) <= _SHORT and not _SENTENCE.search(line)]
    return f" {_BREAK} ".join(line for line in (title, *short) if not _SUBJECT.match(line.strip()))


def _headings(body: str) -> str:
    short = [line for line in body.split("\n") if 2 < len(line) <= _SHORT]
    named = [*_NUMBERED.findall(body), *_LABELLED.findall(body)]
    return f" {_BREAK} ".join((*short[:_HEADINGS], *named[:_HEADINGS]))


_Place = tuple[int, int]
"""A rule, and which of its terms."""


class _Told(NamedTuple):
    """What a word says."""

    alone: tuple[_Place, ...]
    """Terms that it is, or that it begins or ends like."""
    begun: dict[str, list[tuple[list[str], int, int]]]
    """Phrases that it begins, by their second word: what follows that, rule and term."""


class _Terms(dict[str, _Told | None]):
    """The terms of one zone: what each word says, worked out once a word; nothing for most."""

    def __init__(self) -> None:
        super().__init__()
        self._phrases: dict[str, list[tuple[list[str], int, int]]] = {}
        self._starts: dict[str, list[tuple[str, int, int]]] = {}
        self._ends: dict[str, list[tuple[str, int, int]]] = {}

    def put(self, term: str, rule: int, place: int) -> None:
        """One more term."""
        bare = words(term.strip("*"))
        if term.endswith("*"):
            self._starts.setdefault(bare[-1][:_KEY], []).append((bare[-1], rule, place))
        elif term.startswith("*"):
            self._ends.setdefault(bare[-1][-_KEY:], []).append((bare[-1], rule, place))
        else:
            self._phrases.setdefault(bare[0], []).append((bare[1:], rule, place))

    @property
    def any(self) -> bool:
        """Whether there is a term at all."""
        return bool(self._phrases or self._starts or self._ends)

    def __missing__(self, word: str) -> _Told | None:
        phrases = self._phrases.get(word, ())
        alone = [(rule, place) for rest, rule, place in phrases if not rest]
        if len(word) >= _KEY:
            begins, ends = self._starts.get(word[:_KEY], ()), self._ends.get(word[-_KEY:], ())
            alone += [(rule, place) for begin, rule, place in begins if word.startswith(begin)]
            alone += [(rule, place) for end, rule, place in ends if word.endswith(end)]
        begun: dict[str, list[tuple[list[str], int, int]]] = {}
        for rest, rule, place in phrases:
            if rest:
                begun.setdefault(rest[0], []).append((rest[1:], rule, place))
        told = _Told(tuple(alone), begun) if alone or begun else None
        if len(self) >= _WORDS_KEPT:
            self.clear()
        if len(word) <= _LONGEST_WORD:
            self[word] = told
        return told


class Vocabulary:
    """All terms of all rules, found in one walk over a zone's words."""

    def __init__(self, rules: Sequence[ClassRule]) -> None:
        self._zones: dict[Zone, _Terms] = {zone: _Terms() for zone in Zone}
        for number, rule in enumerate(rules):
            for place, term in enumerate(rule.terms):
                self._zones[rule.where].put(term, number, place)

    def count(self, reading: Reading) -> dict[int, list[int]]:
        """By rule: the places of its terms that were found, one entry an occurrence."""
        found: dict[int, list[int]] = {}
        for zone, terms in self._zones.items():
            if terms.any:
                for rule, place in _walk(terms, words(reading.parts[zone])):
                    found.setdefault(rule, []).append(place)
        return found


def _walk(terms: _Terms, tokens: list[str]) -> Iterator[_Place]:
    told = list(map(terms.__getitem__, tokens))
    tokens.append(_BREAK)  # so that the last word has a next one, which no phrase holds
    for at in compress(range(len(told)), told):  # most words are passed over in C
        alone, begun = told[at] or _NOTHING
        yield from alone
        for rest, rule, place in begun.get(tokens[at + 1], ()) if begun else ():
            if not rest or tokens[at + 2 : at + 2 + len(rest)] == rest:
                yield rule, place


_NOTHING: Final = _Told((), {})
_WORDS_KEPT: Final = 50_000
_LONGEST_WORD: Final = 60
"""How many words are remembered, and up to which length."""
_KEY: Final = 4


def term_problem(rule: ClassRule) -> str:
    """Why a rule's terms cannot be looked for, or ''."""
    if bool(rule.terms) == bool(rule.pattern):
        return "it needs either terms or a pattern"
    for term in rule.terms:
        bare = words(term.strip("*"))
        if not bare:
            return f"the term {term!r} has no word"
        if "*" in term and (len(bare) > 1 or len(bare[0]) < _KEY or term.strip("*").count("*")):
            return f"the term {term!r} is not one word of at least {_KEY} letters with * at one end"
    return ""
