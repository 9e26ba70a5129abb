"""A real Traefik before a real gateway with TLS: each takes only the other of the same tenant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from edge.world import World
from frostbyte.api.http.tls import ServerTls
from frostbyte.deploy.authority import Authority
from servers.traefik import until

pytestmark = pytest.mark.slow


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """200, to whoever comes so far."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class SecureGateway:
    """A gateway with a certificate of one authority that lets in clients of another."""

    def __init__(self, own: Authority, place: Path, clients: Authority) -> None:
        own.server("gateway", ["127.0.0.1"])
        tls = ServerTls(place / "gateway/public.crt", place / "gateway/private.key", clients.ca_file, "edge")
        config = uvicorn.Config(answer, port=0, loop="uvloop", log_config=None, lifespan="off", **tls.options())
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until(lambda: self._server.started)
        self.url = f"https://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()


@pytest.fixture
def made() -> Iterator[list[SecureGateway]]:
    gateways: list[SecureGateway] = []
    yield gateways
    for gateway in gateways:
        gateway.close()


def test_edge_and_gateway_know_each_other(world: World, made: list[SecureGateway], tmp_path: Path) -> None:
    acme = world.authorities.of("acme")
    gateway = SecureGateway(acme, acme.ca_file.parent, acme)
    made.append(gateway)
    world.open("acme", gateway.url)
    until(lambda: world.status("acme") == 200, pause=0.065)

    # Another tenant's edge certificate is a stranger's, and acme's gateway is not taken for another tenant's.
    world.open("globex", gateway.url)
    until(lambda: world.status("globex") not in (0, 404), pause=0.065)
    assert world.status("globex") in (500, 502, 503)

    # A gateway that somebody put in its place has no certificate of the tenant's authority.
    impostor = Authority(tmp_path / "impostor", "acme")
    false = SecureGateway(impostor, tmp_path / "impostor", acme)
    made.append(false)
    world.open("acme", false.url)
    until(lambda: world.status("acme") in (500, 502, 503), pause=0.065)

    # A gateway that trusts another authority does not let this edge in.
    shut = SecureGateway(acme, acme.ca_file.parent, impostor)
    made.append(shut)
    world.open("acme", shut.url)
    until(lambda: world.status("acme") in (500, 502, 503), pause=0.065)
    world.open("acme", gateway.url)
    until(lambda: world.status("acme") == 200, pause=0.065)
