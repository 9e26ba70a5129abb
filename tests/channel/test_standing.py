"""What a directive does to a plane, as data; and what a standing forbids."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from frostbyte.data_plane.standing import obeyed, refusal, waits
from frostbyte.kernel.directive import Directive
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import PlaneStandingRow, PlaneState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CASES = tomllib.loads(Path(__file__).with_name("standing_cases.toml").read_text(encoding="utf-8"))["case"]


def _row(version: int, state: str, **values: Any) -> PlaneStandingRow:
    return PlaneStandingRow(version=version, state=PlaneState(state), **values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_what_a_directive_does(case: dict[str, Any]) -> None:
    said = {"nonce": "new"} | case["directive"]
    said["state"] = PlaneState(said["state"])
    directive = Directive(tenant_id="acme", issued_at=0, keys=("k2",), witness_key="w", **said)
    before = _row(**case["before"], keys=("k1",))
    if "refused" in case:
        with pytest.raises(FrostbyteError) as caught:
            obeyed(before, directive, "new", NOW)
        assert caught.value.code == case["refused"]
        return
    change = obeyed(before, directive, "new", NOW)
    changed = before.state is not change.row.state
    wanted = _row(**case["after"], keys=("k2",), witness_key="w", changed_at=NOW if changed else None)
    assert (change.row, change.event and change.event.value) == (wanted, case.get("event"))


def test_a_directive_without_keys_leaves_them() -> None:
    directive = Directive(tenant_id="acme", version=1, state=PlaneState.ACTIVE, nonce="n", issued_at=0)
    assert obeyed(_row(0, "active", keys=("k1",)), directive, "n", NOW).row.keys == ("k1",)


@pytest.mark.parametrize(
    ("state", "needs_lease", "left", "code"),
    [
        ("active", False, 0.0, None),
        ("active", True, 0.1, None),
        ("active", True, 0.0, "control_plane_unreachable"),
        ("suspended", True, 9.0, "tenant_suspended"),
        ("suspended", False, 0.0, "tenant_suspended"),
        ("closed", True, 9.0, "tenant_suspended"),
    ],
)
def test_why_no_job_is_begun(state: str, needs_lease: bool, left: float, code: str | None) -> None:
    found = waits(_row(1, state, needs_lease=needs_lease), left)
    assert (found and found.code) == code


def test_only_an_active_plane_answers() -> None:
    assert [(state, refusal(state) is None) for state in PlaneState] == [
        (PlaneState.ACTIVE, True),
        (PlaneState.SUSPENDED, False),
        (PlaneState.CLOSED, False),
    ]
