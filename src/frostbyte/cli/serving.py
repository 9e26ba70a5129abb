"""What every server of ours does around its application: bind, remember signals, run, stop cleanly."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit

GRACE_SECONDS: Final = 10
"""Time that running requests get when a server stops."""
_BACKLOG: Final = 2048
_YOUNG: Final = 20_000
"""Objects that are made and not let go of until the collector looks for circles among them. CPython's own number is
700, which one question reaches: an eighth of its time went there."""


class Start:
    """What a signal means while the plane starts: it is remembered, and acted on once everything can be let go of.

    Ending in the middle would leave the database's own process behind. A second signal does not wait.
    """

    def __init__(self) -> None:
        self.over = False
        self.asked = 0
        """The signal that asked to stop; 0 for none."""

    def on_signal(self, number: int, frame: Any) -> None:
        """Handler for SIGTERM and SIGINT. Once the server runs, it is the server that reacts to them."""
        if self.over:
            return
        if self.asked:
            raise SystemExit(128 + number)
        self.asked = number


@contextmanager
def stopping() -> Iterator[Start]:
    """Remember a signal until the server itself reacts to it."""
    start = Start()
    before = {number: signal.signal(number, start.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield start
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(host: str, port: int, variable: str = "FROSTBYTE_LISTEN") -> socket.socket:
    """The bound socket, taken before anything heavy starts.

    Args:
        port: 0 takes a free one.
        variable: the setting that names another address.

    Raises:
        CommandFailed: `port_taken` or `listen_impossible`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{shown(host)}:{port}"
        if error.errno != errno.EADDRINUSE:
            raise CommandFailed(
                "listen_impossible", f"Listening on {where} is not possible: {error.strerror}.", f"Set {variable}."
            ) from error
        raise CommandFailed(
            "port_taken",
            f"Another program already listens on {where}.",
            f"If it is yours, use it; else choose another port: {variable}=127.0.0.1:8081",
            exit_code=Exit.REFUSED,
        ) from error
    return listener


def listen_on_socket(path: Path, variable: str = "FROSTBYTE_SOCKET") -> socket.socket:
    """The bound unix socket, for its own user alone. One that a former process left behind is taken away.

    Raises:
        CommandFailed: `listen_impossible`, also where something else lies there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CommandFailed(
            "listen_impossible",
            f"Listening on the socket is not possible: {error.strerror}.",
            f"Set {variable} to a free path in a folder that this user may write to.",
        ) from error
    return listener


def shown(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def settle() -> None:
    """Have the garbage collector leave alone what was loaded: it stays until the end, and to look through all of it
    stops every request for a fifth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def run(
    application: Any,
    listener: socket.socket,
    start: Start,
    started: Callable[[], None],
    *,
    beside: socket.socket | None = None,
    stops: Callable[[], object] = lambda: None,
    **options: Any,
) -> None:
    """Serve until a signal asks to stop.

    Args:
        started: called once requests are taken.
        beside: a second socket, on which the same is answered.
        stops: called as soon as it is asked to stop: ends what would never end by itself.
        options: further ones of uvicorn's.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """Says that it runs once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # From here on signals are the server's; one that came before it listened for them is made good.
            start.over = True
            settle()
            if start.asked:
                self.should_exit = True
                stops()
            else:
                started()

        def handle_exit(self, sig: int, frame: Any) -> None:
            stops()
            super().handle_exit(sig, frame)

    told: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        # Longer than a proxy keeps a connection that it does not use (Traefik: 90 s): where the server closes first, a
        # request that is just being sent on is lost, and its client gets 502.
        "timeout_keep_alive": 120,
    }
    config = uvicorn.Config(application, **(told | options))
    Server(config).run(sockets=[listener, *([beside] if beside is not None else [])])
