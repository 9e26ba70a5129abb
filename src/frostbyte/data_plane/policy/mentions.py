"""Where a name that is known stands again in a text, or a part of it alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from frostbyte.data_plane.policy.port import Span
from frostbyte.data_plane.policy.runs import TOKEN, UPPER, Run, vocabulary


def words_of(name: str) -> list[str]:
    """The words of a name that mean its bearer also when they stand alone."""
    book = vocabulary()
    return [
        word
        for word in _parts(name)
        if len(word) > 2
        and word[0].isupper()
        and not any(word.lower() in book[kind] for kind in ("words", "titles", "particles"))
    ]


def places(text: str, words: Collection[str]) -> Iterator[Span]:
    """Where one of `words` (see `words_of`) stands alone, also with a genitive's s.

    A word that the text also uses without a capital is a word like others there, and is left alone.
    """
    if not words:
        return
    book = vocabulary()
    common: dict[str, bool] = {}
    for match in TOKEN.finditer(text):
        token = match.group().removesuffix("'s").removesuffix("’s")
        if token not in words and token.removesuffix("s") not in words:
            continue
        lower = token.lower()
        if lower not in common:
            common[lower] = (
                lower not in book["given"] and re.search(rf"(?<!\w){re.escape(lower)}(?!\w)", text) is not None
            )
        if common[lower]:
            continue
        run = Run((match.span(),), (lower,), "")
        if not _next_to_organisation(text, run, book):
            yield _begin(text, match.start(), words), match.start() + len(token)


def _begin(text: str, start: int, words: Collection[str]) -> int:
    """Where a mention begins with the particle that belongs to it, or a known name's initial: "W. Kern"."""
    before = _BEFORE.search(text[max(0, start - 12) : start])
    if before is None or (before[1] and not any(word[0] == before[1] for word in words)):
        return start
    return start - len(before.group())


def _parts(name: str) -> list[str]:
    """A name's words; what stands before the first given name is what the person does, not what they are called."""
    parts = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", name)
    given = next((index for index, word in enumerate(parts) if word.lower() in vocabulary()["given"]), 0)
    return parts if "," in name or given == len(parts) - 1 else parts[given:]


_BEFORE: Final = re.compile(rf"(?<!\w)(?<!i\. )(?<!p\. )(?:({UPPER})\. |(?:v\.|von|van|de|zu) )$")
"""An initial or a particle."""

_FOLLOWING: Final = re.compile(rf",?(?: {UPPER}[\w.]*){{1,3}}")
"""Capitalised words behind a name."""


def _next_to_organisation(text: str, run: Run, book: dict[str, frozenset[str]]) -> bool:
    behind = re.match(r"(?: ?& ?|-)\w|,? ([^\W\d_][\w.]*)", text[run.end : run.end + 24])
    if behind is None:
        return text[max(0, run.start - 2) : run.start] == "& "
    if behind.group(1) is None:
        return True
    following = _FOLLOWING.match(text, run.end, run.end + 60)
    words = re.findall(r"[^\W\d_][\w.]*", following.group()) if following else []
    return any(word.lower().rstrip(".") in book["organisations"] for word in words)
