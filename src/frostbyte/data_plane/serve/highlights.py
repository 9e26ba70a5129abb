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
_KEPT: Final = 8_192
_LONGEST: Final = 40
"""Characters; longer ones come once, and would fill the memory."""
_TOKEN: Final = re.compile(r"§+|\w+(?:[-./@:_,'’]\w+)*")
_PART: Final = re.compile(r"\w+")


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
        if len(found) >= MOST:
            break
        said, parts = (_known if len(token[0]) <= _LONGEST else _said)(token[0])
        if said.isdisjoint(asked):
            continue
        meant = [span for span, forms_of_it in parts if not forms_of_it.isdisjoint(asked)]
        # What only the whole says is meant as it stands: a file number.
        more = (said & asked).difference(*(forms_of_it for _, forms_of_it in parts))
        whole = more or len(meant) == len(parts)
        at = token.start()
        found += [token.span()] if whole else [(at + start, at + end) for start, end in meant]
    return found[:MOST]


def _said(token: str) -> tuple[frozenset[str], tuple[tuple[tuple[int, int], frozenset[str]], ...]]:
    """The forms of one token, and its parts with theirs."""
    return forms(token), tuple((part.span(), forms(part[0])) for part in _PART.finditer(token))


_known = lru_cache(maxsize=_KEPT)(_said)
"""The same, kept: the words of passages are the same again and again. Whoever sends documents decides what stands in
them, so that what is kept has a bound in number and in length."""
