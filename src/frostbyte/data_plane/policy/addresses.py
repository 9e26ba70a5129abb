"""Postal addresses by their form: street with number, postcode with place, boxes, and labelled fields of forms.

A place alone is no address, nor is a number behind a word ("port 443"). A street with its number is one, with or
without a place; a postcode with a place is one behind a street, in a line of its own or behind a label.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final

from frostbyte.data_plane.policy import british
from frostbyte.data_plane.policy.columns import Columns
from frostbyte.data_plane.policy.port import Span

_MONEY: Final = frozenset("€$£%")
_WHOLE: Final = frozenset(
    (
        "address|home address|street|street address|mailing address|postal address|zip|zip code|postcode|postal code"
        "|anschrift|adresse|straße|strasse|straße, nr|straße/nr.|straße und hausnummer|plz|plz ort|plz/ort|plz, ort"
        "|wohnanschrift"
    ).split("|")
)
"""Heads of columns that make their table one of addresses."""

_PARTS: Final = frozenset("city town state zip ort plz wohnort city/town street".split())
"""Fields that name no more than a place: part of an address where another field of one is near."""

_BIRTH: Final = re.compile(r"[Gg]eb(?:\.|oren|urts)|[Bb]orn|[Bb]irth")

_NEAR: Final = 160
"""Characters within which the fields of one form lie."""


_PART_OF_HOUSE: Final = re.compile(
    r"(?<!\w)(?:Hinterhaus|Vorderhaus|Seitenflügel|Gartenhaus|Rückgebäude|Quergebäude"
    r"|(?:\d{1,2}\. ?)(?:OG|Stock|Etage)),?[ \n]$"
)

_PART: Final = re.compile(r"@(\w+)@")


@lru_cache(maxsize=1)
def _book() -> tuple[tuple[re.Pattern[str], ...], dict[str, re.Pattern[str]]]:
    """The forms, and the other patterns by name."""
    text = files("frostbyte.data_plane.policy.rules").joinpath("addresses.toml").read_text("utf-8")
    book: dict[str, dict[str, str]] = tomllib.loads(text)
    parts: dict[str, str] = {}
    for name, pattern in book["parts"].items():
        parts[name] = _filled(pattern, parts)
    forms = tuple(re.compile(_filled(pattern, parts)) for pattern in book["forms"].values())
    return forms, {name: re.compile(_filled(pattern, parts)) for name, pattern in book["also"].items()}


def _filled(pattern: str, parts: dict[str, str]) -> str:
    return _PART.sub(lambda match: parts[match.group(1)], pattern)


def cues(text: str) -> Iterator[Span]:
    """Where an address may stand whose form is not known: worth a look by an engine."""
    for match in _book()[1]["cue"].finditer(text):
        yield match.span()


def find(text: str) -> list[Span]:
    """Addresses by form and by label, ordered; they do not overlap."""
    found = [match.span() for form in _book()[0] for match in form.finditer(text)]
    spans = [span for span in (_trimmed(text, span) for span in found) if _is_one(text, span)]
    spans = [(_begin(text, start), end) for start, end in [*spans, *british.find(text)]]
    return _united([*spans, *_fields(text, spans), *_cells(text)])


def plausible(text: str, span: Span) -> bool:
    """Whether what an engine took for an address holds what makes one."""
    value = text[span[0] : span[1]]
    if "\t" in value or ";" in value or not any(char.isdigit() for char in value):
        return False
    return bool(_book()[1]["street_word"].search(value) or _book()[1]["placed"].search(value))


def _is_one(text: str, span: Span) -> bool:
    value = text[span[0] : span[1]]
    first = value.split()[0].rstrip(".,") if value.split() else ""
    return not (_book()[1]["no_street"].match(first) or not _MONEY.isdisjoint(value))


def _begin(text: str, start: int) -> int:
    """Where an address begins with the part of the house before its street: "Hinterhaus, Weserstr. 171"."""
    part = _PART_OF_HOUSE.search(text[max(0, start - 30) : start])
    return start - len(part.group()) if part is not None else start


def _trimmed(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1] in " \t\n,;.|":
        end -= 1
    return start, end


def _fields(text: str, known: Iterable[Span]) -> Iterator[Span]:
    places = [start for start, _ in known]
    matches = list(_book()[1]["field"].finditer(text))
    places += [m.start("value") for m in matches]
    for match in matches:
        start, end = _trimmed(text, match.span("value"))
        label = " ".join(match["label"].lower().split())
        value = text[start:end]
        if not value or not (value[0].isupper() or value[0].isdigit()) or "@" in value or "://" in value:
            continue
        if label in _PARTS and sum(1 for place in places if 0 < abs(place - start) < _NEAR) == 0:
            continue
        if label in _PARTS and _BIRTH.search(text[text.rfind("\n", 0, match.start()) + 1 : match.start()]):
            continue  # where somebody was born
        if label not in _PARTS and (
            len(value) < 4 or not (any(c.isdigit() for c in value) or label.startswith("stra"))
        ):
            continue
        yield start, end


def _cells(text: str) -> Iterator[Span]:
    """The cells below the heads of a table that name an address or its parts."""
    columns = Columns(text)
    for match in _book()[1]["heads"].finditer(text):
        for heads, cells in columns.below(match.start()):
            names = [head.strip().lower() for head in heads]
            whole = any(name in _WHOLE for name in names)
            for name, (start, end) in zip(names, cells, strict=False):
                if any(map(str.isalnum, text[start:end])) and (name in _WHOLE or (whole and name in _PARTS)):
                    yield start, end


def _united(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for start, end in sorted(spans):
        if kept and start <= kept[-1][1]:
            kept[-1] = (kept[-1][0], max(kept[-1][1], end))
        else:
            kept.append((start, end))
    return kept
