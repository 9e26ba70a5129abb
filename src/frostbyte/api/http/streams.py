"""What every stream of server-sent events needs (HTML standard, section 9.2): one of a bounded number of places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from threading import Event
from typing import Any, Final

from fastapi.responses import StreamingResponse

from frostbyte.kernel.errors import Unavailable

MOST: Final = 64
"""Streams at once: each asks the database again and again."""
HEARTBEAT_SECONDS: Final = 15.0
"""Below the idle limits of common proxies (30 to 60 s)."""
LONGEST_SECONDS: Final = 900.0
"""Then the client connects again, with a token that is looked at again."""


class Streams:
    """The open streams of an application, and whether it is about to stop."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.count = 0  # changed on the event loop alone
        self.closing = Event()

    def enter(self) -> None:
        """Take a place. Raises Unavailable("streams_busy")."""
        if self.count >= self._most or self.closing.is_set():
            raise Unavailable("streams_busy", "Too many streams are open.", "Ask for the status instead.")
        self.count += 1

    def leave(self) -> None:
        """Give the place back."""
        self.count -= 1


class EventStream(StreamingResponse):
    """A stream whose place was taken; it gives it back however it ends, also if it never began."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], streams: Streams) -> None:
        super().__init__(content, media_type=self.media_type)
        self._streams = streams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave()
