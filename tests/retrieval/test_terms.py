"""Words become numbers that find each other under one key and say nothing without it."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.terms import TermHasher
from frostbyte.data_plane.words import words

KEY = b"k" * 32
HASHER = TermHasher(KEY)


def overlap(question: str, text: str) -> int:
    """How many of the question's terms the text holds."""
    return len(set(HASHER.query(question).indices) & set(HASHER.document(text).indices))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("invoice", "Three INVOICES were paid."),
        ("running", "It runs."),
        ("Verträge", "Der Vertrag endet."),
        ("kündigen", "die Kündigung"),
        ("Mueller", "Herr Müller"),
        ("STRASSE", "Hauptstraße"[5:]),
        ("café", "cafe\u0301"),  # composed and decomposed
        ("file", "\ufb01le"),  # a ligature
        ("Kühlkette", "Kühl\u00adkette"),  # a soft hyphen
        ("AB-12/7", "AB\u201112/7"),  # a hyphen that does not break
        ("INV-2026-0417", "INV_2026_0417"),
        ("0417", "INV-2026-0417"),
        ("jane@example.org", "Write to Jane@Example.org."),
        ("10.000", "EUR 10.000,00"),
        ("５", "5"),
    ],
)
def test_forms_of_a_word_find_each_other(question: str, text: str) -> None:
    assert overlap(question, text) > 0


@pytest.mark.parametrize(
    ("question", "text"),
    [("the", "the of and"), ("und", "und oder"), ("invoice", "vote"), ("AB-12", "AC-13"), ("", "x"), ("...", "...")],
)
def test_others_do_not(question: str, text: str) -> None:
    assert overlap(question, text) == 0


def test_an_identifier_weighs_more_whole_than_in_parts() -> None:
    def score(text: str) -> float:
        held = dict(zip(HASHER.document(text).indices, HASHER.document(text).values, strict=True))
        asked = HASHER.query("AB-12/7")
        return sum(w * held.get(i, 0.0) for i, w in zip(asked.indices, asked.values, strict=True))

    assert score("see AB-12/7 here") > score("see 7 AB of 12 here") > 0


def test_a_word_of_two_stems_counts_once_in_a_question() -> None:
    [word] = words("Kündigungen")
    assert word.forms == ("kundigungen", "kundig")
    asked = HASHER.query("Kündigungen")
    held = dict(zip(asked.indices, asked.values, strict=True))
    assert sum(sorted(held.values())[-2:]) == pytest.approx(1.0)
    assert sum(held.values()) == pytest.approx(1.4)  # its hints weigh less than the word


@pytest.mark.parametrize(
    "written",
    [
        *("1.250,00", "1,250.00", "1250", "1'250", "1 250,0", "EUR 1.250", "1250.00 EUR"),
    ],
)
def test_an_amount_is_found_however_it_is_written(written: str) -> None:
    assert ("#1250",) in [word.forms for word in words(f"Gesamt {written} netto")]


@pytest.mark.parametrize(
    "written",
    [
        *("3. Juni 2026", "03.06.2026", "3.6.2026", "June 3, 2026", "3rd of June 2026", "2026-06-03", "03/06/2026"),
        *("06/03/2026", "3 Jun 2026"),
    ],
)
def test_a_day_is_found_however_it_is_written(written: str) -> None:
    assert ("@2026-6-3",) in [word.forms for word in words(f"am {written} fällig")]
    assert ("@2026-6-4",) not in [word.forms for word in words(f"am {written} fällig")]


@pytest.mark.parametrize(
    ("question", "written", "other"),
    [
        ("INV 2026-0417", "INV-2026-0417", "INV-2026-0418"),
        ("2026 0417", "INV-2026-0417", "INV-2017-0426"),
        ("AB12/7", "AB-12/7", "AB-127-1 und 12"),
        ("MF7719K", "MF-7719-K", "MF-7719-L"),
        ("120109", "12 01 09", "12 09 01"),
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"),
        ("§ 12 Abs. 3", "§12 Abs.3", "§ 3 Abs. 12"),
        ("Halvorsen-Re.example", "expenses@halvorsen-re.example", "halvorsen.example"),
        ("email", "E-Mail", "Mal"),
        ("Waermetechnik", "Wärmetechnik", "Waren"),
        ("Fussgaenger", "Fußgänger", "Flussgebiet"),
        ("Krananlage", "Kran und Anlage, Krananlagen", "Organ"),
        ("Endmasssatz", "Endmaßsatz", "Messsatz"),
        ("Beitragshöhe", "Mitgliedsbeitrag", "Antrag"),
        ("certifcate", "certificate", "certain"),
    ],
)
def test_what_is_meant_scores_above_what_looks_like_it(question: str, written: str, other: str) -> None:
    asked = dict(zip(*(getattr(HASHER.query(question), name) for name in ("indices", "values")), strict=True))

    def score(text: str) -> float:
        held = HASHER.document(text)
        return sum(asked.get(i, 0.0) * w for i, w in zip(held.indices, held.values, strict=True))

    assert score(f"Siehe {written}.") > 1.2 * score(f"Siehe {other}.")


def test_repetition_saturates_and_long_passages_weigh_less() -> None:
    def weight(text: str) -> float:
        return HASHER.document(text).values[HASHER.document(text).indices.index(HASHER.query("frost").indices[0])]

    once, twice, often = weight("frost"), weight("frost frost"), weight("frost " * 100)
    assert once < twice < often < 2.2  # k1 + 1 bounds it
    assert twice - once > (often - twice) / 10
    assert weight("frost " + "filler " * 400) < once
    words_of_a_usual_chunk = "frost " + "filler " * 159
    assert weight(words_of_a_usual_chunk) == pytest.approx(2.2 / (1 + 1.2))


def test_numbers_depend_on_the_key_and_on_nothing_that_is_public() -> None:
    text = "cold store vaccine supplier contract"
    mine, other = set(HASHER.document(text).indices), set(TermHasher(b"o" * 32).document(text).indices)
    assert not mine & other
    public = set()
    for word in words(text):
        for term in (*word.forms, *word.hints):
            data = term.encode()
            digests = [hashlib.new(name, data).digest() for name in ("sha256", "sha1", "md5", "blake2b")]
            public |= {int.from_bytes(d[:4], order) for d in digests for order in ("big", "little")}
            public.add(zlib.crc32(data))
    assert not mine & public


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        TermHasher(b"")


def test_the_numbers_never_change() -> None:
    """They are stored: another number for a term would lose it in every index."""
    assert HASHER.document("cold stores").indices == FROZEN


def test_the_weights_never_change() -> None:
    """Of identifiers, amounts and dates in whatever order, beside words that stand once and often."""
    text = (
        "Invoice INV-2026-0417 of 3. Juni 2026, due June 17th, 2026 (or 03.07.2026, 2026-07-03, 3/7/2026): EUR "
        "1.250,00, 1,250.50 or 12 345; see Abs. 3 and § 12\nof AB 12 / 7, IBAN DE12 3456 7890 1234 5678 90. Xmay 3 "
        "2026, may 3 20261, a may. 31 2025 and the dismay 3 2026; cold cold cold stores, the _ "
        "supplier's x2 and Straße."
    )
    made = HASHER.document(text)
    said = repr((tuple(made.indices), tuple(made.values))).encode()
    assert (len(made.indices), hashlib.sha256(said).hexdigest()) == WEIGHED


WEIGHED = (165, "ff1b6d872202e5e8fd26e34aef91152edde5621100962424e666eeca822f3f9f")
FROZEN = (122258352, 134773802, 1375625857, 2010823654, 3201113177, 3728673417, 4249508827)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_makes_a_well_formed_vector(text: str) -> None:
    made = HASHER.document(text)
    assert list(made.indices) == sorted(set(made.indices))
    assert all(0 <= index < 2**32 for index in made.indices)
    assert all(0 < value <= 4.4 for value in made.values)
    assert set(HASHER.query(text).indices) == set(made.indices)
    assert made == TermHasher(KEY).document(text)
