"""Projects: what tenants are grouped by. One is made and stays."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import ALL, READ, ControlDep, Name, needs
from frostbyte.api.control.conditions import IdempotencyKey, asked_once
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["projects"])


class NewProject(BaseModel):
    """A project to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"project_id": "eu-1"}})
    project_id: Name


@router.post(
    "/projects",
    status_code=201,
    responses=responses(401, 403, 409, 422, 429, 503) | examples.answer(examples.PROJECT, 201),
)
async def create(
    request: Request,
    body: NewProject,
    control: ControlDep,
    caller: Annotated[Caller, needs(ALL)],
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Make a project. It belongs to this control plane's environment, and stays."""
    once = await asked_once(request, caller, idempotency_key)
    row = await run_in_threadpool(control.projects.create, body.project_id, actor=caller.subject, once=once)
    return shown.project(row)


@router.get("/projects", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.PROJECTS))
def page(
    control: ControlDep,
    caller: Annotated[Caller, needs(READ)],
    cursor: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Projects by name; `cursor` of the answer is where the next page begins."""
    rows = control.projects.page(after=cursor, limit=limit + 1)
    return {
        "projects": [shown.project(row) for row in rows[:limit]],
        "cursor": rows[limit - 1].project_id if len(rows) > limit else None,
    }
