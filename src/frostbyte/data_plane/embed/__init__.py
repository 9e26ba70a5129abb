"""Embedding: cleared chunks become vectors, kept as a sealed object until they are indexed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final
from uuid import UUID

import msgspec
import numpy as np

from frostbyte.data_plane.pieces import Embedded, Vectors, pieces
from frostbyte.data_plane.terms import Passage, passage
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.embedder import Embedder

_BATCH: Final = 64
_HEADER: Final = 8
_NOTHING: Final = 1e-3
"""Length of a mean of unit vectors that says nothing."""


def run(chunks: Sequence[Passage], embedder: Embedder) -> Embedded:
    """Embed all chunks, piece by piece where the embedder's spec says so.

    Raises:
        Unavailable: `embedder_unavailable`: it cannot answer, or an answer is unusable (promise 2).
    """
    if not embedder.spec.dimensions:
        return Embedded(whole=np.empty((len(chunks), 0), dtype=np.float32))  # search is by words alone
    texts = [passage(chunk) for chunk in chunks]
    if not embedder.spec.pieces:
        return Embedded(whole=_made(texts, embedder))
    cut = [pieces(text) for text in texts]
    distinct = list(dict.fromkeys(chain.from_iterable(cut)))  # what a document repeats is read once
    places = {piece: place for place, piece in enumerate(distinct)}
    rows = _made(distinct, embedder)
    found = tuple(rows[[places[piece] for piece in part]] for part in cut)
    return Embedded(whole=_means(found, embedder.spec.dimensions), pieces=found)


def _made(texts: Sequence[str], embedder: Embedder) -> Vectors:
    dimensions = embedder.spec.dimensions
    vectors = np.empty((len(texts), dimensions), dtype=np.float32)
    for at in range(0, len(texts), _BATCH):
        part = texts[at : at + _BATCH]
        made = embedder.documents(part)
        if len(made) != len(part):
            raise unusable("it answered with another number of vectors than it was asked for")
        vectors[at : at + len(part)] = [check(vector, dimensions) for vector in made]
    return vectors


def _means(found: Sequence[Vectors], dimensions: int) -> Vectors:
    """The middle of each passage's pieces, of unit length; the first piece where they cancel each other out."""
    means = np.empty((len(found), dimensions), dtype=np.float32)
    for number, rows in enumerate(found):
        mean = rows.mean(axis=0)
        norm = float(np.linalg.norm(mean))
        means[number] = mean / norm if norm > _NOTHING else rows[0]
    return means


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


def encode(made: Embedded) -> bytes:
    """Rows and columns (two little-endian uint32), then the float32 values, little-endian, row by row.

    Where there are pieces, the number of each row's follows (uint32), then their values as float16: half the room, and
    a cosine moves by a thousandth at most.
    """
    whole = np.array(made.whole.shape, dtype="<u4").tobytes() + made.whole.astype("<f4").tobytes()
    if not made.pieces:
        return whole
    counts = np.array([len(rows) for rows in made.pieces], dtype="<u4").tobytes()
    return b"".join((whole, counts, *(rows.astype("<f2").tobytes() for rows in made.pieces)))


def decode(data: bytes) -> Embedded:
    """The inverse of `encode`. Raises ValueError if the bytes do not fit their header or hold no usable vectors."""
    if len(data) < _HEADER:
        raise ValueError("vectors without a header")
    rows, columns = (int(value) for value in np.frombuffer(data[:_HEADER], dtype="<u4"))
    end = _HEADER + 4 * rows * columns
    if len(data) < end:
        raise ValueError("vectors do not fit their header")
    whole = np.frombuffer(data[_HEADER:end], dtype="<f4").reshape(rows, columns).astype(np.float32)
    made = Embedded(whole=whole, pieces=_pieces_in(data[end:], rows, columns))
    if not made.usable:
        raise ValueError("a vector is zero or not finite")
    return made


def _pieces_in(data: bytes, rows: int, columns: int) -> tuple[Vectors, ...]:
    if not data:
        return ()
    if len(data) < 4 * rows:
        raise ValueError("vectors do not fit their header")
    counts = np.frombuffer(data[: 4 * rows], dtype="<u4").astype(np.int64)
    if len(data) != 4 * rows + 2 * columns * int(counts.sum()):
        raise ValueError("the vectors of pieces do not fit their counts")
    values = np.frombuffer(data[4 * rows :], dtype="<f2").reshape(-1, columns).astype(np.float32)
    return tuple(np.split(values, np.cumsum(counts)[:-1]))


class _Released(msgspec.Struct, frozen=True):
    """Of one passage."""

    whole: list[float]
    pieces: list[list[float]] = []


def encode_released(made: Mapping[UUID, Embedded]) -> bytes:
    """Vectors of passages that were released one by one, by chunk id, as JSON."""
    return msgspec.json.encode(
        {
            str(chunk_id): _Released(one.whole[0].tolist(), [row.tolist() for part in one.pieces for row in part])
            for chunk_id, one in made.items()
        }
    )


def decode_released(data: bytes) -> dict[UUID, Embedded]:
    """The inverse of `encode_released`; also reads what was kept before pieces were, a list of numbers each.

    Raises ValueError.
    """
    found = msgspec.json.decode(data, type=dict[UUID, _Released | list[float]])
    return {chunk_id: _given_back(one) for chunk_id, one in found.items()}


def _given_back(one: _Released | list[float]) -> Embedded:
    if isinstance(one, list):
        one = _Released(one)
    parts = (np.array(one.pieces, dtype=np.float32),) if one.pieces else ()
    return Embedded(whole=np.array([one.whole], dtype=np.float32), pieces=parts)


def together(made: Sequence[Embedded], dimensions: int) -> Embedded:
    """The vectors of single passages as those of one document; pieces only where all have them."""
    whole = np.concatenate([np.empty((0, dimensions), dtype=np.float32), *(one.whole for one in made)])
    return Embedded(
        whole=whole,
        pieces=tuple(part for one in made for part in one.pieces[:1]) if all(one.pieces for one in made) else (),
    )
