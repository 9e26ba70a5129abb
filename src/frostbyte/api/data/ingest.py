"""Uploads: in, watched, reported."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from frostbyte.api.data.access import READERS, PlaneDep, needs, own
from frostbyte.api.data.multipart import Upload, boundary_of, malformed
from frostbyte.api.data.report_page import report_page
from frostbyte.api.http.access import limited
from frostbyte.api.http.pages import POLICY
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane.intake import BatchResult, FileOutcome
from frostbyte.kernel.records import Outcome
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1", tags=["ingest"])
_log = structlog.get_logger("frostbyte.api")

_UPLOAD: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "manifest": {"type": "string", "description": "JSON; must be the first part"},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            }
        },
    }
}


@router.post("/ingest", status_code=202, openapi_extra=_UPLOAD, responses=responses(401, 403, 409, 422, 429, 503))
async def ingest(
    request: Request,
    plane: PlaneDep,
    caller: Annotated[Caller, needs(Scope.INGEST)],
    _: Annotated[None, limited("ingest")],
    idempotency_key: Annotated[str, Header(max_length=1000)] = "",
    first: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    more: bool = False,
) -> Response:
    """Take files. The 202 means that what it lists as accepted is durable.

    An upload may come in parts, each a request with the same Idempotency-Key: `first` is the place in the upload of
    the first file of the part, from 0, and with `more` the upload stays open for further parts. A part whose answer
    was lost is sent again as it was.
    """
    place = first if first is not None or not more else 0
    upload = Upload(
        boundary_of(request.headers.get("content-type", "")),
        lambda manifest: plane.intake.open_batch(
            caller.subject, idempotency_key=idempotency_key, manifest=manifest, first=place
        ),
    )
    result = await taken(request, upload, more=more)
    return JSONResponse(await run_in_threadpool(_answer, plane, result), status_code=202)


async def taken(request: Request, upload: Upload, *, more: bool = False) -> BatchResult:
    """Read the request's body into the upload and close it, unless `more` is to come.

    Raises:
        Invalid: `multipart_invalid`, and what else `Upload.take` raises.
    """
    try:
        session = await upload.take(request.stream())
    except ClientDisconnect:
        await run_in_threadpool(upload.abort)
        raise malformed("it broke off") from None
    except BaseException:
        await run_in_threadpool(upload.abort)
        raise
    result = await run_in_threadpool(session.pause if more else session.close)
    _trace(result, request.state.request_id)
    return result


def _trace(result: BatchResult, request_id: str) -> None:
    """Tie what the stages will log of each document to the request that brought it."""
    ids = {"request_id": request_id, "batch_id": result.batch_id}
    for item in result.accepted:
        _log.info("document_received", doc_id=item.doc_id, receipt_id=item.receipt_id, **ids)
    for item in result.rejected:
        _log.info("document_rejected", code=item.code, receipt_id=item.receipt_id, **ids)


def _answer(plane: Plane, result: BatchResult) -> dict[str, Any]:
    with plane.store.unit_of_work(reading=True) as uow:
        latest = uow.audit.latest_checkpoint()
    root = f"/api/v1/ingest/{result.batch_id}"
    return {
        "batch_id": str(result.batch_id),
        "replayed": result.replayed,
        "accepted": [_accepted(n, item) for n, item in enumerate(result.files) if item.outcome is not Outcome.REJECTED],
        "rejected": [_rejected(n, item) for n, item in enumerate(result.files) if item.outcome is Outcome.REJECTED],
        "checkpoint": latest.note if latest else None,
        "links": {"status": root, "events": f"{root}/events", "report": f"{root}/report"},
    }


def _rejected(index: int, item: FileOutcome) -> dict[str, Any]:
    return {
        "index": index,
        "receipt_id": str(item.receipt_id),
        "file_id": item.file_id,
        "filename": item.filename,
        "code": item.code,
        "message": item.message,
        "remedy": item.remedy,
    }


def _accepted(index: int, item: FileOutcome) -> dict[str, Any]:
    return {
        "index": index,
        "receipt_id": str(item.receipt_id),
        "doc_id": str(item.doc_id),
        "file_id": item.file_id,
        "filename": item.filename,
        "outcome": item.outcome.value,
        "mime": item.mime,
        "size": item.size,
        "state": item.state.value if item.state else "received",
    }


@router.get("/ingest", responses=responses(401, 403, 422))
def uploads(
    plane: PlaneDep,
    caller: Annotated[Caller, needs(*READERS)],
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
) -> dict[str, Any]:
    """Uploads, newest first, each with its sums and the time left at the pace of the last minute."""
    return plane.lists.batches(own(caller), before=cursor, limit=limit)


@router.post("/ingest/{batch_id}/close", responses=responses(401, 403, 404, 409, 422, 503))
def close(batch_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(Scope.INGEST)]) -> dict[str, Any]:
    """Say that no more files come to an upload that came in parts or broke off; what arrived stays."""
    plane.lists.progress(batch_id, own(caller))
    plane.intake.finish(batch_id)
    return plane.lists.progress(batch_id, own(caller))


@router.get("/ingest/{batch_id}", responses=responses(401, 403, 404, 422))
def status(batch_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(*READERS)]) -> dict[str, Any]:
    """Where each file of the upload stands."""
    return plane.batches.status(batch_id, own(caller))


@router.get("/ingest/{batch_id}/report", responses=responses(401, 403, 404, 422))
def report(
    batch_id: UUID,
    plane: PlaneDep,
    caller: Annotated[Caller, needs(*READERS)],
    format: Annotated[Literal["json", "html"], Query()] = "json",
) -> Response:
    """The acceptance report: received, parsed, dropped, withheld, quarantined, indexed, and every remedy."""
    health = plane.health()
    told = plane.batches.report(batch_id, own(caller)) | {
        "mode": health["mode"],
        "stand_ins": health["stand_ins"],
        "warnings": health["warnings"],
        "embedding": health["embedding"],
    }
    if format == "html":
        return HTMLResponse(
            report_page(told),
            headers={"Content-Security-Policy": POLICY},
        )
    return JSONResponse(told)


@router.get("/receipts/{receipt_id}", responses=responses(401, 403, 404, 422))
def receipt(receipt_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(*READERS)]) -> dict[str, Any]:
    """One receipt, with the newest checkpoint."""
    return plane.batches.receipt(receipt_id, own(caller))
