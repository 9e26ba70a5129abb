"""What was begun and takes time: how far it is, and every step as it happens."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from frostbyte.api.control import examples, shown, trees
from frostbyte.api.control.access import READ, ControlDep, TenantId, needs
from frostbyte.api.http.problems import responses
from frostbyte.api.http.streams import HEARTBEAT_SECONDS, LONGEST_SECONDS, EventStream, Streams
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.records import OperationRow, OperationStatus, StepRow
from frostbyte.kernel.errors import FrostbyteError, Kind
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["operations"])
_FAILS = responses(401, 403, 404, 422, 429, 503)
Reader = Annotated[Caller, needs(READ)]
_POLL_SECONDS: Final = 0.2
"""An operation of a plane that answers takes less than a second: who watches sees it step by step."""
_IDLE_POLL_SECONDS: Final = 1.0
_IDLE_AFTER_SECONDS: Final = 10.0
"""Since the last step. What has waited for so long, for a plane that is away, is looked at less often."""
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"example": examples.STREAM}}, "description": "Steps"}
}


@router.get("/operations", responses=_FAILS | examples.answer(examples.OPERATIONS))
def page(
    control: ControlDep,
    caller: Reader,
    tenant_id: TenantId | None = None,
    running: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Operations, newest first; `cursor` of the answer is where the next page begins."""
    with control.store.unit_of_work() as uow:
        if running:
            rows = list(reversed(uow.operations.running(tenant_id)))
            rows = [row for row in rows if cursor is None or row.operation_id < cursor][: limit + 1]
        else:
            rows = uow.operations.page(tenant_id=tenant_id, before=cursor, limit=limit + 1)
    return {
        "operations": [shown.operation(row) for row in rows[:limit]],
        "cursor": str(rows[limit - 1].operation_id) if len(rows) > limit else None,
    }


@router.get("/operations/{operation_id}", responses=_FAILS | examples.answer(examples.OPERATION))
def show(operation_id: UUID, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """One operation with its steps."""
    row, steps = _read(control, operation_id)
    return shown.operation(row, steps)


@router.get("/operations/{operation_id}/tree", responses=_FAILS | examples.answer(trees.EXAMPLE))
def grown(operation_id: UUID, control: ControlDep, caller: Reader) -> dict[str, Any]:
    """The same as a tree: what it has done, does and will do, by host, and of each thing what became of it.

    `edge_seconds`: of a suspension, after how long the edge refused the tenant's requests; of a resumption, after how
    long it let them through. `plane_seconds`: after how long the tenant's plane had acknowledged it.
    """
    return trees.tree(control.watching.tree(operation_id))


@router.get("/operations/{operation_id}/events", responses=_FAILS | _EVENTS, response_class=StreamingResponse)
async def events(
    operation_id: UUID,
    request: Request,
    control: ControlDep,
    caller: Reader,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> EventStream:
    """Server-sent events: a `step` for each step, then `done` with the operation when it has ended.

    The id of an event is the step's number: with `Last-Event-ID` a stream goes on where another broke off. It lasts 15
    minutes at most; one that ends without `done` is to be opened again.
    """
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    after = int(last_event_id) if re.fullmatch(r"[0-9]{1,9}", last_event_id) else 0
    first = await run_in_threadpool(_read, control, operation_id, after)
    streams.enter()
    return EventStream(_steps(control, first, after, request, streams), streams)


async def _steps(
    control: ControlPlane, first: tuple[OperationRow, list[StepRow]], after: int, request: Request, streams: Streams
) -> AsyncIterator[str]:
    row, steps = first
    began = spoke = stepped = time.monotonic()
    while True:
        for each in steps:
            after = each.number
            spoke = stepped = time.monotonic()
            yield f"id: {after}\nevent: step\ndata: {json.dumps(shown.step(each))}\n\n"
        if row.status is not OperationStatus.RUNNING:
            yield f"event: done\ndata: {json.dumps(shown.operation(row))}\n\n"
            return
        now = time.monotonic()
        if now - spoke >= HEARTBEAT_SECONDS:
            spoke = now
            yield ": still here\n\n"
        await asyncio.sleep(_POLL_SECONDS if now - stepped < _IDLE_AFTER_SECONDS else _IDLE_POLL_SECONDS)
        if streams.closing.is_set() or time.monotonic() - began > LONGEST_SECONDS or await request.is_disconnected():
            return
        try:
            row, steps = await run_in_threadpool(_read, control, row.operation_id, after)
        except FrostbyteError as error:
            steps = []
            if error.kind is not Kind.UNAVAILABLE:
                return  # the client asks for the operation and hears why


def _read(control: ControlPlane, operation_id: UUID, after: int = 0) -> tuple[OperationRow, list[StepRow]]:
    """The operation and its steps after a number. It is read first: of one that has ended, no step is missed."""
    row = control.operations.show(operation_id)
    return row, control.operations.steps(operation_id, after=after)
