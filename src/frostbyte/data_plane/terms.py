"""Words as keyed numbers, for lexical search in a store that must not know the words.

A text becomes terms (words and numbers, lower case, stemmed for English and for German), each term a 32-bit number
under the tenant's term key. Without the key the numbers say nothing about the words. Weights are BM25's saturation of
the term's frequency (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, k1 = 1.2, b = 0.75); the
store multiplies them by the inverse document frequency it knows.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import lru_cache
from typing import Final, Protocol

from frostbyte.data_plane.words import Word, words
from frostbyte.kernel.ports.vectors import SparseVector

TERMS_VERSION: Final = "2"
"""Raised whenever a text makes other terms or another passage; part of the generation."""
_K1: Final = 1.2
_B: Final = 0.75
_AVERAGE_WORDS: Final = 160.0
"""Words of a usual chunk: a constant, so that a chunk's weights do not depend on its neighbours."""

_LEADER: Final = re.compile(r"([^\w\s])(?:\s?\1){3,}")
_OPENING: Final = 2000
"""Characters of a chunk among which its own titles are looked for."""
_HINT: Final = 0.4
"""What all hints of a word weigh in a question, beside 1 for the word itself."""


class Passage(Protocol):
    """What of a chunk is looked up: its text under the titles of its sections."""

    @property
    def text(self) -> str: ...
    @property
    def headings(self) -> tuple[str, ...]: ...


def passage(chunk: Passage) -> str:
    """The text that is embedded and whose terms are indexed: the chunk under its titles, each once.

    Rules and leaders (`-----`, `.....`) say nothing and would take the place of words.
    """
    text = _LEADER.sub(r"\1", chunk.text)
    start = " ".join(text[:_OPENING].split())
    above: list[str] = []
    for heading in (_LEADER.sub(r"\1", heading) for heading in chunk.headings):
        if heading and start.startswith(heading):  # it stands at the head of the text itself
            start = start[len(heading) :].lstrip()
        else:
            above.append(heading)
    return "\n".join((*above, text))


class TermHasher:
    """Makes sparse vectors under one key.

    Args:
        key: the tenant's term key (1 to 64 bytes), which never rotates.
    """

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("a term key must not be empty: hashes without one can be guessed")
        self._keyed = hashlib.blake2b(key=key, digest_size=4)
        self._number = lru_cache(maxsize=200_000)(self._hash)
        self._numbers = lru_cache(maxsize=100_000)(self._of_word)

    def document(self, text: str) -> SparseVector:
        """The weights of a passage."""
        found = Counter(words(text))
        counts: dict[int, int] = {}
        for word, times in found.items():
            terms = self._numbers(word) if word.hints else map(self._number, word.forms)
            for number in terms:  # two terms in four thousand million may share one: they add up
                counts[number] = counts.get(number, 0) + times
        norm = _K1 * (1.0 - _B + _B * found.total() / _AVERAGE_WORDS)
        weights = {number: times * (_K1 + 1.0) / (times + norm) for number, times in counts.items()}
        return _vector(weights)

    def query(self, text: str) -> SparseVector:
        """The weights of a question: each word once, shared between its forms, and a little for its hints."""
        weights: dict[int, float] = {}
        for word in words(text):
            for terms, whole in ((word.forms, 1.0), (word.hints, _HINT)):
                for term in terms:
                    number = self._number(term)
                    weights[number] = max(weights.get(number, 0.0), whole / len(terms))
        return _vector(weights)

    def _of_word(self, word: Word) -> tuple[int, ...]:
        return tuple(map(self._number, (*word.forms, *word.hints)))

    def _hash(self, term: str) -> int:
        keyed = self._keyed.copy()
        keyed.update(term.encode("utf-8", "surrogatepass"))
        return int.from_bytes(keyed.digest(), "big")


def _vector(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(indices=tuple(i for i, _ in ordered), values=tuple(w for _, w in ordered))
