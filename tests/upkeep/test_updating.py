"""A tenant is brought to another version, or back to the old one with its data, wherever a process is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from frostbyte.adapters.hosts.memory import Fault
from frostbyte.control_plane.registry.records import OperationStatus
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.channel import PlaneUpkeep
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import Upkeep
from upkeep.updated_tenant import NEVER, Site

FORWARD = [
    "images",
    "room",
    "files",
    "closed",
    "frozen",
    "copied",
    "switched",
    "verified",
    "opened",
    "given_up",
    "recorded",
]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def refused(site: Site, to: str, **more: Any) -> str:
    with pytest.raises(FrostbyteError) as caught:
        site.begin(to, **more)
    return caught.value.code


def test_a_tenant_is_brought_to_another_version_whole(site: Site) -> None:
    site.well("1.0")
    ended = site.carried(site.begin())
    assert (ended.status, ended.code) == (OperationStatus.SUCCEEDED, "")
    assert site.steps(ended) == FORWARD
    site.well("2.0")
    assert site.asked_release() == "2.0"
    assert site.told() == [{"pipeline_version": "2.0"}]
    with site.store.unit_of_work() as uow:
        (told,) = [event for event in uow.audit.unsequenced(1000) if event.type == EventType.TENANT_UPDATED]
    assert told.details["pipeline_version"] == "2.0"
    assert told.details["status"] == "succeeded"


def test_what_it_held_is_compared_and_questions_wait_for_nothing_before(site: Site) -> None:
    """Files are there and images are brought before anything is closed; the copy is taken of a plane that stands."""
    site.begin()
    seen: list[tuple[str, Upkeep]] = []
    original = site.hosts._call

    def noting(host: Any, operation: str, act: Any) -> Any:
        seen.append((operation, site.hosts.plane.gate.upkeep))
        return original(host, operation, act)

    site.hosts._call = noting  # type: ignore[method-assign]
    site.foreman.turn(NEVER)
    assert {said for operation, said in seen if operation in ("images", "put")} == {Upkeep.OPEN}
    assert {said for operation, said in seen if operation in ("stop", "up")} == {Upkeep.FROZEN}


@pytest.mark.parametrize(
    ("trouble", "code", "last"),
    [
        ("broken", "host_command_failed", "switched"),
        ("sick", "update_unwell", "verified"),
        ("forgets", "update_differs", "verified"),
    ],
)
def test_a_version_that_does_not_work_leads_back_to_the_old_one_with_its_data(
    site: Site, trouble: str, code: str, last: str
) -> None:
    getattr(site.hosts, trouble).add("2.0")
    before = site.hosts.plane.desk.state()
    ended = site.carried(site.begin())
    assert (ended.status, ended.code) == (OperationStatus.FAILED, code)
    done = FORWARD[: FORWARD.index(last)]
    assert site.steps(ended) == [*done, f"{last} {code}", f"turned_back {code}", "undo.files"]
    site.well("1.0")
    assert site.hosts.plane.desk.state() == before
    assert site.told() == []
    getattr(site.hosts, trouble).clear()
    assert site.carried(site.begin()).code == ""  # nothing of the first try is in the way
    site.well("2.0")


@pytest.mark.parametrize("operation", ["put", "stop", "task"])
def test_a_host_that_refuses_leads_back(site: Site, operation: str) -> None:
    site.hosts.faults.append(Fault("host_command_failed", operation=operation, times=1))
    assert site.carried(site.begin()).code == "host_command_failed"
    site.well("1.0")


def test_a_host_that_is_away_for_a_while_is_waited_for(site: Site) -> None:
    for operation in ("images", "put", "stop", "task", "up"):
        site.hosts.faults.append(Fault("host_unreachable", operation=operation, times=2, done=operation == "up"))
    assert site.carried(site.begin()).code == ""
    site.well("2.0")


def test_a_copy_that_would_fill_the_disk_is_not_made(site: Site) -> None:
    site.hosts.bytes = 10 << 30
    site.hosts.answers["df"] = f"Avail\n{10 << 30}\n"
    ended = site.carried(site.begin())
    assert site.steps(ended) == ["images", "room update_no_room", "turned_back update_no_room"]
    site.hosts.answers["df"] = "df: no such file\n"
    assert site.carried(site.begin()).code == "host_answer_wrong"
    assert site.hosts.plane.gate.upkeep is Upkeep.OPEN
    site.well("1.0")
    site.hosts.answers["df"] = f"Avail\n{13 << 30}\n"
    assert site.carried(site.begin()).code == ""


def test_an_image_that_nobody_has_closes_nothing(site: Site) -> None:
    site.own = "3.0"
    site.restart()
    ended = site.carried(site.begin("3.0"))
    assert site.steps(ended) == ["images host_image_missing", "turned_back host_image_missing"]
    assert site.hosts.plane.gate.upkeep is Upkeep.OPEN
    site.well("1.0")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["forward", "back"])
def test_killed_at_any_moment_it_ends_whole(tmp_path: Path, way: str) -> None:
    """Before and after every call to a host, every answer of the plane, and every commit."""
    whole = Site(tmp_path / "whole")
    if way == "back":
        whole.hosts.sick.add("2.0")
    whole.doom.count = 0
    whole.carried(whole.begin())
    total, ends = whole.doom.count, set()
    assert total > 60
    for at in range(3, total + 1):  # the first two are the beginning's own commit
        site = Site(tmp_path / "whole")
        if way == "back":
            site.hosts.sick.add("2.0")
        site.doom.count = 0
        operation = site.begin()
        site.doom.at = at
        ended = site.carried(operation)
        assert ended.status is not OperationStatus.RUNNING
        ends.add(ended.code)
        site.well("2.0" if way == "forward" else "1.0")
        assert len(site.told()) == (way == "forward")
    assert ends == ({""} if way == "forward" else {"update_unwell"})


def test_what_could_not_be_taken_back_is_said_and_taken_back_by_the_next_update(site: Site) -> None:
    site.hosts.sick.add("2.0")
    # The files of before cannot be put back, again and again.
    site.hosts.faults.append(Fault("host_unreachable", operation="put", after=3, times=40))
    first = site.carried(site.begin())
    assert first.code == "upkeep_remains"
    assert site.hosts.plane.gate.upkeep is Upkeep.FROZEN  # half done, and it gives no receipt meanwhile
    assert len(site.hosts.copies) == 1
    site.hosts.faults.clear()
    second = site.carried(site.begin("1.0"))
    assert (second.code, site.steps(second)) == ("", ["ended_back"])
    site.well("1.0")


def test_what_failed_after_the_mark_only_goes_forward(site: Site) -> None:
    operation = site.begin()
    original = site.channel.keep

    def away(upkeep: Upkeep, *, updated_to: str = "") -> Any:
        site.hosts.stays_away = bool(updated_to) or site.hosts.stays_away
        return original(upkeep, updated_to=updated_to)

    site.channel.keep = away  # type: ignore[method-assign]
    first = site.carried(operation)
    assert first.code == "plane_unreachable"
    assert site.steps(first)[-2:] == ["verified", "opened plane_unreachable"]
    assert site.hosts.schema == "2.0"
    site.hosts.stays_away = False
    site.channel.keep = original  # type: ignore[method-assign]
    second = site.carried(site.begin("2.0"))
    assert (second.code, site.steps(second)) == ("", ["ended_forward"])
    site.well("2.0")
    assert site.told() == [{"pipeline_version": "2.0"}]
    assert refused(site, "2.0") == "release_same"


def test_what_cannot_be_is_refused_before_anything_is_begun(tmp_path: Path, site: Site) -> None:
    assert refused(site, "0.9") == "release_unknown"
    assert refused(site, "1.0") == "release_same"
    assert refused(site, "3.0") == "release_newer"
    assert refused(site, "2.0", drain_seconds=-1) == "update_request_invalid"
    assert refused(site, "2.0", drain_seconds="soon") == "update_request_invalid"
    site.carried(site.begin())
    assert refused(site, "1.0") == "release_older"
    with site.store.unit_of_work() as uow:
        assert len(uow.operations.page(tenant_id="acme")) == 1
    other = Site(tmp_path)
    other.begin()
    assert refused(other, "2.0") == "operation_running"


def test_work_under_way_is_waited_for_and_no_longer_than_was_said(site: Site) -> None:
    original, busy, looks = site.channel.upkeep, [True], list[int]()

    def working(*, tried: bool = False) -> PlaneUpkeep:
        looks.append(len(looks))
        if len(looks) == 3:
            busy[0] = False
        return replace(original(tried=tried), leases=int(busy[0]))

    site.channel.upkeep = working  # type: ignore[method-assign]
    site.hosts.plane.gate.count(lambda: 1, lambda: int(busy[0]))
    assert site.carried(site.begin()).code == ""
    site.well("2.0")
    assert len(looks) >= 3

    other = Site(site.world.images.parent)
    other.hosts.plane.gate.count(lambda: 1, lambda: 1)
    operation = other.begin(drain_seconds=0.1)
    assert other.carried(operation).code == ""
    with other.store.unit_of_work() as uow:
        closed = next(row for row in uow.operations.steps(operation.operation_id) if row.step == "closed")
    assert closed.facts == {"leases": 0, "writing": 1}
