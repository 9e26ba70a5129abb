"""Texts of several requests go to the model together.

Each lane takes, from every waiting request in turn, one text after the other, until its batch is full. Requests of
a few words, as questions are, go in batches of their own, every other one: so a question waits for the batch that is
under way, never for a whole document's passages. What arrives while the lanes are busy is what meets in the next
batch; a lane that is free begins at once, since waiting for more never paid (ADR 66).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final, Protocol

import numpy as np

from frostbyte.adapters.embeddings.gguf.model import BATCH_TOKENS, Ids, Matrix, ModelFailed
from frostbyte.kernel.errors import FrostbyteError, Kind, Unavailable

MOST_WAITING: Final = 65_536
"""Tokens that may wait in sum. More than that could not be answered before its caller gives up."""
BATCH_TEXTS: Final = 64
SMALL_TOKENS: Final = 64
"""A request with no more than so many tokens is a question, or as quick as one."""


class Busy(FrostbyteError):
    """Too much is waiting already. `retry_after`: seconds after which half of it will be done."""

    kind = Kind.RATE_LIMITED

    def __init__(self, retry_after: int) -> None:
        super().__init__("embedder_busy", "Too many texts wait for the model.", f"Wait {retry_after} seconds.")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return (Busy, (self.retry_after,))


class Computing(Protocol):
    """What turns token ids into vectors, one call at a time."""

    def embed(self, texts: Sequence[Ids]) -> Matrix:
        """One row a text. Raises ModelFailed."""
        ...


class Told(Protocol):
    """Hears of every batch."""

    def __call__(self, texts: int, tokens: int, seconds: float) -> None: ...


class _Waiting:
    """One request: what of it is not taken yet, and what of it is done."""

    def __init__(self, texts: Sequence[Ids]) -> None:
        self.texts = texts
        self.taken = 0
        self.left = len(texts)
        self.small = sum(map(len, texts)) <= SMALL_TOKENS
        self.rows: list[Matrix | None] = [None] * len(texts)
        self.future: Future[Matrix] = Future()

    def put(self, number: int, row: Matrix) -> None:
        self.rows[number] = row
        self.left -= 1
        if not self.left and not self.future.done():
            _settle(self.future, result=np.array(self.rows, dtype=np.float32))

    def fail(self, error: FrostbyteError) -> None:
        _settle(self.future, error=error)


def _settle(future: Future[Matrix], result: Matrix | None = None, error: FrostbyteError | None = None) -> None:
    """Say how it ended, unless its caller has gone."""
    if future.done() or not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    elif result is not None:
        future.set_result(result)


class Batcher:
    """The queue before the lanes.

    Args:
        lanes: each is used by one thread.
        most_waiting: tokens that may wait.

    Attributes:
        told: hears of every batch.
    """

    def __init__(
        self,
        lanes: Sequence[Computing],
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._lanes = lanes
        self._most = most_waiting
        self.told: Told | None = None
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._tokens = 0
        self._small_went = False
        self._rate = 0.0
        self._began: dict[int, float] = {}
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"lane-{number}", daemon=True)
            for number in range(len(lanes))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Tokens that no lane has taken yet."""
        return self._tokens

    @property
    def stuck_for(self) -> float:
        """Seconds that the oldest batch under way has taken so far; 0 when none is."""
        began = list(self._began.values())
        return time.monotonic() - min(began) if began else 0.0

    def submit(self, texts: Sequence[Ids]) -> Future[Matrix]:
        """Line up a request; cancelling the future takes out what no lane has taken yet.

        Raises:
            Busy: `embedder_busy`: too much waits already.
            Unavailable: `embedder_stopping`.
        """
        waiting = _Waiting(texts)
        tokens = sum(map(len, texts))
        with self._changed:
            if self._stopped:
                raise Unavailable("embedder_stopping", "The embedder is being stopped.", "Try again in a moment.")
            if self._tokens and self._tokens + tokens > self._most:
                self._drop_cancelled()
            if self._tokens and self._tokens + tokens > self._most:
                raise Busy(self._wait())
            self._queue.append(waiting)
            self._tokens += tokens
            self._changed.notify_all()
        return waiting.future

    def close(self) -> None:
        """Finish what is under way; what waits is told that the embedder stops."""
        with self._changed:
            self._stopped = True
            gone = list(self._queue)
            self._queue.clear()
            self._tokens = 0
            self._changed.notify_all()
        for waiting in gone:
            waiting.fail(Unavailable("embedder_stopping", "The embedder is being stopped.", "Try again in a moment."))
        for thread in self._threads:
            thread.join(10.0)

    def _wait(self) -> int:
        return max(1, min(60, round(self._tokens / 2 / self._rate))) if self._rate else 1

    def _drop_cancelled(self) -> None:
        for waiting in [waiting for waiting in self._queue if waiting.future.done()]:
            self._queue.remove(waiting)
            self._tokens -= sum(map(len, waiting.texts[waiting.taken :]))

    def _work(self, lane: int) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                batch = self._take()
            if batch:
                self._began[lane] = began = time.monotonic()
                try:
                    _run(self._lanes[lane], batch)
                finally:
                    del self._began[lane]
                self._note(batch, time.monotonic() - began)

    def _take(self) -> list[tuple[_Waiting, int]]:
        """The next batch, from every request in turn: never over the bound unless one text alone is."""
        self._drop_cancelled()
        self._small_went = small = not self._small_went and any(waiting.small for waiting in self._queue)
        self._queue = deque(sorted(self._queue, key=lambda waiting: waiting.small is not small))
        batch: list[tuple[_Waiting, int]] = []
        room = BATCH_TOKENS
        later: list[_Waiting] = []
        while self._queue and len(batch) < BATCH_TEXTS:
            waiting = self._queue.popleft()
            size = len(waiting.texts[waiting.taken])
            if (batch and size > room) or (small and not waiting.small):
                later.append(waiting)
                continue
            batch.append((waiting, waiting.taken))
            waiting.taken += 1
            room -= size
            self._tokens -= size
            if waiting.taken < len(waiting.texts):
                self._queue.append(waiting)
        self._queue.extendleft(reversed(later))  # they come first next time
        return batch

    def _note(self, batch: list[tuple[_Waiting, int]], seconds: float) -> None:
        tokens = sum(len(waiting.texts[number]) for waiting, number in batch)
        rate = tokens / max(seconds, 1e-6) * len(self._lanes)
        self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate
        if self.told is not None:
            self.told(len(batch), tokens, seconds)


def _run(lane: Computing, batch: list[tuple[_Waiting, int]]) -> None:
    """Compute a batch. If it fails as a whole, each text is tried alone: one must not spoil its neighbours."""
    try:
        rows = lane.embed([waiting.texts[number] for waiting, number in batch])
    except ModelFailed as error:
        for waiting, number in batch:
            if len(batch) == 1:
                waiting.fail(error)
            else:
                _run(lane, [(waiting, number)])
        return
    except Exception as error:  # noqa: BLE001 - the lane's thread must go on, and every caller must be answered
        for waiting, _ in batch:
            waiting.fail(ModelFailed(type(error).__name__))
        return
    for (waiting, number), row in zip(batch, rows, strict=True):
        waiting.put(number, row)
