"""Passes bytes between whoever connects and a unix socket. They are neither looked at nor kept, and nothing is logged.

The door is the only container of an offline plane that can be reached, and the only one with a route at all. So it
holds nothing: no secret, no name, no document at rest. What it takes is bounded, in number and in memory, whatever
somebody sends; a gateway that is not there is said in a sentence, as it would say it itself.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from frostbyte.kernel.errors import FrostbyteError, Unavailable

_LINGER_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one door takes.

    Attributes:
        passages: connections at once. Those above are told so; above twice as many they are hung up on.
        connect_seconds: for the gateway to answer on its socket.
        idle_seconds: in which nothing moved in either direction. Streams of the gateway speak every few seconds.
        buffered_bytes: that wait for a slow reader, in each direction; then the sender waits. A loop reads 256 KiB more
            at once: 163 MB for all passages, measured with readers that never read.
    """

    passages: int = 256
    connect_seconds: float = 5.0
    idle_seconds: float = 900.0
    buffered_bytes: int = 64 << 10


class Door:
    """Takes connections; `near` makes the protocol of each, for `loop.create_server`.

    Args:
        socket: path of the gateway's.
        speaks: whether those that cannot be let in are told why, as HTTP; else they are hung up on.
    """

    def __init__(self, socket: str, limits: Limits | None = None, *, speaks: bool = True) -> None:
        self.socket = socket
        self.speaks = speaks
        self.limits = limits or Limits()
        self.passages: set[_Near] = set()
        """Those that are open."""
        self.moved = 0
        """Bytes, in both directions."""

    def near(self) -> asyncio.Protocol:
        """For one connection."""
        return _Near(self)

    async def keep(self) -> None:
        """Close passages in which nothing moves any more, until cancelled."""
        pause = min(10.0, self.limits.idle_seconds / 4)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause)
            for one in [one for one in self.passages if loop.time() - one.moved_at > self.limits.idle_seconds]:
                one.cut()


class _End(asyncio.Protocol):
    """One end of a passage. It reads only as fast as the other end writes."""

    transport: asyncio.Transport

    def __init__(self, door: Door) -> None:
        self._door = door
        self.other: _End | None = None
        self.gone = False
        self.ended = False
        """Whether its peer says no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.transport.set_write_buffer_limits(high=self._door.limits.buffered_bytes)

    def data_received(self, data: bytes) -> None:
        self._door.moved += len(data)
        if self.other is not None:
            self.other.take(data)

    def eof_received(self) -> bool:
        """Half of it ends; the other half may go on, as an answer does after its request."""
        self.ended = True
        other = self.other
        if other is None:  # the far end is told once it is there
            return True
        if other.gone or other.ended:  # nobody speaks any more
            return False
        other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and not self.other.gone:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.gone:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self.other is not None and not self.other.gone:
            self.other.transport.close()  # after what it still has to write

    def take(self, data: bytes) -> None:
        if not self.gone:
            self.transport.write(data)


class _Near(_End):
    """The end of whoever connected: it opens the far end."""

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.moved_at = 0.0
        self._early: list[bytes] | None = []
        """What came before there was a far end; None where there will be none."""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.moved_at = asyncio.get_running_loop().time()
        passages, most = self._door.passages, self._door.limits.passages
        if len(passages) >= 2 * most:
            self.transport.abort()
            return
        full = len(passages) >= most
        passages.add(self)
        self._task = asyncio.get_running_loop().create_task(self._refuse(_full()) if full else self._open())

    async def _open(self) -> None:
        loop, limits = asyncio.get_running_loop(), self._door.limits
        try:
            async with asyncio.timeout(limits.connect_seconds):
                await loop.create_unix_connection(lambda: _Far(self._door, self), self._door.socket)
        except (OSError, TimeoutError):
            await self._refuse(_nobody())
            return

    def joined(self, far: _Far) -> None:
        """The far end is there: it is told what came before it was."""
        self.other = far
        for data in self._early or ():
            far.take(data)
        self._early = []
        if self.ended:
            far.transport.write_eof()
        else:
            self.transport.resume_reading()

    async def _refuse(self, error: FrostbyteError) -> None:
        """Say why, and take what is still being sent, for a moment: closed before, the answer would be lost with it."""
        if self.gone or not self._door.speaks:
            self.cut()
            return
        self._early = None
        self.transport.write(_answer(error))
        with suppress(OSError, RuntimeError):
            self.transport.write_eof()
        self.transport.resume_reading()
        await asyncio.sleep(_LINGER_SECONDS)
        self.cut()

    def data_received(self, data: bytes) -> None:
        self.moved_at = asyncio.get_running_loop().time()
        if self.other is None and self._early is not None:
            # Reading cannot be paused before it has begun: a loop may begin it after `connection_made`.
            self._early.append(data)
            self.transport.pause_reading()
        super().data_received(data)

    def take(self, data: bytes) -> None:
        self.moved_at = asyncio.get_running_loop().time()
        super().take(data)

    def cut(self) -> None:
        """Both ends, at once."""
        for end in (self, self.other):
            if end is not None and not end.gone:
                end.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._door.passages.discard(self)
        if self._task is not None:
            self._task.cancel()


class _Far(_End):
    """The gateway's end."""

    def __init__(self, door: Door, near: _Near) -> None:
        super().__init__(door)
        self.other = self._near = near

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._near.gone:  # whoever connected did not wait
            self.transport.abort()
        else:
            self._near.joined(self)


def _nobody() -> FrostbyteError:
    return Unavailable(
        "gateway_unavailable",
        "The plane's gateway does not answer: it starts, is being updated, or is stopped.",
        "Try again in a moment; `docker compose ps` on the host shows how its services are.",
    )


def _full() -> FrostbyteError:
    return Unavailable("door_full", "Too many connections are open at once.", "Try again in a moment.")


def _answer(error: FrostbyteError) -> bytes:
    """A problem document, as the gateway would send one."""
    body = json.dumps(
        {
            "type": f"urn:frostbyte:error:{error.code}",
            "title": error.code.replace("_", " "),
            "status": 503,
            "code": error.code,
            "detail": error.message,
            "remedy": error.remedy,
            "request_id": "",
        }
    ).encode()
    return (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {_RETRY_SECONDS}\r\nConnection: close\r\n\r\n"
    ).encode() + body
