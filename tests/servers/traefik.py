"""Traefik, on ports of the loopback, with a folder of routes that a test writes."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.control_plane.edge.routes import Site
from frostbyte.deploy.traefik import startup
from servers.lanes import built
from servers.process import ServerProcess, free_port, listens


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a client of the edge gets."""

    status: int
    headers: dict[str, str]
    body: bytes


class TraefikServer(ServerProcess):
    """An edge. `site` has its ports; `files` is the folder that it watches."""

    def __init__(self, folder: Path, *, domain: str = "pipeline.localhost", api_url: str = "") -> None:
        web, websecure, status = (free_port() for _ in range(3))
        self.site = Site(
            domain=domain,
            web=f"127.0.0.1:{web}",
            websecure=f"127.0.0.1:{websecure}",
            status=f"127.0.0.1:{status}",
            api_url=api_url,
        )
        self.ports = {"web": web, "websecure": websecure, "status": status}
        self.files = EdgeFolder(folder / "routes")
        begun = folder / "traefik.yml"
        begun.write_text(startup(self.site, str(self.files.folder)), encoding="ascii")
        binary = built("traefik")
        assert binary is not None
        super().__init__("traefik", [binary, f"--configfile={begun}"], folder=folder, ready=self._answers)

    def ask(
        self,
        host: str,
        path: str = "/",
        *,
        ca: Path | None = None,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 10.0,
    ) -> Answer:
        """One request over TLS to a host of the edge, which is taken by `ca` alone; without one, by anything."""
        connection = self.connection(host, ca, seconds)
        try:
            return answered(connection, method, path, {"Host": host} | (headers or {}), body)
        finally:
            connection.close()

    def connection(self, host: str, ca: Path | None = None, seconds: float = 10.0) -> http.client.HTTPConnection:
        """A connection over TLS that asked for this host."""
        context = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
        connection = _Named("127.0.0.1", self.ports["websecure"], timeout=seconds, context=context)
        connection.named = host
        return connection

    def plain(self, host: str, path: str = "/") -> Answer:
        """One request without TLS."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["web"], timeout=10)
        try:
            return answered(connection, "GET", path, {"Host": host}, None)
        finally:
            connection.close()

    def metrics(self) -> str:
        """What it counts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["status"], timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def count(self, metric: str) -> float:
        """The sum of a metric over its labels."""
        found = re.findall(rf"^{metric}(?:\{{[^}}]*\}})? ([0-9.e+-]+)$", self.metrics(), re.MULTILINE)
        return sum(float(value) for value in found)

    def _answers(self) -> bool:
        return all(listens(port) for port in self.ports.values())


class _Named(http.client.HTTPSConnection):
    """Connects to the loopback and asks for a host."""

    named = ""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.named)  # type: ignore[attr-defined]


def answered(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> Answer:
    """One request on a connection that stays open."""
    connection.request(method, path, body=body, headers=headers)
    found = connection.getresponse()
    return Answer(status=found.status, headers={k.lower(): v for k, v in found.getheaders()}, body=found.read())


def until(true: Callable[[], bool], seconds: float = 10.0, pause: float = 0.01) -> float:
    """Wait for something; seconds that it took."""
    began = time.monotonic()
    while not true():
        took = time.monotonic() - began
        assert took < seconds, f"not within {seconds} s"
        time.sleep(pause)
    return time.monotonic() - began
