"""How long documents stay: legal holds, and what retention would erase and erased."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.problems import responses
from frostbyte.data_plane.lifecycle.holds import MOST, Reason, ReleaseReason
from frostbyte.kernel.clock import iso
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1", tags=["keeping"], responses=responses(401, 403, 404, 409, 422, 503))
Administrator = Annotated[Caller, needs(Scope.ADMIN)]
Looking = Annotated[Caller, needs(Scope.ADMIN, Scope.AUDIT)]
Limit = Annotated[int, Query(ge=1, le=1000)]


class HoldRequest(BaseModel):
    """What is to be held, and for which matter."""

    model_config = ConfigDict(extra="forbid")
    matter: str = Field(
        max_length=64, description="A reference with a digit in it; never a name", examples=["2026-0147"]
    )
    reason: Reason
    doc_ids: list[UUID] = Field(default=[], max_length=MOST)
    everything: bool = Field(default=False, description="All that the plane has and takes in, instead of documents")


class Today(BaseModel):
    """Which day it is, as a person knows it."""

    model_config = ConfigDict(extra="forbid")
    today: date


@router.post("/holds", status_code=201)
def place_hold(body: HoldRequest, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Let nobody erase these documents, nor retention, until the hold is released."""
    return plane.holds.place(
        body.matter, body.reason, doc_ids=body.doc_ids, everything=body.everything, actor=caller.subject
    )


@router.get("/holds")
def list_holds(
    plane: PlaneDep,
    caller: Looking,
    released: bool = False,
    doc_id: UUID | None = None,
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Holds that are in force, or all of them; of one document, or of all."""
    return plane.holds.page(released=released, doc_id=doc_id, after=cursor, limit=limit)


@router.get("/holds/{hold_id}")
def show_hold(hold_id: UUID, plane: PlaneDep, caller: Looking) -> dict[str, Any]:
    """One hold, with the documents that it covers."""
    return plane.holds.show(hold_id)


@router.delete("/holds/{hold_id}")
def release_hold(hold_id: UUID, reason: ReleaseReason, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Release a hold for good; every other one goes on holding."""
    return plane.holds.release(hold_id, reason, actor=caller.subject)


@router.get("/retention/plan")
def retention_plan(
    plane: PlaneDep,
    caller: Looking,
    days: Annotated[int | None, Query(ge=1, le=36_500)] = None,
    ahead: Annotated[int, Query(ge=0, le=36_500)] = 0,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What retention would erase now, so many days later, or with another setting; nothing is changed."""
    return plane.retention.plan(days=days, ahead=ahead, limit=limit)


@router.get("/retention/runs")
def retention_runs(plane: PlaneDep, caller: Looking, cursor: UUID | None = None, limit: Limit = 100) -> dict[str, Any]:
    """Runs of retention, newest first: what they erased, what holds kept and what was left."""
    return plane.retention.runs(before=cursor, limit=limit)


@router.get("/retention/runs/{run_id}")
def retention_run(
    run_id: UUID, plane: PlaneDep, caller: Looking, cursor: UUID | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """A run with its erasures, each of which has a destruction receipt."""
    return plane.retention.run(run_id, after=cursor, limit=limit)


@router.post("/retention/clock")
def confirm_clock(body: Today, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Say that the plane's clock is right, where it is doubted: documents expire by it again."""
    return {"believed_at": iso(plane.retention.time.confirm(body.today, actor=caller.subject))}
