"""docs/spec.md answers for the owner's document: a finished row names code and tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs/spec.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| item", "|---"))
]


def test_the_table_is_there() -> None:
    assert len(ROWS) > 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_is_complete(row: list[str]) -> None:
    assert len(row) == 5, row
    item, status, code, test, deviation = row
    assert item
    assert status in {"done", "part", "open"}
    if status == "open":
        return
    assert code not in {"", "-"}
    assert deviation not in {"", "-"}
    assert status == "done" or deviation != "none", "a part that is missing must be named"
    for place in code.split(","):
        path = place.split("(")[0].strip()
        assert (ROOT / "src/frostbyte" / path).exists(), f"{path} does not exist"
    assert (ROOT / test).exists(), f"{test} does not exist"
