"""The rules of the classification gate: features, what each says for and against the classes, and their examples."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from frostbyte.data_plane.policy.literals import Strings, chances

LABELS: Final = ("contract", "invoice", "sop", "policy", "correspondence", "legal_filing", "other")
"""What a document can be; `other` when nothing speaks for the rest."""

_FEW: Final = 16
"""Looking for more strings than this may cost as much as a pattern."""

_Weight = Annotated[float, Meta(ge=-8, le=8)]
_Term = Annotated[str, Meta(min_length=1, max_length=80)]


class Zone(StrEnum):
    """Where a feature is looked for."""

    TITLE = "title"
    """The document's title and the short lines at its beginning."""
    OPENING = "opening"
    """The title and the first `reading.OPENING` characters."""
    HEADINGS = "headings"
    """Short lines, what follows a section's number, and what stands before a colon, anywhere."""
    ENDING = "ending"
    """The last `reading.ENDING` characters."""
    ANYWHERE = "anywhere"


class ClassRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A feature of documents and its weights (log-odds at full strength).

    It is either `terms` (words and phrases, found in spite of accents, punctuation and what OCR confuses; a word may
    begin or end with `*`) or a `pattern` (on lower-case text, line by line where it says so itself).
    """

    id: Annotated[str, Meta(pattern="^[a-z0-9_]{2,60}$")]
    languages: tuple[str, ...] = ()
    """For people: which languages it is written for; empty means any."""
    label: str = ""
    """The class it is meant to speak for, from which fitting starts; '' leaves that to the fit."""
    where: Zone = Zone.ANYWHERE
    terms: tuple[_Term, ...] = ()
    pattern: str = ""
    full: Annotated[float, Meta(ge=1, le=200)] = 1
    """How much of it, on a page of `PAGE` characters, counts in full; less counts by the logarithm."""
    beside: tuple[str, ...] = ()
    """Ids of features of which one must be there too, or it does not count: amounts are a bill's beside its words."""
    weights: dict[str, _Weight] = {}
    """What it adds to each class; classes that are not named get nothing."""
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, re.MULTILINE)

    @cached_property
    def _chances(self) -> tuple[tuple[Strings, ...], ...]:
        found = chances(self.pattern)
        return found if sum(len(strings) for sets in found for strings in sets) <= _FEW else ()

    def matches(self, text: str, most: int) -> int:
        """How often its pattern stands in a zone's lower-case text; counted up to `most`."""
        if self._chances and not any(
            all(any(map(text.__contains__, strings)) for strings in sets) for sets in self._chances
        ):
            return 0  # it lacks the letters that every match has
        return sum(1 for _ in islice(self.regex.finditer(text), most))


class ClassSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How evidence becomes a probability."""

    temperature: Annotated[float, Meta(gt=0, le=10)]
    """Sums are divided by it before the softmax: what calibrates them."""
    doubt: Annotated[float, Meta(ge=0, lt=0.5)]
    """Share of the probability that is spread evenly: no evidence makes surer than one minus nearly this."""
    unknown: float
    """The sum of what nobody can say, for an empty text; nothing for a long one. Its probability is spread evenly."""
    bias: dict[str, _Weight]
    """What each class has before anything was read."""
    length: dict[str, _Weight] = {}
    """What a text of `classify.LONG` characters adds, shorter ones less: long texts without cues are of no class."""


class ClassExample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text and the label it must get."""

    label: str
    text: str


class ClassFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`classification.toml`."""

    settings: ClassSettings
    rule: Annotated[tuple[ClassRule, ...], Meta(min_length=1)]
    example: tuple[ClassExample, ...] = ()


def lonely(file: ClassFile) -> str:
    """The first rule whose `beside` names what does not exist or depends on others itself; '' if there is none."""
    free = {rule.id for rule in file.rule if not rule.beside}
    return next((rule.id for rule in file.rule if not free.issuperset(rule.beside)), "")


def unknown_label(file: ClassFile) -> tuple[str, str] | None:
    """The first place that names a class that does not exist, and that name; None if all exist."""
    for place, names in (
        ("settings", (*file.settings.bias, *file.settings.length)),
        *((rule.id, (*rule.weights, *((rule.label,) if rule.label else ()))) for rule in file.rule),
        *(("example", (example.label,)) for example in file.example),
    ):
        for name in names:
            if name not in LABELS:
                return place, name
    return None
