"""The work to be done, and what an operator decides about jobs that were tried in vain."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.data.deciding import Reasoned
from frostbyte.api.http.problems import responses
from frostbyte.kernel.records import Stage
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
_FAILS = responses(401, 403, 404, 409, 422, 429, 503)
Administrator = Annotated[Caller, needs(Scope.ADMIN)]


@router.get("", responses=_FAILS)
def page(
    plane: PlaneDep,
    caller: Administrator,
    dead: bool | None = None,
    stage: Stage | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Jobs that are open or were tried in vain, oldest first."""
    return plane.jobs.page(dead=dead, stage=stage, after=cursor, limit=limit)


@router.get("/{job_id}", responses=_FAILS)
def show(job_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """One job."""
    return plane.jobs.show(job_id)


@router.post("/{job_id}/retry", responses=_FAILS)
def retry(job_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Send a dead letter's document through the stages again, or begin at once what is put off."""
    return plane.jobs.retry(job_id, actor=caller.subject)


@router.post("/{job_id}/discard", responses=_FAILS)
def discard(job_id: UUID, body: Reasoned, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Take a dead letter away; its document stays failed."""
    return plane.jobs.discard(job_id, actor=caller.subject)
