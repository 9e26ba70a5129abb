"""Tenants: entered, configured, taken into service, stopped, resumed, closed.

What takes time answers 202 with its operation; `Location` says where to watch it. Whoever names the tenant's version in
If-Match changes the tenant only as they saw it; whoever does not, changes it as it is: a tenant that has to be stopped
now is not to be looked at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from frostbyte.api.control import examples, shown
from frostbyte.api.control.access import READ, ControlDep, Name, TenantId, needs
from frostbyte.api.control.carrying import as_seen, carried, moving
from frostbyte.api.control.conditions import Decided, Decision, config_changed
from frostbyte.api.http.problems import responses
from frostbyte.control_plane.registry.records import TenantConfigRow
from frostbyte.control_plane.registry.states import Move, TenantState
from frostbyte.control_plane.registry.tenants import TenantDetail, begun_with
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.tokens import Caller

router = APIRouter(prefix="/api/v1/admin/tenants", tags=["tenants"])
_READS = responses(401, 403, 404, 422, 429, 503)
_CHANGES = responses(401, 403, 404, 409, 412, 422, 429, 503)
_BEGUN = _CHANGES | examples.answer(examples.OPERATION_ROW, 202)
Reader = Annotated[Caller, needs(READ)]
Reason = Annotated[str, Field(max_length=64, examples=["payment", "incident"])]
"""A code of small letters, digits and '_': it goes into the audit, so it is no free text."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTenant(_Body):
    """A tenant to be entered."""

    tenant_id: TenantId
    project_id: Name
    octet: int | None = Field(default=None, ge=1, le=254)
    """Of its network 10.{octet}.0.0/16; left out, the lowest that is free."""
    config: dict[str, Any] = Field(default={}, max_length=100, examples=[{"retention_days": 365}])
    """Settings that differ from the defaults."""


class Perhaps(_Body):
    """Why something is done, if there is more to say than that it was asked for."""

    reason: Reason = "requested"


class Attached(Perhaps):
    """A plane that somebody installed."""

    gateway_url: str = Field(max_length=300, examples=["https://10.1.1.2:8080"])
    channel_url: str = Field(max_length=300, examples=["https://10.1.1.2:8443"])
    ca_pem: str = Field(default="", max_length=20_000)
    """Certificate of the tenant's authority; left out, the one that the control plane holds."""
    log_key: str = Field(min_length=1, max_length=300)
    """Verifier key of the plane's log."""


class Reasoned(_Body):
    """Why something is done."""

    reason: Reason


class Confirmed(Perhaps):
    """What cannot be undone: the tenant's name once more."""

    confirm: str = Field(max_length=40, examples=["acme"])


@router.post("", status_code=201, responses=_CHANGES | examples.answer(examples.ONE_TENANT, 201))
def create(body: NewTenant, decision: Decided) -> Response:
    """Enter a tenant. It gets a network; its plane is attached afterwards."""
    control = decision.control
    row = control.tenants.create(
        body.tenant_id,
        body.project_id,
        actor=decision.caller.subject,
        octet=body.octet,
        values=body.config,
        once=decision.once,
    )
    headers = {"Location": f"{router.prefix}/{row.tenant_id}"}
    return _detail(control.tenants.detail(row.tenant_id), status=201, headers=headers)


@router.get("", responses=_READS | examples.answer(examples.TENANTS))
def page(
    control: ControlDep,
    caller: Reader,
    state: TenantState | None = None,
    project_id: Name | None = None,
    prefix: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$", description="Names that begin so.")] = "",
    cursor: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Tenants by name; `cursor` of the answer is where the next page begins."""
    with control.store.unit_of_work() as uow:
        rows = begun_with(uow, prefix, project_id=project_id, state=state, after=cursor, limit=limit + 1)
        standings = uow.standings.get_many([row.tenant_id for row in rows])
    return {
        "tenants": [shown.tenant(row, standings.get(row.tenant_id)) for row in rows[:limit]],
        "cursor": rows[limit - 1].tenant_id if len(rows) > limit else None,
    }


@router.get("/{tenant_id}", responses=_READS | examples.answer(examples.ONE_TENANT))
def show(tenant_id: TenantId, control: ControlDep, caller: Reader) -> Response:
    """One tenant: where it stands, how its plane is reached, what was done last. Its version is the ETag."""
    return _detail(control.tenants.detail(tenant_id))


def _detail(found: TenantDetail, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = shown.tenant(found.tenant, found.standing) | {
        "endpoints": shown.endpoints(found.endpoints) if found.endpoints else None,
        "operation": shown.operation(found.operation) if found.operation else None,
    }
    return JSONResponse(body, status, {"ETag": f'"{found.tenant.version}"', **(headers or {})})


@router.get("/{tenant_id}/config", responses=_READS | examples.answer(examples.CONFIG))
def config(
    tenant_id: TenantId,
    control: ControlDep,
    caller: Reader,
    version: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The newest configuration, or an older version of it; its version is the ETag."""
    rows = control.tenants.configs(tenant_id, before=None if version is None else version + 1, limit=1)
    if not rows or version not in (None, rows[0].version):
        raise NotFound(
            "config_version_unknown", "The configuration has no such version.", "Ask for it without a version."
        )
    return _config(rows[0])


def _config(row: TenantConfigRow) -> Response:
    return JSONResponse(shown.config(row), headers={"ETag": f'"{row.version}"'})


@router.put("/{tenant_id}/config", responses=_CHANGES | examples.answer(examples.CONFIG))
def configure(tenant_id: TenantId, values: dict[str, Any], decision: Decided) -> Response:
    """Change settings: a new version. If-Match names the version that was read; another is 412, with what differs."""
    if decision.expected is None:
        raise Invalid("if_match_missing", "A change names the version it starts from.", "Send If-Match with the ETag.")
    tenants, actor = decision.control.tenants, decision.caller.subject
    try:
        row = tenants.configure(tenant_id, values, expected=decision.expected, actor=actor, once=decision.once)
    except Conflict as error:
        if error.code != "config_changed":
            raise
        raise config_changed(decision.control, tenant_id, decision.expected) from error
    return _config(row)


@router.post("/{tenant_id}/attach", status_code=202, responses=_BEGUN)
def attach(tenant_id: TenantId, body: Attached, decision: Decided) -> Response:
    """Take a plane into service. The operation asks it who it is, and fails if it is another's."""
    with as_seen():
        operation = decision.control.operations.attach(
            tenant_id,
            gateway_url=body.gateway_url,
            channel_url=body.channel_url,
            ca_pem=body.ca_pem,
            log_key=body.log_key,
            actor=decision.caller.subject,
            reason=body.reason,
            expected=decision.expected,
            once=decision.once,
        )
    return carried(decision.control, operation)


@router.post("/{tenant_id}/suspend", status_code=202, responses=_BEGUN)
def suspend(tenant_id: TenantId, body: Reasoned, decision: Decided) -> Response:
    """Stop a tenant. When this answers, the edge refuses the tenant's requests."""
    return _begun(tenant_id, Move.SUSPEND, body.reason, decision)


@router.post("/{tenant_id}/resume", status_code=202, responses=_BEGUN)
def resume(tenant_id: TenantId, body: Reasoned, decision: Decided) -> Response:
    """Let a suspended tenant run again. The edge opens once its plane has acknowledged."""
    return _begun(tenant_id, Move.RESUME, body.reason, decision)


class Destroyed(Confirmed):
    """What cannot be undone, and whether the data goes too."""

    destroy_data: bool = False
    """Also the volume that held the tenant's data; else it stays, and is paid for."""


@router.post("/{tenant_id}/retry", status_code=202, responses=_BEGUN)
def retry(tenant_id: TenantId, decision: Decided, body: Perhaps = Perhaps(reason="retry")) -> Response:
    """Try again what failed."""
    return _begun(tenant_id, Move.RETRY, body.reason, decision)


@router.post("/{tenant_id}/abandon", status_code=202, responses=_BEGUN)
def abandon(tenant_id: TenantId, body: Destroyed, decision: Decided) -> Response:
    """Give up a tenant that could not be taken into service: whatever of its hosts remains is taken away."""
    return _begun(tenant_id, Move.ABANDON, body.reason, decision, body)


@router.post("/{tenant_id}/deprovision", status_code=202, responses=_BEGUN)
def deprovision(tenant_id: TenantId, body: Destroyed, decision: Decided) -> Response:
    """Close a tenant for good: edge shut, plane closed, its log pulled a last time, its hosts taken away, its network
    given back."""
    return _begun(tenant_id, Move.DEPROVISION, body.reason, decision, body)


def _begun(tenant_id: str, move: Move, reason: str, decision: Decision, destroyed: Destroyed | None = None) -> Response:
    with as_seen():
        operation = moving(
            decision.control,
            tenant_id,
            move,
            destroy_data=destroyed is not None and destroyed.destroy_data,
            actor=decision.caller.subject,
            reason=reason,
            expected=decision.expected,
            confirmation=destroyed.confirm if destroyed else "",
            once=decision.once,
        )
    return carried(decision.control, operation)
