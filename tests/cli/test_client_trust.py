"""Whom commands believe: an edge with an authority of its own, if they are told of it, and nobody else."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from frostbyte.cli.client import Client
from frostbyte.deploy.authority import Authority
from frostbyte.kernel.errors import FrostbyteError


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "authority", "", domain="pipeline.localhost")
    made.server("edge", ["127.0.0.1"])
    return made


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = authority.ca_file.parent / "edge"
    context.load_cert_chain(place / "public.crt", place / "private.key")
    server = HTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_named_authority_is_believed(url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with Client("", url) as client:
        assert client.json("GET", "/health") == {"status": "ok"}


def test_another_is_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Client("token", url) as client, pytest.raises(FrostbyteError) as refused:
        client.json("GET", "/health")
    assert refused.value.code == "server_not_trusted"
    assert "SSL_CERT_FILE" in refused.value.remedy
