"""A way to run the command line, alone or against a small server that answers as a plane does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn
from structlog.testing import capture_logs

from cli.fake_plane import TOKEN, Ended, FakePlane, Handler, Run
from control.memory_plane import Admin, memory_plane
from frostbyte.cli import app, following, output
from frostbyte.cli.client import CONTROL
from frostbyte.kernel.limits import Limiter


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Runs `frostbyte ARGS` in this process, with no plane, token or variable of this machine in sight."""
    for name in ("URL", "TOKEN", "TOKEN_FILE", "DATA_DIR", "DEBUG", "LISTEN", "CLAMD_ADDRESS", "MODE", "TENANT_ID"):
        monkeypatch.delenv(f"FROSTBYTE_{name}", raising=False)
    monkeypatch.setenv("FROSTBYTE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")

    def command(*args: str) -> Ended:
        output.forget_consoles()
        code = app.run(args)
        streams = capsys.readouterr()
        return Ended(code, streams.out, streams.err)

    yield command
    output.forget_consoles()


@pytest.fixture
def plane(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlane]:
    """A plane that commands find, with a token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakePlane(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.plane = fake  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    monkeypatch.setenv("FROSTBYTE_URL", fake.url)
    monkeypatch.setenv("FROSTBYTE_TOKEN", TOKEN)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Admin, str]]:
    """An Admin API that listens, and where."""
    admin = Admin(memory_plane(tmp_path_factory.mktemp("served")), Limiter({"admin": 10**6}))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(admin.app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield admin, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def admin(served: tuple[Admin, str], run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Admin]:
    """The control plane that commands find, with a token for everything."""
    found, url = served
    for name in ("DATA_DIR", "TOKEN_FILE"):
        monkeypatch.delenv(CONTROL.prefix + name, raising=False)
    monkeypatch.setenv(CONTROL.prefix + "URL", url)
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", found.everything)
    monkeypatch.setattr(following, "POLL_SECONDS", 0.02)
    found.hands.at_once, found.hands.fails = True, ""
    with capture_logs():  # of the server, which would stand between what a command prints
        yield found
