"""An upload as it moves on: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from frostbyte.api.data.access import READERS, PlaneDep, needs, own
from frostbyte.api.data.standing import Watching
from frostbyte.api.http.problems import responses
from frostbyte.api.http.streams import HEARTBEAT_SECONDS, LONGEST_SECONDS, EventStream, Streams
from frostbyte.bootstrap.data import Plane
from frostbyte.kernel.errors import FrostbyteError, Kind
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1", tags=["ingest"])
_POLL_SECONDS: Final = 0.3
_SHARE: Final = 5.0
"""The pause is at least so many times as long as the question took: a huge upload is looked at less often."""


@router.get("/ingest/{batch_id}/events", responses=responses(401, 403, 404, 422, 503), response_class=StreamingResponse)
async def events(
    batch_id: UUID, request: Request, plane: PlaneDep, caller: Annotated[Caller, needs(*READERS)]
) -> StreamingResponse:
    """Server-sent events: `document` whenever one moves on, `done` when all have ended.

    A stream lasts 15 minutes at most; one that ends without `done` is to be opened again. `suspended` ends it at once
    where the plane is told to stop, with the code and the sentence of the refusal that every route answers then.
    """
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    first = await run_in_threadpool(plane.batches.status, batch_id, own(caller))
    streams.enter()
    return EventStream(_changes(plane, batch_id, caller, first, request, streams), streams)


async def _changes(
    plane: Plane, batch_id: UUID, caller: Caller, status: dict[str, Any], request: Request, streams: Streams
) -> AsyncIterator[str]:
    told: dict[str, str] = {}
    began = spoke = time.monotonic()
    pause = _POLL_SECONDS
    with Watching(plane.gate) as stopping:
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
            if time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                spoke = time.monotonic()
                yield ": still here\n\n"
            await stopping.sleep(pause)
            if stopping.told is not None:
                yield _suspended(stopping.told)
                return
            if streams.closing.is_set() or time.monotonic() - began > LONGEST_SECONDS:
                return
            if await request.is_disconnected():
                return
            asked = time.monotonic()
            try:
                status = await run_in_threadpool(plane.batches.status, batch_id, own(caller))
            except FrostbyteError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    return  # the client asks for the status and hears why
            pause = max(_POLL_SECONDS, _SHARE * (time.monotonic() - asked))


def _suspended(why: FrostbyteError) -> str:
    said = {"code": why.code, "message": why.message, "remedy": why.remedy}
    return f"event: suspended\ndata: {json.dumps(said)}\n\n"
