"""Vectors: ids and numbers, no text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec


class SparseVector(msgspec.Struct, frozen=True):
    """Weights under keyed term hashes."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


class CollectionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is pinned in the collection: a mismatch stops indexing."""

    model: str
    version: str
    dimensions: int
    window: int = 256
    """Tokens that the model reads of one text: passages are cut to fit it."""
    pieces: bool = False
    """Whether the vectors of a passage's pieces are kept too: it is as near to a question as the nearest of them."""

    def same_questions(self, other: CollectionSpec) -> bool:
        """Whether questions have the same vectors for both: how passages are read may differ."""
        return msgspec.structs.replace(self, pieces=other.pieces) == other


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk's vectors."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    dense: Sequence[float]
    """Empty for a chunk that is found by its words alone."""
    sparse: SparseVector
    pieces: Sequence[Sequence[float]] = ()
    """The vectors of its pieces, where the collection keeps them and the chunk has vectors at all."""
    labels: tuple[str, ...] = ()
    """Classes of its document: what `Scope.labels` chooses by. May name too many, never too few."""
    received: float = 0.0
    """When the document came, in seconds since 1970."""

    def fits(self, spec: CollectionSpec) -> bool:
        """Whether its vectors are as the collection keeps them: of its length, with pieces where it keeps them."""
        if len(self.dense) not in (0, spec.dimensions):
            return False
        wanted = spec.pieces and len(self.dense) > 0
        return not spec.pieces or (
            (len(self.pieces) > 0) == wanted and all(len(one) == spec.dimensions for one in self.pieces)
        )


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which points may be found; None sets no bound."""

    doc_ids: tuple[UUID, ...] | None = None
    labels: tuple[str, ...] | None = None
    """Points that have one of them."""
    received_from: float | None = None
    received_to: float | None = None
    """Both bounds belong to the range."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate; which document it is of and whether it is visible, the relational store decides."""

    chunk_id: UUID
    score: float
    similarity: float | None = None
    """Cosine (-1..1) of the question's vector and the chunk's, or its nearest piece's; compares between questions. None
    where one of them has none."""


class VectorStore(Protocol):
    """Dense and sparse (BM25 with the store's IDF) search, fused (see data_plane.fusion).

    Raises `Unavailable("vectors_unavailable")` when it cannot be reached.
    """

    @property
    def spec(self) -> CollectionSpec | None:
        """What the collection was made for; None while there is none."""
        ...

    def ensure(self, spec: CollectionSpec) -> None:
        """Create the collection or check what it was made for. Raises Conflict("embedding_mismatch")."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Write; durable only after `flush()`."""
        ...

    def flush(self) -> None: ...
    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        scope: Scope | None = None,
    ) -> list[Hit]:
        """Best first. With one of the two vectors None, only the other is asked; its own scores come back."""
        ...

    def label(self, doc_id: UUID, labels: Sequence[str]) -> None:
        """Replace the labels of all points of a document; durable after `flush()`."""
        ...

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None: ...
    def count(self, doc_id: UUID | None = None) -> int: ...
    def compact(self) -> None:
        """Rewrite segments so that deleted vectors leave the live ones."""
        ...

    def close(self) -> None: ...


class Collections(VectorStore, Protocol):
    """One collection that serves and, while another model's is made, one beside it.

    As a `VectorStore` it answers from the one that serves and writes into the one that is made; what is deleted,
    labelled, flushed or compacted is so in both.
    """

    @property
    def building(self) -> bool:
        """Whether a collection is being made beside the one that serves."""
        ...

    @property
    def names(self) -> tuple[str, str]:
        """Of the collection that serves, and of the one that is made; '' for the first one, and for none."""
        ...

    @property
    def epoch(self) -> int:
        """Raised by each switch: an answer that began in one epoch and ended in another must be made again."""
        ...

    def sweep(self, names: tuple[str, str]) -> None:
        """Remove what other collections of these stores hold."""
        ...

    def follow(self, names: tuple[str, str]) -> None:
        """Be as the database says (`names`): for a process that leaves beginning and switching to another."""
        ...

    def begin(self, name: str) -> None:
        """Make a collection of this name beside the one that serves, or open it again."""
        ...

    def words(self, points: Sequence[Point]) -> None:
        """Write points without their vectors into the one that serves."""
        ...

    def switch(self, commit: Callable[[], None]) -> None:
        """Commit, and let the new collection serve from then on; the old one is removed."""
        ...
