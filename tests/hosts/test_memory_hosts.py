"""Hosts in memory: the contract, what survives a process, and faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from frostbyte.adapters.hosts.memory import Fault, Machine, MemoryHosts, first_key
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable
from hosts.contract import COMPOSE, IMAGE, HostsContract, Site, public_key


def user_data(key: str) -> str:
    return f"#cloud-config\nssh_keys:\n  ed25519_public: {key}\n"


class Servers:
    """What a cloud says: three servers that run."""

    def __init__(self) -> None:
        self.keys = {name: public_key() for name in ("fb-bastion", "fb-acme-gateway", "fb-acme-db")}
        self.running = {name: Machine(machine_id=name, user_data=user_data(key)) for name, key in self.keys.items()}

    def machine(self, host: HostAddress) -> Machine | None:
        return self.running.get(host.name)

    def address(self, name: str, *via: HostAddress) -> HostAddress:
        return HostAddress(name=name, address="10.7.1.20", host_key=self.keys[name], via=via)

    def attach(self) -> str:
        """An empty volume, at db."""
        volume = Attached(volume_id="7", plain=False)
        self.running["fb-acme-db"] = replace(self.running["fb-acme-db"], volume=volume)
        return VOLUME_PROGRAM

    def db(self) -> HostAddress:
        bastion = self.address("fb-bastion")
        return self.address("fb-acme-db", bastion, self.address("fb-acme-gateway", bastion))


class TestMemory(HostsContract):
    @pytest.fixture
    def site(self) -> Site:
        servers = Servers()
        hosts = MemoryHosts(servers.machine, answers={"once": "made\n", "once other two words": "other two words\n"})
        host = servers.db()

        def read(path: str) -> tuple[bytes, int, str] | None:
            file = hosts.disk(host).files.get(path)
            return (file.content, file.mode, file.owner) if file else None

        return Site(
            hosts,
            host,
            "/opt/frostbyte",
            read,
            lambda folder: hosts.disk(host).running.get(folder, []),
            lambda: servers.running.clear(),
            servers.attach,
        )


def test_a_disk_outlives_the_process_and_not_the_server(tmp_path: Path) -> None:
    servers = Servers()
    host = servers.db()
    own = MemoryHosts(servers.machine, folder=tmp_path).settle(host, seconds=1)
    settled = replace(host, host_key=own)
    MemoryHosts(servers.machine, folder=tmp_path).put(
        settled, [HostFile(path="/a", content=b"\xff", mode=0o400, owner="1:2")]
    )
    again = MemoryHosts(servers.machine, folder=tmp_path)
    assert again.disk(settled).files["/a"] == HostFile(path="/a", content=b"\xff", mode=0o400, owner="1:2")
    servers.running["fb-acme-db"] = Machine(machine_id="another", user_data=user_data(servers.keys["fb-acme-db"]))
    with pytest.raises(Conflict) as caught:
        again.put(settled, [])
    assert caught.value.code == "host_key_wrong"
    assert again.disk(host).files == {}


@pytest.mark.parametrize("code", ["host_unreachable", "host_slow", "host_key_wrong", "host_command_failed"])
def test_a_fault_strikes_the_call_that_it_names(code: str) -> None:
    servers = Servers()
    hosts, host = MemoryHosts(servers.machine), servers.db()
    hosts.faults.append(Fault(code, host="fb-acme-db", operation="put", after=1))
    hosts.put(host, [HostFile(path="/a", content=b"")])
    with pytest.raises(FrostbyteError) as caught:
        hosts.put(host, [HostFile(path="/b", content=b"")])
    assert caught.value.code == code
    hosts.put(host, [HostFile(path="/c", content=b"")])
    assert sorted(hosts.disk(host).files) == ["/a", "/c"]


def test_an_answer_may_be_lost_after_the_act() -> None:
    servers = Servers()
    hosts, host = MemoryHosts(servers.machine), servers.db()
    hosts.faults.append(Fault("host_unreachable", done=True))
    with pytest.raises(Unavailable):
        hosts.settle(host, seconds=1)
    assert hosts.settle(host, seconds=1) == hosts.disk(host).own_key


def test_an_image_by_its_id_has_to_be_on_the_host() -> None:
    servers = Servers()
    hosts, host = MemoryHosts(servers.machine), servers.db()
    hosts.put(host, [HostFile(path="/p/compose.yaml", content=COMPOSE.replace(b"'x'", IMAGE.encode()))])
    with pytest.raises(Conflict) as caught:
        hosts.up(host, "/p", seconds=1)
    assert "No such image" in caught.value.message
    known = servers.running["fb-acme-db"]
    servers.running["fb-acme-db"] = replace(known, images=frozenset({IMAGE}))
    hosts.up(host, "/p", seconds=1)
    assert hosts.disk(host).running == {"/p": ["db", "gateway", "once"]}


def test_an_encrypted_volume_is_locked_after_a_boot_and_nothing_runs_until_it_is_opened(tmp_path: Path) -> None:
    servers, asked = Servers(), [VOLUME_PROGRAM, "open"]
    servers.attach()
    hosts, host = MemoryHosts(servers.machine, folder=tmp_path), servers.db()
    hosts.put(host, [HostFile(path="/p/compose.yaml", content=COMPOSE)])
    hosts.ask(host, [VOLUME_PROGRAM, "make"], given="key", seconds=1)
    hosts.up(host, "/p", seconds=1)
    servers.running["fb-acme-db"] = replace(servers.running["fb-acme-db"], boot="2")
    again = MemoryHosts(servers.machine, folder=tmp_path)
    assert again.ask(host, [VOLUME_PROGRAM, "state"], seconds=1) == "locked\n"
    assert again.disk(host).running == {}
    for given, said in (("another", "does not open with this key"), ("", "no key was given")):
        with pytest.raises(Conflict, match=said):
            again.ask(host, asked, given=given, seconds=1)
    with pytest.raises(Conflict, match="Docker daemon"):
        again.up(host, "/p", seconds=1)
    again.ask(host, asked, given="key", seconds=1)
    again.up(host, "/p", seconds=1)
    assert again.disk(host).running == {"/p": ["db", "gateway", "once"]}


@pytest.mark.parametrize("text", ["", "- a", "ssh_keys: 3", "{", "#!/bin/sh"])
def test_user_data_without_a_key_has_none(text: str) -> None:
    assert first_key(text) == ""
