"""Servers of the simulated cloud as machines that really boot: systemd, cloud-init, sshd and an engine in a container.

What is as on a real server: the user data and how it is taken, SSH and its keys, systemd's units, nftables, the engine
and what runs in it, a restart, a snapshot's contents, private networks that only their members are in, and that nothing
leads out. What differs:

- the kernel is this machine's, and all share it; a container is no proof against who has its root rights;
- a volume is a file behind a loop device of this machine, or where that has none a folder, mounted at its place before
  the machine boots;
- a builder has a second network that leads out, and only it; nobody else has a route to anywhere but that network;
- the cloud's firewall is a table in the machine's own network namespace, which its root could take away;
- there is no metadata server.

A machine is reached through a published port of the loopback (`dial`), never by its address.
"""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from frostbyte.adapters.hetzner.world.driver import Disk, Machine
from servers.process import free_port

PUBLIC: Final = "198.18.0.0/16"
ROUTER: Final = "198.18.0.1"
"""This machine, as its machines see it: whoever comes through a published port comes from here."""
NOBODY: Final = "198.18.255.254"
"""The public network's default gateway and name server: no machine has this address, so nothing leads out."""
ADDRESSES: Final = "198.18.16.0/20"
"""What the simulated cloud gives out."""
WAY_OUT: Final = "198.19.255.0/24"
OUT_ROUTER: Final = "198.19.255.1"
"""The same, as builders see it."""
VOLUME: Final = "/srv/frostbyte"
SSH: Final = 22
SECONDS: Final = 300
GIGABYTE: Final = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The public network.

    Attributes:
        network: CIDR.
        router: this machine, as its machines see it.
        nobody: default gateway and name server.
        addresses: what the simulated cloud gives out.
    """

    network: str = PUBLIC
    router: str = ROUTER
    nobody: str = NOBODY
    addresses: str = ADDRESSES


_COPY: Final = """\
mkdir -p "$1"
for each in "$0"/*; do
    case "$each" in
        */overlay2) cp --archive --link "$each" "$1/" ;;
        *) cp --archive "$each" "$1/" ;;
    esac
done
"""
_RIGHTS: Final = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"),
    *("--security-opt", "apparmor=unconfined"),
    *("--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--env", "container=docker"),
)


def docker(*words: str, check: bool = True, given: str = "") -> str:
    """What a docker command printed. Raises RuntimeError with what it said."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=SECONDS, input=given)
    if check and done.returncode != 0:
        raise RuntimeError(f"docker {words[0]}: {done.stderr[-2000:]}")
    return done.stdout.strip()


class Machines:
    """See adapters.hetzner.world.driver.Driver.

    Args:
        system: the image that every system image stands for (tests/machines/Dockerfile).
        folder: for seeds and volumes.
        prefix: of all names at the engine; what has it is taken away by `close`.
        disks: whether volumes are block devices.
    """

    def __init__(
        self, system: str, folder: Path, *, prefix: str = "fbm", ground: Ground | None = None, disks: bool = False
    ) -> None:
        self._system, self._folder, self._prefix = system, folder, prefix
        self._ground, self._disks = ground or Ground(), disks
        self._loops: dict[int, str] = {}
        self._snapshots: set[int] = set()
        self._networks: dict[int, str] = {}
        self._ports: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()
        nowhere = ("--opt", "com.docker.network.bridge.enable_ip_masquerade=false")
        self._public = self._network(
            *("public", self._ground.network, "--gateway", self._ground.router),
            *("--aux-address", f"DefaultGatewayIPv4={self._ground.nobody}", *nowhere),
        )
        # Docker takes the default route from the network that comes first by name.
        self._out = self._network("a-way-out", WAY_OUT, "--gateway", OUT_ROUTER)

    # -- for tests ---------------------------------------------------------------------------------------------------

    def dial(self, address: str, port: int) -> tuple[str, int]:
        """Where a port of a public machine is really reached."""
        return "127.0.0.1", self._ports[address, port]

    def name(self, server_id: int) -> str:
        """A machine's container."""
        return f"{self._prefix}-{server_id}"

    def run(self, server_id: int, *words: str, check: bool = True) -> str:
        """Run something on a machine, from the side."""
        return docker("exec", self.name(server_id), *words, check=check)

    @property
    def public_network(self) -> str:
        """Its name at the engine."""
        return self._public

    def public(self) -> list[str]:
        """Public addresses of the machines that run."""
        names = docker("ps", "--filter", f"name=^{self._prefix}-[0-9]+$", "--format", "{{.Names}}").split()
        if not names:
            return []
        place = f'{{{{with index .NetworkSettings.Networks "{self._public}"}}}}{{{{.IPAddress}}}}{{{{end}}}}'
        return sorted(docker("inspect", "--format", place, *names).split())

    def close(self) -> None:
        """Take everything away."""
        mine = ("--filter", f"name=^{self._prefix}-", "--quiet")
        for lists, removes in (
            (("ps", "--all"), ("rm", "--force", "--volumes")),
            (("network", "ls"), ("network", "rm")),
            (("volume", "ls"), ("volume", "rm", "--force")),
        ):
            if found := docker(*lists, *mine, check=False).split():
                docker(*removes, *found, check=False)
        for image_id in self._snapshots:
            docker("image", "rm", "--force", self._snapshot(image_id), check=False)
        for volume_id in list(self._loops):
            self._let_go(volume_id)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- the driver --------------------------------------------------------------------------------------------------

    def created(self, machine: Machine) -> None:
        """Its seed; the container is made at the first start, when it is known which networks it is in."""
        seed = self._seed(machine)
        seed.mkdir(parents=True, exist_ok=True)
        (seed / "user-data").write_text(machine.user_data or "#cloud-config\n", encoding="utf-8")
        (seed / "meta-data").write_text(f"instance-id: i-{machine.server_id}\nlocal-hostname: {machine.name}\n")

    def started(self, machine: Machine) -> None:
        if not machine.boots:
            return
        name = self.name(machine.server_id)
        if not docker("ps", "--all", "--quiet", "--filter", f"name=^{name}$"):
            self._make(machine)
        docker("start", name)
        self.filtered(machine)

    def stopped(self, machine: Machine, *, graceful: bool) -> None:
        name = self.name(machine.server_id)
        if graceful:
            docker("stop", "--time", "60", name, check=False)
        else:
            docker("kill", name, check=False)

    def joined(self, machine: Machine) -> None:
        """Of one that exists already: those that were left out are joined; none is ever left."""
        name = self.name(machine.server_id)
        if not docker("ps", "--all", "--quiet", "--filter", f"name=^{name}$"):
            return
        held = docker("inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", name)
        for network, address in self._places(machine):
            if network not in held.split():
                docker("network", "connect", "--ip", address, network, name)

    def attached(self, machine: Machine, disk: Disk) -> None:
        if self._disks:
            self._loop(disk)
        else:
            self._disk(disk).mkdir(parents=True, exist_ok=True)
        running = docker("ps", "--quiet", "--filter", f"name=^{self.name(machine.server_id)}$")
        if running:
            raise RuntimeError("a folder cannot be put into a machine that runs")

    def detached(self, machine: Machine, disk: Disk) -> None:
        return  # the folder stays; a machine that is started again without it is another container

    def imaged(self, machine: Machine, image_id: int) -> None:
        name = self.name(machine.server_id)
        docker("commit", name, self._snapshot(image_id))
        with self._lock:
            self._snapshots.add(image_id)
        self._copy(f"{name}-engine", f"{self._prefix}-snapshot-{image_id}")

    def filtered(self, machine: Machine) -> None:
        """The cloud's firewall, on the public address alone. Private ones have none."""
        if not machine.public_ipv4 or not machine.firewalled:
            return
        rules = "\n".join(_rule(machine.public_ipv4, rule) for rule in machine.rules if rule["direction"] == "in")
        table = (
            "table inet cloud\ndelete table inet cloud\ntable inet cloud {\nchain in {\n"
            "type filter hook prerouting priority -150; policy accept;\nct state established,related accept\n"
            f"{rules}\nip daddr {machine.public_ipv4} drop\n}}\n}}\n"
        )
        name = self.name(machine.server_id)
        if docker("ps", "--quiet", "--filter", f"name=^{name}$"):  # one that is off is told when it starts
            docker("exec", "--interactive", name, "nft", "--file", "-", given=table)

    def deleted(self, machine: Machine) -> None:
        name = self.name(machine.server_id)
        docker("rm", "--force", "--volumes", name, check=False)
        docker("volume", "rm", "--force", f"{name}-engine", check=False)
        shutil.rmtree(self._seed(machine), ignore_errors=True)

    def destroyed(self, disk: Disk) -> None:
        self._let_go(disk.volume_id)
        self._disk(disk).with_suffix(".img").unlink(missing_ok=True)
        shutil.rmtree(self._disk(disk), ignore_errors=True)

    def unimaged(self, image_id: int) -> None:
        docker("image", "rm", "--force", self._snapshot(image_id), check=False)
        docker("volume", "rm", "--force", f"{self._prefix}-snapshot-{image_id}", check=False)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _make(self, machine: Machine) -> None:
        name, builds = self.name(machine.server_id), machine.image_id not in self._snapshots
        engine = f"{name}-engine"
        docker("volume", "create", engine)
        if not builds:
            self._copy(f"{self._prefix}-snapshot-{machine.image_id}", engine)
        places = self._places(machine)
        words: list[str] = ["create", "--name", name, "--hostname", machine.name, *_RIGHTS]
        words += ["--volume", f"{engine}:/var/lib/docker"]
        words += ["--volume", f"{self._seed(machine)}:/var/lib/cloud/seed/nocloud:ro"]
        for disk in machine.disks:
            if self._disks:
                words += ["--device", f"{self._loop(disk)}:{disk.device}"]
            else:
                words += ["--volume", f"{self._disk(disk)}:{VOLUME}"]
        if machine.public_ipv4:
            port = self._ports[machine.public_ipv4, SSH] = free_port()
            words += ["--publish", f"127.0.0.1:{port}:{SSH}"]
        if not builds:
            words += ["--dns", self._ground.nobody]  # else the engine of this machine would look names up for them
        words += ["--network", places[0][0], "--ip", places[0][1]]
        docker(*words, self._system if builds else self._snapshot(machine.image_id))
        for network, address in places[1:]:
            docker("network", "connect", "--ip", address, network, name)
        if builds:
            docker("network", "connect", self._out, name)

    def _places(self, machine: Machine) -> list[tuple[str, str]]:
        """Networks and addresses, the public one first."""
        found = [(self._public, machine.public_ipv4)] if machine.public_ipv4 else []
        for one in machine.interfaces:
            with self._lock:
                if one.network_id not in self._networks:
                    self._networks[one.network_id] = self._network(
                        str(one.network_id), one.network_range, "--internal", "--gateway", one.gateway
                    )
            found.append((self._networks[one.network_id], one.address))
        return found

    def _network(self, name: str, subnet: str, *options: str) -> str:
        whole = f"{self._prefix}-{name}"
        docker("network", "create", "--subnet", subnet, *options, whole)
        return whole

    def _copy(self, source: str, target: str) -> None:
        """An engine's folder. Its layers are never written to again, so their files are shared."""
        docker("volume", "create", target)
        folder = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", target)).parents[1]
        held = ("--network", "none", "--volume", f"{folder}:/volumes", "--entrypoint", "sh")
        places = (f"/volumes/{source}/_data", f"/volumes/{target}/_data")
        docker("run", "--rm", *held, self._system, "-euc", _COPY, *places)

    def _snapshot(self, image_id: int) -> str:
        return f"{self._prefix}-snapshot:{image_id}"

    def _seed(self, machine: Machine) -> Path:
        return self._folder / f"seed-{machine.server_id}"

    def _loop(self, disk: Disk) -> str:
        """The device of a volume, which is as large as it was ordered and takes what is written to it."""
        if disk.volume_id not in self._loops:
            file = self._disk(disk).with_suffix(".img")
            with file.open("wb") as sink:
                sink.truncate(disk.size_gb * GIGABYTE)
            words = ("losetup", "--find", "--show", str(file))
            device = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
            self._loops[disk.volume_id] = device
            if disk.format:
                subprocess.run((f"mkfs.{disk.format}", "-q", device), check=True)
        return self._loops[disk.volume_id]

    def _let_go(self, volume_id: int) -> None:
        if device := self._loops.pop(volume_id, ""):
            subprocess.run(("losetup", "--detach", device), check=False)

    def _disk(self, disk: Disk) -> Path:
        return self._folder / f"volume-{disk.volume_id}"


def _rule(address: str, rule: dict[str, Any]) -> str:
    port = str(rule.get("port") or "any")
    what = rule["protocol"] if rule["protocol"] == "icmp" else f"{rule['protocol']} dport {port}"
    if port == "any":
        what = f"meta l4proto {rule['protocol']}"
    sources: Sequence[str] = [one for one in rule["source_ips"] if ipaddress.ip_network(one).version == 4]
    return f"ip daddr {address} ip saddr {{ {', '.join(sources)} }} {what} accept" if sources else ""
