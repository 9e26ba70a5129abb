"""One ranking out of two: by meaning (vectors) and by words (terms).

Each ranking's scores are brought to 0..1 and added, words counting WORDS times. Adding ranks instead (RRF) forgets by
how much a passage leads: on the tuning questions of bench/finding/retrieval.py an exact word match that no other
passage had lost its first place to passages that were middling in both (ADR 56 has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

WORDS: Final = 2.5
"""What words weigh beside meaning, chosen on the tuning questions: English alone would take 1.5, German 3."""
DEPTH: Final = 50
"""The place in the ranking by meaning whose score counts 0. It is fixed: asking for more must not change the order."""

SEEN: Final = 4
"""The place (from 0) behind which the best passage by meaning never falls: among the five that are shown. On the tuning
questions it answers one more of 82 and costs none; its score becomes that of the passage before it."""

_K = TypeVar("_K", int, str)


def candidates(limit: int) -> int:
    """How many of each ranking are fused: what both like in the middle must be able to win."""
    return max(2 * limit, DEPTH)


def fused(meaning: Sequence[tuple[_K, float]], words: Sequence[tuple[_K, float]]) -> list[tuple[_K, float]]:
    """Both rankings (best first) as one, best first; scores lie between 0 and 1 + WORDS.

    Args:
        meaning: cosines.
        words: BM25 scores, all above 0.
    """
    sums: dict[_K, float] = {}
    if meaning:
        best, floor = meaning[0][1], meaning[min(len(meaning), DEPTH) - 1][1]
        for key, score in meaning:
            sums[key] = max((score - floor) / (best - floor), 0.0) if best > floor else 1.0
    if words:
        best = words[0][1]
        for key, score in words:
            sums[key] = sums.get(key, 0.0) + WORDS * score / best
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    if meaning and words:
        # A question in other words than its answer shares only common ones with many passages.
        at = next(place for place, (key, _) in enumerate(ordered) if key == meaning[0][0])
        if at > SEEN:
            ordered.insert(SEEN, (ordered.pop(at)[0], ordered[SEEN - 1][1]))
    return ordered
