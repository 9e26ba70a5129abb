"""What the injection gate looks for: rules, the parts that some of them combine, and the words they share."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from frostbyte.data_plane.policy.literals import Strings, chances
from frostbyte.data_plane.tenancy import Ratio

_GAP: Final = r"(?:[\W_]{1,8})"
_BLANK: Final = r"(?:[ \t_-]{1,3}|\r?\n)"
"""Between words of one sentence: what speaks against a find must not reach over its end."""
_MAYBE: Final = r"(?:[\W_]{0,8})"
_WORD: Final = re.compile(r"\{\{([a-z0-9_]+)\}\}")
_SHORT: Final = 3
"""A need of so few letters is looked for as a word: "ai" stands in "said", too."""

_NAMED: Final = re.compile(r"([a-z]{3,}[a-z])(?!\?)|([a-z]{4,})(?=[a-z]\?)")
"""Letters that a pattern names one after the other, but for a last one that may be missing."""
_LETTERS: Final = re.compile(r"[a-z]+")
_WORDS_KEPT: Final = 50_000
_LONGEST_WORD: Final = 40
"""How many words are remembered, and up to which length: what they give a chance is the same each time."""

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

    @staticmethod
    def of(file: InjectionFile) -> InjectionRules:
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
        return InjectionRules(rules, parts, file.telltale)

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
        """The telltale words in ROT13 and reversed."""
        long = [word for word in self.telltale if len(word) >= 5]
        return tuple(codecs.encode(word, "rot13") for word in long), tuple(word[::-1] for word in long)


class Index:
    """Tells from the words of a text where which patterns have a chance: much cheaper than trying them.

    A string of letters that a pattern needs stands inside a word (a run of letters), so what a word gives a chance is
    worked out once and remembered. Other strings are looked for as they are.
    """

    def __init__(self, patterns: Sequence[_Matched]) -> None:
        self._free: list[str] = []
        self._whole: dict[str, list[int]] = {}
        self._inside: dict[str, list[int]] = {}
        self._odd: dict[str, list[int]] = {}
        self._known: dict[str, tuple[int, ...]] = {}
        self._alternatives: list[tuple[str, list[int]]] = []
        numbers: dict[Strings, int] = {}
        for item in patterns:
            if not item.chances:
                self._free.append(item.id)
            for sets in item.chances:
                for strings in sets:
                    if strings not in numbers:
                        numbers[strings] = len(numbers)
                        self._register(strings, numbers[strings], whole=strings == item.needs)
                self._alternatives.append((item.id, [numbers[strings] for strings in sets]))

    def _register(self, strings: Sequence[str], number: int, *, whole: bool) -> None:
        for text in strings:
            letters = text.isalpha() and text.isascii()
            kind = self._odd if not letters else self._whole if len(text) <= _SHORT and whole else self._inside
            kind.setdefault(text, []).append(number)

    def chances(self, text: str, reach: int) -> dict[str, list[int]]:
        """By pattern, the places of the words and strings that give it a chance; [] for those that have one anywhere.

        Args:
            reach: how far from the first string of a pattern the others may stand.
        """
        places = self._places(text)
        found: dict[str, list[int]] = {name: [] for name in self._free}
        for name, (first, *others) in self._alternatives:
            here = places.get(first)
            for other in others:
                if here:
                    here = _accompanied(here, places.get(other, []), reach)
            if here:
                found[name] = sorted(found[name] + here) if name in found else here
        return found

    def _places(self, text: str) -> dict[int, list[int]]:
        """By set of strings, where one of them stands, in order."""
        places: dict[int, list[int]] = {}
        known = self._known
        for word in _LETTERS.finditer(text):
            run = word.group()
            numbers = known.get(run)
            if numbers is None:
                numbers = self._of(run)
            for number in numbers:
                places.setdefault(number, []).append(word.start())
        oddly: set[int] = set()
        for odd, having in self._odd.items():
            at = text.find(odd)
            while at >= 0:
                for number in having:
                    places.setdefault(number, []).append(at)
                oddly.update(having)
                at = text.find(odd, at + len(odd))
        for number in oddly:
            places[number].sort()
        return places

    def _of(self, run: str) -> tuple[int, ...]:
        names = set(self._whole.get(run, ()))
        names.update(name for text, same in self._inside.items() if text in run for name in same)
        if len(self._known) >= _WORDS_KEPT:
            self._known.clear()
        found = tuple(sorted(names))
        if len(run) <= _LONGEST_WORD:
            self._known[run] = found
        return found


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
