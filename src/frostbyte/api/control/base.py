"""A project's base, handed over by whoever made it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import ALL, ControlDep, needs
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.provisioning import handover
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller


class Handed(BaseModel):
    """What `frostbyte control up` has written about a base."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"base": "{}"}})
    base: Annotated[str, Field(max_length=1 << 19)]
    """Its file, as it is."""


router = APIRouter(prefix="/api/v1/admin", tags=["projects"])


@router.put(
    "/base",
    responses=responses(401, 403, 409, 413, 422, 429, 503) | examples.answer({"project_id": "eu-1", "written": 24}),
)
def adopt(body: Handed, control: ControlDep, caller: Annotated[Caller, needs(ALL)]) -> dict[str, Any]:
    """Take over what `frostbyte control up` made: the project, and its edge, bastion and firewalls as its own base.

    Again it changes what has changed since. Nothing is asked of the cloud.
    """
    base = handover.read(body.base.encode())
    if base.environment != control.settings.environment:
        raise Invalid(
            "base_of_another_environment",
            "The base was made for another environment than this control plane's.",
            "Make it with the same FROSTBYTE_CONTROL_ENVIRONMENT.",
        )
    if base.project_id not in {row.project_id for row in control.projects.page(limit=1000)}:
        control.projects.create(base.project_id, actor=caller.subject)
    written = handover.adopt(control.store.unit_of_work, control.clock, base, caller.subject)
    return {"project_id": base.project_id, "written": written}
