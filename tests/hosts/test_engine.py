"""The packet filter under a real Docker that runs as hosts run it, with the networks and ports of a gateway's project.

Its containers hold no system: this machine's Python is mounted into them, and they listen and knock.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from frostbyte.deploy.hosts import boot, layout
from frostbyte.deploy.hosts.firewall import rules
from hosts.test_packets import described
from hosts.test_projects import RENDERER, given
from hosts.wires import AGENT, PORTS, Wires
from servers.lanes import need, program

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(300)]
HOST = described("gateway")
LISTENS = {
    "intake-gateway": ("tcp/8080", "tcp/8443"),
    "serving": ("tcp/8080",),
    "nomic-embed": ("tcp/8080",),
    "egress-proxy": ("tcp/3128",),
}
KEPT = ("networks", "ports", "cap_drop", "security_opt", "read_only")


@dataclass(frozen=True)
class Engine:
    """A daemon of this test's own."""

    wires: Wires
    socket: str
    folder: Path

    def docker(self, *words: str, given: str = "") -> str:
        environment = os.environ | {"DOCKER_HOST": self.socket}
        done = subprocess.run(
            ["docker", *words], env=environment, input=given, text=True, capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def compose(self, *words: str) -> str:
        return self.docker("compose", "--file", str(self.folder / "docker-compose.yml"), *words)

    def knock(self, service: str, tasks: list[tuple[str, str, str, int]]) -> list[str]:
        words = ("exec", "-T", service, "/usr/bin/python3", "-I", "/agent.py", "knock")
        command = ["docker", "compose", "--file", str(self.folder / "docker-compose.yml"), *words]
        environment = os.environ | {"DOCKER_HOST": self.socket}
        sent = json.dumps(tasks)
        done = subprocess.run(command, env=environment, input=sent, text=True, capture_output=True, check=True)
        found: list[str] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    for lane in ("root", "nftables", "docker"):
        need(lane)
    if program("dockerd") is None or not Path("/usr/bin/python3").exists():
        pytest.skip("the docker lane: tools/docker.sh start (as root)")
    folder = tmp_path_factory.mktemp("engine")
    socket = f"unix://{folder}/docker.sock"
    (folder / "daemon.json").write_text(boot._engine(HOST))
    with Wires(HOST, engine=True) as wires:
        command = [str(program("dockerd")), "--config-file", f"{folder}/daemon.json", "--data-root", f"{folder}/data"]
        command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", "--host", socket]
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(wires.within(*command), stdout=log, stderr=log, start_new_session=True)
        running = Engine(wires, socket, folder)
        try:
            _until_it_answers(socket, daemon, folder)
            _described(running)
            running.compose("up", "--detach", "--quiet-pull")
            time.sleep(1)
            yield running
        finally:
            # Containers outlive the daemon (live-restore), so they go first.
            down = ["docker", "compose", "--file", f"{folder}/docker-compose.yml", "down", "--timeout", "1"]
            subprocess.run(down, env=os.environ | {"DOCKER_HOST": socket}, capture_output=True, check=False)
            daemon.terminate()
            daemon.wait(30)


def _until_it_answers(socket: str, daemon: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(150):
        asked = subprocess.run(["docker", "--host", socket, "info"], capture_output=True, check=False)
        if asked.returncode == 0:
            return
        assert daemon.poll() is None, (folder / "log").read_text()[-2000:]
        time.sleep(0.2)
    raise AssertionError((folder / "log").read_text()[-2000:])


def _described(engine: Engine) -> None:
    """The gateway's project, its networks and ports as they are, with programs that only listen."""
    root = engine.folder / "root.tar"
    with tarfile.open(root, "w") as tar:
        for name in ("usr", "proc", "sys", "dev", "tmp", "etc", "run"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.addfile(tarfile.TarInfo("agent.py"))
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
    engine.docker("import", str(root), "probe")
    files = {file.path: file.content for file in RENDERER.files(HOST, given("gateway"))}
    project: dict[str, Any] = yaml.safe_load(files[f"{layout.FOLDER}/docker-compose.yml"])
    services = {
        name: {key: service[key] for key in KEPT if key in service}
        | {
            "image": "probe",
            "user": "10001",
            "command": ["/usr/bin/python3", "-I", "/agent.py", "serve", *LISTENS[name]],
            "volumes": ["/usr:/usr:ro", f"{AGENT}:/agent.py:ro"],
        }
        for name, service in project["services"].items()
    }
    told = {"name": "fbengine", "services": services, "networks": project["networks"]}
    (engine.folder / "docker-compose.yml").write_text(yaml.safe_dump(told))


def _open(tasks: list[tuple[str, str, str, int]], answers: list[str]) -> set[str]:
    return {
        f"{caller} > {whom} {kind}/{port}"
        for (caller, kind, whom, port), said in zip(tasks, answers, strict=True)
        if said != "closed"
    }


def test_published_ports_are_reached_by_whom_they_are_meant_for(engine: Engine) -> None:
    tasks = [
        (caller, kind, whom, int(port))
        for caller in ("edge", "bastion", "stranger", "db", "worker-1", "foreign")
        for whom in ("public", "private")
        for kind, _, port in (one.partition("/") for one in PORTS)
    ]
    assert _open(tasks, engine.wires.knock(tasks)) >= {"edge > public tcp/8080", "edge > public tcp/8443"}
    engine.wires.load(rules(HOST))  # loaded again under running containers
    assert _open(tasks, engine.wires.knock(tasks)) == {
        "bastion > public tcp/22",
        "bastion > private tcp/22",
        "edge > public tcp/8080",
        "edge > public tcp/8443",
        "edge > private tcp/8080",
        "edge > private tcp/8443",
        "db > public udp/123",
        "db > private udp/123",
        "db > private tcp/3128",
        "worker-1 > public udp/123",
        "worker-1 > private udp/123",
        "worker-1 > private tcp/3128",
        "worker-1 > private tcp/8081",
    }


def test_containers_reach_each_other_the_stores_and_nothing_else(engine: Engine) -> None:
    others = {
        one: engine.wires.address(one) for one in ("db", "worker-1", "website", "metadata", "resolver", "stranger")
    }
    ports = (22, 53, 80, 443, 2375, 3128, 5432, 6379, 8081, 8443)
    tasks = [("", "tcp", address, port) for address in others.values() for port in ports]
    names = {address: name for name, address in others.items()}

    def reached(service: str) -> set[str]:
        answers = engine.knock(service, tasks)
        return {
            f"{names[address]} {port} as {said.split()[1]}"
            for (_, _, address, port), said in zip(tasks, answers, strict=True)
            if said != "closed"
        }

    stores = {f"db {port} as {HOST.address}" for port in (5432, 6379)}
    for service in ("intake-gateway", "serving"):
        assert reached(service) == stores
    assert reached("nomic-embed") == set()
    outside = {f"{one} {port}" for one in ("website", "resolver", "stranger") for port in (443, 8443)} | {"resolver 53"}
    assert reached("egress-proxy") == {f"{one} as 198.51.100.9" for one in outside}
    beside = [("", "tcp", "serving", 8080), ("", "tcp", "egress-proxy", 3128), ("", "tcp", "nomic-embed", 8080)]
    assert all(said.startswith("open") for said in engine.knock("intake-gateway", beside))


def test_what_is_closed_is_said_at_once(engine: Engine) -> None:
    code = (
        "import socket, time; begun = time.monotonic(); "
        f"print(socket.socket().connect_ex(('{engine.wires.address('website')}', 443)) != 0, time.monotonic() - begun)"
    )
    refused, seconds = engine.compose("exec", "-T", "serving", "/usr/bin/python3", "-I", "-c", code).split()
    assert refused == "True"
    assert float(seconds) < 4  # the kernel says it once a second at most; dropped, it would be two minutes
