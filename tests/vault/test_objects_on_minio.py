"""What an object store across a network adds to the contract: parts, outages, refusals, a full disk, a signature."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from frostbyte.adapters.objects import requests, s3
from frostbyte.adapters.objects.s3 import PART, S3Blobs
from frostbyte.adapters.objects.signing import S3Account, path_of, query_of, signed_headers
from frostbyte.kernel.errors import NotFound, Unavailable
from servers.buckets import administrator, bucket
from servers.minio import PASSWORD, USER, MinioServer

pytestmark = pytest.mark.slow


@pytest.fixture
def blobs(minio_server: MinioServer) -> Iterator[S3Blobs]:
    yield from bucket(minio_server)


def uploads(server: MinioServer) -> list[str]:
    """Parts on the server's drive that belong to no object."""
    place = server.folder / "data/.minio.sys/multipart"
    return [name for _, _, names in os.walk(place) for name in names]


def test_the_signature_is_the_published_one() -> None:
    # The example "GET Object" of Amazon's description of signature version 4.
    account = S3Account("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    headers = signed_headers(
        account,
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        now=datetime(2013, 5, 24, tzinfo=UTC),
        more={"Range": "bytes=0-9"},
    )
    assert headers["authorization"].endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")


def test_paths_and_queries_are_escaped_once() -> None:
    assert path_of("bucket", "raw/a b+ü~") == "/bucket/raw/a%20b%2B%C3%BC~"
    assert query_of({"b": "x/y", "a": "1 2"}) == "a=1%202&b=x%2Fy"


@pytest.mark.parametrize("size", [PART, PART + 1, 2 * PART + 12345])
def test_a_long_object_arrives_whole(blobs: S3Blobs, minio_server: MinioServer, size: int) -> None:
    data = os.urandom(size)
    with blobs.writer("raw/long") as writer:
        for start in range(0, size, 1_000_003):
            writer.write(data[start : start + 1_000_003])
        assert not blobs.exists("raw/long")
        writer.commit()
    assert blobs.get("raw/long") == data
    assert blobs.get_range("raw/long", size - 5, 100) == data[-5:]
    assert uploads(minio_server) == []


def test_a_long_upload_that_is_left_leaves_no_part(blobs: S3Blobs, minio_server: MinioServer) -> None:
    with blobs.writer("raw/long") as writer:
        writer.write(b"x" * (2 * PART + 1))
        assert uploads(minio_server)
    assert not blobs.exists("raw/long")
    assert uploads(minio_server) == []


def test_a_killed_writer_shows_nothing(blobs: S3Blobs, minio_server: MinioServer) -> None:
    code = (
        "import sys; from frostbyte.adapters.objects.s3 import S3Blobs, PART\n"
        "from frostbyte.adapters.objects.signing import S3Account\n"
        "import os; url, name, user, word = sys.argv[1:]\n"
        "w = S3Blobs(url, name, S3Account(user, word)).writer('raw/killed'); w.write(b'x' * (PART + 1))\n"
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, minio_server.url, blobs.bucket, USER, PASSWORD]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not blobs.exists("raw/killed")
    assert list(blobs.names("")) == []


def test_more_names_than_one_page(blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        blobs.put(f"raw/{number}", b"")
    monkeypatch.setattr(requests, "PAGE", 3)
    assert list(blobs.names("raw/")) == [f"raw/{number}" for number in range(7)]


def test_a_lost_bucket_is_an_outage_and_no_erased_document(minio_server: MinioServer) -> None:
    lost = S3Blobs(minio_server.url, "never-made", S3Account(USER, PASSWORD))
    for ask in asks(lost):
        with pytest.raises(Unavailable) as caught:
            ask()
        assert caught.value.code == "bucket_missing"


def test_wrong_keys_are_said_and_not_shown(blobs: S3Blobs, minio_server: MinioServer) -> None:
    blobs.put("raw/a", b"x")
    for account in (S3Account(USER, "not-the-word"), S3Account("nobody-known", PASSWORD)):
        for ask in asks(S3Blobs(minio_server.url, blobs.bucket, account)):
            with pytest.raises(Unavailable) as caught:
                ask()
            assert caught.value.code == "objects_refused"
            assert account.secret_key not in f"{caught.value!r} {caught.value.__cause__!r} {account!r}"


def test_a_server_that_is_down_is_an_outage_and_comes_back(minio_server: MinioServer, blobs: S3Blobs) -> None:
    blobs.put("raw/a", b"kept")
    minio_server.kill()
    try:
        for ask in asks(blobs)[::3]:
            started = time.monotonic()
            with pytest.raises(Unavailable) as caught:
                ask()
            assert caught.value.code == "objects_unavailable"
            assert time.monotonic() - started < 5
    finally:
        minio_server.start()
    assert blobs.get("raw/a") == b"kept"
    assert list(blobs.names("")) == ["raw/a"]


def test_a_server_that_hangs_is_an_outage_in_bounded_time(
    minio_server: MinioServer, blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (s3, requests):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    hasty = S3Blobs(minio_server.url, blobs.bucket, S3Account(USER, PASSWORD))
    hasty.put("raw/a", b"x")
    minio_server.pause()
    try:
        for ask in (lambda: hasty.get("raw/a"), lambda: list(hasty.names("")), lambda: hasty.put("raw/a", b"x")):
            started = time.monotonic()
            with pytest.raises(Unavailable) as caught:
                ask()
            assert caught.value.code == "objects_unavailable"
            assert time.monotonic() - started < 4
    finally:
        minio_server.resume()
    assert hasty.get("raw/a") == b"x"


class Full(BaseHTTPRequestHandler):
    """An S3 server without room, as MinIO says it."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"
        self.send_response(507)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


def test_a_full_store_is_said() -> None:
    server = HTTPServer(("127.0.0.1", 0), Full)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        full = S3Blobs(f"http://127.0.0.1:{server.server_port}", "b", S3Account("u", "w"))
        for size in (1, PART + 1):
            with pytest.raises(Unavailable) as caught:
                full.put("raw/a", b"x" * size)
            assert caught.value.code == "disk_full"
    finally:
        server.shutdown()
        server.server_close()


def test_what_speaks_no_s3_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    peer = server.accept()[0]
                except OSError:
                    return
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
                peer.close()

        threading.Thread(target=answer, daemon=True).start()
        other = S3Blobs(f"http://127.0.0.1:{server.getsockname()[1]}", "b", S3Account("u", "w"))
        for ask in (other.check, lambda: list(other.names("")), lambda: other.age_seconds("raw/a")):
            with pytest.raises(Unavailable) as caught:
                ask()
            assert caught.value.code == "objects_unavailable"
        server.shutdown(socket.SHUT_RDWR)


def test_an_upload_that_the_server_lost_is_an_outage(blobs: S3Blobs, minio_server: MinioServer) -> None:
    with blobs.writer("raw/long") as writer:
        writer.write(b"x" * (PART + 1))
        writer._requests.abort("raw/long", writer._upload)
        with pytest.raises(Unavailable) as caught:
            writer.commit()
    assert caught.value.code == "objects_unavailable"
    assert not blobs.exists("raw/long")
    with pytest.raises(NotFound):
        blobs.get("raw/long")
    assert administrator(minio_server).bucket_exists(blobs.bucket)


def asks(blobs: S3Blobs) -> list[Callable[[], object]]:
    """Every question that a store takes."""

    def large() -> None:
        with blobs.writer("raw/large") as writer:
            writer.write(b"x" * (PART + 1))
            writer.commit()

    return [
        lambda: blobs.put("raw/a", b"x"),
        lambda: blobs.get("raw/a"),
        lambda: blobs.get_range("raw/a", 0, 1),
        lambda: blobs.size("raw/a"),
        lambda: blobs.exists("raw/a"),
        lambda: blobs.age_seconds("raw/a"),
        lambda: blobs.delete("raw/a"),
        lambda: list(blobs.names("")),
        blobs.check,
        large,
    ]
