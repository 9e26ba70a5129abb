"""A Qdrant server, or a stand-in that speaks its REST API (`frostbyte serve vectors`).

A collection holds what edge.py's holds, made by the same rules. What it was made for stands in its metadata, on servers
before Qdrant 1.16, which have none, in a point without vectors that no search finds. The originals of vectors lie on
the disk and copies of one byte a dimension in memory: a quarter of the memory, and what they find is ranked again by
the originals. Every write waits for the server (`wait=true`): it is in the server's log when the call returns, so
`flush` has nothing left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
from qdrant_client import models as qm

from frostbyte.adapters.qdrant.answers import Gone, Server, asked_again, ranked
from frostbyte.adapters.qdrant.rankings import (
    DENSE,
    DOC_ID,
    GENERATION,
    INDEXED,
    LABELS,
    OVERSAMPLING,
    PIECES,
    RECEIVED,
    TERMS,
    Ranking,
    asked,
    check_length,
    check_made_by,
    check_points,
    depth,
    merged,
)
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, Scope, SparseVector

SEARCH_SECONDS: Final = 10
"""For an answer to a question; a person waits for it. Everything else may take as long as the client allows."""
PIN: Final = "frostbyte"
"""The key in a collection's metadata, or in its pin's payload, under which stands what it was made for."""
PIN_ID: Final = str(uuid5(NAMESPACE_OID, "frostbyte: what the collection was made for"))
_WRITE_NUMBERS: Final = 250_000
"""Numbers of vectors in one request: about five megabytes of JSON; a server takes 32."""
_WRITE_POINTS: Final = 256
_COPY_KILOBYTES: Final = 4096
_COMPACT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.3
_EXACT_ENOUGH: Final = qm.SearchParams(
    quantization=qm.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
)
_EXACT: Final = qm.SearchParams(exact=True, quantization=qm.QuantizationSearchParams(ignore=True))
_KINDS: Final = {
    "uuid": qm.PayloadSchemaType.UUID,
    "keyword": qm.PayloadSchemaType.KEYWORD,
    "float": qm.PayloadSchemaType.FLOAT,
}

_T = TypeVar("_T")


class ServerVectors:
    """A VectorStore that is one collection of a server.

    Args:
        client: shared by the collections of a server; whoever made it closes it.
        name: the collection's.
    """

    def __init__(self, client: Server, name: str) -> None:
        self._client = client
        self._name = name
        self._spec: CollectionSpec | None = None
        self._found = False

    @property
    def spec(self) -> CollectionSpec | None:
        """What the collection was made for; None while there is none.

        Raises:
            Unavailable: `vectors_unavailable`, `vectors_refused`.
        """
        if self._spec is None:
            self._read()
        return self._spec

    def _read(self) -> frozenset[str]:
        """Look at the collection; returns the fields that are indexed."""
        self._spec, self._found = None, False
        try:
            info = asked_again(lambda: self._client.get_collection(self._name))
            pin = (info.config.metadata or {}).get(PIN) or self._pin()
        except Gone:
            return frozenset()
        self._found = True
        if pin is not None:
            self._spec = _spec_in(pin)
        elif info.points_count:
            raise _not_ours()
        return frozenset(info.payload_schema)

    def _pin(self) -> Any:
        found = asked_again(lambda: self._client.retrieve(self._name, [PIN_ID]))
        return (found[0].payload or {}).get(PIN) if found else None

    def ensure(self, spec: CollectionSpec) -> None:
        """Create the collection, or check what it was made for.

        Raises:
            Conflict: `embedding_mismatch`.
            Unavailable: `vectors_unavailable`; `vectors_refused`: the key does not let us make it.
        """
        indexed = self._read()
        if self._spec is None:
            indexed = self._make(spec)
        assert self._spec is not None
        check_made_by(self._spec, spec)
        missing = sorted(INDEXED.keys() - indexed)
        for field in missing:
            self._index(field, last=field == missing[-1])

    def _make(self, spec: CollectionSpec) -> frozenset[str]:
        indexed: frozenset[str] = frozenset()
        if not self._found:
            failed: FrostbyteError | None = None
            try:
                asked_again(lambda: self._client.create_collection(self._name, **made_for(spec)))
            except FrostbyteError as error:  # another process may have made it just now
                failed = error
            indexed = self._read()
            if failed is not None and not self._found:
                raise failed
        if self._spec is None:  # made by an older server, or empty by whoever provisions
            payload = {PIN: msgspec.to_builtins(spec)}
            pin = qm.PointStruct(id=PIN_ID, vector={}, payload=payload)
            self._do(lambda: self._client.upsert(self._name, [pin], wait=True))
            indexed = self._read()
        return indexed

    def _index(self, field: str, last: bool) -> None:
        kind = _KINDS[INDEXED[field]]
        # Changes are made in their order, so waiting for the last is waiting for all.
        self._do(lambda: self._client.create_payload_index(self._name, field, kind, wait=last))

    def upsert(self, points: Sequence[Point]) -> None:
        """Write; durable when it returns.

        Raises:
            Conflict: `embedding_mismatch`: a vector has another length than the collection's; nothing is written.
            Unavailable: `vectors_unavailable`, also where the collection was not made yet.
        """
        spec = self.spec
        if spec is None:
            raise _not_made()
        check_points(points, spec)
        part: list[Point] = []
        numbers = 0
        for point in points:
            here = spec.dimensions * (1 + len(point.pieces))
            if part and (len(part) >= _WRITE_POINTS or numbers + here > _WRITE_NUMBERS):
                self._write([_point(one) for one in part])
                part, numbers = [], 0
            part.append(point)
            numbers += here
        if part:
            self._write([_point(one) for one in part])

    def _write(self, points: list[qm.PointStruct]) -> None:
        self._do(lambda: self._client.upsert(self._name, points, wait=True))

    def flush(self) -> None:
        """Nothing to do: every write was waited for."""

    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        scope: Scope | None = None,
    ) -> list[Hit]:
        """Best first, in one exchange with the server; empty while nothing was indexed.

        Raises:
            Conflict: `embedding_mismatch`: the question's vector has another length than the collection's.
            Unavailable: `vectors_unavailable`, `vectors_refused`.
        """
        scope, spec = scope or Scope(), self.spec
        if spec is None or limit < 1 or () in (scope.doc_ids, scope.labels):
            return []
        check_length(dense, spec)
        rankings = asked(dense, sparse, pieces=spec.pieces)
        if not rankings:
            return []
        wanted, chosen = depth(rankings, limit), inside(scope)
        requests = [request(one, dense, sparse, wanted, chosen) for one in rankings]
        try:
            answers = asked_again(lambda: ranked(self._client, self._name, requests, SEARCH_SECONDS))
        except Gone:  # switched away and removed: whoever asks looks at what serves now
            self._spec = None
            return []
        return merged(dict(zip(rankings, answers, strict=True)), limit)

    def label(self, doc_id: UUID, labels: Sequence[str]) -> None:
        """Replace the labels of all points of a document; durable when it returns."""
        chosen = qm.Filter(must=[_equals(DOC_ID, str(doc_id))])
        self._if_made(lambda: self._client.set_payload(self._name, {LABELS: list(labels)}, points=chosen, wait=True))

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points, all or those of other generations; durable when it returns."""
        kept: list[Any] = [_equals(GENERATION, except_generation)] if except_generation else []
        chosen = qm.Filter(must=[_equals(DOC_ID, str(doc_id))], must_not=kept or None)
        self._if_made(lambda: self._client.delete(self._name, qm.FilterSelector(filter=chosen), wait=True))

    def count(self, doc_id: UUID | None = None) -> int:
        """Points, of one document or of all."""
        chosen = qm.Filter(must_not=[qm.HasIdCondition(has_id=[PIN_ID])])
        if doc_id is not None:
            chosen = qm.Filter(must=[_equals(DOC_ID, str(doc_id))])
        found = self._if_made(lambda: self._client.count(self._name, count_filter=chosen, exact=True))
        return 0 if found is None else int(found.count)

    def compact(self) -> None:
        """Wait until the server has written anew what holds something deleted: it does that by itself.

        Raises:
            Unavailable: `vectors_busy`: it is not through yet; ask again later.
        """
        until, quiet = time.monotonic() + _COMPACT_SECONDS, 0
        while quiet < 2:  # it may not have begun when it is asked for the first time
            info = self._if_made(lambda: self._client.get_collection(self._name))
            quiet = quiet + 1 if info is None or info.status == qm.CollectionStatus.GREEN else 0
            if info is None:
                return
            if time.monotonic() > until:
                raise Unavailable(
                    "vectors_busy",
                    "The vector store is still rewriting its segments.",
                    "Nothing to do: it is asked again by itself.",
                )
            if quiet < 2:
                time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Nothing to do: the client is not ours alone."""

    def _do(self, call: Callable[[], _T]) -> _T:
        try:
            return asked_again(call)
        except Gone:
            self._spec = None
            raise _not_made() from None

    def _if_made(self, call: Callable[[], _T]) -> _T | None:
        try:
            return asked_again(call)
        except Gone:
            self._spec = None
            return None


def made_for(spec: CollectionSpec) -> dict[str, Any]:
    """What `create_collection` is told for collections of ours."""
    copies = qm.ScalarQuantization(
        scalar=qm.ScalarQuantizationConfig(type=qm.ScalarType.INT8, quantile=0.99, always_ram=True)
    )
    cosine = qm.Distance.COSINE
    dense = {DENSE: qm.VectorParams(size=spec.dimensions, distance=cosine, on_disk=True, quantization_config=copies)}
    if spec.pieces:  # looked at one by one, of points that are found already: no graph, no copies, half the room
        dense[PIECES] = qm.VectorParams(
            size=spec.dimensions,
            distance=cosine,
            on_disk=True,
            multivector_config=qm.MultiVectorConfig(comparator=qm.MultiVectorComparator.MAX_SIM),
            datatype=qm.Datatype.FLOAT16,
            hnsw_config=qm.HnswConfigDiff(m=0),
        )
    return {
        "vectors_config": dense if spec.dimensions else {},
        "sparse_vectors_config": {TERMS: qm.SparseVectorParams(modifier=qm.Modifier.IDF)},
        # A server's own thresholds (a fifth of a segment, a thousand vectors) would keep erased vectors for good.
        "optimizers_config": qm.OptimizersConfigDiff(
            deleted_threshold=0.0001,
            vacuum_min_vector_number=100,
            indexing_threshold=_COPY_KILOBYTES,
            flush_interval_sec=1,
        ),
        "metadata": {PIN: msgspec.to_builtins(spec)},
    }


def _spec_in(pin: Any) -> CollectionSpec:
    try:
        return msgspec.convert(pin, CollectionSpec)
    except msgspec.ValidationError:
        raise _not_ours() from None


def _not_ours() -> Unavailable:
    return Unavailable(
        "vectors_unavailable",
        "The collection does not say which model it was made by.",
        "It is not a plane's: remove it, or name another tenant.",
    )


def _point(point: Point) -> qm.PointStruct:
    vectors: dict[str, Any] = {TERMS: _sparse(point.sparse)}
    if len(point.dense):
        vectors[DENSE] = list(point.dense)
    if len(point.pieces):
        vectors[PIECES] = [list(piece) for piece in point.pieces]
    payload = {
        DOC_ID: str(point.doc_id),
        GENERATION: point.generation,
        LABELS: list(point.labels),
        RECEIVED: point.received,
    }
    return qm.PointStruct(id=str(point.chunk_id), vector=vectors, payload=payload)


def _sparse(terms: SparseVector) -> qm.SparseVector:
    return qm.SparseVector(indices=list(terms.indices), values=list(terms.values))


def request(
    ranking: Ranking, dense: Sequence[float] | None, sparse: SparseVector | None, limit: int, chosen: qm.Filter | None
) -> qm.QueryRequest:
    """One ranking of a search."""
    meaning = list(dense or ())
    if ranking is Ranking.MEANING:
        return qm.QueryRequest(query=meaning, using=DENSE, filter=chosen, limit=limit, params=_EXACT_ENOUGH)
    inner = []
    if ranking is Ranking.PIECES:
        inner = [qm.Prefetch(query=meaning, using=DENSE, filter=chosen, limit=limit, params=_EXACT_ENOUGH)]
        if sparse is None or not sparse.indices:
            return _of_pieces(meaning, inner, limit)
    assert sparse is not None
    words = _sparse(sparse)
    if ranking is Ranking.WORDS:
        return qm.QueryRequest(query=words, using=TERMS, filter=chosen, limit=limit)
    inner.append(qm.Prefetch(query=words, using=TERMS, filter=chosen, limit=limit))
    if ranking is Ranking.PIECES:
        return _of_pieces(meaning, inner, 2 * limit)
    return qm.QueryRequest(query=meaning, using=DENSE, prefetch=inner, limit=limit, params=_EXACT)


def _of_pieces(nearest: list[float], inner: list[qm.Prefetch], limit: int) -> qm.QueryRequest:
    """What was found, by its nearest pieces."""
    return qm.QueryRequest(query=nearest, using=PIECES, prefetch=inner, limit=limit, params=_EXACT)


def _equals(key: str, value: str) -> qm.FieldCondition:
    return qm.FieldCondition(key=key, match=qm.MatchValue(value=value))


def inside(scope: Scope) -> qm.Filter | None:
    """The server's filter for a scope; None for one without bounds."""
    conditions: list[Any] = []
    if scope.doc_ids is not None:
        ids = [str(doc_id) for doc_id in scope.doc_ids]
        conditions.append(qm.FieldCondition(key=DOC_ID, match=qm.MatchAny(any=ids)))
    if scope.labels is not None:
        conditions.append(qm.FieldCondition(key=LABELS, match=qm.MatchAny(any=list(scope.labels))))
    if scope.received_from is not None or scope.received_to is not None:
        bounds = qm.Range(gte=scope.received_from, lte=scope.received_to)
        conditions.append(qm.FieldCondition(key=RECEIVED, range=bounds))
    return qm.Filter(must=conditions) if conditions else None


def _not_made() -> Unavailable:
    return Unavailable("vectors_unavailable", "The vector index was not set up.", "Index a document first.")
