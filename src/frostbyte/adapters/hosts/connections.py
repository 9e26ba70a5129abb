"""Connections to hosts, each through the ones before it, shared while they are used and closed soon after.

Nothing of the person who runs this is read: no agent, no known_hosts, no configuration, no key but the one given. A
host is recognised by the key that its address names, and by nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import asyncssh

from frostbyte.adapters.hosts import troubles
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.kernel.errors import FrostbyteError

Dial = Callable[[str, int], tuple[str, int]]
"""From the address and port of the first host on a way to where it is really reached."""
IDLE_SECONDS: Final = 30.0
"""How long an unused connection stays: the steps of one host follow each other closely."""
ALIVE_SECONDS: Final = 15
"""Between two questions whether the other side is still there; three unanswered ones end a connection."""


def straight(address: str, port: int) -> tuple[str, int]:
    """Reach it where it says it is."""
    return address, port


@dataclass
class _Kept:
    """A connection and who uses it: calls, and the connections that go through it."""

    connection: asyncssh.SSHClientConnection
    users: int = 0
    idle_since: float = field(default_factory=time.monotonic)


class Connections:
    """Used on one event loop.

    Args:
        key: our private key, in OpenSSH's form.
        connect_seconds: for each host on the way.
    """

    def __init__(self, key: str, *, dial: Dial = straight, connect_seconds: float = 10.0) -> None:
        self._key = asyncssh.import_private_key(key)
        self._dial = dial
        self._connect_seconds = connect_seconds
        self._kept: dict[HostAddress, _Kept] = {}
        self._making: dict[HostAddress, asyncio.Lock] = {}
        self._releasing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def to(self, host: HostAddress) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A shared connection to a host that shows exactly its pinned key."""
        async with self._making.setdefault(host, asyncio.Lock()):
            kept = self._kept.get(host)
            if kept is None or kept.connection.is_closed():
                kept = self._kept[host] = _Kept(await self._open(host, vouched=False))
        kept.users += 1
        try:
            yield kept.connection
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()

    @asynccontextmanager
    async def fresh(self, host: HostAddress, *, vouched: bool) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection of one's own.

        Args:
            vouched: take also a key that the pinned one has certified. It is asked for its key first: one that has a
                certificate would show that, also to who knows its own key.
        """
        try:
            connection = await self._open(host, vouched=False)
        except FrostbyteError as error:
            if error.code != "host_key_wrong" or not vouched:
                raise
            connection = await self._open(host, vouched=True)
        try:
            yield connection
        finally:
            connection.close()

    async def _open(self, host: HostAddress, *, vouched: bool) -> asyncssh.SSHClientConnection:
        if not host.via:
            return await self._connect(host, None, vouched=vouched)
        before = replace(host.via[-1], via=host.via[:-1])
        async with self.to(before) as tunnel:
            connection = await self._connect(host, tunnel, vouched=vouched)
        passed = self._kept[before]
        passed.users += 1  # until the one that goes through it has ended

        async def release() -> None:
            await connection.wait_closed()
            passed.users -= 1
            passed.idle_since = time.monotonic()

        task = asyncio.get_running_loop().create_task(release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)
        return connection

    async def _connect(
        self, host: HostAddress, tunnel: asyncssh.SSHClientConnection | None, *, vouched: bool
    ) -> asyncssh.SSHClientConnection:
        pinned = asyncssh.import_public_key(host.host_key)
        kind = host.host_key.split()[0]
        address, port = (host.address, host.port) if tunnel else self._dial(host.address, host.port)
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await asyncssh.connect(
                    address,
                    port,
                    tunnel=tunnel,
                    username=host.user,
                    client_keys=[self._key],
                    known_hosts=([pinned], [pinned] if vouched else [], []),
                    server_host_key_algs=f"{kind}-cert-v01@openssh.com,{kind}" if vouched else kind,
                    config=None,
                    agent_path=None,
                    x509_trusted_certs=None,
                    x509_trusted_cert_paths=[],
                    preferred_auth="publickey",
                    gss_host=None,
                    gss_kex=False,
                    compression_algs=None,
                    keepalive_interval=ALIVE_SECONDS,
                    keepalive_count_max=3,
                    client_version="frostbyte",
                )
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            raise troubles.wrong_key(host.name) from error
        except asyncssh.PermissionDenied as error:
            raise troubles.refused(host.name) from error
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise troubles.unreachable(host.name) from error

    async def sweep(self) -> None:
        """Close what nobody has used for a while, for ever; ends by being cancelled."""
        while True:
            await asyncio.sleep(IDLE_SECONDS / 3)
            for host, kept in list(self._kept.items()):
                if kept.connection.is_closed() or (
                    not kept.users and time.monotonic() - kept.idle_since > IDLE_SECONDS
                ):
                    kept.connection.close()
                    if self._kept.get(host) is kept:
                        del self._kept[host]

    async def close(self) -> None:
        """End all of them, the furthest first."""
        for _, kept in sorted(self._kept.items(), key=lambda item: -len(item[0].via)):
            kept.connection.close()
            await kept.connection.wait_closed()
        self._kept.clear()
