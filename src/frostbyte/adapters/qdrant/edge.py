"""Qdrant's engine in this process: a folder, no server.

One process holds the folder. What the collection was made for lies beside it in `collection.json`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import qdrant_edge as qe

from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, SparseVector

_DENSE: Final = "dense"
_SPARSE: Final = "terms"
_RRF_K: Final = 60
"""Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion" (2009)."""
_OVERFETCH: Final = 2
"""Candidates of each kind before fusion, as a multiple of what is asked for."""


class EdgeVectors:
    """A VectorStore in a folder.

    Args:
        folder: where the shard lies; made if it is missing.

    Raises:
        Unavailable: `vectors_locked`: another process holds the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shard: qe.EdgeShard | None = None
        self._spec: CollectionSpec | None = None
        self._lock = threading.Lock()  # opening and closing only: the engine serialises its own updates
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pin = folder / "collection.json"
        if self._pin.exists():
            self._spec = msgspec.json.decode(self._pin.read_bytes(), type=CollectionSpec)
            with _translated():
                self._shard = qe.EdgeShard.load(str(folder / "shard"))

    def ensure(self, spec: CollectionSpec) -> None:
        """Create the collection, or check what it was made for.

        Raises:
            Conflict: `embedding_mismatch`.
        """
        with self._lock:
            if self._spec is not None:
                if self._spec != spec:
                    raise Conflict(
                        "embedding_mismatch",
                        f"The index was made by {self._spec.model} ({self._spec.dimensions} dimensions), "
                        f"not by {spec.model} ({spec.dimensions}).",
                        "Set the embedder back, or build a new index with the new one.",
                    )
                return
            with _translated():
                self._shard = self._open(spec)
            temporary = self._pin.with_suffix(".tmp")
            temporary.write_bytes(msgspec.json.encode(spec))
            temporary.replace(self._pin)
            self._spec = spec

    def _open(self, spec: CollectionSpec) -> qe.EdgeShard:
        path = self._folder / "shard"
        if path.exists() and any(path.iterdir()):  # killed between making the shard and pinning its spec
            return qe.EdgeShard.load(str(path))
        shard = qe.EdgeShard.create(
            str(path),
            qe.EdgeConfig(
                vectors={_DENSE: qe.EdgeVectorParams(size=spec.dimensions, distance=qe.Distance.Cosine)},
                sparse_vectors={_SPARSE: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)},
                max_search_threads=1,
            ),
        )
        shard.update(qe.UpdateOperation.create_field_index("doc_id", qe.PayloadSchemaType.Keyword))
        return shard

    @property
    def _open_shard(self) -> qe.EdgeShard:
        if self._shard is None:
            raise Unavailable("vectors_unavailable", "Nothing was indexed yet.", "Ingest a document first.")
        return self._shard

    def upsert(self, points: Sequence[Point]) -> None:
        """Write; durable after `flush()`."""
        made = [
            qe.Point(
                point.chunk_id,
                {
                    _DENSE: list(point.dense),
                    _SPARSE: qe.SparseVector(list(point.sparse.indices), list(point.sparse.values)),
                },
                {"doc_id": str(point.doc_id), "generation": point.generation},
            )
            for point in points
        ]
        with _translated():
            self._open_shard.update(qe.UpdateOperation.upsert_points(made))

    def flush(self) -> None:
        """Make all writes durable."""
        if self._shard is not None:
            with _translated():
                self._shard.flush()

    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        doc_ids: Sequence[UUID] | None = None,
    ) -> list[Hit]:
        """Best first; empty while nothing was indexed."""
        if self._shard is None or (doc_ids is not None and not doc_ids):
            return []
        chosen = None if doc_ids is None else qe.Filter(must=[_any_document(doc_ids)])
        queries = []
        if dense is not None:
            queries.append(qe.Query.Nearest(list(dense), using=_DENSE))
        if sparse is not None and sparse.indices:
            terms = qe.SparseVector(list(sparse.indices), list(sparse.values))
            queries.append(qe.Query.Nearest(terms, using=_SPARSE))
        if not queries:
            return []
        with _translated():
            found = self._shard.query(_request(queries, limit, chosen))
        return [
            Hit(
                chunk_id=UUID(str(point.id)),
                doc_id=UUID(payload["doc_id"]),
                generation=payload["generation"],
                score=point.score,
            )
            for point in found
            if (payload := point.payload) is not None
        ]

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points, all or those of other generations."""
        if self._shard is None:
            return
        mine = _equals("doc_id", str(doc_id))
        if except_generation:
            chosen = qe.Filter(must=[mine], must_not=[_equals("generation", except_generation)])
        else:
            chosen = qe.Filter(must=[mine])
        with _translated():
            self._shard.update(qe.UpdateOperation.delete_points_by_filter(chosen))

    def count(self, doc_id: UUID | None = None) -> int:
        """Points, of one document or of all."""
        if self._shard is None:
            return 0
        chosen = None if doc_id is None else qe.Filter(must=[_equals("doc_id", str(doc_id))])
        with _translated():
            return int(self._shard.count(qe.CountRequest(filter=chosen, exact=True)))

    def compact(self) -> None:
        """Rewrite segments without what was deleted."""
        if self._shard is not None:
            with _translated():
                self._shard.optimize()
                self._shard.flush()

    def close(self) -> None:
        """Flush and let the folder go."""
        with self._lock:
            if self._shard is not None:
                with _translated():
                    self._shard.flush()
                    self._shard.close()
                self._shard = None


def _request(queries: list[qe.Query], limit: int, chosen: qe.Filter | None) -> qe.QueryRequest:
    if len(queries) == 1:
        return qe.QueryRequest(limit=limit, query=queries[0], filter=chosen, with_payload=True)
    stages = [qe.Prefetch(limit=limit * _OVERFETCH, query=query, filter=chosen) for query in queries]
    fusion: Any = qe.Fusion.Rrf(k=_RRF_K)  # the package's stubs do not know its own subclass
    return qe.QueryRequest(limit=limit, prefetches=stages, query=fusion, with_payload=True)


def _equals(key: str, value: str) -> qe.FieldCondition:
    return qe.FieldCondition(key=key, match=qe.MatchValue(value))


def _any_document(doc_ids: Sequence[UUID]) -> qe.FieldCondition:
    return qe.FieldCondition(key="doc_id", match=qe.MatchAny([str(doc_id) for doc_id in doc_ids]))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the engine raises nothing more precise
        if "WouldBlock" in str(error):
            raise Unavailable(
                "vectors_locked",
                "Another process holds the vector index.",
                "Stop the other plane that uses this data folder, or choose another FROSTBYTE_DATA_DIR.",
            ) from None
        raise Unavailable(
            "vectors_unavailable",
            f"The vector index did not answer ({type(error).__name__}).",
            "Look at disk space and the plane's log; the work is tried again by itself.",
        ) from None
