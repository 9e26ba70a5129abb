"""Who may ask the control plane: tokens, keys of machines, and the keys that sign tokens.

Nothing here takes an idempotency key: its answer would have to be kept, and a secret is kept nowhere. A token made
twice ends by itself, a key made twice is listed, and a second rotation is refused.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from frostbyte.api.control import examples
from frostbyte.api.control.access import ALL, ControlDep, needs
from frostbyte.api.http.granting import ApiKeyRequest, KeyId, RetirementRequest, RotationRequest, TokenRequest
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller, Role

router = APIRouter(prefix="/api/v1/admin", tags=["access"], responses=responses(401, 403, 404, 409, 422, 429, 503))
Administrator = Annotated[Caller, needs(ALL)]


@router.post("/tokens", status_code=201, responses=examples.answer(examples.TOKEN, 201))
def mint(body: TokenRequest[Role], control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Make a token for someone."""
    return control.admission.mint(body.subject, frozenset(body.scopes), body.lifetime, actor=caller.subject)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke(token_id: UUID, control: ControlDep, caller: Administrator) -> Response:
    """Refuse a token from now on."""
    control.admission.revoke(str(token_id), actor=caller.subject)
    return Response(status_code=204)


@router.get("/api-keys", responses=examples.answer(examples.API_KEYS))
def list_api_keys(
    control: ControlDep,
    caller: Administrator,
    cursor: Annotated[str, Query(max_length=12, pattern="^[0-9A-Za-z]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Keys of machines, those that are no longer good as well; never the keys themselves."""
    return control.admission.keys(after=cursor, limit=limit)


@router.post("/api-keys", status_code=201, responses=examples.answer(examples.NEW_API_KEY, 201))
def create_api_key(body: ApiKeyRequest[Role], control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """Make a key for a machine: this answer is the only place where it is ever shown."""
    return control.admission.create_key(body.name, frozenset(body.scopes), body.lifetime, actor=caller.subject)


@router.delete("/api-keys/{key_id}", status_code=204)
def revoke_api_key(key_id: KeyId, control: ControlDep, caller: Administrator) -> Response:
    """Refuse a machine's key from now on."""
    control.admission.revoke_key(key_id, actor=caller.subject)
    return Response(status_code=204)


@router.get("/keys", responses=examples.answer(examples.KEYS))
def keys(control: ControlDep, caller: Administrator) -> dict[str, Any]:
    """The verifying keys of the keys that sign tokens: which one signs, and which is still accepted."""
    return control.rotation.show()


@router.post("/keys/rotate", responses=examples.answer(examples.ROTATED))
def rotate(control: ControlDep, caller: Administrator, body: RotationRequest = RotationRequest()) -> dict[str, Any]:
    """Let a new key sign tokens; those of the old one are good until they end, unless it is retired.

    What planes are told is signed by the old key until it is retired, which is refused while one of them has not heard
    of the new one.
    """
    return control.rotation.rotate(actor=caller.subject, retire_old=body.retire_old, force=body.force)


@router.post("/keys/retire", responses=examples.answer(examples.KEYS))
def retire(control: ControlDep, caller: Administrator, body: RetirementRequest = RetirementRequest()) -> dict[str, Any]:
    """Accept no token of the previous key from now on."""
    return control.rotation.retire(actor=caller.subject, force=body.force)
