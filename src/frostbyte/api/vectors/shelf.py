"""The collections of this server: a folder each, of which one process alone holds all.

    lock                          held by the process
    collections/NAME/about.json   what the collection was made with
    collections/NAME/shard/       the engine's files

A collection is made under a name that begins with a dot and then moved into place, and moved away before it is
removed, so that a kill at any moment leaves none or a whole one.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import qdrant_edge as qe
import structlog
from filelock import FileLock, Timeout

from frostbyte.adapters.qdrant.journal import FLUSH_POINTS, Journal
from frostbyte.api.vectors import bodies
from frostbyte.api.vectors.refusals import Refused, no_such, wrong
from frostbyte.api.vectors.translation import Kinds
from frostbyte.kernel.errors import Unavailable

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""A subset of the names that Qdrant takes: all of them can be names of folders."""
FIELDS: Final = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
    "float": qe.PayloadSchemaType.Float,
    "bool": qe.PayloadSchemaType.Bool,
    "uuid": qe.PayloadSchemaType.Uuid,
    "datetime": qe.PayloadSchemaType.Datetime,
}
_FIELD_NAMES: Final = {str(kind): name for name, kind in FIELDS.items()}
_DISTANCES: Final = {
    "Cosine": qe.Distance.Cosine,
    "Euclid": qe.Distance.Euclid,
    "Dot": qe.Distance.Dot,
    "Manhattan": qe.Distance.Manhattan,
}
_DATATYPES: Final = {"float32": qe.VectorStorageDatatype.Float32, "float16": qe.VectorStorageDatatype.Float16}
_COPY_KILOBYTES: Final = 4096
"""Vectors from which a segment gets its one-byte copies, where the maker of a collection did not say."""
_ROOM: Final = 128 << 20
"""Bytes that must be free on the disk: the engine maps its files, and a map that finds no room kills the process."""
_GROWN_POINTS: Final = 2_000
"""Written points from which it is worth while to rewrite segments."""

_log = structlog.get_logger("frostbyte.vectors")
_T = TypeVar("_T")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a collection beside the engine's files."""

    created: datetime
    config: bodies.Create


class Shelf:
    """All collections.

    Args:
        folder: made if it is missing.

    Raises:
        Unavailable: `vectors_locked`: another process holds the folder; `vectors_unavailable`: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "collections"
        self._open: dict[str, Collection] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FileLock(str(folder / "lock"))
            self._lock.acquire(timeout=0)
        except Timeout:
            raise Unavailable(
                "vectors_locked",
                "Another process serves this folder of vectors.",
                "Use that one, stop it first, or choose another folder with --data.",
            ) from None
        except OSError as error:
            raise _unreadable(error) from None
        try:
            self._recover()
        except BaseException:
            self.close()
            raise

    def _recover(self) -> None:
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)
            elif NAME.fullmatch(path.name) and path.is_dir():
                try:
                    about = msgspec.json.decode((path / "about.json").read_bytes(), type=About)
                    self._open[path.name] = Collection(path / "shard", about)
                except Exception as error:  # noqa: BLE001 - the engine raises nothing more precise
                    raise _unreadable(error, path.name) from None

    @property
    def names(self) -> list[str]:
        """Of all collections, sorted."""
        return sorted(self._open)

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return name in self._open

    def get(self, name: str) -> Collection:
        """Raises Refused(404)."""
        found = self._open.get(name)
        if found is None:
            raise no_such(name) if NAME.fullmatch(name) else _bad_name()
        return found

    def create(self, name: str, config: bodies.Create) -> None:
        """Make one; durable when this returns. Raises Refused(400 or 409)."""
        if not NAME.fullmatch(name):
            raise _bad_name()
        if name in self._open:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        making = self._folder / f".making-{name}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        engine_config = engine(config)
        about = About(created=datetime.now(UTC), config=config)
        try:
            shard = qe.EdgeShard.create(str(making / "shard"), engine_config)
            shard.flush()
            shard.close()
        except Exception:  # noqa: BLE001 - the engine raises nothing more precise
            shutil.rmtree(making, ignore_errors=True)
            raise wrong("the engine cannot make such a collection") from None
        with (making / "about.json").open("wb") as file:
            file.write(msgspec.json.encode(about))
            file.flush()
            os.fsync(file.fileno())
        _sync(making)
        making.rename(self._folder / name)
        _sync(self._folder)
        self._open[name] = Collection(self._folder / name / "shard", about)

    def holds(self, collection: Collection) -> bool:
        """Whether it was not removed."""
        return any(one is collection for one in self._open.values())

    def drop(self, name: str) -> bool:
        """Remove one; whether there was one. Raises Refused(422)."""
        if not NAME.fullmatch(name):
            raise _bad_name()
        found = self._open.pop(name, None)
        if found is None:
            return False
        found.shard.close()  # without a flush: nobody will read it
        gone = self._folder / f".gone-{name}-{time.monotonic_ns()}"
        (self._folder / name).rename(gone)
        _sync(self._folder)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def tidy(self, *, force: bool = False) -> None:
        """Rewrite the segments of the collections that need it: nothing else is answered meanwhile."""
        for collection in list(self._open.values()):
            if collection.untidy or (force and collection.grown):
                collection.tidy()

    @property
    def untidy(self) -> bool:
        """Whether a collection holds what was deleted, or has grown."""
        return any(collection.untidy for collection in self._open.values())

    def close(self) -> None:
        """Close all and let the folder go. Idempotent."""
        try:
            for collection in self._open.values():
                collection.close()
        finally:
            self._open.clear()
            self._lock.release()


class Collection:
    """One collection, open. Its writes are durable after `sync`.

    Args:
        folder: the shard's.
        about: what it was made with.
    """

    def __init__(self, folder: Path, about: About) -> None:
        self.about = about
        self.kinds = Kinds(
            {name: one.size for name, one in dense_of(about.config).items()},
            frozenset(about.config.sparse_vectors or {}),
            frozenset(name for name, one in dense_of(about.config).items() if one.multivector_config is not None),
        )
        self.shard = qe.EdgeShard.load(str(folder), engine(about.config))
        self._folder = folder
        self._journal = Journal(folder)
        self.written = 0
        """Updates since it was opened."""
        self._unflushed = 0
        self._deleted = False
        self.grown = 0
        """Points written since the segments were rewritten."""

    @property
    def untidy(self) -> bool:
        """Whether it holds what was deleted, or has grown enough to be rewritten."""
        return self._deleted or self.grown >= _GROWN_POINTS

    def update(self, operation: qe.UpdateOperation, points: int) -> None:
        """Apply a change.

        Args:
            points: how many it writes.

        Raises:
            Refused: 507: too little room is left for the engine's log.
        """
        if shutil.disk_usage(self._folder).free < _ROOM:
            raise Refused(507, "No space left on device: nothing is written until there is more room")
        self.written += 1
        self.shard.update(operation)
        self.grown += points
        self._unflushed += points

    def delete(self, operation: qe.UpdateOperation) -> None:
        """Apply a deletion."""
        self._deleted = True
        self.update(operation, 0)

    def sync(self) -> None:
        """Put all changes on the disk; may run beside anything else. Raises OSError."""
        self._journal.sync()

    def settle(self) -> None:
        """The engine's own flush, where it is due."""
        if self._unflushed >= FLUSH_POINTS:
            self.shard.flush()
            self._unflushed = 0

    def tidy(self) -> None:
        """Let deleted vectors leave the segments, and make what grew quick to scan."""
        self._deleted, self.grown, self._unflushed = False, 0, 0
        self.shard.optimize()
        self.shard.flush()

    def close(self) -> None:
        """Flush and close."""
        try:
            self.shard.flush()
        finally:
            self.shard.close()


def dense_of(config: bodies.Create) -> dict[str, bodies.Dense]:
    """The kinds of dense vectors by name; the unnamed kind's name is ''. Raises Refused(422)."""
    given = config.vectors or {}
    try:
        if isinstance(given.get("size"), int):
            return {"": msgspec.convert(given, bodies.Dense)}
        return msgspec.convert(given, dict[str, bodies.Dense])
    except msgspec.ValidationError as error:
        raise Refused(422, f"Validation error in JSON body: vectors: {error}") from None


def engine(config: bodies.Create) -> qe.EdgeConfig:
    """The engine's configuration. Raises Refused(400 or 422).

    No graph is built (m=0): the engine stops the whole process while it builds one, a minute for 50,000 x 768, and a
    scan of one-byte copies answers in 2 ms there.
    """
    dense = {name: _dense(one) for name, one in dense_of(config).items()}
    sparse = {name: _sparse(one) for name, one in (config.sparse_vectors or {}).items()}
    if not dense and not sparse:
        raise wrong("a collection needs a kind of vectors")
    chosen = config.optimizers_config or bodies.Optimizers()
    return qe.EdgeConfig(
        vectors=dense or None,
        sparse_vectors=sparse or None,
        on_disk_payload=config.on_disk_payload,
        hnsw_config=qe.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10),
        quantization_config=_copies(config.quantization_config),
        # One deleted vector is enough to rewrite its segment: the engine's own 20% would keep erased ones for good.
        optimizers=qe.EdgeOptimizersConfig(
            deleted_threshold=0.0,
            vacuum_min_vector_number=1,
            indexing_threshold=chosen.indexing_threshold or _COPY_KILOBYTES,
        ),
        max_search_threads=1,
    )


def _dense(given: bodies.Dense) -> qe.EdgeVectorParams:
    if given.distance not in _DISTANCES:
        raise wrong(f"a distance is one of {', '.join(_DISTANCES)}")
    if given.datatype not in (None, *_DATATYPES):
        raise wrong(f"a datatype is one of {', '.join(_DATATYPES)}")
    several = None
    if given.multivector_config is not None:
        if given.multivector_config.comparator != "max_sim":
            raise wrong("a comparator of several vectors is max_sim")
        several = qe.MultiVectorConfig(comparator=qe.MultiVectorComparator.MaxSim)
    return qe.EdgeVectorParams(
        size=given.size,
        distance=_DISTANCES[given.distance],
        on_disk=given.on_disk,
        multivector_config=several,
        datatype=None if given.datatype is None else _DATATYPES[given.datatype],
        quantization_config=_copies(given.quantization_config),
    )


def _copies(given: bodies.Quantization | None) -> qe.ScalarQuantizationConfig | None:
    if given is None:
        return None
    scalar = given.scalar
    if scalar.type != "int8":
        raise wrong("a scalar quantization is of type int8")
    return qe.ScalarQuantizationConfig(type=qe.ScalarType.Int8, quantile=scalar.quantile, always_ram=scalar.always_ram)


def _sparse(given: bodies.Sparse) -> qe.EdgeSparseVectorParams:
    if given.modifier not in (None, "none", "idf"):
        raise wrong("a modifier is none or idf")
    index = given.index or bodies.SparseIndex()
    return qe.EdgeSparseVectorParams(
        modifier=qe.Modifier.Idf if given.modifier == "idf" else None, on_disk=index.on_disk
    )


def described(collection: Collection) -> dict[str, Any]:
    """A collection as Qdrant's `CollectionInfo`."""
    info, config = collection.shard.info(), msgspec.to_builtins(collection.about.config)
    hnsw, optimizers = config["hnsw_config"] or {}, config["optimizers_config"] or {}
    params = {
        "vectors": config["vectors"],
        "sparse_vectors": config["sparse_vectors"],
        "shard_number": 1,
        "replication_factor": 1,
        "write_consistency_factor": 1,
        "on_disk_payload": config["on_disk_payload"],
    }
    return {
        "status": "yellow" if collection.untidy else "green",
        "optimizer_status": "ok",
        "points_count": info.points_count,
        "indexed_vectors_count": info.indexed_vectors_count,
        "segments_count": info.segments_count,
        "config": {
            "params": {key: value for key, value in params.items() if value is not None},
            "hnsw_config": {"m": 0, "ef_construct": 4, "full_scan_threshold": 10} | _given(hnsw) | {"m": 0},
            "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5} | _given(optimizers),
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
            "quantization_config": config["quantization_config"]
            and {"scalar": _given(config["quantization_config"]["scalar"])},
            "metadata": config["metadata"],
        },
        "payload_schema": {
            name: {"data_type": _FIELD_NAMES[str(one.data_type)], "points": one.points}
            for name, one in info.payload_schema.items()
            if str(one.data_type) in _FIELD_NAMES
        },
        "created_at": collection.about.created.isoformat(),
    }


def _given(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value is not None}


def guarded(ask: Callable[[], _T]) -> _T:
    """What the engine answers; what it says against a request as a refusal, in words of ours. Raises Refused."""
    try:
        return ask()
    except Refused:
        raise
    except (ValueError, TypeError, OverflowError):
        raise wrong("the engine cannot read such a value") from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the engine's panics are no Exceptions; its texts may quote content
        _log.error("engine_failed", error=type(error).__name__)
        raise Refused(500, "Service internal error: the engine could not do it; the server's log says more") from None


def _bad_name() -> Refused:
    return Refused(422, "Validation error: a collection's name is 1 to 128 of A-Z, a-z, 0-9, _ and -")


def _unreadable(error: BaseException, name: str = "") -> Unavailable:
    what = f"The collection {name}" if name else "The folder of vectors"
    return Unavailable(
        "vectors_unavailable",
        f"{what} cannot be opened ({type(error).__name__}).",
        "Look at disk space and permissions; put the folder back from a backup, or move it away and index anew.",
    )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
