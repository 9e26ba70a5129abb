"""Decisions of the gates, one data file per subject: a new case needs no code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from frostbyte.data_plane import policy
from frostbyte.kernel.tenancy import PiiType

_FOLDER = Path(__file__).parent / "cases"
_PATTERNED = [kind.value for kind in PiiType if kind not in (PiiType.NAME, PiiType.ADDRESS)]


def _cases(prefix: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted(_FOLDER.glob(f"{prefix}*.toml"))
        for case in tomllib.loads(path.read_text("utf-8"))["case"]
    ]


@pytest.mark.parametrize("case", _cases("pii"))
def test_personal_data(clear: Any, case: dict[str, Any]) -> None:
    text = case["text"]
    cleared = clear(text, pii_types=case.get("types", _PATTERNED))
    found = [[f.kind, text[f.start : f.end]] for f in cleared.findings if f.gate == "pii"]
    assert found == case["found"]
    shown = cleared.chunks[0].text
    assert all(value not in shown and f"[{kind}]" in shown for kind, value in case["found"])


class _Engine:
    """Says what a case tells it to, of whatever passage it is asked about."""

    version = "told"

    def __init__(self, told: list[list[str]]) -> None:
        self._told = told

    def find(self, text: str) -> list[policy.NameSpan]:
        return [
            (text.index(value), text.index(value) + len(value), kind, 0.9)
            for kind, value in self._told
            if value in text
        ]


@pytest.mark.parametrize("case", _cases("people"))
def test_names_and_addresses(clear: Any, case: dict[str, Any]) -> None:
    text = case["text"]
    cleared = clear(text, names=_Engine(case.get("engine", [])), pii_types=["NAME", "ADDRESS"])
    assert [[f.kind, text[f.start : f.end]] for f in cleared.findings if f.gate == "pii"] == case["found"]


@pytest.mark.parametrize("case", _cases("injection"))
def test_injection(clear: Any, case: dict[str, Any]) -> None:
    cleared = clear(case["text"])
    held = bool(cleared.withheld)
    flagged = any(chunk.injection_score >= 0.3 for chunk in cleared.chunks)
    assert ("withhold" if held else "flag" if flagged else "pass") == case["verdict"]
