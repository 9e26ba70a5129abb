"""What is true of every script that a bundle carries."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from offline.miniature import ROOT, SCRIPTS
from servers.lanes import need

ALL = sorted(SCRIPTS.glob("*.sh"))


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.slow
def test_shellcheck_finds_nothing() -> None:
    need("shellcheck")
    command = ["shellcheck", "--external-sources", "--shell=bash", "--severity=style", *names(ALL)]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", ALL, ids=names(ALL))
def test_every_stop_has_a_code_a_name_a_sentence_and_a_remedy(script: Path) -> None:
    """`stop CODE NAME WHAT REMEDY`: four words, the code one of lib.sh's, and the name in snake case."""
    text = re.sub(r"\\\n", " ", script.read_text())
    for call in re.findall(r"^\s*(?:\S.*\|\| )?stop (.*)$", text, flags=re.MULTILINE):
        assert re.match(r'"\$EXIT_[A-Z]+" [a-z_]+ "[^"]*.*" +"[^"].*"$', call.strip()), call


@pytest.mark.parametrize("script", ALL, ids=names(ALL))
def test_a_script_stops_at_the_first_thing_that_fails(script: Path) -> None:
    """Those that are sourced are sourced by one that says so."""
    if script.read_text().startswith("#!"):
        assert "set -euo pipefail" in script.read_text().splitlines()[:30]


def test_every_stop_is_in_the_operators_table_and_every_row_is_a_stop() -> None:
    text = "\n".join(script.read_text() for script in ALL).replace("\\\n", " ")
    called = re.findall(r'\bstop +"\$EXIT_[A-Z]+" +([a-z_]+)|\b(?:lacks|complain) +([a-z_]+) +"', text)
    rows = re.findall(r"^\| `([a-z_]+)` \| \d+ \|", (ROOT / "docs/offline.md").read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(set(rows))
    assert set(rows) == {first or second for first, second in called}
