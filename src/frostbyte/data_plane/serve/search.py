"""Search: candidates from the vector store, visibility from the relational store, text from the sealed objects.

Filters go to the vector store, which may be late in what it knows of a document (never by too little, see
`review.Review.classify`); what it finds is held against the relational store's rows, which are the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.artefacts import ShownChunk
from frostbyte.data_plane.serve import alike
from frostbyte.data_plane.serve.alike import Gist
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Collections, Hit, Scope, SparseVector
from frostbyte.kernel.records import ChunkRow, DocumentRow

ALSO: Final = 20
_GROWTH: Final = 4
"""How much more is asked for when too few candidates are visible or say something new."""


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
    def scope(self) -> Scope:
        """The bounds as the vector store keeps them, times a millisecond wider: they are numbers there."""
        return Scope(
            doc_ids=self.doc_ids,
            labels=self.classifications,
            received_from=None if self.received_from is None else self.received_from.timestamp() - 0.001,
            received_to=None if self.received_to is None else self.received_to.timestamp() + 0.001,
        )

    def allow(self, row: DocumentRow) -> bool:
        """Whether the document may answer."""
        return (
            (self.doc_ids is None or row.doc_id in self.doc_ids)
            and (self.classifications is None or row.classification in self.classifications)
            and (self.received_from is None or row.received_at >= self.received_from)
            and (self.received_to is None or row.received_at <= self.received_to)
        )


class Also(msgspec.Struct, frozen=True, kw_only=True):
    """Another passage that says the same."""

    chunk: ChunkRow
    document: DocumentRow
    identical: bool
    """Whether its words are the same; else it says nearly the same."""


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
    also: tuple[Also, ...] = ()
    """Passages that would have followed and say nothing new, best first, at most ALSO."""


class Search:
    """Answers questions.

    Args:
        others: embedders that may have made the index that serves while another is made.
        load: reads a chunk's text as it is shown.
    """

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        vectors: Collections,
        embedder: Embedder,
        others: Sequence[Embedder] = (),
        terms: TermHasher,
        load: Callable[[DocumentRow, ChunkRow], ShownChunk],
    ) -> None:
        self._unit_of_work = unit_of_work
        self._vectors = vectors
        self._embedders = (embedder, *others)
        self._terms = terms
        self._load = load

    def find(self, query: str, *, top_k: int, filters: Filters, mode: Mode = Mode.HYBRID) -> list[Found]:
        """The best visible passages for a question.

        While an index is made for another model, a question is read by the model of the one that serves; if that model
        is not at hand, hybrid search goes by words alone.

        Raises:
            Invalid: `mode_unavailable`: meaning is asked for where search is lexical only.
            Conflict: `embedding_mismatch`: meaning is asked for, and the index was made by a model not at hand.
            Unavailable: `embedder_unavailable`, `vectors_unavailable`, `database_unavailable`.
        """
        epoch, embedder = self._vectors.epoch, self.embedder
        if mode is Mode.DENSE and (embedder is None or embedder.spec.dimensions == 0):
            raise _no_meaning(embedder)
        asked = alike.forms(query)
        sparse = None if mode is Mode.DENSE else self._terms.query(query)
        by_words = mode is Mode.LEXICAL or embedder is None or embedder.spec.dimensions == 0
        dense = None if by_words or embedder is None else embedder.query(query)
        try:
            found = self.nearest(dense, sparse, top_k=top_k, filters=filters, asked=asked)
        except FrostbyteError:
            if epoch == self._vectors.epoch:
                raise
        else:
            if epoch == self._vectors.epoch:
                return found
        return self.find(query, top_k=top_k, filters=filters, mode=mode)  # the index was switched meanwhile

    @property
    def embedder(self) -> Embedder | None:
        """The one whose vectors the serving index holds; None if it is not at hand."""
        spec = self._vectors.spec
        return next((item for item in self._embedders if spec is None or item.spec.same_questions(spec)), None)

    def nearest(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        top_k: int,
        filters: Filters,
        asked: frozenset[str] = frozenset(),
    ) -> list[Found]:
        """The best visible passages for vectors of the index's own model, each said once. Raises as `find` does.

        Args:
            asked: the forms of the question's words (see `alike`).
        """
        limit = top_k * 2
        known = _Known()
        while True:
            hits = self._vectors.search(dense, sparse, limit=limit, scope=filters.scope)
            with self._unit_of_work(reading=True) as uow:
                known.learn(uow, hits)
            page = self._page(hits, known, filters, top_k, asked)
            if len(page) == top_k or len(hits) < limit:
                break
            limit *= _GROWTH
        return [
            Found(
                rank=rank,
                score=entry.hit.score,
                similarity=entry.hit.similarity,
                chunk=entry.chunk,
                document=entry.document,
                shown=entry.shown,
                also=tuple(entry.also),
            )
            for rank, entry in enumerate(page, 1)
        ]

    def _page(
        self, hits: Sequence[Hit], known: _Known, filters: Filters, top_k: int, asked: frozenset[str]
    ) -> list[_Entry]:
        """The first passages that may be seen and say something new; those that do not are kept with the one before."""
        page: list[_Entry] = []
        for hit in hits:
            seen = known.visible.get(hit.chunk_id)
            if seen is None or not filters.allow(seen[1]):
                continue
            chunk, document = seen
            shown = known.texts[hit.chunk_id] if hit.chunk_id in known.texts else self._shown(document, chunk)
            known.texts[hit.chunk_id] = shown
            if shown is None:
                continue
            gist = known.gists.setdefault(hit.chunk_id, Gist(shown.text))
            before = next((entry for entry in page if gist.repeats(entry.gist, asked)), None)
            if before is None:
                page.append(_Entry(hit=hit, chunk=chunk, document=document, shown=shown, gist=gist, also=[]))
            elif len(before.also) < ALSO:
                same = gist.sequence == before.gist.sequence
                before.also.append(Also(chunk=chunk, document=document, identical=same))
            if len(page) == top_k:
                break
        return page

    def _shown(self, document: DocumentRow, chunk: ChunkRow) -> ShownChunk | None:
        """The text; None if it was erased or replaced since it was looked up."""
        try:
            return self._load(document, chunk)
        except FrostbyteError as error:
            if error.kind in (Kind.GONE, Kind.NOT_FOUND):
                return None
            raise


def _no_meaning(embedder: Embedder | None) -> FrostbyteError:
    if embedder is None:
        return Conflict(
            "embedding_mismatch",
            "The index was made by a model that this plane does not have.",
            "Ask with mode hybrid or lexical, set the embedder back, or run `frostbyte index rebuild`.",
        )
    return Invalid(
        "mode_unavailable",
        "This plane searches by words only: it has no embedding model.",
        "Ask with mode hybrid or lexical, or set FROSTBYTE_EMBEDDING_ENDPOINT and index anew.",
    )


class _Known:
    """What was looked up for one question."""

    def __init__(self) -> None:
        self.visible: dict[UUID, tuple[ChunkRow, DocumentRow]] = {}
        self.texts: dict[UUID, ShownChunk | None] = {}
        self.gists: dict[UUID, Gist] = {}
        self._looked: set[UUID] = set()

    def learn(self, uow: UnitOfWork, hits: Sequence[Hit]) -> None:
        """Look up what is not known yet: which chunks are visible, and of which documents."""
        new = [hit.chunk_id for hit in hits if hit.chunk_id not in self._looked]
        self._looked.update(new)
        self.visible |= uow.chunks.visible(new)


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A passage of the page to be."""

    hit: Hit
    chunk: ChunkRow
    document: DocumentRow
    shown: ShownChunk
    gist: Gist
    also: list[Also]
