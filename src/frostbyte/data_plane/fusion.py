"""One ranking out of two: by meaning (vectors) and by words (terms).

Each ranking's scores are brought to 0..1 and added. Adding ranks instead (RRF) forgets by how much a passage leads: on
the tuning questions of bench/finding/retrieval.py an exact word match that no other passage had lost its first place to
passages that were middling in both (ADR 56 has the figures). For the same reason words weigh by their lead: an
identifier that one passage holds decides, common words that many share hardly count (ADR 58, 148).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

LEAST: Final = 0.2
"""What words weigh beside meaning (1) if two passages hold the question's words equally well."""
LEAD: Final = 1.0
"""What they weigh more if the second holds none of them. Of 155 tuning questions 125 are answered; with
0.5 and 2, which was better when a passage had one vector (ADR 58), 123."""
DEPTH: Final = 50
"""The place in the ranking by meaning whose score counts 0. It is fixed: asking for more must not change the order."""
SEEN: Final = 4
"""The place (from 0) behind which the best passage of either ranking never falls: among the five that are shown. Its
score becomes that of the passage before it."""

_K = TypeVar("_K", int, str)


def candidates(limit: int) -> int:
    """How many of each ranking are fused: what both like in the middle must be able to win."""
    return max(2 * limit, DEPTH)


def fused(meaning: Sequence[tuple[_K, float]], words: Sequence[tuple[_K, float]]) -> list[tuple[_K, float]]:
    """Both rankings (best first) as one, best first; scores lie between 0 and 1 + LEAST + LEAD.

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
        weight = LEAST + LEAD * (1 - (words[1][1] if len(words) > 1 else 0.0) / best)
        for key, score in words:
            sums[key] = sums.get(key, 0.0) + weight * score / best
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    if meaning and words:
        # A question in other words than its answer shares only common ones with many passages, and a name or a number
        # means little to a model.
        for key in (words[0][0], meaning[0][0]):
            at = next(place for place, (other, _) in enumerate(ordered) if other == key)
            if at > SEEN:
                ordered.insert(SEEN, (ordered.pop(at)[0], ordered[SEEN - 1][1]))
    return ordered
