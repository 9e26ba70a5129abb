"""Hosts over SSH: the contract against real sshds of the loopback, and what a network and a host can do to us."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from frostbyte.adapters.hosts.ssh import OUTPUT_BYTES, SshHosts
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.kernel.errors import Conflict, Unavailable
from hosts.contract import HostsContract, Site
from hosts.played_volume import played
from servers.lanes import need
from servers.sshd import Sshd

pytestmark = pytest.mark.slow


@dataclass
class Loopback:
    """A bastion, a gateway, a host."""

    servers: dict[str, Sshd]
    hosts: SshHosts
    host: HostAddress

    @property
    def sshd(self) -> Sshd:
        return self.servers["host"]


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    need("sshd")
    need("root")
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode().strip()
    servers = {name: Sshd(tmp_path / name, public, name=name) for name in ("bastion", "gateway", "host")}
    for server in servers.values():
        server.start()
    bastion = servers["bastion"].address()
    address = servers["host"].address(bastion, servers["gateway"].address())
    hosts = SshHosts(key.export_private_key().decode(), layout=servers["host"].layout, connect_seconds=5)
    yield Loopback(servers, hosts, address)
    hosts.close()
    for server in servers.values():
        server.cut()


class TestSsh(HostsContract):
    @pytest.fixture
    def site(self, loopback: Loopback, tmp_path: Path) -> Site:
        def read(path: str) -> tuple[bytes, int, str] | None:
            try:
                found = os.stat(path)
            except FileNotFoundError:
                return None
            return Path(path).read_bytes(), found.st_mode & 0o7777, f"{found.st_uid}:{found.st_gid}"

        def running(folder: str) -> list[str]:
            state = loopback.sshd.state
            found: list[str] = json.loads(state.read_text())["running"].get(folder, []) if state.exists() else []
            return found

        def volume() -> str:
            (tmp_path / "volume").mkdir()
            machine = played(tmp_path / "volume")
            machine.attach()
            return machine.installed()

        folder = tmp_path / "opt"
        folder.mkdir()
        return Site(loopback.hosts, loopback.host, str(folder), read, running, loopback.sshd.cut, volume)


def test_the_first_key_is_gone_afterwards_and_a_restarted_host_shows_its_own(loopback: Loopback) -> None:
    own = loopback.hosts.settle(loopback.host, seconds=20)
    assert list(loopback.sshd.folder.glob("ssh_host_*")) == []
    loopback.sshd.cut()
    loopback.sshd.start()
    assert loopback.hosts.images(replace(loopback.host, host_key=own)) == frozenset()


@pytest.mark.parametrize(
    "line", ["ssh-keygen -q -t", "ssh-keygen -y", "ssh-keygen -q -s", "sshd -t", "sshd -T", "rm -f", "reload"]
)
def test_settling_survives_a_cut_at_each_of_its_steps(loopback: Loopback, line: str) -> None:
    """The step itself kills the script, once; whoever comes again with the first key finds the host all the same."""
    name, _, argument = line.partition(" ")
    folder = loopback.sshd.folder
    searched = f"{os.environ['PATH']}:/usr/sbin"
    real = shutil.which(name, path=searched)
    then = f'exec {real} "$@"' if real else f'kill -HUP "$(cat {loopback.sshd.pidfile})"'
    cut = f"[ -e {folder}/cut ] || {{ touch {folder}/cut; kill -KILL $PPID; exit 1; }}"
    loopback.sshd.script(name, f'case "$*" in "{argument}"*) {cut};; esac\n{then}\n')
    own = loopback.hosts.settle(loopback.host, seconds=20)
    assert (folder / "cut").exists()
    assert loopback.hosts.settle(loopback.host, seconds=20) == own
    assert list(folder.glob("ssh_host_*")) == []
    assert list(folder.glob(".frostbyte-own.*")) == []


def test_a_host_that_boots_late_is_waited_for(loopback: Loopback) -> None:
    loopback.sshd.cut()
    late = threading.Timer(2.0, loopback.sshd.start)
    late.start()
    try:
        assert loopback.hosts.settle(loopback.host, seconds=30).startswith("ssh-ed25519 ")
    finally:
        late.join()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "error", "errors": ["('scripts_user', RuntimeError('mount'))"]}, 1),
        ({"status": "done", "errors": ["('runcmd', 'x')"]}, 2),
        ({"status": "disabled", "errors": []}, 0),
        ("nonsense", 0),
    ],
)
def test_a_host_whose_cloud_init_failed_keeps_its_first_key(loopback: Loopback, status: object, code: int) -> None:
    loopback.sshd.cloud_init(status, code=code)
    with pytest.raises(Conflict) as caught:
        loopback.hosts.settle(loopback.host, seconds=20)
    assert caught.value.code == "host_command_failed"
    assert (loopback.sshd.folder / "ssh_host_ed25519_key").exists()


def test_warnings_of_cloud_init_are_not_failures(loopback: Loopback) -> None:
    loopback.sshd.cloud_init({"status": "done", "errors": [], "recoverable_errors": {"DEPRECATED": ["x"]}}, code=2)
    assert loopback.hosts.settle(loopback.host, seconds=20)


def test_a_cloud_init_that_does_not_end_is_slow(loopback: Loopback) -> None:
    loopback.sshd.script("cloud-init", "sleep 600\n")
    with pytest.raises(Unavailable) as caught:
        loopback.hosts.settle(loopback.host, seconds=2)
    assert caught.value.code == "host_slow"


def test_a_host_that_does_not_know_our_key_refuses(loopback: Loopback) -> None:
    (loopback.sshd.folder / "authorized_keys").write_text("")
    with pytest.raises(Conflict) as caught:
        loopback.hosts.images(loopback.host)
    assert caught.value.code == "host_refused"


def test_a_port_that_takes_connections_and_says_nothing_is_unreachable(loopback: Loopback) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = replace(loopback.host, port=silent.getsockname()[1], via=())
        with pytest.raises(Unavailable) as caught:
            loopback.hosts.images(dead)
    assert caught.value.code == "host_unreachable"


def test_a_command_that_takes_too_long_is_ended_on_the_host(loopback: Loopback) -> None:
    mark = loopback.sshd.folder / "late"
    with pytest.raises(Unavailable) as caught:
        loopback.hosts.run(loopback.host, f"sleep 3; touch {mark}", seconds=1)
    assert caught.value.code == "host_slow"
    assert loopback.hosts.run(loopback.host, "sleep 3; echo waited", seconds=20) == "waited\n"
    assert not mark.exists()


def test_a_host_that_never_stops_talking_is_cut_off(loopback: Loopback) -> None:
    with pytest.raises(Conflict) as caught:
        loopback.hosts.run(loopback.host, "yes", seconds=30)
    assert str(OUTPUT_BYTES) in caught.value.message
    assert loopback.hosts.run(loopback.host, "echo well", seconds=20) == "well\n"


def test_a_connection_that_was_cut_is_made_again(loopback: Loopback) -> None:
    assert loopback.hosts.run(loopback.host, "echo one", seconds=20) == "one\n"
    loopback.servers["gateway"].cut()
    with pytest.raises(Unavailable):
        loopback.hosts.run(loopback.host, "echo two", seconds=20)
    loopback.servers["gateway"].start()
    assert loopback.hosts.run(loopback.host, "echo three", seconds=20) == "three\n"


def test_a_cut_in_the_middle_of_a_command_is_unreachable_and_not_success(loopback: Loopback) -> None:
    cut = threading.Timer(1.0, loopback.sshd.cut)
    cut.start()
    with pytest.raises(Unavailable) as caught:
        loopback.hosts.run(loopback.host, "echo begun; sleep 20", seconds=30)
    cut.join()
    assert caught.value.code == "host_unreachable"


def test_what_a_file_holds_is_on_no_command_line_and_in_no_log(loopback: Loopback) -> None:
    secret = "correct-horse-battery-staple"
    seen = loopback.sshd.folder / "seen"
    watch = subprocess.Popen(
        [
            "sh",
            "-c",
            f"while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' ' >>{seen}; done",
        ]
    )
    try:
        for number in range(10):
            path = f"{loopback.sshd.folder}/secret-{number}"
            loopback.hosts.put(loopback.host, [HostFile(path=path, content=secret.encode(), mode=0o400)])
        loopback.hosts.run(loopback.host, f": {secret}; sleep 0.3", seconds=20)
    finally:
        watch.kill()
        watch.wait()
    assert b"sftp-server" in seen.read_bytes()
    assert secret.encode() not in seen.read_bytes().replace(str(os.getpid()).encode(), b"")
    assert secret not in loopback.sshd.log


def test_nothing_of_the_persons_own_is_read(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configuration that would send us elsewhere, an agent and known hosts that would be asked: none is."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text("Host *\n  Port 1\n  User nobody\n  ProxyJump 127.0.0.1:1\n")
    (home / ".ssh/known_hosts").write_text("* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n")
    asked = socket.socket(socket.AF_UNIX)
    asked.bind(str(tmp_path / "agent"))
    asked.listen()
    asked.setblocking(False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    assert loopback.hosts.run(loopback.host, "echo well", seconds=20) == "well\n"
    with asked, pytest.raises(BlockingIOError):
        asked.accept()


def test_connections_are_shared_and_closed(loopback: Loopback) -> None:
    threads = [
        threading.Thread(target=loopback.hosts.run, args=(loopback.host, "sleep 0.5"), kwargs={"seconds": 20})
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in loopback.servers.values():
        assert server.log.count("Accepted publickey") == 1, server.name
    loopback.hosts.close()
    loopback.hosts.close()
    assert sum(thread.name == "hosts" for thread in threading.enumerate()) == 0
