"""A host of ours among others, in network namespaces that are made for a test and removed after it.

outside     edge, bastion, a stranger, a web site, the cloud's metadata, resolver and clock
subnet      the tenant's other hosts, and one that is none of them
host        what is tested: its rules, and a table that rewrites published ports as Docker does
containers  a service and the egress proxy on the bridge fb-hosts
plane       a service on the bridge fb-plane
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from frostbyte.control_plane.provisioning.hosting import Surroundings
from frostbyte.deploy.hosts.firewall import rules
from servers.lanes import program

AGENT: Final = Path(__file__).with_name("wires_agent.py")
OUTSIDE: Final = {
    "edge": "198.51.100.1",
    "bastion": "198.51.100.2",
    "stranger": "198.51.100.66",
    "website": "198.51.100.77",
    "metadata": "169.254.169.254",
    "resolver": "185.12.64.1",
    "clock": "213.239.239.164",
}
"""Documentation addresses, and those of the cloud's own services: none of them leaves its namespace."""
HOSTS: Final = {
    "standard": {"gateway": "198.18.7.10", "db": "198.18.7.20", "worker-1": "198.18.7.31"},
    "small": {"single": "198.18.7.10"},
}
SUBNET: Final = "198.18.7.0/24"
FOREIGN: Final = "198.18.7.66"
PUBLIC: Final = "198.51.100.9"
INSIDE: Final = {"container": "172.30.6.2", "egress": "172.30.6.253", "plane": "172.28.0.2"}
PUBLISHED: Final = {
    "gateway": (8080, 8443, 8081, 3128),
    "single": (8080, 8443),
    "edge": (80, 443),
    "db": (5432, 6379, 9000, 6333),
    "worker": (),
}
PORTS: Final = ("tcp/22", "tcp/53", "tcp/80", "tcp/443", "tcp/8443", "tcp/8080", "tcp/8081", "tcp/3128", "tcp/5432",
    "tcp/6379", "tcp/9000", "tcp/6333", "tcp/2375", "udp/123", "udp/53")  # fmt: skip


class Wires:
    """The namespaces of one host. Use as a context manager.

    Args:
        engine: a real engine will make bridges and containers and publish ports; nothing stands in for it.
    """

    def __init__(self, host: Surroundings, *, engine: bool = False) -> None:
        self._host = host
        self._engine = engine
        self._names = {part: f"fbt{os.getpid()}{part}" for part in ("outside", "subnet", "host", "containers", "plane")}
        self._listening: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Wires:
        try:
            for name in self._names.values():
                _run("ip", "netns", "add", name)
                self._in(name, "ip", "link", "set", "lo", "up")
            self._wire()
            if not self._engine:
                self.load(self._docker())
            self.load(rules(self._host))
            for part in self._names:
                if not self._engine:
                    self._listen(part, PORTS)
                elif part in ("outside", "subnet", "host"):
                    self._listen(part, PORTS if part != "host" else ("tcp/22", "tcp/80", "udp/123"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._listening:
            process.kill()
            process.wait()
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def within(self, *command: str) -> list[str]:
        """A command in the host's network, with the machine's own cgroups, which an engine needs."""
        return ["nsenter", f"--net=/var/run/netns/{self._names['host']}", *command]

    def load(self, text: str) -> None:
        """Have the host's nftables read a file."""
        nft = str(program("nft"))
        command = ["ip", "netns", "exec", self._names["host"], nft, "--file", "-"]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    def listed(self) -> str:
        """All rules of the host."""
        return _run("ip", "netns", "exec", self._names["host"], str(program("nft")), "list", "ruleset")

    def address(self, who: str) -> str:
        """Of a party; '' for the host itself."""
        known = OUTSIDE | INSIDE | self._peers() | {"foreign": FOREIGN, "public": PUBLIC, "host": ""}
        return known[who] if who != "private" else self._host.address

    def parties(self) -> tuple[list[str], list[str]]:
        """Who can try something here, and whom one can try to reach."""
        public = self._public
        others = [*self._peers(), "foreign"] if self._host.address else []
        callers = [*(("edge", "bastion", "stranger") if public else ()), *others, *INSIDE, "host"]
        services = ("metadata", "website", "resolver", "clock")
        at = [*(("public",) if public else ()), *(("private",) if self._host.address else ())]
        return callers, [*at, "container", *services, *others]

    def knock(self, tasks: Sequence[tuple[str, str, str, int]]) -> list[str]:
        """What came of each (who, tcp or udp, whom, port): `closed`, or `open` and the address that was seen."""
        found: list[str] = [""] * len(tasks)
        for part in self._names:
            mine = [number for number, task in enumerate(tasks) if self._part(task[0]) == part]
            if not mine:
                continue
            sent = [(self.address(a), kind, self.address(b), port) for a, kind, b, port in (tasks[n] for n in mine)]
            command = ["ip", "netns", "exec", self._names[part], sys.executable, "-I", str(AGENT), "knock"]
            done = subprocess.run(command, input=json.dumps(sent), text=True, check=True, capture_output=True)
            for number, answer in zip(mine, json.loads(done.stdout), strict=True):
                found[number] = answer
        return found

    def apart(self, caller: str, called: str) -> bool:
        """Whether something lies between them that could refuse."""
        return self._part(caller) != self._part(called)

    def _part(self, who: str) -> str:
        if who in OUTSIDE:
            return "outside" if self._public else "subnet"
        if who == "foreign" or who in self._peers():
            return "subnet"
        return {"public": "host", "private": "host", "host": "host", "plane": "plane"}.get(who, "containers")

    @property
    def _public(self) -> bool:
        return self._host.role.value in ("gateway", "single", "edge")

    def _peers(self) -> dict[str, str]:
        return {part: address for part, address in self._host.hosts.items() if address != self._host.address}

    def _wire(self) -> None:
        host, outside, subnet = (self._names[part] for part in ("host", "outside", "subnet"))
        if self._public:
            self._pair(host, "out0", outside, "eth0")
            self._in(host, "ip", "addr", "add", f"{PUBLIC}/24", "dev", "out0")
            self._in(host, "ip", "route", "add", "default", "via", OUTSIDE["website"])
            for address in OUTSIDE.values():
                self._in(outside, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
            # Whoever is outside knows the way to containers, and tries it.
            self._in(outside, "ip", "route", "add", "172.16.0.0/12", "via", PUBLIC)
            self._in(outside, "ip", "route", "add", SUBNET, "via", PUBLIC)
        if self._host.address:
            self._pair(host, "pri0", subnet, "eth0")
            self._in(host, "ip", "addr", "add", f"{self._host.address}/24", "dev", "pri0")
            for address in (*self._peers().values(), FOREIGN):
                self._in(subnet, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
            self._in(subnet, "ip", "route", "add", "default", "via", self._host.address)
        if not self._public:  # the network's router knows no way out; a host that asks it gets as far as this
            self._in(host, "ip", "route", "add", "default", "via", FOREIGN)
            for address in OUTSIDE.values():
                self._in(subnet, "ip", "addr", "add", f"{address}/32", "dev", "lo")
        if self._engine:
            return
        for bridge, part, addresses, router in (
            ("fb-hosts", "containers", (INSIDE["container"], INSIDE["egress"]), "172.30.6.1/24"),
            ("fb-plane", "plane", (INSIDE["plane"],), "172.28.0.1/16"),
        ):
            self._in(host, "ip", "link", "add", bridge, "type", "bridge")
            self._in(host, "ip", "link", "set", bridge, "up")
            self._in(host, "ip", "addr", "add", router, "dev", bridge)
            self._pair(host, f"v{part[:6]}", self._names[part], "eth0")
            self._in(host, "ip", "link", "set", f"v{part[:6]}", "master", bridge)
            for address in addresses:
                prefix = router.partition("/")[2]
                self._in(self._names[part], "ip", "addr", "add", f"{address}/{prefix}", "dev", "eth0")
            self._in(self._names[part], "ip", "route", "add", "default", "via", router.partition("/")[0])
        self._in(host, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _pair(self, one: str, its: str, other: str, others: str) -> None:
        self._in(one, "ip", "link", "add", its, "type", "veth", "peer", "name", others, "netns", other)
        self._in(one, "ip", "link", "set", its, "up")
        self._in(other, "ip", "link", "set", others, "up")

    def _docker(self) -> str:
        ports = PUBLISHED[self._host.role.value]
        lines = f"tcp dport {{ {', '.join(map(str, ports))} }} dnat to {INSIDE['container']}" if ports else ""
        return (
            "table ip docker {\n chain prerouting {\n  type nat hook prerouting priority dstnat;\n"
            + (f"  fib daddr type local {lines}\n" if lines else "")
            + " }\n}\n"
        )

    def _listen(self, part: str, ports: Sequence[str]) -> None:
        command = ["ip", "netns", "exec", self._names[part], sys.executable, "-I", str(AGENT), "serve", *ports]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._listening.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def _in(self, name: str, *command: str) -> None:
        _run("ip", "netns", "exec", name, *command)


def _run(*command: str) -> str:
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
