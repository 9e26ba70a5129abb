"""The signs by which people begin list items and numbered titles, in English and German."""

from __future__ import annotations

import re
from typing import Final

LIST_MARK: Final = re.compile(r"^\s*(?:[•◦▪‣●○■–*\-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})\))\s+\S")
"""A bullet, or a number or letter closed by a parenthesis."""

_ITEM: Final = re.compile(
    r"^\s*(\[\d{1,3}\]|[•◦▪▫‣⁃●○■□◆◇►▸➢➤✓✔❖·–—*\-\uf0a7\uf0b7]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})\)|(?:\d{1,3}|[a-z]|[ivx]{2,5})\.)\s+(?=\S)"
)
_MONTH: Final = re.compile(r"^\s*\d{1,2}\.\s+(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-zä]*\b")
"""`12. März`: a day, not the number of an item."""

NUMBERED_TITLE: Final = re.compile(
    r"^\s*(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|§\s*\d+\w?|(?:Article|Section|Artikel|Abschnitt|Teil|Anlage|Annex)"
    r"\s+[\dIVX]+\.?:?)\s+[A-ZÄÖÜ][^.!?;]{1,90}$"
)
"""`4.2 Termination`, `§ 7 Kündigung`, `Article 3 Fees`: a number, a capital and no sentence."""

CAPTION: Final = re.compile(
    r"^\s*(?:figure|fig\.|table|tab\.|tabelle|abbildung|abb\.|bild|listing|algorithm|scheme|chart|diagramm|exhibit)"
    r"\s*(?:\d{1,3}|[A-Z]|[IVX]{1,5})(?![^\W\d_]{2})(?:[.\-–]\d{1,3}){0,3}[a-z]?\s*(?P<stop>[.:|–—]|$)?",
    re.IGNORECASE,
)
"""`Figure 3.2: ...`, `Tabelle 4. ...`; the group `stop` is missing where a sentence may go on."""

LEADERS: Final = re.compile(r"\.{4,}|(?:\. ){3,}|…{2,}|_{4,}")
"""Dots that lead to a page number, or a line to write on."""

_JOINERS: Final = re.compile(r"^(?:und|oder|bzw\.?|sowie|and|or|to|bis)\b")


def list_mark(line: str) -> str:
    """The sign, number or letter by which a line begins an item of a list (`•`, `a)`, `3.`), or ''."""
    begin = line[:7]
    if len(begin) > 2 and begin[:3].isalpha() and ")" not in begin and "." not in begin:
        return ""  # a word: most lines
    found = _ITEM.match(line)
    if found is None or _MONTH.match(line):
        return ""
    return found.group(1)


def hyphen_joins(before: str, after: str) -> bool:
    """Whether the hyphen that ends the line `before` only broke a word that goes on in `after`.

    German keeps hyphens before a capital (`Haftpflicht-Versicherung`) and before `und` (`Vor- und Nachteile`).
    """
    return len(before) > 2 and before[-2].isalpha() and after[:1].islower() and not _JOINERS.match(after)


def hyphen_binds(before: str, after: str) -> bool:
    """Whether the hyphen at the line's end stays but no space follows it (a compound that was broken there)."""
    return len(before) > 1 and before[-2].isalnum() and after[:1].isalnum() and not _JOINERS.match(after)


def spaced(before: str, after: str) -> bool:
    """Whether a space belongs between two lines that are put together: not after a hyphen that binds, not between
    characters of scripts that know no spaces (Chinese, Japanese; Korean does)."""
    if before[-1:].isspace():
        return False
    if before[-1:] == "-" and hyphen_binds(before, after):
        return False
    return not (_is_unspaced(before[-1:]) and _is_unspaced(after.lstrip()[:1]))


def _is_unspaced(character: str) -> bool:
    return (
        "\u2e80" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\uff01" <= character <= "\uff9f"
        or ("\U00020000" <= character <= "\U0003ffff")
    )
