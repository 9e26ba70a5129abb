"""Where the words of a question stand in a passage, found as search finds them: by stem, number and date, not letter
by letter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from frostbyte.data_plane.serve.alike import forms

MOST: Final = 200
"""Places in one passage that are told."""
_USUAL: Final = 16_384
_ODD: Final = 2_048
_LONGEST: Final = 40
"""Characters; longer ones come once, and would fill the memory."""
_TOKEN: Final = re.compile(r"§+|\w+(?:[-./@:_,'’]\w+)*")
_PART: Final = re.compile(r"\w+")
_SIMPLE: Final = re.compile(r"[^\W\d_]*\d*")
"""A word, a number, or a word with a number behind it."""


def highlights(text: str, asked: frozenset[str]) -> list[tuple[int, int]]:
    """The places of the question's words.

    Args:
        text: a passage as it is shown.
        asked: the forms of the question's words (see `alike.forms`).

    Returns:
        From and to in characters of the text, in order, not overlapping; at most MOST.
    """
    found: list[tuple[int, int]] = []
    if not asked:
        return found
    for token in _TOKEN.finditer(text):
        word = token[0]
        said = _said(word)
        if said.isdisjoint(asked):
            continue
        found += [token.span()] if word.isalnum() else _places(word, token.start(), said & asked, asked)
        if len(found) >= MOST:
            break
    return found[:MOST]


def _places(token: str, at: int, met: frozenset[str], asked: frozenset[str]) -> list[tuple[int, int]]:
    """Of a token that stands at `at` and meets the question, what is meant: the whole, or some of its parts."""
    whole = [(at, at + len(token))]
    parts = [(part.span(), _said(part[0])) for part in _PART.finditer(token)]
    meant = [span for span, forms_of_it in parts if not forms_of_it.isdisjoint(asked)]
    # What only the whole says is meant as it stands: a file number.
    if len(meant) == len(parts) or met.difference(*(forms_of_it for _, forms_of_it in parts)):
        return whole
    return [(at + start, at + end) for start, end in meant]


def _said(token: str) -> frozenset[str]:
    """The forms of one token."""
    if len(token) > _LONGEST:
        return forms(token)
    return _usual(token) if token.isalpha() or _SIMPLE.fullmatch(token) else _odd(token)


_usual = lru_cache(maxsize=_USUAL)(forms)
"""The same, kept: the words of passages are the same again and again. Whoever sends documents decides what stands in
them, so that what is kept has a bound in number and in length: a usual word has at most five forms."""
_odd = lru_cache(maxsize=_ODD)(forms)
"""Of what has several parts, and so up to eighty forms."""
