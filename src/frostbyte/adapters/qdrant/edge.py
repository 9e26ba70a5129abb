"""Qdrant's engine in this process: a folder, no server.

    lock               held by the one process that has the folder open
    collection.json    what the collection was made for
    shard/             the engine's files

A collection is made in `making/`, then described, then moved into place, so that a kill at any moment leaves either
no collection or a whole one.

How writes are made durable, journal.py says.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import qdrant_edge as qe
from filelock import FileLock, Timeout

from frostbyte.adapters.qdrant.journal import FLUSH_POINTS, Journal
from frostbyte.adapters.qdrant.queries import equals, inside, request
from frostbyte.adapters.qdrant.rankings import (
    DENSE,
    DOC_ID,
    GENERATION,
    INDEXED,
    LABELS,
    PIECES,
    RECEIVED,
    TERMS,
    Found,
    asked,
    check_length,
    check_made_by,
    check_points,
    depth,
    merged,
)
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Hit, Point, Scope, SparseVector

_WRITE_BATCH: Final = 512
"""Points in one entry of the engine's log: bounds the memory that a long document takes."""
_COPY_KILOBYTES: Final = 4096
"""Vectors from which a segment gets its copy of one byte a dimension; below that a scan is as quick without."""

_KINDS: Final = {
    "uuid": qe.PayloadSchemaType.Uuid,
    "keyword": qe.PayloadSchemaType.Keyword,
    "float": qe.PayloadSchemaType.Float,
}


class EdgeVectors:
    """A VectorStore in a folder.

    Args:
        folder: where the shard lies; made if it is missing.

    Raises:
        Unavailable: `vectors_locked`: another process, or another store of this one, holds the folder;
            `vectors_unavailable`: the files cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shard: qe.EdgeShard | None = None
        self._spec: CollectionSpec | None = None
        self._opening = threading.Lock()  # opening and closing only: the engine serialises its own updates
        self._logged = 0  # points that may be in the log alone; a bound, so threads need not agree on it
        with _translated():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pin, self._home, self._making = folder / "collection.json", folder / "shard", folder / "making"
        self._journal = Journal(self._home)
        self._held = FileLock(str(folder / "lock"))
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise _locked() from None
        try:
            with _translated():
                self._recover()
        except BaseException:
            self._held.release()
            raise

    def _recover(self) -> None:
        """Open what is there; drop a collection that was never described, for nothing can have been written to it."""
        if not self._pin.exists():
            shutil.rmtree(self._making, ignore_errors=True)
            if self._home.exists():
                raise Unavailable(
                    "vectors_unavailable",
                    "The vector index has lost the file that says which model it was made by.",
                    "Put collection.json back from a backup, or move the index away and index anew.",
                )
            return
        if self._making.exists() and not self._home.exists():
            self._making.rename(self._home)
            _sync(self._folder)
        self._spec = msgspec.json.decode(self._pin.read_bytes(), type=CollectionSpec)
        self._shard = qe.EdgeShard.load(str(self._home), _config(self._spec))

    @property
    def spec(self) -> CollectionSpec | None:
        """What the collection was made for; None while there is none."""
        return self._spec

    def ensure(self, spec: CollectionSpec) -> None:
        """Create the collection, or check what it was made for.

        Raises:
            Conflict: `embedding_mismatch`.
        """
        with self._opening:
            if self._spec is None:
                with _translated():
                    self._create(spec)
            else:
                check_made_by(self._spec, spec)

    def _create(self, spec: CollectionSpec) -> None:
        shutil.rmtree(self._making, ignore_errors=True)
        shard = qe.EdgeShard.create(str(self._making), _config(spec))
        for field, kind in INDEXED.items():
            shard.update(qe.UpdateOperation.create_field_index(field, _KINDS[kind]))
        shard.flush()
        shard.close()
        temporary = self._pin.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(spec))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._pin)
        _sync(self._folder)
        self._making.rename(self._home)
        _sync(self._folder)
        self._shard = qe.EdgeShard.load(str(self._home), _config(spec))
        self._spec = spec

    def upsert(self, points: Sequence[Point]) -> None:
        """Write; durable after `flush()`.

        Raises:
            Conflict: `embedding_mismatch`: a vector has another length than the collection's; nothing is written.
        """
        shard, spec = self._shard, self._spec
        if shard is None or spec is None:
            raise Unavailable("vectors_unavailable", "The vector index was not set up.", "Index a document first.")
        check_points(points, spec)
        with _translated():
            for at in range(0, len(points), _WRITE_BATCH):
                made = [_point(point, spec) for point in points[at : at + _WRITE_BATCH]]
                shard.update(qe.UpdateOperation.upsert_points(made))
        self._logged += len(points)

    def flush(self) -> None:
        """Make all writes durable: in the log, and now and then in the segments."""
        shard = self._shard
        if shard is None:
            return
        with _translated():
            if self._logged >= FLUSH_POINTS:
                self._logged = 0
                shard.flush()
            else:
                self._journal.sync()

    def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        *,
        limit: int,
        scope: Scope | None = None,
    ) -> list[Hit]:
        """Best first; empty while nothing was indexed.

        Raises:
            Conflict: `embedding_mismatch`: the question's vector has another length than the collection's.
        """
        scope = scope or Scope()
        if self._shard is None or self._spec is None or limit < 1 or () in (scope.doc_ids, scope.labels):
            return []
        check_length(dense, self._spec)
        rankings = asked(dense, sparse, pieces=self._spec.pieces)
        wanted, chosen = depth(rankings, limit), inside(scope)
        with _translated():
            requests = [request(one, dense, sparse, wanted, chosen) for one in rankings]
            answers = self._shard.query_batch(qe.QueryBatchRequest(requests)) if requests else []
            found = dict(zip(rankings, (list(map(_found, answer)) for answer in answers), strict=True))
            return merged(found, limit)

    def label(self, doc_id: UUID, labels: Sequence[str]) -> None:
        """Replace the labels of all points of a document; durable after `flush()`."""
        if self._shard is not None:
            chosen = qe.Filter(must=[equals(DOC_ID, str(doc_id))])
            with _translated():
                self._shard.update(qe.UpdateOperation.set_payload_by_filter(chosen, {LABELS: list(labels)}))

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None:
        """Remove a document's points, all or those of other generations."""
        if self._shard is None:
            return
        chosen = qe.Filter(must=[equals(DOC_ID, str(doc_id))])
        if except_generation:
            kept = equals(GENERATION, except_generation)
            chosen = qe.Filter(must=[equals(DOC_ID, str(doc_id))], must_not=[kept])
        with _translated():
            self._shard.update(qe.UpdateOperation.delete_points_by_filter(chosen))

    def count(self, doc_id: UUID | None = None) -> int:
        """Points, of one document or of all."""
        if self._shard is None:
            return 0
        chosen = None if doc_id is None else qe.Filter(must=[equals(DOC_ID, str(doc_id))])
        with _translated():
            return int(self._shard.count(qe.CountRequest(filter=chosen, exact=True)))

    def compact(self) -> None:
        """Rewrite every segment that holds something deleted, and make what grew quick to scan.

        The process stands still meanwhile: about two seconds for 50,000 chunks.
        """
        if self._shard is not None:
            with _translated():
                self._shard.optimize()
                self._shard.flush()

    def close(self) -> None:
        """Flush and let the folder go. Idempotent."""
        with self._opening:
            try:
                if self._shard is not None:
                    with _translated():
                        self._shard.flush()
                        self._shard.close()
            finally:
                self._shard = None
                self._held.release()


def _config(spec: CollectionSpec) -> qe.EdgeConfig:
    copies = qe.ScalarQuantizationConfig(type=qe.ScalarType.Int8, quantile=0.99, always_ram=True)
    # No graph (m=0) but a copy of one byte a dimension: the engine holds the interpreter's lock while it works, so
    # that building the graph of 50,000 x 768 would stop the whole process for a minute, this for two seconds.
    unlinked = qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10)
    dense = {DENSE: qe.EdgeVectorParams(size=spec.dimensions, distance=qe.Distance.Cosine)}
    if spec.pieces:  # looked at one by one, of points that are found already: no copies, half the room, on the disk
        dense[DENSE] = qe.EdgeVectorParams(
            size=spec.dimensions, distance=qe.Distance.Cosine, quantization_config=copies
        )
        dense[PIECES] = qe.EdgeVectorParams(
            size=spec.dimensions,
            distance=qe.Distance.Cosine,
            on_disk=True,
            multivector_config=qe.MultiVectorConfig(comparator=qe.MultiVectorComparator.MaxSim),
            datatype=qe.VectorStorageDatatype.Float16,
        )
    return qe.EdgeConfig(
        vectors=dense if spec.dimensions else None,
        sparse_vectors={TERMS: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)},
        hnsw_config=unlinked,
        quantization_config=None if spec.pieces else copies,
        # One deleted vector is enough to rewrite its segment: the engine's own 20% would keep erased ones for good.
        optimizers=qe.EdgeOptimizersConfig(
            deleted_threshold=0.0, vacuum_min_vector_number=1, indexing_threshold=_COPY_KILOBYTES
        ),
        max_search_threads=1,
    )


def _point(point: Point, spec: CollectionSpec) -> qe.Point:
    vectors: dict[str, Any] = {}
    if len(point.dense):
        vectors[DENSE] = list(point.dense)
        if spec.pieces:
            vectors[PIECES] = [list(piece) for piece in point.pieces]
    vectors[TERMS] = qe.SparseVector(list(point.sparse.indices), list(point.sparse.values))
    payload = {
        DOC_ID: str(point.doc_id),
        GENERATION: point.generation,
        LABELS: list(point.labels),
        RECEIVED: point.received,
    }
    return qe.Point(point.chunk_id, vectors, payload)


def _found(point: qe.ScoredPoint) -> Found:
    return Found(str(point.id), point.score)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked() -> Unavailable:
    return Unavailable(
        "vectors_locked",
        "Another process holds the vector index.",
        "Stop the other plane that uses this data folder, or choose another FROSTBYTE_DATA_DIR.",
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FrostbyteError:
        raise
    except Exception as error:  # noqa: BLE001 - the engine raises nothing more precise
        raise Unavailable(
            "vectors_unavailable",
            f"The vector index did not answer ({type(error).__name__}).",
            "Look at disk space and the plane's log; the work is tried again by itself.",
        ) from None
