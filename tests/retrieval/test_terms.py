"""Words become numbers that find each other under one key and say nothing without it."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.terms import TermHasher, words

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
    [("the", "the of and"), ("und", "und oder"), ("invoice", "voice"), ("AB-12", "AC-13"), ("", "x"), ("...", "...")],
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
    assert list(words("Verträge")) == [("verträg", "vertrag")]
    assert sum(HASHER.query("Verträge").values) == pytest.approx(1.0)


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
        for term in word:
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


FROZEN = (122258352, 1375625857, 4249508827)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_makes_a_well_formed_vector(text: str) -> None:
    made = HASHER.document(text)
    assert list(made.indices) == sorted(set(made.indices))
    assert all(0 <= index < 2**32 for index in made.indices)
    assert all(0 < value <= 4.4 for value in made.values)
    assert set(HASHER.query(text).indices) == set(made.indices)
    assert made == TermHasher(KEY).document(text)
