"""Terms are stable, keyed and blind to what does not matter."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.data_plane.terms import TermHasher, words

KEY = b"k" * 32
HASHER = TermHasher(KEY)


def hits(question: str, passage: str) -> int:
    """How many terms of the question are in the passage."""
    return len(set(HASHER.query(question).indices) & set(HASHER.document(passage).indices))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("PAYMENT", "payment"),
        ("invoice", "All invoices are due."),
        ("Rechnung", "Die Rechnungen sind fällig."),
        ("straße", "STRASSE"),
        ("AB-12/7", "see order ab-12/7 of May"),
        ("12", "see order AB-12/7 of May"),
        ("4711", "number 4711."),
    ],
)
def test_a_question_meets_the_passage_that_holds_its_word(question: str, passage: str) -> None:
    assert hits(question, passage) > 0


@pytest.mark.parametrize(
    ("question", "passage"), [("cat", "dog"), ("4711", "4712"), ("the", "the terms"), ("und", "Hund und Katze")]
)
def test_other_words_and_words_that_say_nothing_do_not_meet(question: str, passage: str) -> None:
    assert hits(question, passage) == 0


def test_an_identifier_as_a_whole_weighs_more_than_its_parts_elsewhere() -> None:
    assert hits("AB-12/7", "order AB-12/7") > hits("AB-12/7", "ab and 12 and 7")


def test_without_the_key_the_numbers_say_nothing() -> None:
    said = "confidential settlement amount"
    mine = set(HASHER.document(said).indices)
    assert not mine & set(TermHasher(b"o" * 32).document(said).indices)
    plain = {
        int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "big")
        for word in words(said)
        for term in word
    }
    assert not mine & plain


def test_a_repeated_word_weighs_more_but_saturates() -> None:
    def weight(count: int) -> float:
        vector = HASHER.document("apple " * count + "filler " * (100 - count))
        [number] = HASHER.query("apple").indices
        return dict(zip(vector.indices, vector.values, strict=True))[number]

    assert weight(1) < weight(3) < weight(50) < 2.2  # k1 + 1 is the limit
    assert weight(3) - weight(1) > weight(53) - weight(51)


def test_a_word_weighs_less_in_a_longer_passage() -> None:
    [number] = HASHER.query("apple").indices
    short, long = HASHER.document("apple tree"), HASHER.document("apple " + "tree " * 300)
    assert short.values[short.indices.index(number)] > long.values[long.indices.index(number)]


def test_a_question_counts_each_term_once() -> None:
    assert HASHER.query("apple apple apple") == HASHER.query("apple")
    assert set(HASHER.query("apple pear").values) <= {0.5, 1.0}


def test_nothing_but_stop_words_is_an_empty_vector() -> None:
    for text in ("", "   ", "the and of", "!?"):
        assert HASHER.query(text).indices == ()
        assert HASHER.document(text).values == ()


def test_threads_agree() -> None:
    text = " ".join(f"stemming{number} houses running Häuser" for number in range(200))
    expected = TermHasher(KEY).document(text)
    found = []
    threads = [threading.Thread(target=lambda: found.append(TermHasher(KEY).document(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_text_gives_a_vector_that_a_store_takes(text: str) -> None:
    vector = HASHER.document(text)
    assert list(vector.indices) == sorted(set(vector.indices))
    assert len(vector.indices) == len(vector.values)
    assert all(0 <= index < 2**32 for index in vector.indices)
    assert all(value > 0 for value in vector.values)
    assert set(HASHER.query(text).indices) == set(vector.indices)
