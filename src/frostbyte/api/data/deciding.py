"""Decisions of people: review, erasure, configuration; and what an auditor reads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.access import limited
from frostbyte.api.http.problems import responses
from frostbyte.data_plane.lifecycle.erasure import ErasureReason
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1")
_FAILS = responses(401, 403, 404, 409, 422, 429, 503)
Reviewer = Annotated[Caller, needs(Scope.REVIEW)]
Auditor = Annotated[Caller, needs(Scope.AUDIT)]
Administrator = Annotated[Caller, needs(Scope.ADMIN)]
_LONGEST_RULES = 1 << 20
Counted = Annotated[None, limited("audit")]


class Reasoned(BaseModel):
    """Why something is decided. The codes of `data_plane.review.REASONS` are audited; other text is kept nowhere."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class Classified(Reasoned):
    """A document's class."""

    classification: str = Field(max_length=40)


class Tried(BaseModel):
    """Rules to try, and on which stored documents."""

    model_config = ConfigDict(extra="forbid")
    files: dict[str, str] = Field(min_length=1, max_length=3)
    """Contents of rule files by their names; the other files stay those in force."""
    after: UUID | None = None
    limit: int = Field(default=10, ge=1, le=50)

    @field_validator("files")
    @classmethod
    def _bounded(cls, files: dict[str, str]) -> dict[str, str]:
        if any(len(text) > _LONGEST_RULES for text in files.values()):
            raise ValueError("a rule file may have 1 MiB")
        return files


@router.post("/policy/test", tags=["admin"], responses=_FAILS)
def policy_test(body: Tried, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """What these rules would change about stored documents; nothing is stored."""
    return plane.trial.run(body.files, after=body.after, limit=body.limit, actor=caller.subject)


@router.get("/review", tags=["review"], responses=_FAILS)
def queue(plane: PlaneDep, caller: Reviewer, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
    """Passages that are withheld and documents whose class is uncertain."""
    return plane.review.queue(limit)


@router.post("/review/chunks/{chunk_id}/release", tags=["review"], responses=_FAILS)
def release(chunk_id: UUID, body: Reasoned, plane: PlaneDep, caller: Reviewer) -> dict[str, Any]:
    """Let a withheld passage be found."""
    return plane.review.release(chunk_id, actor=caller.subject, reason=body.reason)


@router.post("/review/chunks/{chunk_id}/keep", tags=["review"], responses=_FAILS)
def keep(chunk_id: UUID, body: Reasoned, plane: PlaneDep, caller: Reviewer) -> dict[str, Any]:
    """Leave a withheld passage withheld, and take it off the queue."""
    return plane.review.keep(chunk_id, actor=caller.subject, reason=body.reason)


@router.post("/review/documents/{doc_id}", tags=["review"], responses=_FAILS)
def classify(doc_id: UUID, body: Classified, plane: PlaneDep, caller: Reviewer) -> dict[str, Any]:
    """Set a document's class."""
    return plane.review.classify(doc_id, body.classification, actor=caller.subject, reason=body.reason)


@router.post("/documents/{doc_id}/retry", tags=["review"], responses=_FAILS)
def retry(doc_id: UUID, plane: PlaneDep, caller: Reviewer) -> dict[str, Any]:
    """Send a failed or quarantined document through the stages again."""
    return plane.review.retry(doc_id, actor=caller.subject)


@router.delete("/documents/{doc_id}", tags=["documents"], responses=_FAILS)
def erase(
    doc_id: UUID,
    plane: PlaneDep,
    caller: Annotated[Caller, needs(Scope.ERASE)],
    reason: ErasureReason = ErasureReason.REQUEST,
) -> dict[str, Any]:
    """Erase a document for good; the answer is the destruction receipt."""
    return plane.erasure.erase(doc_id, actor=caller.subject, reason=reason.value)


@router.get("/erasures/{erasure_id}", tags=["documents"], responses=_FAILS)
def erasure(
    erasure_id: UUID, plane: PlaneDep, caller: Annotated[Caller, needs(Scope.ERASE, Scope.AUDIT)]
) -> dict[str, Any]:
    """A destruction receipt as it stands now."""
    return plane.erasure.receipt(erasure_id)


@router.get("/index", tags=["index"], responses=_FAILS)
def index_status(plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Which model's index answers, and how far its rebuild is: done, failed, rate and time left."""
    return plane.rebuild.status()


@router.post("/index/rebuild", tags=["index"], responses=_FAILS, status_code=202)
def rebuild_index(plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Send every document through the stages again; the old passages answer meanwhile."""
    return plane.rebuild.start(actor=caller.subject)


@router.post("/index/switch", tags=["index"], responses=_FAILS)
def switch_index(plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Switch to the new index although documents failed: they are not found until they are tried again."""
    return plane.rebuild.finish(actor=caller.subject)


Log = Annotated[int | None, Query(ge=0, le=32_767, description="Number of a log; the one that grows without.")]


@router.get("/audit/logs", tags=["audit"], responses=_FAILS)
def audit_logs(plane: PlaneDep, caller: Auditor, _: Counted) -> dict[str, Any]:
    """The plane's logs, oldest first. One, unless it was restored; the last one grows, the others have ended."""
    return plane.record.logs(plane.signer.verifier_key)


@router.get("/audit/events", tags=["audit"], responses=_FAILS)
def audit_events(
    plane: PlaneDep,
    caller: Auditor,
    _: Counted,
    resource_id: Annotated[str | None, Query(max_length=128, pattern=r"^[A-Za-z0-9._:/-]+$")] = None,
    type: Annotated[str | None, Query(max_length=64, pattern=r"^[A-Z_]+$")] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    log: Log = None,
) -> dict[str, Any]:
    """Numbered events of a log in order."""
    return plane.record.events(
        resource_id=resource_id, type=type, since=since, until=until, after=cursor, limit=limit, log=log
    )


@router.get("/audit/chain/{resource_id}", tags=["audit"], responses=_FAILS)
def audit_chain(resource_id: UUID, plane: PlaneDep, caller: Auditor, _: Counted) -> dict[str, Any]:
    """A resource's events, oldest first."""
    return plane.record.chain(str(resource_id))


@router.get("/audit/checkpoints", tags=["audit"], responses=_FAILS)
def checkpoints(
    plane: PlaneDep,
    caller: Auditor,
    _: Counted,
    cursor: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    log: Log = None,
) -> dict[str, Any]:
    """Signed checkpoints of a log by size, and the newest one."""
    return plane.record.checkpoints(after_size=cursor, limit=limit, log=log) | plane.record.newest(
        plane.signer.verifier_key, log
    )


@router.get("/audit/proof/{event_id}", tags=["audit"], responses=_FAILS)
def audit_proof(event_id: UUID, plane: PlaneDep, caller: Auditor, _: Counted) -> dict[str, Any]:
    """Why an event is in the log; waits for the checkpoint."""
    return plane.record.proof(event_id)


@router.get("/audit/consistency", tags=["audit"], responses=_FAILS)
def consistency(
    plane: PlaneDep,
    caller: Annotated[Caller, needs(Scope.AUDIT, Scope.QUERY)],
    _: Counted,
    old_size: Annotated[int, Query(ge=0, le=2**53)],
    new_size: Annotated[int, Query(ge=0, le=2**53)],
    log: Log = None,
) -> dict[str, Any]:
    """Why a larger log begins with a smaller one: hashes alone, for whoever compares the checkpoints of proofs."""
    return plane.record.consistency(old_size, new_size, log)


class Range(BaseModel):
    """What to export."""

    model_config = ConfigDict(extra="forbid")
    first: int = Field(default=0, ge=0, le=2**53)
    log: int | None = Field(default=None, ge=0, le=32_767)


@router.post("/audit/export", tags=["audit"], responses=_FAILS, response_class=StreamingResponse)
def audit_export(plane: PlaneDep, caller: Auditor, _: Counted, body: Range = Range()) -> StreamingResponse:
    """The log as a tar archive that `frostbyte audit verify` checks."""
    blocks = plane.exporter.tar(first=body.first, log=body.log)
    opening = next(blocks)  # errors before the first byte are answers, not broken downloads

    def whole() -> Any:
        yield opening
        yield from blocks

    return StreamingResponse(whole(), media_type="application/x-tar")


@router.get("/config", tags=["admin"], responses=_FAILS)
def config(plane: PlaneDep, caller: Administrator) -> Response:
    """The configuration in force; its version is the ETag."""
    shown = plane.configuration.show()
    return JSONResponse(shown, headers={"ETag": f'"{shown["version"]}"'})


@router.put("/config", tags=["admin"], responses=_FAILS)
def change_config(
    values: dict[str, Any],
    plane: PlaneDep,
    caller: Administrator,
    if_match: Annotated[str, Header(max_length=20)] = "",
) -> Response:
    """Change settings: a new version. If-Match names the version that was read."""
    version = if_match.strip('"')
    if not version.isascii() or not version.isdigit():
        raise Invalid("if_match_missing", "A change names the version it starts from.", "Send If-Match with the ETag.")
    shown = plane.configuration.change(values, expected=int(version), actor=caller.subject)
    return JSONResponse(shown, headers={"ETag": f'"{shown["version"]}"'})
