"""The control channel's listener, beside the gateway's: a thread and an event loop of its own, so that a plane that is
busy with its clients is still told to stop within a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from frostbyte.api.channel.app import Serves
    from frostbyte.kernel.settings import Settings

CLIENT: Final = "control"
"""The common name of the control plane's certificate: deploy.authority.Client.CONTROL, which no tenant's host loads."""
_STOP_SECONDS: Final = 15.0


@contextmanager
def channel_open(channel: Serves, settings: Settings, *listeners: socket) -> Iterator[None]:
    """Answer the control plane, and nobody else, as long as the block lasts.

    Raises:
        Invalid: `tls_unusable`.
    """
    import uvicorn

    from frostbyte.api.channel.app import create_app
    from frostbyte.api.http.tls import ServerTls

    tls = ServerTls(
        Path(settings.channel_certificate), Path(settings.channel_key), Path(settings.channel_client_ca), CLIENT
    )
    config = uvicorn.Config(
        create_app(channel),
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # the control plane comes every 15 s
        timeout_graceful_shutdown=1,
        **tls.options(),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": list(listeners)}, name="channel", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True  # whoever was asking asks again
        thread.join(_STOP_SECONDS)
