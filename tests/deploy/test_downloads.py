"""Files by HTTP, from a server of this machine: cut off and gone on with, redirected, wrong, and slow."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.downloads import HttpDownloads
from frostbyte.adapters.engine.memory import MemoryEngine
from frostbyte.deploy.bundle.fetching import Sources, fetch
from frostbyte.deploy.bundle.lock import Lock
from frostbyte.deploy.bundle.manifest import Model
from frostbyte.kernel.errors import Invalid, Unavailable

FILE = bytes(range(256)) * 4096
HALF = len(FILE) // 2
PATH = "models/clamav/main.cvd"


@dataclass
class Served:
    """What a server does, and what it was asked for."""

    data: bytes = FILE
    ranges: bool = True
    cut: int = 0
    """Bytes after which the connection is cut, of the first answer alone; 0 for none."""
    shifted: int = 0
    """How far behind what was asked for an answer begins."""
    stalls: bool = False
    """Sends half and then nothing, until the test is over."""
    status: int = 0
    leads: str = ""
    asked: list[str] = field(default_factory=list)
    """The range of each request; '' for the whole."""
    over: threading.Event = field(default_factory=threading.Event)
    address: str = ""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


@contextmanager
def serving() -> Iterator[Served]:
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.headers.get("Range", ""))
            if self.path == "/moved" or told.status:
                self.send_response(told.status or 302)
                self.send_header("Location", told.leads or told.address)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.answer(told.asked[-1])

        def answer(self, asked: str) -> None:
            start = int(asked.removeprefix("bytes=").rstrip("-")) + told.shifted if asked and told.ranges else 0
            if start >= len(told.data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(told.data) - 1}/{len(told.data)}")
            body = told.data[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if told.stalls or told.cut:
                self.wfile.write(body[: told.cut or HALF])
                self.wfile.flush()
                if told.stalls:
                    told.over.wait()
                told.cut = 0
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.address = f"http://127.0.0.1:{server.server_port}/main.cvd"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield told
        finally:
            told.over.set()
            server.shutdown()
            thread.join()


def bring(served: Served, into: Path, *, address: str = "", data: bytes = FILE, seconds: float = 60) -> bytes:
    """As `bundle fetch` does it. What lies there afterwards."""
    model = Model(
        name="clamav",
        path=PATH,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        licence="GPL-2.0-only",
        source=address or served.address,
    )
    lock = Lock(version="1.0", architecture="amd64", created_at="2026-02-11T12:00:00Z", images=(), models=(model,))
    fetch(lock, into, Sources(engine=MemoryEngine(), folders=(), downloads=HttpDownloads(seconds)))
    return (into / PATH).read_bytes()


def part(into: Path) -> Path:
    return into / f"{PATH}.part"


def test_what_was_cut_off_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    served.cut = HALF
    with pytest.raises(Unavailable, match="could not be fetched") as stopped:
        bring(served, tmp_path)
    assert stopped.value.code == "download_failed"
    assert not (tmp_path / PATH).exists()
    kept = part(tmp_path).read_bytes()
    assert 0 < len(kept) <= HALF
    assert bring(served, tmp_path) == FILE
    assert served.asked == ["", f"bytes={len(kept)}-"]
    assert not part(tmp_path).exists()


def test_a_server_without_ranges_begins_anew_and_nothing_is_there_twice(served: Served, tmp_path: Path) -> None:
    served.ranges = False
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(FILE[:HALF])
    assert bring(served, tmp_path) == FILE


def test_an_answer_that_begins_elsewhere_than_asked_is_none(served: Served, tmp_path: Path) -> None:
    served.shifted = 7
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(FILE[:HALF])
    with pytest.raises(Unavailable, match="another part"):
        bring(served, tmp_path)
    assert part(tmp_path).read_bytes() == FILE[:HALF]


def test_a_part_that_is_whole_already_asks_for_nothing_more(served: Served, tmp_path: Path) -> None:
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(FILE)
    assert bring(served, tmp_path) == FILE
    assert served.asked == [f"bytes={len(FILE)}-"]


@pytest.mark.parametrize("sent", [FILE[:-1] + b"!", FILE + b"more", FILE[:-1]])
def test_another_file_than_the_lock_names_is_not_kept(served: Served, tmp_path: Path, sent: bytes) -> None:
    served.data = sent
    with pytest.raises(Invalid) as stopped:
        bring(served, tmp_path)
    assert stopped.value.code == "bundle_differs"
    assert not list(tmp_path.rglob("*.cvd*"))


def test_a_redirect_is_followed_with_the_range(served: Served, tmp_path: Path) -> None:
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(FILE[:HALF])
    with serving() as other:
        other.leads = served.address
        assert bring(served, tmp_path, address=other.address.replace("main.cvd", "moved")) == FILE
    assert served.asked == [f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("leads", "why"),
    [
        ("http://mirror.example/main.cvd", "not https"),
        ("file:///etc/hostname", "not https"),
        ("/moved", "leads nowhere"),
    ],
)
def test_a_redirect_that_leads_astray_is_not_followed(served: Served, tmp_path: Path, leads: str, why: str) -> None:
    served.leads = leads
    with pytest.raises(Unavailable, match=why):
        bring(served, tmp_path, address=served.address.replace("main.cvd", "moved"))


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_has_none_is_said(served: Served, tmp_path: Path, status: int) -> None:
    served.status = status
    with pytest.raises(Unavailable, match=str(status)):
        bring(served, tmp_path)


@pytest.mark.slow
def test_a_server_that_falls_silent_is_left_and_what_came_is_kept(served: Served, tmp_path: Path) -> None:
    """Silence, not slowness: what comes in time may take as long as it will."""
    served.stalls = True
    with pytest.raises(Unavailable) as stopped:
        bring(served, tmp_path, seconds=1)
    assert stopped.value.code == "download_failed"
    kept = part(tmp_path).read_bytes()
    assert FILE.startswith(kept)
    served.stalls = False
    assert bring(served, tmp_path) == FILE


def test_nobody_there_is_said(served: Served, tmp_path: Path) -> None:
    with serving() as gone:
        address = gone.address
    with pytest.raises(Unavailable, match="ConnectError"):
        bring(served, tmp_path, address=address)


def test_nothing_but_https_is_asked_for_elsewhere(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not https"):
        bring(served, tmp_path, address="http://mirror.example/main.cvd")
