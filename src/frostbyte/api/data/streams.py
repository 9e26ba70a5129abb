"""An upload as it moves on: server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from frostbyte.api.data.access import READERS, PlaneDep, needs, own
from frostbyte.api.data.standing import Watching
from frostbyte.api.http.problems import responses
from frostbyte.api.http.streams import HEARTBEAT_SECONDS, LONGEST_SECONDS, EventStream, Streams
from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.gate import Gate
from frostbyte.kernel.errors import FrostbyteError, Kind
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1", tags=["ingest"])
_POLL_SECONDS: Final = 0.3
_SHARE: Final = 5.0
"""The pause is at least so many times as long as the question took: a huge upload is looked at less often."""


Look = Callable[[], dict[str, Any]]
"""What is so now: `documents`, `completed_at`, `counts`, and `progress` where sums are told."""


@router.get("/ingest/{batch_id}/events", responses=responses(401, 403, 404, 422, 503), response_class=StreamingResponse)
async def events(
    batch_id: UUID,
    request: Request,
    plane: PlaneDep,
    caller: Annotated[Caller, needs(*READERS)],
    files: Annotated[int | None, Query(ge=0, le=500)] = None,
    after: Annotated[int, Query(ge=-1, le=2**31)] = -1,
) -> StreamingResponse:
    """Server-sent events: `document` whenever one moves on, `done` when all have ended.

    With `files`, for whoever shows a page of a large upload: `progress` whenever the upload's sums change, with the
    time left, and `document` only for so many files behind the position `after`.

    A stream lasts 15 minutes at most; one that ends without `done` is to be opened again. `suspended` ends it at once
    where the plane is told to stop, with the code and the sentence of the refusal that every route answers then.
    """
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    look = _whole(plane, batch_id, caller) if files is None else _part(plane, batch_id, caller, after, files)
    first = await run_in_threadpool(look)
    streams.enter()
    return EventStream(_changes(plane.gate, look, first, request, streams), streams)


def _whole(plane: Plane, batch_id: UUID, caller: Caller) -> Look:
    return lambda: plane.batches.status(batch_id, own(caller))


def _part(plane: Plane, batch_id: UUID, caller: Caller, after: int, files: int) -> Look:
    def look() -> dict[str, Any]:
        sums = plane.lists.progress(batch_id, own(caller))
        shown = plane.lists.files(batch_id, own(caller), after=after, limit=files)["files"] if files else []
        return {
            "documents": shown,
            "progress": sums,
            "completed_at": sums["completed_at"],
            "counts": sums["states"],
        }

    return look


async def _changes(
    gate: Gate, look: Look, status: dict[str, Any], request: Request, streams: Streams
) -> AsyncIterator[str]:
    told: dict[str, str] = {}
    began = spoke = time.monotonic()
    pause = _POLL_SECONDS
    with Watching(gate) as stopping:
        while True:
            for block in _said(status, told):
                spoke = time.monotonic()
                yield block
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
                status = await run_in_threadpool(look)
            except FrostbyteError as error:
                if error.kind is not Kind.UNAVAILABLE:
                    return  # the client asks for the status and hears why
            pause = max(_POLL_SECONDS, _SHARE * (time.monotonic() - asked))


def _said(status: dict[str, Any], told: dict[str, str]) -> Iterator[str]:
    """Events for what changed since it was told, which is noted."""
    parts = [("document", item["receipt_id"], item) for item in status["documents"]]
    if "progress" in status:
        parts.append(("progress", "", status["progress"]))
    for name, key, value in parts:
        data = json.dumps(value)
        if told.get(key) != data:
            told[key] = data
            yield f"event: {name}\ndata: {data}\n\n"


def _suspended(why: FrostbyteError) -> str:
    said = {"code": why.code, "message": why.message, "remedy": why.remedy}
    return f"event: suspended\ndata: {json.dumps(said)}\n\n"
