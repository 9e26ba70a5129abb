"""Who has an account at a plane: made, given a role or a new link, disabled, recovered."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.granting import AccountRequest, RoleRequest
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1", tags=["admin"], responses=responses(401, 403, 404, 409, 422, 503))
Administrator = Annotated[Caller, needs(Scope.ADMIN)]


@router.get("/accounts")
def list_accounts(
    plane: PlaneDep,
    caller: Administrator,
    cursor: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Accounts of people, disabled ones as well; nothing that opens them."""
    return plane.people.register.list(after=cursor, limit=limit)


@router.post("/accounts", status_code=201)
def create_account(body: AccountRequest, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Make an account: this answer is the only place where its set-up link is ever shown."""
    return plane.people.register.create(body.name, body.role, actor=caller.subject)


@router.post("/accounts/{account_id}/link")
def link_account(account_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Make a new set-up link: what was set up stays good until it is used."""
    return plane.people.register.link(account_id, actor=caller.subject)


@router.put("/accounts/{account_id}/role")
def set_role(account_id: UUID, body: RoleRequest, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Give an account another role; its sessions end."""
    return plane.people.register.set_role(account_id, body.role, actor=caller.subject)


@router.post("/accounts/{account_id}/disable")
def disable_account(account_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Let nobody in with an account from now on."""
    return plane.people.register.disable(account_id, actor=caller.subject)


@router.post("/accounts/{account_id}/recover")
def recover_account(account_id: UUID, plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Begin anew with an account: enabled, opened by nothing of before, with a new set-up link."""
    return plane.people.register.recover(account_id, actor=caller.subject)
