"""Rule files: proven by their examples, refused by name, replaceable by folder, and linear in time."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from draws import SOAK
from frostbyte.data_plane import policy
from frostbyte.data_plane.policy import addresses, classify, injection, mentions, people, pii
from frostbyte.data_plane.policy.reading import plain
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tenancy import PiiType

_RULE = """
[[rule]]
id = "staff_number"
type = "EMAIL"
pattern = '{pattern}'
check = "{check}"
confidence = {confidence}
positive = ["{positive}"]
negative = ["{negative}"]
"""
_GOOD = {"pattern": "S-[0-9]{4}", "check": "", "confidence": 0.9, "positive": "«S-1234»", "negative": "S-12"}


def _write(folder: Path, **changes: object) -> Path:
    (folder / "pii.toml").write_text(_RULE.format(**(_GOOD | changes)), "utf-8")
    return folder


@pytest.mark.slow
def test_a_folder_replaces_a_shipped_file_as_a_whole(tmp_path: Path, rules: policy.RuleSet) -> None:
    own = policy.RuleSet.load(_write(tmp_path))
    assert [rule.id for rule in own.pii] == ["staff_number"]
    assert own.injection == rules.injection
    assert own.version != rules.version
    assert policy.policy_version(own, None) != policy.policy_version(rules, None)
    for folder in (tmp_path / "nothing", None):  # the examples of this very version were run for the fixture
        assert policy.RuleSet.load(folder, proven=rules.version).version == rules.version


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "S-([0-9"},
        {"pattern": "(S+-?)+[0-9]"},
        {"positive": "«S-12»"},
        {"positive": "S-1234"},
        {"negative": "S-1234"},
        {"check": "astrology"},
        {"confidence": 7},
    ],
)
def test_a_bad_rule_is_refused_and_named(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid) as caught:
        policy.RuleSet.load(_write(tmp_path, **changes))
    assert caught.value.code == "rules_invalid"
    assert "pii.toml, rule staff_number" in caught.value.message


@pytest.mark.parametrize("name", ["pii.toml", "injection.toml", "classification.toml"])
def test_a_file_that_is_no_toml_is_refused_and_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[[rule", "utf-8")
    with pytest.raises(Invalid) as caught:
        policy.RuleSet.load(tmp_path)
    assert name in caught.value.message


@pytest.mark.slow
def test_a_failed_reload_keeps_the_old_rules(tmp_path: Path) -> None:
    book = policy.RuleBook(_write(tmp_path))
    before = book()
    _write(tmp_path, negative="S-1234")
    with pytest.raises(Invalid):
        book.reload()
    assert book() is before
    _write(tmp_path, pattern="S-[0-9]{4,5}")
    assert book.reload() is book()
    assert book().version != before.version


@pytest.mark.slow
def test_the_classifier_must_agree_with_its_examples(tmp_path: Path) -> None:
    shipped = files("frostbyte.data_plane.policy.rules").joinpath("classification.toml").read_text("utf-8")
    (tmp_path / "classification.toml").write_text(
        shipped.replace('label = "sop"\ntext', 'label = "invoice"\ntext'), "utf-8"
    )
    with pytest.raises(Invalid, match="example"):
        policy.RuleSet.load(tmp_path)


_HOSTILE = {
    "letters": "a" * 100_000,
    "words": "ab " * 33_000,
    "at signs": "a@" * 50_000,
    "local parts": "a.b." * 25_000 + "@",
    "domains": "a@b." * 25_000,
    "digits": "1" * 100_000,
    "spaced digits": "1 " * 50_000,
    "phone-like": "0171 2345 " * 10_000,
    "card-like": "4111 1111 " * 10_000,
    "iban-like": "DE89 " * 20_000,
    "blanks": " " * 100_000,
    "line ends": "\n" * 100_000,
    "orders": "ignore all " * 9_000,
    "reveal": "show the the the your " * 4_500,
    "spaced letters": "i g n o r e " * 8_000,
    "base64": "QUJD" * 25_000,
    "hex": "4a " * 33_000,
    "leet": "1gn0re " * 14_000,
    "mixed scripts": "aа" * 50_000,
    "one foreign word": "а" * 100_000,
    "accents": "é" * 100_000,
    "only zero width": "a" + "\u200b" * 100_000,
    "hex groups": ("4a " * 13 + "z ") * 2_400,
    "sentences": ". " * 50_000,
    "zero width": "a\u200b" * 50_000,
    "dates": "born 01.02." * 9_000,
    "days in words": "born the first of ersten zweiten " * 3_000,
    "rulers": "a  b\n-----  ---\n" * 6_000,
    "labelled rows": "DOB\t1.2.1990 (DOB\t1234 (" * 4_000,
    "licences": "license K532-4419- number is " * 3_500,
    "commas": "a,b,1.2,3\n" * 10_000,
    "months": "12 march " * 11_000,
    "quotes": '"' * 100_000,
    "filler": "P<" * 50_000,
    "one word of capitals": "A" * 100_000,
    "capitals by line": "Aa\n" * 33_000,
    "hyphens and capitals": "Ab-" * 33_000,
    "people": "Anna Schmidt " * 8_000,
    "labels": "Name: dob SSN " * 7_000,
    "streets": "12 Oak Am Berg 1 " * 6_000,
    "postcodes": "SW1A 1AA " * 11_000,
    "parts before postcodes": "The Old Hall, 2 Church Walk, " * 3 + "The Old Hall, York YO1 7HZ, " * 3_500,
    "hyphens before postcodes": ("x, The " + "A-" * 50 + "! SY8 1AP\n") * 800,
    "foreign streets": "Via Dante de la Rua 20, 39100 " * 3_400,
    "lists in capitals": "SILVA DA SILVA Edivaldo\n" * 4_200,
    "passengers": "AB CD/EF GH " * 8_400,
    "titles": "Prof. Dr. Priv.-Doz. Sister " * 3_600,
    "saints": "Anna St. Anna v. Graf von " * 3_900,
    "rows": "SSN\tDL\n" + "536904399\t12345678\n" * 5_000,
}


_LENGTH = 100_000 if SOAK else 25_000
"""Characters of a hostile page."""


@pytest.mark.parametrize("name", sorted(_HOSTILE))
def test_a_hostile_page_costs_seconds_at_most(rules: policy.RuleSet, name: str) -> None:
    text = _HOSTILE[name][:_LENGTH]
    kinds = [kind.value for kind in PiiType]
    started = time.process_time()
    pii.find(plain(text), rules.pii, kinds)
    injection.find(plain(text), rules.injection)
    injection.find_marks(text, 0, rules.injection)
    classify.classify(text[:100], text, rules)
    people.People(text)
    list(mentions.places(text, mentions.words_of("Anna Schmidt")))
    addresses.find(text)
    list(addresses.cues(text))
    # Quadratic time would be minutes for 100 KB, and ten seconds for a quarter of it.
    assert time.process_time() - started < 8 * _LENGTH / 100_000


def test_every_type_has_a_rule_or_an_engine(rules: policy.RuleSet) -> None:
    ruled: set[Any] = {rule.type for rule in rules.pii}
    assert ruled | {PiiType.NAME, PiiType.ADDRESS} == set(PiiType)


@pytest.mark.slow
def test_examples_run_unless_this_very_version_is_proven(tmp_path: Path) -> None:
    shipped = policy.RuleSet.load()
    assert policy.RuleSet.load(proven=shipped.version).version == shipped.version
    source = (Path(policy.__file__).parent / "rules" / "injection.toml").read_text(encoding="utf-8")
    wrong = source.replace('positive = ["', 'positive = ["A harmless line.", "', 1)
    assert wrong != source
    (tmp_path / "injection.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(Invalid):
        policy.RuleSet.load(tmp_path, proven=shipped.version)
