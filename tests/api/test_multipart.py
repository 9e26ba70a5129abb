"""The reader of uploads: however a body is cut into pieces, the same files come out, and little is held meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.api.data import multipart
from frostbyte.api.data.multipart import Upload, boundary_of
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ids import new_id

MANIFEST = b'{"files":[{"file_id":"1","filename":"a.txt"}]}'


class Sink:
    """Keeps what it is given, or only counts it."""

    def __init__(self, name: bytes, keep: bool, slow: float) -> None:
        self.name, self.keep, self.slow = name, keep, slow
        self.data, self.size, self.ended, self.aborted, self.late = b"", 0, False, False, False

    def write(self, data: bytes) -> None:
        time.sleep(self.slow)
        self.late = self.late or self.ended or self.aborted
        self.size += len(data)
        if self.keep:
            self.data += data

    def finish(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.aborted = True


class Session:
    """Takes files without keeping them anywhere."""

    replayed = False

    def __init__(self, keep: bool = True, slow: float = 0.0) -> None:
        self.keep, self.slow = keep, slow
        self.files: list[Sink] = []
        self.manifest: Any = None
        self.abandoned = False

    def open(self, manifest: Any) -> Session:
        self.manifest = manifest
        return self

    def file(self, name: bytes, declared: str = "") -> Sink:
        self.files.append(Sink(name, self.keep, self.slow))
        return self.files[-1]

    def abandon(self) -> None:
        self.abandoned = True


def part(head: str, data: bytes) -> bytes:
    """One part of a body with the boundary `x`."""
    return b"--x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    """A body as it comes from the network."""
    for piece in data:
        yield piece


def read(session: Session, *data: bytes) -> Upload:
    """Feed a body to a session."""
    upload = Upload(b"x", session.open)  # type: ignore[arg-type]
    try:
        asyncio.run(upload.take(pieces(*data)))
    except FrostbyteError:
        upload.abort()
        raise
    return upload


tricky = st.sampled_from([b"", b"\r\n", b"--x", b"\r\n--", b"\r\n--y--", b"\r", b"-" * 9, b"\r\n-\r\n--", bytes(70)])
contents = (
    st.lists(st.one_of(tricky, st.binary(max_size=40)), max_size=4)
    .map(b"".join)
    .filter(lambda data: b"\r\n--x" not in b"\r\n" + data)
)


@settings(max_examples=150, deadline=None)
@given(files=st.lists(contents, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 600), max_size=8), data=st.data())
def test_cuts_do_not_matter(files: list[bytes], cuts: list[int], data: st.DataObject) -> None:
    body = b"".join(part(f'name="files"; filename="{n}.txt"', content) for n, content in enumerate(files))
    if data.draw(st.booleans()):
        body = part('name="manifest"', MANIFEST) + body
    body += b"--x--\r\n"
    places = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})
    session = Session()
    gather = multipart._GATHER
    multipart._GATHER = data.draw(st.sampled_from([1, 7, 1 << 20]))  # type: ignore[misc]
    try:
        read(session, *(body[a:b] for a, b in pairwise(places)))
    finally:
        multipart._GATHER = gather  # type: ignore[misc]
    assert [item.data for item in session.files] == files
    assert all(item.ended and not item.aborted for item in session.files)
    assert (session.manifest is not None) == body.startswith(b'--x\r\nContent-Disposition: form-data; name="manifest"')


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=300), cut=st.integers(0, 400))
def test_whatever_comes_is_read_or_refused(junk: bytes, cut: int) -> None:
    good = part('name="files"; filename="a.txt"', b"hello") + b"--x--\r\n"
    session = Session()
    with suppress(FrostbyteError):  # and nothing else: no other error, no file without an end
        read(session, good[:cut] + junk + good[cut:])
    assert all(item.ended != item.aborted and not item.late for item in session.files)


def test_a_large_file_is_never_held() -> None:
    session = Session(keep=False)
    block = bytes(64 << 10)

    async def body() -> AsyncIterator[bytes]:
        yield part('name="files"; filename="big"', b"")[:-2]
        for _ in range(64 * 16):
            yield block
        yield b"\r\n--x--\r\n"

    upload = Upload(b"x", session.open)  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        asyncio.run(upload.take(body()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert session.files[0].size == 64 << 20
    assert peak < 8 << 20


def test_there_is_an_end_to_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "_MOST_PARTS", 3)
    session = Session()
    with pytest.raises(FrostbyteError, match="too many parts"):
        read(session, part('name="files"; filename="a"', b"1") * 4 + b"--x--\r\n")
    assert len(session.files) == 3
    assert session.abandoned


def test_a_manifest_that_does_not_end_is_refused_early() -> None:
    session = Session()
    with pytest.raises(FrostbyteError, match="larger than 4 MiB"):
        read(session, part('name="manifest"', b"")[:-2], *[b" " * (1 << 20)] * 6)
    assert session.files == []


def test_a_cancelled_upload_is_not_touched_by_two_threads() -> None:
    session = Session(slow=0.2)
    upload = Upload(b"x", session.open)  # type: ignore[arg-type]

    async def body() -> AsyncIterator[bytes]:
        yield part('name="files"; filename="a"', b"")[:-2] + bytes(1 << 20)
        yield bytes(1 << 20)
        await asyncio.sleep(30)

    async def cancelled() -> None:
        task = asyncio.create_task(upload.take(body()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(upload.abort)

    asyncio.run(cancelled())
    time.sleep(0.5)  # a thread that was left behind would show by now
    assert session.files[0].aborted
    assert not session.files[0].late
    assert session.abandoned


@pytest.mark.parametrize("header", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_what_is_no_form(header: str) -> None:
    with pytest.raises(FrostbyteError) as error:
        boundary_of(header)
    assert error.value.code == "multipart_invalid"


@contextmanager
def served(app: Any) -> Iterator[int]:
    """The application on a real socket; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="httptools", ws="none", log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def test_a_sender_who_goes_away_leaves_nothing(api: Any) -> None:
    root = api.plane.settings.data_dir / "objects"

    def files(*folders: str) -> set[str]:
        return {name for folder in folders if (root / folder).exists() for name in os.listdir(root / folder)}

    before = files("raw")
    whole = part('name="files"; filename="whole.txt"', b"A whole file " + str(new_id()).encode())
    cut = part('name="files"; filename="cut.txt"', b"")[:-2] + b"words and words " * 200_000
    head = (
        f"POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.everything}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n\r\n"
    )
    with served(api.app) as port:
        with socket.create_connection(("127.0.0.1", port)) as sender:
            sender.sendall(head.encode() + whole + cut)
            deadline = time.monotonic() + 20
            while not files(".incoming"):
                assert time.monotonic() < deadline, "the second file never began"
                time.sleep(0.005)
        deadline = time.monotonic() + 20
        while files(".incoming"):
            assert time.monotonic() < deadline, "what was cut off is still there"
            time.sleep(0.02)
    assert len(files("raw") - before) == 1, "the file that came whole stays, and it alone"
