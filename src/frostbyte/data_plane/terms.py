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
from threading import local
from typing import Final

import snowballstemmer

from frostbyte.kernel.ports.vectors import SparseVector

_WORD: Final = re.compile(r"\w+(?:[-./]\w+)*", re.UNICODE)
_PART: Final = re.compile(r"\w+", re.UNICODE)
_K1: Final = 1.2
_B: Final = 0.75
_AVERAGE_WORDS: Final = 160.0
"""Words of a usual chunk: a constant, so that a chunk's weights do not depend on its neighbours."""

_STOP: Final = frozenset(
    "a an and are as at be by for from in is it of on or that the this to was were what which with "
    "der die das den dem des ein eine einer eines einem einen und oder ist im in von zu zum zur mit auf für als auch "
    "wie was welche welcher welches".split()
)
_stemmers = local()


class TermHasher:
    """Makes sparse vectors under one key.

    Args:
        key: the tenant's term key (32 bytes), which never rotates.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = lru_cache(maxsize=200_000)(self._hash)

    def document(self, text: str) -> SparseVector:
        """The weights of a passage."""
        counts = Counter(terms(text))
        length = sum(counts.values())
        norm = _K1 * (1.0 - _B + _B * length / _AVERAGE_WORDS)
        weights: dict[int, float] = {}
        for term, count in counts.items():
            number = self._number(term)
            weights[number] = weights.get(number, 0.0) + count * (_K1 + 1.0) / (count + norm)
        return _vector(weights)

    def query(self, text: str) -> SparseVector:
        """The weights of a question: each term once."""
        return _vector(dict.fromkeys((self._number(term) for term in terms(text)), 1.0))

    def _hash(self, term: str) -> int:
        return int.from_bytes(hashlib.blake2b(term.encode(), key=self._key, digest_size=4).digest(), "big")


def terms(text: str) -> list[str]:
    """The terms of a text, repeats included; identifiers such as `AB-12/7` count whole and in parts."""
    found: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        word = match.group()
        parts = _PART.findall(word)
        if len(parts) > 1:
            found.append(word)
        for part in parts:
            if part not in _STOP:
                found.extend(_stems(part))
    return found


@lru_cache(maxsize=100_000)
def _stems(word: str) -> tuple[str, ...]:
    """English and German stems: the language of a passage is not known, and both are cheap."""
    if not word.isalpha():
        return (word,)
    if not hasattr(_stemmers, "pair"):  # a stemmer keeps state: one pair a thread
        _stemmers.pair = (snowballstemmer.stemmer("english"), snowballstemmer.stemmer("german"))
    english, german = (stemmer.stemWord(word) for stemmer in _stemmers.pair)
    return (english,) if english == german else (english, german)


def _vector(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(indices=tuple(i for i, _ in ordered), values=tuple(w for _, w in ordered))
