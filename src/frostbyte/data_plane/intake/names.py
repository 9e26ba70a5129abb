"""File names as senders give them: shown to people, never used as a path."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST: Final = 200
"""Characters that are kept of a name."""

UNNAMED: Final = "unnamed"

_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Unicode categories that show nothing or turn the direction of reading: `invoice<RLO>fdp.exe` looks harmless."""


def display_name(given: str | bytes) -> str:
    """A name fit to be shown: no folders, no invisible or control characters, at most `LONGEST` characters.

    Bytes that are not UTF-8 become U+FFFD. The end is kept when it is shortened, because it holds the type.
    """
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else _without_surrogates(given)
    text = unicodedata.normalize("NFC", text)
    text = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = "".join(" " if ch in "\t\n\r" else ch for ch in text)
    text = "".join(ch for ch in text if unicodedata.category(ch) not in _HIDDEN)
    text = " ".join(text.split())
    if len(text) > LONGEST:
        stem, dot, ending = text.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 16 else ""
        text = text[: LONGEST - len(ending) - 1] + "…" + ending
    return UNNAMED if not text.strip(". ") else text


def _without_surrogates(text: str) -> str:
    """Undo what `surrogateescape` made of bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace").decode("utf-8", "replace")


def _escaped(text: str) -> bool:
    return all(0xDC80 <= ord(ch) <= 0xDCFF for ch in text if 0xD800 <= ord(ch) <= 0xDFFF)
