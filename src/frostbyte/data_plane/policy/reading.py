"""The text that the gates match on, and the way back to canonical positions.

A rule must see what a person reads, not how a file spells it. So a `Reading` leaves out dropped characters and
invisible ones and folds look-alike characters of one meaning (full-width digits, the many dashes and spaces) to one;
`at[i]` says at which canonical position its i-th character stands. A joined reading also leaves out line ends and
inserted separators: it shows values that a layout cut in two.

Positions are document-wide: page i's position p is `bases[i] + p`, so one reading may run over a page break.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from frostbyte.data_plane.document import Page

INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Characters without ink (Unicode's default-ignorable code points), as the inside of a character class."""

_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")
_PLAIN_RUN: Final = re.compile(r"([^\x09\x0a\x0d\x20-\x7eÄÖÜäöüßéèà§€„“”–]+)")
_DASHES: Final = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


@dataclass(frozen=True, slots=True)
class Reading:
    """Folded text with, for each character, the position it came from."""

    text: str
    at: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The canonical range that `text[start:end]` covers; `end > start`."""
        return self.at[start], self.at[end - 1] + 1

    def index(self, position: int) -> int:
        """The first character of the reading that does not stand before `position`."""
        low, high = 0, len(self.at)
        while low < high:
            middle = (low + high) // 2
            if self.at[middle] < position:
                low = middle + 1
            else:
                high = middle
        return low


def fold_char(char: str) -> str:
    """What a character means to a rule: '' for an invisible one, else one or more plain ones."""
    if char in _DASHES:
        return "-"
    if char in "\u2028\u2029\x0b\x0c\x85":
        return "\n"
    if _INVISIBLE.match(char):
        return ""
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.digit(char))
    folded = unicodedata.normalize("NFKC", char)
    return folded if folded.strip() else " "


class Folder:
    """Folds the foreign runs of a text, and keeps where each character came from.

    Args:
        foreign: finds runs of characters that need a look, as its only group.
        letter: what one of them becomes: none, one or more characters.
        common: what becomes of the stretches between them; must not change their length.
    """

    def __init__(
        self, foreign: re.Pattern[str], letter: Callable[[str], str], common: Callable[[str], str] | None = None
    ) -> None:
        self._foreign = foreign
        self._letter = lru_cache(maxsize=4096)(letter)
        self._common = common
        self._short = lru_cache(maxsize=4096)(self._run)

    def folded(self, text: str, at: Sequence[int]) -> tuple[str, Sequence[int]]:
        """The folded text, and the position of each of its characters."""
        pieces = self._foreign.split(text)
        runs = [self._short(run) if len(run) <= _SHORT_RUN else self._run(run) for run in pieces[1::2]]
        kept = all(widths is None for _, widths in runs)
        if not kept:
            at = _moved(pieces, runs, at)
        if self._common is not None:
            pieces[::2] = map(self._common, pieces[::2])
        pieces[1::2] = [folded for folded, _ in runs]
        return "".join(pieces), at

    def _run(self, run: str) -> _Run:
        letters = [self._letter(char) for char in run]
        same = all(len(letter) == 1 for letter in letters)
        return "".join(letters), None if same else [len(letter) for letter in letters]


_Run = tuple[str, list[int] | None]
"""A folded run, and how many characters became of each; None where each became one."""
_SHORT_RUN: Final = 8
"""Characters of runs that are remembered."""


def _moved(pieces: Sequence[str], runs: Sequence[_Run], at: Sequence[int]) -> list[int]:
    """The positions `at` of the folded text's characters."""
    moved: list[int] = []
    here = 0
    for index, piece in enumerate(pieces):
        end = here + len(piece)
        widths = runs[index // 2][1] if index % 2 else None
        if widths is None:
            moved.extend(at[here:end])
        else:
            for position, width in zip(at[here:end], widths, strict=True):
                moved.extend([position] * width)
        here = end
    return moved


def plain(text: str, base: int = 0) -> Reading:
    """The reading of a text without layout."""
    return _build(text, base, [(0, len(text))])


def of_page(page: Page, base: int = 0, *, joined: bool = False) -> Reading:
    """The reading of a page; with `joined`, line ends and inserted separators are left out too."""
    gaps = [(drop.start, drop.end) for drop in page.dropped]
    if joined:
        gaps += [(span.start, span.end) for span in page.inserted]
        gaps += [match.span() for match in re.finditer(r"[\r\n]+[ \t]*", page.text)]
    return _build(page.text, base, _without(len(page.text), gaps))


def join(first: Reading, second: Reading, *, reach: int) -> Reading:
    """The last `reach` characters of one reading and the first of another, as if nothing stood between."""
    return Reading(
        first.text[-reach:] + "\n" + second.text[:reach],
        [*first.at[-reach:], first.at[-1] if first.at else 0, *second.at[:reach]],
    )


def split(span: tuple[int, int], bases: Sequence[int], lengths: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """The parts (page index, start, end) of a document-wide range, by page."""
    index = max(bisect_right(bases, span[0]) - 1, 0)
    while index < len(bases) and bases[index] < span[1]:
        start = max(span[0] - bases[index], 0)
        end = min(span[1] - bases[index], lengths[index])
        if end > start:
            yield index, start, end
        index += 1


def _without(length: int, gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges of `[0, length)` that no gap covers."""
    kept: list[tuple[int, int]] = []
    at = 0
    for start, end in sorted(gaps):
        if start > at:
            kept.append((at, min(start, length)))
        at = max(at, end)
    if at < length:
        kept.append((at, length))
    return kept


def _build(text: str, base: int, ranges: list[tuple[int, int]]) -> Reading:
    at: Sequence[int] = range(base, base + len(text))
    if len(ranges) != 1 or ranges[0] != (0, len(text)):
        at = list(chain.from_iterable(at[start:end] for start, end in ranges))
        text = "".join([text[start:end] for start, end in ranges])
    folded, at = _FOLDER.folded(text, at)
    return Reading(folded.replace("\u2013", "-"), at)


_FOLDER: Final = Folder(_PLAIN_RUN, fold_char)
