"""`frostbyte simulate`: the process that people start, killed and started again, and driven by Hetzner's own client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from frostbyte.cli import app
from frostbyte.cli.output import forget_consoles
from servers.lanes import need, program

COMMAND = [sys.executable, "-m", "frostbyte", "simulate"]


class Simulator:
    """The command, with what it wrote for a shell."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.file = folder / "env"
        self.file.unlink(missing_ok=True)
        given = ["hetzner", "--listen", "127.0.0.1:0", "--state", str(folder / "world.json")]
        self.process = subprocess.Popen(
            [*COMMAND, *given, "--env-file", str(self.file), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()
        self.env = dict(line.split("=", 1) for line in self.file.read_text().splitlines())
        self.endpoint = self.env["HCLOUD_ENDPOINT"]
        self.client = httpx.Client(
            base_url=self.endpoint, headers={"Authorization": f"Bearer {self.env['HCLOUD_TOKEN']}"}, timeout=10
        )

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.client.close()
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str]]]:
    """A command line in this process: its exit code and what it said to stderr."""

    def command(*words: str) -> tuple[int, str]:
        forget_consoles()
        code = app.run(["simulate", *words])
        return code, capsys.readouterr().err

    yield command
    forget_consoles()


def bill(simulator: Simulator, *options: str) -> tuple[int, Any]:
    done = subprocess.run(
        [*COMMAND, "bill", "--endpoint", simulator.endpoint, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_it_says_what_it_is_and_survives_a_kill(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "--latency", "realistic", "--scale", "20", "--zone", "frostbyte.io")
    assert simulator.first.startswith("HCLOUD_ENDPOINT=")
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    assert bill(simulator, "--empty")[0] == 0
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = simulator.client.post("/servers", json=body)
    assert made.headers["X-Simulator"]
    which = made.json()["server"]["id"]
    assert simulator.client.delete(f"/servers/{which}").status_code == 423
    beside = f"{simulator.endpoint.removesuffix('/v1')}/_simulator"
    other = httpx.post(f"{beside}/tokens", json={"project": "other"}).json()["token"]
    simulator.end(signal.SIGKILL)
    assert (tmp_path / "world.json").stat().st_mode & 0o777 == 0o600

    again = Simulator(tmp_path, "--latency", "realistic", "--scale", "20", "--fault", "server_error@2")
    assert again.env["HCLOUD_TOKEN"] == simulator.env["HCLOUD_TOKEN"]
    assert [one["name"] for one in again.client.get("/zones").json()["zones"]] == ["frostbyte.io"]
    assert again.client.get("/zones").status_code == 500
    kept = httpx.get(f"{again.endpoint}/servers", headers={"Authorization": f"Bearer {other}"})
    assert kept.json()["servers"] == [], "what was changed beside the API is kept as well"
    deadline = time.monotonic() + 20
    while again.client.get(f"/servers/{which}").json()["server"]["status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    code, shown = bill(again, "--empty")
    assert (code, {item["kind"] for item in shown["existing"]}) == (3, {"server", "primary_ip"})
    code, err = again.end()
    assert code in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    assert "SIMULATOR" in err


@pytest.mark.parametrize(
    "options",
    [
        ["--latency", "quick"],
        ["--scale", "0"],
        ["--fault", "gremlins"],
        ["--fault", '{"name": "locked", "at": 0}'],
        ["--fault", "locked@x"],
        ["--zone", "a.b.c"],
        ["--listen", "4710"],
        ["--dns", "nowhere"],
    ],
)
def test_options_that_cannot_be(options: list[str], run: Callable[..., tuple[int, str]]) -> None:
    listen = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
    code, err = run("hetzner", *listen, *options)
    assert code == 2
    assert err


def test_a_file_that_is_no_world(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    for text in ("", "{", '{"projects": []}', '{"projects":{},"grants":{},"next_id":1,"now":"2026-01-01T00:00:00Z"'):
        (tmp_path / "world").write_text(text)
        code, err = run("hetzner", "--listen", "127.0.0.1:0", "--state", str(tmp_path / "world"))
        assert code == 2
        assert "cannot be read as a world" in err
        assert (tmp_path / "world").read_text() == text


def test_a_bill_of_nobody(run: Callable[..., tuple[int, str]]) -> None:
    code, err = run("bill", "--endpoint", "http://127.0.0.1:9/v1")
    assert code == 7
    assert "No simulator answers there" in err


@pytest.mark.slow
def test_hetzners_own_client(tmp_path: Path) -> None:
    need("hcloud")
    hcloud = program("hcloud")
    assert hcloud
    simulator = Simulator(tmp_path)

    def said(*words: str) -> str:
        environment = os.environ | simulator.env | {"HOME": str(tmp_path)}
        done = subprocess.run(
            [hcloud, *words], capture_output=True, text=True, check=False, timeout=60, env=environment
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    try:
        said("network", "create", "--name", "n", "--ip-range", "10.7.0.0/16")
        said(
            "network", "add-subnet", "n", "--type", "cloud", "--network-zone", "eu-central", "--ip-range", "10.7.1.0/24"
        )
        server = ("server", "create", "--name", "db", "--type", "cx33", "--image", "debian-13", "--location", "fsn1")
        said(*server, "--without-ipv6", "--start-after-create=false", "--label", "role=db")
        said("server", "attach-to-network", "db", "--network", "n", "--ip", "10.7.1.20")
        said("volume", "create", "--name", "data", "--size", "10", "--location", "fsn1", "--format", "ext4")
        said("volume", "attach", "data", "--server", "db")
        said("server", "poweron", "db")
        described = json.loads(said("server", "describe", "db", "-o", "json"))
        assert (described["status"], described["private_net"][0]["ip"]) == ("running", "10.7.1.20")
        assert "db" in said("server", "list", "--selector", "role=db")
        rules = json.dumps([{"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0"]}])
        (tmp_path / "rules.json").write_text(rules)
        said("firewall", "create", "--name", "w", "--rules-file", str(tmp_path / "rules.json"))
        said("firewall", "apply-to-resource", "w", "--type", "label_selector", "--label-selector", "role=edge")
        said("firewall", "remove-from-resource", "w", "--type", "label_selector", "--label-selector", "role=edge")
        said("server", "create-image", "db", "--type", "snapshot", "--description", "fb-host")
        snapshot = json.loads(said("image", "list", "--type", "snapshot", "-o", "json"))[0]["id"]
        said("server-type", "list")
        said("volume", "detach", "data")
        said("server", "delete", "db")
        said("volume", "delete", "data")
        said("network", "delete", "n")
        said("firewall", "delete", "w")
        said("image", "delete", str(snapshot))
        assert bill(simulator, "--empty")[0] == 0
    finally:
        simulator.end()
