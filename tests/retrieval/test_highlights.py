"""Where a question's words stand in a passage."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane.serve.alike import forms
from frostbyte.data_plane.serve.highlights import MOST, _odd, _usual, highlights


def shown(text: str, question: str) -> str:
    made, at = "", 0
    for start, end in highlights(text, forms(question)):
        made, at = f"{made}{text[at:start]}[{text[start:end]}]", end
    return made + text[at:]


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("terminate the agreement", "Either party may [terminate] this [Agreement]."),
        ("terminating agreements", "Either party may [terminate] this [agreement]."),  # by stem
        ("the of and", "Of all the words and signs."),  # words without meaning
        ("1250", "A fee of [1.250,00] is due; 12 50 is not."),  # a number by its value
        ("Kuendigung", "Die [Kündigung] bedarf der Schriftform."),  # umlauts as people type them
        ("AB-12/7", "See file [AB-12/7] and AB."),
        ("notice", "90-day-[notice] and [notices]"),  # a part of a token alone
        ("nothing", "Of what was asked there is no word here."),
        ("", "Without a question."),
        ("𝔘nicode agreement", "𝕬𝖘𝖙𝖗𝖆𝖑 letters before the [agreement]."),
    ],
)
def test_words_are_marked_as_search_finds_them(question: str, passage: str) -> None:
    assert shown(passage.replace("[", "").replace("]", ""), question) == passage


@given(st.text(max_size=300), st.text(max_size=60))
def test_places_lie_in_the_text_in_order_and_apart(text: str, question: str) -> None:
    places = highlights(text, forms(question))
    flat = [at for place in places for at in place]
    assert flat == sorted(flat)
    assert all(0 <= start < end <= len(text) for start, end in places)


def test_a_passage_full_of_the_word_is_marked_so_often() -> None:
    assert len(highlights("notice " * 1000, forms("notice"))) == MOST


def test_what_is_kept_of_words_has_bounds_and_long_ones_are_marked_without() -> None:
    """Whoever sends documents decides what words stand in them."""
    long = "x" * 5_000
    before = _usual.cache_info().currsize + _odd.cache_info().currsize
    assert highlights(f"before {long} after", forms(long)) == [(7, 5_007)]
    assert _usual.cache_info().currsize + _odd.cache_info().currsize <= before + 2, "the long word is not kept"


def test_what_is_kept_of_words_fits_into_memory() -> None:
    """The worst of each kind, by weight, when both are full: words with numbers, and what changes with each letter."""
    usual = [f"{'x' * 29}{number:011d}" for number in range(100)]
    odd = ["".join(f"{chr(97 + at)}{(number + at) % 10}" for at in range(20)) for number in range(10)]
    odd += [f"{number}-" + "1-a-" * 9 + "1" for number in range(10, 100)]
    total = 0
    for cached, words in ((_usual, usual), (_odd, odd)):
        cached.cache_clear()
        tracemalloc.start()
        for word in words:
            highlights(word, frozenset({"nothing"}))
        each = tracemalloc.get_traced_memory()[0] / len(words)
        tracemalloc.stop()
        assert cached.cache_info().currsize == len(words), "they are kept"
        total += each * (cached.cache_info().maxsize or 0)
    assert total < 40_000_000, "with what words.py keeps of the same words"
