"""Runs the examples of the rule files, so that a rule that does not do what it says is never in force."""

from __future__ import annotations

import re

from frostbyte.data_plane.policy import class_reading, classify, injection, pii
from frostbyte.data_plane.policy.class_reading import Vocabulary
from frostbyte.data_plane.policy.class_rules import ClassRule
from frostbyte.data_plane.policy.injection_rules import InjectionRule, InjectionRules
from frostbyte.data_plane.policy.reading import plain
from frostbyte.data_plane.policy.ruleset import PiiRule, RuleSet, invalid


def run(rules: RuleSet) -> None:
    """Judge every example.

    Raises:
        Invalid: `rules_invalid`, naming the file, the rule and the example by its number.
    """
    for rule in rules.pii:
        _pii(rule)
    for suspect in rules.injection.rules:
        _injection(suspect, rules.injection.only(suspect))
    for feature in rules.classes:
        _feature(feature)
    for number, example in enumerate(rules.class_examples, 1):
        label = classify.classify("", example.text, rules).label
        if label != example.label:
            raise invalid("classification.toml", "example", f"example {number} is judged {label}, not {example.label}")


def _pii(rule: PiiRule) -> None:
    for number, example in enumerate(rule.positive, 1):
        wanted = sorted(re.findall("«(.*?)»", example, re.DOTALL))
        if not wanted:
            raise invalid("pii.toml", rule.id, f"positive example {number} marks no value «like this»")
        text = example.replace("«", "").replace("»", "")
        found = sorted(text[hit.start : hit.end] for hit in pii.find(plain(text), [rule], [rule.type]))
        if found != wanted:
            raise invalid("pii.toml", rule.id, f"positive example {number} is not found as marked")
    for number, example in enumerate(rule.negative, 1):
        if pii.find(plain(example), [rule], [rule.type]):
            raise invalid("pii.toml", rule.id, f"negative example {number} is found")


def _injection(rule: InjectionRule, alone: InjectionRules) -> None:
    look = injection.find_unseen if rule.unseen else injection.find
    for number, example in enumerate(rule.positive, 1):
        if not look(plain(example), alone):
            raise invalid("injection.toml", rule.id, f"positive example {number} is not found")
    for number, example in enumerate(rule.negative, 1):
        if look(plain(example), alone):
            raise invalid("injection.toml", rule.id, f"negative example {number} is found")


def _feature(rule: ClassRule) -> None:
    for number, example in enumerate(rule.positive, 1):
        if not _present(rule, example):
            raise invalid("classification.toml", rule.id, f"positive example {number} is not found")
    for number, example in enumerate(rule.negative, 1):
        if _present(rule, example):
            raise invalid("classification.toml", rule.id, f"negative example {number} is found")


def _present(rule: ClassRule, text: str) -> bool:
    """Whether the feature is in a text that is a whole document."""
    reading = class_reading.read("", text)
    if rule.pattern:
        return rule.regex.search(reading.lower[rule.where]) is not None
    return bool(Vocabulary([rule]).count(reading))
