"""A tenant that stands, in this process: the real engine, duties, renderer and client of the cloud; a simulated cloud,
hosts and a registry in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.world.world import World as Sky
from frostbyte.adapters.hosts.memory import Disk, Machine, MemoryHosts
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules as queue_rights
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.desk import Desk
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.ports import HostAddress, ProvisioningFactory
from frostbyte.control_plane.provisioning.regiving import Regiving
from frostbyte.control_plane.provisioning.resources import Found, HostRole, Kind, Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action, Context, Doing, Outcome, Step
from frostbyte.control_plane.provisioning.workshop import Place, ProjectWorkshop
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.repairing import Means, Repairing
from frostbyte.control_plane.upkeep.scaling import Scaling
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock

ENVIRONMENT: Final = "production"
PROJECT: Final = "north"
ZONE: Final = "frostbyte.io"
BASE: Final = Owner(environment=ENVIRONMENT, project_id=PROJECT)
ACME: Final = Owner(environment=ENVIRONMENT, project_id=PROJECT, tenant_id="acme")
FOLDER: Final = "/opt/frostbyte"
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBJX4vUL7zyPb1mZl8vyq1Hf4nZ9o1gkzq0Qm3o0o0o0 control"
NEVER: Final = threading.Event()


class Nothing:
    """What the base's hosts are given has tests of its own."""

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        return Outcome()

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return


class Dns(HetznerDns):
    """Whose name servers are the simulated cloud's."""

    def __init__(self, calls: WorldCalls, sky: Sky) -> None:
        super().__init__(calls, waiting_in(sky, calls))
        self._sky = sky

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        return tuple(sorted(self._sky.answers(f"{name}.{zone}", type) or ()))


class Killed(BaseException):
    """A process that ends here."""


class Taps:
    """What is done to the world, counted; a process ends at one of them.

    Attributes:
        said: what was done, in order.
        kill_at: the n-th; 0 for none.
        journal: whether what is written down counts as well.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.kill_at, self.journal = 0, False
        self._lock = threading.Lock()

    def __call__(self, what: str) -> None:
        with self._lock:
            self.said.append(what)
            dead = 0 < self.kill_at <= len(self.said)
        if dead:
            raise Killed

    def around(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, with a tap before and after it; of a host's, with the host's name."""

        def tapped(*given: Any, **named: Any) -> Any:
            host = f" {given[0].name.removeprefix('fb-acme-')}" if given and isinstance(given[0], HostAddress) else ""
            self(f"before {what}{host}")
            result = call(*given, **named)
            self(f"after {what}{host}")
            return result

        return tapped

    def on(self, whose: Any, *names: str) -> None:
        """Tap calls of an object."""
        for name in names:
            setattr(whose, name, self.around(name, getattr(whose, name)))

    def commits(self, open_one: ProvisioningFactory) -> ProvisioningFactory:
        """The same units of work, with a tap around each commit."""

        @contextmanager
        def opened() -> Iterator[Any]:
            with open_one() as uow:
                if self.journal:
                    uow.commit = self.around("commit", uow.commit)  # type: ignore[method-assign]
                yield uow

        return opened

    def before(self, *whats: str) -> list[str]:
        """What was begun of these, in order."""
        return [one.removeprefix("before ") for one in self.said if one.startswith(tuple(f"before {w}" for w in whats))]


class StandingSite:
    """A control plane with a base, and the tenant acme in it.

    Args:
        folder: of authorities.
        threads: steps at once.

    Attributes:
        taps: what is done to cloud and hosts.
        log_key: what the plane says that its log is known by.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.sky, self.clock, self.registry, self.taps = Sky(), SystemClock(), MemoryRegistry(), Taps()
        calls = WorldCalls(self.sky, self.sky.token())
        waiting = waiting_in(self.sky, calls)
        waiting.pause = lambda seconds: None  # type: ignore[method-assign]
        self.cloud = HetznerCloud(calls, ENVIRONMENT, waiting)
        calls.ask("POST", "/zones", body={"name": ZONE, "mode": "primary"})
        self.hosts = MemoryHosts(self._machine)
        self.vault, self.renderer = MemoryVault(), HostRenderer(queue_rights, token)
        self.certificates = HostCertificates(Authorities(folder / "authorities"))
        self.log_key = Signer(bytes(32), "frostbyte/acme/plane").verifier_key
        self.unit_of_work = self.taps.commits(self.registry.unit_of_work)
        Projects(self.unit_of_work, ENVIRONMENT, self.clock).create(PROJECT, actor="alice")
        Tenants(self.unit_of_work, self.clock).create("acme", PROJECT, actor="alice")
        self.world = World(
            cloud=self.cloud,
            dns=Dns(calls, self.sky),
            zone=ZONE,
            hosts=self.hosts,
            vault=self.vault,
            renderer=self.renderer,
            certificates=self.certificates,
            releases=release,
            unit_of_work=self.unit_of_work,
            clock=self.clock,
            seed=bytes(32),
            people=(KEY,),
            control_keys=lambda: "frostbyte/control+00000000+AAAA\n",
            log_key=lambda way: self.log_key,
            scripts=Scripts(install="true", seal="true"),
            images=folder / "images",
        )
        self.place = Place(
            domain=f"pipeline.{ZONE}",
            zone=ZONE,
            release="1.0",
            operators=("198.51.100.0/24",),
            images={"x86": "ubuntu-24.04"},
        )
        self.pace = Pace(threads=threads, late_seconds=0.0, pause=lambda event, seconds: None)
        self.base_shop = ProjectWorkshop(
            self.world, self.place, dict.fromkeys((Action.FILES, Action.DEPLOY, Action.HANDOVER), Nothing())
        )
        self.restart()
        self.taps.on(
            self.cloud,
            *("create_server", "join", "attach", "detach", "start", "stop", "shut_down", "change_type"),
            *("resize_volume", "delete", "create_volume"),
        )
        self.taps.on(self.hosts, "settle", "put", "read", "up", "task", "stop", "down", "run", "ask")
        run = self.runs.begin_base(PROJECT, Direction.UP, {}, actor="alice")
        assert self.carried(run).state is RunState.SUCCEEDED

    def restart(self, more: Mapping[Action, Doing] | None = None) -> None:
        """Another process of the control plane."""
        self.taps.kill_at, self.taps.said = 0, []
        self.shop = ProjectWorkshop(self.world, self.place, more)
        self.runs = Provisioning(self.unit_of_work, self.clock)
        self.operations = Operations(self.unit_of_work, self.clock, self.runs)
        self.planner = Planner(
            self.unit_of_work,
            lambda _: self.cloud,
            lambda _: self.world.dns,
            lambda _, base: self.place.ground(base),
            self.clock,
        )
        self.desk = Desk(self.unit_of_work, self.planner, self.runs, self.operations)
        self.engine = Engine(
            self.unit_of_work,
            self.clock,
            lambda owner: self.shop if owner.tenant_id else self.base_shop,
            holder="control",
            pace=self.pace,
        )
        self.foreman = Foreman(
            self.unit_of_work,
            self.operations,
            self.clock,
            (
                Scaling(Carried(self)),  # type: ignore[arg-type]
                Repairing(
                    self.unit_of_work,
                    self.planner.drift,
                    Carried(self),  # type: ignore[arg-type]
                    Regiving(self.unit_of_work, ENVIRONMENT, lambda owner: self.shop, self.certificates),
                    lambda owner: Means(cloud=self.cloud, hosts=self.hosts),
                ),
            ),
            first_pause=0.0,
        )

    def _machine(self, host: HostAddress) -> Machine | None:
        for one in self.sky.projects.values():
            for server in one.servers.values():
                public = one.primary_ips[server.ipv4].ip if server.ipv4 else ""
                known = {public, *(net.ip for net in server.private)}
                if server.name == host.name and host.address in known and server.status == "running":
                    held = next((volume for volume in one.volumes.values() if volume.server == server.id), None)
                    return Machine(
                        machine_id=str(server.id),
                        user_data=server.user_data,
                        boot=str(server.starts),
                        volume=Attached(volume_id=str(held.id), plain=held.format is not None) if held else None,
                    )
        return None

    def carried(self, run: RunRow) -> RunRow:
        """A run to its end, in this life of the process."""
        ended = self.engine.carry(run.run_id, NEVER)
        assert ended is not None
        return ended

    # -- the tenant ---------------------------------------------------------------------------------------------------

    def stand(self, **request: Any) -> None:
        """Provision acme and take it into service."""
        operation = self.desk.begin("acme", Move.PROVISION, request, actor="alice", reason="requested")
        with self.unit_of_work() as uow:
            run = uow.journal.run(operation.operation_id)
        assert run is not None
        assert self.carried(run).state is RunState.SUCCEEDED, self.told(operation)
        self.operations.end(operation.operation_id)
        assert self.state() is TenantState.ACTIVE
        self.taps.said.clear()

    def scale(self, **request: Any) -> OperationRow:
        """Ask for other hosts, and carry that out."""
        return self.done(self.begun(**request))

    def begun(self, **request: Any) -> OperationRow:
        """Ask for other hosts."""
        return self.foreman.begin("acme", OperationKind.SCALE, request, actor="alice", reason="requested")

    def done(self, operation: OperationRow) -> OperationRow:
        """As it ended."""
        self.foreman.turn(NEVER)
        return self.operations.show(operation.operation_id)

    def state(self) -> TenantState:
        with self.unit_of_work() as uow:
            row = uow.tenants.get("acme")
        assert row is not None
        return row.state

    def told(self, operation: OperationRow) -> list[tuple[str, str, str]]:
        """The steps that watchers see, which have ended."""
        rows = self.operations.steps(operation.operation_id)
        return [(row.step, row.status.value, row.code) for row in rows if row.status.value != "running"]

    def entries(self) -> dict[str, EntryRow]:
        with self.unit_of_work() as uow:
            return {row.key: row for row in uow.journal.entries(ACME) if row.state is not EntryState.GONE}

    def servers(self) -> dict[str, Found]:
        """Acme's, by part."""
        found = [one for one in self.cloud.observe(ACME) if one.kind is Kind.SERVER]
        return {one.name.removeprefix("fb-acme-"): one for one in found}

    def volume(self) -> Found:
        """Acme's only one."""
        (found,) = [one for one in self.cloud.observe(ACME) if one.kind is Kind.VOLUME]
        return found

    def disk(self, part: str) -> Disk:
        """What one of acme's machines holds."""
        facts = self.entries()[f"settle.{part}"].facts
        return self.hosts.disk(HostAddress(name=facts["name"], address=facts["address"], host_key=facts["host_key"]))

    def stands(self) -> None:
        """Everything that the journal tells of is there and as it should be, and serves."""
        assert self.planner.drift("acme") == []
        assert all(row.state is EntryState.DONE for row in self.entries().values())
        servers = self.servers()
        assert {f"server.{part}" for part in servers} == {key for key in self.entries() if key.startswith("server.")}
        for part, server in servers.items():
            role = HostRole(self.entries()[f"server.{part}"].spec["role"])
            running = set(self.disk(part).running.get(FOLDER, ()))
            assert running >= set(self.renderer.project(role).services), f"{part} runs {running}"
            rules = self.disk(part).files["/etc/frostbyte/firewall.nft"].content.decode()
            for other in servers.values():
                private = other.facts["private_address"]
                if other is not server and role is not HostRole.WORKER and "worker" in other.name:
                    assert private in rules, f"{part} does not know {other.name}"
        planned = self.desk.plan("acme").plan
        left = {key: one for key, one in planned.facts["standings"].items() if one != "done"}
        assert not left, left
        assert planned.facts["surplus"] == [] or all(key.startswith("drain.") for key in planned.facts["surplus"])


class Carried:
    """Runs that are carried out by whoever asks how far they are: there is no other thread."""

    def __init__(self, site: StandingSite) -> None:
        self._site = site

    def change(self, operation: OperationRow, request: Mapping[str, Any]) -> RunRow:
        run = self._site.runs.change(operation, request)
        return self._site.carried(run) if run.state is RunState.RUNNING else run


@cache
def release(version: str) -> Release:
    """What every version runs here."""
    names = HostRenderer(lambda tenant: (), lambda *words: "").images(HostRole.SINGLE)
    return Release(images={name: f"frostbyte/{name}:{version}" for name in names})
