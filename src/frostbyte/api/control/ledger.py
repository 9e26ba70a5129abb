"""The ledger: every plane's audit as it was verified, what was found wrong, and exports out of it and into it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import CHANGE, LEDGER, READ, ControlDep, TenantId, needs
from frostbyte.api.control.conditions import IdempotencyKey
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.bootstrap.ledger import Ledger, lag
from frostbyte.control_plane.ledger.follow import Standing
from frostbyte.control_plane.ledger.importing import MAX_UNPACKED, Imported, unpacked
from frostbyte.control_plane.ledger.ports import Query as Sought
from frostbyte.control_plane.ledger.records import Alert
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind, NotFound, Unavailable
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/audit", tags=["audit"])
UPLOAD: Final = f"{router.prefix}/import"
"""The route whose body may be long."""
_FAILS = responses(401, 403, 404, 409, 413, 422, 429, 503)
Reader = Annotated[Caller, needs(READ)]
Auditor = Annotated[Caller, needs(LEDGER)]
Operator = Annotated[Caller, needs(CHANGE)]
AlertId = Annotated[UUID, InPath(examples=["01990000-0000-7000-8000-0000000000e1"])]
LogKey = Annotated[str, Query(max_length=400, description="The log's verifier key.")]
_MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"
Moment = Annotated[str | None, Query(pattern=_MOMENT, examples=["2026-03-02T09:00:00Z"])]
_TAR: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/x-tar": {"example": "the archive"}}, "description": "The archive"}
}


class Acknowledged(BaseModel):
    """Why an alert is looked upon as dealt with."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["looked_into"])


def ledger_of(control: ControlPlane) -> Ledger:
    """What keeps every plane's audit. Raises Unavailable("ledger_absent")."""
    if control.ledger is None:
        raise Unavailable("ledger_absent", "This control plane keeps no ledger.", "Start it with one.")
    return control.ledger


@router.get("/logs", responses=_FAILS | examples.answer(examples.LOGS))
def logs(
    control: ControlDep,
    caller: Reader,
    cursor: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """How far each plane's log is verified, by tenant, and the key with which the ledger cosigns."""
    ledger, now = ledger_of(control), control.clock.now()
    rows = [item for item in ledger.follower.standings() if item.plane.tenant_id > cursor]
    return {
        "witness_key": ledger.witness_key,
        "trouble": ledger.follower.trouble or None,
        "logs": [_log(item, now) for item in rows[:limit]],
        "cursor": rows[limit - 1].plane.tenant_id if len(rows) > limit else None,
    }


def _log(item: Standing, now: datetime) -> dict[str, Any]:
    behind = lag(item, now)
    return {
        "tenant_id": item.plane.tenant_id,
        "log_key": item.plane.log_key,
        "size": item.size,
        "plane_size": item.row.plane_size,
        "lag_seconds": None if behind.seconds is None else round(behind.seconds, 3),
        "heard_at": iso(item.row.heard_at) if item.row.heard_at else None,
        "finding": item.finding.value if item.finding else None,
        "code": item.row.code or None,
    }


@router.get("/events", responses=_FAILS | examples.answer(examples.LEDGER_EVENTS))
def events(
    control: ControlDep,
    caller: Auditor,
    tenant_id: TenantId | None = None,
    resource_id: Annotated[
        str | None, Query(pattern=r"^[!-~]{1,160}$", description="A document's id, or another's.")
    ] = None,
    type: Annotated[str | None, Query(pattern=r"^[A-Z][A-Z0-9_]{0,63}$", examples=["DOCUMENT_ERASED"])] = None,
    since: Moment = None,
    until: Moment = None,
    cursor: Annotated[str, Query(pattern=r"^([0-9]{1,9}\.[0-9]{1,18})?$")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Verified events, log by log, by their numbers; `cursor` of the answer is where the next page begins."""
    log_id, _, sequence = cursor.partition(".")
    with ledger_of(control).store.unit_of_work() as uow:
        names = {row.log_id: row.tenant_id for row in uow.logs(tenant_id)}
        sought = Sought(
            log_ids=tuple(names) if tenant_id else (),
            resource_id=resource_id,
            type=type,
            since=_moment(since),
            until=_moment(until),
        )
        after = (int(log_id), int(sequence)) if cursor else (-1, -1)
        rows = uow.events(sought, after=after, limit=limit + 1) if names else []
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "events": [
            {"log": row.log_id, "sequence": row.entry.sequence, "event": json.loads(row.entry.event)}
            for row in rows[:limit]
        ],
        "cursor": f"{last.log_id}.{last.entry.sequence}" if last else None,
    }


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("time_invalid", "There is no such time.", "Give it like 2026-03-02T09:00:00Z.") from error


@router.get("/alerts", responses=_FAILS | examples.answer(examples.LEDGER_ALERTS))
def alerts(
    control: ControlDep,
    caller: Reader,
    tenant_id: TenantId | None = None,
    open: Annotated[bool, Query(description="Only those that nobody has acknowledged.")] = False,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """What was found wrong with planes' logs, the newest first."""
    with ledger_of(control).store.unit_of_work() as uow:
        rows = uow.alerts(tenant_id=tenant_id, open_only=open, after=cursor, limit=limit + 1)
    return {
        "alerts": [_alert(row) for row in rows[:limit]],
        "cursor": str(rows[limit - 1].row.alert_id) if len(rows) > limit else None,
    }


@router.get("/alerts/{alert_id}", responses=_FAILS | examples.answer(examples.LEDGER_ALERT))
def alert(alert_id: AlertId, control: ControlDep, caller: Auditor) -> dict[str, Any]:
    """One alert with what shows it: signed notes, then the bytes around the spot."""
    one = found(control, alert_id)
    return _alert(one) | {"evidence": one.row.evidence.decode(errors="backslashreplace")}


@router.post("/alerts/{alert_id}/acknowledge", responses=_FAILS | examples.answer(examples.ACKNOWLEDGED))
def acknowledge(
    alert_id: AlertId, body: Acknowledged, control: ControlDep, caller: Operator, idempotency_key: IdempotencyKey = ""
) -> dict[str, Any]:
    """Take notice: the log is tried again from where it stopped. The same acknowledgement twice is one."""
    return _alert(acknowledged(control, alert_id, caller.subject, body.reason))


def acknowledged(control: ControlPlane, alert_id: UUID, actor: str, reason: str) -> Alert:
    """End an alert and try its log again; the same twice is once.

    Raises:
        NotFound: `alert_not_found`.
        Conflict: `alert_ended`: by somebody else, or for another reason.
    """
    ledger = ledger_of(control)
    try:
        ended = ledger.keeping.end(alert_id, actor, reason)
    except Conflict:
        ended = found(control, alert_id)
        said = ended.ending
        if said is None or (said.actor, said.reason) != (actor, reason):
            raise
    ledger.follower.retry(ended.row.tenant_id)
    return ended


def found(control: ControlPlane, alert_id: UUID) -> Alert:
    """The alert. Raises NotFound("alert_not_found")."""
    with ledger_of(control).store.unit_of_work() as uow:
        alert = uow.alert(alert_id)
    if alert is None:
        raise NotFound("alert_not_found", "There is no such alert.", "List them: `frostbyte ledger alerts`.")
    return alert


def _alert(item: Alert) -> dict[str, Any]:
    row, ending = item.row, item.ending
    return {
        "alert_id": str(row.alert_id),
        "tenant_id": row.tenant_id,
        "finding": row.finding.value,
        "stops": row.finding.stops and ending is None,
        "size": row.size,
        "position": row.position,
        "message": row.message,
        "raised_at": iso(row.raised_at),
        "ended_at": iso(ending.ended_at) if ending else None,
        "ended_by": ending.actor if ending else None,
        "reason": ending.reason if ending else None,
    }


@router.get("/export", responses=_FAILS | _TAR, response_class=StreamingResponse)
def export(
    control: ControlDep,
    caller: Auditor,
    tenant_id: TenantId,
    log_key: LogKey | None = None,
    first: Annotated[int, Query(ge=0, le=2**53, description="Number of the first event.")] = 0,
) -> StreamingResponse:
    """A tenant's log as a tar archive that `frostbyte audit verify` checks, the ledger's cosignature in it."""
    blocks = ledger_of(control).exporter.tar(tenant_id, log_key=log_key, first=first)
    opening = next(blocks)  # errors before the first byte are answers, not broken downloads

    def whole() -> Iterator[bytes]:
        yield opening
        yield from blocks

    return StreamingResponse(whole(), media_type="application/x-tar")


@router.post("/import", responses=_FAILS | examples.answer(examples.IMPORTED))
async def take(
    request: Request,
    control: ControlDep,
    caller: Operator,
    tenant_id: TenantId,
    log_key: LogKey,
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Take in an offline plane's export: the body is its tar archive. Verified like a pull; the same twice is once.

    `finding` names what does not hold; from there on nothing was taken, and an alert keeps the evidence.
    """
    ledger = ledger_of(control)
    await run_in_threadpool(ledger.known, tenant_id)
    with tempfile.TemporaryDirectory(prefix="import-", dir=control.settings.data_dir) as name:
        archive = Path(name) / "export.tar"
        await _receive(request, archive)
        taken = await run_in_threadpool(_take, ledger, archive, tenant_id, log_key, caller.subject)
    return {
        "identical": taken.identical,
        "added": taken.added,
        "size": taken.size,
        "finding": taken.finding.value if taken.finding else None,
    }


def _take(ledger: Ledger, archive: Path, tenant_id: str, log_key: str, actor: str) -> Imported:
    with unpacked(archive) as folder:
        return ledger.importer.take(folder, tenant_id, log_key, actor)


async def _receive(request: Request, archive: Path) -> None:
    """Write the body to a file."""
    length = request.headers.get("content-length", "")
    if not re.fullmatch("[0-9]{1,12}", length, re.ASCII) or int(length) > MAX_UNPACKED:
        raise FrostbyteError(
            "export_too_large", "The archive is too large.", "Export it in parts: --first.", kind=Kind.TOO_LARGE
        )
    if os.statvfs(archive.parent).f_bavail * os.statvfs(archive.parent).f_frsize < 3 * int(length):
        raise Unavailable("disk_full", "The disk has no room for this.", "Free or add disk space; work resumes then.")
    with archive.open("wb") as file:
        async for block in request.stream():
            await run_in_threadpool(file.write, block)
