"""Whatever a host prints, only words come out that have the shape of what was asked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.support.answers import CANARY, HOST, HOSTILE
from frostbyte.control_plane.support.rows import row
from frostbyte.control_plane.support.shapes import ROWS, host_rows, log_lines, services

OURS = re.compile(r"[A-Za-z0-9_.:%+~ @/-]{1,300}")


def test_a_host_that_is_well_is_told_whole() -> None:
    told = list(host_rows(HOST))
    assert "not_shown 1" not in told[-1]
    assert len(told) == len([line for line in HOST.splitlines() if line not in ("plane\t{", "plane\t}")])
    assert "host kernel 6.1.0-28-amd64" in told
    assert "plane leases 3" in told
    assert services(HOST) == ["celery-worker", "postgres"]


def test_of_a_hostile_one_nothing_comes_out() -> None:
    told = list(host_rows(HOSTILE))
    refused = [line for line in HOSTILE.splitlines() if not line.startswith("plane\t")]
    assert told == [f"not_shown {len(refused)}"]
    assert services(HOSTILE) == []
    assert CANARY not in "".join(told)


words = st.text(max_size=30) | st.sampled_from([CANARY, "7", "1.2.3", "running", "sha256:" + "0" * 64])
rows = st.lists(words, max_size=9).map("\t".join)
firsts = st.sampled_from([*("\t".join(pair) for pair in ROWS), "service", "uses", "plane"])


@given(st.lists(st.builds(lambda first, rest: f"{first}\t{rest}", firsts, rows) | st.text(), max_size=6))
def test_what_comes_out_has_only_letters_of_ours(lines: list[str]) -> None:
    for line in host_rows("\n".join(lines)):
        assert OURS.fullmatch(line), line
        assert "Kanari" not in line


@given(st.lists(st.text(max_size=80), max_size=8))
def test_of_a_log_only_what_our_command_says_comes_out(lines: list[str]) -> None:
    for line in log_lines(lines):
        assert line.startswith(("{", "  at ", "  ", "not_shown")) or "lines are not shown" in line


@pytest.mark.parametrize(
    ("word", "told"),
    [(None, "-"), ("", "-"), (True, "yes"), (2.0, "2.0"), (CANARY, "?"), ("a b", "?"), ("host_slow", "host_slow")],
)
def test_a_word_of_the_control_planes_own(word: object, told: str) -> None:
    assert row(word) == told
