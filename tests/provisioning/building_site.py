"""A project in which a snapshot is built: the real engine and client, over any hosts."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from control.registry_rows import prepared, tenant
from frostbyte.adapters.hetzner.memory import memory_cloud
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.building import BuildRequest, Scripts, archive_of, build_plan, build_request
from frostbyte.control_plane.provisioning.doing import building, hosts, networks, servers
from frostbyte.control_plane.provisioning.doing.giving import user_data
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, RunRow, RunState
from frostbyte.control_plane.provisioning.lease import Pace
from frostbyte.control_plane.provisioning.ports import Hosts
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Doing, Plan
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ids import new_id

ENVIRONMENT = "test"
BASE = Owner(environment=ENVIRONMENT, project_id="north")
SEED = bytes(range(32))


class BuildingSite:
    """One project's base. Implements apply.Workshop.

    Args:
        hosts: the way to its servers.
        scripts: what is run on builders.
        public_key: that builders let in.
    """

    def __init__(self, world: World, hosts_: Hosts, scripts: Scripts, public_key: str) -> None:
        self.world, self.registry, self.clock = world, MemoryRegistry(), SystemClock()
        prepared(self.registry, tenant(), tenant("globex", octet=2))
        self.cloud = memory_cloud(world, (world.tokens() or [world.token()])[0], ENVIRONMENT)
        self.scripts, self.public_key, self.renderer = scripts, public_key, HostRenderer(lambda _: [], lambda *_: "")
        told = Told(self.registry.unit_of_work)
        told_hosts = user_data(self.renderer, told, (public_key,))
        self._doings: dict[Action, Doing] = {
            Action.SSH_KEY: networks.SshKey(self.cloud),
            Action.FIREWALL: networks.Firewall(self.cloud, told),
            Action.SERVER: servers.Server(self.cloud, SEED, told, told_hosts),
            Action.START: servers.Start(self.cloud),
            Action.SETTLE: hosts.Settle(hosts_, told),
            Action.INSTALL: building.Install(hosts_, told, scripts),
            Action.SEAL: building.Seal(hosts_, told, self.cloud, scripts),
            Action.SNAPSHOT: servers.Snapshot(self.cloud),
        }

    @property
    def doings(self) -> Mapping[Action, Doing]:
        return self._doings

    def plan(self, owner: Owner, request: Mapping[str, Any]) -> Plan:
        asked = build_request(request)
        assert asked is not None
        sold, now = self.cloud.catalogue(), self.clock.now()
        return build_plan(owner, asked, self.scripts, self.public_key, sold, ("nbg1", "fsn1"), now)

    def leftovers(self, owner: Owner) -> Sequence[Found]:
        return self.cloud.observe(owner)

    def begin(self, owner: Owner, request: Mapping[str, Any]) -> RunRow:
        """A run of an owner, up."""
        with self.registry.unit_of_work() as uow:
            runs = uow.journal.runs(owner)
            row = RunRow(
                run_id=new_id(),
                environment=owner.environment,
                project_id=owner.project_id,
                tenant_id=owner.tenant_id,
                direction=Direction.UP,
                state=RunState.RUNNING,
                request=dict(request),
                plan={},
                fence=max((run.fence for run in runs), default=0) + 1,
                holder="",
                leased_until=None,
                started_at=self.clock.now(),
                ended_at=None,
                code="",
            )
            uow.journal.begin(row)
            uow.commit()
        return row

    def carry(self, run: RunRow) -> RunRow:
        """To its end, in a life of a provisioner's own."""
        pace = Pace(threads=4, late_seconds=0.0)
        ended = Engine(self.registry.unit_of_work, self.clock, lambda _: self, holder="test", pace=pace).carry(
            run.run_id, threading.Event()
        )
        assert ended is not None
        return ended

    def build(self, asked: BuildRequest) -> RunRow:
        return self.carry(self.begin(BASE, asked.values()))

    def entries(self) -> dict[str, EntryRow]:
        with self.registry.unit_of_work() as uow:
            return {row.key: row for row in uow.journal.entries(BASE)}

    def there(self) -> list[tuple[Kind, str]]:
        """Everything at the cloud."""
        return sorted((found.kind, found.name) for found in self.cloud.observe())


def request(
    *archives: Path, operators: tuple[str, ...] = ("198.51.100.0/24",), system: str = "debian-13"
) -> BuildRequest:
    """A build of these archives."""
    return BuildRequest(system=system, archives=tuple(map(archive_of, archives)), operators=operators)
