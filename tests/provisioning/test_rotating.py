"""Tenants that stand: certificates brought to their hosts before they end, keys made anew while everything goes on."""

from __future__ import annotations

import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from msgspec.structs import replace

from control.registry_rows import change_tenant, prepared
from control.test_journal_contract import OWNER, audited, entry_row, run_row, write
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.doing.giving import nowhere
from frostbyte.control_plane.provisioning.doing.hosts import Files, reread
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.journal import Direction, EntryState, RunState
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.control_plane.provisioning.regiving import Regiving
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.steps import Action, Context, Step
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.rotating import Rotating, kind_of
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

SERVERS = {"gateway": ["203.0.113.7"], "channel": ["203.0.113.7"], "postgres": ["10.7.1.20", "postgres"]}
NEVER = threading.Event()


class Machines:
    """What was put on hosts and run there; one that is told to fails."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.said: list[str] = []
        self.fails: FrostbyteError | None = None

    def put(self, host: HostAddress, files: list[HostFile]) -> None:
        if self.fails is not None:
            raise self.fails
        self.said.append(f"put {host.name}")
        self.files.setdefault(host.name, {}).update({file.path: file.content for file in files})

    def run(self, host: HostAddress, script: str, *, seconds: float) -> str:
        self.said.append(f"run {host.name}: {script}")
        return ""


class Drawing:
    """Knows which services of a host have to be told."""

    def project(self, role: HostRole) -> Project:
        if role is HostRole.DB:
            return Project(folder="/opt/f", services=(), stores=(), tasks=(), reread=("postgres",), restart=("redis",))
        return Project(folder="/opt/f", services=(), stores=(), tasks=())


class Giving:
    """A host's certificates, as they are now."""

    kept = staticmethod(nowhere)

    def __init__(self, certificates: HostCertificates) -> None:
        self._certificates = certificates

    def files(self, step: Step, context: Context, around: Any) -> list[HostFile]:
        made = self._certificates.servers(context.owner, context.outcome("certificates").facts["servers"])
        return [
            HostFile(path=f"/opt/f/secrets/{name}.pem", content=one.certificate.encode()) for name, one in made.items()
        ]


class Noting:
    """Notes which steps were done once more."""

    def __init__(self, action: Action, machines: Machines) -> None:
        self._action, self._machines = action, machines

    def do(self, step: Step, context: Context) -> None:
        self._machines.said.append(f"{self._action} {step.spec['host']}")


class Office:
    """A control plane with one tenant that stands on two hosts."""

    def __init__(self, folder: Path) -> None:
        self.store, self.clock = MemoryRegistry(), ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.vault, self.machines = MemoryVault(), Machines()
        self.certificates = HostCertificates(Authorities(folder / "authorities", self.clock.now))
        told = Told(self.store.unit_of_work)
        files = Files(self.machines, told, Drawing(), Giving(self.certificates))  # type: ignore[arg-type]
        self.doings: dict[Action, Any] = {Action.FILES: files}
        self.doings |= {action: Noting(action, self.machines) for action in (Action.STORAGE, Action.DEPLOY)}
        self.regiving = Regiving(self.store.unit_of_work, "production", lambda owner: self, self.certificates)  # type: ignore[arg-type, return-value]
        self.operations = Operations(self.store.unit_of_work, self.clock)
        self.restart()
        self._stand()
        self.vault.seal(OWNER, {"postgres": "canary", "objects": "canary-objects"})

    def restart(self) -> None:
        """Another process of the control plane."""
        rotating = Rotating(self.store.unit_of_work, self.vault, self.certificates, self.regiving, self.clock)
        self.foreman = Foreman(self.store.unit_of_work, self.operations, self.clock, [rotating], first_pause=0.0)

    def _stand(self) -> None:
        (tenant,) = prepared(self.store)
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                tenant = change_tenant(uow, tenant, state=state)
                uow.commit()
        self.run = run_row(fence=1)
        write(self.store, lambda uow: uow.journal.begin(self.run))
        spec = {"via": [], "edge": "", "bastion": "", "peers": {}, "subnet": "", "egress": []}
        made: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
            ("server.db", "server", "server", {}, {}),
            ("certificates", "certificates", "", {}, {"servers": SERVERS}),
            ("storage", "storage", "", {**spec, "host": "db", "role": "db"}, {}),
            *((f"deploy.{host}", "deploy", "", {"host": host, "role": host}, {}) for host in ("gateway", "worker")),
            *((f"files.{host}", "files", "", {**spec, "host": host, "role": host}, {}) for host in ("gateway", "db")),
            *(
                (f"settle.{host}", "settle", "", {}, {"name": f"fb-{host}", "address": "10.7.1.9", "host_key": "k"})
                for host in ("gateway", "db")
            ),
        ]
        for position, (key, action, kind, what, facts) in enumerate(made):
            more: dict[str, Any] = {"action": action, "kind": kind, "spec": what, "position": position, "facts": facts}
            for state in (EntryState.INTENDED, EntryState.DONE):
                row = entry_row(self.run, key, **more, state=state, resource_id="7" if kind else "", name="fb-acme-db")
                write(self.store, lambda uow: audited(uow, row))  # noqa: B023  # called at once
        self.end_run()

    def end_run(self) -> None:
        ended = replace(self.run, state=RunState.SUCCEEDED, ended_at=self.clock.now(), holder="", leased_until=None)
        write(self.store, lambda uow: uow.journal.put_run(ended))

    def ends(self, host: str) -> set[datetime]:
        """When what a host shows ends."""
        files = self.machines.files[host].values()
        return {x509.load_pem_x509_certificate(content).not_valid_after_utc for content in files}

    def begun(self, kind: OperationKind = OperationKind.ROTATE_KEYS) -> Any:
        return self.foreman.begin("acme", kind, {}, actor="alice", reason="requested")

    def rotated(self) -> list[str]:
        """What the audit says was rotated."""
        with self.store.unit_of_work() as uow:
            events = uow.audit.unsequenced(1000)
        return [event.details["kind"] for event in events if event.type == EventType.KEY_ROTATED]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


# -- certificates before they end -----------------------------------------------------------------------------------


def test_hosts_get_their_certificates_once_and_again_when_they_are_due(office: Office) -> None:
    assert office.regiving.turn(NEVER) == [OWNER]
    first = office.ends("fb-db")
    office.machines.said.clear()
    assert office.regiving.turn(NEVER) == []
    assert office.machines.said == []
    office.clock.advance(timedelta(days=100).total_seconds())
    assert max(first) < office.clock.now()
    assert office.regiving.turn(NEVER) == [OWNER]
    for host in ("fb-gateway", "fb-db"):
        assert min(office.ends(host)) > office.clock.now() + timedelta(days=60)


def test_stores_come_first_and_are_told_what_they_do_not_see(office: Office) -> None:
    office.regiving.turn(NEVER)
    said, compose = office.machines.said, "docker compose --project-directory /opt/f"
    assert [line.partition(":")[0] for line in said] == ["put fb-db", "run fb-db", "put fb-gateway", "run fb-gateway"]
    assert said[1].endswith(f"{compose} kill --signal HUP postgres\n{compose} restart redis\n")
    assert "docker" not in said[3]


def test_the_script_writes_over_files_that_containers_hold(tmp_path: Path) -> None:
    """A container's file is the inode: another one under the same name would never be seen there."""
    project = Project(folder=str(tmp_path), services=(), stores=(), tasks=())
    secrets, fresh = tmp_path / "secrets", tmp_path / "fresh"
    secrets.mkdir()
    fresh.mkdir()
    for name, before, after in (("a.pem", "old", "new"), ("b.pem", "same", "same"), ("c.pem", "", "made")):
        if before:
            (secrets / name).write_text(before)
        (fresh / name).write_text(after)
    held = (secrets / "a.pem").open()
    stamp = (secrets / "b.pem").stat().st_mtime_ns
    subprocess.run(["sh", "-c", reread(project)], check=True)
    assert held.read() == "new"
    assert (secrets / "b.pem").stat().st_mtime_ns == stamp
    assert (secrets / "c.pem").read_text() == "made"
    assert not fresh.exists()


def test_a_host_that_does_not_answer_is_tried_again(office: Office) -> None:
    office.machines.fails = Unavailable("host_unreachable", "It does not answer.", "")
    assert office.regiving.turn(NEVER) == []
    office.machines.fails = None
    assert office.regiving.turn(NEVER) == [OWNER]


@pytest.mark.parametrize("away_at", [0, 1])
def test_a_registry_that_goes_away_between_two_looks_ends_no_loop(
    office: Office, monkeypatch: pytest.MonkeyPatch, away_at: int
) -> None:
    real, calls = office.store.unit_of_work, 0

    def opened() -> Any:
        nonlocal calls
        calls += 1
        if calls == away_at + 1:
            raise Unavailable("database_unavailable", "It is away.", "")
        return real()

    with monkeypatch.context() as patched:
        patched.setattr(office.regiving, "_unit_of_work", opened)
        assert office.regiving.standing() == []
    assert office.regiving.standing() == [OWNER]


@pytest.mark.parametrize("direction", [Direction.UP, Direction.DOWN])
def test_nothing_is_given_while_hosts_are_made_or_taken_away(office: Office, direction: Direction) -> None:
    write(office.store, lambda uow: uow.journal.begin(run_row(fence=5, direction=direction)))
    assert office.regiving.standing() == []
    assert office.regiving.turn(NEVER) == []
    assert office.machines.said == []


def test_a_change_that_was_turned_back_does_not_end_renewing(office: Office) -> None:
    office.run = run_row(fence=5)
    write(office.store, lambda uow: uow.journal.begin(office.run))
    back = replace(office.run, direction=Direction.BACK, code="cloud_quota")
    write(office.store, lambda uow: uow.journal.put_run(back))
    failed = replace(back, state=RunState.FAILED, ended_at=office.clock.now())
    write(office.store, lambda uow: uow.journal.put_run(failed))
    assert office.regiving.turn(NEVER) == [OWNER]


# -- rotations --------------------------------------------------------------------------------------------------------


def test_a_rotation_makes_all_keys_anew(office: Office) -> None:
    office.regiving.turn(NEVER)
    before, shown = office.vault.recipients(OWNER), dict(office.machines.files["fb-db"])
    office.clock.advance(60)
    operation = office.begun()
    office.foreman.turn(NEVER)
    assert office.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
    assert office.vault.recipients(OWNER) != before
    held = office.vault.open(OWNER)
    assert held["postgres"] == "canary"  # an administrator's
    assert held["objects"] != "canary-objects"
    for path, content in office.machines.files["fb-db"].items():
        assert content != shown[path]
    steps = [step.step for step in office.operations.steps(operation.operation_id)]
    assert steps == ["age_rotated", "certificates_made", "certificates_given", "credentials_given"]
    assert office.rotated() == ["age", "certificates", "credentials"]


@pytest.mark.parametrize(
    ("what", "rotated"),
    [
        ("age", ["age"]),
        ("certificates", ["certificates"]),
        ("credentials", ["credentials"]),
        ("all", ["age", "certificates", "credentials"]),
    ],
)
def test_only_what_was_asked_for(office: Office, what: str, rotated: list[str]) -> None:
    office.begun(kind_of(what))
    office.foreman.turn(NEVER)
    assert office.rotated() == rotated


def test_credentials_reach_hosts_then_stores_then_containers(office: Office) -> None:
    office.regiving.turn(NEVER)
    office.machines.said.clear()
    office.begun(kind_of("credentials"))
    office.foreman.turn(NEVER)
    said = [line for line in office.machines.said if not line.startswith("run")]
    assert said == ["put fb-db", "put fb-gateway", "storage db", "deploy worker", "deploy gateway"]


def test_credentials_are_made_once_whoever_carries_it_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = office.begun(kind_of("credentials"))

    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(office.regiving, "again", killed)
        with pytest.raises(Killed):
            office.foreman.turn(NEVER)
    made = office.vault.open(OWNER)["objects"]
    office.restart()
    office.foreman.turn(NEVER)
    assert office.vault.open(OWNER)["objects"] == made
    assert office.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


class Killed(BaseException):
    """A process that ends here."""


@pytest.mark.parametrize("stop_at", range(1, 13))
def test_a_rotation_is_carried_on_wherever_its_process_was_killed(
    office: Office, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    office.regiving.turn(NEVER)
    before = office.vault.recipients(OWNER)
    office.clock.advance(60)
    operation, calls = office.begun(), 0

    def killing(real: Any) -> Any:
        def one(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise Killed
            done = real(*arguments, **named)
            calls += 1
            if calls == stop_at:
                raise Killed
            return done

        return one

    with monkeypatch.context() as patched:
        for whose, name in (
            *((office.vault, "rotate"), (office.certificates, "renew"), (office.regiving, "renew")),
            (office.operations, "step"),
        ):
            patched.setattr(whose, name, killing(getattr(whose, name)))
        with pytest.raises(Killed):
            office.foreman.turn(NEVER)
    middle = office.vault.recipients(OWNER)
    office.restart()
    office.clock.advance(60)
    office.foreman.turn(NEVER)
    assert office.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED
    assert office.vault.recipients(OWNER) in ((middle,) if middle != before else (office.vault.recipients(OWNER),))
    assert office.vault.recipients(OWNER) != before
    assert set(office.rotated()) == {"age", "certificates", "credentials"}
    newest = office.certificates.servers(OWNER, SERVERS)
    assert {content.decode() for content in office.machines.files["fb-gateway"].values()} == {
        one.certificate for one in newest.values()
    }


def test_a_host_that_stays_away_ends_the_rotation_and_it_can_be_begun_anew(office: Office) -> None:
    office.machines.fails = Unavailable("host_unreachable", "It does not answer.", "")
    operation = office.begun()
    office.foreman.turn(NEVER)
    assert office.operations.show(operation.operation_id).code == "host_unreachable"
    office.machines.fails = None
    again = office.begun()
    office.foreman.turn(NEVER)
    assert office.operations.show(again.operation_id).status is OperationStatus.SUCCEEDED


def test_suspending_and_a_rotation_do_not_wait_for_each_other(office: Office) -> None:
    from frostbyte.control_plane.registry.states import Move

    operation = office.begun()
    office.operations.begin("acme", Move.SUSPEND, actor="alice", reason="incident")
    office.foreman.turn(NEVER)
    assert office.operations.show(operation.operation_id).status is OperationStatus.SUCCEEDED


def test_two_rotations_at_once_and_tenants_without_hosts_are_refused(office: Office) -> None:
    office.begun()
    with pytest.raises(Conflict) as refused:
        office.begun(OperationKind.ROTATE_AGE)
    assert refused.value.code == "operation_running"
    office.foreman.turn(NEVER)
    write(office.store, lambda uow: uow.journal.begin(run_row(fence=5, direction=Direction.DOWN)))
    with pytest.raises(Conflict) as refused:
        office.begun()
    assert refused.value.code == "tenant_moves"
    with pytest.raises(Conflict, match="Nothing that is called so"):
        kind_of("everything")


def test_nothing_of_a_rotation_shows_a_secret(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.begun()
    office.foreman.turn(NEVER)
    with office.store.unit_of_work() as uow:
        told = repr([event.details for event in uow.audit.unsequenced(1000)])
    said = told + repr(office.machines.said) + capsys.readouterr().out
    assert "canary" not in said
    assert "PRIVATE" not in said
    assert "age1" not in told
