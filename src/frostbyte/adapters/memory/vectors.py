"""Vectors in memory: the same semantics as the engine, for tests and tiny planes."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, SparseVector


class MemoryVectors:
    """A VectorStore that forgets."""

    def __init__(self) -> None:
        self._spec: CollectionSpec | None = None
        self._points: dict[UUID, Point] = {}
        self._lock = threading.RLock()

    def ensure(self, spec: CollectionSpec) -> None:
        """Pin or check what the collection is made for. Raises Conflict("embedding_mismatch")."""
        with self._lock:
            if self._spec is not None and self._spec != spec:
                raise Conflict("embedding_mismatch", "The index was made by another model.", "Set the embedder back.")
            self._spec = spec

    def upsert(self, points: Sequence[Point]) -> None:
        """Write."""
        with self._lock:
            self._points.update({point.chunk_id: point for point in points})

    def flush(self) -> None:
        """Nothing to do."""

    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        doc_ids: Sequence[UUID] | None = None,
    ) -> list[Hit]:
        """Best first."""
        with self._lock:
            points = [p for p in self._points.values() if doc_ids is None or p.doc_id in doc_ids]
            rankings = []
            if dense is not None:
                rankings.append(_ranked({p.chunk_id: _cosine(dense, p.dense) for p in points}))
            if sparse is not None and sparse.indices:
                rankings.append(_ranked(self._lexical(sparse, points)))
            fused: dict[UUID, float] = defaultdict(float)
            for ranking in rankings:
                for rank, (chunk_id, score) in enumerate(ranking):
                    fused[chunk_id] += score if len(rankings) == 1 else 1.0 / (60 + rank)
            best = _ranked(fused)[:limit]
            return [
                Hit(
                    chunk_id=chunk_id,
                    doc_id=self._points[chunk_id].doc_id,
                    generation=self._points[chunk_id].generation,
                    score=score,
                )
                for chunk_id, score in best
            ]

    def _lexical(self, query: SparseVector, points: Sequence[Point]) -> dict[UUID, float]:
        holding = {index: sum(index in p.sparse.indices for p in self._points.values()) for index in query.indices}
        total = len(self._points)
        scores: dict[UUID, float] = {}
        for point in points:
            weights = dict(zip(point.sparse.indices, point.sparse.values, strict=True))
            score = sum(
                weight * weights.get(index, 0.0) * math.log(1 + (total - holding[index] + 0.5) / (holding[index] + 0.5))
                for index, weight in zip(query.indices, query.values, strict=True)
            )
            if score > 0:
                scores[point.chunk_id] = score
        return scores

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points, all or those of other generations."""
        with self._lock:
            self._points = {
                key: p
                for key, p in self._points.items()
                if p.doc_id != doc_id or (except_generation and p.generation == except_generation)
            }

    def count(self, doc_id: UUID | None = None) -> int:
        """Points, of one document or of all."""
        with self._lock:
            return sum(doc_id in (None, point.doc_id) for point in self._points.values())

    def compact(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def _ranked(scores: dict[UUID, float]) -> list[tuple[UUID, float]]:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    norm = math.sqrt(sum(x * x for x in left)) * math.sqrt(sum(x * x for x in right))
    return sum(x * y for x, y in zip(left, right, strict=True)) / norm if norm else 0.0
