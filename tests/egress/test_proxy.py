"""The way out: real sockets on the loopback, what it lets through, and whatever somebody else may send it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.api.egress.proxy import Limits, Proxy
from frostbyte.api.egress.ways import Ways, outside, parse, read
from frostbyte.kernel.errors import Forbidden, FrostbyteError, Invalid
from servers.process import free_port

HERE: Final = ("10.0.0.0/8", "169.254.0.0/16")
"""What tests call inside, in place of what is: they listen on the loopback."""
Run = Callable[[Proxy, int, int], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What an allowed host outside does."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    writer.close()


def names(addresses: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@asynccontextmanager
async def running(
    folder: Path, addresses: Sequence[str] = ("127.0.0.1",), **more: Any
) -> AsyncIterator[tuple[Proxy, int, int]]:
    """A proxy whose list names one host, that host's port, and the proxy's own."""
    host = await asyncio.start_server(echo, "127.0.0.1", 0)
    far = host.sockets[0].getsockname()[1]
    (folder / "ways").write_text(f"# what may be reached\napi.example.org:{far}\n")
    proxy = Proxy(Ways(folder / "ways"), resolve=names(addresses), nowhere=HERE, **more)
    server = await asyncio.start_server(proxy.served, "127.0.0.1", 0, limit=8 << 10)
    try:
        yield proxy, far, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        host.close()


async def said(port: int, text: bytes, *, end: bool = False) -> bytes:
    """Everything that a proxy answers to some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    if end:
        writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def connect(host: str, port: int) -> bytes:
    return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


def test_a_tunnel_carries_bytes_both_ways_and_counts_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as (proxy, far, port):
            payload = os.urandom(3 << 20)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(connect("api.example.org", far) + payload[:10])  # sent before the answer: it is not lost
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"

            async def send() -> None:
                writer.write(payload[10:])
                await writer.drain()
                writer.write_eof()

            back, _ = await asyncio.gather(reader.read(-1), send())
            assert back == payload
            writer.close()
            while proxy.open:
                await asyncio.sleep(0.01)
            assert proxy.moved == 2 * len(payload)
            assert dict(proxy.ended) == {"done": 1}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (connect("other.example.org", 443), 403, "egress_not_allowed"),
        (connect("api.example.org", 1), 403, "egress_not_allowed"),
        (connect("127.0.0.1", 443), 403, "egress_not_allowed"),
        (connect("169.254.169.254", 80), 403, "egress_not_allowed"),
        (connect("[::1]", 443), 403, "egress_not_allowed"),
        (connect("2130706433", 443), 403, "egress_not_allowed"),
        (connect("0x7f.1", 443), 403, "egress_not_allowed"),
        (connect("api.example.org.", 443), 403, "egress_not_allowed"),
        (connect("user@api.example.org", 443), 403, "egress_not_allowed"),
        (b"GET http://api.example.org/ HTTP/1.1\r\n\r\n", 400, "egress_no_connect"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 400, "egress_no_connect"),
        (b"connect api.example.org:443 HTTP/1.1\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT api.example.org:443 HTTP/2\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT  api.example.org:443 HTTP/1.1\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT a:1 HTTP/1.1\nHost: a\n\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT a:1 HTTP/1.1\r\n folded\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT a:1 HTTP/1.1\r\nA: \x00\r\n\r\n", 400, "egress_no_request"),
        (b"CONNECT a:1 HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n", 400, "egress_no_request"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "egress_no_request"),
    ],
)
def test_whatever_else_is_asked_is_refused_and_nothing_is_reached(
    request_: bytes, status: int, why: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(tmp_path) as (proxy, _, port):
            assert code(await said(port, request_)) == (status, why)
            assert dict(proxy.ended) == {why: 1}
            assert proxy.moved == proxy.open == 0

    asyncio.run(run())


@pytest.mark.parametrize("addresses", [("10.1.2.3",), ("169.254.169.254",), ("127.0.0.1", "10.0.0.1")])
def test_a_name_that_leads_inside_is_refused_even_if_it_leads_outside_too(
    addresses: tuple[str, ...], tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(tmp_path, addresses) as (_, far, port):
            assert code(await said(port, connect("api.example.org", far))) == (403, "egress_not_allowed")

    asyncio.run(run())


@pytest.mark.parametrize(
    "address",
    "0.0.0.0 10.7.1.20 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1 198.18.0.1 "
    "224.0.0.1 255.255.255.255".split(),
)
def test_what_is_nobodys_on_the_internet_is_never_reached(address: str) -> None:
    with pytest.raises(Forbidden):
        outside([address])
    assert outside(["8.8.8.8", "172.15.0.1"]) == ["8.8.8.8", "172.15.0.1"]


def test_a_host_that_does_not_answer_is_said_to_be_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, ()) as (_, far, port):
            assert code(await said(port, connect("api.example.org", far))) == (503, "egress_unreachable")
        async with running(tmp_path, ("127.0.0.9",)) as (_, far, port):  # nobody listens at that address
            (tmp_path / "ways").write_text(f"api.example.org:{free_port()}\n")
            closed = int((tmp_path / "ways").read_text().split(":")[1])
            assert code(await said(port, connect("api.example.org", closed))) == (503, "egress_unreachable")

    asyncio.run(run())


def test_the_list_is_read_again_and_a_broken_one_lets_nobody_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as (_, far, port):
            ask = connect("api.example.org", far)
            good = (tmp_path / "ways").read_text()

            async def now() -> bytes:
                return (await said(port, ask, end=True)).split(b"\r\n")[0]

            assert await now() == b"HTTP/1.1 200 Connection established"
            for text, answer in (
                ("other.example.org:443\n", b"403 Forbidden"),
                (good + "169.254.169.254:80\n", b"503 Service Unavailable"),
                (good, b"200 Connection established"),
            ):
                (tmp_path / "new").write_text(text)
                (tmp_path / "new").replace(tmp_path / "ways")
                assert await now() == b"HTTP/1.1 " + answer
            (tmp_path / "ways").unlink()
            assert await now() == b"HTTP/1.1 503 Service Unavailable"
            assert (await said(port, b"GET /health HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503")

    asyncio.run(run())


def test_who_says_nothing_and_who_moves_nothing_is_hung_up_on(tmp_path: Path) -> None:
    limits = Limits(head_seconds=0.2, idle_seconds=0.3, tunnels=2)

    async def run() -> None:
        async with running(tmp_path, limits=limits) as (proxy, far, port):
            assert code(await said(port, b"CONNECT api.exa")) == (400, "egress_no_request")
            idle = await said(port, connect("api.example.org", far))
            assert idle.endswith(b"established\r\n\r\n")
            assert proxy.ended["egress_cut"] == 1
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert code(await said(port, connect("api.example.org", far))) == (503, "egress_full")
            for _, writer in held:
                writer.close()

    asyncio.run(run())


def test_health_and_metrics_name_no_host(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as (_, far, port):
            await said(port, connect("secret.example.org", 443))
            await said(port, connect("api.example.org", far), end=True)
            health = await said(port, b"GET /health HTTP/1.1\r\n\r\n")
            assert json.loads(health.partition(b"\r\n\r\n")[2]) == {"status": "ok", "ways": 1}
            metrics = (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).decode()
            assert 'frostbyte_egress_requests_total{result="done"} 1' in metrics
            assert 'frostbyte_egress_requests_total{result="egress_not_allowed"} 1' in metrics
            assert "example" not in metrics

    asyncio.run(run())


@pytest.mark.parametrize(
    "line",
    ["example", "example:443", "a.b", "a.b:0", "a.b:65536", "1.2.3.4:443", "a.1:443", "A.b:443", "*.b.c:443", "a_b.c:1",
     "-a.b:443", "a-.b:443", "a..b:443", "a.b:443 # no", "https://a.b:443", "a.b:0443", "a" * 64 + ".b:443"],
)  # fmt: skip
def test_a_list_with_anything_else_in_it_is_none(line: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(f"good.example.org:443\n{line}\n")
    assert refused.value.code == "ways_out_invalid"
    assert "Line 2" in refused.value.message
    assert read(line) is None


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_no_bytes_reach_anybody_or_break_it(data: bytes) -> None:
    reached = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        reached.append(host)
        return ["127.0.0.1"]

    async def run() -> None:
        ways = Ways(Path(__file__).with_name("ways.txt"))
        proxy = Proxy(ways, resolve=resolve, limits=Limits(head_seconds=0.2), nowhere=HERE)
        server = await asyncio.start_server(proxy.served, "127.0.0.1", 0, limit=8 << 10)
        port = server.sockets[0].getsockname()[1]
        await said(port, data, end=True)
        again = await said(port, b"GET /health HTTP/1.1\r\n\r\n")
        assert again.startswith(b"HTTP/1.1 200")
        server.close()

    asyncio.run(run())
    assert reached == []


@given(st.text(max_size=60))
def test_what_is_read_as_a_way_is_written_as_one(text: str) -> None:
    way = read(text)
    if way is not None:
        assert f"{way[0]}:{way[1]}" == text
        assert way[0].isascii()
        with pytest.raises(ValueError):
            __import__("ipaddress").ip_address(way[0])


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop_and_a_client_goes_through_it(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "ways").write_text("api.example.org:443\n")
    environment = os.environ | {"FROSTBYTE_WAYS_OUT": str(tmp_path / "ways"), "FROSTBYTE_LISTEN": f"127.0.0.1:{port}"}
    frostbyte = Path(sys.executable).parent / "frostbyte"
    process = subprocess.Popen([frostbyte, "serve", "egress"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "ways out: 1" in process.stderr.readline()
        assert httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()["status"] == "ok"
        resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
        assert resident < 100  # of the 128 MiB that it may take
        client = httpx.Client(proxy=f"http://127.0.0.1:{port}", trust_env=False)
        with client, pytest.raises(httpx.ProxyError, match="403"):
            client.get("https://elsewhere.example.org/")
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=10)[1]
        assert process.returncode == 0
        assert "Stopped" in rest
        assert "elsewhere" not in rest
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("text", ["", "1.2.3.4:1\n"])
def test_a_list_that_is_none_is_said_before_it_listens(text: str, tmp_path: Path) -> None:
    (tmp_path / "ways").write_text(text)
    known = Ways(tmp_path / "ways")
    if text:
        with pytest.raises(FrostbyteError):
            known.current()
    else:
        assert known.current() == frozenset()  # nobody is let out, as was said
