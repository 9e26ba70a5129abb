"""Requests that arrive together share batches, nobody waits behind a whole document, and nothing is left unanswered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from frostbyte.adapters.embeddings.gguf.batching import Batcher, Busy
from frostbyte.adapters.embeddings.gguf.model import BATCH_TOKENS, Ids, Matrix, ModelFailed
from frostbyte.kernel.errors import Unavailable


class FakeLane:
    """A vector tells the text it is of. It can be held up, and fails on id 13."""

    def __init__(self) -> None:
        self.batches: list[list[Ids]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Semaphore(0)
        self.broken: Exception | None = None

    def embed(self, texts: Sequence[Ids]) -> Matrix:
        self.batches.append(list(texts))
        self.begun.release()
        assert self.open.wait(10)
        if self.broken is not None:
            raise self.broken
        if any(13 in ids for ids in texts):
            raise ModelFailed("13")
        return np.array([[ids[0], len(ids)] for ids in texts], dtype=np.float32)


Make = Callable[..., tuple[Batcher, FakeLane]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Batcher] = []

    def one(**options: float) -> tuple[Batcher, FakeLane]:
        lane = FakeLane()
        made.append(Batcher([lane], **options))  # type: ignore[arg-type]
        return made[-1], lane

    yield one
    for batcher in made:
        batcher.close()


def held(batcher: Batcher, lane: FakeLane) -> None:
    """Keep the lane busy with a text of its own."""
    lane.open.clear()
    batcher.submit([[1]])
    assert lane.begun.acquire(timeout=5)
    lane.batches.clear()


def test_each_gets_its_own_vectors_in_order(make: Make) -> None:
    batcher, _ = make()
    futures = [batcher.submit([[number, 0], [number + 100]]) for number in range(20, 40)]
    for number, future in enumerate(futures, start=20):
        assert future.result(5).tolist() == [[number, 2], [number + 100, 1]]
    assert batcher.waiting == 0


def test_what_arrives_together_goes_together(make: Make) -> None:
    batcher, lane = make()
    held(batcher, lane)
    futures = [batcher.submit([[number]]) for number in range(2, 10)]
    lane.open.set()
    assert [future.result(5)[0, 0] for future in futures] == list(range(2, 10))
    assert [len(batch) for batch in lane.batches] == [8]


def test_a_question_does_not_stand_behind_a_document(make: Make) -> None:
    batcher, lane = make()
    held(batcher, lane)
    document = batcher.submit([[5] * 100 for _ in range(100)])
    question = batcher.submit([[6] * 10])
    lane.open.set()
    assert question.result(5).tolist() == [[6, 10]]
    assert any([6] * 10 in batch for batch in lane.batches[:2])
    assert document.result(5).shape == (100, 2)
    assert all(sum(map(len, batch)) <= BATCH_TOKENS for batch in lane.batches)


def test_many_questions_do_not_keep_a_document_waiting(make: Make) -> None:
    """Every other batch is the document's."""
    batcher, lane = make()
    held(batcher, lane)
    document = batcher.submit([[5] * 250 for _ in range(3)])
    questions = [batcher.submit([[6] * 60]) for _ in range(20)]
    lane.open.set()
    assert document.result(5).shape == (3, 2)
    assert all(question.result(5).tolist() == [[6, 60]] for question in questions)
    kinds = [batch[0][0] for batch in lane.batches]
    assert kinds[:6] == [5, 6, 5, 6, 5, 6]


def test_a_long_text_is_a_batch_of_its_own_and_does_not_stop_the_others(make: Make) -> None:
    batcher, lane = make()
    held(batcher, lane)
    long = batcher.submit([[7] * 2000])
    short = batcher.submit([[8], [9]])
    lane.open.set()
    assert long.result(5).tolist() == [[7, 2000]]
    assert short.result(5).shape == (2, 2)
    assert sorted(len(batch[0]) for batch in lane.batches) == [1, 2000]


def test_a_full_queue_refuses_and_takes_again(make: Make) -> None:
    batcher, lane = make(most_waiting=100)
    held(batcher, lane)
    first = batcher.submit([[2] * 60])
    with pytest.raises(Busy) as refused:
        batcher.submit([[3] * 60])
    assert 1 <= refused.value.retry_after <= 60
    assert batcher.waiting == 60
    first.cancel()  # whoever gave up makes room
    second = batcher.submit([[4] * 60])
    lane.open.set()
    assert second.result(5).tolist() == [[4, 60]]
    assert all([2] * 60 not in batch for batch in lane.batches)
    assert batcher.waiting == 0


def test_one_text_does_not_spoil_its_neighbours(make: Make) -> None:
    batcher, lane = make()
    held(batcher, lane)
    good, bad, mixed = batcher.submit([[2], [3]]), batcher.submit([[13]]), batcher.submit([[4], [13], [5]])
    lane.open.set()
    assert good.result(5).tolist() == [[2, 1], [3, 1]]
    for future in (bad, mixed):
        with pytest.raises(ModelFailed):
            future.result(5)
    assert batcher.submit([[6]]).result(5).tolist() == [[6, 1]]
    assert batcher.waiting == 0


def test_an_unforeseen_error_answers_everybody_and_the_lane_goes_on(make: Make) -> None:
    batcher, lane = make()
    held(batcher, lane)
    futures = [batcher.submit([[2]]), batcher.submit([[3]])]
    lane.broken = MemoryError()
    lane.open.set()
    for future in futures:
        with pytest.raises(ModelFailed, match="MemoryError"):
            future.result(5)
    lane.broken = None
    assert batcher.submit([[4]]).result(5).tolist() == [[4, 1]]


def test_stopping_finishes_what_is_under_way_and_tells_the_rest(make: Make) -> None:
    batcher, lane = make()
    lane.open.clear()
    under_way = batcher.submit([[1]])
    assert lane.begun.acquire(timeout=5)
    waiting = batcher.submit([[2]])
    threading.Timer(0.1, lane.open.set).start()
    batcher.close()
    assert under_way.result(0).tolist() == [[1, 1]]
    for late in (waiting.result, lambda _: batcher.submit([[3]])):
        with pytest.raises(Unavailable) as told:
            late(0)
        assert told.value.code == "embedder_stopping"


def test_it_says_when_a_batch_does_not_come_back(make: Make) -> None:
    batcher, lane = make()
    assert batcher.stuck_for == 0
    held(batcher, lane)
    time.sleep(0.05)
    assert batcher.stuck_for >= 0.05
    lane.open.set()


def test_many_threads_and_cancellations_leave_nothing_behind(make: Make) -> None:
    batcher, _ = make(most_waiting=5000)
    wrong: list[object] = []

    def client(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(60):
            texts = [
                [int(random.integers(20, 99))] * int(random.integers(1, 200)) for _ in range(random.integers(1, 9))
            ]
            try:
                future = batcher.submit(texts)
            except Busy:
                continue
            if random.random() < 0.3:
                future.cancel()
            elif future.result(10).tolist() != [[ids[0], len(ids)] for ids in texts]:
                wrong.append(texts)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert batcher.submit([[1]]).result(5).tolist() == [[1, 1]]
    assert batcher.waiting == 0
