"""`frostbyte serve egress`: the proxy that is the only way out of a tenant's hosts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from frostbyte.cli.output import err, text
from frostbyte.cli.serving import GRACE_SECONDS, Start, listen, shown, stopping

if TYPE_CHECKING:
    from frostbyte.api.egress.proxy import Proxy

_LISTEN: Final = "127.0.0.1:3128"


def egress(
    address: Annotated[
        str | None, typer.Option("--listen", help="host:port; port 0 takes a free one. Else FROSTBYTE_LISTEN.")
    ] = None,
    ways: Annotated[
        Path | None, typer.Option("--ways", help="List of host:port, one a line. Else FROSTBYTE_WAYS_OUT.")
    ] = None,
) -> None:
    """Start the proxy that leads out of a tenant's hosts, to what a list names and nowhere else (HTTP CONNECT)."""
    if address:
        os.environ["FROSTBYTE_LISTEN"] = address
    if ways:
        os.environ["FROSTBYTE_WAYS_OUT"] = str(ways)
    with stopping() as start:
        _serve(start)


def _serve(start: Start) -> None:
    from frostbyte.api.egress.proxy import Proxy
    from frostbyte.api.egress.ways import Ways
    from frostbyte.kernel import logging
    from frostbyte.kernel.settings import Reader, invalid

    given = Reader(os.environ)
    file = given.text("WAYS_OUT", "")
    if not file:
        raise invalid("WAYS_OUT", "it must name the list of what may be reached")
    logging.configure(
        level=os.environ.get("FROSTBYTE_LOG_LEVEL", "warning"), tenant=os.environ.get("FROSTBYTE_TENANT_ID", "")
    )
    known = Ways(Path(file))
    count = len(known.current())
    host, port = given.listen(_LISTEN)
    listener = listen(host, port)

    def greet() -> None:
        at = f"{shown(host)}:{listener.getsockname()[1]}"
        err().print(text("frostbyte ", "bold cyan") + text(f"egress proxy at {at}, ways out: {count}"))

    if start.asked:
        raise SystemExit(128 + start.asked)
    asyncio.run(_run(Proxy(known), listener, start, greet))
    err().print(text("Stopped.", "green"))


async def _run(proxy: Proxy, listener: socket.socket, start: Start, greet: Callable[[], None]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start.over = True
    if start.asked:
        return
    listener.setblocking(False)
    server = await asyncio.start_server(proxy.served, sock=listener, limit=8 << 10)
    greet()
    await stop.wait()
    server.close()
    until = loop.time() + GRACE_SECONDS
    while proxy.open and loop.time() < until:  # tunnels that are under way may end
        await asyncio.sleep(0.05)
