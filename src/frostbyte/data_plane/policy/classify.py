"""The classification gate: which kind of document it is, and how sure that is.

A log-linear model over lexical features in English and German (rules/classification.toml). A feature that occurs
adds its weight; recurrence adds up to half of it again, and an occurrence within the opening (title and first lines,
where documents say what they are) counts in full while one that only occurs later counts 0.6. `other` starts with the
evidence that the classes must beat; a long text without any cue is more surely `other` than a short one. The softmax
of the sums over `temperature` is the confidence.

Calibration: with weights as log-odds, a lone title word gives about a half (review), a title with one typical
phrase about 0.9, and evidence for two classes shares the probability between them; the examples in the rule file and
tests/policy/test_gates.py hold it to that.
"""

from __future__ import annotations

import math
from typing import Final

from frostbyte.data_plane.policy.ruleset import LABELS, ClassRule, RuleSet

OPENING: Final = 600
"""Characters in which a document says what it is."""

READ: Final = 60_000
"""Characters that are looked at: the beginning decides, and the cost stays bounded."""

_LATER: Final = 0.6
_SILENCE: Final = 0.8
_LONG: Final = 2000
"""From this many characters on the absence of cues counts in full."""


def classify(title: str, text: str, rules: RuleSet) -> tuple[str, float]:
    """The label and its probability, rounded to four digits; ties go to the label that comes first in LABELS."""
    whole = f"{title}\n{text[:READ]}".lower()
    opening = len(title) + 1 + OPENING
    sums = dict.fromkeys(LABELS, 0.0)
    sums["other"] = rules.class_settings.other + _SILENCE * min(1.0, len(text) / _LONG)
    for rule in rules.classes:
        sums[rule.label] += _evidence(rule, whole, opening)
    top = max(sums.values())
    powers = {label: math.exp((value - top) / rules.class_settings.temperature) for label, value in sums.items()}
    best = max(LABELS, key=lambda label: powers[label])
    return best, round(powers[best] / sum(powers.values()), 4)


def _evidence(rule: ClassRule, text: str, opening: int) -> float:
    count, first = 0, -1
    for match in rule.regex.finditer(text):
        first = match.start() if first < 0 else first
        count += 1
        if count == 4:
            break
    if not count:
        return 0.0
    return rule.weight * (1.0 if first < opening else _LATER) * (1.0 + 0.5 * (count - 1) / 3)
