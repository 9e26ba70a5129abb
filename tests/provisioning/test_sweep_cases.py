"""What is swept away and what is not: decisions as data."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.sweep import ORDER, Known, Verdict, judge

CASES = tomllib.loads((Path(__file__).parent / "sweep_cases.toml").read_text())["case"]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = UUID(int=1)


def owner(tenant_id: str = "acme", project_id: str = "north") -> Owner:
    return Owner(environment="test", project_id=project_id, tenant_id=tenant_id)


def thing(case: dict[str, Any]) -> Found:
    return Found(
        kind=Kind(case.get("kind", "server")),
        resource_id=case.get("id", "4711"),
        name=case.get("thing", "fb-acme-db"),
        labels={**owner().labels(RUN, "server.db"), **case.get("labels", {})},
        facts=case.get("facts", {}),
        created_at=case.get("created", "2026-03-01T10:00:00+00:00"),
    )


def entry(given: dict[str, str]) -> EntryRow:
    whose = owner(given.get("owner", "acme"), given.get("project", "north"))
    return EntryRow(
        environment=whose.environment,
        project_id=whose.project_id,
        tenant_id=whose.tenant_id,
        key="server.db",
        run_id=RUN,
        action="server",
        kind=given.get("kind", "server"),
        name=given.get("name", "fb-acme-db"),
        spec_sha256="",
        spec={},
        needs=[],
        position=0,
        state=EntryState(given.get("state", "done")),
        resource_id=given["id"],
        facts={},
        attempts=1,
        code="",
        fence=1,
        changed_at=NOW,
    )


def running(text: str) -> RunRow:
    number, _, tenant_id = text.partition(" ")
    return RunRow(
        run_id=UUID(int=int(number)),
        environment="test",
        project_id="north",
        tenant_id=tenant_id,
        direction=Direction.UP,
        state=RunState.RUNNING,
        request={},
        plan={},
        fence=1,
        holder="",
        leased_until=None,
        started_at=NOW,
        ended_at=None,
        code="",
    )


def known(case: dict[str, Any]) -> Known:
    return Known(
        environment="test",
        owned=[entry(case["entry"])] if "entry" in case else [],
        running=[running(text) for text in case.get("running", [])],
        ended={str(RUN): datetime.fromisoformat(case.get("ended", "2026-03-01T10:30:00+00:00"))},
        never_active=case.get("never_active", []),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases(case: dict[str, Any]) -> None:
    judged = judge([thing(case)], known(case), NOW, timedelta(hours=1))
    assert [one.verdict for one in judged] == ([Verdict(case["verdict"])] if case["verdict"] else [])


def test_every_verdict_has_a_case() -> None:
    assert {case["verdict"] for case in CASES} == {*Verdict, ""}


def test_what_hangs_together_goes_together_in_safe_order() -> None:
    facts: dict[Kind, dict[str, Any]] = {
        Kind.SERVER: {},
        Kind.VOLUME: {"server": "1"},
        Kind.PRIMARY_IP: {"assignee": "1"},
        Kind.NETWORK: {"servers": ["1"]},
        Kind.FIREWALL: {"servers": ["1"], "selectors": []},
        Kind.RECORD: {"zone": "frostbyte.test"},
    }
    things = [
        thing({"kind": kind, "id": "1", "thing": f"fb-acme-{kind}", "facts": facts.get(kind, {})}) for kind in Kind
    ]
    empty = Known(environment="test", owned=[], running=[], never_active=["acme"])
    judged = judge(things, empty, NOW)
    assert {one.verdict for one in judged} == {Verdict.ORPHAN}
    assert [one.found.kind for one in judged] == list(ORDER)
    assert {*ORDER} == {*Kind}
    kept = Known(environment="test", owned=[entry({"id": "1"})], running=[], never_active=["acme"])
    verdicts = {one.found.kind: one.verdict for one in judge(things, kept, NOW)}
    assert verdicts[Kind.SERVER] is Verdict.OWNED
    assert {verdicts[kind] for kind in (Kind.VOLUME, Kind.PRIMARY_IP, Kind.NETWORK, Kind.FIREWALL)} == {Verdict.IN_USE}


def test_keys_tell_things_apart() -> None:
    one, other = (thing({"kind": "record", "id": "a/A", "facts": {"zone": zone}}) for zone in ("x.test", "y.test"))
    judged = judge([one, other], Known(environment="test", owned=[], running=[]), NOW)
    assert {each.key for each in judged} == {"record/x.test/a/A", "record/y.test/a/A"}
