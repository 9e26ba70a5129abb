"""Sizes are counted at once over a whole text, and are what patterns that say it plainly would count."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane.tokens import _WORDS_OF_ENGLISH, _WORDS_OF_GERMAN, Tokens

_ENGLISH = re.compile(r"[A-Za-z]{1,6}|\d{1,3}|\w|[^\w\s]")
_OTHER = re.compile(r"[A-Za-zÀ-ɏ]{1,3}|\d{1,3}|\w|[^\w\s]")


def _plainly(text: str) -> list[int]:
    words = re.findall(r"\w+", text)
    english, german = (sum(word in known for word in words) for known in (_WORDS_OF_ENGLISH, _WORDS_OF_GERMAN))
    return [found.end() for found in (_ENGLISH if english > 2 * german else _OTHER).finditer(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        " ",
        "the of and " + "a" * 40 + "1" * 20 + "é" * 9,
        "der die das " + "ä" * 40 + "١" * 10 + "×÷" * 3,
        "the 2×the the÷",
        "漢字 ½² _ \U0001f600 \ud800 \u2003 \x1c \x7f",
    ],
)
def test_tokens_end_where_plain_patterns_say(text: str) -> None:
    assert Tokens(text)._ends == _plainly(text)


@given(st.lists(st.sampled_from([*"aZzäß×÷ɏɐ1٣²_-. \n\u00a0\u200b", "the ", "of ", "der "]), max_size=60).map("".join))
def test_tokens_of_any_text_end_where_plain_patterns_say(text: str) -> None:
    assert Tokens(text)._ends == _plainly(text)
