"""Limits: never more in any minute, never less than there is room for, from however many threads."""

from __future__ import annotations

import pickle
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.errors import Kind
from frostbyte.kernel.limits import PER_MINUTE, WINDOW, Limiter, TooMany


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_designs_limits() -> None:
    assert PER_MINUTE == {"ingest": 100, "query": 1000, "audit": 300, "total": 1000}
    for group, most in PER_MINUTE.items():
        limiter = Limiter(seconds=Watch())
        for _ in range(most):
            limiter.take(group)
        with pytest.raises(TooMany) as refused:
            limiter.take(group)
        assert refused.value.kind is Kind.RATE_LIMITED


@settings(max_examples=100, deadline=None)
@given(most=st.integers(1, 5), steps=st.lists(st.integers(0, 320), max_size=60))
def test_no_window_holds_more_and_waiting_helps(most: int, steps: list[int]) -> None:
    watch = Watch()
    limiter = Limiter({"query": most}, watch)
    served: list[float] = []
    waits: list[int] = []
    for step in steps:
        watch.now += step / 8
        try:
            limiter.take("query")
        except TooMany as error:
            waits.append(error.retry_after)
            watch.now += error.retry_after
            limiter.take("query")
        served.append(watch.now)
    assert all(1 <= wait <= WINDOW for wait in waits)
    for begin in served:
        assert sum(begin <= moment < begin + WINDOW for moment in served) <= most


def test_threads_share_one_limit() -> None:
    limiter = Limiter({"query": 50}, Watch())
    served: list[int] = []

    def work() -> None:
        for _ in range(40):
            try:
                limiter.take("query")
            except TooMany:
                continue
            served.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(served) == 50


def test_each_caller_has_a_limit_of_its_own() -> None:
    watch = Watch()
    limiter = Limiter({"admin": 2}, watch)
    for caller in ("ann", "bob"):
        limiter.take("admin", caller)
        limiter.take("admin", caller)
    with pytest.raises(TooMany):
        limiter.take("admin", "ann")
    watch.now += WINDOW
    limiter.take("admin", "ann")


def test_callers_who_went_away_take_no_memory_and_whoever_asks_on_is_not_forgotten() -> None:
    watch = Watch()
    limiter = Limiter({"admin": 2}, watch)
    for number in range(1000):
        limiter.take("admin", f"visitor-{number}")
    watch.now += WINDOW - 1
    limiter.take("admin", "ann")
    limiter.take("admin", "ann")
    watch.now += 1
    with pytest.raises(TooMany):
        limiter.take("admin", "ann")
    assert set(limiter._times) == {("admin", "ann")}


def test_the_error_travels() -> None:
    assert pickle.loads(pickle.dumps(TooMany(7))).retry_after == 7
