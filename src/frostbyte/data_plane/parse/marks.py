"""The signs by which people begin list items and numbered titles, in English and German."""

from __future__ import annotations

import re
from typing import Final

LIST_MARK: Final = re.compile(r"^\s*(?:[•◦▪‣●○■–*\-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})\))\s+\S")
"""A bullet, or a number or letter closed by a parenthesis."""

NUMBERED_TITLE: Final = re.compile(
    r"^\s*(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|§\s*\d+\w?|(?:Article|Section|Artikel|Abschnitt|Teil|Anlage|Annex)"
    r"\s+[\dIVX]+\.?:?)\s+[A-ZÄÖÜ][^.!?;]{1,90}$"
)
"""`4.2 Termination`, `§ 7 Kündigung`, `Article 3 Fees`: a number, a capital and no sentence."""

_JOINERS: Final = re.compile(r"^(?:und|oder|bzw\.?|sowie|and|or|to|bis)\b")


def hyphen_joins(before: str, after: str) -> bool:
    """Whether the hyphen that ends the line `before` only broke a word that goes on in `after`.

    German keeps hyphens before a capital (`Haftpflicht-Versicherung`) and before `und` (`Vor- und Nachteile`).
    """
    return len(before) > 2 and before[-2].isalpha() and after[:1].islower() and not _JOINERS.match(after)


def hyphen_binds(before: str, after: str) -> bool:
    """Whether the hyphen at the line's end stays but no space follows it (a compound that was broken there)."""
    return len(before) > 1 and before[-2].isalnum() and after[:1].isalnum() and not _JOINERS.match(after)
