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
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from frostbyte.data_plane.words import Word, beyond, pieces_of, token, words
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


_Numbers = NDArray[np.uint32]
_Counts = NDArray[np.float64]


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
    headings = [_LEADER.sub(r"\1", heading) for heading in chunk.headings]
    most = sum(heading.count(" ") + 1 for heading in headings) + 1  # words of the text that titles can be equal to
    start = " ".join(text[:_OPENING].split(None, most)[:most]) if headings else ""
    above: list[str] = []
    for heading in headings:
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
        self._token = lru_cache(maxsize=100_000)(self._of_token)

    def document(self, text: str) -> SparseVector:
        """The weights of a passage."""
        pieces = pieces_of(text)
        total, plain = 0, True
        said: list[bytes] = []
        for piece, times in Counter(pieces[1::2]).items():
            found, numbers, simple = self._token(piece)
            total += times * found
            plain = plain and simple
            said.append(numbers * times)
        if not plain:
            more = list(beyond(pieces))
            total += len(more)
            said.append(self._numbers(more))
        indices, counts = _counted(b"".join(said))
        norm = _K1 * (1.0 - _B + _B * total / _AVERAGE_WORDS)
        weights = counts * (_K1 + 1.0) / (counts + norm)
        return SparseVector(indices=tuple(indices.tolist()), values=tuple(weights.tolist()))

    def query(self, text: str) -> SparseVector:
        """The weights of a question: each word once, shared between its forms, and a little for its hints."""
        weights: dict[int, float] = {}
        for word in words(text):
            for terms, whole in ((word.forms, 1.0), (word.hints, _HINT)):
                for term in terms:
                    number = int.from_bytes(self._number(term), "big")
                    weights[number] = max(weights.get(number, 0.0), whole / len(terms))
        return _vector(weights)

    def _of_token(self, piece: str) -> tuple[int, bytes, bool]:
        """How many words a token has, their numbers, and whether nothing else comes of it."""
        found = token(piece)
        every = found.words + found.within
        return len(every), self._numbers(every), found.plain

    def _numbers(self, found: Iterable[Word]) -> bytes:
        return b"".join([self._number(term) for word in found for term in word.forms + word.hints])

    def _hash(self, term: str) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(term.encode("utf-8", "surrogatepass"))
        return keyed.digest()


def _counted(said: bytes) -> tuple[_Numbers, _Counts]:
    """Each number once, in order, and how often it stands there. Two terms in four thousand million may share one.

    Args:
        said: numbers of four bytes one behind the other, the highest byte first.
    """
    numbers = np.frombuffer(said, dtype=">u4").astype(np.uint32)
    numbers.sort()
    borders = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    firsts = np.concatenate(([0], borders)) if numbers.size else borders
    return numbers[firsts], np.diff(firsts, append=numbers.size).astype(np.float64)


def _vector(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(indices=tuple(i for i, _ in ordered), values=tuple(w for _, w in ordered))
