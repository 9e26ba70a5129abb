"""Indexing: vectors and keyed terms go to the store and are flushed; the flow's commit makes them visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, VectorStore


class Indexable(Protocol):
    """What of a chunk is indexed."""

    @property
    def chunk_id(self) -> UUID: ...
    @property
    def doc_id(self) -> UUID: ...
    @property
    def generation(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def headings(self) -> tuple[str, ...]: ...


def run(
    chunks: Sequence[Indexable],
    vectors: npt.NDArray[np.float32],
    *,
    store: VectorStore,
    spec: CollectionSpec,
    terms: TermHasher,
) -> None:
    """Write the points of all chunks and make them durable.

    Raises:
        ValueError: there is not one vector a chunk.
        Conflict: `embedding_mismatch`: the collection was made for another model.
        Unavailable: `vectors_unavailable`.
    """
    if len(chunks) != len(vectors):
        raise ValueError("one vector a chunk")
    store.ensure(spec)
    points = [
        Point(
            chunk_id=chunk.chunk_id,
            doc_id=chunk.doc_id,
            generation=chunk.generation,
            dense=vector.tolist(),
            sparse=terms.document("\n".join((*chunk.headings, chunk.text))),
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    if points:
        store.upsert(points)
    store.flush()
