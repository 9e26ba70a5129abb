"""A passage in pieces of about a sentence, each with a vector of its own beside the whole's.

One vector says what a passage is about on the whole; a question asks for one sentence of it. So a passage is as near to
a question as its nearest piece (ADR 148 has the figures). The whole's vector, the mean of its pieces', chooses whose
pieces are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

PIECES_VERSION: Final = "p1"
"""Raised whenever a text is cut in other pieces; part of the generation of embedders that read pieces."""
LONGEST: Final = 120
"""Characters up to which neighbouring sentences are one piece. On the tuning questions of bench/finding/retrieval.py
each sentence by itself finds about as much with twice the vectors, 200 and 350 characters less."""
_MARK: Final = 3
"""Characters of what is no piece by itself."""
_END: Final = re.compile(r"(?<=[.!?:;])\s+|\n+")

Vectors = npt.NDArray[np.float32]
"""One row a vector."""


class Embedded(Struct, frozen=True, kw_only=True, eq=False):
    """The vectors of a document's passages, in their order."""

    whole: Vectors
    """One row a passage; no columns where search is lexical only."""
    pieces: tuple[Vectors, ...] = ()
    """The rows of each passage's pieces; empty if this embedder reads passages whole."""

    def __len__(self) -> int:
        return len(self.whole)

    def of(self, number: int) -> Embedded:
        """Those of one passage."""
        return Embedded(whole=self.whole[number : number + 1], pieces=self.pieces[number : number + 1])

    @property
    def usable(self) -> bool:
        """Whether every vector is finite, none is zero, and every passage has the pieces that it must have."""
        columns = self.whole.shape[1]
        fits = not self.pieces or len(self.pieces) == len(self.whole)
        return (
            fits
            and all(
                bool(np.isfinite(rows).all())
                and rows.shape[1] == columns
                and (not columns or bool(rows.any(axis=1).all()))
                for rows in (self.whole, *self.pieces)
            )
            and all(map(len, self.pieces))
        )


def pieces(text: str) -> list[str]:
    """The text's pieces in order: sentences and lines, short ones together with what follows. At least one."""
    found = list(_pieces(text))
    return found or [text]


def _pieces(text: str) -> Iterator[str]:
    start = end = 0
    for stop in (*(match.end() for match in _END.finditer(text)), len(text)):
        if end > start and stop - start > LONGEST:
            yield from _said(text[start:end])
            start = end
        end = stop
    yield from _said(text[start:end])


def _said(piece: str) -> Iterator[str]:
    """The piece, unless it says nothing: a rule between two lines, the number of a page."""
    piece = piece.strip()
    if len(piece) > _MARK:
        yield piece
