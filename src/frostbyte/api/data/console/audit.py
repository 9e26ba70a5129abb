"""The audit log as a list that people read, and what vouches for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response, StreamingResponse

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.data.console.access import page, visiting
from frostbyte.bootstrap.data import Plane
from frostbyte.console import events
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.tokens import Scope

router = APIRouter(prefix="/console/audit", include_in_schema=False)
Auditor = Annotated[Visit, visiting(Scope.AUDIT)]
AT_ONCE: Final = 50


def _day(given: str) -> date | None:
    """A day out of a form; None for none and for what is no day, which browsers do not send."""
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


@router.get("")
def log(
    request: Request,
    plane: PlaneDep,
    visit: Auditor,
    type: Annotated[str, Query(max_length=64, pattern=r"^[A-Z_]*$")] = "",
    resource: Annotated[str, Query(max_length=128, pattern=r"^[A-Za-z0-9._:/-]*$")] = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    log: Annotated[int | None, Query(ge=0, le=32_767)] = None,
) -> Response:
    """The newest events, or those that a filter names."""
    begin, end = _day(since), _day(until)
    found = plane.record.events(
        resource_id=resource.strip() or None,
        type=type or None,
        since=datetime.combine(begin, time.min, UTC) if begin else None,
        until=datetime.combine(end, time.max, UTC) if end else None,
        before=before,
        limit=AT_ONCE,
        log=log,
        newest_first=True,
    )
    view: dict[str, Any] = {
        "lines": [events.line(event) for event in found["events"]],
        "older": found["next_cursor"],
        "types": events.types(),
        "asked": {"type": type, "resource": resource, "since": since, "until": until, "log": log},
        "filtered": bool(type or resource or begin or end),
        "before": before,
    }
    return page(request, plane, visit, "data/audit.html", **view, **_vouching(plane))


def _vouching(plane: Plane) -> dict[str, Any]:
    """The logs with their keys, and the newest checkpoint of the one that grows."""
    logs = plane.record.logs(plane.signer.verifier_key)["logs"]
    newest = plane.record.checkpoint(plane.signer.verifier_key)
    return {"logs": logs, "newest": newest, "waiting_witnesses": dict(plane.sequencer.trouble)}


@router.get("/chain/{resource_id}")
def chain(request: Request, resource_id: UUID, plane: PlaneDep, visit: Auditor) -> Response:
    """Everything that happened to one thing, oldest first."""
    found = plane.record.chain(str(resource_id))["events"]
    lines = [events.line(event) for event in found]
    kind = lines[0].resource_type
    return page(request, plane, visit, "data/audit_chain.html", lines=lines, kind=kind, resource=str(resource_id))


@router.post("/export")
def export(plane: PlaneDep, visit: Auditor, log: Annotated[int | None, Form(ge=0, le=32_767)] = None) -> Response:
    """The log as a file that `frostbyte audit verify` checks anywhere."""
    blocks = plane.exporter.tar(first=0, log=log)
    opening = next(blocks)  # an error before the first byte is a page, not a broken file

    def whole() -> Any:
        yield opening
        yield from blocks

    name = f"audit-{plane.settings.tenant_id}.tar"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(whole(), media_type="application/x-tar", headers=headers)
