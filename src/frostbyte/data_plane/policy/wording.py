"""How much a sentence is worded like an order to a language model: a linear model over words of one meaning.

Rules know wordings; this knows what they are made of. `rules/wording.toml` lists words of one meaning ("answer",
"reply", "Zusammenfassung": OUT). The features of a sentence are these meanings, which of them follow each other, how
a clause begins, and words, alone and by twos and threes; meanings in quotation marks are features of their own, words
there are none. `rules/wording.json` holds a weight for each feature, fitted by `bench/judging/injection_fit.py` on
texts that we wrote. The sum becomes a score that means the same as that of a rule: the sums at which few and very few
harmless sentences stand are put at the default flag and the default withhold.

A sentence is only looked at closely if a glance at its words, one by one, leaves it a chance: the glance has weights of
its own, fitted to let nearly all through that the model would flag.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import accumulate
from math import exp, log, sqrt
from typing import Final

import msgspec
import numpy as np

SOURCES: Final = ("wording.toml", "wording.json")

RULE: Final = "wording"
"""What a find is called where rules have their id."""

_LEAST: Final = 0.15
"""A score below says nothing and is not reported."""

_HARMLESS: Final = 0.3
"""A sum below speaks against an order ..."""
_DOUBT: Final = 0.65
"""... and takes so much of the odds of a rule for each whole number that it lies below ..."""
_SURE: Final = 0.7
"""... if the rule's score is not at least this."""

_FLAG_ODDS: Final = -0.8473
"""The logarithm of the odds of 0.3; those of 0.7 are the same with the other sign."""

_TOKEN: Final = re.compile(
    r"https?://[^\s]{1,400}|[a-z0-9._+-]{1,40}@[a-z0-9.-]{1,60}|[a-z]+(?:'[a-z]{1,3})?|[0-9]+|[^\sa-z0-9]"
)
_END: Final = re.compile(
    r"[.!?\t\n](?:(?<=[.!?])[\"”“)\]]?\s+|(?<=\t)|"
    r"(?<=\n)(?:\s{0,9}\n|(?=\s{0,9}(?:[-*#>•]|\d{1,3}[.)]))))"
)
"""Ends a sentence. A line end alone does not: lines are broken anywhere. What it may begin with stands first, so that
other characters are passed over at the speed of C."""
_LONGEST: Final = 400
_STEP: Final = 250
"""A sentence of more characters is judged in pieces that overlap."""

_SHORT_LINE: Final = 30
_HEADED: Final = re.compile(rf"(?:[^\n]{{0,{_SHORT_LINE}}}\n){{1,3}}")
"""Lines that may be headings."""

_STEM: Final = 8
"""Words count by so many first letters."""
_REACH: Final = 12
"""How many tokens apart two meanings still count as a pair."""
_QUOTES: Final = frozenset('"“”„«»')
_OPENS: Final = frozenset(':;([{<>|#*-"')
"""What a clause may begin behind, beside the beginning of a sentence."""
_SCALE: Final = 1.6
_WORDS_KEPT: Final = 50_000
_LONGEST_WORD: Final = 40


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`wording.toml`."""

    words: dict[str, str]


class _Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`wording.json`."""

    made: str
    bias: float
    flag: float
    withhold: float
    worth: float
    glance: dict[str, float]
    weights: dict[str, float]


@dataclass(frozen=True)
class Lexicon:
    """Which meanings a word has."""

    whole: Mapping[str, tuple[str, ...]]
    begun: Mapping[str, tuple[str, ...]]
    ended: Mapping[str, tuple[str, ...]]
    """Ends of compounds; the word itself is none."""
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        """The beginnings of words by their first two letters, the shortest first."""
        alike: dict[str, list[str]] = {}
        for begun in sorted(self.begun, key=len):
            if 2 <= len(begun) <= _LONGEST_WORD:
                alike.setdefault(begun[:2], []).append(begun)
        return alike

    @staticmethod
    def of(data: bytes) -> Lexicon:
        """The lexicon of a file like `wording.toml`."""
        file = msgspec.convert(tomllib.loads(data.decode()), _Words)
        whole: dict[str, tuple[str, ...]] = {}
        begun: dict[str, tuple[str, ...]] = {}
        ended: dict[str, tuple[str, ...]] = {}
        for name, words in file.words.items():
            for word in words.split():
                table = begun if word.endswith("*") else ended if word.startswith("*") else whole
                key = word.strip("*")
                table[key] = (*table.get(key, ()), name)
        return Lexicon(whole, begun, ended)

    def meanings(self, word: str) -> tuple[str, ...]:
        """The meanings of a folded word."""
        known = self._known.get(word)
        if known is None:
            names = [*self.whole.get(word, ())]
            for begun in self._alike.get(word[:2], ()):
                if word.startswith(begun):
                    names += self.begun[begun]
            for at in range(1, min(len(word), _LONGEST_WORD) - 2):
                names += self.ended.get(word[at:], ())
            known = tuple(dict.fromkeys(names))
            if len(self._known) >= _WORDS_KEPT:
                self._known.clear()
            if len(word) <= _LONGEST_WORD:
                self._known[word] = known
        return known


@dataclass(frozen=True, slots=True)
class Cut:
    """A folded text and its words, which are runs of the letters a to z."""

    text: str
    words: list[str]
    starts: list[int]
    """Where each word begins."""
    signs: bytes
    """The text in ASCII, with `?` for each character beyond it."""

    @staticmethod
    def of(text: str) -> Cut:
        """The words of a folded text."""
        signs = text.encode("ascii", "replace")
        letters = signs.translate(_ONLY_LETTERS)
        blank = np.frombuffer(b" " + letters, dtype=np.uint8) == _BLANK
        starts = np.flatnonzero(blank[:-1] > blank[1:]).tolist()
        return Cut(text, letters.decode("ascii").split(), starts, signs)


_BLANK: Final = ord(" ")
_ONLY_LETTERS: Final = bytes(code if ord("a") <= code <= ord("z") else _BLANK for code in range(256))


class Glance(dict[str, float]):
    """What each word says about whether its sentence is worth a closer look; worked out once a word."""

    def __init__(self, lexicon: Lexicon, weights: Mapping[str, float]) -> None:
        super().__init__()
        self._lexicon = lexicon
        self._weights = weights

    def __missing__(self, word: str) -> float:
        value = sum(self._weights.get(name, 0.0) for name in word_features(word, self._lexicon))
        if len(self) >= _WORDS_KEPT:
            self.clear()
        if len(word) <= _LONGEST_WORD:
            self[word] = value
        return value

    def worthy(self, cut: Cut, spans: Sequence[tuple[int, int]], least: float) -> list[tuple[int, int]]:
        """Those spans of a folded text whose words together, scaled by their number, suffice."""
        summed = [0.0, *accumulate(map(self.__getitem__, cut.words))]
        found = []
        for span in spans:
            first, last = bisect_left(cut.starts, span[0]), bisect_left(cut.starts, span[1])
            if (summed[last] - summed[first]) * _SCALE / sqrt(sqrt(max(last - first, 1))) >= least:
                found.append(span)
        return found


def word_features(word: str, lexicon: Lexicon) -> list[str]:
    """What a glance sees of a folded word."""
    return [f"w:{word[:_STEM]}", *(f"c:{name}" for name in lexicon.meanings(word))]


@dataclass(frozen=True)
class Wording:
    """The fitted model."""

    lexicon: Lexicon
    bias: float
    flag: float
    """The sum that is worth the score 0.3."""
    withhold: float
    """The sum that is worth the score 0.7."""
    worth: float
    """The least sum of a glance at a sentence that is worth a closer look."""
    glance: Glance
    weights: Mapping[str, float]

    @staticmethod
    @lru_cache(maxsize=1)
    def shipped() -> Wording:
        """The model of this package."""
        words, weights = sources()
        file = msgspec.json.decode(weights, type=_Weights)
        lexicon = Lexicon.of(words)
        glance = Glance(lexicon, file.glance)
        return Wording(lexicon, file.bias, file.flag, file.withhold, file.worth, glance, file.weights)

    def find(self, cut: Cut, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
        """Sentences (`spans`, ordered) of a folded text that are worded like orders: start, end, score."""
        for start, end in self.glance.worthy(cut, spans, self.worth):
            score = self.score(self.sum(features(cut.text[start:end], self.lexicon)))
            if score >= _LEAST:
                yield start, end, score

    def doubted(self, score: float, text: str, spans: Iterable[tuple[int, int]]) -> float:
        """What is left of a rule's score in these sentences of a folded text; less if they are worded harmlessly."""
        if score >= _SURE:
            return score
        highest = max((self.sum(features(text[a:b], self.lexicon)) for a, b in spans), default=0.0)
        if highest >= _HARMLESS:
            return score
        odds = log(score / (1 - score)) + _DOUBT * (highest - _HARMLESS)
        return round(1 / (1 + exp(-max(odds, -50.0))), 4)

    def sum(self, found: Iterable[str]) -> float:
        """The weighted features, scaled so that a long sentence weighs no more for being long."""
        weights = [self.weights[name] for name in sorted(found) if name in self.weights]
        return self.bias + scale(len(weights)) * sum(weights)

    def score(self, value: float) -> float:
        """A sum as a score, 0..1."""
        odds = _FLAG_ODDS + (value - self.flag) * (-2 * _FLAG_ODDS) / (self.withhold - self.flag)
        return round(1 / (1 + exp(-max(min(odds, 50.0), -50.0))), 4)


def sources() -> tuple[bytes, bytes]:
    """The two files of the model, as they are shipped."""
    folder = files("frostbyte.data_plane.policy.rules")
    words, weights = (folder.joinpath(name).read_bytes() for name in SOURCES)
    return words, weights


def scale(count: int) -> float:
    """What the sum of so many known features is multiplied with."""
    return _SCALE / sqrt(sqrt(max(count, 1)))


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of a text stand, in order; very long ones in pieces that overlap.

    Short lines at the beginning of one may be headings that belong to nothing: it is given with and without them.
    """
    start = 0
    for end in (*(found.end() for found in _END.finditer(text)), len(text)):
        while end - start > _LONGEST:
            yield start, start + _LONGEST
            start += _STEP
        if end - start > 1:
            yield start, end
            headed = _HEADED.match(text, start, end)
            if headed is not None and end - headed.end() > _SHORT_LINE:
                yield headed.end(), end
        start = end


def features(sentence: str, lexicon: Lexicon) -> set[str]:
    """The names of what a folded sentence has."""
    tokens = list(_tokens(sentence, lexicon))
    if all(quoted or word == '"' for word, _, quoted in tokens):
        tokens = [(word, names, False) for word, names, _ in tokens]
    found: set[str] = set()
    before: tuple[str, ...] = ()
    recent: list[tuple[int, str]] = []
    opened = True
    said: list[str] = []
    for number, (word, names, quoted) in enumerate(tokens):
        stem = word[:_STEM]
        said = [] if quoted else [*said[-2:], stem]
        found.update("_".join(said[-count:]) for count in range(2, len(said) + 1))
        if quoted:
            found.update(f"qc:{name}" for name in names)
        else:
            found.add(f"w:{stem}")
            found.update(f"c:{name}" for name in names)
        here = names or (stem,)
        letters = "a" <= word[0] <= "z"
        if opened and letters:
            found.update(f"^{name}" for name in here)
        if not quoted:
            found.update(f"{first} {second}" for first in before for second in here)
            if names:
                recent = [(at, name) for at, name in recent if number - at <= _REACH]
                found.update(f"{first}>{second}" for _, first in recent for second in names if first != second)
                recent += [(number, name) for name in names]
        before = () if quoted else here
        if letters:
            opened = False
        elif word in _OPENS:
            opened = True
    return found


def _tokens(sentence: str, lexicon: Lexicon) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Words and signs with the meanings of words, and whether they stand in quotation marks."""
    quoted = False
    for token in _TOKEN.findall(sentence):
        first = token[0]
        if first in _QUOTES:
            quoted = not quoted
            yield '"', (), False
        elif token.startswith("http"):
            yield ("urlq" if "?" in token or "=" in token else "url"), ("URL",), quoted
        elif "@" in token and len(token) > 1:
            yield "mailto", ("URL",), quoted
        elif first.isdigit():
            yield "0", (), quoted
        else:
            yield token, lexicon.meanings(token), quoted
