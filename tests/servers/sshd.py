"""Debian's sshd on a port of the loopback, with a host's programs played by scripts beside it."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
from pathlib import Path

import asyncssh

from frostbyte.adapters.hosts.own_key import Layout
from frostbyte.control_plane.provisioning.ports import HostAddress
from servers.lanes import program
from servers.process import ServerProcess, free_port, listens

DOCKER = Path(__file__).with_name("fake_docker.py")


class Sshd(ServerProcess):
    """A host that has booted: it shows its first key, and lets one key of ours in.

    Args:
        authorized: the public key that it lets in.

    Attributes:
        folder: its /etc/ssh; `bin` below it comes first on the path of whoever logs in.
    """

    def __init__(self, folder: Path, authorized: str, *, name: str = "sshd") -> None:
        self.port = free_port()
        self.pidfile = folder / "pid"
        self.state = folder / "docker.json"
        super().__init__(
            name,
            [str(program("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")],
            folder=folder,
            ready=lambda: listens(self.port),
        )
        self._furnish(authorized)

    def _furnish(self, authorized: str) -> None:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it wants this one, wherever its configuration lies
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "sshd_config.d").mkdir()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.first_key = key.export_public_key().decode().strip()
        private = self.folder / "ssh_host_ed25519_key"
        private.write_bytes(key.export_private_key())
        private.chmod(0o600)
        (self.folder / "authorized_keys").write_text(authorized + "\n")
        # Another home than the person's own: a shell there reads nothing of theirs.
        path = f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        (self.folder / "sshd_config").write_text(
            f"Include {self.folder}/sshd_config.d/*.conf\nListenAddress 127.0.0.1\nPort {self.port}\n"
            f"HostKey {private}\nPidFile {self.pidfile}\nAuthorizedKeysFile {self.folder}/authorized_keys\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f'PermitRootLogin prohibit-password\nSetEnv HOME="{self.folder}" PATH="{path}" FAKE_DOCKER="{self.state}"\n'
        )
        self.script("docker", f'exec {shutil.which("python3")} {DOCKER} "$@"\n')
        self.cloud_init({"status": "done", "errors": []})
        self.script("reload", f'kill -HUP "$(cat {self.pidfile})"\n')

    def script(self, name: str, text: str) -> None:
        """A program on the host."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def cloud_init(self, status: object, *, code: int = 0) -> None:
        """What cloud-init says of itself."""
        self.script("cloud-init", f"cat <<'END'\n{json.dumps(status)}\nEND\nexit {code}\n")

    @property
    def layout(self) -> Layout:
        """Where this host has its things; its user needs no other rights."""
        return Layout(ssh_folder=str(self.folder), reload=str(self.folder / "bin/reload"), as_root=())

    def address(self, *via: HostAddress) -> HostAddress:
        """Known by its first key."""
        user = getpass.getuser()
        return HostAddress(
            name=self.name, address="127.0.0.1", port=self.port, user=user, host_key=self.first_key, via=via
        )

    def cut(self) -> None:
        """A power cut: the server and every session of it, which have left its process group."""
        sessions = self._children(self.pid)
        self.kill()
        for pid in sessions:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _children(self, parent: int) -> list[int]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                pid = int(stat.parent.name)
                found += [pid, *self._children(pid)]
        return found
