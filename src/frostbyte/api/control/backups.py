"""Backups: of the control plane itself, how they stand and one taken now; of tenants, begun, listed and put back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples
from frostbyte.api.control.access import ALL, READ, ControlDep, TenantId, needs
from frostbyte.api.control.conditions import Decided, IdempotencyKey
from frostbyte.api.control.upkeep import ANSWERS, Asked, begun
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.backup.control import Taken
from frostbyte.control_plane.backup.listing import Backup, listed
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/backups", tags=["system"])


class Wanted(BaseModel):
    """Nothing is asked for but a backup."""

    model_config = ConfigDict(extra="forbid")


@router.get("", responses=responses(401, 403, 422, 429, 503) | examples.answer(examples.BACKUPS))
def stands(control: ControlDep, caller: Annotated[Caller, needs(READ)]) -> dict[str, Any]:
    """How the backups of the control plane itself stand; tenants' are in their health and operations."""
    standing = control.backups.standing
    good_at = standing.good_at
    return {
        "on": standing.on,
        "snapshot": standing.snapshot or None,
        "good_at": iso(good_at) if good_at else None,
        "age_seconds": round((control.clock.now() - good_at).total_seconds(), 1) if good_at else None,
        "failed": standing.failed,
        "code": standing.code or None,
    }


@router.post("", responses=responses(401, 403, 409, 422, 429, 503) | examples.answer(examples.BACKUP_TAKEN))
def take(
    control: ControlDep,
    caller: Annotated[Caller, needs(ALL)],
    body: Wanted = Wanted(),
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Back up the control plane now, and try what was stored. Answers when both are done: seconds.

    Under any key or none: a second one takes what has changed since the first.
    """
    return shown(control.backups.take(caller.subject))


def shown(taken: Taken) -> dict[str, Any]:
    """As the API shows it."""
    verdict = taken.verdict
    return {
        "snapshot": taken.snapshot,
        "taken_at": taken.taken_at,
        "written": taken.written,
        "size": taken.size,
        "private": taken.private,
        "forgotten": taken.forgotten,
        "verdict": {
            "ok": verdict.ok,
            "code": verdict.code or None,
            "seconds": verdict.seconds,
            "trial": verdict.facts.get("trial"),
        },
    }


tenants = APIRouter(prefix="/api/v1/admin/tenants", tags=["tenants"])


class Back(Asked):
    """What a tenant is put back to."""

    snapshot: Annotated[str, Field(max_length=32, examples=["20260302T090700Z-1d0a3f5e"])] = ""
    """Its name; the newest good one without."""
    give_up_present: bool = False
    """Whether no backup is taken of what is there, because it cannot be read any more."""
    confirmation: Annotated[str, Field(max_length=32, examples=["acme"])]
    """The tenant's id once more."""


@tenants.post("/{tenant_id}/backup", status_code=202, responses=ANSWERS)
def back_up(tenant_id: TenantId, decision: Decided, body: Asked = Asked()) -> Response:
    """Back a tenant's plane up, and try the backup. The plane goes on working."""
    return begun(decision, tenant_id, OperationKind.BACKUP, {}, body.reason)


@tenants.post("/{tenant_id}/restore", status_code=202, responses=ANSWERS)
def restore(tenant_id: TenantId, decision: Decided, body: Back) -> Response:
    """Put a tenant's plane back as one of its backups has it; what was erased since stays erased.

    The backup is tried first and what is there is backed up; if replacing it fails, it is led back to that.
    """
    if body.confirmation != tenant_id:
        raise Invalid(
            "confirmation_wrong",
            "This takes away what came after the backup, and what was typed is not the tenant's id.",
            "Type the id of the tenant once more.",
        )
    request = {"snapshot": body.snapshot, "give_up_present": body.give_up_present}
    return begun(decision, tenant_id, OperationKind.RESTORE, request, body.reason)


@tenants.get(
    "/{tenant_id}/backups", responses=responses(401, 403, 404, 422, 429, 503) | examples.answer(examples.TENANT_BACKUPS)
)
def of_tenant(tenant_id: TenantId, control: ControlDep, caller: Annotated[Caller, needs(READ)]) -> dict[str, Any]:
    """A tenant's backups of the last two months that have ended, newest first, as the register knows them."""
    backups = listed(control.store.unit_of_work, control.clock, tenant_id)
    return {"hours": control.daily.period_seconds / 3600, "backups": [_taken(one) for one in backups]}


def _taken(one: Backup) -> dict[str, Any]:
    row = one.operation
    return {
        "operation_id": str(row.operation_id),
        "started_at": iso(row.started_at),
        "actor": row.actor,
        "code": row.code or None,
        **one.facts,
    }
