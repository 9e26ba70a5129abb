"""What is pure about the kill-switch: the cases of orders.toml, and what must hold for all of them."""

from __future__ import annotations

import math
import tomllib
from collections import deque
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.killswitch.planes import tenant_row
from frostbyte.control_plane.killswitch import answers
from frostbyte.control_plane.killswitch.orders import GATES, ORDERS, Gate, gate, order, stops
from frostbyte.control_plane.killswitch.pace import LONGEST_SECONDS, Lane, Pace, after, due_at, interval, lane
from frostbyte.control_plane.killswitch.steps import SEQUENCES, Step, next_step
from frostbyte.control_plane.registry.records import EndpointsRow, StandingRow
from frostbyte.control_plane.registry.states import MOVES, Failed, TenantState
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.directive import LEASE_SECONDS
from frostbyte.kernel.records import PlaneState

CASES: Final = tomllib.loads(Path(__file__).with_name("orders.toml").read_text())
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def standing(version: int) -> StandingRow:
    return StandingRow(tenant_id="acme", acknowledged_version=version, acknowledged_at=NOW, code="")


@pytest.mark.parametrize("case", CASES["state"], ids=lambda case: f"{case['state']}-{case.get('failed', '')}")
def test_a_state(case: dict[str, str]) -> None:
    row = tenant_row(TenantState(case["state"]), Failed(case.get("failed", "")), standing_version=5)
    assert gate(row, standing(5)) == case["edge"]
    assert gate(row, standing(4)) == gate(row, None) == case["before"]
    assert order(row) == case.get("told")
    assert stops(row) is (case["edge"] != "open")


def test_every_state_that_a_move_leads_to_has_an_order() -> None:
    there = {(state, failed) for state, failed in MOVES.values()} | {(TenantState.PENDING, Failed.NOTHING)}
    assert set(GATES) == set(ORDERS) == there
    assert {(case["state"], case.get("failed", "")) for case in CASES["state"]} == there


def test_the_edge_is_open_for_nobody_whose_plane_is_told_anything_but_to_work() -> None:
    for at, wanted in GATES.items():
        assert wanted is not Gate.OPEN or ORDERS[at] is PlaneState.ACTIVE


@pytest.mark.parametrize("case", CASES["answer"], ids=lambda case: case["name"])
def test_an_answer(case: dict[str, Any]) -> None:
    right = {"tenant_id": "acme", "version": 5, "state": "active", "nonce": "fresh", "log_key": "acme+key"}
    told = right | case.get("given", {})
    answer = PlaneStanding(
        tenant_id=told["tenant_id"],
        version=told["version"],
        state=PlaneState(told["state"]),
        nonce=told["nonce"],
        lease_seconds_left=60.0,
        mode="online",
        log_key=told["log_key"],
        in_flight=0,
    )
    row = tenant_row(TenantState.ACTIVE, standing_version=5)
    endpoints = EndpointsRow(
        tenant_id="acme", gateway_url="", channel_url="", ca_pem="", log_key="acme+key", registered_at=NOW
    )
    nonces = deque(["seen"])
    if case.get("after"):
        found = answers.told(row, endpoints, 5, PlaneState.ACTIVE, answer, nonces)
    else:
        found = answers.asked(row, endpoints, 5, answer, nonces)
    said = [f"{finding.code} {'believed' if finding.believed else 'refused'}" for finding in found]
    assert said == case["findings"]
    assert {finding.code for finding in found} <= set(answers.CODES)


@pytest.mark.parametrize("case", CASES["interval"], ids=lambda case: str(case["failures"]))
def test_an_interval(case: dict[str, float]) -> None:
    assert interval(int(case["failures"])) == case["seconds"]


def test_three_attempts_may_fail_before_a_lease_is_over() -> None:
    pace, clock = Pace(asked_at=0.0, tried_version=1, jitter=1.0), 0.0
    attempts = 0
    while clock < LEASE_SECONDS:
        clock = due_at(pace, 1)
        pace = after(pace, asked_at=clock, took=0.1, version=1, failed=True, jitter=1.0)
        attempts += 1
    assert attempts - 1 >= 3


@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1e9))
def test_a_plane_is_never_forgotten_and_never_hammered(failures: int, jitter: float, asked_at: float) -> None:
    pace = Pace(asked_at=asked_at, failures=failures, tried_version=3, jitter=jitter)
    wait = due_at(pace, 3) - asked_at
    assert 0.79 <= wait <= LONGEST_SECONDS * 1.21
    assert due_at(pace, 4) == -math.inf, "what it has not heard of is said at once"
    assert lane(pace, 4) is Lane.URGENT


@pytest.mark.parametrize(
    ("failures", "took", "expected"), [(0, 0.1, Lane.STEADY), (0, 1.5, Lane.SUSPECT), (1, 0.1, Lane.SUSPECT)]
)
def test_who_is_late_is_asked_by_others(failures: int, took: float, expected: Lane) -> None:
    assert lane(Pace(failures=failures, took=took, tried_version=1), 1) is expected


def test_each_operation_ends_and_no_step_is_twice_in_it() -> None:
    for kind, steps in SEQUENCES.items():
        assert steps[0] is Step.REGISTRY_COMMITTED
        assert len(set(steps)) == len(steps)
        for step, following in pairwise(steps):
            assert next_step(kind, steps[: steps.index(step) + 1], managed=True) is following
        assert next_step(kind, steps, managed=True) is None


def test_a_plane_that_was_attached_by_hand_has_no_steps_about_hosts() -> None:
    for kind, steps in SEQUENCES.items():
        done: list[Step] = []
        while (step := next_step(kind, done, managed=False)) is not None:
            done.append(step)
        assert done == [step for step in steps if step not in (Step.HOSTS_READY, Step.RESOURCES_GONE)]
