"""Planes behind each kind of channel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from channel.plane_cases import PINNED, Ticking
from frostbyte.adapters.channel.http import HttpPlane, context
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.cli.serve_channel import channel_open
from frostbyte.deploy.authority import Authority, Client
from frostbyte.kernel.settings import Settings


@dataclass
class Door:
    """A plane's channel on the loopback, and what opens it."""

    authority: Authority
    settings: Settings
    url: str
    made: list[HttpPlane] = field(default_factory=list)

    def tls(self, client: Client = Client.CONTROL, authority: Authority | None = None) -> Any:
        held = (authority or self.authority).client(client)
        return context(self.authority.ca_file.read_text(), held.certificate, held.key)

    def channel(self, tenant: str = "acme", url: str = "", tls: Any = None, **more: Any) -> HttpPlane:
        """Our end; closed when the test ends."""
        self.made.append(HttpPlane(tenant, url or self.url, tls or self.tls(), **more))
        return self.made[-1]


@contextmanager
def opened(plane: Any, folder: Path) -> Iterator[Door]:
    """The plane's channel, answering as the gateway's process has it answer."""
    authority = Authority(folder / "authority", "acme")
    authority.server("channel", ["127.0.0.1"])
    own = folder / "authority" / "channel"
    settings = Settings(
        channel_listen=("127.0.0.1", 0),
        channel_certificate=str(own / "public.crt"),
        channel_key=str(own / "private.key"),
        channel_client_ca=str(authority.ca_file),
    )
    with socket.create_server(("127.0.0.1", 0)) as listener, channel_open(plane, settings, listener):
        yield Door(authority, settings, f"https://127.0.0.1:{listener.getsockname()[1]}")


@pytest.fixture
def ticks() -> Ticking:
    return Ticking()


@pytest.fixture
def memory(ticks: Ticking) -> MemoryPlane:
    return MemoryPlane("acme", PINNED, ticks=ticks)


@pytest.fixture
def door(memory: MemoryPlane, tmp_path: Path) -> Iterator[Door]:
    with opened(memory, tmp_path) as door:
        yield door


@pytest.fixture(params=["memory", "http"])
def plane(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The plane itself, and the channel to it."""
    memory: MemoryPlane = request.getfixturevalue("memory")
    if request.param == "memory":
        yield memory, memory
        return
    door: Door = request.getfixturevalue("door")
    yield memory, door.channel()
