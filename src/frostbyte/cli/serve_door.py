"""`frostbyte serve door`: publishes the gateway of a plane that has no network of its own."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.output import err, text
from frostbyte.cli.serving import GRACE_SECONDS, Start, listen, shown, stopping

if TYPE_CHECKING:
    from frostbyte.api.door.passing import Door

_LISTEN: Final = "127.0.0.1:8080"


def door(
    address: Annotated[
        str | None, typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_LISTEN.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--socket", help="The gateway's socket. Else FROSTBYTE_SOCKET.")] = None,
) -> None:
    """Start the door of an offline plane: it passes bytes between a port and the gateway's socket."""
    if address:
        os.environ["FROSTBYTE_LISTEN"] = address
    if to:
        os.environ["FROSTBYTE_SOCKET"] = str(to)
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.api.door.passing import Door
    from frostbyte.kernel.settings import Reader, invalid

    given = Reader(os.environ)
    gateway, channel = given.path("SOCKET"), given.path("CHANNEL_SOCKET")
    if gateway is None:
        raise invalid("SOCKET", "it must name the gateway's socket")
    host, port = given.listen(_LISTEN)
    listener = listen(host, port)
    ways = [(Door(str(gateway)), listener)]
    if channel is not None:
        # TLS from end to end: nothing can be said to whoever is not let in.
        at = given.listen("127.0.0.1:8443", "CHANNEL_LISTEN")
        ways.append((Door(str(channel), speaks=False), listen(*at, "FROSTBYTE_CHANNEL_LISTEN")))

    def greet() -> None:
        at = f"{shown(host)}:{listener.getsockname()[1]}"
        err().print(text("frostbyte ", "bold cyan") + text(f"door at {at}"))

    if start.asked:
        raise SystemExit(128 + start.asked)
    import asyncio

    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(_run(ways, start, greet))
    err().print(text("Stopped.", "green"))


def _loop() -> Callable[[], Any]:
    import uvloop

    return uvloop.new_event_loop


async def _run(ways: Sequence[tuple[Door, socket.socket]], start: Start, greet: Callable[[], None]) -> None:
    import asyncio

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start.over = True
    if start.asked:
        return
    servers, keepers = [], []
    for door, listener in ways:
        listener.setblocking(False)
        servers.append(await loop.create_server(door.near, sock=listener))
        keepers.append(loop.create_task(door.keep()))
    greet()
    await stop.wait()
    for server in servers:
        server.close()
    until = loop.time() + GRACE_SECONDS
    while any(door.passages for door, _ in ways) and loop.time() < until:  # answers that are under way may end
        await asyncio.sleep(0.05)
    for keeper in keepers:
        keeper.cancel()
