"""Embedding: cleared chunks become vectors, kept as a sealed object until they are indexed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from frostbyte.data_plane.terms import Passage, passage
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.embedder import Embedder

Vectors = npt.NDArray[np.float32]
"""One row a chunk, in the order of the chunks; no columns where search is lexical only."""

_BATCH: Final = 64
_HEADER: Final = 8


def run(chunks: Sequence[Passage], embedder: Embedder) -> Vectors:
    """Embed all chunks.

    Raises:
        Unavailable: `embedder_unavailable`: it cannot answer, or an answer is unusable (promise 2).
    """
    dimensions = embedder.spec.dimensions
    vectors = np.empty((len(chunks), dimensions), dtype=np.float32)
    if not dimensions:
        return vectors  # search is by words alone
    for at in range(0, len(chunks), _BATCH):
        part = chunks[at : at + _BATCH]
        made = embedder.documents([passage(chunk) for chunk in part])
        if len(made) != len(part):
            raise unusable("it answered with another number of vectors than it was asked for")
        vectors[at : at + len(part)] = [check(vector, dimensions) for vector in made]
    return vectors


def check(vector: Sequence[float], dimensions: int) -> list[float]:
    """The vector if it can be used.

    Raises:
        Unavailable: `embedder_unavailable`.
    """
    if len(vector) != dimensions:
        raise unusable(f"a vector has {len(vector)} dimensions instead of {dimensions}")
    norm = math.sqrt(sum(value * value for value in vector))
    if not math.isfinite(norm) or (norm < 1e-6 and dimensions):
        raise unusable("a vector is zero or not finite")
    return list(vector)


def unusable(why: str) -> Unavailable:
    """The error for an answer that must not be indexed."""
    return Unavailable(
        "embedder_unavailable",
        f"The embedder gave no usable answer: {why}.",
        "Check FROSTBYTE_EMBEDDING_ENDPOINT and its model; the document waits and is tried again by itself.",
    )


def encode(vectors: Vectors) -> bytes:
    """Rows and columns (two little-endian uint32), then the float32 values, little-endian, row by row."""
    return np.array(vectors.shape, dtype="<u4").tobytes() + vectors.astype("<f4").tobytes()


def encode_released(made: Mapping[UUID, Sequence[float]]) -> bytes:
    """Vectors of passages that were released one by one, by chunk id, as JSON."""
    return msgspec.json.encode({str(chunk_id): list(vector) for chunk_id, vector in made.items()})


def decode_released(data: bytes) -> dict[UUID, list[float]]:
    """The inverse of `encode_released`. Raises ValueError."""
    return msgspec.json.decode(data, type=dict[UUID, list[float]])


def decode(data: bytes) -> Vectors:
    """The inverse of `encode`. Raises ValueError if the bytes do not fit their header or hold no usable vectors."""
    if len(data) < _HEADER:
        raise ValueError("vectors without a header")
    rows, columns = (int(value) for value in np.frombuffer(data[:_HEADER], dtype="<u4"))
    if len(data) != _HEADER + 4 * rows * columns:
        raise ValueError("vectors do not fit their header")
    vectors = np.frombuffer(data[_HEADER:], dtype="<f4").reshape(rows, columns).astype(np.float32)
    if not np.isfinite(vectors).all() or (columns and not vectors.any(axis=1).all()):
        raise ValueError("a vector is zero or not finite")
    return vectors
