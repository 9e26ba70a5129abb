"""A tenant that stands on hosts in memory, with a plane whose database and processes behave as an update needs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from channel.plane_cases import PINNED
from control.registry_rows import change_tenant, prepared, tenant
from control.test_journal_contract import audited, run_row, write
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.hosts.memory import Machine, MemoryHosts
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.desired import release_order, standing_release
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Given, Project, Release, Surroundings
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import EndpointsRow, OperationKind, OperationRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.updating import Updating
from frostbyte.kernel.channel import PlaneUpkeep
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.records import Upkeep
from hosts.contract import public_key
from hosts.test_memory_hosts import user_data
from provisioning.planning import GROUND, NOW, carried_out, catalogue, wanted

FOLDER = "/opt/frostbyte"
OWNER = Owner(environment="production", project_id="north", tenant_id="acme")
BASE = Owner(environment="production", project_id="north")
NEVER = threading.Event()
SERVICES = {
    HostRole.GATEWAY: ("intake-gateway",),
    HostRole.WORKER: ("celery-worker",),
    HostRole.DB: ("postgres",),
}
IMAGES = ("intake-gateway", "celery-worker", "postgres")


class Killed(BaseException):
    """A process that ends here."""


class Doom:
    """Counts what is done to the world, and ends the process at one of them."""

    def __init__(self) -> None:
        self.count = self.at = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.at:
                raise Killed


def image(name: str, version: str) -> str:
    return f"sha256:{f'{name}{version}'.encode().hex():0<64}"[:71]


class Drawing:
    """Hosts run one service each, of the version's image."""

    def files(self, host: Surroundings, given: Given) -> list[HostFile]:
        tasks: dict[str, Any] = {"storage": {}}
        services = {name: {"image": given.images[name]} for name in self.images(host.role)} | tasks
        return [HostFile(path=f"{FOLDER}/docker-compose.yml", content=json.dumps({"services": services}).encode())]

    def project(self, role: HostRole) -> Project:
        stores = SERVICES[role] if role is HostRole.DB else ()
        return Project(folder=FOLDER, services=SERVICES[role], stores=stores, tasks=("storage",) if stores else ())

    def images(self, role: HostRole) -> tuple[str, ...]:
        return SERVICES[role]


class Hosts(MemoryHosts):
    """In which a database can be copied, and a gateway makes it its version's.

    Attributes:
        schema: of the database: the version that last started on it.
        copies: by their mark.
        broken: versions that do not start.
        sick: versions that start, and whose index does not answer.
        bytes: of the database.
        forgets: versions that do not hold what was held.
    """

    def __init__(self, machine: Callable[[HostAddress], Machine | None], doom: Doom) -> None:
        super().__init__(machine)
        self.doom = doom
        self.plane = MemoryPlane("acme", PINNED, clock=ManualClock())
        self.schema, self.copies = "1.0", dict[str, str]()
        self.broken, self.sick, self.forgets = set[str](), set[str](), set[str]()
        self.stays_away, self.bytes = False, 5 << 20
        self.runs: dict[str, str] = {}

    def _call(self, host: HostAddress, operation: str, act: Any) -> Any:
        self.doom()
        result = super()._call(host, operation, act)
        self.doom()
        return result

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        super().up(host, folder, services, seconds=seconds)
        described = json.loads(self.disk(host).files[f"{folder}/docker-compose.yml"].content)["services"]
        for name in services:
            version = next(one for one in ("1.0", "2.0") if described[name]["image"] == image(name, one))
            if name == "intake-gateway":
                self._gateway(host, version)
            self.runs[f"{host.name} {name}"] = version

    def _gateway(self, host: HostAddress, version: str) -> None:
        if version in self.broken:
            raise Conflict("host_command_failed", "It does not start.", "")
        if release_order(version) < release_order(self.schema):
            raise Conflict("host_command_failed", "The database is of a newer schema.", "")
        self.schema, self.plane.version = version, version
        self.plane.parts = {"index": "embedding_mismatch" if version in self.sick else "ok"}

    def stop(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        super().stop(host, folder, services, seconds=seconds)
        for name in services:
            self.runs.pop(f"{host.name} {name}", None)

    def task(self, host: HostAddress, folder: str, service: str, words: Sequence[str] = (), *, seconds: float) -> str:
        said = super().task(host, folder, service, words, seconds=seconds)
        if words:
            assert words[:2] == ("plane", "snapshot")
            if words[2] == "size":
                return json.dumps({"bytes": self.bytes})
            assert words[3:5] == ("acme", "--mark")
            self._copy(words[2], words[5])
        return said

    def _copy(self, verb: str, mark: str) -> None:
        frozen = self.plane.desk.state().upkeep is Upkeep.FROZEN
        if verb == "take":
            if set(self.copies) - {mark} or not frozen:
                raise Conflict("host_command_failed", "snapshot_left or plane_not_frozen", "")
            self.copies.setdefault(mark, self.schema)
        elif verb == "restore" and mark in self.copies:
            if not frozen:
                raise Conflict("host_command_failed", "plane_not_frozen", "")
            self.schema = self.copies.pop(mark)
        elif verb == "drop":
            self.copies.pop(mark, None)


class Channel:
    """The way to the plane, which answers while its gateway runs."""

    def __init__(self, hosts: Hosts, doom: Doom) -> None:
        self._hosts, self._doom = hosts, doom

    def upkeep(self, *, tried: bool = False) -> PlaneUpkeep:
        state = self._there().upkeep(tried=tried)
        if self._hosts.plane.version in self._hosts.forgets:
            state = replace(state, documents={**state.documents, "indexed": 7})
        return state

    def keep(self, upkeep: Upkeep, *, updated_to: str = "") -> PlaneUpkeep:
        plane = self._there()
        said = plane.keep(upkeep, updated_to=updated_to)
        self._doom()
        return said

    def _there(self) -> MemoryPlane:
        self._doom()
        if "fb-acme-gateway intake-gateway" not in self._hosts.runs or self._hosts.stays_away:
            raise Unavailable("plane_unreachable", "It does not answer.", "")
        return self._hosts.plane


class Site:
    """A control plane with one tenant that runs version 1.0 on three hosts."""

    def __init__(self, folder: Path, *, own: str = "2.0") -> None:
        self.doom, self.own = Doom(), own
        self.clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.store = MemoryRegistry()
        self.keys = {name: public_key() for name in ("bastion", "gateway", "worker-1", "db")}
        ids = frozenset(image(name, version) for name in IMAGES for version in ("1.0", "2.0"))
        self.machines = {
            f"fb-acme-{name}": Machine(machine_id=name, user_data=user_data(key), images=ids)
            for name, key in self.keys.items()
        }
        self.hosts = Hosts(lambda host: self.machines.get(host.name), self.doom)
        self.channel = Channel(self.hosts, self.doom)
        self.world = self._world(folder)
        self._stand()
        self.restart()

    def _world(self, folder: Path) -> World:
        nothing: Any = None
        drawing: Any = Drawing()
        return World(
            cloud=nothing,
            dns=nothing,
            zone="frostbyte.io",
            hosts=self.hosts,
            vault=MemoryVault(),
            renderer=drawing,
            certificates=HostCertificates(Authorities(folder / "authorities", self.clock.now)),
            releases=self.release,
            unit_of_work=self.store.unit_of_work,
            clock=self.clock,
            seed=bytes(32),
            people=(),
            control_keys=lambda: "key\n",
            log_key=lambda way: "",
            scripts=Scripts(install="", seal=""),
            images=folder / "images",
        )

    @staticmethod
    def release(version: str) -> Release:
        if version not in ("1.0", "2.0", "3.0"):
            raise Conflict("release_unknown", "Nobody knows it.", "Name another.")
        return Release(images={name: image(name, version) for name in IMAGES})

    def restart(self) -> None:
        """Another process of the control plane."""
        operations = Operations(self._tapped, self.clock)
        channels: Any = lambda row: self.channel  # noqa: E731
        duty = Updating(self._tapped, self.clock, lambda _: self.world, channels, self.release, self.own)
        self.foreman = Foreman(self._tapped, operations, self.clock, (duty,), first_pause=0)

    def _tapped(self) -> Any:
        """A unit of work whose commits may be the last thing that a process does."""
        uow = self.store.unit_of_work()
        doom = self.doom

        class Tapped:
            def __enter__(self) -> Any:
                self.inner = uow.__enter__()
                commit = self.inner.commit

                def tapped() -> None:
                    doom()
                    commit()
                    doom()

                self.inner.commit = tapped  # type: ignore[method-assign]
                return self.inner

            def __exit__(self, *error: Any) -> Any:
                return uow.__exit__(*error)

        return Tapped()

    def _stand(self) -> None:
        (row,) = prepared(self.store, tenant(octet=7))
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                row = change_tenant(uow, row, state=state)
                uow.endpoints.put(_endpoints())
                uow.commit()
        made = [
            replace(entry, project_id="north", facts={**entry.facts, **self._facts(entry)})
            for entry in carried_out(plan(wanted({}, on=GROUND), [], [], catalogue(), NOW))
        ]
        base = replace(
            next(entry for entry in made if entry.key == "settle.gateway"),
            tenant_id="",
            key="settle.bastion",
            facts=self._settled("bastion"),
        )
        for owner, entries in ((BASE, [base]), (OWNER, made)):
            run = run_row(owner, request={})
            write(self.store, lambda uow, run=run: uow.journal.begin(run))
            for entry in entries:
                for state in (EntryState.INTENDED, EntryState.DONE):
                    write(self.store, lambda uow, e=replace(entry, run_id=run.run_id, state=state): audited(uow, e))
            ended = replace(run, state=RunState.SUCCEEDED, ended_at=self.clock.now(), holder="", leased_until=None)
            write(self.store, lambda uow, ended=ended: uow.journal.put_run(ended))
        self._run_everything()

    def _settled(self, part: str) -> Mapping[str, Any]:
        return {"name": f"fb-acme-{part}", "address": "10.7.1.9", "host_key": self.keys[part]}

    def _facts(self, entry: EntryRow) -> Mapping[str, Any]:
        if entry.action == Action.SETTLE:
            return self._settled(entry.spec["host"])
        return {"servers": {"gateway": ["203.0.113.7"]}} if entry.action == Action.CERTIFICATES else {}

    def _run_everything(self) -> None:
        from frostbyte.control_plane.upkeep.plane_hosts import PlaneHosts

        hosts = PlaneHosts(self.world, OWNER, NEVER)
        hosts.give("1.0")
        hosts.start("1.0")
        self.hosts.plane.happen(5)

    # -- what tests do and look at -----------------------------------------------------------------------------------

    def begin(self, to: str = "2.0", **more: Any) -> OperationRow:
        return self.foreman.begin("acme", OperationKind.UPDATE, {"to": to, **more}, actor="alice", reason="requested")

    def carried(self, operation: OperationRow) -> OperationRow:
        """To its end, whatever comes in between."""
        for _ in range(20):
            try:
                self.foreman.turn(NEVER)
                break
            except Killed:
                self.doom.at = 0
                self.restart()
        with self.store.unit_of_work() as uow:
            found = uow.operations.get(operation.operation_id)
        assert found is not None
        return found

    def steps(self, operation: OperationRow) -> list[str]:
        with self.store.unit_of_work() as uow:
            return [
                row.step + (f" {row.code}" if row.code else "") for row in uow.operations.steps(operation.operation_id)
            ]

    @property
    def journal(self) -> str:
        """The version that the journal says."""
        with self.store.unit_of_work() as uow:
            entries = uow.journal.entries(OWNER)
            says = {entry.spec["release"] for entry in entries if "release" in entry.spec}
        assert says == {standing_release(entries)}
        return standing_release(entries)

    def asked_release(self) -> str:
        with self.store.unit_of_work() as uow:
            return str(uow.journal.runs(OWNER)[0].request.get("release", ""))

    def told(self) -> list[dict[str, Any]]:
        """What the plane's own log says of updates."""
        self.hosts.plane.sequencer.run_once()
        events = [json.loads(line)["event"] for line in self.hosts.plane.events(-1, 100).splitlines()]
        return [event["details"] for event in events if event["type"] == "TENANT_UPDATED"]

    def well(self, version: str) -> None:
        """Everything is of one version, open, with its data, and nothing is left of an update."""
        assert set(self.hosts.runs.values()) == {version}
        assert len(self.hosts.runs) == 3
        assert self.hosts.schema == version
        assert self.hosts.plane.desk.state().upkeep is Upkeep.OPEN
        assert self.hosts.copies == {}
        assert self.journal == version
        files = [
            disk.files[f"{FOLDER}/docker-compose.yml"].content for disk in self.hosts._disks.values() if disk.files
        ]
        assert all(image(name, version).encode() in b"".join(files) for name in IMAGES)


def _endpoints() -> EndpointsRow:
    return EndpointsRow(
        tenant_id="acme",
        gateway_url="https://203.0.113.7:8080",
        channel_url="https://203.0.113.7:8443",
        ca_pem="",
        log_key="",
        registered_at=NOW,
    )
