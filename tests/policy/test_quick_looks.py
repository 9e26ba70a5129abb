"""What is looked at quickly is passed over only where the search proper would find nothing."""

from __future__ import annotations

import re
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane import policy
from frostbyte.data_plane.policy import class_reading, disguises, labels, pii
from frostbyte.data_plane.policy.reading import fold_char
from frostbyte.data_plane.policy.wording import Cut

_BLANKS = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2003\u2028"
_PIECES = st.sampled_from(
    ["4a", "0x4A", "\\x6f", "%c3%A4", "C3", "01001010", "1" * 8, "i", "_", "\xe4", "\u4e2d", ",", ":"]
)


def _runs(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Many of a few pieces in a row, with a little between them, and text around."""
    between = st.text(alphabet=_BLANKS + ",:.-_*?", max_size=2)
    piece = st.lists(pieces, min_size=1, max_size=2).map("".join)
    run = st.tuples(piece, between, st.integers(1, 20)).map(lambda made: (made[0] + made[1]) * made[2])
    return st.lists(st.one_of(run, st.text(max_size=6)), max_size=4).map("".join)


@given(_runs(_PIECES))
def test_what_may_be_decoded_is_never_passed_over(text: str) -> None:
    signs = text.encode("ascii", "replace")
    if disguises._HEX_INSIDE.search(text):
        assert disguises._RUN_OF_HEX in signs.translate(disguises._HEX_DIGITS, disguises._BETWEEN_DIGITS)
    if disguises._BITS_INSIDE.search(text):
        assert disguises._RUN_OF_BITS in signs.translate(disguises._BITS_ONLY, disguises._BETWEEN_DIGITS)
    if disguises._BASE64.search(text):
        assert disguises._RUN_OF_BASE64 in signs.translate(disguises._BASE64_SIGNS)


@given(_runs(st.sampled_from("aZ0259_$!\xe4\u0430\u4e2d\u0665\xbd")))
def test_letters_that_stand_apart_are_never_passed_over(text: str) -> None:
    if disguises._SPACED_INSIDE.search(text):
        assert disguises._APART.search(disguises.shaped(Cut.of(text).signs))


@given(
    st.text(
        alphabet="aQl\xc4\xdf\xe4\xb5\xff\xaa\xb2\xbd\xd7\xf7_1 -\n\u201c\u2022\ufb01\u0130\u212a\u0141\u03a3\ud800",
        max_size=40,
    )
)
def test_the_words_that_may_be_labels_are_those_of_the_text(text: str) -> None:
    assert labels._different(text) == set(labels._WORD.findall(text.lower()))


@given(st.text(alphabet="lqLQ\xe4\xc4\xe9\xdf\xffrnvwaeoue \u0131\u0130\ufb01", max_size=30))
def test_letters_that_scans_confuse_are_folded_as_by_a_table(text: str) -> None:
    table = str.maketrans("lq", "ig") | {
        ord(char): unicodedata.normalize("NFD", char)[0] for char, _ in class_reading._ACCENTED
    }
    folded = text.lower().translate(table)
    for pair, one in class_reading._DIGRAPHS:
        folded = folded.replace(pair, one)
    assert class_reading.fold(text) == folded


def test_a_reading_has_no_digits_but_ten() -> None:
    folded = "".join(map(fold_char, map(chr, range(sys.maxunicode + 1))))
    assert set(re.findall(r"\d", folded)) == set("0123456789")
    assert [match.span() for match in pii._DIGITS.finditer(folded)] == [
        match.span() for match in re.finditer(r"\d(?:\D{0,3}\d)+", folded)
    ]


def test_more_of_a_feature_than_counts_is_not_counted(rules: policy.RuleSet) -> None:
    text = "1,20 EUR and 3,40 EUR\nDone? Yes.\n1. check the valve;\n" * 50
    for rule in rules.classes:
        if rule.pattern:
            every = len(list(rule.regex.finditer(text.lower())))
            assert [rule.matches(text.lower(), most) for most in (1, 7, 10_000)] == [
                min(every, most) for most in (1, 7, 10_000)
            ]
