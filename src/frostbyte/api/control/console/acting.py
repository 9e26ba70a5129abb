"""What operators do to tenants, as forms: each begins an operation and leads to its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.control.access import CHANGE, ControlDep, TenantId
from frostbyte.api.control.carrying import moving, working
from frostbyte.api.control.console.access import visiting
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.idempotency import Once, once
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.upkeep.rotating import kind_of
from frostbyte.kernel.accounts.sessions import Visit

router = APIRouter(prefix="/console/tenants", include_in_schema=False)
_CODE: Final = r"^([a-z][a-z0-9_]{0,63})?$"
Word = Annotated[str, Form(max_length=64, pattern=_CODE)]
Key = Annotated[str, Form(max_length=100, pattern=r"^[A-Za-z0-9_-]*$")]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every form says: why, which version was seen, and what tells one sending from another."""

    control: ControlPlane
    tenant_id: str
    actor: str
    reason: str
    expected: int | None
    once: Once | None

    @property
    def how(self) -> dict[str, Any]:
        """As use cases take it."""
        return {"actor": self.actor, "reason": self.reason, "expected": self.expected, "once": self.once}


async def order_of(
    request: Request,
    tenant_id: TenantId,
    control: ControlDep,
    visit: Annotated[Visit, visiting(CHANGE)],
    reason: Word = "requested",
    other: Word = "",
    version: Annotated[int | None, Form(ge=1, le=2**53)] = None,
    key: Key = "",
) -> Order:
    """The order that a form is. A page that is sent twice, or again after a lost answer, has it done once."""
    sent = {name: str(value) for name, value in (await request.form()).items() if name != "csrf"}
    what = f"{request.method} {request.url.path}"
    return Order(
        control=control,
        tenant_id=tenant_id,
        actor=visit.caller.subject,
        reason=other or reason or "requested",
        expected=version,
        once=once(visit.caller.subject, key, what, sent),
    )


Ordered = Annotated[Order, Depends(order_of)]


@router.post("/{tenant_id}/suspend")
def suspend(order: Ordered) -> Response:
    """Stop it, whatever was seen of it: when this answers, the edge refuses its requests."""
    return _begun(order, moving(order.control, order.tenant_id, Move.SUSPEND, **{**order.how, "expected": None}))


@router.post("/{tenant_id}/resume")
def resume(order: Ordered) -> Response:
    """Let it run again."""
    return _begun(order, moving(order.control, order.tenant_id, Move.RESUME, **order.how))


@router.post("/{tenant_id}/retry")
def retry(order: Ordered) -> Response:
    """Try again what failed."""
    return _begun(order, moving(order.control, order.tenant_id, Move.RETRY, **order.how))


Typed = Annotated[str, Form(max_length=40)]


@router.post("/{tenant_id}/abandon")
def abandon(order: Ordered, confirm: Typed = "", destroy_data: Annotated[bool, Form()] = False) -> Response:
    """Give it up."""
    return _ended(order, Move.ABANDON, confirm, destroy_data)


@router.post("/{tenant_id}/deprovision")
def deprovision(order: Ordered, confirm: Typed = "", destroy_data: Annotated[bool, Form()] = False) -> Response:
    """Close it for good."""
    return _ended(order, Move.DEPROVISION, confirm, destroy_data)


def _ended(order: Order, move: Move, confirm: str, destroy_data: bool) -> Response:
    how = {**order.how, "confirmation": confirm, "destroy_data": destroy_data}
    return _begun(order, moving(order.control, order.tenant_id, move, **how))


@router.post("/{tenant_id}/backup")
def back_up(order: Ordered) -> Response:
    """Back its plane up, and try the backup."""
    return _begun(order, working(order.control, order.tenant_id, OperationKind.BACKUP, {}, **order.how))


@router.post("/{tenant_id}/rotate-keys")
def rotate(
    order: Ordered, what: Annotated[str, Form(pattern=r"^(all|age|certificates|credentials)$")] = "all"
) -> Response:
    """Make its keys anew."""
    return _begun(order, working(order.control, order.tenant_id, kind_of(what), {}, **order.how))


@router.post("/{tenant_id}/repair")
def repair(order: Ordered) -> Response:
    """Put right what of its hosts is not as it was made."""
    return _begun(order, working(order.control, order.tenant_id, OperationKind.REPAIR, {"replace": []}, **order.how))


def _begun(order: Order, operation: OperationRow) -> Response:
    order.control.carry(operation)
    return RedirectResponse(f"/console/operations/{operation.operation_id}", status_code=303)
