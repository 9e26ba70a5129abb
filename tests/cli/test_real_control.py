"""The command line against a real control plane and a plane behind its channel: a tenant's whole life, and a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from structlog.testing import capture_logs

from cli.fake_plane import Run
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.api.channel.app import create_app
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.cli.exits import Exit
from frostbyte.data_plane.obeying import Obeying
from frostbyte.kernel.audit.feed import Feed
from frostbyte.kernel.channel import PlaneHealth
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.verifying_keys import PinnedKeys

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "frostbyte", "serve", "control"]


@dataclass(frozen=True)
class Served:
    """A plane in memory, as the channel's application wants it."""

    memory: MemoryPlane

    @property
    def obeying(self) -> Obeying:
        return self.memory.obeying

    @property
    def feed(self) -> Feed:
        return Feed(self.memory.store.unit_of_work)

    def health(self) -> PlaneHealth:
        return self.memory.health()


class Control:
    """A control plane's process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.log = folder / "log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, where it was if it ran before."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
        environment = kept | {
            "FROSTBYTE_CONTROL_DATA_DIR": str(self.folder),
            "FROSTBYTE_CONTROL_LISTEN": f"127.0.0.1:{self.port}",
            "COLUMNS": "100",
        }
        self.log.touch()
        before = len(self.log.read_text())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(COMMAND, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 90
        while "Ctrl-C stops it" not in self.log.read_text()[before:]:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.port = int((self.folder / "url").read_text().strip().rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    """A running control plane. Its path is short: a unix socket's is bounded."""
    with tempfile.TemporaryDirectory(prefix="fb-ctl-") as name:
        made = Control(Path(name))
        made.start()
        yield made
        assert made.stop() == 0
        said = made.log.read_text()
        assert "Stopped." in said
        assert "Traceback" not in said
        assert not (made.folder / "token").exists()


@pytest.fixture
def cli(run: Run, control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Commands that find the control plane by its data folder alone."""
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"FROSTBYTE_CONTROL_{name}", raising=False)
    monkeypatch.setenv("FROSTBYTE_CONTROL_DATA_DIR", str(control.folder))
    with capture_logs():  # of the plane, which runs in this process
        yield run


@pytest.fixture(scope="module")
def plane(control: Control) -> Iterator[tuple[MemoryPlane, str]]:
    """A plane of the tenant `acme` that trusts this control plane's key, and the address of its channel."""
    keys = FileTokenKeys(control.folder / "secrets", SystemClock()).keys()
    memory = MemoryPlane("acme", PinnedKeys((keys.current.public,)))
    authority = Authorities(control.folder / "authorities").of("acme")
    authority.server("channel", ["127.0.0.1"])
    folder = authority.ca_file.parent
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(Served(memory)),
        log_config=None,
        ssl_certfile=folder / "channel" / "public.crt",
        ssl_keyfile=str(folder / "channel" / "private.key"),
        ssl_ca_certs=str(authority.ca_file),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield memory, f"https://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def state(cli: Run) -> str:
    return str(cli("tenant", "show", "acme", "--json").json["state"])


def test_it_greets_with_what_to_do_next_and_its_token_is_its_owners(control: Control) -> None:
    said = control.log.read_text()
    assert "frostbyte project create eu-1" in said
    assert "frostbyte/control/production+" in said
    assert stat.S_IMODE((control.folder / "token").stat().st_mode) == 0o600


def test_a_second_one_on_the_folder_is_refused_in_a_sentence(control: Control) -> None:
    environment = os.environ | {
        "FROSTBYTE_CONTROL_DATA_DIR": str(control.folder),
        "FROSTBYTE_CONTROL_LISTEN": "127.0.0.1:0",
    }
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.REFUSED
    assert "data_dir_in_use" in done.stderr
    assert (control.folder / "token").exists()


def test_a_tenants_whole_life(cli: Run, control: Control, plane: tuple[MemoryPlane, str], tmp_path: Path) -> None:
    memory, channel = plane
    assert cli("project", "create", "eu-1").code == Exit.OK
    assert cli("tenant", "create", "acme", "--project", "eu-1", "--set", "top_k=7").code == Exit.OK
    key = tmp_path / "log.pub"
    key.write_text(memory.log_key + "\n")
    ca = control.folder / "authorities" / "acme" / "ca.pem"
    where = ("--gateway-url", "http://127.0.0.1:9", "--channel-url", channel, "--ca-file", str(ca))
    attached = cli("tenant", "attach", "acme", *where, "--log-key", str(key))
    assert attached.code == Exit.OK, attached.err
    assert "it is the plane that was named" in attached.err
    assert memory.obeying.standing().state is PlaneState.ACTIVE

    deadline = time.monotonic() + 20
    while "http://127.0.0.1:9" not in str(edge_files(control.folder)):  # opened once the tenant is in service
        assert time.monotonic() < deadline
        time.sleep(0.05)
    edge = edge_files(control.folder)
    suspended = cli("tenant", "suspend", "acme", "--reason", "payment", "--json")
    assert (suspended.code, suspended.json["status"]) == (Exit.OK, "succeeded"), suspended.err
    assert memory.obeying.standing().state is PlaneState.SUSPENDED
    assert edge_files(control.folder) != edge, "the edge lets requests through"

    control.stop(signal.SIGKILL)
    assert cli("tenant", "list").code == Exit.UNAVAILABLE
    control.start()
    assert state(cli) == "SUSPENDED"
    resumed = cli("tenant", "resume", "acme", "--reason", "payment")
    assert resumed.code == Exit.OK, resumed.err
    assert memory.obeying.standing().state is PlaneState.ACTIVE
    assert edge_files(control.folder) == edge

    assert cli("tenant", "config", "acme", "top_k=9", "--json").json["version"] == 2
    refused = cli("tenant", "deprovision", "acme", "--confirm", "wrong")
    assert (refused.code, "confirmation_wrong" in refused.err) == (Exit.USAGE, True)
    gone = cli("tenant", "deprovision", "acme", "--confirm", "acme")
    assert gone.code == Exit.OK, gone.err
    assert memory.obeying.standing().state is PlaneState.CLOSED
    listed = cli("tenant", "operations", "acme", "--json").json["operations"]
    assert [row["kind"] for row in listed] == ["deprovision", "resume", "suspend", "provision"]
    assert {row["status"] for row in listed} == {"succeeded"}
    shown = cli("tenant", "show", "acme", "--json").json
    assert (shown["state"], shown["network"]) == ("DEPROVISIONED", None)


def edge_files(folder: Path) -> dict[str, str]:
    """What the edge reads about the tenant."""
    return {path.name: path.read_text() for path in (folder / "edge").rglob("*acme*") if path.is_file()}


def test_two_operators_at_once_and_a_plane_that_is_not_there(cli: Run, control: Control) -> None:
    assert cli("tenant", "create", "lonely", "--project", "eu-1").code == Exit.OK
    environment = os.environ | {"FROSTBYTE_CONTROL_DATA_DIR": str(control.folder)}
    created = [sys.executable, "-m", "frostbyte", "tenant", "create", "twins", "--project", "eu-1", "--json"]
    both = [subprocess.Popen(created, env=environment, stdout=-1, stderr=-1) for _ in range(2)]
    ended = sorted((process.communicate(timeout=60), process.returncode) for process in both)
    assert sorted(code for _, code in ended) == [Exit.OK, Exit.REFUSED]
    [errors] = [err for (_, err), code in ended if code == Exit.REFUSED]
    assert json.loads(errors)["error"]["code"] == "tenant_exists"


def test_doctor_is_content_with_it(cli: Run) -> None:
    found = {row["name"]: row for row in cli("doctor", "--json").json}
    assert found["control plane"]["level"] == "ok", found["control plane"]
