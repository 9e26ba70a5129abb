"""The walls of an offline plane, tried from within each of its containers, on a host whose neighbour counts packets.

The project is the real one: its networks, users, rights, resolvers and limits, and its real door. What runs inside the
others only waits, for walls do not depend on it. The host has a way out, forwards, and asks a resolver on its own
loopback: nothing but the plane's own walls holds anything back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from frostbyte.deploy.compose import IMAGES, Options, plane, render
from images.conftest import docker
from offline.host import TOOL, Host, isolated_host
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(900)]
NEIGHBOUR: Final = "198.51.100.7"
PORT: Final = 18080
KEPT: Final = (
    "image user networks dns read_only cap_drop security_opt mem_limit memswap_limit cpus pids_limit tmpfs ports"
).split()
WAITS: Final = "import time\nwhile True: time.sleep(3600)"
ANSWERS: Final = """
import http.server, socketserver
class Gateway(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.end_headers(); self.wfile.write(b"%d bytes" % size)
    def address_string(self): return "door"
socketserver.ThreadingUnixStreamServer("/run/door/gateway", Gateway).serve_forever()
"""
RESOLVER: Final = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("up", flush=True)
while True:
    data, sender = server.recvfrom(512)
    print(data[13:13 + data[12]].decode(), flush=True)
    server.sendto(data[:2] + b"\\x81\\x83" + data[4:], sender)
"""
"""Says NXDOMAIN to everything, and who was asked about: the first label of each name."""


@dataclass(frozen=True)
class Walls:
    """The plane's containers on their host."""

    host: Host
    image: str
    containers: dict[str, str]
    """By service."""
    users: dict[str, str]
    asked: Path
    """What the host's resolver was asked, a line each."""

    def probe(self, *where: str, user: str = "10001:10001", name: str = "x.example") -> tuple[int, dict[str, Any]]:
        told = ["plane", "probe", "--to", f"{NEIGHBOUR}:53", "--name", name, "--seconds", "4", "--json"]
        held = ["--rm", "--read-only", "--user", user, *where, self.image]
        done = self.host.run("docker", "run", *held, *told, check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, found

    def within(self, service: str, *rights: str, user: str = "") -> tuple[int, dict[str, Any]]:
        """From a container's own network, by its own user and without rights, as it is itself."""
        held = rights or ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        where = ("--network", f"container:{self.containers[service]}")
        return self.probe(*where, *held, user=user or self.users[service])


def project(image: str) -> dict[str, Any]:
    """The plane's compose project, with something that waits inside."""
    told = Options(tenant="walls", version="0", port=PORT, images=dict.fromkeys(IMAGES, image))
    document: dict[str, Any] = yaml.safe_load(render(plane(told)))
    for name, service in document["services"].items():
        kept = {key: service[key] for key in KEPT if key in service}
        runs = {"entrypoint": ["python", "-c", ANSWERS if name == "intake-gateway" else WAITS]}
        if name == "door":
            runs = {"command": service["command"], "environment": service["environment"]}
        doors = [volume for volume in service.get("volumes", []) if str(volume).startswith("door:")]
        document["services"][name] = kept | runs | {"volumes": doors, "pull_policy": "never", "stop_grace_period": "0s"}
        document["services"][name]["healthcheck"] = {"disable": True}
    del document["secrets"]
    document["volumes"] = {"door": document["volumes"]["door"]}
    return document


@pytest.fixture(scope="module")
def walls(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walls]:
    need("root")
    folder = tmp_path_factory.mktemp("walls")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    told = f'mount --bind {folder}/resolv.conf /etc/resolv.conf && exec "$@"'
    docker("save", "--output", str(folder / "api.tar"), images["api"])
    (folder / "docker-compose.yml").write_text(yaml.safe_dump(document := project(images["api"])))
    asked = folder / "asked"
    with isolated_host(under=("unshare", "--mount", "--", "sh", "-c", told, "sh")) as host:
        host.run("docker", "load", "--quiet", "--input", folder / "api.tar")
        host.outside()
        with asked.open("w") as sink:
            # In a group of its own: the tool is a script, and what it started has to end with it.
            resolver = subprocess.Popen(
                [TOOL, "run", str(host.folder), sys.executable, "-c", RESOLVER], stdout=sink, start_new_session=True
            )
        try:
            host.run("docker", "compose", "-f", folder / "docker-compose.yml", "up", "--detach", "--quiet-pull")
            found = {
                one["Config"]["Labels"]["com.docker.compose.service"]: one["Id"]
                for one in host.containers()
                if one["State"]["Running"]
            }
            users = {name: service["user"] for name, service in document["services"].items()}
            yield Walls(host, images["api"], found, users, asked)
        finally:
            os.killpg(resolver.pid, signal.SIGKILL)
            resolver.wait()


def test_nothing_leaves_any_container_of_the_plane(walls: Walls) -> None:
    """By no way, and the neighbour and the host's resolver have heard nothing."""
    assert set(walls.containers) == set(walls.users)
    assert len(walls.containers) >= 11
    heard = walls.asked.read_text()
    with ThreadPoolExecutor(max_workers=4) as pool:
        tried = dict(zip(walls.containers, pool.map(walls.within, walls.containers), strict=True))
    for service, (code, found) in tried.items():
        assert (code, found["isolated"]) == (0, True), (service, found)
        ways = {one["way"]: one for one in found["attempts"]}
        assert set(ways) == {"tcp", "udp", "icmp", "source_route", "dns", "raw_ip", "raw_frame"}, service
        assert ways["raw_frame"]["why"] == ways["raw_ip"]["why"] == "EPERM", service
        end = "172.30.6.6" if service == "door" else "172.28.255.253"
        if found["routes"]:  # 20.10 gives an internal network one; here nobody has its next hop
            assert found["routes"] == [{"interface": "eth0", "via": end, "dead": True}], service
        else:
            assert service != "door"
        closed = "EHOSTUNREACH" if found["routes"] else "ENETUNREACH"
        assert {ways[way]["why"] for way in ("tcp", "udp", "icmp")} == {closed}, service
    assert walls.host.seen_outside() == 0
    assert walls.asked.read_text() == heard == "up\n"


def test_only_the_door_answers_on_the_host_s_loopback(walls: Walls) -> None:
    code = (
        "import urllib.request as u; "
        f"print(u.build_opener(u.ProxyHandler({{}})).open('http://127.0.0.1:{PORT}/x', bytes(5 << 20)).read().decode())"
    )
    until = time.monotonic() + 20
    while (done := walls.host.run(sys.executable, "-c", code, check=False)).returncode and time.monotonic() < until:
        time.sleep(0.3)
    assert done.stdout == f"{5 << 20} bytes\n", done.stderr
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in walls.host.run("cat", f"/proc/net/{table}").stdout.splitlines()[1:]
        if line.split()[3] == "0A"
    }
    assert listening == {f"0100007F:{PORT:04X}"}


def test_the_counting_neighbour_and_the_probe_see_what_is_not_held(walls: Walls) -> None:
    """The same probe where there are no such walls: else the test above could pass for no reason."""
    before = walls.host.seen_outside()
    code, found = walls.probe("--cap-drop", "ALL")
    assert (code, found["isolated"]) == (3, False)
    assert [route["dead"] for route in found["routes"]] == [False]
    assert walls.host.seen_outside() > before
    # Rights are a wall of their own: with those that Docker gives, frames leave by the door's bridge.
    before = walls.host.seen_outside()
    code, found = walls.within("door", "--cap-drop", "NET_ADMIN", user="0:0")
    assert code == 3
    assert "open" in {one["outcome"] for one in found["attempts"] if one["way"] == "raw_frame"}
    assert walls.host.seen_outside() > before
    # And so is the resolver that they are told: without it the host asks in its own name.
    walls.host.run("docker", "network", "create", "plain")
    code, found = walls.probe("--network", "plain", "--cap-drop", "ALL", name="control.example")
    assert {one["why"] for one in found["attempts"] if one["way"] == "dns"} == {"NXDOMAIN"}
    assert len(walls.asked.read_text().splitlines()) > 1
