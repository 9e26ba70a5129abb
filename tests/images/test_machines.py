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
from frostbyte.deploy.hosts import layout
from frostbyte.deploy.hosts.building import scripts
from frostbyte.kernel.tenancy import TenantConfig
from images.conftest import BASE, ROOT, docker
from machines.driver import ADDRESSES, OUT_ROUTER, ROUTER, Machines
from provisioning.building_site import BASE as PROJECT
from provisioning.building_site import ENVIRONMENT, BuildingSite, request
from provisioning.planning import tenant
from servers.lanes import need
from worker.cluster import eventually

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1500)]
PROBE = "frostbyte-test/probe:1"


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
def yard(machine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    need("docker")
    folder = ROOT / "tests/machines"
    words = ("--build-arg", f"BASE={BASE}", "--file", str(folder / "probe.Dockerfile"), "--tag", PROBE)
    docker("build", *words, str(folder))
    folder = tmp_path_factory.mktemp("machines")
    archive = folder / "probe.tar"
    subprocess.run(["docker", "save", "--output", archive, PROBE], check=True)
    machines = Machines(machine, folder / "driver")
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
        docker("image", "rm", "--force", PROBE, check=False)


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
    for owner, asked in (
        (PROJECT, {}),
        (ACME, {"volume_gb": 10, "encrypted": False}),
        (GLOBEX, {"shape": "small", "volume_gb": 10, "encrypted": False}),
    ):
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


STORE, STRAY = 5432, 9999
"""A port that the rules know, and one that somebody published by mistake."""
OUTSIDE = "198.51.100.7"
ATTEMPT = (
    "import socket, sys\n"
    "for given in sys.argv[1:]:\n"
    "    host, port = given.split(':')\n"
    "    try:\n"
    "        socket.create_connection((host, int(port)), 2).close()\n"
    "        print(given, 'open')\n"
    "    except OSError:\n"
    "        print(given, 'closed')\n"
)
ANSWER = (
    "import socket, sys\n"
    "server = socket.create_server(('0.0.0.0', int(sys.argv[1])))\n"
    "while True:\n"
    "    server.accept()[0].close()\n"
)
BETWEEN = ("--subnet", layout.HOSTS_NETWORK, "--opt", f"com.docker.network.bridge.name={layout.HOSTS_BRIDGE}")


def opened(yard: Yard, name: str, targets: list[str], *, contained: bool) -> set[str]:
    """Which of the targets answer somebody who stands on a host: its root, or a container of its plane."""
    words = ("python3", "-c", ATTEMPT, *targets)
    if contained:
        words = ("docker", "run", "--rm", "--network", "between", PROBE, *words)
    told = yard.machines.run(yard.server_id(name), *words)
    assert len(told.splitlines()) == len(targets)
    return {line.split()[0] for line in told.splitlines() if line.endswith("open")}


def test_whoever_stands_on_a_worker_or_the_database_reaches_what_the_plane_needs_and_nothing_else(yard: Yard) -> None:
    """Containers really run on these hosts. The store's port answers those who need it; a port that was published by
    mistake, other tenants, the bastion, the edge, the world and the cloud's metadata answer nobody."""
    for name in ("fb-acme-db", "fb-acme-worker-1", "fb-globex-single"):
        machine = yard.server_id(name)
        yard.machines.run(machine, "docker", "network", "create", *BETWEEN, "between")
    for name, address in (("fb-acme-db", "10.77.1.20"), ("fb-globex-single", "10.78.1.10")):
        for port in (STORE, STRAY):
            published = ("--publish", f"{address}:{port}:{port}", "--network", "between")
            run = ("docker", "run", "--detach", *published, PROBE, "python3", "-c", ANSWER, str(port))
            yard.machines.run(yard.server_id(name), *run)
    store = f"10.77.1.20:{STORE}"
    eventually(lambda: bool(opened(yard, "fb-acme-worker-1", [store], contained=True)))

    closed = [
        f"10.77.1.20:{STRAY}",
        *(f"10.78.1.10:{port}" for port in (22, STORE, STRAY)),
        *(f"{address}:{port}" for address in public(yard) for port in (22, 80, 443, 8080, 8443)),
        "10.77.1.20:22",
        "10.77.1.10:22",
        f"{OUTSIDE}:443",
        f"{layout.METADATA}:80",
    ]
    here = [one for one in closed if "10.77.1.20" not in one]
    own = "10.77.1.31:22"
    assert opened(yard, "fb-acme-worker-1", [store, own, *closed], contained=True) == {store}
    assert opened(yard, "fb-acme-worker-1", [store, *closed], contained=False) == set()  # not even a host's root
    assert opened(yard, "fb-acme-db", here, contained=True) == set()
    assert opened(yard, "fb-acme-db", here, contained=False) == set()


def public(yard: Yard) -> list[str]:
    """Addresses of all servers that have a public one."""
    found = yard.machines.public()
    assert len(found) >= 4, "bastion, edge, a gateway and a host that has all"
    return found
