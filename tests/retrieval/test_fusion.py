"""Two rankings become one: nothing is lost or doubled, and the best of either is among the first five."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from frostbyte.data_plane.fusion import SEEN, fused

_Ranking = list[tuple[int, float]]


def ranking(least: float) -> st.SearchStrategy[_Ranking]:
    scores = st.lists(st.floats(least, 30.0), max_size=60)
    return st.tuples(scores, st.randoms(use_true_random=False)).map(
        lambda drawn: list(zip(drawn[1].sample(range(80), len(drawn[0])), sorted(drawn[0], reverse=True), strict=True))
    )


@given(meaning=ranking(-1.0), words=ranking(0.01))
def test_every_candidate_once_in_falling_order(meaning: _Ranking, words: _Ranking) -> None:
    found = fused(meaning, words)
    assert sorted(key for key, _ in found) == sorted({key for key, _ in (*meaning, *words)})
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


@given(meaning=ranking(-1.0), words=ranking(0.01))
def test_the_best_of_either_is_among_those_that_are_shown(meaning: _Ranking, words: _Ranking) -> None:
    first = {key for key, _ in fused(meaning, words)[: SEEN + 1]}
    for ranking in (meaning, words):
        leading = {key for key, score in ranking if score == ranking[0][1]}
        assert not ranking or leading & first


def test_an_exact_word_match_leads_what_is_middling_in_both() -> None:
    meaning = [(key, 0.6 - key / 100) for key in range(30)]
    words = [(99, 12.0), *((key, 1.5) for key in range(10, 20))]
    assert fused(meaning, words)[0][0] == 99


def test_words_that_many_share_give_way_to_meaning() -> None:
    """ "How long must ... be kept" stands in every second passage; the one that is meant says "archived"."""
    meaning = [(key, 0.6 - key / 100) for key in range(30)]
    words = [(key, 5.0 - key / 100) for key in range(20, 60)]
    assert fused(meaning, words)[0][0] == 0
