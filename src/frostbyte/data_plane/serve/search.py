"""Search: candidates from the vector store, visibility from the relational store, text from the sealed objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.artefacts import ShownChunk
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Hit, SparseVector, VectorStore
from frostbyte.kernel.records import ChunkRow, DocumentRow

_MOST: Final = 2_000
"""Candidates asked for at most, when many are not visible (old generations, withheld passages)."""


class Mode(StrEnum):
    """Which rankings are asked."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What documents an answer may come from; None sets no bound."""

    doc_ids: tuple[UUID, ...] | None = None
    classifications: tuple[str, ...] | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether every document may answer."""
        return self == Filters()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One passage of an answer."""

    rank: int
    """1-based."""
    score: float
    """Reciprocal rank fusion's sum in hybrid mode, the ranking's own score otherwise: compares within one answer."""
    chunk: ChunkRow
    document: DocumentRow
    shown: ShownChunk


class Search:
    """Answers questions.

    Args:
        load: reads a chunk's text as it is shown.
    """

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        vectors: VectorStore,
        embedder: Embedder,
        terms: TermHasher,
        load: Callable[[DocumentRow, ChunkRow], ShownChunk],
    ) -> None:
        self._unit_of_work = unit_of_work
        self._vectors = vectors
        self._embedder = embedder
        self._terms = terms
        self._load = load

    def find(self, query: str, *, top_k: int, filters: Filters, mode: Mode = Mode.HYBRID) -> list[Found]:
        """The best visible passages for a question.

        Raises:
            Unavailable: `embedder_unavailable`, `vectors_unavailable`, `database_unavailable`.
        """
        dense = None if mode is Mode.LEXICAL else self._embedder.query(query)
        sparse = None if mode is Mode.DENSE else self._terms.query(query)
        return self.nearest(dense, sparse, top_k=top_k, filters=filters)

    def nearest(
        self, dense: Sequence[float] | None, sparse: SparseVector | None, *, top_k: int, filters: Filters
    ) -> list[Found]:
        """The best visible passages for vectors that are there already."""
        with self._unit_of_work() as uow:
            doc_ids = None if filters.empty else _allowed(uow, filters)
            limit = top_k * 2
            while True:
                hits = self._vectors.search(dense, sparse, limit=limit, doc_ids=doc_ids)
                visible = uow.chunks.visible([hit.chunk_id for hit in hits])
                kept = [hit for hit in hits if hit.chunk_id in visible][:top_k]
                if len(kept) == top_k or len(hits) < limit or limit >= _MOST:
                    break
                limit = min(limit * 4, _MOST)
            documents = uow.documents.get_many(list({hit.doc_id for hit in kept}))
        return [self._found(rank, hit, visible, documents) for rank, hit in enumerate(kept, 1)]

    def _found(self, rank: int, hit: Hit, visible: dict[UUID, ChunkRow], documents: dict[UUID, DocumentRow]) -> Found:
        chunk, document = visible[hit.chunk_id], documents[hit.doc_id]
        return Found(rank=rank, score=hit.score, chunk=chunk, document=document, shown=self._load(document, chunk))


def _allowed(uow: UnitOfWork, filters: Filters) -> list[UUID]:
    classes: tuple[str | None, ...] = (None,) if filters.classifications is None else filters.classifications
    found = {
        doc_id
        for name in classes
        for doc_id in uow.documents.matching(
            doc_ids=filters.doc_ids,
            classification=name,
            received_from=filters.received_from,
            received_to=filters.received_to,
        )
    }
    return sorted(found)
