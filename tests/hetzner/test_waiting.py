"""All who wait are served by few looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from frostbyte.adapters.hetzner.calls import Reply
from frostbyte.adapters.hetzner.pace import Pace
from frostbyte.adapters.hetzner.waiting import CALM, PAGE, Patience, Waiting
from frostbyte.control_plane.provisioning.ports import CloudError


class Actions:
    """Actions that end at a moment. Time passes when somebody waits, if `hours` is given."""

    def __init__(self, ends: Mapping[int, float], now: Any = time.monotonic) -> None:
        self.ends, self.now = dict(ends), now
        self.looks: list[tuple[float, list[int]]] = []
        self.failing: list[CloudError] = []
        self.errors: dict[int, str] = {}
        self.pace = Pace()
        self.requests = 0

    def ask(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Reply:
        assert (method, path, body) == ("GET", "/actions", None)
        assert len(params["id"]) <= params["per_page"] == PAGE
        self.looks.append((self.now(), list(params["id"])))
        if self.failing:
            raise self.failing.pop(0)
        return {"actions": [self.tell(number) for number in params["id"] if number in self.ends]}

    def tell(self, number: int, command: str = "create_server") -> dict[str, Any]:
        if self.now() < self.ends[number]:
            return {"id": number, "status": "running", "command": command, "error": None}
        error = self.errors.get(number)
        status = "error" if error else "success"
        told = {"code": error, "message": "it broke"} if error else None
        return {"id": number, "status": status, "command": command, "error": told}


class Hours:
    """A clock that is moved by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def real(self, seconds: float) -> float:
        self.now += seconds
        return 0.0


def virtual(ends: Mapping[int, float], patience: Patience = CALM) -> tuple[Actions, Waiting, Hours]:
    hours = Hours()
    actions = Actions(ends, hours)
    return actions, Waiting(actions, patience, hours, hours.real), hours


@pytest.mark.parametrize(("takes", "most"), [(0.0, 1), (0.2, 1), (8.0, 2), (11.0, 4), (15.0, 9), (60.0, 33)])
def test_a_server_is_waited_for_with_few_looks_and_not_long_after_its_end(takes: float, most: int) -> None:
    actions, waiting, hours = virtual({1: takes})
    waiting.until_done([actions.tell(1), None])
    assert len(actions.looks) <= most
    assert hours.now <= max(10.0, takes * 1.1 + 1.0)


def test_what_is_usual_is_learned() -> None:
    actions, waiting, hours = virtual(dict.fromkeys(range(1, 9), 0.0))
    for number in actions.ends:
        actions.ends[number] = hours.now + 20.0
        actions.looks.clear()
        waiting.until_done([actions.tell(number)])
    assert len(actions.looks) <= 3
    assert hours.now - actions.ends[8] <= 2.5


def test_what_follows_an_action_is_looked_at_with_it() -> None:
    actions, waiting, _ = virtual({1: 10.4, 2: 10.6})
    waiting.until_done([actions.tell(1), actions.tell(2, "apply_firewall")])
    assert len(actions.looks) <= 4


def test_actions_that_have_ended_are_not_asked_for() -> None:
    actions, waiting, _ = virtual({1: 0.0})
    waiting.until_done([actions.tell(1)])
    waiting.until_done([])
    assert actions.looks == []
    actions.errors[1] = "action_failed"
    with pytest.raises(CloudError) as caught:
        waiting.until_done([actions.tell(1)])
    assert (caught.value.code, caught.value.vendor_code) == ("cloud_action_failed", "action_failed")


def test_many_threads_are_served_by_one_look() -> None:
    actions = Actions({})
    waiting = Waiting(actions, Patience(first=0.05, least=0.05, growth=0.0))
    end = time.monotonic() + 0.6
    actions.ends = dict.fromkeys(range(1, 61), end)
    actions.errors = {7: "action_failed"}
    failed: list[str] = []
    barrier = threading.Barrier(20)

    def one(first: int) -> None:
        barrier.wait()
        try:
            waiting.until_done([actions.tell(first + step) for step in range(3)])
        except CloudError as error:
            failed.append(error.code)

    threads = [threading.Thread(target=one, args=(1 + 3 * index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == ["cloud_action_failed"], "only who waited for it is told"
    assert len(actions.looks) <= 2 * (0.6 / 0.05 + 3), "two pages a look, however many wait"
    assert max(len(numbers) for _, numbers in actions.looks) == PAGE


def test_a_look_that_fails_is_made_again() -> None:
    actions, waiting, hours = virtual({1: 5.0})
    actions.failing = [CloudError("cloud_unreachable", ""), CloudError("cloud_rate_limited", "", retry_after=30.0)]
    waiting.until_done([actions.tell(1)])
    assert hours.now >= 30


def test_a_refusal_ends_the_waiting() -> None:
    actions, waiting, _ = virtual({1: 5.0})
    actions.failing = [CloudError("cloud_refused", "no")]
    with pytest.raises(CloudError) as caught:
        waiting.until_done([actions.tell(1)])
    assert caught.value.code == "cloud_refused"


def test_waiting_has_an_end() -> None:
    actions, waiting, hours = virtual({1: 1e9}, Patience(longest=100.0))
    with pytest.raises(CloudError, match="create_server") as caught:
        waiting.until_done([actions.tell(1)])
    assert caught.value.code == "cloud_action_slow"
    assert 100 <= hours.now < 120
    actions.failing = [CloudError("cloud_unreachable", "") for _ in range(1000)]
    with pytest.raises(CloudError) as caught:
        waiting.until_done([actions.tell(1)])
    assert caught.value.code == "cloud_unreachable"
    assert waiting._awaited == {}


@pytest.mark.parametrize("odd", [{}, {"id": "1", "status": "running"}, {"id": 1}])
def test_an_action_of_another_form_is_an_error_of_ours(odd: dict[str, Any]) -> None:
    _, waiting, _ = virtual({})
    with pytest.raises(CloudError) as caught:
        waiting.until_done([odd])
    assert caught.value.code == "cloud_server_error"
