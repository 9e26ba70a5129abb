"""How old signatures and models may be, by data; and what an acceptance test sends."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.cli import ages
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.specimens import MALWARE, body, specimens
from servers.clamd import EICAR

CASES = tomllib.loads((Path(__file__).parent / "ages.toml").read_text())["case"]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('days', 'unknown')} of {case['limits']}")
def test_an_age_against_its_limits(case: dict[str, Any]) -> None:
    made = NOW - timedelta(days=case["days"]) if "days" in case else None
    found = ages.judge("age", made, NOW, ages.Limits(*case["limits"]), what="It", remedy="Bring another.")
    assert found.level == case["level"]
    assert bool(found.remedy) is (case["level"] != "ok")


@pytest.mark.parametrize("text", ["", "35", "100,35", "a,b", "-1,5", "1,2,3", "١,٢"])
def test_limits_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(CommandFailed, match="days"):
        ages.limits(text)


@pytest.mark.parametrize(("text", "limits"), [("35,100", (35, 100)), ("0,0", (0, 0)), ("35,0", (35, 0))])
def test_limits(text: str, limits: tuple[int, int]) -> None:
    found = ages.limits(text)
    assert (found.warn, found.fail) == limits


@given(st.text(alphabet="0123456789abcdef", min_size=1, max_size=32))
def test_specimens_come_of_their_seed_alone(seed: str) -> None:
    one, again = specimens(seed), specimens(seed)
    assert one == again
    assert body(one.documents) == body(again.documents)
    texts = {item.name: item.content.decode() for item in one.documents}
    assert [name for name, text in texts.items() if one.found_word in text] == ["found"]
    assert [name for name, text in texts.items() if one.orders_word in text] == ["orders"]
    assert all(value in texts["personal"] for value in one.personal.values())


def test_no_two_runs_send_the_same_document() -> None:
    """Erasing a run's documents would else erase somebody else's."""
    seen = [item.content for seed in range(200) for item in specimens(str(seed)).documents]
    assert len(set(seen)) == len(seen)


@given(st.integers(min_value=0))
def test_the_test_virus_is_as_its_definition_allows(seed: int) -> None:
    found = next(item.content for item in specimens(str(seed)).documents if item.name == MALWARE)
    assert found.startswith(EICAR)
    assert len(found) <= 128
    assert not found[len(EICAR) :].strip(b" \t\r\n\x1a")


def test_no_file_of_ours_holds_the_test_virus() -> None:
    """A scanner of packages and images would take us for it."""
    for path in (Path(__file__).parents[2] / "src").rglob("*.py"):
        assert EICAR not in path.read_bytes(), path
