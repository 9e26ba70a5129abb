"""Both vector stores keep the same promises."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, SparseVector, VectorStore

SPEC = CollectionSpec(model="m", version="1", dimensions=4)
DOC = UUID(int=1)


@pytest.fixture(params=["memory", "edge"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    made: VectorStore = MemoryVectors() if request.param == "memory" else EdgeVectors(tmp_path / "vectors")
    yield made
    made.close()


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
    assert hits[0].doc_id == DOC
    assert hits[0].generation == "g1"


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
    store.upsert([point(0.0, 1), point(0.3, 1, doc=other)])
    assert {hit.doc_id for hit in store.search([1.0, 0, 0, 0], None, limit=5, doc_ids=[other])} == {other}
    assert store.search([1.0, 0, 0, 0], None, limit=5, doc_ids=[]) == []
    assert store.count(other) == 1


@pytest.mark.parametrize(("keep", "left"), [("", 1), ("g2", 2)])
def test_deletes_a_document_or_its_other_generations(store: VectorStore, keep: str, left: int) -> None:
    store.ensure(SPEC)
    store.upsert([point(0.0, 1), point(0.1, 1, generation="g2"), point(0.2, 1, doc=UUID(int=2))])
    store.delete_document(DOC, except_generation=keep)
    store.compact()
    assert store.count() == left
    assert {hit.generation for hit in store.search([1.0, 0, 0, 0], None, limit=5) if hit.doc_id == DOC} <= {keep}


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


_WRITER = """
import sys, uuid
from pathlib import Path
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


def test_a_second_process_is_told(writer: Callable[[], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = writer()
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(Unavailable) as refused:
        EdgeVectors(tmp_path / "v")
    assert refused.value.code == "vectors_locked"
