"""The simulator as a server: in a thread of this process, for tests and benches, or told to the command's server."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.app import ABORT, create_app

START_SECONDS: Final = 20.0


class Breakable(HttpToolsProtocol):
    """HTTP whose connections the application may break: that is what a lost reply is."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        extensions: dict[Any, Any] = {ABORT: self._abort}
        self.scope["extensions"] = extensions

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abort()


class Serving:
    """A world behind HTTP on loopback, from a thread. A context manager; the world is closed with it.

    Args:
        host, port: where to listen; port 0 takes a free one.
        shown: files of a certificate and its key, for clients of other hosts: nobody tells them a token in the clear.
    """

    def __init__(
        self, world: World, host: str = "127.0.0.1", port: int = 0, *, shown: tuple[Path, Path] | None = None
    ) -> None:
        self.world = world
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._socket.listen(128)
        self.base = f"{'https' if shown else 'http'}://{host}:{self._socket.getsockname()[1]}"
        self.endpoint = f"{self.base}/v1"
        """What clients of the Cloud API are told."""
        world.address = self.endpoint
        self.token = (world.tokens() or [world.token()])[0]
        """Of the project `default`, and it may change it."""
        config = uvicorn.Config(
            create_app(world),
            http=Breakable,
            ws="none",
            ssl_certfile=shown[0] if shown else None,
            ssl_keyfile=shown[1] if shown else None,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=120,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="simulated-hetzner", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        self._socket.close()
        self.world.close()
