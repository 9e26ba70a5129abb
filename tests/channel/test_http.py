"""The wire: who is let in, and what a plane's answer cannot do to the control plane."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from channel.conftest import Door
from channel.plane_cases import directive
from frostbyte.adapters.channel.http import HttpPlane, context
from frostbyte.deploy.authority import Authority, Client
from frostbyte.kernel.errors import FrostbyteError


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(FrostbyteError) as caught:
        call()
    return caught.value.code


def test_a_certificate_of_the_same_authority_with_another_name_opens_nothing(door: Door) -> None:
    edge = door.channel(tls=door.tls(Client.EDGE))
    for call in (edge.standing, edge.health, lambda: edge.events(-1, 1), lambda: edge.put(directive("n"))):
        assert code_of(call) == "plane_unreachable"


def test_a_certificate_of_another_tenant_is_refused(door: Door, tmp_path: Path) -> None:
    stranger = door.channel("acme", tls=door.tls(authority=Authority(tmp_path / "other", "other")))
    # It depends on whether the server's word or the end of the connection comes first.
    assert code_of(stranger.standing) in ("plane_certificate_wrong", "plane_unreachable")


def test_without_a_certificate_nothing_is_answered(door: Door) -> None:
    tls = ssl.create_default_context(cafile=str(door.authority.ca_file))
    with httpx.Client(verify=tls, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(f"{door.url}/channel/v1/standing")
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(door.url.replace("https", "http") + "/channel/v1/standing")


def test_an_old_protocol_is_refused(door: Door) -> None:
    tls = door.tls()
    tls.minimum_version = ssl.TLSVersion.TLSv1  # only for this test: what the server says of it counts
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    assert code_of(door.channel("acme", tls=tls).standing) == "plane_certificate_wrong"


def test_another_tenants_plane_is_not_taken_for_ours(door: Door) -> None:
    assert code_of(door.channel("other", tls=door.tls()).standing) == "plane_foreign_tenant"


def test_a_server_of_another_authority_is_not_a_plane(door: Door, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "acme")
    held = other.client(Client.CONTROL)
    tls = context(other.ca_file.read_text(), held.certificate, held.key)
    assert code_of(door.channel("acme", tls=tls).standing) == "plane_certificate_wrong"
    assert code_of(door.channel(url=door.url.replace("127.0.0.1", "localhost")).standing) == ("plane_certificate_wrong")


def test_unusable_certificates_are_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "a", "acme")
    held = authority.client(Client.CONTROL)
    assert code_of(lambda: context("no certificate", held.certificate, held.key)) == "plane_certificate_unusable"
    other = Authority(tmp_path / "b", "acme").client(Client.CONTROL)
    unfit = lambda: context(authority.ca_file.read_text(), held.certificate, other.key)  # noqa: E731
    assert code_of(unfit) == "plane_certificate_unusable"


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert code_of(HttpPlane("acme", f"https://127.0.0.1:{port}", ssl.create_default_context()).standing) == (
        "plane_unreachable"
    )


@contextmanager
def hostile(door: Door, answer: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A plane's host in somebody else's hands: it has the certificate, and answers what it likes."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(door.settings.channel_certificate, door.settings.channel_key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                with tls.wrap_socket(server.accept()[0], server_side=True) as peer:
                    peer.recv(65536)
                    answer(peer)
            except OSError:
                pass  # the client has gone

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def _body(body: bytes, head: str = "200 OK", *lines: str) -> Callable[[ssl.SSLSocket], None]:
    top = "\r\n".join([f"HTTP/1.1 {head}", f"Content-Length: {len(body)}", *lines]) + "\r\n\r\n"
    return lambda peer: peer.sendall(top.encode() + body)


def _flood(peer: ssl.SSLSocket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def _drip(part: bytes) -> Callable[[ssl.SSLSocket], None]:
    def answer(peer: ssl.SSLSocket) -> None:
        peer.sendall(part)
        while True:
            peer.sendall(b"a")
            time.sleep(0.05)

    return answer


_PROBLEM = "application/problem+json"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_body(b"<html>"), "plane_answer_wrong"),
        (_body(b"[" * 100_000), "plane_answer_wrong"),
        (_body(b'{"tenant_id":"acme"}'), "plane_answer_wrong"),
        (_body(b"{}", "302 Found", "Location: https://127.0.0.1:1/"), "plane_answer_wrong"),
        (_body(b"\x1f\x8b\x08", "200 OK", "Content-Encoding: gzip"), "plane_answer_wrong"),
        (_body(b'{"code":"Any text <b>that</b> it likes"}', "409 Conflict"), "plane_answer_wrong"),
        (_body(b'{"code":"directive_nonce","nonce":"' + b"n" * 999 + b'"}', "409 Conflict"), "plane_answer_wrong"),
        (_body(b'{"code":"directive_stale"}', "409 Conflict"), "directive_stale"),
        (_body(b'{"code":"directive_stale"}', "200 OK"), "plane_answer_wrong"),
        (lambda peer: peer.sendall(b"\x00\x01\x02 no http at all\r\n\r\n"), "plane_unreachable"),
        (lambda peer: None, "plane_unreachable"),
        (_flood, "plane_answer_wrong"),
        (_drip(b"HTTP/1.1 200 OK\r\nX-A: "), "plane_unreachable"),
        (_drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), "plane_unreachable"),
        (lambda peer: time.sleep(2), "plane_unreachable"),
    ],
)
def test_a_hostile_plane_costs_a_second_and_is_told_apart(
    door: Door, answer: Callable[[ssl.SSLSocket], None], code: str
) -> None:
    with hostile(door, answer) as url:
        channel = door.channel(url=url, seconds=1.0)
        began = time.monotonic()
        assert code_of(channel.standing) == code
        assert time.monotonic() - began < 3


def test_half_a_line_of_events_is_not_taken(door: Door) -> None:
    with hostile(door, _body(b'{"event":{}}\n{"eve')) as url:
        assert code_of(lambda: door.channel(url=url).events(-1, 10)) == "plane_answer_wrong"
