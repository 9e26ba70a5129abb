"""What support is given: sections of short lines that a person can read before they hand them on."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+/@%()-]{0,127}", re.ASCII)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is collected."""

    title: str
    lines: tuple[str, ...]


def row(*words: object) -> str:
    """Words of a line, each only if it is written as versions, ids, states and numbers are; else `?`. None is `-`."""
    return " ".join(_word(word) for word in words)


def _word(word: object) -> str:
    if word is None or word == "":
        return "-"
    if isinstance(word, bool):
        return "yes" if word else "no"
    text = f"{word:.1f}" if isinstance(word, float) else str(word)
    return text if _WORD.fullmatch(text) else "?"
