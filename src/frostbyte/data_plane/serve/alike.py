"""Passages that say nothing new: the same letter to many, a file in two versions, boilerplate.

A passage repeats another if nearly all of its groups of three words stand in the other one too. The comparison is by
the shown texts, which an answer reads anyway, so the vector store needs to know nothing of them. A passage that holds a
word of the question which the other lacks is never taken for a repetition: it may be the one that was meant.
"""

from __future__ import annotations

import re
from typing import Final

from frostbyte.data_plane.words import words

ENOUGH: Final = 0.8
"""Share of a passage's groups of words that must stand in the other one."""
_WORD: Final = re.compile(r"\w+")
_GROUP: Final = 3


class Gist:
    """What of a passage is compared."""

    def __init__(self, text: str) -> None:
        self._text = text
        found = _WORD.findall(text.casefold())
        self.sequence = tuple(found)
        self._groups = frozenset(zip(*(found[at:] for at in range(_GROUP)), strict=False)) or frozenset({tuple(found)})
        self._forms: frozenset[str] | None = None

    def repeats(self, other: Gist, asked: frozenset[str]) -> bool:
        """Whether it says nothing that `other` does not say.

        Args:
            asked: the forms of the question's words.
        """
        if len(self._groups & other._groups) < ENOUGH * len(self._groups):
            return False
        return not (self.forms & asked) - other.forms

    @property
    def forms(self) -> frozenset[str]:
        """The terms of its words."""
        if self._forms is None:
            self._forms = forms(self._text)
        return self._forms


def forms(text: str) -> frozenset[str]:
    """The terms that the words of a text are found under, without hints."""
    return frozenset(form for word in words(text) for form in word.forms)
