"""Building a snapshot: what stays, what is taken away, what is found again, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from msgspec.structs import replace as changed

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.hosts.memory import Fault, Machine, MemoryHosts
from frostbyte.control_plane.provisioning.building import BuildRequest, build_request, is_made, snapshots, surplus
from frostbyte.control_plane.provisioning.desired import ground
from frostbyte.control_plane.provisioning.journal import EntryState, RunState
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.provisioning.tenant_steps import SSH_KEY
from frostbyte.deploy.hosts.building import scripts
from frostbyte.kernel.errors import Invalid
from hosts.contract import IMAGE, image_archive
from provisioning.building_site import BASE, BuildingSite, request

PUBLIC = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
PACKAGES = "docker.io 26.1.5\nnftables 1.1.3\n"


class Yard:
    """A project in memory."""

    def __init__(self, tmp_path: Path) -> None:
        world = World()
        self.hosts = MemoryHosts(self.machine, answers={"script": f"{PACKAGES}sealed\n"})
        self.site = BuildingSite(world, self.hosts, scripts(), PUBLIC)
        self.archive = tmp_path / "api.tar"
        image_archive(self.archive, {IMAGE: ["frostbyte/api:1"]})
        self.servers_seen: list[str] = []

    def machine(self, host: HostAddress) -> Machine | None:
        """The server that runs, as the world has it."""
        for project in self.site.world.projects.values():
            for server in project.servers.values():
                if server.name == host.name and server.status == "running":
                    return Machine(machine_id=str(server.id), user_data=server.user_data)
        return None


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def test_a_build_leaves_the_snapshot_and_the_key_and_nothing_else(yard: Yard) -> None:
    asked = request(yard.archive)
    ended = yard.site.build(asked)
    assert (ended.state, ended.code) == (RunState.SUCCEEDED, "")
    name = asked.name(BASE, scripts())
    assert yard.site.there() == [(Kind.SNAPSHOT, name), (Kind.SSH_KEY, BASE.name(SSH_KEY))]
    entries = yard.site.entries()
    assert entries["server.builder"].state is EntryState.GONE
    made = entries[f"snapshot.{name.removeprefix('fb-')}"]
    assert made.facts["images"] == {asked.archives[0].sha256: {"frostbyte/api:1": IMAGE}}
    assert entries["install.builder"].facts["packages"] == {"docker.io": "26.1.5", "nftables": "1.1.3"}
    laid = ground(list(entries.values()), domain="d.example", zone="example", release="1")
    assert laid.images == {"x86": snapshots(list(entries.values()))[0].resource_id}


def test_the_same_contents_are_found_again_wherever_the_archive_lies(yard: Yard, tmp_path: Path) -> None:
    yard.site.build(request(yard.archive))
    before = yard.site.there()
    moved = tmp_path / "elsewhere.tar"
    moved.write_bytes(yard.archive.read_bytes())
    made = yard.site.world.counts["POST /servers"]
    assert yard.site.build(request(moved)).state is RunState.SUCCEEDED
    assert yard.site.there() == before
    assert yard.site.world.counts["POST /servers"] == made


def test_other_contents_make_another_and_hosts_start_from_the_newer(yard: Yard, tmp_path: Path) -> None:
    yard.site.build(request(yard.archive))
    other = tmp_path / "other.tar"
    image_archive(other, {IMAGE: ["frostbyte/api:2"]})
    second = request(other)
    assert yard.site.build(second).state is RunState.SUCCEEDED
    found = snapshots(list(yard.site.entries().values()))
    assert [row.name for row in found] == [second.name(BASE, scripts()), request(yard.archive).name(BASE, scripts())]
    assert second.name(BASE, scripts()) != second.name(BASE, replace(scripts(), install="other"))


@pytest.mark.parametrize("operation", ["settle", "run", "load", "images"])
def test_a_build_that_fails_leaves_no_server(yard: Yard, operation: str) -> None:
    yard.hosts.faults.append(Fault("host_command_failed", operation=operation, times=-1))
    ended = yard.site.build(request(yard.archive))
    assert ended.state is RunState.FAILED
    assert ended.code == "host_command_failed"
    assert yard.site.there() == []


def test_a_failed_build_does_not_touch_what_was_built_before(yard: Yard, tmp_path: Path) -> None:
    yard.site.build(request(yard.archive))
    before = yard.site.there()
    other = tmp_path / "other.tar"
    image_archive(other, {IMAGE: ["frostbyte/api:2"]})
    yard.hosts.faults.append(Fault("host_command_failed", operation="load", times=-1))
    assert yard.site.build(request(other)).state is RunState.FAILED
    assert yard.site.there() == before


def test_an_archive_that_changed_since_it_was_hashed_is_not_loaded(yard: Yard) -> None:
    asked = request(yard.archive)
    yard.archive.write_bytes(yard.archive.read_bytes() + b"more")
    ended = yard.site.build(asked)
    assert (ended.state, ended.code) == (RunState.FAILED, "image_archive_wrong")
    assert yard.site.there() == []


def test_a_builder_that_does_not_say_that_it_is_sealed_makes_no_snapshot(yard: Yard) -> None:
    yard.hosts.answers["script"] = PACKAGES
    assert yard.site.build(request(yard.archive)).state is RunState.FAILED
    assert yard.site.there() == []


def test_a_build_beside_a_base_takes_nothing_of_it_away(yard: Yard) -> None:
    """Else a build would tear down edge and bastion: they are not in its plan."""
    asked = request(yard.archive)
    plan = yard.site.plan(BASE, asked.values())
    yard.site.build(asked)
    rows = list(yard.site.entries().values())
    edge = changed(rows[0], key="server.edge", kind="server", state=EntryState.DONE)
    builder = changed(rows[0], key="server.builder", kind="server", state=EntryState.DONE)
    assert surplus(plan, [*(row for row in rows if row.key != "server.builder"), edge, builder]) == [builder]
    assert is_made(plan, rows)
    assert not is_made(replace(plan, facts={}), rows)
    base_plan = replace(plan, steps=(), facts={})
    assert [row.key for row in surplus(base_plan, rows)] == ["ssh_key"]


@pytest.mark.parametrize(
    "asked",
    [
        {"operators": []},
        {"operators": ["10.0.0.0/8"], "architecture": "riscv"},
        {"operators": ["10.0.0.0/8"], "archives": [{"path": "/a", "sha256": "short"}]},
        {"operators": ["10.0.0.0/8"], "unknown": 1},
        3,
    ],
)
def test_what_cannot_be_built_is_said_before_anything_is_made(asked: object) -> None:
    with pytest.raises(Invalid) as caught:
        build_request({"build": asked})
    assert caught.value.code == "build_request_invalid"


def test_a_request_survives_the_journal() -> None:
    asked = BuildRequest(operators=("10.0.0.0/8",), architecture="arm")
    assert build_request(asked.values()) == asked
    assert build_request({"locations": ["nbg1"]}) is None


def test_a_sealed_machine_does_not_boot_for_the_very_first_time() -> None:
    """There systemd enables every unit anew: the engine before its rules, and a second listener beside sshd."""
    lines = scripts().seal.splitlines()
    assert ": >/etc/machine-id" in lines
    assert not any("clean" in line and "--machine-id" in line for line in lines)
    assert lines.index(": >/etc/machine-id") < lines.index("sync")
