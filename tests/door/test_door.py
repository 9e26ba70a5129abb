"""The door: real sockets, both directions, whatever ends first, and what it takes at most."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.api.door.passing import Door, Limits
from frostbyte.deploy.compose import Options, plane
from servers.process import free_port

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


def on_the_loop(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On the loop that the command runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def running(folder: Path, gateway: Talk | None = echo, **limits: Any) -> AsyncIterator[tuple[Door, int]]:
    """A door at a free port, and a gateway behind it (None: nobody)."""
    loop = asyncio.get_running_loop()
    door = Door(str(folder / "gateway"), Limits(**limits))
    behind = await asyncio.start_unix_server(gateway, door.socket) if gateway is not None else None
    server = await loop.create_server(door.near, "127.0.0.1", 0)
    keeper = loop.create_task(door.keep())
    try:
        yield door, server.sockets[0].getsockname()[1]
    finally:
        keeper.cancel()
        server.close()
        if behind is not None:
            behind.close()


async def open_to(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def empty(door: Door) -> None:
    async with asyncio.timeout(5):
        while door.passages:
            await asyncio.sleep(0.01)


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.binary(max_size=200_000), max_size=6))
def test_every_byte_comes_back_in_order(parts: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    async def run() -> None:
        async with running(tmp_path_factory.mktemp("d")) as (door, port):
            reader, writer = await open_to(port)
            read = asyncio.create_task(reader.read())
            for part in parts:
                writer.write(part)
            await writer.drain()
            writer.write_eof()  # half of it ends; what is under way still arrives
            async with asyncio.timeout(20):
                assert await read == b"".join(parts)
            writer.close()
            await empty(door)
            assert door.moved == 2 * sum(map(len, parts))

    on_the_loop(run)


def test_an_answer_after_which_the_gateway_hangs_up_arrives_whole(tmp_path: Path) -> None:
    big = os.urandom(2 << 20)

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(big)
        writer.close()

    async def run() -> None:
        async with running(tmp_path, gateway) as (door, port):
            reader, writer = await open_to(port)
            writer.write(b"ask")
            async with asyncio.timeout(10):
                assert await reader.read() == big
            writer.close()
            await empty(door)

    on_the_loop(run)


def test_who_reads_slowly_makes_the_other_wait_and_not_the_door_keep(tmp_path: Path) -> None:
    sent = 0

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(64 << 10))
            await writer.drain()
            sent += 64 << 10

    async def run() -> None:
        async with running(tmp_path, gateway) as (door, port):
            _, writer = await open_to(port)
            before = -1
            async with asyncio.timeout(10):
                while before != sent or not sent:
                    before = sent
                    await asyncio.sleep(0.2)
            # What fits into the kernel's buffers and ours; a door without a limit would take on.
            assert sent < 24 << 20
            writer.transport.abort()
            await empty(door)

    on_the_loop(run)


@pytest.mark.slow
def test_a_gateway_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, None) as (door, port):
            reader, writer = await open_to(port)
            writer.write(b"POST /api/v1/ingest HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
            async with asyncio.timeout(5):
                answer = await reader.read()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.split()[1] == b"503"
            assert json.loads(body)["code"] == "gateway_unavailable"
            assert f"content-length: {len(body)}".encode() in head.lower()
            writer.close()
            await empty(door)

    on_the_loop(run)


@pytest.mark.slow
def test_it_takes_so_many_and_says_so_to_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, passages=2) as (door, port):
            first, second = await open_to(port), await open_to(port)
            first[1].write(b"a")
            second[1].write(b"b")
            assert (await first[0].read(1), await second[0].read(1)) == (b"a", b"b")
            third = await open_to(port)
            assert json.loads((await third[0].read()).partition(b"\r\n\r\n")[2])["code"] == "door_full"
            third[1].close()
            first[1].close()
            async with asyncio.timeout(5):
                while len(door.passages) > 1:
                    await asyncio.sleep(0.01)
            fourth = await open_to(port)
            fourth[1].write(b"d")
            assert await fourth[0].read(1) == b"d"
            for one in (second, fourth):
                one[1].close()
            await empty(door)

    on_the_loop(run)


@pytest.mark.slow
def test_a_passage_in_which_nothing_moves_is_closed_and_one_that_moves_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, idle_seconds=0.4) as (door, port):
            still, busy = await open_to(port), await open_to(port)
            begun = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < begun + 1.2:
                busy[1].write(b"x")
                assert await busy[0].read(1) == b"x"
                await asyncio.sleep(0.05)
            with suppress(ConnectionError):
                async with asyncio.timeout(5):
                    assert await still[0].read() == b""
            assert len(door.passages) == 1
            busy[1].close()
            await empty(door)

    on_the_loop(run)


def test_who_hangs_up_hangs_up_on_the_gateway(tmp_path: Path) -> None:
    seen = asyncio.Event()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        seen.set()
        writer.close()

    async def run() -> None:
        async with running(tmp_path, gateway) as (door, port):
            _, writer = await open_to(port)
            writer.write(b"a question")
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.transport.abort()
            async with asyncio.timeout(5):
                await seen.wait()
            await empty(door)

    on_the_loop(run)


@pytest.mark.slow
def test_the_command_passes_on_and_finishes_what_is_under_way(tmp_path: Path) -> None:
    """Also: it comes up before the gateway does, and finds it again after it was started anew."""
    port, path = free_port(), tmp_path / "gateway"
    environment = os.environ | {"FROSTBYTE_LISTEN": f"127.0.0.1:{port}", "FROSTBYTE_SOCKET": str(path)}
    command = [sys.executable, "-m", "frostbyte", "serve", "door"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "door at" in process.stderr.readline()
            with socket.create_connection(("127.0.0.1", port), timeout=5) as early:
                assert b"gateway_unavailable" in early.makefile("rb").read()
            with socket.socket(socket.AF_UNIX) as gateway:
                gateway.bind(str(path))
                gateway.listen()
                with socket.create_connection(("127.0.0.1", port), timeout=5) as near:
                    far, _ = gateway.accept()
                    near.sendall(b"question")
                    assert far.recv(8) == b"question"
                    far.close()
                    assert near.recv(1) == b""
            path.unlink()
            with socket.socket(socket.AF_UNIX) as gateway:
                gateway.bind(str(path))
                gateway.listen()
                near = socket.create_connection(("127.0.0.1", port), timeout=5)
                far, _ = gateway.accept()
                near.sendall(b"question")
                assert far.recv(8) == b"question"
                process.send_signal(signal.SIGTERM)
                far.sendall(b"the last answer")
                far.close()
                assert near.makefile("rb").read() == b"the last answer"
                near.close()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_without_a_socket_it_does_not_start() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "frostbyte", "serve", "door"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "FROSTBYTE_SOCKET" in done.stderr


@pytest.mark.slow
def test_full_of_those_that_never_read_it_stays_within_what_its_container_has(tmp_path: Path) -> None:
    """Both sides send all they can, and nobody takes any of it."""
    most = plane(Options(tenant="acme", version="0")).service("door").limits.memory_mb
    port, path = free_port(), tmp_path / "gateway"
    environment = os.environ | {"FROSTBYTE_LISTEN": f"127.0.0.1:{port}", "FROSTBYTE_SOCKET": str(path)}

    def fill(one: socket.socket) -> None:
        one.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                one.send(bytes(1 << 18))

    with (
        socket.socket(socket.AF_UNIX) as gateway,
        subprocess.Popen(
            [sys.executable, "-m", "frostbyte", "serve", "door"], env=environment, stderr=subprocess.PIPE
        ) as process,
    ):
        gateway.bind(str(path))
        gateway.listen(Limits().passages)
        assert process.stderr is not None
        process.stderr.readline()
        ends = []
        try:
            for _ in range(Limits().passages):
                ends.append(socket.create_connection(("127.0.0.1", port)))
                ends.append(gateway.accept()[0])
            for _ in range(10):
                for end in ends:
                    fill(end)
                time.sleep(0.2)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
            assert 60 < peak < most, peak
        finally:
            for end in ends:
                end.close()
            process.kill()
