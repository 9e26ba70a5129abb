"""A way to run the command line, alone or against a small server that answers as a plane does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.fake_plane import TOKEN, Ended, FakePlane, Handler, Run
from frostbyte.cli import app, output


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
