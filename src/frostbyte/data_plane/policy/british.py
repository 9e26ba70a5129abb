"""British addresses, read backwards from their postcode: towns, the street, and what stands before it.

"The Old Forge, 2 Church Walk, Ludlow, Shropshire SY8 1AP" has parts between commas or in lines of their own. A house's
name is known by its article or its last word, for a person's name stands there as often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from frostbyte.data_plane.policy.port import Span
from frostbyte.data_plane.policy.runs import vocabulary

_REACH: Final = 130
"""Characters before a postcode."""

_CODE: Final = re.compile(r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]?[ \t]\d[A-Z]{2}(?!\w)")
_CUT: Final = re.compile(r",[ \t]*(?:\n[ \t]*)?|[ \t]*\n[ \t]*")
_WORDS: Final = r"[A-Z][\w'’.-]*(?: (?:[A-Z][\w'’.-]*|of|the|on|in|by|upon|le|under|next))*"
"""Hyphens stand within words alone: could they part words, too, "A-A-A-" would be read in every way there is."""
_ENDS: Final = (
    "Street St Avenue Ave Road Rd Lane Ln Drive Close Grove Crescent Mews Gardens Row Hill Walk Quay Place Court Way"
    " Terrace Square Rise Vale Yard Parade Embankment View Green Park Villas Fields Wharf Broadway Gate"
    " Bank End Side Brow Fold"
).replace(" ", "|")
_HOUSES: Final = (
    "Cottage Cottages House Lodge Farm Farmhouse Barn Hall Manor Mill Forge Maltings Surgery Court Mansions Buildings"
    " Villa Bungalow Rectory Vicarage Manse Grange Gables Works Centre Clinic Practice Hotel Hospital School Chambers"
    " Wing Croft Stables Annexe Annex Flat Tower Heights Point Lodgings Oaks Elms Firs Lawns Priory Abbey Rooms"
    " Studios Studio"
).replace(" ", "|")
_STREET: Final = re.compile(
    rf"(?:^|(?<=\s))(?:\d{{1,4}}[A-Za-z]?(?: ?[-–/] ?\d{{1,4}}[A-Za-z]?)?,? {_WORDS}|{_WORDS} (?:{_ENDS}))$"
)
_BEFORE: Final = re.compile(
    rf"(?:^|(?<=\s))(?:The {_WORDS}|(?:{_WORDS} )?(?:{_HOUSES})"
    r"|(?:Flat|Unit|Apartment|Apt|Suite|Studio|Room|Block|Floor|Plot)\.? ?#?\w{1,5}"
    r"|(?:(?:First|Second|Third|Fourth|Ground|Top|Upper|Lower|Garden|Basement)[ -])(?:[Ff]loor)?(?: ?[Ff]lat)?)$"
)
_TOWN: Final = re.compile(rf"{_WORDS}")


def find(text: str) -> Iterator[Span]:
    """Addresses that end with a British postcode and hold a street or a house."""
    for code in _CODE.finditer(text):
        start = _start(text, code.start())
        if start is not None:
            yield start, code.end()


def _start(text: str, end: int) -> int | None:
    """Where the address before the postcode begins; None if no street or house stands there."""
    parts = _parts(text, end)
    start: int | None = None
    for index, (begin, stop) in enumerate(parts):
        part = text[begin:stop]
        if not part:
            if index:
                return start
            continue
        found = _BEFORE.search(part) or (_STREET.search(part) if start is None or index < 3 else None)
        if found is not None and index and found.group().split()[0].lower() in vocabulary()["given"]:
            return start  # "Mary Hall" lives there
        if found is None:
            if start is not None or index > 2 or not _TOWN.fullmatch(part):
                return start
            continue
        start = begin + found.start()
        if found.start():  # what stands before it in its part is no address
            return start
    return start


def _parts(text: str, end: int) -> list[Span]:
    """The stretches between commas and line ends before a position, the last first; at most six."""
    begin = max(0, end - _REACH, text.rfind("\n\n", 0, end) + 1)
    cuts = [match.span() for match in _CUT.finditer(text, begin, end)][-6:]
    parts: list[Span] = []
    stop = end
    while stop > begin and text[stop - 1] in " \t":
        stop -= 1
    for cut, behind in reversed(cuts):
        parts.append((min(behind, stop), stop))
        stop = cut
    parts.append((begin, stop))
    return parts
