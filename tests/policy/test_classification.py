"""The classification gate: reading through noise, weighing by density, saying why, and holding its figures."""

from __future__ import annotations

import dataclasses
import re
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bench.judging import classification as bench
from bench.judging.classification_fit import TUNING, samples
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane import policy
from frostbyte.data_plane.document import Page
from frostbyte.data_plane.policy import class_reading
from frostbyte.data_plane.policy.class_reading import Vocabulary
from frostbyte.data_plane.policy.class_rules import LABELS, ClassRule, Zone
from frostbyte.data_plane.policy.classify import Classification, classify
from frostbyte.kernel.errors import Invalid

_LETTER = "Dear Ms Hale,\nthank you for your letter. I look forward to hearing from you.\nKind regards\nP. Stone"
_FILING = (
    "SUPERIOR COURT\nJane Roe, Plaintiff, v. Acme, Defendant\nCase No. 22-118\n"
    "Plaintiff respectfully requests judgment against Defendant."
)


def _found(rule: ClassRule, text: str, title: str = "") -> bool:
    return bool(Vocabulary([rule]).count(class_reading.read(title, text)))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("invoice number", "Invoice-Number: 7"),
        ("invoice number", "lnv0ice nurnber 7"),
        ("total due", "T0ta1 due"),
        ("plaintiff", "PIaintiff"),
        ("mit freundlichen grüßen", "Mit freundlichen Gruessen"),
        ("mit freundlichen grüßen", "mit freundlichen Grussen"),
        ("*vertrag", "Werkvertrag"),
        ("indemnif*", "shall INDEMNIFY"),
        ("agreement", "A G R E E M E N T between us"),
        ("governing law", "govern-\ning law"),
        ("case no", "Case No. 7"),
    ],
)
def test_terms_are_found_through_noise(term: str, text: str) -> None:
    assert _found(ClassRule(id="rule", terms=(term,)), text)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("bill", "billiards"),
        ("*vertrag", "Vertragen wir uns"),
        ("kind regards", "He is kind. Regards to her"[:12]),
        ("total due", "a total. The due"),
        ("net", "network"),
    ],
)
def test_terms_are_whole_words(term: str, text: str) -> None:
    assert not _found(ClassRule(id="rule", terms=(term,)), text)


def test_where_a_term_stands_decides() -> None:
    title = ClassRule(id="rule", terms=("policy",), where=Zone.TITLE)
    assert _found(title, "Travel policy\nFlights are booked early.")
    assert _found(title, "Flights are booked early.", title="Policy")
    assert not _found(title, "We talked about the new policy and went home.")
    assert not _found(title, "Subject: your policy\nDear Ms Hale")
    headings = ClassRule(id="rule", terms=("scope",), where=Zone.HEADINGS)
    assert _found(headings, "It is so. " * 30 + "4.2 Scope. All of it." + "It is so. " * 30)
    assert not _found(
        headings, "The scope of the work was discussed at great length by all who had come to the meeting."
    )
    ending = ClassRule(id="rule", terms=("regards",), where=Zone.ENDING)
    assert _found(ending, "x " * 20_000 + "Regards, J.")
    assert not _found(ending, "Regards, J." + " x" * 20_000)


def test_it_says_what_decided(rules: policy.RuleSet) -> None:
    verdict = classify("", _LETTER, rules)
    assert (verdict.label, verdict.confidence > 0.9) == ("correspondence", True)
    assert {"letter_greeting", "letter_closing"} <= {item.feature for item in verdict.evidence[:4]}
    assert all(0 < item.strength <= 1 for item in verdict.evidence)
    assert verdict.second != verdict.label
    assert verdict.second_confidence <= verdict.confidence


def test_amounts_are_a_bill_only_beside_its_words(rules: policy.RuleSet) -> None:
    table = "Station\tMay\tJuly\n" + "".join(f"Quay {n}\t{n}.10\t{n}.45\n" for n in range(1, 20))
    assert not any(item.feature == "invoice_amounts" for item in classify("", table, rules).evidence)
    assert classify("", table, rules).label == "other"
    bill = f"Invoice no. 7\n{table}Amount due 209.00"
    assert any(item.feature == "invoice_amounts" for item in classify("", bill, rules).evidence)
    assert classify("", bill, rules).label == "invoice"


def test_evidence_for_two_classes_is_no_verdict(rules: policy.RuleSet) -> None:
    verdict = classify("", "INVOICE\nCONTRACT", rules)
    assert verdict.confidence < 0.7
    assert {verdict.label, verdict.second} == {"invoice", "contract"}


def test_a_letter_about_an_invoice_is_a_letter(rules: policy.RuleSet) -> None:
    text = _LETTER.replace("your letter", "your invoice no. 2231 of 3 May over EUR 412.00, which is not yet due")
    assert classify("Invoice 2231", text, rules).label == "correspondence"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        pytest.param(
            "other",
            (
                "Entgeltabrechnung für Mai\n"
                "Personalnummer 4417 Steuerklasse 1 Kinderfreibetrag 0\n"
                "Grundgehalt 2.950,00\n"
                "Überstunden 8,00 x 18,20 145,60\n"
                "Gesamtbrutto 3.095,60\n"
                "Lohnsteuer 361,08\n"
                "Rentenversicherung 287,89\n"
                "Netto 2.010,44\n"
                "Auszahlungsbetrag 2.010,44 Überweisung auf IBAN DE00 0000"
            ),
            id="a payslip",
        ),
        pytest.param(
            "other",
            (
                "Anmeldung zum Ferienlager\n"
                "Bitte in Druckbuchstaben ausfüllen\n"
                "Name des Kindes ____________\n"
                "Geburtsdatum __________\n"
                "[ ] Mein Kind kann schwimmen [ ] nicht\n"
                "Beitrag 120,00 EUR, fällig bis 1. Juni, Überweisung auf das Konto IBAN DE00 0000\n"
                "Unterschrift der Erziehungsberechtigten ____________"
            ),
            id="a form",
        ),
        pytest.param(
            "other",
            (
                "Gesetz über die Nutzung der Uferwege (Uferweggesetz)\n"
                "Der Landtag hat das folgende Gesetz beschlossen:\n"
                "§ 1 Grundsatz\n"
                "(1) Die Uferwege dürfen zu Fuß begangen werden.\n"
                "§ 2 Verbote\n"
                "Es ist verboten, auf Uferwegen Feuer zu machen.\n"
                "§ 3 Ordnungswidrigkeiten\n"
                "Ordnungswidrig handelt, wer gegen § 2 verstößt. Die Geldbuße beträgt bis zu 500 Euro.\n"
                "§ 4 Inkrafttreten\n"
                "Dieses Gesetz tritt am Tag nach der Verkündung in Kraft."
            ),
            id="a statute",
        ),
        pytest.param(
            "other",
            (
                "Nachruf\n"
                "Wir trauern um unseren langjährigen Kassenwart\n"
                "Heinrich Vogel\n"
                "der am 3. März im Alter von 81 Jahren verstorben ist. Er hat uns in vierzig Jahren mit Rat und "
                "Tat geholfen. Wir danken ihm und werden sein Andenken in Ehren halten. Unser Mitgefühl gilt "
                "seiner Familie.\n"
                "Der Vorstand"
            ),
            id="an obituary",
        ),
        pytest.param(
            "contract",
            (
                "Ewa Lind and Tom Pryce agree:\n"
                "Ewa lets Tom use her van from Friday to Monday. Tom pays 60 for it, half now and half when the "
                "van is back. He fills the tank and pays for any dent himself. If the van breaks down, neither "
                "of us owes the other anything.\n"
                "One copy each, signed by both, 4 May"
            ),
            id="two who agree",
        ),
        pytest.param(
            "contract",
            (
                "Wir, Jana Kern und Pit Holm, vereinbaren:\n"
                "Jana überlässt Pit leihweise ihre Drehbank bis Ende Juni. Pit holt sie auf eigene Kosten ab "
                "und bringt sie sauber zurück. Für Schäden steht er ein. Er zahlt dafür 40 Euro im Monat.\n"
                "Jeder bekommt eine Ausfertigung. 2. April"
            ),
            id="zwei die sich einig sind",
        ),
    ],
)
def test_a_kind_is_told_from_the_class_that_shares_its_words(rules: policy.RuleSet, label: str, text: str) -> None:
    assert classify("", text, rules).label == label


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            (
                "ZUM ANKER\n"
                "Speisekarte\n"
                "Vorspeisen\n"
                "Matjes, Apfel, Zwiebel 8,50\n"
                "Suppe vom Kürbis 6,20\n"
                "Hauptgerichte\n"
                "Scholle mit Speck 19,80\n"
                "Gulasch, Knödel 16,40\n"
                "Nachspeisen\n"
                "Rote Grütze 5,90\n"
                "Alle Preise inkl. MwSt. Zahlbar bar oder mit Karte."
            ),
            id="a menu",
        ),
        pytest.param(
            (
                "HOLLOW FARM NURSERY\n"
                "Price list, spring\n"
                "All prices each, ex VAT\n"
                "Box hedge, 30 cm 4.20\n"
                "Box hedge, 60 cm 9.80\n"
                "Yew, root ball 31.00\n"
                "Beech, bare root 2.15\n"
                "Delivery within ten miles 15.00\n"
                "Total orders over 200.00 carriage free. Terms: payment with order."
            ),
            id="a price list",
        ),
        pytest.param(
            (
                "PACKING LIST\n"
                "Consignee: Museum of Wool, Halden. Shipper: R. Okafor\n"
                "Order no. 5512\n"
                "Crate Contents Qty Gross kg Net kg\n"
                "1/3 loom frame 1 140 118\n"
                "2/3 shuttles 24 31 26\n"
                "3/3 bobbins 300 44 38\n"
                "Total 3 crates 215 182"
            ),
            id="a packing list",
        ),
    ],
)
def test_prices_without_a_bill_are_no_bill_for_sure(rules: policy.RuleSet, text: str) -> None:
    verdict = classify("", text, rules)
    assert verdict.label == "other" or verdict.confidence < 0.7


def test_what_a_long_text_mentions_once_is_not_what_it_is(rules: policy.RuleSet) -> None:
    walk = "The path climbs slowly through the wood, and after an hour the lake lies below. "
    text = walk * 400 + "Here a court once heard a plaintiff. " + walk * 400
    verdict = classify("", text, rules)
    assert (verdict.label, verdict.confidence >= 0.7) == ("other", True)


def test_the_end_of_a_long_document_is_read_and_hidden_pages_are_not(clear: Any, make_document: Any) -> None:
    prose = "The path climbs slowly through the wood, and after an hour the lake lies below. " * 40
    middle = [Page(number=number, text=prose) for number in range(2, 12)]
    first = Page(number=1, text="Dear Ms Hale,\nthank you for your letter.\n" + prose)
    last = Page(number=12, text="I look forward to hearing from you.\nKind regards\nP. Stone")
    whole, cut = make_document(first, *middle, last), make_document(first, *middle)
    assert clear(whole).classification == "correspondence"
    assert clear(whole).class_confidence > clear(cut).class_confidence
    hidden = Page(number=2, text=_FILING, hidden=True)
    assert clear(make_document(Page(number=1, text=_LETTER), hidden)).classification == "correspondence"


@pytest.mark.slow
def test_the_same_text_gives_the_same_verdict(rules: policy.RuleSet) -> None:
    assert classify("", _FILING, rules) == classify("", _FILING, policy.RuleSet.load())
    assert classify("", _FILING, rules).label == "legal_filing"


@pytest.mark.parametrize("text", ["", " \n\t", "\x1f" * 50, "0" * 50, "…", "\ud83d"])
def test_odd_texts_are_judged_too(rules: policy.RuleSet, text: str) -> None:
    verdict = classify(text, text, rules)
    assert verdict.label in LABELS
    assert verdict.confidence < 0.7


def test_two_hundred_pages_cost_milliseconds(rules: policy.RuleSet) -> None:
    text = (_LETTER + _FILING) * 2000
    began = time.process_time()
    classify("", text, rules)
    assert time.process_time() - began < 0.5  # 20 ms here; all of it would be seconds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('terms = ["invoice", "*invoice",', 'terms = ["in*voice",', "invoice_title"),
        ('terms = ["invoice", "*invoice",', 'terms = ["big invoice*",', "invoice_title"),
        ('terms = ["invoice", "*invoice",', 'terms = ["...",', "invoice_title"),
        ('id = "invoice_title"', 'id = "invoice_title"\npattern = "x"', "invoice_title"),
        ("weights = { contract", "weights = { novel", "novel"),
        ('beside = ["invoice_title"', 'beside = ["no_such_rule"', "invoice_amounts"),
        ('beside = ["invoice_title"', 'beside = ["invoice_amount_lines"', "invoice_amounts"),
        ("bias = {", "bias = { novel = 1.0, ", "novel"),
        ('label = "sop"\nwhere', 'label = "novel"\nwhere', "novel"),
        ('positive = ["Ventil öffnen."]', 'positive = ["Ventil."]', "sop_infinitives"),
        ('negative = ["Er ist da."]', 'negative = ["Ventil öffnen."]', "sop_infinitives"),
    ],
)
def test_a_bad_class_rule_is_refused_and_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    shipped = files("frostbyte.data_plane.policy.rules").joinpath("classification.toml").read_text("utf-8")
    assert old in shipped
    (tmp_path / "classification.toml").write_text(shipped.replace(old, new, 1), "utf-8")
    with pytest.raises(Invalid) as caught:
        policy.RuleSet.load(tmp_path)
    assert caught.value.code == "rules_invalid"
    assert named in caught.value.message


@pytest.mark.parametrize(("path", "right"), [(TUNING, 0.96), (bench.HELD_BACK, 0.9)], ids=["tuning", "held back"])
def test_the_sets_are_judged_as_promised(rules: policy.RuleSet, path: Path, right: float) -> None:
    judged = bench.judge(samples(path), rules)
    assert bench.accuracy(judged) >= right
    sure = [item for item in judged if item[1].confidence >= 0.7]
    assert bench.accuracy(sure) >= 0.95
    assert len(sure) >= 0.8 * len(judged)


def test_a_bad_scan_is_still_told(rules: policy.RuleSet) -> None:
    scanned = [bench.badly_scanned(sample) for sample in samples(TUNING)]
    assert scanned == [bench.badly_scanned(sample) for sample in samples(TUNING)]
    assert bench.accuracy(bench.judge(scanned, rules)) >= 0.93


def test_nothing_is_as_sure_as_a_person(rules: policy.RuleSet) -> None:
    certain = dataclasses.replace(rules, class_settings=msgspec.structs.replace(rules.class_settings, doubt=0.0))
    assert classify("", _FILING * 3, certain).confidence == 0.9999


def test_the_held_back_confidence_is_calibrated(rules: policy.RuleSet) -> None:
    assert bench.calibration_error(bench.judge(samples(bench.HELD_BACK), rules)) <= 0.07


def test_calibration_is_measured_as_it_says() -> None:
    sample = samples(TUNING)[0]

    def one(label: str, confidence: float) -> tuple[object, Classification]:
        return sample, Classification(label, confidence, "other", 0.0, ())

    judged = [one(sample.label, 0.9), one("other", 0.9), one(sample.label, 0.5)]
    assert bench.calibration_error(judged) == pytest.approx((2 * 0.4 + 1 * 0.5) / 3)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([*"§12.):_ \n", "ab", "-\n", "\u00ad\n", "ä", "word "]), max_size=24).map("".join))
def test_headings_and_broken_words_are_what_the_plain_patterns_say(text: str) -> None:
    broken = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[^\W\d_])")
    numbered = re.compile(
        r"(?:§ ?\d{1,3}|(?<![\w.])\d{1,2}(?:\.\d{1,2}){0,3})[.)]? {1,3}([^\W\d_][^.:;\n]{2,60})[.:\n]"
    )
    for plainly, ours in ((broken, class_reading._BROKEN), (numbered, class_reading._NUMBERED)):
        assert [(m.span(), m.groups()) for m in ours.finditer(text)] == [
            (m.span(), m.groups()) for m in plainly.finditer(text)
        ]


def test_a_pattern_counts_as_often_as_it_stands_there(rules: policy.RuleSet) -> None:
    """Whatever letters are looked for first."""
    texts = [text for rule in rules.classes for text in (*rule.positive, *rule.negative)]
    for rule in rules.classes:
        for text in (" ".join(texts).lower(), *map(str.lower, texts)) if rule.pattern else ():
            assert rule.matches(text, 10_000) == len(list(rule.regex.finditer(text))), (rule.id, text)
