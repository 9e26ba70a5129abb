"""An HTTP proxy that knows one word, CONNECT, and leads to what its list names.

It looks the name up itself, and connects to the address it has looked at: whoever asks cannot make it reach anything
else. What goes through is not looked at, and nothing of it, no name and no address either, is logged.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from frostbyte.api.egress.ways import Way, Ways, outside, read, unreachable
from frostbyte.kernel.errors import Forbidden, FrostbyteError, Invalid, Kind, Unavailable
from frostbyte.kernel.networks import NOWHERE

_CHUNK: Final = 64 << 10
_LINGER_SECONDS: Final = 1.0
_LINGER_CHUNKS: Final = 16
_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,512}) HTTP/1\.[01]\r\n")
_FIELD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}:[\t -~\x80-\xff]{0,8192}\r\n")
_STATUS: Final = {
    Kind.INVALID: "400 Bad Request",
    Kind.FORBIDDEN: "403 Forbidden",
    Kind.NOT_FOUND: "404 Not Found",
    Kind.UNAVAILABLE: "503 Service Unavailable",
    Kind.INTERNAL: "500 Internal Server Error",
}
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IPv4 addresses of a name. Raises OSError."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one proxy takes.

    Attributes:
        tunnels: at once.
        head_bytes: of a request with its header.
        head_seconds: until all of that is there.
        connect_seconds: for looking up, and for each of at most three addresses.
        idle_seconds: in which nothing moved in either direction.
    """

    tunnels: int = 256
    head_bytes: int = 8 << 10
    head_seconds: float = 10.0
    connect_seconds: float = 5.0
    idle_seconds: float = 300.0


class Proxy:
    """Handles connections; `served` is given to `asyncio.start_server`.

    Args:
        nowhere: networks that no name may lead to; others for tests alone.
    """

    def __init__(
        self,
        ways: Ways,
        *,
        resolve: Resolve | None = None,
        limits: Limits | None = None,
        nowhere: Sequence[str] = NOWHERE,
    ) -> None:
        self._ways = ways
        self._resolve = resolve or looked_up
        self._limits = limits or Limits()
        self._nowhere = nowhere
        self._connections = 0
        self._log = structlog.get_logger("frostbyte.egress")
        self.open = 0
        """Tunnels now."""
        self.ended: Counter[str] = Counter()
        """Requests by what came of them: `done`, or an error's code."""
        self.moved = 0
        """Bytes, in both directions."""

    async def served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its request to its end."""
        self._connections += 1
        try:
            await self._answered(reader, writer)
        except FrostbyteError as error:
            self.ended[error.code] += 1
            self._log.warning("egress_refused", code=error.code)
            await _said(writer, _STATUS.get(error.kind, _STATUS[Kind.INTERNAL]), _json(error))
            await _heard_out(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.ended["egress_cut"] += 1
        finally:
            self._connections -= 1
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections > self._limits.tunnels:
            raise Unavailable("egress_full", "Too many connections go out at once.", "Try again in a moment.")
        method, target = await self._request(reader)
        if method == "GET" and target in ("/health", "/metrics"):
            await _said(writer, "200 OK", *self._told(target))
            return
        way = self._wanted(method, target)
        far = await self._connected(*way)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self._tunnel((reader, writer), far)
        finally:
            far[1].close()

    async def _request(self, reader: asyncio.StreamReader) -> tuple[str, str]:
        """Method and target. Of the header it is only seen that it is one."""
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.LimitOverrunError, TimeoutError):
            raise _no_request() from None
        first, *fields = head[:-2].splitlines(keepends=True)
        match = _REQUEST.fullmatch(first)
        if match is None or len(head) > self._limits.head_bytes or not all(map(_FIELD.fullmatch, fields)):
            raise _no_request()
        return match[1].decode(), match[2].decode()

    def _wanted(self, method: str, target: str) -> Way:
        if method != "CONNECT":
            raise Invalid(
                "egress_no_connect",
                "This proxy opens tunnels (CONNECT) and does nothing else.",
                "Use it for https alone.",
            )
        way = read(target.lower())
        if way is None or way not in self._ways.current():
            raise Forbidden(
                "egress_not_allowed",
                "The list of ways out does not name this host and port.",
                "Name it in the tenant's configuration if it is to be reached.",
            )
        return way

    async def _connected(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                found = await self._resolve(host, port)
        except (OSError, TimeoutError):
            raise unreachable("cannot be looked up") from None
        for address in outside(found, self._nowhere)[:3]:
            try:
                async with asyncio.timeout(self._limits.connect_seconds):
                    return await asyncio.open_connection(address, port, limit=_CHUNK)
            except (OSError, TimeoutError):
                continue
        raise unreachable("does not answer")

    async def _tunnel(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        begun, before, loop = time.monotonic(), self.moved, asyncio.get_running_loop()
        self.open += 1
        try:
            async with asyncio.timeout(self._limits.idle_seconds) as idle, asyncio.TaskGroup() as both:

                async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    while data := await reader.read(_CHUNK):
                        idle.reschedule(loop.time() + self._limits.idle_seconds)
                        writer.write(data)
                        await writer.drain()
                        self.moved += len(data)
                    writer.write_eof()

                both.create_task(copy(near[0], far[1]))
                both.create_task(copy(far[0], near[1]))
            self.ended["done"] += 1
        except* (OSError, TimeoutError):
            self.ended["egress_cut"] += 1
        finally:
            self.open -= 1
            self._log.info(
                "egress_ended", size=self.moved - before, duration_ms=round((time.monotonic() - begun) * 1000)
            )

    def _told(self, target: str) -> tuple[str, str]:
        if target == "/health":
            return json.dumps({"status": "ok", "ways": len(self._ways.current())}), "application/json"
        lines = ["# TYPE frostbyte_egress_requests_total counter"]
        lines += [f'frostbyte_egress_requests_total{{result="{k}"}} {n}' for k, n in sorted(self.ended.items())]
        lines += ["# TYPE frostbyte_egress_tunnels gauge", f"frostbyte_egress_tunnels {self.open}"]
        lines += [
            "# TYPE frostbyte_egress_moved_bytes_total counter",
            f"frostbyte_egress_moved_bytes_total {self.moved}",
        ]
        return "\n".join(lines) + "\n", "text/plain; version=0.0.4"


async def looked_up(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


async def _said(writer: asyncio.StreamWriter, status: str, text: str, kind: str = "application/json") -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    try:
        writer.write(head.encode() + body)
        writer.write_eof()
        await writer.drain()
    except OSError:  # nobody listens any more
        return


async def _heard_out(reader: asyncio.StreamReader) -> None:
    """Take what is still being sent, for a moment: closed before, the answer would be lost with the connection."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            for _ in range(_LINGER_CHUNKS):
                if not await reader.read(_CHUNK):
                    return


def _json(error: FrostbyteError) -> str:
    return json.dumps({"code": error.code, "title": error.message, "remedy": error.remedy})


def _no_request() -> Invalid:
    return Invalid(
        "egress_no_request", "This is no request that a proxy could read.", "Send CONNECT host:port HTTP/1.1."
    )
