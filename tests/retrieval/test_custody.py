"""The chain of custody, told from a document's events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.data_plane.serve.custody import Step, custody_of
from frostbyte.kernel.records import EventRow

START = datetime(2026, 1, 2, tzinfo=UTC)
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "custody.json").read_text(encoding="utf-8"))


def events_of(case: dict[str, Any]) -> list[EventRow]:
    return [
        EventRow(
            event_id=UUID(int=number + 1),
            tenant_id="acme",
            type=type,
            timestamp=START + timedelta(seconds=number),
            actor=actor,
            resource_type="document",
            resource_id="d",
            details=details,
            previous_event_id=UUID(int=number) if number else None,
        )
        for number, (type, actor, details) in enumerate(case["events"])
    ]


def told(step: Step) -> str:
    found = "".join(f" {kind}={count}" for kind, count in step.found.items())
    return f"{step.link} {step.standing} {step.version}{found}"


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_the_chain_is_told_as_the_events_say(case: dict[str, Any]) -> None:
    chunk = UUID(case["chunk_id"]) if "chunk_id" in case else None
    events = events_of(case)
    custody = custody_of(events, generation=case["generation"], chunk_id=chunk)
    assert [told(step) for step in custody.steps] == case["steps"]
    assert [f"{item.type} {item.actor}" for item in custody.decisions] == case["decisions"]
    assert custody.passes == case["passes"]
    by_id = {str(event.event_id): event for event in events}
    for step in custody.steps:
        assert (step.at is None) == (step.standing == "open")
        assert step.at is None or step.at == by_id[step.event_id].timestamp
