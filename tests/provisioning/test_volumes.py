"""Encrypted volumes: what their step does, whatever it finds, and a rebooted host that comes back without a person."""

from __future__ import annotations

import threading
from dataclasses import replace as with_facts
from typing import Any

import pytest
from msgspec.structs import replace

from control.registry_rows import operation, prepared
from control.test_journal_contract import OWNER, audited, entry_row, run_row, write
from frostbyte.adapters.hosts.memory import Fault, Machine, MemoryHosts
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.doing.volumes import KEY, Unlock
from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM, Project
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.control_plane.provisioning.regiving import Standing
from frostbyte.control_plane.provisioning.resources import LUKS, VOLUME, Found, HostRole, Kind
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Step
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.control_plane.upkeep.unlocking import Reach, Unlocking
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable
from hosts.contract import public_key

FOLDER = "/opt/frostbyte"
COMPOSE = b"services: {postgres: {image: 'x'}, redis: {image: 'x'}}\n"
FIRST = public_key()
NEVER = threading.Event()
SPEC = {"host": "db", "role": "db", "server": "server.db", "address": "10.7.1.20", "via": [], "volume": "volume"}
STEP = Step(key="unlock", action=Action.UNLOCK, needs=("settle.db", "volume"), spec=SPEC)


class Yard:
    """A cloud with one volume, at a host of one tenant that stands; implements what of Cloud and Renderer is asked."""

    def __init__(self) -> None:
        self.store, self.clock, self.vault = MemoryRegistry(), ManualClock(), MemoryVault()
        self.labels = OWNER.labels(run_row().run_id, "volume")
        self.machine = Machine(
            machine_id="1",
            user_data=f"ssh_keys: {{ed25519_public: {FIRST}}}",
            volume=Attached(volume_id="7", plain=False),
            boot="1",
        )
        self.hosts = MemoryHosts(lambda host: self.machine)
        prepared(self.store)
        self.run = run_row(fence=1)
        own = self.hosts.settle(HostAddress(name="fb-acme-db", address="10.7.1.20", host_key=FIRST), seconds=1)
        self.settled = {"name": "fb-acme-db", "address": "10.7.1.20", "host_key": own}
        self.host = HostAddress(name="fb-acme-db", address="10.7.1.20", host_key=own)
        self.hosts.put(self.host, [HostFile(path=f"{FOLDER}/docker-compose.yml", content=COMPOSE)])
        self.unlock = Unlock(self, self.hosts, Told(self.store.unit_of_work), self.vault)  # type: ignore[arg-type]
        self.unlocking = Unlocking(self.store.unit_of_work, self.clock, lambda: [OWNER], self.reach)

    def show(self, kind: Kind, resource_id: str) -> Found | None:
        assert (kind, resource_id) == (Kind.VOLUME, "7")
        return Found(kind=kind, resource_id="7", name="fb-acme-data", labels=self.labels)

    def label(self, kind: Kind, resource_id: str, labels: dict[str, str]) -> None:
        self.labels = labels

    def project(self, role: HostRole) -> Project:
        return Project(folder=FOLDER, services=("postgres", "redis"), stores=("postgres", "redis"), tasks=())

    def reach(self, owner: Any) -> Reach:
        return Reach(hosts=self.hosts, vault=self.vault, renderer=self)  # type: ignore[arg-type]

    @property
    def context(self) -> Standing:
        done = {"settle.db": Outcome(facts=self.settled), "volume": Outcome(resource_id="7")}
        return Standing(OWNER, self.run.run_id, done, NEVER)

    def done(self) -> Outcome:
        outcome = self.unlock.do(STEP, self.context)
        self.unlock.verify(STEP, outcome, self.context)
        return outcome

    def stand(self) -> None:
        """As a run that provisioned the tenant leaves it."""
        outcome = self.done()
        self.hosts.up(self.host, FOLDER, seconds=1)
        write(self.store, lambda uow: uow.journal.begin(self.run))
        for position, (key, action, spec, facts) in enumerate(
            (("settle.db", "settle", {}, self.settled), ("unlock", "unlock", SPEC, dict(outcome.facts)))
        ):
            for state in (EntryState.INTENDED, EntryState.DONE):
                row = entry_row(
                    self.run, key, action=action, kind="", spec=spec, position=position, facts=facts, state=state
                )
                write(self.store, lambda uow: audited(uow, row))  # noqa: B023  # called at once
        ended: dict[str, Any] = {"state": RunState.SUCCEEDED, "ended_at": self.clock.now()}
        write(self.store, lambda uow: uow.journal.put_run(replace(self.run, **ended)))

    def boot(self) -> None:
        self.machine = with_facts(self.machine, boot=self.machine.boot + "1")

    @property
    def running(self) -> dict[str, list[str]]:
        self.hosts.run(self.host, ":", seconds=1)
        return self.hosts.disk(self.host).running

    def events(self) -> list[str]:
        with self.store.unit_of_work() as uow:
            return [event.type for event in uow.audit.unsequenced(100)]


@pytest.fixture
def yard() -> Yard:
    return Yard()


def test_an_empty_volume_is_encrypted_with_a_key_of_the_vault_and_its_label_says_so(yard: Yard) -> None:
    assert yard.done().facts == {"volume": "7"}
    assert len(yard.vault.open(OWNER)[KEY]) == 43
    assert yard.labels[VOLUME] == LUKS
    assert OWNER.owns(yard.labels)
    assert yard.hosts.disk(yard.host).ran[-2] == f"{VOLUME_PROGRAM} make"


def test_done_again_it_is_opened_and_never_made(yard: Yard) -> None:
    yard.done()
    yard.boot()
    yard.done()
    words = [line.split()[-1] for line in yard.hosts.disk(yard.host).ran]
    assert words == ["make", "state", "open", "state"]


@pytest.mark.parametrize("done", [False, True])
def test_an_answer_that_was_lost_changes_nothing(yard: Yard, done: bool) -> None:
    yard.hosts.faults.append(Fault("host_unreachable", operation="ask", done=done))
    with pytest.raises(Unavailable):
        yard.done()
    key = yard.vault.open(OWNER)[KEY]
    yard.boot()
    yard.done()
    assert yard.vault.open(OWNER)[KEY] == key
    assert yard.labels[VOLUME] == LUKS


def test_a_volume_that_lost_its_contents_is_not_made_anew(yard: Yard) -> None:
    yard.done()
    yard.machine = with_facts(yard.machine, boot="9", volume=Attached(volume_id="8", plain=False))
    with pytest.raises(Conflict, match="not encrypted but empty"):
        yard.done()


def test_without_its_key_nothing_is_tried(yard: Yard) -> None:
    yard.done()
    yard.vault.destroy(OWNER)
    yard.boot()
    with pytest.raises(FrostbyteError) as caught:
        yard.done()
    assert caught.value.code == "volume_key_missing"
    assert yard.hosts.disk(yard.host).ran[-1].endswith("state")


def test_a_rebooted_host_comes_back_without_a_person(yard: Yard) -> None:
    yard.stand()
    assert yard.unlocking.turn(NEVER) == []
    yard.boot()
    assert yard.running == {}
    assert yard.unlocking.turn(NEVER) == ["acme/db"]
    assert yard.running == {FOLDER: ["postgres", "redis"]}
    assert yard.events().count("VOLUME_OPENED") == 1
    assert yard.unlocking.turn(NEVER) == []


def test_a_host_that_boots_is_asked_again_and_one_that_was_half_opened_is_finished(yard: Yard) -> None:
    yard.stand()
    yard.boot()
    for call, done in (("ask", False), ("up", False)):
        yard.hosts.faults.append(Fault("host_unreachable", operation=call, done=done))
        assert yard.unlocking.turn(NEVER) == []
    yard.unlocking.turn(NEVER)
    assert yard.running == {FOLDER: ["postgres", "redis"]}


def test_while_somebody_works_on_the_tenant_it_is_opened_and_nothing_is_started(yard: Yard) -> None:
    """An update has stopped services and copies the database: who brought them up meanwhile would write there."""
    yard.stand()
    yard.boot()
    duty = operation(kind=OperationKind.UPDATE)
    write(yard.store, lambda uow: uow.operations.add(duty))
    assert yard.unlocking.turn(NEVER) == ["acme/db"]
    assert yard.running == {}
    ended = replace(duty, status=OperationStatus.SUCCEEDED, ended_at=yard.clock.now())
    write(yard.store, lambda uow: uow.operations.end(ended))
    yard.unlocking.turn(NEVER)
    assert yard.running == {FOLDER: ["postgres", "redis"]}


def test_a_key_is_given_only_when_the_audit_can_tell(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.stand()
    yard.boot()

    def refuse(*_: Any) -> None:
        raise Unavailable("database_unavailable", "It is away.")

    monkeypatch.setattr(yard.unlocking, "_tell", refuse)
    assert yard.unlocking.turn(NEVER) == []
    assert yard.hosts.ask(yard.host, [VOLUME_PROGRAM, "state"], seconds=1) == "locked\n"


def test_nothing_says_the_key(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.stand()
    key = yard.vault.open(OWNER)[KEY]
    yard.boot()
    yard.unlocking.turn(NEVER)
    with yard.store.unit_of_work() as uow:
        told = repr([event.details for event in uow.audit.unsequenced(100)]) + repr(uow.journal.entries(OWNER))
    assert key not in told + repr(yard.hosts.disk(yard.host)) + capsys.readouterr().out
