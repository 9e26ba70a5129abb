"""docs/promises.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_promise_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (\d+)\. [^|]+ \| ([^|]+) \|$", (ROOT / "docs/promises.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    for number, tests in rows:
        if tests.startswith("not built yet"):
            continue
        for place in tests.split(", "):
            assert (ROOT / place).exists(), f"promise {number} names {place}"


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
