"""A tenant is backed up, and put back: stage by stage, killed anywhere, led back where the backup does not come in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import change_tenant, prepared
from control.test_journal_contract import OWNER, audited, entry_row, run_row, write
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.control_plane.backup import planes
from frostbyte.control_plane.backup.daily import Daily
from frostbyte.control_plane.backup.duties import BackingUp, Preparing, Restoring
from frostbyte.control_plane.backup.listing import listed
from frostbyte.control_plane.overview.tree import State
from frostbyte.control_plane.overview.watching import Watching
from frostbyte.control_plane.provisioning.hosting import Keeping
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.watch.view import BackupAge
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound, Unavailable
from frostbyte.kernel.records import Upkeep

NEVER = threading.Event()
OLD, PRESENT = "20260301T020000Z-00000001", "20260302T020000Z-00000002"


class Killed(BaseException):
    """A process that ends here."""


class Plane:
    """A plane whose content is a word, and the snapshots of it."""

    def __init__(self) -> None:
        self.content, self.running, self.registered, self.taking = "now", True, 0, True
        self.snapshots = {OLD: "then"}
        self.good = True
        self.fails: dict[str, list[FrostbyteError]] = {}
        self.killed_at = 0
        self.said: list[str] = []

    def _call(self, name: str) -> None:
        self.said.append(name)
        if self.killed_at:
            self.killed_at -= 1
            if not self.killed_at:
                raise Killed
        for error in self.fails.get(name, [])[:1]:
            self.fails[name].pop(0)
            raise error

    def take(self, *, forget: bool = True) -> dict[str, Any]:
        self._call("take")
        if forget:  # of one day the newest stays
            self.snapshots.clear()
        self.snapshots[PRESENT] = self.content
        taken = {"snapshot": PRESENT, "documents": 3, "size": 70, "written": 7, "seconds": 0.5, "missing": []}
        return {"taken": taken, "verified": {"ok": self.good, "code": "" if self.good else "backup_damaged"}}

    def verify(self, snapshot: str) -> dict[str, Any]:
        self._call("verify")
        return {"snapshot": snapshot or OLD, "ok": self.good, "code": "" if self.good else "backup_damaged"}

    def close(self) -> None:
        self._call("close")
        self.taking = False

    def open(self) -> None:
        assert self.running, "a plane that stands still answers nobody"
        self._call("open")
        self.taking = True

    def stop(self) -> None:
        assert not self.taking or PRESENT not in self.snapshots, "what came after the backup of it would be lost"
        self._call("stop")
        self.running = False

    def empty(self) -> None:
        assert not self.running, "stores are emptied under a plane that works"
        self._call("empty")
        self.content = ""

    def restore(self, snapshot: str) -> dict[str, Any]:
        assert not self.content, "a plane is put into one that is not empty"
        self._call("restore")
        self.content = self.snapshots[snapshot]
        return {"snapshot": snapshot, "documents": 3, "passages": 9, "erased": 1}

    def start(self) -> None:
        self._call("start")
        assert self.content, "an empty plane is started as if it were well"
        self.running = True

    def register(self) -> None:
        self._call("register")
        self.registered += 1


class Hosts:
    """Notes that hosts were told."""

    def __init__(self) -> None:
        self.told = 0

    def give(self, owner: Any, stop: Any) -> None:
        self.told += 1

    def again(self, owner: Any, action: Any, stop: Any) -> None:
        pass


class Site:
    """A control plane with one tenant that stands in nbg1."""

    def __init__(self, location: str = "hel1") -> None:
        self.store, self.vault, self.hosts, self.plane = MemoryRegistry(), MemoryVault(), Hosts(), Plane()
        self.clock = ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        self.operations = Operations(self.store.unit_of_work, self.clock)
        self.keeping: Keeping | None = Keeping(url="https://hel1.example/b/tenants/acme", endpoint="hel1.example:443")
        self._location = location
        (tenant,) = prepared(self.store)
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                tenant = change_tenant(uow, tenant, state=state)
                uow.commit()
        run = run_row(fence=1)
        write(self.store, lambda uow: uow.journal.begin(run))
        for position, (key, action, kind) in enumerate(
            (("server.gateway", "server", "server"), ("files.gateway", "files", ""))
        ):
            more: dict[str, Any] = {"action": action, "kind": kind, "position": position, "facts": {"location": "nbg1"}}
            for state_ in (EntryState.INTENDED, EntryState.DONE):
                row = entry_row(run, key, **more, state=state_, resource_id="7" if kind else "")
                write(self.store, lambda uow: audited(uow, row))  # noqa: B023  # called at once
        ended = replace(run, state=RunState.SUCCEEDED, ended_at=self.clock.now(), holder="", leased_until=None)
        write(self.store, lambda uow: uow.journal.put_run(ended))
        self.vault.seal(OWNER, {"postgres": "canary"})
        self.restart()

    def restart(self) -> None:
        """Another process of the control plane."""
        regiving: Any = self.hosts
        preparing = Preparing(
            lambda owner: self.keeping,
            self._location,
            across=True,
            vault=self.vault,
            regiving=regiving,
            planes=lambda owner, stop: self.plane,  # type: ignore[arg-type, return-value]
        )
        duties = [BackingUp(preparing), Restoring(preparing)]
        self.foreman = Foreman(self.store.unit_of_work, self.operations, self.clock, duties, first_pause=0.0)
        self.daily = Daily(self.store.unit_of_work, "production", self.clock, self._scheduled, 24)

    def _scheduled(self, tenant_id: str) -> OperationRow:
        return self.foreman.begin(tenant_id, OperationKind.BACKUP, {}, actor="schedule", reason="scheduled")

    def begun(self, kind: OperationKind, **request: Any) -> OperationRow:
        return self.foreman.begin("acme", kind, request, actor="alice", reason="requested")

    def ended(self, operation: OperationRow) -> OperationRow:
        return self.operations.show(operation.operation_id)

    def told(self, type: EventType) -> list[Mapping[str, Any]]:
        with self.store.unit_of_work() as uow:
            return [event.details for event in uow.audit.unsequenced(1000) if event.type == type]


@pytest.fixture
def site() -> Site:
    return Site()


def lasting() -> FrostbyteError:
    return Conflict("archive_broken", "It does not fit.", "Choose another.")


def test_a_backup_is_taken_and_its_hosts_are_told_once(site: Site) -> None:
    for _ in range(2):
        operation = site.begun(OperationKind.BACKUP)
        site.foreman.turn(NEVER)
        assert site.ended(operation).status is OperationStatus.SUCCEEDED
    assert site.hosts.told == 1
    assert site.vault.open(OWNER)["postgres"] == "canary"
    facts = site.operations.steps(operation.operation_id)[-1].facts
    assert (facts["snapshot"], facts["documents"], facts["written"]) == (PRESENT, 3, 7)
    assert site.told(EventType.TENANT_BACKED_UP)[0]["documents"] == 3
    site.keeping = Keeping(url="https://hel1.example/b/tenants/acme", secret_key="another")
    site.begun(OperationKind.BACKUP)
    site.foreman.turn(NEVER)
    assert site.hosts.told == 2


def test_one_that_cannot_be_put_back_is_no_backup(site: Site) -> None:
    site.plane.good = False
    operation = site.begun(OperationKind.BACKUP)
    site.foreman.turn(NEVER)
    assert site.ended(operation).code == "backup_damaged"
    assert site.told(EventType.TENANT_BACKED_UP)[0]["code"] == "backup_damaged"


@pytest.mark.parametrize(
    ("location", "code"), [("nbg1", "backup_same_location"), ("", "backup_location_unknown")], ids=["same", "unknown"]
)
def test_what_is_kept_is_kept_elsewhere(location: str, code: str) -> None:
    site = Site(location)
    for kind in (OperationKind.BACKUP, OperationKind.RESTORE):
        with pytest.raises(Conflict) as refused:
            site.begun(kind)
        assert refused.value.code == code
    site.keeping = None
    with pytest.raises(Conflict) as refused:
        site.begun(OperationKind.BACKUP)
    assert refused.value.code == "backup_not_set"


def test_a_plane_is_put_back_as_the_backup_has_it(site: Site) -> None:
    operation = site.begun(OperationKind.RESTORE, snapshot=OLD)
    site.foreman.turn(NEVER)
    assert site.ended(operation).status is OperationStatus.SUCCEEDED
    assert (site.plane.content, site.plane.running, site.plane.registered) == ("then", True, 1)
    assert site.plane.snapshots[PRESENT] == "now"
    assert site.told(EventType.TENANT_RESTORED)[0]["erased"] == 1


def test_a_backup_that_does_not_come_in_leaves_what_was_there(site: Site) -> None:
    site.plane.fails["restore"] = [lasting()]
    operation = site.begun(OperationKind.RESTORE, snapshot=OLD)
    site.foreman.turn(NEVER)
    assert site.ended(operation).code == "archive_broken"
    assert (site.plane.content, site.plane.running, site.plane.taking) == ("now", True, True)


@pytest.mark.parametrize(("writing", "code"), [([0], ""), ([2, 1, 0], ""), ([3] * 99, "plane_busy")])
def test_what_is_being_taken_is_waited_for(writing: list[int], code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(planes, "LOOK_SECONDS", 0.01)
    left = iter(writing)
    kept: list[Upkeep] = []

    def state(*said: Upkeep) -> Any:
        kept.extend(said)
        return SimpleNamespace(writing=next(left))

    channel: Any = SimpleNamespace(keep=state, upkeep=state)
    if code:
        with pytest.raises(Unavailable) as refused:
            planes.quiet(channel, NEVER)
        assert refused.value.code == code
    else:
        planes.quiet(channel, NEVER)
        assert next(left, None) is None
    assert kept == [Upkeep.READING]


def test_a_plane_that_cannot_be_led_back_stays_stopped(site: Site) -> None:
    site.plane.fails["restore"] = [lasting(), lasting()]
    operation = site.begun(OperationKind.RESTORE, snapshot=OLD)
    site.foreman.turn(NEVER)
    assert site.ended(operation).code == "upkeep_remains"
    assert (site.plane.content, site.plane.running) == ("", False)
    assert "start" not in site.plane.said


def test_a_bad_backup_is_refused_before_anything_is_touched(site: Site) -> None:
    site.plane.good = False
    operation = site.begun(OperationKind.RESTORE)
    site.foreman.turn(NEVER)
    assert site.ended(operation).code == "backup_damaged"
    assert site.plane.said == ["verify"]


def test_what_is_given_up_is_never_started_empty(site: Site) -> None:
    site.plane.fails["restore"] = [lasting()]
    operation = site.begun(OperationKind.RESTORE, snapshot=OLD, give_up_present=True)
    site.foreman.turn(NEVER)
    assert site.ended(operation).code == "archive_broken"
    assert (site.plane.content, site.plane.running) == ("", False)
    site.begun(OperationKind.RESTORE, snapshot=OLD, give_up_present=True)
    site.foreman.turn(NEVER)
    assert (site.plane.content, site.plane.running) == ("then", True)


@pytest.mark.parametrize("asked", [{"snapshot": "../x"}, {"snapshot": 1}, {"at": "now"}, {"give_up_present": "yes"}])
def test_a_restore_is_asked_for_by_a_name(site: Site, asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        site.begun(OperationKind.RESTORE, **asked)
    assert refused.value.code == "restore_request_invalid"


@pytest.mark.parametrize("fails", [False, True], ids=["well", "badly"])
@pytest.mark.parametrize("killed_at", range(1, 17))
def test_killed_anywhere_it_ends_as_one_or_the_other(killed_at: int, fails: bool) -> None:
    site = Site()
    operation = site.begun(OperationKind.RESTORE, snapshot=OLD)
    site.plane.killed_at = killed_at
    if fails:
        site.plane.fails["restore"] = [lasting()]
    for _ in range(3):
        try:
            site.foreman.turn(NEVER)
        except Killed:
            site.restart()
    ended = site.ended(operation)
    assert ended.status is not OperationStatus.RUNNING
    assert (site.plane.content, site.plane.running) == ("now" if ended.code else "then", True)
    assert site.plane.snapshots[PRESENT] == "now"
    assert site.plane.taking


# -- by themselves ---------------------------------------------------------------------------------------------------


def test_a_round_begins_what_is_due_and_nothing_twice(site: Site) -> None:
    assert site.daily.turn() == ["acme"]
    assert site.daily.turn() == []
    site.foreman.turn(NEVER)
    assert site.daily.turn() == []
    assert site.daily.ages() == {"acme": BackupAge(seconds=0.0, period_seconds=86_400.0, good=True)}
    site.clock.advance(37 * 3600)
    assert site.daily.turn() == ["acme"]
    assert site.daily.ages() == {"acme": BackupAge(seconds=37 * 3600.0, period_seconds=86_400.0, good=True)}


def test_one_that_fails_is_tried_again_later_and_its_age_goes_on(site: Site) -> None:
    site.plane.fails["take"] = [Unavailable("backup_target_full", "Full.", "")]
    site.daily.turn()
    site.foreman.turn(NEVER)
    assert site.daily.turn() == []
    site.clock.advance(16 * 60)
    assert site.daily.turn() == ["acme"]
    site.foreman.turn(NEVER)
    assert site.daily.ages() == {"acme": BackupAge(seconds=0.0, period_seconds=86_400.0, good=True)}


def test_what_cannot_be_begun_is_not_asked_at_every_look(site: Site) -> None:
    site.keeping = None
    assert site.daily.turn() == []
    site.keeping = Keeping(url="https://hel1.example/b/tenants/acme")
    assert site.daily.turn() == []
    site.clock.advance(16 * 60)
    assert site.daily.turn() == ["acme"]


def test_what_was_taken_is_listed_newest_first_and_shown_as_a_tree(site: Site) -> None:
    watching = Watching(site.store.unit_of_work, site.clock, site.foreman.stages)
    site.daily.turn()
    (running,) = site.operations.page()
    assert [(node.key, node.state) for node in watching.tree(running.operation_id).nodes] == [
        ("backup_prepared", State.EXPECTED),
        ("backup_taken", State.EXPECTED),
    ]
    assert listed(site.store.unit_of_work, site.clock, "acme") == []
    site.foreman.turn(NEVER)
    site.clock.advance(37 * 3600)
    site.plane.fails["take"] = [lasting()]
    site.daily.turn()
    site.foreman.turn(NEVER)
    failed, good = listed(site.store.unit_of_work, site.clock, "acme")
    assert good.operation.operation_id == running.operation_id
    assert good.facts["snapshot"]
    assert (failed.operation.status, failed.facts["snapshot"]) == (OperationStatus.FAILED, None)
    assert [node.state for node in watching.tree(failed.operation.operation_id).nodes[:2]] == [State.DONE, State.FAILED]
    assert listed(site.store.unit_of_work, site.clock, "acme", limit=1) == [failed]
    with pytest.raises(NotFound):
        listed(site.store.unit_of_work, site.clock, "nobody")
