"""What carries our labels and is nobody's: shown to whoever may read, removed by admins, each by its key."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import ALL, READ, ControlDep, needs
from frostbyte.api.control.carrying import missing
from frostbyte.api.control.conditions import IdempotencyKey
from frostbyte.api.http.problems import responses
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.provisioning.sweep import GRACE
from frostbyte.control_plane.provisioning.sweeping import Sweeper
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/orphans", tags=["provisioning"])
_LONGEST = 366 * 24 * 3600
_HOUR = int(GRACE.total_seconds())


class Confirmed(BaseModel):
    """What is to be removed."""

    model_config = ConfigDict(extra="forbid")
    keys: list[Annotated[str, Field(max_length=400)]] = Field(
        min_length=1, max_length=20, examples=[["server/4711", "record/example.com/acme.pipeline/A"]]
    )
    """As the report names them. What is no orphan by now is left alone."""
    grace: int = Field(default=_HOUR, ge=0, le=_LONGEST)
    """Seconds."""


def sweeper_of(control: ControlPlane) -> Sweeper:
    """What looks. Raises Unavailable("provisioning_missing")."""
    if control.sweeper is None:
        raise missing(control)
    return control.sweeper


@router.get("", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.ORPHANS))
def look(
    control: ControlDep,
    caller: Annotated[Caller, needs(READ)],
    grace: Annotated[int, Query(ge=0, le=_LONGEST)] = _HOUR,
) -> dict[str, Any]:
    """Look through every project: what nobody owns, and what is left alone, with the reason. Nothing is touched.

    `grace`: what was made fewer seconds ago is no orphan yet.
    """
    return shown.sweep(sweeper_of(control).look(timedelta(seconds=grace)))


@router.post("/removal", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.REMOVED))
def remove(
    control: ControlDep, caller: Annotated[Caller, needs(ALL)], body: Confirmed, idempotency_key: IdempotencyKey = ""
) -> dict[str, Any]:
    """Remove the orphans among these, in safe order. Each is audited before the cloud is asked.

    Twice is once, under any key or none: what is gone already is `not_seen`.
    """
    swept = sweeper_of(control).clean(body.keys, caller.subject, timedelta(seconds=body.grace))
    return {
        "removals": [{"key": one.key, "code": one.code or None} for one in swept.removals],
        "blind": shown.blind(swept),
    }
