"""A tenant's gateway as its users reach it: a question through the edge, by the tenant's own host name."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from frostbyte.control_plane.edge.routes import Site

SECONDS: Final = 5.0


def through_edge(site: Site, ca: Path | None) -> Callable[[str], int]:
    """Asks for HTTP statuses of tenants' /health; 0 where nothing answers, or with a certificate that does not hold.

    Args:
        site: where the edge listens; on every address of this host if it names none.
        ca: who vouches for the edge, where that is an authority of our own.
    """
    host, _, port = site.websecure.rpartition(":")
    address = (host.strip("[]") or "127.0.0.1", int(port))
    if address[0] in ("0.0.0.0", "::"):  # noqa: S104  # what is compared, not what is listened on
        address = ("127.0.0.1", address[1])

    def ask(tenant_id: str) -> int:
        name = f"{tenant_id}.{site.domain}"
        try:
            tls = ssl.create_default_context(cafile=ca)
            with (
                socket.create_connection(address, SECONDS) as plain,
                tls.wrap_socket(plain, server_hostname=name) as line,
            ):
                connection = http.client.HTTPConnection(name, timeout=SECONDS)
                connection.sock = line
                connection.request("GET", "/health", headers={"Connection": "close"})
                return connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError):
            return 0

    return ask
