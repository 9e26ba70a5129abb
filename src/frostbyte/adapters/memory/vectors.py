"""Vectors in memory: the same semantics as the engine, for tests and tiny planes."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from frostbyte.data_plane.fusion import candidates, fused
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, Scope, SparseVector

_Ranking = list[tuple[int, float]]
"""Row numbers with scores, best first."""


class MemoryVectors:
    """A VectorStore that forgets when the process ends."""

    def __init__(self) -> None:
        self._spec: CollectionSpec | None = None
        self._points: dict[UUID, Point] = {}
        self._table: _Table | None = None
        self._lock = threading.RLock()

    @property
    def spec(self) -> CollectionSpec | None:
        """What the collection was made for; None while there is none."""
        return self._spec

    def ensure(self, spec: CollectionSpec) -> None:
        """Pin or check what the collection is made for. Raises Conflict("embedding_mismatch")."""
        with self._lock:
            if self._spec is not None and self._spec != spec:
                raise _mismatch()
            self._spec = spec

    def upsert(self, points: Sequence[Point]) -> None:
        """Write. Raises Conflict("embedding_mismatch") for a vector of another length."""
        with self._lock:
            if self._spec is None:
                raise Unavailable("vectors_unavailable", "The vector index was not set up.", "Index a document first.")
            if not all(point.fits(self._spec) for point in points):
                raise _mismatch()
            self._points.update({point.chunk_id: point for point in points})
            self._table = None

    def flush(self) -> None:
        """Nothing to do."""

    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        scope: Scope | None = None,
    ) -> list[Hit]:
        """Best first."""
        with self._lock:
            self._check(dense)
            if not self._points or limit < 1:
                return []
            table = self._rows()
            allowed = np.array([scope is None or _inside(point, scope) for point in table.points], dtype=bool)
            rankings = []
            cosines = None if dense is None else table.cosines(dense)
            words: _Ranking | None = None
            if sparse is not None and sparse.indices:
                weights = table.lexical(sparse)
                words = _ranked(weights, allowed & (weights > 0))[: candidates(limit)]
            if dense is not None and cosines is not None:
                meaning = _ranked(cosines, allowed & table.placed)[: candidates(limit)]
                if self._spec is not None and self._spec.pieces:
                    rows = {row for row, _ in (*meaning, *(words or ())) if table.placed[row]}
                    cosines = table.nearest(dense, rows)
                    meaning = sorted(((row, float(cosines[row])) for row in rows), key=lambda one: (-one[1], one[0]))
                rankings.append(meaning)
            if words is not None:
                rankings.append(words)
            best = fused(*rankings) if len(rankings) == 2 else [item for ranking in rankings for item in ranking]
            known = {} if cosines is None else {row: float(cosines[row]) for row, _ in best if table.placed[row]}
            return [_hit(table.points[row], score, known.get(row)) for row, score in best[:limit]]

    def _check(self, dense: Sequence[float] | None) -> None:
        if dense is not None and self._spec is not None and len(dense) != self._spec.dimensions:
            raise _mismatch()

    def _rows(self) -> _Table:
        if self._table is None:
            self._table = _Table(list(self._points.values()))
        return self._table

    def label(self, doc_id: UUID, labels: Sequence[str]) -> None:
        """Replace the labels of all points of a document."""
        with self._lock:
            for key, point in list(self._points.items()):
                if point.doc_id == doc_id:
                    self._points[key] = replace(point, labels=tuple(labels))
            self._table = None

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points, all or those of other generations."""
        with self._lock:
            self._points = {
                key: point
                for key, point in self._points.items()
                if point.doc_id != doc_id or (except_generation and point.generation == except_generation)
            }
            self._table = None

    def count(self, doc_id: UUID | None = None) -> int:
        """Points, of one document or of all."""
        with self._lock:
            return sum(doc_id in (None, point.doc_id) for point in self._points.values())

    def compact(self) -> None:
        """Nothing to do: what is deleted is gone."""

    def close(self) -> None:
        """Nothing to do."""


class _Table:
    """All points as arrays, for as long as none is written."""

    def __init__(self, points: list[Point]) -> None:
        self.points = points
        length = max((len(point.dense) for point in points), default=0)
        self.placed = np.array([bool(len(point.dense)) for point in points], dtype=bool)
        rows = [point.dense if len(point.dense) else [0.0] * length for point in points]
        dense = np.array(rows, dtype=np.float32).reshape(len(points), length)
        norms = np.linalg.norm(dense, axis=1, keepdims=True)
        self._dense = np.divide(dense, norms, out=np.zeros_like(dense), where=norms > 0)
        self._postings: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for row, point in enumerate(points):
            for index, weight in zip(point.sparse.indices, point.sparse.values, strict=True):
                self._postings[index].append((row, weight))

    def cosines(self, dense: Sequence[float]) -> npt.NDArray[np.float32]:
        vector = np.array(dense, dtype=np.float32)
        norm = float(np.linalg.norm(vector))
        if not self.placed.any():
            return np.zeros(len(self.points), dtype=np.float32)
        cosines: npt.NDArray[np.float32] = self._dense @ (vector / norm if norm else vector)
        return cosines

    def nearest(self, dense: Sequence[float], rows: Iterable[int]) -> npt.NDArray[np.float32]:
        """The cosine of each of these rows' nearest piece; others have 0."""
        vector = np.array(dense, dtype=np.float32)
        found = np.zeros(len(self.points), dtype=np.float32)
        for row in rows:
            pieces = np.array(self.points[row].pieces, dtype=np.float32)
            lengths = np.linalg.norm(pieces, axis=1) * (np.linalg.norm(vector) or 1.0)
            found[row] = (pieces @ vector / lengths).max()
        return found

    def lexical(self, query: SparseVector) -> npt.NDArray[np.float32]:
        """Weights times the engine's inverse document frequency, ln(1 + (n - df + 0.5) / (df + 0.5))."""
        scores = np.zeros(len(self.points), dtype=np.float32)
        for index, weight in zip(query.indices, query.values, strict=True):
            postings = self._postings.get(index, ())
            rarity = np.log1p((len(self.points) - len(postings) + 0.5) / (len(postings) + 0.5))
            for row, held in postings:
                scores[row] += weight * held * rarity
        return scores


def _ranked(scores: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_]) -> _Ranking:
    order = np.argsort(-scores, kind="stable")
    return [(int(row), float(scores[row])) for row in order if allowed[row]]


def _inside(point: Point, scope: Scope) -> bool:
    return (
        (scope.doc_ids is None or point.doc_id in scope.doc_ids)
        and (scope.labels is None or not set(scope.labels).isdisjoint(point.labels))
        and (scope.received_from is None or point.received >= scope.received_from)
        and (scope.received_to is None or point.received <= scope.received_to)
    )


def _hit(point: Point, score: float, similarity: float | None) -> Hit:
    return Hit(chunk_id=point.chunk_id, score=score, similarity=similarity)


def _mismatch() -> Conflict:
    return Conflict("embedding_mismatch", "The index was made by another model.", "Set the embedder back.")
