"""A project's base, handed over by whoever made it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from frostbyte.api.control.access import ALL, ControlDep, needs
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.provisioning import handover
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["projects"])


@router.post(
    "/base",
    responses=responses(401, 403, 409, 413, 422, 429, 503)
    | {200: {"content": {"application/json": {"example": {"project_id": "eu-1", "written": 24}}}}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def adopt(request: Request, control: ControlDep, caller: Annotated[Caller, needs(ALL)]) -> dict[str, Any]:
    """Take over what `frostbyte control up` made: the project, and its edge, bastion and firewalls as its own base.

    Again it changes what has changed since. Nothing is asked of the cloud.
    """
    return await run_in_threadpool(_adopt, control, await request.body(), caller.subject)


def _adopt(control: ControlDep, body: bytes, actor: str) -> dict[str, Any]:
    base = handover.read(body)
    if base.environment != control.settings.environment:
        raise Invalid(
            "base_of_another_environment",
            "The base was made for another environment than this control plane's.",
            "Make it with the same FROSTBYTE_CONTROL_ENVIRONMENT.",
        )
    if base.project_id not in {row.project_id for row in control.projects.page(limit=1000)}:
        control.projects.create(base.project_id, actor=actor)
    written = handover.adopt(control.store.unit_of_work, control.clock, base, actor)
    return {"project_id": base.project_id, "written": written}
