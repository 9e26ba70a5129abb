"""Machines that really boot: a snapshot is built on one, and hosts of a base and of tenants start from it.

The cloud is the simulated one with a driver (tests/machines/driver.py); client, engine, doings, user data, rules and
the way over SSH are the real ones. No machine but the builder has a way out, so a hidden download fails.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest
from msgspec.structs import replace as replaced

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.ssh import SshHosts
from frostbyte.control_plane.provisioning.building import build_request, snapshots
from frostbyte.control_plane.provisioning.desired import (
    DesiredBase,
    DesiredTenant,
    Ground,
    desired_tenant,
    ground,
    request_from,
)
from frostbyte.control_plane.provisioning.doing import networks, servers
from frostbyte.control_plane.provisioning.doing.table import known
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Doing, Plan
from frostbyte.deploy.hosts.building import scripts
from frostbyte.kernel.tenancy import TenantConfig
from images.conftest import BASE, ROOT, docker
from machines.driver import ADDRESSES, OUT_ROUTER, ROUTER, Machines
from provisioning.building_site import BASE as PROJECT
from provisioning.building_site import ENVIRONMENT, BuildingSite, request
from provisioning.planning import tenant
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1500)]
MACHINE, PROBE = "frostbyte-test/machine", "frostbyte-test/probe:1"


ACME, GLOBEX = (Owner(environment=ENVIRONMENT, project_id="north", tenant_id=name) for name in ("acme", "globex"))


class Fleet(BuildingSite):
    """A project whose hosts come up as far as they are settled: plans are the real ones up to there."""

    upto: ClassVar = frozenset(
        {
            *(Action.SSH_KEY, Action.PRIMARY_IP, Action.FIREWALL, Action.FIREWALL_SEEN, Action.NETWORK),
            *(Action.SERVER, Action.JOIN, Action.VOLUME, Action.ATTACH, Action.START, Action.SETTLE),
        }
    )

    @property
    def doings(self) -> Mapping[Action, Doing]:
        told = Told(self.registry.unit_of_work)
        return {
            **super().doings,
            Action.PRIMARY_IP: networks.PrimaryIp(self.cloud),
            Action.FIREWALL_SEEN: networks.FirewallSeen(self.cloud, told),
            Action.NETWORK: networks.Network(self.cloud),
            Action.JOIN: servers.Join(self.cloud),
            Action.VOLUME: servers.Volume(self.cloud, known(self.registry.unit_of_work)),
            Action.ATTACH: servers.Attach(self.cloud),
        }

    def plan(self, owner: Owner, request: Mapping[str, Any]) -> Plan:
        if build_request(request) is not None:
            return super().plan(owner, request)
        laid = ground(list(self.entries().values()), domain="plane.example", zone="example", release="1")
        found = plan(self._wanted(owner, request, laid), [], [], self.cloud.catalogue(), self.clock.now())
        assert found.problems == ()
        steps = tuple(step for step in found.steps if step.action in self.upto)
        keys = {step.key for step in steps}
        return replace(
            found, steps=tuple(replace(one, needs=tuple(n for n in one.needs if n in keys)) for one in steps)
        )

    def _wanted(self, owner: Owner, request: Mapping[str, Any], laid: Ground) -> DesiredBase | DesiredTenant:
        if not owner.tenant_id:
            operators, hostnames = (f"{ROUTER}/32",), ("control.plane.example",)
            return DesiredBase(
                owner=owner, ground=laid, operators=operators, ssh_public_key=self.public_key, hostnames=hostnames
            )
        octets = {"acme": 77, "globex": 78}
        row = replaced(tenant(owner.tenant_id, octets[owner.tenant_id]), project_id=owner.project_id)
        return desired_tenant(row, ENVIRONMENT, TenantConfig(), request_from(request), laid)


@dataclass
class Yard:
    """A project whose servers are machines."""

    machines: Machines
    hosts: SshHosts
    site: Fleet
    archive: Path

    def server_id(self, name: str) -> int:
        found = self.site.cloud.find(Kind.SERVER, name)
        assert found is not None
        return int(found.resource_id)


@pytest.fixture(scope="module")
def yard(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    need("docker")
    for image, file in ((MACHINE, "Dockerfile"), (PROBE, "probe.Dockerfile")):
        folder = ROOT / "tests/machines"
        docker("build", "--build-arg", f"BASE={BASE}", "--file", str(folder / file), "--tag", image, str(folder))
    folder = tmp_path_factory.mktemp("machines")
    archive = folder / "probe.tar"
    subprocess.run(["docker", "save", "--output", archive, PROBE], check=True)
    machines = Machines(MACHINE, folder / "driver")
    try:
        key = asyncssh.generate_private_key("ssh-ed25519")
        public = key.export_public_key().decode().strip()
        hosts = SshHosts(key.export_private_key().decode(), dial=machines.dial)
        world = World(driver=machines, addresses=ADDRESSES)
        yield Yard(machines, hosts, Fleet(world, hosts, scripts(), public), archive)
        hosts.close()
        world.close()
    finally:
        machines.close()
        docker("image", "rm", "--force", MACHINE, PROBE, check=False)


def test_a_snapshot_is_built_on_a_machine_that_is_gone_afterwards(yard: Yard) -> None:
    ended = yard.site.build(request(yard.archive, operators=(f"{ROUTER}/32", f"{OUT_ROUTER}/32")))
    entries = yard.site.entries()
    assert (ended.state, ended.code) == (RunState.SUCCEEDED, ""), {k: (e.state, e.code) for k, e in entries.items()}
    assert [kind for kind, _ in yard.site.there()] == [Kind.SNAPSHOT, Kind.SSH_KEY]
    brought = snapshots(list(entries.values()))[0].facts["images"]
    assert [list(names) for names in brought.values()] == [[PROBE]]
    assert "docker.io" in entries["install.builder"].facts["packages"]


def test_a_base_and_two_tenants_hosts_start_from_it_and_settle(yard: Yard) -> None:
    """Bastion, edge, gateway, worker, database, and one that has all: each reached on the way that it will be reached
    on, behind its own rules, and each shows a key that no cloud has seen."""
    site = yard.site
    for owner, asked in ((PROJECT, {}), (ACME, {"volume_gb": 10}), (GLOBEX, {"shape": "small", "volume_gb": 10})):
        ended = site.carry(site.begin(owner, asked))
        assert (ended.state, ended.code) == (RunState.SUCCEEDED, ""), owner
        with site.registry.unit_of_work() as uow:
            entries = uow.journal.entries(owner)
        rows = {row.key: row for row in entries if row.state is EntryState.DONE}  # the builder is gone
        first = {
            key.partition(".")[2]: row.facts["first_key"] for key, row in rows.items() if key.startswith("server.")
        }
        own = {key.partition(".")[2]: row.facts["host_key"] for key, row in rows.items() if key.startswith("settle.")}
        assert first.keys() == own.keys()
        assert not set(first.values()) & set(own.values())
