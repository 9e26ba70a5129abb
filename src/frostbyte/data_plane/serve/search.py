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
from frostbyte.kernel.errors import FrostbyteError, Invalid, Kind
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Hit, SparseVector, VectorStore
from frostbyte.kernel.records import ChunkRow, DocumentRow

_GROWTH: Final = 4
"""How much more is asked for when too few candidates are visible (old generations, withheld passages)."""


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
    similarity: float | None
    """Cosine (-1..1) of question and passage, which compares between answers; None if the question has no vector."""
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
            Invalid: `mode_unavailable`: meaning is asked for where search is lexical only.
            Conflict: `embedding_mismatch`: the index was made by another model.
            Unavailable: `embedder_unavailable`, `vectors_unavailable`, `database_unavailable`.
        """
        blind = self._embedder.spec.dimensions == 0
        if blind and mode is Mode.DENSE:
            raise Invalid(
                "mode_unavailable",
                "This plane searches by words only: it has no embedding model.",
                "Ask with mode hybrid or lexical, or set FROSTBYTE_EMBEDDING_ENDPOINT and index anew.",
            )
        sparse = None if mode is Mode.DENSE else self._terms.query(query)
        if blind or mode is Mode.LEXICAL:
            return self.nearest(None, sparse, top_k=top_k, filters=filters)
        if self._vectors.spec is not None:  # another model's vector would give an answer, and a wrong one
            self._vectors.ensure(self._embedder.spec)
        dense = self._embedder.query(query)
        return self.nearest(dense, sparse, top_k=top_k, filters=filters)

    def nearest(
        self, dense: Sequence[float] | None, sparse: SparseVector | None, *, top_k: int, filters: Filters
    ) -> list[Found]:
        """The best visible passages for vectors of the index's own model. Raises as `find` does."""
        with self._unit_of_work() as uow:
            doc_ids = None if filters.empty else _allowed(uow, filters)
            hits, visible = self._candidates(uow, dense, sparse, top_k, doc_ids)
            documents = uow.documents.get_many(list({hit.doc_id for hit in hits}))
        kept: list[tuple[Hit, DocumentRow, ShownChunk]] = []
        for hit in hits:
            document = documents.get(hit.doc_id)
            shown = None if document is None else self._shown(document, visible[hit.chunk_id])
            if document is not None and shown is not None:
                kept.append((hit, document, shown))
            if len(kept) == top_k:
                break
        alike = {} if dense is None else self._vectors.similarities(dense, [hit.chunk_id for hit, _, _ in kept])
        return [
            Found(
                rank=rank,
                score=hit.score,
                similarity=alike.get(hit.chunk_id),
                chunk=visible[hit.chunk_id],
                document=document,
                shown=shown,
            )
            for rank, (hit, document, shown) in enumerate(kept, 1)
        ]

    def _candidates(
        self,
        uow: UnitOfWork,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        top_k: int,
        doc_ids: list[UUID] | None,
    ) -> tuple[list[Hit], dict[UUID, ChunkRow]]:
        """The visible hits, best first, a few more than are shown; asks for more until they fill or there are none."""
        limit = top_k * 2
        visible: dict[UUID, ChunkRow] = {}
        judged: set[UUID] = set()
        while True:
            hits = self._vectors.search(dense, sparse, limit=limit, doc_ids=doc_ids)
            new = [hit.chunk_id for hit in hits if hit.chunk_id not in judged]
            visible |= uow.chunks.visible(new)
            judged.update(new)
            kept = [hit for hit in hits if hit.chunk_id in visible]
            if len(kept) >= top_k or len(hits) < limit:
                return kept[: top_k * 2], visible
            limit *= _GROWTH

    def _shown(self, document: DocumentRow, chunk: ChunkRow) -> ShownChunk | None:
        """The text; None if it was erased or replaced since it was looked up."""
        try:
            return self._load(document, chunk)
        except FrostbyteError as error:
            if error.kind in (Kind.GONE, Kind.NOT_FOUND):
                return None
            raise


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
