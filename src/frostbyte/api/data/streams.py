"""An upload as it moves on: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from threading import Event
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from frostbyte.api.data.access import READERS, PlaneDep, needs, own
from frostbyte.api.data.problems import responses
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.errors import FrostbyteError, Kind, Unavailable
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1", tags=["ingest"])
MOST: Final = 64
"""Streams at once: each asks the database again and again."""
_POLL_SECONDS: Final = 0.3
_SHARE: Final = 5.0
"""The pause is at least so many times as long as the question took: a huge upload is looked at less often."""
_HEARTBEAT_SECONDS: Final = 15.0
"""Below the idle limits of common proxies (30 to 60 s)."""
_LONGEST_SECONDS: Final = 900.0
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
            raise Unavailable(
                "streams_busy", "Too many uploads are being watched at once.", "Ask for the upload's status instead."
            )
        self.count += 1

    def leave(self) -> None:
        """Give the place back."""
        self.count -= 1


@router.get("/ingest/{batch_id}/events", responses=responses(401, 403, 404, 422, 503), response_class=StreamingResponse)
async def events(
    batch_id: UUID, request: Request, plane: PlaneDep, caller: Annotated[Caller, needs(*READERS)]
) -> StreamingResponse:
    """Server-sent events: `document` whenever one moves on, `done` when all have ended.

    A stream lasts 15 minutes at most; one that ends without `done` is to be opened again.
    """
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    first = await run_in_threadpool(plane.batches.status, batch_id, own(caller))
    streams.enter()
    return _Watch(
        _changes(plane, batch_id, caller, first, request, streams), media_type="text/event-stream", streams=streams
    )


class _Watch(StreamingResponse):
    """Gives its place back however it ends, also if it never began."""

    def __init__(self, content: AsyncIterator[str], *, media_type: str, streams: Streams) -> None:
        super().__init__(content, media_type=media_type)
        self._streams = streams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave()


async def _changes(
    plane: Plane, batch_id: UUID, caller: Caller, status: dict[str, Any], request: Request, streams: Streams
) -> AsyncIterator[str]:
    told: dict[str, str] = {}
    began = spoke = time.monotonic()
    pause = _POLL_SECONDS
    while True:
        for item in status["documents"]:
            data = json.dumps(item)
            if told.get(item["receipt_id"]) != data:
                told[item["receipt_id"]] = data
                spoke = time.monotonic()
                yield f"event: document\ndata: {data}\n\n"
        if status["completed_at"]:
            yield f"event: done\ndata: {json.dumps(status['counts'])}\n\n"
            return
        if time.monotonic() - spoke >= _HEARTBEAT_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(pause)
        if streams.closing.is_set() or time.monotonic() - began > _LONGEST_SECONDS or await request.is_disconnected():
            return
        asked = time.monotonic()
        try:
            status = await run_in_threadpool(plane.batches.status, batch_id, own(caller))
        except FrostbyteError as error:
            if error.kind is not Kind.UNAVAILABLE:
                return  # the client asks for the status and hears why
        pause = max(_POLL_SECONDS, _SHARE * (time.monotonic() - asked))
