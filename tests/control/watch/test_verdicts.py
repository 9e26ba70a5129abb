"""What is thought of what was seen: the cases of verdicts.toml, and that each reason leads to a section that exists."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from frostbyte.control_plane.watch.verdict import Level, Seen, judge
from observability.runbooks import section

CASES: Final = tomllib.loads(Path(__file__).with_name("verdicts.toml").read_text())["case"]
WELL: Final = {
    "state": "ACTIVE",
    "edge_status": 200,
    "acknowledged": True,
    "answered_seconds": 4.0,
    "ledger_seconds": 2.0,
    "ledger_lag_events": 0,
    "gateway_ready": True,
    "stored_bytes": 10,
    "quota_bytes": 100,
    "oldest_job_seconds": 3.0,
    "signatures_age_seconds": 3600.0,
    "certificate_seconds": 200 * 86_400.0,
}


def seen(case: dict[str, Any]) -> Seen:
    values = {key: None if value == "unknown" else value for key, value in case["seen"].items()}
    return msgspec.convert(WELL | values, Seen)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case(case: dict[str, Any]) -> None:
    verdict = judge(seen(case))
    assert [f"{reason.level.word} {reason.code}" for reason in verdict.reasons] == case["reasons"]
    worst = max((reason.level for reason in verdict.reasons), default=Level.OK)
    assert verdict.level is worst


def test_every_reason_leads_to_a_section_of_the_runbook() -> None:
    reasons = [reason for case in CASES for reason in judge(seen(case)).reasons]
    assert len({reason.code for reason in reasons}) >= 14
    for reason in reasons:
        assert section(reason.runbook).commands, reason.runbook
        assert reason.message.endswith(".")
