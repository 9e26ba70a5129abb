"""What the injection gate looks for: rules, the parts that some of them combine, and the words they share."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from frostbyte.data_plane.policy.chances import Index
from frostbyte.data_plane.policy.disguises import guesses
from frostbyte.data_plane.policy.literals import Strings, chances, starts, width
from frostbyte.data_plane.policy.wording import Wording
from frostbyte.kernel.tenancy import Ratio

_GAP: Final = r"(?:[\W_]{1,8})"
_BLANK: Final = r"(?:[ \t_-]{1,3}|\r?\n)"
"""Between words of one sentence: what speaks against a find must not reach over its end."""
_MAYBE: Final = r"(?:[\W_]{0,8})"
_WORD: Final = re.compile(r"\{\{([a-z0-9_]+)\}\}")
TURNED: Final = "turned"
REVERSED: Final = "reversed"
"""What `Look.heard` calls telltale words in ROT13, and with their last letter first."""

_NAMED: Final = re.compile(r"([a-z]{3,}[a-z])(?!\?)|([a-z]{4,})(?=[a-z]\?)")
"""Letters that a pattern names one after the other, but for a last one that may be missing."""
_WORDS_KEPT: Final = 50_000

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
        return Index([*(rule for rule in self.rules if rule.pattern), *first], self._mirrored)

    @cached_property
    def seen(self) -> tuple[InjectionRule, ...]:
        """The rules for any text."""
        return tuple(rule for rule in self.rules if not rule.unseen)

    def tried(self, chances: Iterable[str]) -> list[InjectionRule]:
        """The rules that have a chance where these patterns have one, in order."""
        numbers = {number for name in chances for number in self._tried[name]}
        return [self.rules[number] for number in sorted(numbers)]

    @cached_property
    def _tried(self) -> dict[str, list[int]]:
        """Which rules have a chance if a pattern has one: its own, or those that look for this part first."""
        found: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for item in self.parts[rule.parts[0]] if rule.parts else (rule,):
                found.setdefault(item.id, []).append(number)
        return found

    @cached_property
    def firm(self) -> frozenset[str]:
        """The ids of the rules that are `firm`."""
        return frozenset(rule.id for rule in self.rules if rule.firm)

    @cached_property
    def unseen(self) -> InjectionRules:
        """The rules for text where a person does not look, beside the others."""
        return InjectionRules(tuple(rule for rule in self.rules if rule.unseen), self.parts, ())

    def telling(self, word: str) -> bool:
        """Whether a word in disguise, undone, holds letters that some pattern names and that it did not hold before."""
        known = self._telling.get(word)
        if known is None:
            if len(self._telling) >= _WORDS_KEPT:
                self._telling.clear()
            undone = guesses(word)
            known = any(text in guess and text not in word for guess in undone for text in self._vocabulary)
            self._telling[word] = known
        return known

    @cached_property
    def _telling(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _vocabulary(self) -> tuple[str, ...]:
        runs = {run[1] for item in self.everything for run in _NAMED.finditer(item.pattern)}
        return tuple(sorted(runs))

    @property
    def _mirrored(self) -> dict[str, list[str]]:
        """The telltale words in ROT13 and reversed, those without blanks."""
        long = [word for word in self.telltale if len(word) >= 5 and len(word.split()) == 1]
        return {TURNED: [codecs.encode(word, "rot13") for word in long], REVERSED: [word[::-1] for word in long]}


def _filled(rule: InjectionRule, words: Mapping[str, str]) -> InjectionRule:
    return replace(rule, pattern=_expand(rule.id, rule.pattern, words), unless=_expand(rule.id, rule.unless, words))


def _expand(rule: str, pattern: str, words: Mapping[str, str]) -> str:
    def word(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise KeyError(f"{rule}: there are no words {found[1]}")
        return words[found[1]]

    return _WORD.sub(word, pattern)
