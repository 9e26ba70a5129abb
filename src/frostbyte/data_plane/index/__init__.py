"""Indexing: vectors and keyed terms go to the store and are flushed; the flow's commit makes them visible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

from msgspec.structs import replace

from frostbyte.data_plane.pieces import Embedded
from frostbyte.data_plane.terms import Passage, TermHasher, passage
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, VectorStore

_BATCH: Final = 256


class Indexable(Passage, Protocol):
    """What of a chunk is indexed."""

    @property
    def chunk_id(self) -> UUID: ...
    @property
    def doc_id(self) -> UUID: ...
    @property
    def generation(self) -> str: ...


def run(
    chunks: Sequence[Indexable],
    vectors: Embedded,
    *,
    store: VectorStore,
    spec: CollectionSpec,
    terms: TermHasher,
    labels: Sequence[str] = (),
    received: float = 0.0,
    also: Callable[[Sequence[Point]], None] | None = None,
) -> None:
    """Write the points of all chunks and make them durable.

    Args:
        labels: the document's class, for filters.
        received: when it came, in seconds since 1970.
        also: who else gets the points.

    Raises:
        ValueError: there is not one usable vector a chunk; nothing is written.
        Conflict: `embedding_mismatch`: the collection was made for another model.
        Unavailable: `vectors_unavailable`.
    """
    if vectors.whole.shape != (len(chunks), spec.dimensions):
        raise ValueError("one vector a chunk, of the embedder's length")
    if not vectors.usable:
        raise ValueError("a vector is zero or not finite")
    store.ensure(spec)
    for at in range(0, len(chunks), _BATCH):
        made = [
            _point(chunk, vectors.of(at + number), terms, spec) for number, chunk in enumerate(chunks[at : at + _BATCH])
        ]
        points = [replace(point, labels=tuple(labels), received=received) for point in made]
        store.upsert(points)
        if also is not None:
            also(points)
    store.flush()


def _point(chunk: Indexable, vectors: Embedded, terms: TermHasher, spec: CollectionSpec) -> Point:
    whole = vectors.whole[0].tolist()
    # A passage whose pieces nobody kept (a backup from before they were) is one piece.
    pieces = vectors.pieces[0].tolist() if vectors.pieces else [whole]
    return Point(
        chunk_id=chunk.chunk_id,
        doc_id=chunk.doc_id,
        generation=chunk.generation,
        dense=whole,
        pieces=pieces if spec.pieces and spec.dimensions else (),
        sparse=terms.document(passage(chunk)),
    )
