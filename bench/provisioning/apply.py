"""How long a tenant's provisioning takes beside its critical path, and how many requests it sends.

    python -m bench.provisioning.apply [--speed 2] [--tenants 20]

The cloud is the simulated one over HTTP on loopback, with the latencies that people report of the real one
(world.latency.REALISTIC), its time running `--speed` times as fast as ours; the journal is a PostgreSQL on this host;
hosts are in memory, but boot, take files and start containers in the seconds below, at the same speed. Renderer, vault,
certificates and engine are the real ones. A tenant has a gateway, two workers, a database's server and a volume.

The critical path is computed, not measured: the longest way through the plan's steps, each as long as the one request
that does it, the actions of the cloud that follow, and what its host takes. Not in it are looking (before, after, while
waiting), the journal, and whatever we compute: so ours by the path says what all of that costs. Faster worlds make our
own work look larger: at speed 1 the ratio is the one of the real cloud.

Requests are all that the cloud got for a tenant, from planning to the last look; of many tenants at once also how many
were refused (429), where the project has 3,600 an hour.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from bench.table import Line, show
from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.adapters.hetzner.world.clock import RunningClock
from frostbyte.adapters.hetzner.world.driver import Machine as Made
from frostbyte.adapters.hetzner.world.driver import OnPaper
from frostbyte.adapters.hetzner.world.latency import NONE, REALISTIC, Latency
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.memory import Machine, MemoryHosts
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.api.hetzner.serving import Serving
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.doing import table
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.journal import Direction, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.planned import from_json
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action, Context, Outcome, Step
from frostbyte.control_plane.provisioning.workshop import Place, ProjectWorkshop
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.deploy.compose.options import IMAGES
from frostbyte.deploy.hosts.building import scripts
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock

BOOT, TOUCH, PUT, UP, TASK = 20.0, 0.5, 1.0, 10.0, 5.0
"""Seconds: from a start until a host has booted, a visit, files, containers until they are healthy, a task."""
ZONE: Final = "frostbyte.io"
ENVIRONMENT: Final = "production"
PROJECT: Final = "eu-1"
REQUEST: Final = {"workers": 2}
LIMIT: Final = 1.1
MOST_REQUESTS: Final = 60
RUNS: Final = 3


class Booting(OnPaper):
    """Which servers run, and since when."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[Machine, float]] = {}
        self._images = frozenset(map(_image, IMAGES))

    def started(self, machine: Made) -> None:
        known = Machine(
            machine_id=str(machine.server_id),
            user_data=machine.user_data,
            images=self._images,
            volume=next(
                (Attached(volume_id=str(one.volume_id), plain=bool(one.format)) for one in machine.disks), None
            ),
        )
        for address in (machine.public_ipv4, *(one.address for one in machine.interfaces)):
            if address:
                self.running[address] = (known, time.monotonic())

    def machine(self, host: HostAddress) -> Machine | None:
        """What runs at an address."""
        found = self.running.get(host.address)
        return found[0] if found else None


class SlowHosts(MemoryHosts):
    """Hosts that take their time."""

    def __init__(self, booting: Booting, real: Callable[[float], float]) -> None:
        super().__init__(booting.machine)
        self._booting, self._real = booting, real

    def settle(self, host: HostAddress, *, seconds: float) -> str:
        since = self._booting.running[host.address][1]
        time.sleep(max(0.0, since + self._real(BOOT) - time.monotonic()))
        return str(self._after(TOUCH, super().settle, host, seconds=seconds))

    def put(self, host: HostAddress, files: Any) -> None:
        return self._after(PUT, super().put, host, files)

    def images(self, host: HostAddress) -> frozenset[str]:
        return self._after(TOUCH, super().images, host)

    def up(self, host: HostAddress, folder: str, services: Any = (), *, seconds: float) -> None:
        return self._after(UP, super().up, host, folder, services, seconds=seconds)

    def task(self, host: HostAddress, folder: str, service: str, *, seconds: float) -> str:
        return self._after(TASK, super().task, host, folder, service, seconds=seconds)

    def _after(self, pause: float, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        time.sleep(self._real(pause))
        return call(*args, **more)


class Answering(HetznerDns):
    """Its name servers are the simulator's."""

    def __init__(self, calls: HcloudCalls, waiting: Waiting, world: World) -> None:
        super().__init__(calls, waiting)
        self._world = world

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        return tuple(sorted(self._world.answers(f"{name}.{zone}", type) or ()))


class Nothing:
    """The base's hosts are not what is measured."""

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        return Outcome()

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return


def _image(name: str) -> str:
    return f"sha256:{name.encode().hex():0<64}"


def length(step: Step, latency: Latency, tasks: int) -> float:
    """Seconds that a step cannot be shorter than, without what it waits for."""
    reply = latency.reply
    walled = latency.firewall if step.spec.get("firewalls") else 0.0
    return {
        Action.NETWORK: reply,
        Action.FIREWALL_SEEN: reply,
        Action.SERVER: reply + latency.create_server + walled,
        Action.JOIN: reply + latency.join,
        Action.VOLUME: reply + latency.create_volume,
        Action.ATTACH: reply + latency.attach,
        Action.START: reply + latency.start,
        Action.SETTLE: TOUCH,
        Action.FILES: PUT,
        Action.STORAGE: UP + tasks * TASK,
        Action.DEPLOY: UP,
        Action.RECORD: reply + latency.publish,
    }.get(step.action, 0.0)


def critical(plan: tuple[Step, ...], latency: Latency, tasks: int) -> float:
    """Seconds of the longest way through the plan."""
    ends: dict[str, float] = {}
    for step in plan:
        begins = max((ends[need] for need in step.needs), default=0.0)
        if step.action is Action.SETTLE:
            begins = max(begins, ends[f"start.{step.spec['host']}"] + BOOT)
        ends[step.key] = begins + length(step, latency, tasks)
    return max(ends.values())


class Bench:
    """A control plane's provisioner over a simulated cloud."""

    def __init__(
        self, folder: Path, world: World, booting: Booting, serving: Serving, registry: PostgresRegistry, speed: float
    ) -> None:
        self.world, self.registry, self.speed = world, registry, speed
        calls = HcloudCalls(serving.token, serving.endpoint)
        clock = SystemClock()
        real = world.clock.wait
        waiting = Waiting(calls, clock=lambda: time.monotonic() * speed, real=real)
        self.renderer = HostRenderer(rules, token)
        parts = table.World(
            cloud=HetznerCloud(calls, ENVIRONMENT, waiting),
            dns=Answering(calls, waiting, world),
            zone=ZONE,
            hosts=SlowHosts(booting, real),
            vault=MemoryVault(),
            renderer=self.renderer,
            certificates=HostCertificates(Authorities(folder / "authorities")),
            releases=lambda _: Release(images={name: _image(name) for name in IMAGES}),
            images=folder / "images",
            unit_of_work=registry.unit_of_work,
            clock=clock,
            seed=bytes(32),
            people=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBJX4vUL7zyPb1mZl8vyq1Hf4nZ9o1gkzq0Qm3o0o0o0 control",),
            control_keys=lambda: "control key\n",
            log_key=lambda way: Signer(bytes(32), f"frostbyte/{way.tenant_id}/plane").verifier_key,
            scripts=scripts(),
        )
        place = Place(
            domain=f"pipeline.{ZONE}",
            zone=ZONE,
            release="1.0",
            operators=("198.51.100.0/24",),
            images={"x86": "ubuntu-24.04"},
        )
        shop = ProjectWorkshop(parts, place)
        own = dict.fromkeys((Action.SECRETS, Action.FILES, Action.DEPLOY, Action.HANDOVER), Nothing())
        base = ProjectWorkshop(parts, place, own)
        self.runs = Provisioning(registry.unit_of_work, clock)
        self.operations = Operations(registry.unit_of_work, clock, self.runs)
        self.tenants = Tenants(registry.unit_of_work, clock)
        Projects(registry.unit_of_work, ENVIRONMENT, clock).create(PROJECT, actor="bench")
        self._engine = Engine(
            registry.unit_of_work,
            clock,
            lambda owner: shop if owner.tenant_id else base,
            holder="bench",
            pace=Pace(pause=lambda event, seconds: event.wait(real(seconds))),
        )

    def base(self) -> None:
        """What all tenants share."""
        self._carried(self.runs.begin_base(PROJECT, Direction.UP, {}, actor="bench").run_id)

    def tenant(self, tenant_id: str) -> float:
        """Provision one; seconds of the world."""
        self.tenants.create(tenant_id, PROJECT, actor="bench")
        began = time.perf_counter()
        operation = self.operations.begin(tenant_id, Move.PROVISION, actor="bench", reason="requested", request=REQUEST)
        self._carried(operation.operation_id)
        return (time.perf_counter() - began) * self.speed

    def _carried(self, run_id: UUID) -> None:
        run = self._engine.carry(run_id, threading.Event())
        if run is None or run.state is not RunState.SUCCEEDED:
            raise SystemExit(f"the run did not succeed: {run.code if run else 'interrupted'}")

    def path(self, tenant_id: str) -> float:
        """The critical path of its plan, in seconds of the world."""
        owner = Owner(environment=ENVIRONMENT, project_id=PROJECT, tenant_id=tenant_id)
        with self.registry.unit_of_work() as uow:
            run = uow.journal.runs(owner)[0]
        tasks = len(self.renderer.project(HostRole.DB).tasks)
        return critical(from_json(owner, run.plan).steps, REALISTIC, tasks)

    def counted(self) -> Mapping[int, int]:
        """Requests since the world began, by status."""
        statuses: dict[int, int] = {}
        for one in list(self.world.requests):
            statuses[one.status] = statuses.get(one.status, 0) + 1
        return statuses


def measured(folder: Path, speed: float, many: int) -> list[Line]:
    """One tenant after the other, then many at once."""
    booting = Booting()
    world = World(driver=booting, clock=RunningClock(speed), latency=NONE)
    with EmbeddedServer(folder / "postgres") as server, Serving(world) as serving:
        migrate(server.owner_dsn, packaged(Schema.CONTROL))
        with PostgresRegistry(server.writer_dsn, max_connections=24) as registry:
            bench = Bench(folder, world, booting, serving, registry, speed)
            world.call(serving.token, "POST", "/zones", {}, f'{{"name": "{ZONE}", "mode": "primary"}}'.encode())
            world.project().quotas.update({"servers": 10_000, "volumes": 10_000, "networks": 1000})
            bench.base()
            world.latency = REALISTIC
            return [*_one(bench), *_many(bench, many)]


def _one(bench: Bench) -> list[Line]:
    seconds, requests = [], []
    for number in range(RUNS):
        before = sum(bench.counted().values())
        seconds.append(bench.tenant(f"one{number}"))
        requests.append(sum(bench.counted().values()) - before)
    path, wall = bench.path("one0"), statistics.median(seconds)
    return [
        Line(
            measure="provision a tenant: gateway, 2 workers, db, volume",
            ours=wall,
            reference=path,
            unit="s",
            target=f"at most {LIMIT}x the critical path",
            met=wall <= LIMIT * path,
            note=f"reference: the critical path; {wall / path:.2f}x; seconds of the simulated cloud, median of {RUNS}",
        ),
        Line(
            measure="API requests of a provisioning",
            ours=max(requests),
            unit="requests",
            target=f"at most {MOST_REQUESTS}",
            met=max(requests) <= MOST_REQUESTS,
            note=f"the most of {RUNS}: {', '.join(map(str, requests))}",
        ),
    ]


def _many(bench: Bench, many: int) -> list[Line]:
    before = bench.counted()
    began = time.perf_counter()
    with ThreadPoolExecutor(many) as pool:
        slowest = max(pool.map(bench.tenant, [f"many{number}" for number in range(many)]))
    wall = (time.perf_counter() - began) * bench.speed
    after = bench.counted()
    requests, refused = sum(after.values()) - sum(before.values()), after.get(429, 0) - before.get(429, 0)
    return [
        Line(
            measure=f"provision {many} tenants at once",
            ours=wall,
            reference=bench.path("many0"),
            unit="s",
            target="",
            met=None,
            note=f"reference: the critical path of one; the slowest took {slowest:.0f} s",
        ),
        Line(
            measure=f"API requests of {many} provisionings at once",
            ours=requests,
            unit="requests",
            target="within 3,600 an hour, none refused",
            met=requests <= bench.world.requests_per_hour and refused == 0,
            note=f"{refused} refused (429), {requests / many:.1f} each",
        ),
    ]


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--speed", type=float, default=2.0)
    parser.add_argument("--tenants", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-") as folder:
        show(measured(Path(folder), given.speed, given.tenants))


if __name__ == "__main__":
    main()
