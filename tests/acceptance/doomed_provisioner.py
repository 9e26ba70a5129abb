"""Provisioners that may be killed: this program loads everything once, then forks a process for each job it is given.

A job is a line of JSON on standard input, its answer one on standard output. Each child has the real adapter of the
cloud, a real PostgreSQL and everything else on disk, so that the next one finds what it left. It counts each HTTP
request and each commit, before and after, and kills itself with SIGKILL at the one that it was told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.waiting import AT_ONCE, Waiting
from frostbyte.adapters.hosts.memory import Machine, MemoryHosts
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Given, HostKey, Project, Release, Surroundings
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile, ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action, Context, Outcome, Step
from frostbyte.control_plane.provisioning.workshop import Place, ProjectWorkshop
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import FrostbyteError

IMAGES = ("api", "worker", "postgres")
FOLDER = "/opt/frostbyte"
EMPTIED = json.dumps({"removed": ["database: all of it"], "checked_empty": ["database"]})
SPEED = 1000.0
"""How much shorter pauses between tries are here."""


class PaperRenderer:
    """What hosts are told and given, as little as it can be: the texts themselves have tests of their own."""

    def user_data(self, host: Surroundings, key: HostKey, people: Sequence[str]) -> str:
        return json.dumps({"ssh_keys": {"ed25519_public": key.public, "ed25519_private": key.private}})

    def files(self, host: Surroundings, given: Given) -> list[HostFile]:
        tasks: dict[str, Any] = {"storage": {}, "empty": {}}
        services = {name: {"image": given.images[name]} for name in self.images(host.role)} | tasks
        return [
            HostFile(path=f"{FOLDER}/docker-compose.yml", content=json.dumps({"services": services}).encode()),
            HostFile(path=f"{FOLDER}/secret", content=given.secrets["password"].encode(), mode=0o400),
        ]

    def project(self, role: HostRole) -> Project:
        stores = ("postgres",) if role in (HostRole.DB, HostRole.SINGLE) else ()
        return Project(
            folder=FOLDER,
            services=self.images(role),
            stores=stores,
            tasks=("storage",) if stores else (),
            erasing="empty" if stores else "",
        )

    def images(self, role: HostRole) -> tuple[str, ...]:
        return {HostRole.GATEWAY: ("api",), HostRole.WORKER: ("worker",), HostRole.DB: ("postgres",)}.get(
            role, ("api", "worker", "postgres")
        )

    def growing(self, size_gb: int) -> tuple[str, str]:
        return "true\n", "true\n"

    def secrets(self) -> tuple[str, ...]:
        return ("password",)

    def certificates(self, hosts: Mapping[str, str], public_address: str) -> dict[str, tuple[str, ...]]:
        return {"gateway": (public_address,)}


def image(name: str) -> str:
    """The id of an image that every host here has."""
    return f"sha256:{name.encode().hex():0<64}"


class Taps:
    """Counts what a provisioner does to the world, and ends it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self._lock = threading.Lock()
        self.said: list[str] = []

    def __call__(self, when: str, method: str, path: str) -> None:
        with self._lock:
            self.said.append(f"{when} {method} {path}")
            if len(self.said) == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def tapped(self, open_one: ProvisioningFactory) -> ProvisioningFactory:
        """The same units of work, with a tap around each commit."""

        @contextmanager
        def opened() -> Iterator[Any]:
            with open_one() as uow:
                commit = uow.commit

                def tapped_commit() -> None:
                    self("before", "COMMIT", "")
                    commit()
                    self("after", "COMMIT", "")

                uow.commit = tapped_commit  # type: ignore[method-assign]
                yield uow

        return opened


class DiskVault:
    """A vault in plain files: what is proved here is not how it seals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def _file(self, owner: Owner) -> Path:
        return self._folder / f"{owner.project_id}.{owner.tenant_id or '-'}.json"

    def recipients(self, owner: Owner) -> tuple[str, ...]:
        return (f"age1{owner.label}",)

    def sealed(self, owner: Owner) -> bool:
        return self._file(owner).exists()

    def open(self, owner: Owner) -> dict[str, str]:
        path = self._file(owner)
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def keep(self, owner: Owner, values: Mapping[str, str]) -> dict[str, str]:
        with self._lock:
            self.seal(owner, {**values, **self.open(owner)})
            return self.open(owner)

    def seal(self, owner: Owner, values: Mapping[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._file(owner).with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(dict(values)))
        part.replace(self._file(owner))

    def holds(self, owner: Owner) -> tuple[str, ...]:
        return ("sealed secrets",) if self.sealed(owner) else ()

    def rotate(self, owner: Owner, turn: str) -> str:
        raise NotImplementedError

    def destroy(self, owner: Owner) -> tuple[str, ...]:
        there = self._file(owner).exists()
        self._file(owner).unlink(missing_ok=True)
        return ("sealed secrets",) if there else ()


class AnsweringDns(HetznerDns):
    """Whose name servers are the simulator's: they are asked beside the API, as real ones are."""

    def __init__(self, calls: HcloudCalls, waiting: Waiting, base: str) -> None:
        super().__init__(calls, waiting)
        self._base = base

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        asked = urllib.parse.urlencode({"name": f"{name}.{zone}", "type": type})
        with urllib.request.urlopen(f"{self._base}/_simulator/answers?{asked}", timeout=10) as reply:
            return tuple(sorted(json.load(reply)["values"] or ()))


class Nothing:
    """What the base's hosts are given is made by commands that have tests of their own."""

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        return Outcome()

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a child is told.

    Attributes:
        base: address of the simulator.
        folder: everything that outlives a process, beside the journal and the cloud.
        kill_at: the n-th tap; 0 for none.
        threads: steps at once.
    """

    run_id: str
    dsn: str
    base: str
    token: str
    folder: str
    environment: str
    zone: str
    kill_at: int = 0
    threads: int = 12
    images: Mapping[str, str] = field(default_factory=dict)


def machines(folder: Path) -> Callable[[HostAddress], Machine | None]:
    """The servers that run, as the simulator's driver notes them."""

    def behind(host: HostAddress) -> Machine | None:
        for path in folder.glob("*.json"):
            try:
                told = json.loads(path.read_text())
            except (FileNotFoundError, ValueError):
                continue
            if host.address in told["addresses"]:
                return Machine(
                    machine_id=told["id"],
                    user_data=told["user_data"],
                    images=frozenset(map(image, IMAGES)),
                    volume=next((Attached(**one) for one in told["volumes"]), None),
                )
        return None

    return behind


def engine(job: Job, taps: Taps, registry: PostgresRegistry) -> Engine:
    """A provisioner as the control plane has it, with taps."""
    folder = Path(job.folder)
    calls = HcloudCalls(job.token, f"{job.base}/v1", tap=taps)
    waiting = Waiting(calls, AT_ONCE, real=lambda seconds: min(seconds, 0.02))
    unit_of_work = taps.tapped(registry.unit_of_work)

    world = World(
        cloud=HetznerCloud(calls, job.environment, waiting),
        dns=AnsweringDns(calls, waiting, job.base),
        zone=job.zone,
        hosts=MemoryHosts(machines(folder / "machines"), folder=folder / "disks", answers={"empty": EMPTIED}),
        vault=DiskVault(folder / "vault"),
        renderer=PaperRenderer(),
        certificates=HostCertificates(Authorities(folder / "authorities")),
        releases=lambda _: Release(images={name: image(name) for name in IMAGES}),
        unit_of_work=unit_of_work,
        clock=SystemClock(),
        seed=bytes(32),
        people=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBJX4vUL7zyPb1mZl8vyq1Hf4nZ9o1gkzq0Qm3o0o0o0 control",),
        control_keys=lambda: "control key\n",
        log_key=lambda way: Signer(bytes(32), f"frostbyte/{way.tenant_id}/plane").verifier_key,
        scripts=Scripts(install="true", seal="true"),
        images=folder / "images",
    )
    place = Place(
        domain=f"pipeline.{job.zone}",
        zone=job.zone,
        release="1.0",
        operators=("198.51.100.0/24",),
        images=dict(job.images),
    )
    tenants = ProjectWorkshop(world, place)
    base = ProjectWorkshop(world, place, dict.fromkeys((Action.FILES, Action.DEPLOY, Action.HANDOVER), Nothing()))
    return Engine(
        unit_of_work,
        SystemClock(),
        lambda owner: tenants if owner.tenant_id else base,
        holder="provisioner",
        pace=Pace(threads=job.threads, late_seconds=0.0, pause=lambda event, seconds: event.wait(seconds / SPEED)),
    )


def work(job: Job) -> dict[str, Any]:
    """Carry the run to its end; how it ended."""
    taps = Taps(job.kill_at)
    registry = PostgresRegistry(job.dsn, max_connections=job.threads + 4).open()
    run = engine(job, taps, registry).carry(UUID(job.run_id), threading.Event())
    return {
        "state": run.state.value if run else "",
        "direction": run.direction.value if run else "",
        "code": run.code if run else "",
        "taps": taps.said,
    }


def child(job: Job, out: int) -> None:
    """In the forked process."""
    try:
        answer = work(job)
    except FrostbyteError as error:
        answer = {"broke": error.code}
    except BaseException:
        answer = {"broke": traceback.format_exc()}
    with os.fdopen(out, "w") as pipe:
        pipe.write(json.dumps(answer))
    os._exit(0)


def main() -> None:
    """Jobs, one a line; each is over before the next one begins."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = Job(**json.loads(line))
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            child(job, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        answer = {"killed": killed, **(json.loads(said) if said else {})}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
