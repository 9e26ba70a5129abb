"""The embed and index stages: what passes between them, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace

from frostbyte.adapters.embeddings.lexical import LexicalOnly
from frostbyte.data_plane import embed, index
from frostbyte.data_plane.pieces import LONGEST, Embedded, Vectors, pieces
from frostbyte.data_plane.serve.search import Mode
from frostbyte.data_plane.terms import TermHasher, passage
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, VectorStore
from retrieval.search_plane import Chunk, Plane, WordsAsDirections

TERMS = TermHasher(b"key")
DOC = UUID(int=1)


def chunks(count: int) -> list[Chunk]:
    return [
        Chunk(chunk_id=UUID(int=100 + n), doc_id=DOC, generation="g", text=f"passage {n}", headings=("Storage", "Cold"))
        for n in range(count)
    ]


def packed(whole: list[list[float]], *parts: list[list[float]]) -> bytes:
    rows = tuple(np.array(part, dtype=np.float32) for part in parts)
    return embed.encode(Embedded(whole=np.array(whole, dtype=np.float32), pieces=rows))


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
    assert vectors.whole.shape == (130, 32)
    assert [len(batch) for batch in embedder.asked] == [64, 64, 2]
    assert embedder.asked[2][1] == "Storage\nCold\npassage 129"


def test_where_search_is_by_words_alone_nothing_is_embedded() -> None:
    embedder = Remembering()
    embedder.spec = replace(embedder.spec, dimensions=0)
    vectors = embed.run(chunks(3), embedder)
    assert (vectors.whole.shape, vectors.pieces, embedder.asked) == ((3, 0), (), [])


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
def test_packing_is_exact(vectors: Vectors) -> None:
    data = embed.encode(Embedded(whole=vectors))
    assert len(data) == 8 + 4 * vectors.size
    assert np.array_equal(embed.decode(data).whole, vectors)
    assert embed.encode(embed.decode(data)) == data


def test_packed_bytes_are_fixed() -> None:
    assert packed([[1.0, -2.0]]).hex() == "01000000020000000000803f000000c0"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x01\x00",
        packed([[1.0] * 3] * 2)[:-1],
        packed([[1.0] * 3] * 2) + b"\x00" * 4,
        b"\xff" * 8,
        packed([[1.0], [np.nan]]),
        packed([[0.0] * 3]),
        packed([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])[:-2],
        packed([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]) + b"\x00" * 2,
        packed([[1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]),
        packed([[1.0, 0.0]], [[np.inf, 1.0]]),
    ],
)
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):
        embed.decode(damaged)


@pytest.mark.slow
def test_indexing_writes_all_points_once(store: VectorStore) -> None:
    embedder, many = WordsAsDirections(), chunks(600)
    vectors = embed.run(many, embedder)
    for _ in range(2):
        index.run(many, vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert store.count() == store.count(DOC) == 600
    hit = store.search(None, TERMS.query("passage 433"), limit=1)[0]
    assert hit.chunk_id == UUID(int=533)
    assert store.search(None, TERMS.query("storage"), limit=1)  # a heading's word


def test_a_document_without_chunks_is_indexed_as_nothing(store: VectorStore) -> None:
    embedder = WordsAsDirections()
    index.run([], embed.run([], embedder), store=store, spec=embedder.spec, terms=TERMS)
    assert store.count() == 0


@pytest.mark.parametrize("bad", [np.ones((1, 32)), np.ones((2, 31)), np.zeros((2, 32)), np.full((2, 32), np.nan)])
def test_vectors_that_do_not_fit_are_refused_before_any_is_written(store: VectorStore, bad: Vectors) -> None:
    made = Embedded(whole=bad.astype(np.float32))
    with pytest.raises(ValueError):
        index.run(chunks(2), made, store=store, spec=WordsAsDirections().spec, terms=TERMS)
    assert store.spec is None


def test_another_models_vectors_are_refused(store: VectorStore) -> None:
    embedder = WordsAsDirections()
    vectors = embed.run(chunks(2), embedder)
    store.ensure(CollectionSpec(model="another", version="1", dimensions=32))
    with pytest.raises(Conflict) as refused:
        index.run(chunks(2), vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert refused.value.code == "embedding_mismatch"
    assert store.count() == 0


@pytest.mark.slow
def test_lexical_only_has_no_vectors_at_all(store: VectorStore) -> None:
    embedder = LexicalOnly()
    vectors = embed.decode(embed.encode(embed.run(chunks(3), embedder)))
    assert vectors.whole.shape == (3, 0)
    index.run(chunks(3), vectors, store=store, spec=embedder.spec, terms=TERMS)
    assert [hit.chunk_id for hit in store.search(None, TERMS.query("passage 2"), limit=1)] == [UUID(int=102)]


def worded(chunk: Chunk, text: str) -> Chunk:
    return replace(chunk, text=text)


class InPieces(Remembering):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, pieces=True)


TEXT = (
    "Goods are stored cold. The loading bay opens at six and shuts at eight in the evening, Sundays at one.\n"
    "----\nDogs stay outside!\nA visitor signs the book at the gate and wears a badge; whoever forgets it is sent back."
)


def test_pieces_are_sentences_and_lines_of_some_length_and_nothing_is_lost() -> None:
    assert pieces(TEXT) == [
        "Goods are stored cold. The loading bay opens at six and shuts at eight in the evening, Sundays at one.\n----",
        "Dogs stay outside!\nA visitor signs the book at the gate and wears a badge; whoever forgets it is sent back.",
    ]
    assert pieces("") == [""]
    assert pieces("§ 5") == ["§ 5"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["words", "Vertrag", "x" * 150]), st.sampled_from([" ", ". ", "\n", ";\n\n"])))
)
def test_every_word_is_in_one_piece_and_only_a_single_sentence_is_longer(said: list[tuple[str, str]]) -> None:
    found = pieces("".join(word + gap for word, gap in said))
    kept = [word for piece in found for word in re.findall(r"\w+", piece)]
    assert kept == [word for word, _ in said]
    for piece in found:
        assert len(piece) <= LONGEST or not re.search(r"\.\s|\n", piece)


def test_each_piece_gets_a_vector_and_the_whole_is_their_mean() -> None:
    embedder = InPieces()
    one, two = chunks(2)
    many = [worded(one, TEXT), worded(two, "Dogs stay outside!")]
    made = embed.run(many, embedder)
    asked = [text for batch in embedder.asked for text in batch]
    assert len(asked) == len(set(asked))  # what both say is read once
    assert [len(rows) for rows in made.pieces] == [len(pieces(passage(chunk))) for chunk in many]
    mean = made.pieces[0].mean(axis=0)
    assert np.allclose(made.whole[0], mean / np.linalg.norm(mean))
    back = embed.decode(embed.encode(made))
    assert np.array_equal(back.whole, made.whole)
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(back.pieces, made.pieces, strict=True))
    assert embed.encode(back) == embed.encode(made)


def test_a_passage_is_as_near_as_its_nearest_piece(store: VectorStore) -> None:
    """The dogs are one sentence among many, and another passage speaks of badges and dogs on the whole."""
    embedder = InPieces()
    many = [
        worded(
            chunks(1)[0], "Dogs stay outside the whole hall.\n" + "\n".join(f"Rule {n} says {n}." * 8 for n in range(9))
        ),
        *(worded(one, f"Badges outside and stay {one.text} dogs maybe inside hall number") for one in chunks(9)[1:]),
    ]
    index.run(many, embed.run(many, embedder), store=store, spec=embedder.spec, terms=TERMS)
    question = embedder.query("dogs stay outside the whole hall")
    hits = store.search(question, None, limit=3)
    assert hits[0].chunk_id == many[0].chunk_id
    assert hits[0].similarity == pytest.approx(hits[0].score, abs=1e-6)
    both = store.search(question, TERMS.query("dogs stay outside"), limit=3)
    assert both[0].chunk_id == many[0].chunk_id
    assert both[0].similarity == pytest.approx(hits[0].score, abs=1e-3)


def test_an_index_without_pieces_answers_the_same_model_s_questions(plane: Plane) -> None:
    """It was made by an older version, and a rebuild is not through yet."""
    plane.add(1, ["Dogs stay outside.", "Badges are worn."])
    plane.search = plane.searching(InPieces())
    assert plane.texts_of("dogs outside", mode=Mode.DENSE)[0] == "Dogs stay outside."


def test_vectors_that_were_kept_without_pieces_are_one_piece(store: VectorStore) -> None:
    """A backup of an older version."""
    embedder = InPieces()
    made = embed.run(chunks(3), WordsAsDirections())
    index.run(chunks(3), made, store=store, spec=embedder.spec, terms=TERMS)
    hits = store.search(embedder.query("Storage Cold passage 2"), None, limit=3)
    assert {hit.chunk_id for hit in hits} == {UUID(int=100), UUID(int=101), UUID(int=102)}


def test_released_vectors_are_read_as_they_were_kept_and_as_older_versions_kept_them() -> None:
    embedder = InPieces()
    made = embed.run([worded(chunks(1)[0], TEXT)], embedder)
    back = embed.decode_released(embed.encode_released({DOC: made}))[DOC]
    assert np.array_equal(back.whole, made.whole)
    assert np.array_equal(back.pieces[0], made.pieces[0])
    old = embed.decode_released(b'{"00000000-0000-0000-0000-000000000001": [0.5, 0.25]}')[DOC]
    assert old.whole.tolist() == [[0.5, 0.25]]
    assert old.pieces == ()
