"""The Model Context Protocol over a program's own input and output: a message a line."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, Final

import msgspec

from frostbyte.api.mcp.protocol import INVALID_REQUEST, PARSE_ERROR, Refused, Reply, Service, error

LONGEST: Final = 1 << 20
"""Bytes of a line at most."""
_AT_ONCE: Final = 4
"""Requests that are carried out at the same time; one that waits for a checkpoint does not keep up a ping."""


class Stdio:
    """Reads messages until the client closes its end, and writes the replies as they are ready.

    Args:
        service: answers.
        token: of whoever started the program.
        source: where messages come from.
        sink: where replies go to, and nothing else.
    """

    def __init__(self, service: Service, token: str, source: BinaryIO, sink: BinaryIO) -> None:
        self._service = service
        self._token = token
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._open: dict[str | int, threading.Event] = {}
        """Requests under way, with whether the client still waits."""

    def run(self) -> None:
        """Serve until the input ends; what is under way is answered first."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mcp") as pool:
            while line := self._source.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    self._skip(line)
                    self._write(error(None, Refused(INVALID_REQUEST, f"A message has at most {LONGEST} bytes.")))
                elif line.strip():
                    self._take(line, pool)

    def _skip(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._source.readline(LONGEST)

    def _take(self, line: bytes, pool: ThreadPoolExecutor) -> None:
        try:
            message = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._write(error(None, Refused(PARSE_ERROR, "The message is not JSON.")))
            return
        if isinstance(message, dict) and message.get("method") == "notifications/cancelled":
            self._cancel(message.get("params"))
            return
        id, cancelled = message.get("id") if isinstance(message, dict) else None, threading.Event()
        if isinstance(id, str | int):
            self._open[id] = cancelled
        pool.submit(self._answer, message, id, cancelled)

    def _cancel(self, params: Any) -> None:
        id = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(id, str | int) and (found := self._open.get(id)) is not None:
            found.set()

    def _answer(self, message: Any, id: Any, cancelled: threading.Event) -> None:
        reply = self._service.answer(message, self._token)
        if isinstance(id, str | int) and self._open.get(id) is cancelled:
            self._open.pop(id, None)
        if not cancelled.is_set():
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        if reply.message is None:
            return
        line = msgspec.json.encode(reply.message) + b"\n"  # has no line end inside: JSON escapes it
        # A client that is gone closes the input as well, and that ends this.
        with self._writing, suppress(OSError, ValueError):
            self._sink.write(line)
            self._sink.flush()
