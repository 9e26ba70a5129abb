"""What the injection gate looks for: rules, the parts that some of them combine, and the words they share."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, compress
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from frostbyte.data_plane.policy.literals import Strings, chances, starts, width
from frostbyte.data_plane.policy.wording import WORDS, Wording
from frostbyte.kernel.tenancy import Ratio

_GAP: Final = r"(?:[\W_]{1,8})"
_BLANK: Final = r"(?:[ \t_-]{1,3}|\r?\n)"
"""Between words of one sentence: what speaks against a find must not reach over its end."""
_MAYBE: Final = r"(?:[\W_]{0,8})"
_WORD: Final = re.compile(r"\{\{([a-z0-9_]+)\}\}")
_SHORT: Final = 3
"""A need of so few letters is looked for as a word: "ai" stands in "said", too."""

_NAMED: Final = re.compile(r"([a-z]{3,}[a-z])(?!\?)|([a-z]{4,})(?=[a-z]\?)")
"""Letters that a pattern names one after the other, but for a last one that may be missing."""
_WORDS_KEPT: Final = 50_000
_LONGEST_WORD: Final = 60
"""How many words are remembered, and up to which length: what they give a chance is the same each time."""

_FURTHEST: Final = 440
"""The strings of one find stand at most this far apart."""

_Id = Annotated[str, Meta(pattern="^[a-z0-9_]{2,60}$")]


class _Matched(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    id: _Id
    languages: tuple[str, ...] = ()
    """For people: which languages it is written for; empty means any."""
    pattern: str = ""
    """Matched on folded text (lower case, no accents); a blank is a short gap, `{{name}}` one of the shared words."""
    needs: tuple[str, ...] = ()
    """Strings of which folded text must hold one for the pattern to have a chance. Empty: taken from the pattern."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """For text as it is: a blank is a gap of up to eight characters that are no letters or digits."""
        return re.compile(self.pattern.replace(" ", _GAP), re.DOTALL)

    @cached_property
    def starts(self) -> dict[str, int]:
        """How the first words of its matches begin (see `literals.starts`); empty if it is not known."""
        return starts(self.regex.pattern)

    @cached_property
    def width(self) -> int:
        """The most characters that a find may have; a very large number if there is no such bound."""
        return width(self.regex.pattern)

    @cached_property
    def squeezed(self) -> re.Pattern[str]:
        """For text whose gaps were lost: a blank may be nothing, and word borders are not asked for."""
        return re.compile(self.pattern.replace(" ", _MAYBE).replace(r"\b", ""), re.DOTALL)

    @cached_property
    def chances(self) -> tuple[tuple[Strings, ...], ...]:
        """For each alternative: sets of strings of which a text holds one each, near the one of the first set.

        Empty if the pattern has a chance in any text.
        """
        found = chances(self.regex.pattern)
        if not self.needs:
            return found
        return tuple((*sets, self.needs) for sets in found) or ((self.needs,),)


class Part(_Matched, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A piece of evidence that says nothing alone. Several may bear the same `part`: they are alternatives."""

    part: _Id


class InjectionRule(_Matched, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Something that reads like an order to a language model: a pattern, or parts that stand close together."""

    score: Ratio
    parts: tuple[str, ...] = ()
    """Names of parts; the first is looked for first, the others near it, before or behind."""
    within: Annotated[int, Meta(ge=1, le=400)] = 150
    """How many characters may lie between the first part and each other one."""
    unless: str = ""
    """A pattern that speaks against it, looked for in the text around a find (60 characters each way)."""
    unseen: bool = False
    """Whether it counts only where a person does not look."""
    encoded: bool = True
    """Whether it is also looked for in decoded, reversed, spaced-out and letter-substituted text."""
    firm: bool = False
    """Whether its score stays as it is in a sentence that is worded harmlessly (`wording.py`)."""
    positive: Annotated[tuple[str, ...], Meta(min_length=1)]
    negative: Annotated[tuple[str, ...], Meta(min_length=1)]

    @cached_property
    def unless_regex(self) -> re.Pattern[str] | None:
        """The compiled `unless`."""
        return re.compile(self.unless.replace(" ", _BLANK), re.DOTALL) if self.unless else None


class InjectionFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`injection.toml`."""

    telltale: tuple[str, ...] = ()
    words: dict[str, tuple[str, ...]] = {}
    part: tuple[Part, ...] = ()
    rule: Annotated[tuple[InjectionRule, ...], Meta(min_length=1)]


@dataclass(frozen=True)
class InjectionRules:
    """The rules of one file, with shared words put in."""

    rules: tuple[InjectionRule, ...]
    parts: Mapping[str, tuple[Part, ...]]
    telltale: tuple[str, ...]
    """Words of which a disguised order holds at least one."""
    wording: Wording | None = None
    """What judges how sentences are worded beside the rules; None: they alone decide."""

    @staticmethod
    def of(file: InjectionFile, wording: Wording | None = None) -> InjectionRules:
        """The rules with every `{{name}}` replaced.

        Raises:
            KeyError: a pattern names words or a part that the file does not have; the message names the rule.
        """
        words = {name: "|".join(choices) for name, choices in file.words.items()}
        words = {name: _expand(name, text, words) for name, text in words.items()}
        parts: dict[str, tuple[Part, ...]] = {}
        for part in file.part:
            full = replace(part, pattern=_expand(part.id, part.pattern, words))
            parts[part.part] = (*parts.get(part.part, ()), full)
        rules = tuple(_filled(rule, words) for rule in file.rule)
        for rule in rules:
            if bool(rule.parts) == bool(rule.pattern):
                raise KeyError(f"{rule.id}: it needs either a pattern or parts")
            for name in rule.parts:
                if name not in parts:
                    raise KeyError(f"{rule.id}: there is no part {name}")
        return InjectionRules(rules, parts, file.telltale, wording)

    def only(self, rule: InjectionRule) -> InjectionRules:
        """This rule alone, with the parts it may name."""
        return InjectionRules((rule,), self.parts, ())

    @property
    def everything(self) -> tuple[InjectionRule | Part, ...]:
        """Rules and parts."""
        return (*self.rules, *(part for same in self.parts.values() for part in same))

    @cached_property
    def index(self) -> Index:
        """Which patterns have a chance in a text, of those that are not only looked for near another one."""
        names = sorted({rule.parts[0] for rule in self.rules if rule.parts})
        first = [part for name in names for part in self.parts[name]]
        return Index([*(rule for rule in self.rules if rule.pattern), *first])

    @cached_property
    def seen(self) -> tuple[InjectionRule, ...]:
        """The rules for any text."""
        return tuple(rule for rule in self.rules if not rule.unseen)

    @cached_property
    def tried(self) -> tuple[tuple[InjectionRule, frozenset[str]], ...]:
        """All rules, with the ids of those patterns of which one must have a chance for the rule to have one."""
        firsts = ((rule, self.parts[rule.parts[0]] if rule.parts else (rule,)) for rule in self.rules)
        return tuple((rule, frozenset(item.id for item in first)) for rule, first in firsts)

    @cached_property
    def firm(self) -> frozenset[str]:
        """The ids of the rules that are `firm`."""
        return frozenset(rule.id for rule in self.rules if rule.firm)

    @cached_property
    def unseen(self) -> InjectionRules:
        """The rules for text where a person does not look, beside the others."""
        return InjectionRules(tuple(rule for rule in self.rules if rule.unseen), self.parts, ())

    def telling(self, word: str, undone: str) -> bool:
        """Whether a disguised word, undone, holds letters that some pattern names and that it did not hold before."""
        known = self._telling.get((word, undone))
        if known is None:
            if len(self._telling) >= _WORDS_KEPT:
                self._telling.clear()
            known = any(text in undone and text not in word for text in self._vocabulary)
            self._telling[word, undone] = known
        return known

    @cached_property
    def _telling(self) -> dict[tuple[str, str], bool]:
        return {}

    @cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        runs = {run[1] for item in self.everything for run in _NAMED.finditer(item.pattern)}
        return tuple(sorted(runs))

    @cached_property
    def mirrored(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The telltale words in ROT13 and reversed, those without blanks."""
        long = [word for word in self.telltale if len(word) >= 5 and " " not in word]
        return tuple(codecs.encode(word, "rot13") for word in long), tuple(word[::-1] for word in long)


@dataclass(frozen=True, slots=True)
class _Starts:
    """Where a pattern's matches can begin."""

    number: int
    """Stands for all words at which they do."""
    led: int
    """For those that other characters may stand before."""
    lead: int
    """How many."""

    def places(self, text: str, places: Mapping[int, list[int]]) -> list[int]:
        """In a text, in order."""
        if not self.lead or not places[self.led]:
            return places[self.number]
        found = set(places[self.number])
        for place in places[self.led]:
            for before in range(place - 1, max(place - self.lead, 0) - 1, -1):
                if "a" <= text[before] <= "z":
                    break
                found.add(before)
        return sorted(found)


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One alternative of a pattern: the sets of which a text holds a string each."""

    id: str
    sets: tuple[int, ...]
    reaches: tuple[int, ...]
    """How far from a string of the first set one of each other set may stand."""
    mask: int
    """The bits of all sets."""

    @staticmethod
    def of(item: _Matched, sets: Sequence[Strings], numbers: Sequence[int], start: int | None) -> _Alternative:
        near = min(_FURTHEST, item.width + _LONGEST_WORD)
        reaches = [_FURTHEST if strings == item.needs else near for strings in sets[1:]]
        if start is not None:
            numbers = (*numbers, start)
            reaches.append(_FURTHEST if sets[0] == item.needs else near)
        return _Alternative(item.id, tuple(numbers), tuple(reaches), _bits(numbers))


class Index:
    """Tells from the words of a text where which patterns have a chance: much cheaper than trying them.

    A string of letters that a pattern needs stands inside a word (a run of letters), so what a word gives a chance is
    worked out once and remembered. Other strings are looked for as they are. Places are only listed for patterns of
    which the text holds all strings.
    """

    def __init__(self, patterns: Sequence[_Matched]) -> None:
        self._free: list[str] = []
        self._whole: dict[str, list[int]] = {}
        self._inside: dict[str, list[tuple[str, list[int]]]] = {}
        self._odd: dict[str, list[int]] = {}
        self._known: dict[str, _Kept] = {}
        self._mute: set[str] = set()
        """Words that hold no string: most of a text, taken out at once."""
        self._begin: dict[str, list[int]] = {}
        self._starts: dict[str, _Starts] = {}
        self._alternatives: list[_Alternative] = []
        numbers: dict[Strings, int] = {}
        inside: dict[str, list[int]] = {}
        for item in patterns:
            if item.starts:
                self._register_starts(item, numbers)
            if not item.chances:
                self._free.append(item.id)
            for sets in item.chances:
                for strings in sets:
                    if strings not in numbers:
                        numbers[strings] = len(numbers)
                        self._register(strings, numbers[strings], inside, whole=strings == item.needs)
                start = self._starts[item.id].number if item.starts else None
                self._alternatives.append(_Alternative.of(item, sets, [numbers[strings] for strings in sets], start))
        for text, having in inside.items():
            self._inside.setdefault(text[:_SHORT], []).append((text, having))

    def _register(self, strings: Sequence[str], number: int, inside: dict[str, list[int]], *, whole: bool) -> None:
        for text in strings:
            letters = text.isalpha() and text.isascii()
            kind = self._odd if not letters else self._whole if len(text) <= _SHORT and whole else inside
            kind.setdefault(text, []).append(number)

    def _register_starts(self, item: _Matched, numbers: dict[Strings, int]) -> None:
        lead = max(item.starts.values())
        every, led = (numbers.setdefault((kind, item.id), len(numbers)) for kind in ("starts", "led starts"))
        self._starts[item.id] = _Starts(every, led, lead)
        for text, before in item.starts.items():
            kind = self._whole if text.endswith(" ") else self._begin
            kind.setdefault(text.rstrip(), []).extend((every, led) if before else (every,))

    def chances(self, text: str, pieces: Sequence[str] = ()) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """By pattern, where it has a chance.

        Args:
            pieces: the text as `WORDS` splits it, if that was done.

        Returns:
            The places of the words and strings that give a pattern a chance, [] for one that has a chance anywhere;
            and the places at which its matches can begin, for those patterns of which that is known.
        """
        pieces = pieces or WORDS.split(text)
        told, present = self._told(set(pieces[1::2]))
        oddly = {odd: having for odd, having in self._odd.items() if odd in text}
        for having in oddly.values():
            present |= _bits(having)
        free = [name for name in self._free if name not in self._starts or present >> self._starts[name].number & 1]
        found: dict[str, list[int]] = {name: [] for name in free}
        possible = [one for one in self._alternatives if one.mask & present == one.mask]
        begun = [self._starts[name] for name in {*free, *(one.id for one in possible)} if name in self._starts]
        if not possible and not begun:
            return found, {}
        places: dict[int, list[int]] = {number: [] for one in possible for number in one.sets}
        places.update((number, []) for one in begun for number in (one.number, one.led))
        wanted = _bits(places)
        where = {word: [places[n] for n in kept[0] if n in places] for word, kept in told.items() if kept[1] & wanted}
        words = pieces[1::2]
        ends = list(accumulate(map(len, pieces)))
        for number in compress(range(len(words)), map(where.__contains__, words)):  # most words are passed over in C
            for having in where[words[number]]:
                having.append(ends[2 * number])
        _add_odd(text, oddly, places)
        for one in possible:
            here = places[one.sets[0]]
            for other, reach in zip(one.sets[1:], one.reaches, strict=True):
                here = _accompanied(here, places[other], reach) if here else here
            if here:
                found[one.id] = sorted(found[one.id] + here) if one.id in found else here
        return found, {name: self._starts[name].places(text, places) for name in found if name in self._starts}

    def _told(self, words: set[str]) -> tuple[dict[str, _Kept], int]:
        """The words that hold a string, with the sets that it is in; and the bits of all of these sets."""
        told: dict[str, _Kept] = {}
        present = 0
        known = self._known
        for run in words - self._mute:
            kept = known.get(run)
            if kept is None:
                kept = self._of(run)
            if kept[1]:
                told[run] = kept
                present |= kept[1]
        return told, present

    def _of(self, run: str) -> _Kept:
        names = set(self._whole.get(run, ()))
        for end in range(1, len(run) + 1):
            names.update(self._begin.get(run[:end], ()))
        for at in range(len(run)):
            for text, same in self._inside.get(run[at : at + _SHORT], ()):
                if run.startswith(text, at):
                    names.update(same)
        if len(self._known) + len(self._mute) >= _WORDS_KEPT:
            self._known.clear()
            self._mute.clear()
        found = (tuple(sorted(names)), _bits(names))
        if len(run) > _LONGEST_WORD:
            return found
        if names:
            self._known[run] = found
        else:
            self._mute.add(run)
        return found


_Kept = tuple[tuple[int, ...], int]
"""What a word gives a chance: the sets of strings, and the same as bits."""


def _bits(numbers: Iterable[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def _add_odd(text: str, oddly: Mapping[str, Sequence[int]], places: Mapping[int, list[int]]) -> None:
    """Put where strings that are no words stand to the other places, in order."""
    for odd, having in oddly.items():
        wanted = [places[number] for number in having if number in places]
        at = text.find(odd) if wanted else -1
        while at >= 0:
            for one in wanted:
                one.append(at)
            at = text.find(odd, at + len(odd))
    for number in {number for having in oddly.values() for number in having}:
        if number in places:
            places[number].sort()


def _accompanied(places: Sequence[int], others: Sequence[int], reach: int) -> list[int]:
    """The places that have one of the others within `reach` (both ordered)."""
    return [
        place
        for place in places
        if (index := bisect_left(others, place - reach)) < len(others) and others[index] <= place + reach
    ]


def _filled(rule: InjectionRule, words: Mapping[str, str]) -> InjectionRule:
    return replace(rule, pattern=_expand(rule.id, rule.pattern, words), unless=_expand(rule.id, rule.unless, words))


def _expand(rule: str, pattern: str, words: Mapping[str, str]) -> str:
    def word(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise KeyError(f"{rule}: there are no words {found[1]}")
        return words[found[1]]

    return _WORD.sub(word, pattern)
