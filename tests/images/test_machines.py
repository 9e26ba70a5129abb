"""Machines that really boot: a snapshot is built on one, hosts start from it, and isolation holds.

The cloud is the simulated one with a driver (tests/machines/driver.py); client, engine, doings, user data, rules and
the way over SSH are the real ones. No machine but the builder has a way out, so a hidden download fails.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.ssh import SshHosts
from frostbyte.control_plane.provisioning.building import snapshots
from frostbyte.control_plane.provisioning.journal import RunState
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.deploy.hosts.building import scripts
from images.conftest import BASE, ROOT, docker
from machines.driver import ADDRESSES, OUT_ROUTER, ROUTER, Machines
from provisioning.building_site import BuildingSite, request
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1500)]
MACHINE, PROBE = "frostbyte-test/machine", "frostbyte-test/probe:1"


@dataclass
class Yard:
    """A project whose servers are machines."""

    machines: Machines
    hosts: SshHosts
    site: BuildingSite
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
        yield Yard(machines, hosts, BuildingSite(world, hosts, scripts(), public), archive)
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
