"""What is delivered reaches a tenant's hosts, is looked at, and is taken back if it is no good, wherever it was cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.upkeep.supplies import Supply
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound, Unavailable
from upkeep.fresh_office import HEALTHY, NEVER, Killed, Office, failing

WORKER = "fb-acme-worker-1"
BROKEN = Conflict("host_command_failed", "It said no.", "")
UNREACHED = Unavailable("host_unreachable", "It does not answer.", "")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def full(office: Office, day: int = 2) -> Supply:
    """A set with everything in it."""
    office.taken(1, signatures=(), packages=(office.package("docker.io", "24"),))
    return office.taken(day, packages=(office.package("docker.io", "26"),), images=(office.image("api"),), version="2")


def test_signatures_reach_the_hosts_that_scan(office: Office) -> None:
    supply = office.taken()
    operation = office.ended(office.begun(supply))
    assert (operation.status, operation.code) == (OperationStatus.SUCCEEDED, "")
    assert office.steps(operation) == ["brought", "signatures_exchanged", "looked_at", "tidied"]
    mark = operation.operation_id.hex[-16:]
    assert office.hosts.files == {WORKER: {f"/opt/f/clamav/.fresh-{mark}/daily.cud": b"signatures of 1"}}
    assert office.hosts.lives == {WORKER: mark}
    assert office.events() == [("acme", "")]


def test_packages_and_images_reach_every_host(office: Office) -> None:
    operation = office.ended(office.begun(full(office)))
    assert operation.code == ""
    assert office.steps(operation)[:3] == ["noted", "brought", "packages_installed"]
    assert {held["docker.io"] for held in office.hosts.installed.values()} == {"26"}
    assert sorted(office.loading.brought) == [("fb-acme-gateway", "2"), (WORKER, "2")]
    facts = {row.step: row.facts for row in office.operations.steps(operation.operation_id)}
    assert facts["noted"]["before"]["gateway"] == [["docker.io", "24", "amd64"]]
    assert facts["noted"]["packages_final"] == 0


def test_only_the_parts_that_were_asked_for(office: Office) -> None:
    operation = office.ended(office.begun(full(office), parts=["signatures"]))
    assert office.steps(operation) == ["brought", "signatures_exchanged", "looked_at", "tidied"]
    assert office.loading.brought == []


@pytest.mark.parametrize("at", ["exchange", "look"])
def test_a_set_that_is_no_good_is_taken_back(office: Office, at: str) -> None:
    office.hosts.struck = failing(at, BROKEN)
    operation = office.ended(office.begun(full(office)))
    assert (operation.status, operation.code) == (OperationStatus.FAILED, "host_command_failed")
    assert office.hosts.lives.get(WORKER, "") == ""
    assert {held["docker.io"] for held in office.hosts.installed.values()} == {"24"}
    assert "remove" in office.hosts.said[-1]
    assert office.events() == [("acme", "host_command_failed")]


@pytest.mark.parametrize(
    ("told", "code"),
    [({"ready": False}, "plane_not_ready"), ({"signatures_trouble": "signatures_undated"}, "scanner_stale"),
     ({"signatures_age_seconds": 9e6}, "scanner_stale")],
)  # fmt: skip
def test_a_plane_that_is_not_well_afterwards_gets_back_what_it_had(
    office: Office, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], code: str
) -> None:
    monkeypatch.setattr("frostbyte.control_plane.upkeep.foreman._Work.pause", lambda work, seconds: None)
    office.health["acme"] = msgspec.structs.replace(HEALTHY, **told)
    operation = office.ended(office.begun(office.taken()))
    assert operation.code == code
    assert office.hosts.lives == {WORKER: ""}


def test_a_plane_without_a_real_scanner_is_not_waited_for(office: Office) -> None:
    office.health["acme"] = msgspec.structs.replace(HEALTHY, signatures_age_seconds=None)
    assert office.ended(office.begun(office.taken())).code == ""


def test_packages_that_no_set_holds_any_more_are_said(office: Office) -> None:
    office.hosts.struck = failing("look", BROKEN)
    operation = office.ended(office.begun(office.taken(2, packages=(office.package("chrony", "4.6"),))))
    assert (operation.status, operation.code) == (OperationStatus.FAILED, "upkeep_remains")
    steps = {row.step: row for row in office.operations.steps(operation.operation_id)}
    assert steps["noted"].facts["packages_final"] == 2
    assert steps["undo.packages_installed"].code == "packages_stay"
    assert office.hosts.lives[WORKER] == ""


def test_a_host_that_does_not_answer_is_tried_again(office: Office) -> None:
    office.hosts.struck = failing("exchange", UNREACHED, times=3)
    assert office.ended(office.begun(office.taken())).code == ""


def test_what_only_tidies_up_does_not_take_back(office: Office) -> None:
    office.hosts.struck = failing("give up", BROKEN)
    operation = office.ended(office.begun(office.taken()))
    assert operation.code == "host_command_failed"
    assert office.hosts.lives[WORKER] != ""


def killed_at(number: int) -> Callable[[str, str, bool], None]:
    calls = 0

    def strike(host: str, text: str, done: bool) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Killed

    return strike


@pytest.mark.parametrize("number", range(1, 60))
@pytest.mark.parametrize("bad", [False, True])
def test_killed_before_and_after_every_call_it_is_brought_or_taken_back_whole(
    office: Office, number: int, bad: bool
) -> None:
    supply = full(office)
    kills, fails = killed_at(number), failing("look", BROKEN, times=9) if bad else None
    died = False

    def strike(host: str, text: str, done: bool) -> None:
        kills(host, text, done)
        if fails is not None:
            fails(host, text, done)

    office.hosts.struck = strike
    operation = office.begun(supply)
    try:
        office.foreman.turn(NEVER)
    except Killed:
        died = True
        office.restart()
    ended = office.ended(operation)
    assert ended.status is (OperationStatus.FAILED if bad else OperationStatus.SUCCEEDED)
    assert {held["docker.io"] for held in office.hosts.installed.values()} == ({"24"} if bad else {"26"})
    assert bool(office.hosts.lives.get(WORKER)) is not bad
    assert len(office.events()) == 1
    assert died or number > 16


def test_older_sets_are_refused_until_somebody_says_so(office: Office) -> None:
    old, new = office.taken(1), office.taken(2)
    assert office.ended(office.begun(new)).code == ""
    with pytest.raises(Conflict) as refused:
        office.begun(old)
    assert refused.value.code == "supply_older"
    assert office.ended(office.begun(old, older=True)).code == ""
    assert office.ended(office.begun(new)).code == ""


@pytest.mark.parametrize(
    ("more", "code"),
    [({"supply": "set-9"}, "supply_unknown"), ({"parts": ["packages"]}, "supply_part_missing")],
)
def test_what_cannot_be_brought_is_refused(office: Office, more: dict[str, Any], code: str) -> None:
    office.taken()
    asked = {"supply": "set-1", **more}
    with pytest.raises(FrostbyteError) as refused:
        office.foreman.begin("acme", OperationKind.REFRESH, asked, actor="alice", reason="requested")
    assert refused.value.code == code
    assert isinstance(refused.value, NotFound | Invalid)


def test_two_at_once_and_tenants_without_hosts_are_refused_and_suspending_is_not(office: Office) -> None:
    supply = office.taken()
    operation = office.begun(supply)
    with pytest.raises(Conflict) as refused:
        office.begun(supply)
    assert refused.value.code == "operation_running"
    office.operations.begin("acme", Move.SUSPEND, actor="alice", reason="incident")
    assert office.ended(operation).code == ""
    office.owners.clear()
    with pytest.raises(Conflict) as refused:
        office.begun(supply)
    assert refused.value.code == "tenant_moves"
