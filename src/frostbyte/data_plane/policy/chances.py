"""Which of many patterns have a chance in a text, and where: told from its words, much cheaper than trying them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Final, NamedTuple, Protocol

from frostbyte.data_plane.policy.literals import INSIDE, Strings
from frostbyte.data_plane.policy.wording import Cut

_SHORT: Final = 3
"""A need of so few letters is looked for as a word: "ai" stands in "said", too."""
_WORDS_KEPT: Final = 50_000
_LONGEST_WORD: Final = 60
"""How many words are remembered, and up to which length: what they give a chance is the same each time."""
_FURTHEST: Final = 440
"""The strings of one find stand at most this far apart."""
_LETTERS: Final = re.compile("[a-z]+")
_ANY: Final = -1
"""Stands in place of a word where a string has none that could be asked for."""


class Matched(Protocol):
    """A pattern as `Index` sees it."""

    @property
    def id(self) -> str: ...
    @property
    def needs(self) -> Strings: ...
    @property
    def starts(self) -> Mapping[str, int]: ...
    @property
    def width(self) -> int: ...
    @property
    def chances(self) -> tuple[tuple[Strings, ...], ...]: ...


class Look(NamedTuple):
    """What the words of a text say."""

    chances: dict[str, list[int]]
    """By pattern, the places of the words and strings that give it a chance; [] for one that has a chance anywhere."""
    starts: dict[str, list[int]]
    """The places at which the matches of a pattern can begin, in order, for those of which that is known."""
    heard: frozenset[str]
    """Which of the lists of strings that `Index` listens for have one in the text."""


@dataclass(frozen=True, slots=True)
class _Starts:
    """Where a pattern's matches can begin."""

    number: int
    """Stands for all words at which they do, and for those inside of which."""
    led: int
    """For those that other characters may stand before."""
    within: int
    """For those inside of which one of `inside` stands."""
    lead: int
    """How many."""
    inside: Strings
    """What they may begin with where letters stand before."""

    def places(self, text: str, places: _Places) -> list[int]:
        """In a text, in order."""
        if not places[self.led] and not places[self.within]:
            return places[self.number]
        found = set(places[self.number])
        for place in places[self.led]:
            for before in range(place - 1, max(place - self.lead, 0) - 1, -1):
                if "a" <= text[before] <= "z":
                    break
                found.add(before)
        for inner in self.inside if places[self.within] else ():
            at = text.find(inner)
            while at >= 0:
                found.add(at)
                at = text.find(inner, at + 1)
        return sorted(found)


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One alternative of a pattern: the sets of which a text holds a string each."""

    id: str
    sets: tuple[int, ...]
    others: tuple[tuple[int, int], ...]
    """Each set but the first, with how far from a string of the first one of its own may stand."""

    @staticmethod
    def of(item: Matched, sets: Sequence[Strings], numbers: Sequence[int], start: int | None) -> _Alternative:
        near = min(_FURTHEST, item.width + _LONGEST_WORD)
        reaches = [_FURTHEST if strings == item.needs else near for strings in sets[1:]]
        if start is not None:
            numbers = (*numbers, start)
            reaches.append(_FURTHEST if sets[0] == item.needs else near)
        return _Alternative(item.id, tuple(numbers), tuple(zip(numbers[1:], reaches, strict=True)))


class _Kept(NamedTuple):
    """What a word gives a chance."""

    word: str
    sets: tuple[int, ...]


class _Odd(NamedTuple):
    """A string that is no word, looked for only where all of its words may stand."""

    text: str
    words: frozenset[int]
    """What stands for its words."""
    sets: list[int]


class Index:
    """Tells from the words of a text where which patterns have a chance.

    A string of letters that a pattern needs stands inside a word (a run of letters), so what a word gives a chance is
    worked out once and remembered. Other strings are looked for as they are. Places are only listed for patterns of
    which the text holds all strings.

    Args:
        listened: lists of strings by a name of their own; `Look.heard` says of which the text holds one.
    """

    def __init__(self, patterns: Sequence[Matched], listened: Mapping[str, Sequence[str]]) -> None:
        self._free: list[str] = []
        self._whole: dict[str, list[int]] = {}
        self._begin: dict[str, list[int]] = {}
        self._end: dict[str, list[int]] = {}
        self._inside: dict[str, dict[str, list[int]]] = {}
        self._odd: dict[str, _Odd] = {}
        self._starts: dict[str, _Starts] = {}
        self._alternatives: dict[int, list[_Alternative]] = {}
        self._numbers: dict[object, int] = {}
        for item in patterns:
            if item.starts:
                self._register_starts(item)
            if not item.chances:
                self._free.append(item.id)
            for sets in item.chances:
                for strings in sets:
                    if strings not in self._numbers:
                        number = self._number(strings)
                        for text in strings:
                            self._register(text, number, whole=strings == item.needs)
                start = self._starts[item.id].number if item.starts else None
                one = _Alternative.of(item, sets, [self._numbers[strings] for strings in sets], start)
                self._alternatives.setdefault(one.sets[0], []).append(one)
        self._listened = {name: self._number(("listened", name)) for name in listened}
        for name, wanted in listened.items():
            for heard in wanted:
                self._register(heard, self._listened[name], whole=False)
        self._endings = tuple(self._end)
        self._beginnings: dict[str, list[str]] = {}
        for text in self._begin:
            self._beginnings.setdefault(text[:2], []).append(text)
        self._firsts = frozenset(self._alternatives)
        self._oddly: dict[int, list[_Odd]] = {}
        for odd in self._odd.values():
            self._oddly.setdefault(max(odd.words, default=_ANY), []).append(odd)
        self._told = _Told(self._of)

    def look(self, cut: Cut) -> Look:
        """What has a chance in a text."""
        told = [kept for kept in map(self._told.__getitem__, set(cut.words)) if kept is not None]
        there = {_ANY}.union(*[kept.sets for kept in told])
        same = [odd for number in there.intersection(self._oddly) for odd in self._oddly[number]]
        oddly = [odd for odd in same if there.issuperset(odd.words) and odd.text in cut.text]
        for odd in oddly:
            there.update(odd.sets)
        heard = frozenset(name for name, number in self._listened.items() if number in there)
        free = [name for name in self._free if name not in self._starts or self._starts[name].number in there]
        found: dict[str, list[int]] = {name: [] for name in free}
        first = [one for number in there & self._firsts for one in self._alternatives[number]]
        possible = [one for one in first if there.issuperset(one.sets)]
        begun = [self._starts[name] for name in {*free, *(one.id for one in possible)} if name in self._starts]
        if not possible and not begun:
            return Look(found, {}, heard)
        places = _Places(cut, told, oddly, possible, begun)
        for one in possible:
            here = places[one.sets[0]]
            for other, reach in one.others:
                if not here:
                    break
                here = _accompanied(here, places[other], reach)
            if here:
                found[one.id] = sorted(found[one.id] + here) if one.id in found else here
        starts = {name: self._starts[name].places(cut.text, places) for name in found if name in self._starts}
        return Look(found, starts, heard)

    def _number(self, of: object) -> int:
        return self._numbers.setdefault(of, len(self._numbers))

    def _register(self, text: str, number: int, *, whole: bool) -> None:
        if not (text.isalpha() and text.isascii()):
            odd = self._odd.get(text) or self._odd.setdefault(text, _Odd(text, self._words_of(text), []))
            odd.sets.append(number)
        elif len(text) <= _SHORT and whole:
            self._whole.setdefault(text, []).append(number)
        else:
            self._inside.setdefault(text[:_SHORT], {}).setdefault(text, []).append(number)

    def _words_of(self, odd: str) -> frozenset[int]:
        """What stands for words of which a text that holds this string has one each."""
        words: set[int] = set()
        for run in _LETTERS.finditer(odd):
            begins, ends = run.start() > 0, run.end() < len(odd)
            if not begins and not ends:
                continue  # it may stand anywhere in a word
            kind = self._whole if begins and ends else self._begin if begins else self._end
            number = self._number(("word of odd", run[0], begins, ends))
            if number not in kind.setdefault(run[0], []):
                kind[run[0]].append(number)
            words.add(number)
        return frozenset(words)

    def _register_starts(self, item: Matched) -> None:
        inside = tuple(sorted(text.removeprefix(INSIDE) for text in item.starts if text.startswith(INSIDE)))
        kinds = ("starts", "led starts", "starts within")
        every, led, within = (self._number((kind, item.id)) for kind in kinds)
        self._starts[item.id] = _Starts(every, led, within, max(item.starts.values()), inside)
        for text, before in item.starts.items():
            if text.startswith(INSIDE):
                continue
            kind = self._whole if text.endswith(" ") else self._begin
            kind.setdefault(text.rstrip(), []).extend((every, led) if before else (every,))
        for text in inside:
            self._inside.setdefault(text[:_SHORT], {}).setdefault(text, []).extend((every, within))

    def _of(self, run: str) -> _Kept | None:
        """What a word gives a chance."""
        names = set(self._whole.get(run, ()))
        for text in (*self._beginnings.get(run[:1], ()), *(self._beginnings.get(run[:2], ()) if len(run) > 1 else ())):
            if run.startswith(text):
                names.update(self._begin[text])
        if run.endswith(self._endings):
            for text in filter(run.endswith, self._endings):
                names.update(self._end[text])
        for at in range(len(run)):
            for text, same in self._inside.get(run[at : at + _SHORT], {}).items():
                if run.startswith(text, at):
                    names.update(same)
        return _Kept(run, tuple(sorted(names))) if names else None


class _Told(dict[str, _Kept | None]):
    """What each word gives a chance, worked out once a word; nothing for most."""

    def __init__(self, of: Callable[[str], _Kept | None]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, word: str) -> _Kept | None:
        kept = self._of(word)
        if len(self) >= _WORDS_KEPT:
            self.clear()
        if len(word) <= _LONGEST_WORD:
            self[word] = kept
        return kept


class _Places(dict[int, list[int]]):
    """Where in a text a set of strings has one, in order: put together when it is asked for."""

    def __init__(
        self,
        cut: Cut,
        told: Iterable[_Kept],
        oddly: Iterable[_Odd],
        possible: Iterable[_Alternative],
        begun: Iterable[_Starts],
    ) -> None:
        super().__init__()
        self._of: dict[int, list[list[int]]] = {number: [] for one in possible for number in one.sets}
        self._of.update((number, []) for one in begun for number in (one.number, one.led, one.within))
        wanted = frozenset(self._of)
        where: dict[str, list[int]] = {}
        for word, sets in told:
            numbers = wanted.intersection(sets)
            if numbers:
                here = where[word] = []
                for number in numbers:
                    self._of[number].append(here)
        words, starts = cut.words, cut.starts
        for number in compress(range(len(starts)), map(where.__contains__, words)):  # most are passed over in C
            where[words[number]].append(starts[number])
        for odd in oddly:
            lists = [self._of[number] for number in odd.sets if number in self._of]
            found = list(_everywhere(cut.text, odd.text)) if lists else []
            for one in lists:
                one.append(found)

    def __missing__(self, number: int) -> list[int]:
        parts = self._of[number]
        self[number] = found = parts[0] if len(parts) == 1 else sorted(chain.from_iterable(parts))
        return found


def _everywhere(text: str, part: str) -> Iterator[int]:
    """Where a part stands in a text, none of them over another."""
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _accompanied(places: Sequence[int], others: Sequence[int], reach: int) -> list[int]:
    """The places that have one of the others within `reach` (both ordered)."""
    return [
        place
        for place in places
        if (index := bisect_left(others, place - reach)) < len(others) and others[index] <= place + reach
    ]
