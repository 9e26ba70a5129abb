"""All vector stores keep the same promises."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from msgspec.structs import replace

from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.adapters.qdrant import edge
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, Scope, SparseVector, VectorStore

pytestmark = pytest.mark.slow

SPEC = CollectionSpec(model="m", version="1", dimensions=4)
DOC = UUID(int=1)


def point(angle: float, *terms: int, doc: UUID = DOC, generation: str = "g1") -> Point:
    sparse = SparseVector(indices=terms, values=tuple(1.0 for _ in terms))
    dense = [math.cos(angle), math.sin(angle), 0.0, 0.0]
    return Point(chunk_id=uuid4(), doc_id=doc, generation=generation, dense=dense, sparse=sparse)


def test_an_empty_store_finds_nothing(store: VectorStore) -> None:
    assert store.search([1.0, 0, 0, 0], None, limit=3) == []
    assert store.count() == 0


def test_the_nearest_comes_first(store: VectorStore) -> None:
    store.ensure(SPEC)
    near, far = point(0.1, 1), point(1.4, 2)
    store.upsert([far, near])
    store.flush()
    hits = store.search([1.0, 0, 0, 0], None, limit=2)
    assert [hit.chunk_id for hit in hits] == [near.chunk_id, far.chunk_id]


def test_rare_terms_count_more_than_frequent_ones(store: VectorStore) -> None:
    store.ensure(SPEC)
    common = [point(0.5 + i / 10, 7) for i in range(5)]
    rare = point(0.2, 9)
    store.upsert([*common, rare])
    hits = store.search(None, SparseVector(indices=(7, 9), values=(1.0, 1.0)), limit=6)
    assert hits[0].chunk_id == rare.chunk_id


def test_hybrid_prefers_what_both_rankings_like(store: VectorStore) -> None:
    store.ensure(SPEC)
    both, only_dense, only_terms = point(0.1, 5, 8), point(0.0, 6), point(1.5, 5)
    store.upsert([only_dense, only_terms, both])
    hits = store.search([1.0, 0, 0, 0], SparseVector(indices=(5, 8), values=(1.0, 1.0)), limit=3)
    assert hits[0].chunk_id == both.chunk_id


def test_writing_twice_is_once(store: VectorStore) -> None:
    store.ensure(SPEC)
    one = point(0.1, 1)
    store.upsert([one])
    store.upsert([one])
    assert store.count() == 1


def test_filters_by_document(store: VectorStore) -> None:
    store.ensure(SPEC)
    other = UUID(int=2)
    theirs = point(0.3, 1, doc=other)
    store.upsert([point(0.0, 1), theirs])
    found = store.search([1.0, 0, 0, 0], None, limit=5, scope=Scope(doc_ids=(other,)))
    assert [hit.chunk_id for hit in found] == [theirs.chunk_id]
    assert store.search([1.0, 0, 0, 0], None, limit=5, scope=Scope(doc_ids=())) == []
    assert store.count(other) == 1


def test_filters_by_label_and_by_when_it_came(store: VectorStore) -> None:
    store.ensure(SPEC)
    kinds = {1: ("invoice",), 2: ("contract",), 3: ("contract", "other"), 4: ()}
    points = [
        replace(point(n / 10, 1, doc=UUID(int=n)), labels=labels, received=1.7e9 + n) for n, labels in kinds.items()
    ]
    document_of = {one.chunk_id: one.doc_id.int for one in points}
    store.upsert(points)

    def found(**scope: object) -> set[int]:
        terms = SparseVector(indices=(1,), values=(1.0,))
        by = [
            store.search(dense, sparse, limit=5, scope=Scope(**scope))  # type: ignore[arg-type]
            for dense, sparse in (([1.0, 0, 0, 0], None), (None, terms), ([1.0, 0, 0, 0], terms))
        ]
        each = [{document_of[hit.chunk_id] for hit in hits} for hits in by]
        assert each[0] == each[1] == each[2]
        return each[0]

    assert found(labels=("contract",)) == {2, 3}
    assert found(labels=("invoice", "other")) == {1, 3}
    assert found(labels=()) == set()
    assert found(received_from=1.7e9 + 3) == {3, 4}
    assert found(received_to=1.7e9 + 2, labels=("contract",)) == {2}
    assert found(doc_ids=(UUID(int=1), UUID(int=2)), received_from=1.7e9 + 2) == {2}
    store.label(UUID(int=2), ["invoice"])
    store.label(UUID(int=77), ["invoice"])
    store.flush()
    assert found(labels=("invoice",)) == {1, 2}
    assert found(labels=("contract",)) == {3}


@pytest.mark.parametrize(("keep", "left"), [("", 1), ("g2", 2)])
def test_deletes_a_document_or_its_other_generations(store: VectorStore, keep: str, left: int) -> None:
    store.ensure(SPEC)
    old, new, other = point(0.0, 1), point(0.1, 1, generation="g2"), point(0.2, 1, doc=UUID(int=2))
    store.upsert([old, new, other])
    store.delete_document(DOC, except_generation=keep)
    store.compact()
    assert store.count() == left
    found = {hit.chunk_id for hit in store.search([1.0, 0, 0, 0], None, limit=5)}
    assert found == ({new.chunk_id, other.chunk_id} if keep else {other.chunk_id})


def test_another_model_is_refused(store: VectorStore) -> None:
    store.ensure(SPEC)
    store.ensure(SPEC)
    with pytest.raises(Conflict, match="made by"):
        store.ensure(CollectionSpec(model="other", version="1", dimensions=4))


def test_reopening_keeps_points_and_what_they_were_made_for(tmp_path: Path) -> None:
    first = EdgeVectors(tmp_path / "v")
    first.ensure(SPEC)
    first.upsert([point(0.0, 1)])
    first.close()
    again = EdgeVectors(tmp_path / "v")
    assert again.count() == 1
    with pytest.raises(Conflict):
        again.ensure(CollectionSpec(model="other", version="1", dimensions=4))
    again.close()


def test_vectors_of_another_length_are_refused_and_nothing_is_written(store: VectorStore) -> None:
    store.ensure(SPEC)
    short = Point(chunk_id=uuid4(), doc_id=DOC, generation="g", dense=[1.0], sparse=SparseVector(indices=(), values=()))
    for ask in (
        lambda: store.upsert([point(0.1, 1), short]),
        lambda: store.search([1.0], None, limit=1),
    ):
        with pytest.raises(Conflict) as refused:
            ask()
        assert refused.value.code == "embedding_mismatch"
    assert store.count() == 0


def test_writing_before_the_collection_is_made_is_refused(store: VectorStore) -> None:
    with pytest.raises(Unavailable):
        store.upsert([point(0.1, 1)])
    assert store.spec is None
    store.flush()
    store.compact()
    store.delete_document(DOC)
    assert store.search([1.0, 0, 0, 0], None, limit=1) == []


def test_a_hit_carries_its_cosine_whichever_ranking_found_it(store: VectorStore) -> None:
    store.ensure(SPEC)
    angles = [(angle, point(angle, 1)) for angle in (0.0, 0.5, 2.0)]
    words_alone = replace(point(0.0, 1, 2), dense=[])
    store.upsert([*(one for _, one in angles), words_alone])
    terms = SparseVector(indices=(1, 2), values=(1.0, 1.0))
    expected = {one.chunk_id: math.cos(angle) for angle, one in angles}
    for sparse in (None, terms):
        hits = store.search([2.0, 0, 0, 0], sparse, limit=5)
        cosines = {hit.chunk_id: hit.similarity for hit in hits if hit.chunk_id != words_alone.chunk_id}
        assert cosines == pytest.approx(expected, abs=1e-5)
    assert {hit.similarity for hit in hits if hit.chunk_id == words_alone.chunk_id} == {None}
    assert {hit.similarity for hit in store.search(None, terms, limit=5)} == {None}


def test_a_passage_that_only_words_find_carries_its_cosine_too(store: VectorStore) -> None:
    store.ensure(SPEC)
    store.upsert([point(n / 100, 1) for n in range(60)])
    far = point(3.0, 9)
    store.upsert([far])
    hits = store.search([1.0, 0, 0, 0], SparseVector(indices=(9,), values=(1.0,)), limit=5)
    assert hits[0].chunk_id == far.chunk_id
    assert hits[0].similarity == pytest.approx(math.cos(3.0), abs=1e-5)


def test_a_collection_without_dimensions_holds_terms_alone(store: VectorStore) -> None:
    store.ensure(CollectionSpec(model="none", version="1", dimensions=0))
    terms = SparseVector(indices=(3,), values=(1.0,))
    one = Point(chunk_id=uuid4(), doc_id=DOC, generation="g", dense=[], sparse=terms)
    store.upsert([one])
    store.flush()
    assert [hit.chunk_id for hit in store.search(None, terms, limit=5)] == [one.chunk_id]


def test_asking_for_nothing_gives_nothing(store: VectorStore) -> None:
    store.ensure(SPEC)
    store.upsert([point(0.1, 1)])
    assert store.search(None, None, limit=5) == []
    assert store.search(None, SparseVector(indices=(), values=()), limit=5) == []
    assert store.search([1.0, 0, 0, 0], None, limit=0) == []
    assert store.search(None, SparseVector(indices=(99,), values=(1.0,)), limit=5) == []


def test_a_point_without_terms_is_found_by_its_vector(store: VectorStore) -> None:
    store.ensure(SPEC)
    store.upsert([point(0.1)])
    assert len(store.search([1.0, 0, 0, 0], SparseVector(indices=(1,), values=(1.0,)), limit=5)) == 1


def test_an_upsert_replaces_vectors_and_terms(store: VectorStore) -> None:
    store.ensure(SPEC)
    old = point(0.0, 1)
    store.upsert([old])
    store.upsert([replace(old, dense=[0.0, 1.0, 0.0, 0.0], sparse=SparseVector(indices=(2,), values=(1.0,)))])
    (hit,) = store.search([1.0, 0, 0, 0], None, limit=5)
    assert hit.similarity == pytest.approx(0.0, abs=1e-6)
    assert store.search(None, SparseVector(indices=(1,), values=(1.0,)), limit=5) == []


def test_both_kinds_give_the_same_scores_before_and_after_deleting(tmp_path: Path) -> None:
    chance = random.Random(7)
    spec = CollectionSpec(model="m", version="1", dimensions=8)
    stores: list[VectorStore] = [MemoryVectors(), EdgeVectors(tmp_path / "v")]
    points = [
        Point(
            chunk_id=uuid4(),
            doc_id=UUID(int=number % 20),
            generation=f"g{number % 3}",
            dense=[chance.gauss(0, 1) for _ in range(8)],
            sparse=some_terms(chance, 6),
        )
        for number in range(400)
    ]
    for store in stores:
        store.ensure(spec)
        store.upsert(points)
    for round_ in range(2):
        for _ in range(15):
            dense, terms = [chance.gauss(0, 1) for _ in range(8)], some_terms(chance, 4)
            chosen = chance.choice([None, tuple(UUID(int=n) for n in range(7))])
            for asked in ((dense, None), (None, terms), (dense, terms)):
                memory, edge = (store.search(*asked, limit=10, scope=Scope(doc_ids=chosen)) for store in stores)
                assert [hit.score for hit in edge] == pytest.approx([hit.score for hit in memory], abs=1e-3), round_
        for store in stores:
            store.delete_document(UUID(int=3))
            store.delete_document(UUID(int=4), except_generation="g1")
            store.compact()
        assert stores[0].count() == stores[1].count() < 400
    stores[1].close()


def some_terms(chance: random.Random, count: int) -> SparseVector:
    indices = sorted(chance.sample(range(40), count))
    return SparseVector(indices=tuple(indices), values=tuple(chance.uniform(0.5, 2.0) for _ in indices))


@pytest.mark.parametrize("pieces", [False, True])
def test_compaction_takes_an_erased_vector_out_of_the_segments(tmp_path: Path, pieces: bool) -> None:
    """One document of three hundred: far below what the engine would clean up by itself."""
    store = EdgeVectors(tmp_path / "v")
    store.ensure(replace(SPEC, pieces=pieces))
    erased = UUID(int=10**6)
    secret = Point(
        chunk_id=uuid4(),
        doc_id=erased,
        generation="g",
        dense=[0.6, 0.8, 0.0, 0.0],
        pieces=[[0.28, 0.96, 0.0, 0.0]],
        sparse=SparseVector(indices=(9,), values=(1.0,)),
    )
    others = [point(i / 100, 1, doc=UUID(int=i)) for i in range(300)]
    store.upsert([*(replace(one, pieces=[one.dense, one.dense]) for one in others), secret])
    store.flush()

    def segments_that_hold_it() -> list[Path]:
        kept = struct.pack("<4e", *secret.pieces[0]) if pieces else struct.pack("<4f", *secret.dense)
        files = [path for path in (tmp_path / "v" / "shard" / "segments").rglob("*") if path.is_file()]
        return [path for path in files if kept in path.read_bytes()]

    assert segments_that_hold_it()
    store.delete_document(erased)
    store.compact()
    assert segments_that_hold_it() == []
    assert store.count() == 300
    store.close()


def test_compacted_segments_still_find_the_nearest(tmp_path: Path) -> None:
    """Large enough for the one-byte copies: what they find is what the vectors themselves say."""
    numbers = np.random.default_rng(3)
    vectors = numbers.standard_normal((12_000, 128)).astype(np.float32)
    store = EdgeVectors(tmp_path / "v")
    store.ensure(CollectionSpec(model="m", version="1", dimensions=128))
    none = SparseVector(indices=(), values=())
    store.upsert(
        [
            Point(chunk_id=UUID(int=n + 1), doc_id=UUID(int=n // 100), generation="g", dense=row, sparse=none)
            for n, row in enumerate(vectors.tolist())
        ]
    )
    store.compact()
    lengths = np.linalg.norm(vectors, axis=1)
    found = 0
    for question in numbers.standard_normal((50, 128)):
        best = np.argsort(-(vectors @ question) / lengths)[:10]
        hits = store.search(question.tolist(), None, limit=10)
        found += len({hit.chunk_id.int - 1 for hit in hits} & set(best.tolist()))
    store.close()
    assert found / 500 >= 0.97


def test_a_store_of_the_same_process_is_locked_out_until_the_first_closes(tmp_path: Path) -> None:
    first = EdgeVectors(tmp_path / "v")
    with pytest.raises(Unavailable) as refused:
        EdgeVectors(tmp_path / "v")
    assert refused.value.code == "vectors_locked"
    first.close()
    first.close()
    EdgeVectors(tmp_path / "v").close()


def test_a_kill_while_the_collection_was_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    store = EdgeVectors(tmp_path / "v")
    store.ensure(SPEC)
    store.close()
    (tmp_path / "v" / "shard").rename(tmp_path / "v" / "making")  # described, not yet in its place
    store = EdgeVectors(tmp_path / "v")
    assert store.spec == SPEC
    store.upsert([point(0.1, 1)])
    store.close()
    other = tmp_path / "other"
    (other / "making").mkdir(parents=True)
    (other / "making" / "half.bin").touch()  # not yet described
    fresh = EdgeVectors(other)
    assert fresh.spec is None
    fresh.ensure(SPEC)
    fresh.upsert([point(0.1, 1)])
    assert fresh.count() == 1
    fresh.close()


@pytest.mark.parametrize("damage", ["collection.json", "shard"])
def test_a_damaged_index_is_refused_in_words(tmp_path: Path, damage: str) -> None:
    store = EdgeVectors(tmp_path / "v")
    store.ensure(SPEC)
    store.upsert([point(0.1, 1)])
    store.close()
    lost = tmp_path / "v" / damage
    lost.rename(tmp_path / "lost")
    with pytest.raises(Unavailable) as refused:
        EdgeVectors(tmp_path / "v")
    assert refused.value.code == "vectors_unavailable"
    (tmp_path / "lost").rename(lost)
    again = EdgeVectors(tmp_path / "v")  # the lock was let go, and nothing was removed
    assert again.count() == 1
    again.close()


_WRITER = """
import sys, uuid
from pathlib import Path
from frostbyte.adapters.qdrant import edge
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, SparseVector
store = EdgeVectors(Path(sys.argv[1]))
store.ensure(CollectionSpec(model="m", version="1", dimensions=4))
for number in range(50):
    store.upsert([Point(chunk_id=uuid.UUID(int=number + 1), doc_id=uuid.UUID(int=9), generation="g",
                        dense=[1.0, 0.1, 0.1, 0.1], sparse=SparseVector(indices=(1,), values=(1.0,)))])
store.flush()
print("flushed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _WRITER, str(tmp_path / "v")]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_was_flushed_survives_a_kill(writer: Callable[[], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = writer()
    assert process.stdout is not None
    assert process.stdout.readline() == b"flushed\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    store = EdgeVectors(tmp_path / "v")
    assert store.count() == 50
    store.close()


def test_the_log_alone_brings_back_what_was_flushed(tmp_path: Path) -> None:
    """A power cut may leave the segments as they were long ago: only what was synced is promised to be there."""
    store = EdgeVectors(tmp_path / "v")
    store.ensure(SPEC)
    store.upsert([point(0.1, 1, doc=UUID(int=1))])
    store.close()
    shutil.copytree(tmp_path / "v", tmp_path / "cut")
    store = EdgeVectors(tmp_path / "v")
    store.upsert([point(i / 100, 1, doc=UUID(int=2)) for i in range(50)])
    store.delete_document(UUID(int=1))
    store.flush()
    shutil.rmtree(tmp_path / "cut" / "shard" / "wal")
    shutil.copytree(tmp_path / "v" / "shard" / "wal", tmp_path / "cut" / "shard" / "wal")
    store.close()
    after = EdgeVectors(tmp_path / "cut")
    assert (after.count(UUID(int=1)), after.count(UUID(int=2))) == (0, 50)
    after.close()


def test_segments_are_flushed_before_the_log_grows_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "FLUSH_POINTS", 40)
    store = EdgeVectors(tmp_path / "v")
    store.ensure(SPEC)
    mappings = tmp_path / "v" / "shard" / "segments"
    sizes = []
    for doc in range(1, 4):
        store.upsert([point(i / 100, 1, doc=UUID(int=doc)) for i in range(20)])
        store.flush()
        sizes.append(sum(path.stat().st_size for path in mappings.rglob("mutable_id_tracker.mappings")))
    store.close()
    assert sizes[0] == 0 < sizes[1] == sizes[2]


def test_a_second_process_is_told(writer: Callable[[], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = writer()
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(Unavailable) as refused:
        EdgeVectors(tmp_path / "v")
    assert refused.value.code == "vectors_locked"


_HURRIED = """
import sys, uuid
from pathlib import Path
from frostbyte.adapters.qdrant import edge
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, SparseVector
store = EdgeVectors(Path(sys.argv[1]))
store.ensure(CollectionSpec(model="m", version="1", dimensions=4))
number = int(sys.argv[2])
while True:
    store.upsert([Point(chunk_id=uuid.UUID(int=number + n), doc_id=uuid.UUID(int=number), generation="g",
                        dense=[1.0, 0.1, n, 0.1], sparse=SparseVector(indices=(1,), values=(1.0,))) for n in range(20)])
    store.flush()
    print(number, flush=True)
    number += 20
    if number % 400 == 0:
        store.compact()
"""


def test_no_flushed_point_is_lost_in_kills_at_any_moment(tmp_path: Path) -> None:
    chance, first, promised = random.Random(11), 20, set[int]()
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _HURRIED, str(tmp_path / "v"), str(first)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        promised.add(int(process.stdout.readline()))
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        promised |= {int(line) for line in process.communicate()[0].splitlines() if line.strip()}
        store = EdgeVectors(tmp_path / "v")
        for number in promised:
            assert store.count(UUID(int=number)) == 20
        assert store.search([1.0, 0, 0, 0], None, limit=5)
        store.close()
        first = max(promised) + 40
    assert len(promised) >= 6
