"""A simulated cloud with its bill, a registry with its journal, and provisioners that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from acceptance.doomed_provisioner import Job
from frostbyte.adapters.hetzner.world.driver import Machine, OnPaper
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.postgres import EmbeddedServer, migrate
from frostbyte.adapters.postgres.schema import Schema, packaged
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.api.hetzner.serving import Serving
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.ports import Progress
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.clock import SystemClock

PROGRAM = Path(__file__).with_name("doomed_provisioner.py")
Thing = tuple[str, str]
"""(kind, id), as bill and journal name it."""


class Noting(OnPaper):
    """Notes which servers run, where they are reached and what they were told, for hosts in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)

    def started(self, machine: Machine) -> None:
        if not machine.boots:
            return
        addresses = [machine.public_ipv4, *(one.address for one in machine.interfaces)]
        told = {"id": str(machine.server_id), "addresses": addresses, "user_data": machine.user_data}
        told |= {"volumes": [{"volume_id": str(one.volume_id), "plain": bool(one.format)} for one in machine.disks]}
        part = self._folder / f"{machine.server_id}.part"
        part.write_text(json.dumps(told))
        part.replace(self._folder / f"{machine.server_id}.json")

    def stopped(self, machine: Machine, *, graceful: bool) -> None:
        (self._folder / f"{machine.server_id}.json").unlink(missing_ok=True)

    def deleted(self, machine: Machine) -> None:
        self.stopped(machine, graceful=False)


class Provisioners:
    """The program that forks provisioners; one at a time."""

    def __init__(self) -> None:
        tests = str(PROGRAM.parents[1])
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])},
        )
        self._read()

    def send(self, job: Job) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """How it ended."""
        answer = self._read()
        assert "broke" not in answer, answer["broke"]
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program of provisioners has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Sky:
    """Everything that outlives a provisioner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(driver=Noting(folder / "machines"), requests_per_hour=10_000_000)
        self._serving = Serving(self.world)
        self._server = EmbeddedServer(folder / "postgres")
        self.provisioners = [Provisioners(), Provisioners()]
        self._clock = SystemClock()

    def __enter__(self) -> Sky:
        self._serving.__enter__()
        self._server.start()
        migrate(self._server.owner_dsn, packaged(Schema.CONTROL))
        self.dsn = self._server.writer_dsn
        self.registry = PostgresRegistry(self.dsn, max_connections=4).open()
        self.runs = Provisioning(self.registry.unit_of_work, self._clock)
        self.operations = Operations(self.registry.unit_of_work, self._clock, self.runs)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.provisioners:
            one.close()
        self.registry.close()
        self._server.stop()
        self._serving.__exit__(None, None, None)

    # -- places and tenants -----------------------------------------------------------------------------------------

    def project(self, name: str) -> Place:
        """A project of that name, in an environment of its own, with things in it that are nobody's business."""
        Projects(self.registry.unit_of_work, name, self._clock).create(name, actor="test")
        token = self.world.token(name)
        self._call(token, "POST", "/zones", {"name": f"{name}-frostbyte.com", "mode": "primary"})
        foreign = {"name": "fb-somebody", "ip_range": "10.250.0.0/16", "labels": {"team": "red"}}
        self._call(token, "POST", "/networks", foreign)
        self._call(token, "POST", "/volumes", {"name": "fb-old-data", "size": 10, "location": "nbg1", "format": "ext4"})
        return Place(self, name, token)

    def forget(self, place: Place) -> None:
        """A project that nothing more is done in."""
        del self.world.projects[place.name]

    def _call(self, token: str, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = self.world.call(token, method, path, {}, json.dumps(body).encode())
        assert answer.status in (200, 201), answer.body
        assert answer.body is not None
        return answer.body

    def tenant(self, tenant_id: str, project: str) -> None:
        """A tenant in the registry."""
        Tenants(self.registry.unit_of_work, self._clock).create(tenant_id, project, actor="test")

    # -- runs ---------------------------------------------------------------------------------------------------------

    def begin(self, owner: Owner, direction: Direction, request: dict[str, Any]) -> UUID:
        """Begin a run, a tenant's with its operation."""
        if not owner.tenant_id:
            return self.runs.begin_base(owner.project_id, direction, request, actor="test").run_id
        move = Move.PROVISION
        if direction is Direction.DOWN:
            move = Move.RETRY if self.state(owner) is TenantState.FAILED else Move.DEPROVISION
        told = {"actor": "test", "reason": "requested", "confirmation": owner.tenant_id}
        return self.operations.begin(owner.tenant_id, move, request=request, **told).operation_id

    def turn_back(self, run_id: UUID) -> None:
        """Decide that a run is to be taken back: as where a plane that was made does not answer."""
        run = self.run(run_id)
        if run.tenant_id:
            self.runs.turn_back(self.operations.show(run_id), "plane_silent")
            return
        with self.registry.unit_of_work() as uow:
            free = replace(run, holder="", leased_until=None, fence=run.fence + 1)
            uow.journal.put_run(replace(free, direction=Direction.BACK, code="operation_cancelled"))
            uow.commit()

    def conclude(self, run_id: UUID) -> None:
        """End the operation of a run that has ended, as the kill-switch does; whoever failed to come up is given up."""
        run = self.run(run_id)
        if not run.tenant_id:
            return
        progress, code = self.runs.progress(self.operations.show(run_id))
        assert progress in (Progress.READY, Progress.FAILED)
        self.operations.end(run_id, code=code)
        if run.direction is Direction.BACK:
            told = {"actor": "test", "reason": "requested", "confirmation": run.tenant_id}
            given_up = self.operations.begin(run.tenant_id, Move.ABANDON, **told)
            self.operations.end(given_up.operation_id)

    def state(self, owner: Owner) -> TenantState:
        """Where a tenant stands."""
        with self.registry.unit_of_work() as uow:
            row = uow.tenants.get(owner.tenant_id)
        assert row is not None
        return row.state

    def run(self, run_id: UUID) -> RunRow:
        """How a run stands."""
        with self.registry.unit_of_work() as uow:
            found = uow.journal.run(run_id)
        assert found is not None
        return found

    def entries(self, owner: Owner) -> list[EntryRow]:
        """Those that are not gone."""
        with self.registry.unit_of_work() as uow:
            return [row for row in uow.journal.entries(owner) if row.state is not EntryState.GONE]


class Place:
    """A project at the simulated cloud, and what is worked in it."""

    def __init__(self, sky: Sky, name: str, token: str) -> None:
        self.sky, self.name, self.token = sky, name, token
        self.base = Owner(environment=name, project_id=name)
        self.strangers = self.things()

    def owner(self, tenant_id: str) -> Owner:
        """A tenant's."""
        return Owner(environment=self.name, project_id=self.name, tenant_id=tenant_id)

    def job(self, run_id: UUID, *, kill_at: int = 0, threads: int = 12) -> Job:
        """To carry a run."""
        return Job(
            run_id=str(run_id),
            dsn=self.sky.dsn,
            base=self.sky.world.address.removesuffix("/v1"),
            token=self.token,
            folder=str(self.sky.folder),
            environment=self.name,
            zone=f"{self.name}-frostbyte.com",
            kill_at=kill_at,
            threads=threads,
            images={"x86": "ubuntu-24.04"},
        )

    def carry(self, run_id: UUID, *, kill_at: int = 0) -> dict[str, Any]:
        """Let a provisioner carry a run, and kill it on the way."""
        provisioner = self.sky.provisioners[0]
        provisioner.send(self.job(run_id, kill_at=kill_at))
        return provisioner.answer()

    # -- what is there ------------------------------------------------------------------------------------------------

    def things(self, owner: Owner | None = None) -> dict[Thing, tuple[str, str]]:
        """All that exists, or an owner's by its labels: name and labels, by kind and id."""
        return {
            (item.kind, item.id): (item.name, json.dumps(dict(item.labels), sort_keys=True))
            for item in self.sky.world.bill(self.name).existing
            if item.with_server is None and (owner is None or owner.owns(item.labels))
        }

    def journalled(self, owners: Iterable[Owner]) -> set[Thing]:
        """What the journal says that exists."""
        return {(row.kind, row.resource_id) for owner in owners for row in self.sky.entries(owner) if row.kind}
