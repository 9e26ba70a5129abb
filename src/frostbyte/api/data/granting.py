"""Who may ask a plane: tokens, keys of machines, and the keys that sign tokens."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from frostbyte.api.data.access import PlaneDep, needs
from frostbyte.api.http.granting import ApiKeyRequest, KeyId, RetirementRequest, RotationRequest, TokenRequest
from frostbyte.api.http.problems import responses
from frostbyte.kernel.tokens import Caller, Scope

router = APIRouter(prefix="/api/v1", tags=["admin"], responses=responses(401, 403, 404, 409, 422, 503))
Administrator = Annotated[Caller, needs(Scope.ADMIN)]


@router.post("/tokens", status_code=201)
def mint(body: TokenRequest[Scope], plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Make a token for someone."""
    return plane.admission.mint(body.subject, frozenset(body.scopes), body.lifetime, actor=caller.subject)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke(token_id: UUID, plane: PlaneDep, caller: Administrator) -> Response:
    """Refuse a token from now on."""
    plane.admission.revoke(str(token_id), actor=caller.subject)
    return Response(status_code=204)


@router.get("/api-keys")
def list_api_keys(
    plane: PlaneDep,
    caller: Administrator,
    cursor: Annotated[str, Query(max_length=12, pattern="^[0-9A-Za-z]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Keys of machines, those that are no longer good as well; never the keys themselves."""
    return plane.admission.keys(after=cursor, limit=limit)


@router.post("/api-keys", status_code=201)
def create_api_key(body: ApiKeyRequest[Scope], plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """Make a key for a machine: this answer is the only place where it is ever shown."""
    return plane.admission.create_key(body.name, frozenset(body.scopes), body.lifetime, actor=caller.subject)


@router.delete("/api-keys/{key_id}", status_code=204)
def revoke_api_key(key_id: KeyId, plane: PlaneDep, caller: Administrator) -> Response:
    """Refuse a machine's key from now on."""
    plane.admission.revoke_key(key_id, actor=caller.subject)
    return Response(status_code=204)


@router.get("/keys")
def keys(plane: PlaneDep, caller: Administrator) -> dict[str, Any]:
    """The verifying keys of the keys that sign tokens: which one signs, and which is still accepted."""
    return plane.rotation.show()


@router.post("/keys/rotate")
def rotate(plane: PlaneDep, caller: Administrator, body: RotationRequest = RotationRequest()) -> dict[str, Any]:
    """Let a new key sign tokens; those of the old one are good until they end, unless it is retired."""
    return plane.rotation.rotate(actor=caller.subject, retire_old=body.retire_old, force=body.force)


@router.post("/keys/retire")
def retire(plane: PlaneDep, caller: Administrator, body: RetirementRequest = RetirementRequest()) -> dict[str, Any]:
    """Accept no token of the previous key from now on."""
    return plane.rotation.retire(actor=caller.subject, force=body.force)
