"""The scripts that bring signatures to a host, run by a shell against a real clamd: exchanged, looked at, put back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frostbyte.adapters.clamav.clamd import Clamd
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.upkeep import bringing
from frostbyte.control_plane.upkeep.supplies import Piece
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.scanner import Verdict
from servers.clamd import DAILY, EICAR, KNOWN, ClamdServer, daily
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.clamd]

MARK = "0123456789abcdef"
CLIENT = """#!/bin/sh
# What `docker compose ... exec -T clamav clamdscan ...` and `... up ...` come to where the scanner is a process.
exec "{python}" "{script}" "{socket}" "$@"
"""
TALK = """
import os, socket, sys, time
place, words = sys.argv[1], sys.argv[2:]
if "restart" in words:
    open(place + ".restart", "w").close()
    while os.path.exists(place + ".restart"):
        time.sleep(0.02)
if "up" in words or "restart" in words:
    raise SystemExit(0)
def ask(command, data=None):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(place)
            connection.sendall(b"z" + command + b"\\0")
            if data is not None:
                connection.sendall(len(data).to_bytes(4, "big") + data + bytes(4))
            found = b""
            while part := connection.recv(4096):
                found += part
        except OSError:  # as one that is reading its signatures anew may leave us
            return ""
        return found.rstrip(b"\\0").decode()
if "--version" in words:
    print(ask(b"VERSION") or "ClamAV 1.4.6")
elif "--reload" in words:
    raise SystemExit(0 if ask(b"RELOAD") else 2)
elif "--ping" in words:
    raise SystemExit(0 if ask(b"PING") else 21)
else:
    said = ask(b"INSTREAM", sys.stdin.buffer.read())
    print(said)
    raise SystemExit(1 if said.endswith("FOUND") else 0 if said.endswith("OK") else 2)
"""


class Host:
    """A worker's host: a folder of signatures, a real clamd that reads them, and a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ClamdServer(folder, IdleTimeout="1")
        self.place = folder / "db"
        (folder / "bin").mkdir()
        (folder / "talk.py").write_text(TALK)
        client = folder / "bin/docker"
        client.write_text(CLIENT.format(python=sys.executable, script=folder / "talk.py", socket=self.server.socket))
        client.chmod(0o755)
        self.project = Project(
            folder=str(folder),
            services=(),
            stores=(),
            tasks=(),
            scanner="clamav",
            signatures=str(self.place),
            signatures_owner=f"{os.getuid()}:{os.getgid()}",
        )

    def engine(self, stop: threading.Event) -> None:
        """Begins the scanner anew where somebody asks for it."""
        asked = Path(f"{self.server.socket}.restart")
        while not stop.wait(0.02):
            if asked.exists():
                self.server.kill()
                self.server.start()
                asked.unlink()

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-s"], input=script, capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PATH": path},
        )  # fmt: skip

    def brought(self, *files: tuple[str, bytes]) -> list[Piece]:
        """The files wait beside the scanner's."""
        fresh = bringing.fresh(str(self.place), MARK)
        assert self.run(bringing.prepared(fresh, self.project.signatures_owner)).returncode == 0
        for name, content in files:
            (Path(fresh) / name).write_bytes(content)
        return [
            Piece(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content)) for name, content in files
        ]

    def held(self) -> list[str]:
        """What the scanner's folder holds, its own copies too."""
        return sorted(path.name for path in self.place.iterdir())

    @property
    def version(self) -> str:
        return Clamd(self.server.socket).version().split("/")[1]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    need("clamd")
    made = Host(tmp_path)
    stop = threading.Event()
    with made.server:
        engine = threading.Thread(target=made.engine, args=(stop,))
        engine.start()
        yield made
        stop.set()
        engine.join()


def of(days: int, signatures: str = KNOWN, version: int = 27) -> bytes:
    return daily(datetime.now(UTC) - timedelta(days=days), signatures, version)


def test_signatures_are_exchanged_while_the_scanner_runs_and_looked_at(host: Host) -> None:
    pid, stop = host.server.pid, threading.Event()
    scans: list[str] = []

    def scanning() -> None:
        while not stop.is_set():
            try:
                scans.append(Clamd(host.server.socket, reply_seconds=5).scan([EICAR]).verdict.value)
            except Unavailable:  # the document waits for a moment
                scans.append("waits")
            stop.wait(0.05)

    thread = threading.Thread(target=scanning)
    thread.start()
    pieces = host.brought((DAILY, of(1)), ("more.ndb", b"Frostbyte.More:0:*:6d6f72652d6d6f7265\n"))
    for _ in range(2):  # done again after a crash, it changes nothing
        done = host.run(bringing.exchanged(host.project, pieces, "27", MARK))
        assert (done.returncode, done.stderr) == (0, "")
    looked = host.run(bringing.looked_at(host.project))
    assert (looked.returncode, looked.stderr) == (0, "")
    stop.set()
    thread.join()
    assert host.version == "27"
    assert host.held() == [f".before-{MARK}", f".fresh-{MARK}", DAILY, "more.ndb"]
    assert host.run(bringing.given_up(host.project, MARK)).returncode == 0
    assert host.held() == [DAILY, "more.ndb"]
    assert set(scans) - {"waits"} == {Verdict.INFECTED.value}
    assert host.server.pid == pid
    assert host.server.running


@pytest.mark.parametrize(
    ("signatures", "said"),
    [
        ("Frostbyte.Other:0:*:6f74686572206f74686572\n", "the EICAR test file is not caught"),
        (f"{KNOWN}Frostbyte.All:0:*:{b'Forty boxes'.hex()}\n", "a text without anything in it"),
        (f"{KNOWN}Frostbyte.Pdf:0:*:{b'%PDF-1.4 1 0 obj'.hex()}\n", "a PDF without anything in it"),
    ],
)
def test_a_set_that_finds_nothing_or_everything_is_seen_and_put_back(host: Host, signatures: str, said: str) -> None:
    pieces = host.brought((DAILY, of(1, signatures)))
    assert host.run(bringing.exchanged(host.project, pieces, "27", MARK)).returncode == 0
    looked = host.run(bringing.looked_at(host.project))
    assert looked.returncode == 1
    assert said in looked.stderr
    for _ in range(2):
        assert host.run(bringing.put_back(host.project, MARK)).returncode == 0
    assert (host.version, host.held()) == ("1", [DAILY])
    assert host.run(bringing.looked_at(host.project)).returncode == 0


def test_a_file_that_changed_on_its_way_is_not_exchanged(host: Host) -> None:
    pieces = host.brought((DAILY, of(1)))
    waits = Path(bringing.fresh(str(host.place), MARK)) / DAILY
    waits.write_bytes(waits.read_bytes()[:-1] + b"x")
    assert host.run(bringing.exchanged(host.project, pieces, "27", MARK)).returncode != 0
    assert (host.version, (host.place / DAILY).stat().st_nlink) == ("1", 1)
    assert host.run(bringing.put_back(host.project, MARK)).returncode == 0
    assert host.held() == [DAILY]


def test_a_set_that_the_scanner_cannot_read_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """clamd ends over it; the engine begins it anew, and it finds again what it had."""
    monkeypatch.setattr(bringing, "LOADED_SECONDS", 3)
    pieces = host.brought((DAILY, b"ClamAV-VDB:no database"))
    assert host.run(bringing.exchanged(host.project, pieces, "27", MARK)).returncode == 1
    monkeypatch.undo()
    assert host.run(bringing.put_back(host.project, MARK)).returncode == 0
    assert (host.version, host.held()) == ("1", [DAILY])
