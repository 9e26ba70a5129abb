"""Forms in which names stand: what is said before them, titles that belong to them, lists of surnames in capitals.

All of it looks at a bounded stretch around one place, or at lines that begin as such a list does.
"""

from __future__ import annotations

import re
from typing import Final

from frostbyte.data_plane.policy.port import Span

_LEFT: Final = 64
"""Characters before a name that are looked at."""

_UPPER: Final = "[A-ZÀ-ÖØ-ÞĀČĎĐĚĞĪĹŁŃŇŐŘŚŞŠȘŢŤȚŪŮŰŹŻŽİ]"

_BORN: Final = re.compile(
    r"(?:,? ?\(?|\n)(?:geb\.|geborene[nr]?|verw\.|gesch\.|née|nee|formerly|formerly known as|früher|vormals|auch|"
    r"genannt|alias|aka|a\.k\.a\.) $"
)
"""Between somebody's name and another that they bear."""

_SAID: Final = re.compile(
    r"(?:(?:[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Ww]hose|[Mm]ein|[Ss]ein|[Ii]hr) [Nn]ame (?:is|was|ist|war|lautet)"
    r"|[Ii]ch heiße|(?:know|knew|known) (?:to \w{2,4} )?as|(?:goes|went) by|(?:called|nicknamed)"
    r"|(?:first|last|family|given|middle|maiden|sur)[ -]?name (?:is|was|maybe|perhaps|possibly|probably|:)"
    r"|[Ss]ign(?:ed)? by|a\.?k\.?a\.?:?|[Aa]lias:?) [\"“„‘']?$"
)
"""What says that a name follows."""

_THIS: Final = re.compile(r"(?:[Tt]his is|[Hh]ier (?:ist|spricht)|[Ii]t's) $")
_SPEAKS: Final = re.compile(r" (?:speaking|calling|from|here|with|again|vom?|von|am Apparat|hier)(?!\w)|[.!] How ")

_CLOSES: Final = re.compile(
    r"(?:^|\n|[.!?] )[ \t]*(?:LG|VG|MfG|MFG|BG|Gruß|Gruss|Grüße|Viele Grüße|Liebe Grüße|Lg|Vg|[Dd]eine?|[Ee]ure?) $"
)
"""A closing with the name in its own line."""

_SHIFT: Final = re.compile(r"(?:^|\n)[ \t]*(?:\[?\(?\d{1,2}[:.]\d{2}(?::\d{2})?\)?\]?[ \t]*(?:-[ \t]*)?)?(?:>[ \t]*)?$")
"""Where a speaker's name stands in a chat or a transcript."""

_TITLED: Final = re.compile(r"([^\W\d_]+)(\.?-|\.? )$")
_KEPT: Final = frozenset(
    "sister brother father mother canon lord lady reverend coach fam priv doz fr hr hrn rechtsanwalt rechtsanwältin"
    " monsignor rabbi imam notar notarin pastor pastorin pfarrer pfarrerin schwester nurse master dres capt cpl".split()
)
"""Titles by which people are called that stand for them without a name, too."""

_NAMED_AFTER: Final = re.compile(
    r"(?:St\.?|Ste\.?|Saint|Sankt|San|Santa|Fort|Mount|Lake|Camp|Haus|Typ|[A-Z]\.) $|[(/–-]$"
)
_ACTS: Final = re.compile(
    r"[,;!?]|\.(?:\s|$)|[ \t]*(?:\n|$)"
    r"| (?:has|had|is|was|will|would|can|could|said|says|asked|told|wants?|wanted|called|calls|came|went|and|from|who"
    r"|on|hat|hatte|ist|war|wird|will|kann|soll|sagt|sagte|meint|meinte|kommt|kam|und|aus|möchte|braucht|bringt|fährt|geht"
    r"|schickt|ruft|bekommt|macht)(?!\w)"
)
"""What stands behind a person rather than behind a thing of that name ("Petri dish", "Julian day")."""

_QUOTES: Final = "\"“”„‘’'‚«»"
_QUOTED: Final = re.compile(rf"(?:^|[\s(]|[^:,;=\s] )[{_QUOTES}]$")

_PASSENGER: Final = re.compile(
    r"(?<![A-Z/])[A-Z]{2,25}(?:[ -][A-Z]{2,25})?/[A-Z]{2,25}(?: [A-Z]{2,25})? ?"
    r"(?:MRS|MR|MS|MISS|MSTR|CHD|INF|DR)(?![A-Za-z])"
)
_ROLL: Final = re.compile(
    rf"(?m)^[ \t]*(?:\d{{1,3}}[.)]?[ \t]+)?((?:{_UPPER}{{2,20}}[ -]){{0,2}}{_UPPER}{{2,20}}"
    rf" {_UPPER}[a-zß-öø-ÿăąćčđęěğıłńňőřśşšťűźżž]{{1,20}}(?:[ -]{_UPPER}[a-zß-öø-ÿ]{{1,20}})?)[ \t]*(?=[/,;|\t]|  |$)"
)
"""A line of a list: the surname in capitals, then the given name."""


def listed(text: str) -> list[Span]:
    """Names of lists that write surnames in capitals: "OKONKWO/GRACE MRS", "SILVA Edivaldo" in at least two lines."""
    found = [match.span() for match in _PASSENGER.finditer(text)] if "/" in text else []
    roll = [match.span(1) for match in _ROLL.finditer(text)]
    return sorted([*found, *roll]) if len(roll) > 1 else found


def told(text: str, start: int, end: int, last: int) -> str:
    """What the words right before a name, and those behind it, say of it: 'strong' or ''.

    Args:
        last: where the name before it ends; negative if there is none.
    """
    left = text[max(0, start - _LEFT) : start]
    if last >= 0 and start - last < 24 and _BORN.fullmatch(text, last, start):
        return "strong"
    if _SAID.search(left) or (_THIS.search(left) and _SPEAKS.match(text, end)):
        return "strong"
    if _CLOSES.search(left) and text[end : end + 1] in ("", "\n"):
        return "strong"
    return ""


def speaks(text: str, start: int, end: int) -> bool:
    """Whether the name stands where a chat or a transcript names who speaks: "[18:04] Mira: ..."."""
    return text.startswith(": ", end) and _SHIFT.search(text[max(0, start - 24) : start]) is not None


def calls(text: str, start: int, end: int) -> bool:
    """Whether somebody is called by the name: "..., Moni? Danke!", or a letter begins or ends with it."""
    if text[start - 2 : start] == ", " and text[end : end + 1] in ("?", "!"):
        return True
    alone = text[max(0, start - 2) : start].endswith("\n") or start == 0
    return alone and (text.startswith((",\n", "!\n"), end) or (text[start - 2 : start] == "\n\n" and end == len(text)))


def acts(text: str, start: int, end: int) -> bool:
    """Whether a given name alone stands as a person does ("Benno hat", "w/ Ravi on the call"), not as a thing's."""
    if not text[start + 1 : start + 2].islower() or _NAMED_AFTER.search(text[max(0, start - 8) : start]):
        return False
    return _ACTS.match(text, end) is not None


def is_quoted(text: str, start: int, end: int) -> bool:
    """Whether the words stand in quotation marks in prose: what bears that name is a thing."""
    if text[end : end + 1] not in _QUOTES or not text[end : end + 1]:
        return False
    return _QUOTED.search(text[max(0, start - 3) : start]) is not None


def begin(text: str, start: int, titles: frozenset[str]) -> int:
    """Where a name begins with the titles that people are called by: "Sister Okafor", "Priv.-Doz. Dr. Hirt"."""
    at = first = start
    while True:
        match = _TITLED.search(text[max(0, at - 24) : at])
        if match is None or match[1].lower() not in titles or not match[1][0].isupper():
            return first
        at -= len(match[0])
        if match[1].lower() in _KEPT:
            first = at


def ends_in_code(text: str, end: int) -> bool:
    """Whether what looks like an initial goes on as a number: "B-206"."""
    return text[end : end + 1].isdigit() or (text[end : end + 1] in "-/" and text[end + 1 : end + 2].isdigit())
