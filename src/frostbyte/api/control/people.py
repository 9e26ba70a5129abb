"""Who has an account at the control plane: made, given a role or a new link, disabled, recovered.

Nothing here takes an idempotency key, as with tokens (see granting): an answer with a link in it is kept nowhere.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from frostbyte.api.control import examples
from frostbyte.api.control.access import ALL, ControlDep, needs
from frostbyte.api.http.granting import AccountRequest, RoleRequest
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin", tags=["access"], responses=responses(401, 403, 404, 409, 422, 429, 503))
Administrator = Annotated[Caller, needs(ALL)]


@router.get("/accounts", responses=examples.answer(examples.ACCOUNTS))
def list_accounts(
    control: ControlDep,
    caller: Administrator,
    cursor: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Accounts of operators, disabled ones as well; nothing that opens them."""
    return control.people.register.list(after=cursor, limit=limit)


@router.post("/accounts", status_code=201, responses=examples.answer(examples.NEW_ACCOUNT, 201))
def create_account(body: AccountRequest, control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Make an account: this answer is the only place where its set-up link is ever shown."""
    return control.people.register.create(body.name, body.role, actor=caller.subject)


@router.post("/accounts/{account_id}/link", responses=examples.answer(examples.NEW_ACCOUNT))
def link_account(account_id: UUID, control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Make a new set-up link: what was set up stays good until it is used."""
    return control.people.register.link(account_id, actor=caller.subject)


@router.put("/accounts/{account_id}/role", responses=examples.answer(examples.ACCOUNT))
def set_role(account_id: UUID, body: RoleRequest, control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Give an account another role; its sessions end."""
    return control.people.register.set_role(account_id, body.role, actor=caller.subject)


@router.post("/accounts/{account_id}/disable", responses=examples.answer(examples.ACCOUNT))
def disable_account(account_id: UUID, control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Let nobody in with an account from now on."""
    return control.people.register.disable(account_id, actor=caller.subject)


@router.post("/accounts/{account_id}/recover", responses=examples.answer(examples.NEW_ACCOUNT))
def recover_account(account_id: UUID, control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Begin anew with an account: enabled, opened by nothing of before, with a new set-up link."""
    return control.people.register.recover(account_id, actor=caller.subject)
