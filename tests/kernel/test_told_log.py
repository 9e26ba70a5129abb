"""What of a log may leave a host: whatever a line holds, only our own words come out."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.kernel.logging import FIELDS
from frostbyte.kernel.told_log import TROUBLES, is_told, told

CANARY = "Kanari-7x Vogel"
"""As content, a name or a secret might look."""
SECRET = "8f14e45fceea167a5a36dedad4bea2543c1c1d2fa4d2e1a0"
DOC = "0198c0de-0000-8000-8000-00000000beef"
LINES = [
    # ours
    json.dumps({"event": "stage_failed", "code": "archive_bomb", "doc_id": DOC, "stage": "parse", "duration_ms": 12.5}),
    json.dumps({"event": "stage_failed", "code": CANARY, "doc_id": CANARY, "filename": CANARY, "query": CANARY}),
    json.dumps({"event": CANARY, "level": "error"}),
    json.dumps(
        {"event": "x", "request_id": SECRET, "route": f"/documents/{CANARY}", "method": CANARY, "error": CANARY}
    ),
    json.dumps({"event": "x", "count": {"deep": CANARY}, "size": [CANARY], "where": f"{CANARY}.py:3"}),
    json.dumps({CANARY: 1, "event": "x"}),
    json.dumps([CANARY]),
    '{"event": "cut off, ' + CANARY,
    # a database's
    f"2026-03-01 10:00:00.123 UTC [7] ERROR:  duplicate key value violates unique constraint ({CANARY})",
    f"2026-03-01 10:00:00.124 UTC [7] STATEMENT:  INSERT INTO t VALUES ('{CANARY}', '{SECRET}')",
    f'2026-03-01 10:00:01 UTC [8] FATAL:  password authentication failed for user "{CANARY}"',
    "2026-03-01 10:00:02 UTC [1] PANIC:  could not write to file: No space left on device",
    # a scanner's, a store's
    f"Sun Mar  1 10:00:03 2026 -> instream({CANARY}): Win.Test FOUND",
    f"API: PutObject(bucket=tenant, object=raw/{CANARY}) Error: drive not found {SECRET}",
    # a fault
    "Traceback (most recent call last):",
    '  File "/usr/lib/python3.13/site-packages/frostbyte/data_plane/flow.py", line 151, in _scan',
    f'  File "/home/{CANARY}/frostbyte/x y.py", line 3, in {CANARY}',
    f"    raise ValueError('{CANARY}')",
    f"ValueError: {CANARY}",
    f"\x1b[31m{CANARY}\x1b[0m",
    "",
]


def test_nothing_of_a_canary_comes_out() -> None:
    found = "\n".join(told(LINES))
    for word in (CANARY, "Kanari", "Vogel", SECRET, SECRET[:12]):
        assert word not in found
    assert "\x1b" not in found


def test_what_helps_comes_out() -> None:
    found = list(told(LINES))
    assert json.loads(found[0]) == json.loads(LINES[0])
    assert json.loads(found[1]) == {"event": "stage_failed", "not_shown": 4}
    assert "  at frostbyte/data_plane/flow.py:151" in found
    assert any(line.startswith("  no_space 1 last 2026-03-01 10:00:02") for line in found)
    assert any(line.startswith("  password_wrong 1 last 2026-03-01 10:00:01") for line in found)
    assert any("error=" in line and "fatal=1" in line and "panic=1" in line for line in found)


OURS = re.compile(
    r"  at frostbyte/[a-z_/]+\.py:\d+"
    r"|\d+ lines are not shown(: ([a-z]+=\d+ ?)+)?"
    r"|  ([a-z_]+) \d+( last [0-9TZ:., UC+-]+)?"
)


def test_what_was_told_is_known_again_and_nothing_else_is() -> None:
    """Whoever gets it from a host that is not trusted looks once more."""
    assert all(is_told(line) for line in told(LINES))
    assert not [line for line in LINES if is_told(line) and line != LINES[0]]
    assert not is_told(json.dumps({"event": "x", "not_shown": CANARY}))
    assert not is_told(json.dumps({"event": "x", "count": 10**16}))
    assert not is_told(f"7 lines are not shown: {CANARY}=1")
    assert not is_told(f"  no_space 1 last {CANARY}")
    assert not is_told("  kanari 1")


@given(st.lists(st.text(max_size=80) | st.sampled_from(LINES), max_size=8))
def test_whatever_a_line_holds_only_our_words_come_out(lines: list[str]) -> None:
    for line in told(lines):
        if line.startswith("{"):
            assert set(json.loads(line)) <= FIELDS | {"not_shown"}
        else:
            assert OURS.fullmatch(line), line


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=12), values, max_size=6))
def test_our_lines_lose_what_has_no_shape(fields: dict[str, object]) -> None:
    line = next(told([json.dumps(fields | {"event": "something_happened"})]))
    for name, value in json.loads(line).items():
        assert name in FIELDS | {"not_shown"}
        assert not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9_./:{}+ ,-]{1,110}", value, re.ASCII)


@pytest.mark.parametrize("name", TROUBLES)
def test_names_of_troubles_are_our_words(name: str) -> None:
    assert re.fullmatch(r"[a-z_]+", name)
