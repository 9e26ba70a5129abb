"""Hosts that are processes of this machine: what is started, with which settings, and that it ends with its host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from frostbyte.adapters.hosts.local import DESTROY, LocalHosts, Process, Program
from frostbyte.adapters.hosts.memory import Machine
from frostbyte.bootstrap.local_hosts import local_hosts
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.control_plane.support.shapes import host_rows
from frostbyte.kernel.errors import FrostbyteError, Invalid
from hosts.contract import public_key
from servers.process import free_port

FOLDER = "/opt/frostbyte"
FIRST = public_key()
TELLS = (
    "import http.server, json, os, sys\n"
    "class Tells(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        told = {k: v for k, v in os.environ.items() if k.startswith('FROSTBYTE_')}\n"
    "        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(told).encode())\n"
    "    def log_message(self, *a): pass\n"
    "host, _, port = os.environ['FROSTBYTE_LISTEN'].rpartition(':')\n"
    "server = http.server.HTTPServer((host, int(port)), Tells)\n"
    "os.makedirs(os.environ['FROSTBYTE_DATA_DIR'], exist_ok=True)\n"
    "open(os.environ['FROSTBYTE_DATA_DIR'] + '/url', 'w').close()\n"
    "server.serve_forever()\n"
)
PORT = free_port()
COMPOSE = f"""
services:
  intake-gateway:
    image: frostbyte/api:1
    environment:
      FROSTBYTE_LISTEN: "0.0.0.0:{PORT}"
      FROSTBYTE_TENANT_ID: acme
      FROSTBYTE_TLS_KEY: /run/secrets/gateway.key
      FROSTBYTE_DATABASE_URL_FILE: /run/secrets/database-url
    secrets: [gateway.key, database-url]
  postgres: {{image: postgres}}
secrets:
  gateway.key: {{file: ./secrets/gateway.key}}
  database-url: {{file: ./secrets/database-url}}
"""


@pytest.fixture
def machines() -> dict[str, Machine]:
    return {"127.64.0.9": Machine(machine_id="7", user_data=f"ssh_keys: {{ed25519_public: '{FIRST}'}}")}


@pytest.fixture
def hosts(tmp_path: Path, machines: dict[str, Machine]) -> Iterator[LocalHosts]:
    program = Program(command=(sys.executable, "-c", TELLS), stand_ins="database", data="FROSTBYTE_DATA_DIR")
    made = LocalHosts(
        lambda host: machines.get(host.address),
        folder=tmp_path,
        programs={"intake-gateway": program},
        inherited={"FROSTBYTE_HCLOUD_ENDPOINT": "http://127.0.0.1:1/v1"},
    )
    yield made
    made.end()


@pytest.fixture
def gateway(hosts: LocalHosts) -> HostAddress:
    first = HostAddress(name="fb-acme-gateway", address="127.64.0.9", host_key=FIRST)
    settled = replace(first, host_key=hosts.settle(first, seconds=5))
    hosts.put(
        settled,
        [
            HostFile(path=f"{FOLDER}/docker-compose.yml", content=COMPOSE.encode()),
            HostFile(path=f"{FOLDER}/secrets/gateway.key", content=b"secret", mode=0o400),
        ],
    )
    return settled


def told() -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.64.0.9:{PORT}/", timeout=5) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def test_a_service_of_ours_runs_with_its_settings_and_files_at_its_hosts_address(
    hosts: LocalHosts, gateway: HostAddress, tmp_path: Path
) -> None:
    hosts.up(gateway, FOLDER, seconds=20)
    settings = told()
    assert settings["FROSTBYTE_TENANT_ID"] == "acme"
    assert settings["FROSTBYTE_STANDINS"] == "database"
    assert settings["FROSTBYTE_HCLOUD_ENDPOINT"] == "http://127.0.0.1:1/v1"
    assert "FROSTBYTE_DATABASE_URL_FILE" not in settings  # no store of its own runs here
    key = Path(settings["FROSTBYTE_TLS_KEY"])
    assert key.is_relative_to(tmp_path)
    assert key.read_bytes() == b"secret"
    assert key.stat().st_mode & 0o077 == 0


def test_up_again_starts_nothing_twice_and_down_ends_it(
    hosts: LocalHosts, gateway: HostAddress, tmp_path: Path
) -> None:
    hosts.up(gateway, FOLDER, seconds=20)
    (record,) = tmp_path.glob("*/*.process.json")
    before = json.loads(record.read_text())
    hosts.up(gateway, FOLDER, seconds=20)
    assert json.loads(record.read_text()) == before
    hosts.stop(gateway, FOLDER, ["celery-worker"], seconds=20)
    assert told()
    for end in (hosts.stop, partial(hosts.down, volumes=False)):
        hosts.up(gateway, FOLDER, seconds=20)
        end(gateway, FOLDER, seconds=20)
        with pytest.raises(OSError):
            told()
        assert not record.exists()


def test_what_a_plane_keeps_is_the_tenants_and_goes_where_its_stores_are_emptied(
    hosts: LocalHosts, gateway: HostAddress, machines: dict[str, Machine]
) -> None:
    hosts.up(gateway, FOLDER, seconds=20)
    folder = Path(told()["FROSTBYTE_DATA_DIR"])
    for name in ("postgres", "objects", "vectors-2", "secrets"):
        (folder / name).mkdir()
        (folder / name / "document").write_text("kept")
    hosts.stop(gateway, FOLDER, seconds=20)
    machines["127.64.0.9"] = replace(machines["127.64.0.9"], machine_id="8")  # another server in its place
    first = HostAddress(name="fb-acme-gateway", address="127.64.0.9", host_key=FIRST)
    other = replace(first, host_key=hosts.settle(first, seconds=5))
    compose = HostFile(path=f"{FOLDER}/docker-compose.yml", content=COMPOSE.encode())
    destroy = replace(
        compose, content=COMPOSE.replace("postgres: {", f"{DESTROY}: {{image: x}}\n  postgres: {{").encode()
    )
    hosts.put(other, [destroy])
    hosts.up(other, FOLDER, ["intake-gateway"], seconds=20)
    assert Path(told()["FROSTBYTE_DATA_DIR"]) == folder
    assert (folder / "objects" / "document").read_text() == "kept"
    hosts.stop(other, FOLDER, seconds=20)
    emptied = json.loads(hosts.task(other, FOLDER, DESTROY, seconds=20))
    assert emptied["removed"] == ["objects", "postgres", "vectors-2"]
    assert (folder / "secrets" / "document").exists()  # as on real hosts, where keys lie on another disk than stores
    assert not list(folder.glob("vectors*"))


def test_a_number_that_somebody_else_has_now_is_left_alone(
    hosts: LocalHosts, gateway: HostAddress, tmp_path: Path
) -> None:
    hosts.up(gateway, FOLDER, seconds=20)
    (record,) = tmp_path.glob("*/*.process.json")
    ours = json.loads(record.read_text())
    record.write_text(json.dumps({**ours, "pid": os.getpid()}))
    hosts.down(gateway, FOLDER, volumes=False, seconds=20)  # would end this very test
    record.write_text(json.dumps(ours))


def test_one_that_ended_is_not_waited_for_though_another_is_its_parent(
    hosts: LocalHosts, gateway: HostAddress, tmp_path: Path
) -> None:
    """A demonstration starts a control plane again by itself, and never asks for its end."""
    hosts.up(gateway, FOLDER, seconds=20)
    (record,) = tmp_path.glob("*/*.process.json")
    begun = Process.read(record)
    begun.end()
    parent = (
        "import sys, time; from pathlib import Path; from frostbyte.adapters.hosts.local import Process;"
        "record = Path(sys.argv[1]); Process.read(record).start(record); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent, str(record)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        began = time.monotonic()
        Process.read(record).end()
        took = time.monotonic() - began
        other.kill()
    assert took < 10


def test_what_does_not_start_says_its_last_words(hosts: LocalHosts, gateway: HostAddress) -> None:
    hosts._programs = {"intake-gateway": Program(command=(sys.executable, "-c", "raise SystemExit('no room')"))}
    with pytest.raises(FrostbyteError) as caught:
        hosts.up(gateway, FOLDER, seconds=20)
    assert caught.value.code == "host_command_failed"
    assert "no room" in caught.value.message


def test_an_address_of_another_network_is_refused(
    hosts: LocalHosts, gateway: HostAddress, machines: dict[str, Machine]
) -> None:
    machines["198.18.0.9"] = machines["127.64.0.9"]
    with pytest.raises(FrostbyteError) as caught:
        hosts.up(replace(gateway, address="198.18.0.9"), FOLDER, seconds=5)
    assert caught.value.code == "host_not_local"


def test_real_servers_are_never_ordered_for_processes(tmp_path: Path) -> None:
    told = ProvisioningSettings(data_dir=tmp_path, hosts_dir=tmp_path / "hosts")
    with pytest.raises(Invalid) as caught:
        local_hosts(ControlSettings(data_dir=tmp_path, told_provisioning=told))
    assert caught.value.code == "settings_invalid"


def test_it_tells_which_process_runs_and_what_its_log_may(
    hosts: LocalHosts, gateway: HostAddress, tmp_path: Path
) -> None:
    hosts.up(gateway, FOLDER, seconds=20)
    seen = list(host_rows(hosts.look(gateway, FOLDER, seconds=20)))
    assert [line.split()[:3] for line in seen if line.startswith("service")] == [
        ["service", "intake-gateway", "running"],
        ["service", "postgres", "running"],
    ]
    assert not [line for line in seen if line.startswith("not_shown")]
    (log,) = tmp_path.glob("*/intake-gateway.log")
    log.write_text('{"event": "stage_failed", "code": "archive_bomb", "filename": "kanari.pdf"}\nkanari\n')
    told = hosts.log(gateway, "intake-gateway", "", lines=10, seconds=20)
    assert "archive_bomb" in told
    assert "kanari" not in told
    (record,) = tmp_path.glob("*/*.process.json")
    Process.read(record).end()
    seen = list(host_rows(hosts.look(gateway, FOLDER, seconds=20)))
    assert "service intake-gateway exited" in "\n".join(seen)
