"""Words as keyed numbers, for lexical search in a store that must not know the words.

A text becomes terms (words and numbers, lower case, stemmed for English and for German), each term a 32-bit number
under the tenant's term key. Without the key the numbers say nothing about the words. Weights are BM25's saturation of
the term's frequency (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, k1 = 1.2, b = 0.75); the
store multiplies them by the inverse document frequency it knows.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from threading import local
from typing import Final, Protocol

import Stemmer

from frostbyte.kernel.ports.vectors import SparseVector

_WORD: Final = re.compile(r"\w+(?:[-./@:_]\w+)*")
_PART: Final = re.compile(r"[^\W_]+")
_K1: Final = 1.2
_B: Final = 0.75
_AVERAGE_WORDS: Final = 160.0
"""Words of a usual chunk: a constant, so that a chunk's weights do not depend on its neighbours."""

_STOP: Final = frozenset(
    "a an and are as at be by for from in is it of on or that the this to was were what which with "
    "der die das den dem des ein eine einer eines einem einen und oder ist im in von zu zum zur mit auf für als auch "
    "wie was welche welcher welches".split()
)
_SAME: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")  # what typesetters put where people type "-"
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")  # invisible ones, which would cut a word in two
)
_stemmers = local()


class Passage(Protocol):
    """What of a chunk is looked up: its text under the titles of its sections."""

    @property
    def text(self) -> str: ...
    @property
    def headings(self) -> tuple[str, ...]: ...


def passage(chunk: Passage) -> str:
    """The text that is embedded and whose terms are indexed."""
    return "\n".join((*chunk.headings, chunk.text))


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

    def document(self, text: str) -> SparseVector:
        """The weights of a passage."""
        found = list(words(text))
        counts = Counter(term for word in found for term in word)
        norm = _K1 * (1.0 - _B + _B * len(found) / _AVERAGE_WORDS)
        weights: dict[int, float] = {}
        for term, count in counts.items():
            number = self._number(term)  # two terms in four thousand million may share one: they add up
            weights[number] = weights.get(number, 0.0) + count * (_K1 + 1.0) / (count + norm)
        return _vector(weights)

    def query(self, text: str) -> SparseVector:
        """The weights of a question: each word once, shared between its forms."""
        weights: dict[int, float] = {}
        for word in words(text):
            for term in word:
                number = self._number(term)
                weights[number] = max(weights.get(number, 0.0), 1.0 / len(word))
        return _vector(weights)

    def _hash(self, term: str) -> int:
        keyed = self._keyed.copy()
        keyed.update(term.encode("utf-8", "surrogatepass"))
        return int.from_bytes(keyed.digest(), "big")


def words(text: str) -> Iterator[tuple[str, ...]]:
    """The words of a text in order, each as the terms it is found under.

    A word has an English and a German stem where they differ: the language of a passage is not known, and both are
    cheap. An identifier such as `AB-12/7` counts whole and then in parts. Words without meaning of their own are left
    out.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_SAME)
    for match in _WORD.finditer(plain.casefold()):
        word = match.group()
        parts = _PART.findall(word)
        if len(parts) > 1:
            yield ("-".join(parts),)
        for part in parts:
            if part not in _STOP:
                yield _stems(part)


@lru_cache(maxsize=100_000)
def _stems(word: str) -> tuple[str, ...]:
    if not word.isalpha():
        return (word,)
    if not hasattr(_stemmers, "pair"):  # a stemmer keeps state: one pair a thread
        _stemmers.pair = (Stemmer.Stemmer("english"), Stemmer.Stemmer("german"))
    english, german = (stemmer.stemWord(word) for stemmer in _stemmers.pair)
    return (english,) if english == german else (english, german)


def _vector(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(indices=tuple(i for i, _ in ordered), values=tuple(w for _, w in ordered))
