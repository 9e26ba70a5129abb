"""What is asked of the engine for one search, and its answers made one: the same for the engine and for its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple
from uuid import UUID

from frostbyte.data_plane.fusion import candidates, fused
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, SparseVector

DENSE: Final = "dense"
PIECES: Final = "pieces"
"""Several vectors a point, where the collection keeps those of pieces: a point is as near as the nearest of them."""
TERMS: Final = "terms"
DOC_ID: Final = "doc_id"
GENERATION: Final = "generation"
LABELS: Final = "labels"
RECEIVED: Final = "received"
INDEXED: Final = {DOC_ID: "uuid", GENERATION: "keyword", LABELS: "keyword", RECEIVED: "float"}
"""Fields of a point that are asked for, and the kind of their index in Qdrant's words."""
OVERSAMPLING: Final = 2.0
"""So many times as many candidates by their one-byte copies, then ranked by the vectors themselves."""


class Ranking(Enum):
    """One question to the engine."""

    MEANING = 0
    """By the cosine of the dense vectors."""
    WORDS = 1
    """By BM25."""
    WORDS_BY_MEANING = 2
    """What WORDS finds, with its cosines: those of passages that MEANING does not reach."""
    PIECES = 3
    """What MEANING and WORDS find, by the cosine of each passage's nearest piece."""


class Found(NamedTuple):
    """One passage of a ranking."""

    id: str
    score: float


def asked(dense: Sequence[float] | None, sparse: SparseVector | None, *, pieces: bool) -> tuple[Ranking, ...]:
    """The rankings that a search needs; none if it asks for nothing.

    Args:
        pieces: whether the collection keeps the vectors of pieces.
    """
    words = sparse is not None and bool(sparse.indices)
    if dense is None:
        return (Ranking.WORDS,) if words else ()
    if pieces:
        return (Ranking.PIECES, Ranking.WORDS) if words else (Ranking.PIECES,)
    return (Ranking.MEANING, Ranking.WORDS, Ranking.WORDS_BY_MEANING) if words else (Ranking.MEANING,)


def depth(rankings: Sequence[Ranking], limit: int) -> int:
    """How many of each ranking are needed."""
    return limit if len(rankings) == 1 and Ranking.PIECES not in rankings else candidates(limit)


def merged(found: Mapping[Ranking, Sequence[Found]], limit: int) -> list[Hit]:
    """The hits, best first, each with its cosine where a vector was asked for and it has one."""
    words, meaning = found.get(Ranking.WORDS), found.get(Ranking.MEANING, found.get(Ranking.PIECES))
    cosines = dict((*(meaning or ()), *found.get(Ranking.WORDS_BY_MEANING, ())))
    best = fused(meaning, words) if meaning is not None and words is not None else meaning or words or ()
    return [Hit(chunk_id=UUID(name), score=score, similarity=cosines.get(name)) for name, score in best[:limit]]


def check_made_by(pinned: CollectionSpec, wanted: CollectionSpec) -> None:
    """Raises Conflict("embedding_mismatch") where a collection was made by another model."""
    if pinned != wanted:
        raise mismatch(
            f"The index was made by {pinned.model}, version {pinned.version} ({pinned.dimensions} dimensions), not by "
            f"{wanted.model}, version {wanted.version} ({wanted.dimensions})."
        )


def check_length(vector: Sequence[float] | None, pinned: CollectionSpec) -> None:
    """Raises Conflict("embedding_mismatch") for a question of another length."""
    if vector is not None and len(vector) != pinned.dimensions:
        raise mismatch(f"A question's vector does not have the {pinned.dimensions} dimensions of the index.")


def check_points(points: Sequence[Point], pinned: CollectionSpec) -> None:
    """Raises Conflict("embedding_mismatch") where a point's vectors are not as the collection keeps them."""
    if not all(point.fits(pinned) for point in points):
        raise mismatch(f"A vector does not have the {pinned.dimensions} dimensions of the index, or its pieces.")


def mismatch(why: str) -> Conflict:
    """The error for vectors of another model."""
    return Conflict("embedding_mismatch", why, "Set the embedder back, or build a new index with the new one.")
