"""A paragraph's items as one text, with a sign before each that is more than text as it stands: how what was never
parsed says what was inserted, deleted or moved.

The signs are characters that XML does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from frostbyte.data_plane.parse.office.docx_text import Item, Paragraph

_PLAIN: Final = "\x02"
_SIGNS: Final = {
    ("text", ""): _PLAIN,
    ("text", "inserted"): "\x03",
    ("text", "moved_here"): "\x04",
    ("hidden", "deleted"): "\x05",
    ("hidden", "moved_away"): "\x06",
}
_MEANINGS: Final = {sign: meaning for meaning, sign in _SIGNS.items()}
SIGN: Final = re.compile(f"[{''.join(_MEANINGS)}]")
BYTES: Final = tuple(sign.encode() for sign in _MEANINGS)
"""The signs, in a part's bytes."""


def signed(items: Iterable[Item]) -> str | None:
    """The text of items; None if one is of another kind. Text as it stands needs a sign only behind other text."""
    parts: list[str] = []
    last = _PLAIN
    for what, text, about in items:
        sign = _SIGNS.get((what, about))
        if sign is None:
            return None
        if not sign == last == _PLAIN:
            parts.append(sign)
        parts.append(text)
        last = sign
    return "".join(parts)


def unsigned(text: str) -> Paragraph:
    """The items of a text, as the careful reader makes them: none is empty, and hidden ones are one with the next of
    their kind."""
    found: list[tuple[str, list[str]]] = []
    signs = (_PLAIN, *SIGN.findall(text))
    for sign, part in zip(signs, SIGN.split(text), strict=True):
        if part and found and found[-1][0] == sign and _MEANINGS[sign][0] == "hidden":
            found[-1][1].append(part)
        elif part:
            found.append((sign, [part]))
    return Paragraph([Item(_MEANINGS[sign][0], "".join(parts), _MEANINGS[sign][1]) for sign, parts in found])
