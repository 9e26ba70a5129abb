"""The tenant's life: the whole table, written out a second time as data."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path

import pytest

from frostbyte.control_plane.registry.states import Failed, Move, TenantState, moved
from frostbyte.kernel.errors import Conflict

LEGAL = tomllib.loads(Path(__file__).with_name("states.toml").read_text())["move"]


@pytest.mark.parametrize("case", LEGAL, ids=lambda case: f"{case['from']}-{case['move']}")
def test_a_legal_move(case: dict[str, str]) -> None:
    after = moved(TenantState(case["from"]), Failed(case.get("failed", "")), Move(case["move"]))
    assert after == (TenantState(case["to"]), Failed(case.get("then_failed", "")))


def test_every_other_move_is_refused_with_what_is_possible() -> None:
    legal = {(case["from"], case.get("failed", ""), case["move"]) for case in LEGAL}
    for state, failed, move in product(TenantState, Failed, Move):
        if (state.value, failed.value, move.value) in legal:
            continue
        with pytest.raises(Conflict) as refused:
            moved(state, failed, move)
        assert refused.value.code == "move_illegal"
        for at, what, possible in legal:
            assert (possible in refused.value.remedy) or (at, what) != (state.value, failed.value)
