"""The embed and index stages: what passes between them, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from frostbyte.adapters.embeddings.lexical import LexicalOnly
from frostbyte.data_plane import embed, index
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, VectorStore
from retrieval.search_plane import Chunk, WordsAsDirections

TERMS = TermHasher(b"key")
DOC = UUID(int=1)


def chunks(count: int) -> list[Chunk]:
    return [
        Chunk(chunk_id=UUID(int=100 + n), doc_id=DOC, generation="g", text=f"passage {n}", headings=("Storage", "Cold"))
        for n in range(count)
    ]


class Remembering(WordsAsDirections):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        return super().documents(texts)


def test_headings_are_embedded_with_the_text_in_batches() -> None:
    embedder = Remembering()
    vectors = embed.run(chunks(130), embedder)
    assert vectors.shape == (130, 32)
    assert [len(batch) for batch in embedder.asked] == [64, 64, 2]
    assert embedder.asked[2][1] == "Storage\nCold\npassage 129"


class Misbehaving(WordsAsDirections):
    def __init__(self, made: list[list[float]]) -> None:
        super().__init__()
        self.made = made

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        return self.made


@pytest.mark.parametrize(
    "made",
    [[], [[1.0] * 32], [[1.0] * 32] * 3, [[1.0] * 32, [1.0] * 31], [[1.0] * 32, [0.0] * 32]]
    + [[[1.0] * 32, [float(bad)] * 32] for bad in ("nan", "inf", "1e200")],
)
def test_an_embedder_that_misbehaves_is_refused(made: list[list[float]]) -> None:
    with pytest.raises(Unavailable) as refused:
        embed.run(chunks(2), Misbehaving(made))
    assert refused.value.code == "embedder_unavailable"


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(1, 9)), elements=st.floats(0.125, 1e6, width=32))
)
def test_packing_is_exact(vectors: embed.Vectors) -> None:
    packed = embed.encode(vectors)
    assert len(packed) == 8 + 4 * vectors.size
    assert np.array_equal(embed.decode(packed), vectors)
    assert embed.encode(embed.decode(packed)) == packed


def test_packed_bytes_are_fixed() -> None:
    assert embed.encode(np.array([[1.0, -2.0]], dtype=np.float32)).hex() == "01000000020000000000803f000000c0"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x01\x00",
        embed.encode(np.ones((2, 3), dtype=np.float32))[:-1],
        embed.encode(np.ones((2, 3), dtype=np.float32)) + b"\x00" * 4,
        b"\xff" * 8,
        embed.encode(np.array([[1.0], [np.nan]], dtype=np.float32)),
        embed.encode(np.zeros((1, 3), dtype=np.float32)),
    ],
)
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):
        embed.decode(damaged)


def test_indexing_writes_all_points_once(store: VectorStore) -> None:
    embedder, many = WordsAsDirections(), chunks(600)
    vectors = embed.run(many, embedder)
    for _ in range(2):
        index.run(many, vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert store.count() == store.count(DOC) == 600
    hit = store.search(None, TERMS.query("passage 433"), limit=1)[0]
    assert (hit.chunk_id, hit.doc_id, hit.generation) == (UUID(int=533), DOC, "g")
    assert store.search(None, TERMS.query("storage"), limit=1)  # a heading's word


def test_a_document_without_chunks_is_indexed_as_nothing(store: VectorStore) -> None:
    embedder = WordsAsDirections()
    index.run([], embed.run([], embedder), store=store, spec=embedder.spec, terms=TERMS)
    assert store.count() == 0


@pytest.mark.parametrize("bad", [np.ones((1, 32)), np.ones((2, 31)), np.zeros((2, 32)), np.full((2, 32), np.nan)])
def test_vectors_that_do_not_fit_are_refused_before_any_is_written(store: VectorStore, bad: embed.Vectors) -> None:
    with pytest.raises(ValueError):
        index.run(chunks(2), bad.astype(np.float32), store=store, spec=WordsAsDirections().spec, terms=TERMS)
    assert store.spec is None


def test_another_models_vectors_are_refused(store: VectorStore) -> None:
    embedder = WordsAsDirections()
    vectors = embed.run(chunks(2), embedder)
    store.ensure(CollectionSpec(model="another", version="1", dimensions=32))
    with pytest.raises(Conflict) as refused:
        index.run(chunks(2), vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert refused.value.code == "embedding_mismatch"
    assert store.count() == 0


def test_lexical_only_has_no_vectors_at_all(store: VectorStore) -> None:
    embedder = LexicalOnly()
    vectors = embed.decode(embed.encode(embed.run(chunks(3), embedder)))
    assert vectors.shape == (3, 0)
    index.run(chunks(3), vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert [hit.chunk_id for hit in store.search(None, TERMS.query("passage 2"), limit=1)] == [UUID(int=102)]
