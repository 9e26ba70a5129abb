"""The classification gate: which kind of document it is, how sure that is, and what decided.

A multinomial log-linear model over some hundred named features in English and German (rules/classification.toml):
words and phrases by where they stand (title, opening, headings, ending, anywhere) and shapes (numbered steps, lines
that end with an amount, a letter's head). How much of a feature is on a page counts, not how long the document is. A
class's sum is its bias plus weight times strength of each feature; the softmax of the sums over `temperature` is the
confidence. The sum `unknown`, less the longer the text is, takes part in it and gives its share to all: little
evidence makes nobody sure.

Calibration: the weights are fitted by `python -m bench.judging.classification_fit` to the tuning documents with a prior
(each feature speaks for the class it was written for). The temperature is fitted to predictions for documents that the
weights have not seen, with a share of the features taken away, so that the confidence holds for documents whose words
we do not know. `python -m bench.judging.classification` measures it on documents that nobody tuned on (reliability,
expected calibration error).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from frostbyte.data_plane.policy import class_reading
from frostbyte.data_plane.policy.class_reading import Reading
from frostbyte.data_plane.policy.class_rules import LABELS, ClassRule, ClassSettings, Zone
from frostbyte.data_plane.policy.ruleset import RuleSet

LONG: Final = 10_000
"""Characters from which a text counts as long in full."""

_SHORT: Final = 500
"""Characters of a text that counts as a fifth of that."""

_SUREST: Final = 0.9999
_REASONS: Final = 4

_REPEATED: Final = 0.3
"""What a term counts that was counted before: breadth says more than repetition."""
_GROWTH: Final = 0.7
"""The occurrences that a long text has by chance grow with its pages to this power."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a feature did."""

    feature: str
    strength: float
    """0 to 1."""
    weights: dict[str, float]
    """What it added to each class."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What the gate says of a document."""

    label: str
    confidence: float
    """The label's probability, rounded to four digits; never 1, which is what a person's word counts."""
    second: str
    """The next best label."""
    second_confidence: float
    evidence: tuple[Evidence, ...]
    """The features that were found, those first that speak most for the label against the second."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the few features that speak most for the label against the second."""
        return tuple(item.feature for item in self.evidence if self._favour(item) > 0)[:_REASONS]

    def _favour(self, item: Evidence) -> float:
        return item.weights.get(self.label, 0.0) - item.weights.get(self.second, 0.0)


def classify(title: str, text: str, rules: RuleSet) -> Classification:
    """Judge a document by its title and text; ties go to the label that comes first in LABELS."""
    reading = class_reading.read(title, text)
    settings = rules.class_settings
    sums = {label: settings.bias.get(label, 0.0) for label in LABELS}
    length = length_strength(reading)
    for label, weight in settings.length.items():
        sums[label] += weight * length
    found = strengths(reading, rules)
    for feature, strength in zip(rules.classes, found, strict=True):
        if strength:
            for label, weight in feature.weights.items():
                sums[label] += weight * strength
    shares = _shares(sums, settings.unknown * (1.0 - length), settings)
    best, second = sorted(LABELS, key=lambda label: -shares[label])[:2]
    evidence = [
        Evidence(
            feature=feature.id,
            strength=round(strength, 4),
            weights={label: round(weight * strength, 4) for label, weight in feature.weights.items()},
        )
        for feature, strength in zip(rules.classes, found, strict=True)
        if strength
    ]
    evidence.sort(key=lambda item: (item.weights.get(second, 0.0) - item.weights.get(best, 0.0), item.feature))
    return Classification(
        label=best,
        confidence=min(round(shares[best], 4), _SUREST),
        second=second,
        second_confidence=round(shares[second], 4),
        evidence=tuple(evidence),
    )


def strengths(reading: Reading, rules: RuleSet) -> list[float]:
    """How strong each feature is in a document, 0 to 1, in the order of the rules."""
    terms = rules.class_vocabulary.count(reading)
    there: set[str] = set()
    found = [0.0] * len(rules.classes)
    density = reading.pages**_GROWTH
    # What counts beside others is looked for after them, and only where one of them is: none of those has a beside.
    for number, rule in sorted(enumerate(rules.classes), key=lambda item: bool(item[1].beside)):
        if rule.beside and there.isdisjoint(rule.beside):
            continue
        pages = density if rule.where in _WHOLE else 1.0
        if rule.pattern:
            amount = float(rule.matches(reading.lower[rule.where], math.ceil(rule.full * pages) + 1))  # more is no more
        else:
            amount = _named(terms.get(number, []))
        found[number] = _strength(rule, amount / pages)
        if found[number]:
            there.add(rule.id)
    return found


def length_strength(reading: Reading) -> float:
    """How long a document is, 0 to 1."""
    return min(1.0, math.log1p(reading.length / _SHORT) / math.log1p(LONG / _SHORT))


def _named(places: list[int]) -> float:
    distinct = len(set(places))
    return distinct + _REPEATED * (len(places) - distinct)


def _strength(rule: ClassRule, amount: float) -> float:
    return min(1.0, math.log1p(amount) / math.log1p(rule.full)) if amount else 0.0


_WHOLE: Final = (Zone.HEADINGS, Zone.ANYWHERE)


def _shares(sums: dict[str, float], none: float, settings: ClassSettings) -> dict[str, float]:
    """The classes' probabilities: a softmax in which the unknown takes part, whose share and the doubt go to all."""
    top = max(*sums.values(), none)
    powers = {label: math.exp((value - top) / settings.temperature) for label, value in sums.items()}
    unknown = math.exp((none - top) / settings.temperature)
    total = sum(powers.values()) + unknown
    spread = (settings.doubt + (1.0 - settings.doubt) * unknown / total) / len(powers)
    return {label: (1.0 - settings.doubt) * power / total + spread for label, power in powers.items()}
