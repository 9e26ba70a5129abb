"""Operations: what goes on and what was done, each as a tree of its steps that goes on by itself."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from frostbyte.api.control.access import READ, ControlDep
from frostbyte.api.control.console import progress, telling
from frostbyte.api.control.console.access import page, visiting
from frostbyte.kernel.accounts.sessions import Visit

router = APIRouter(prefix="/console/operations", include_in_schema=False)
PAGE: Final = 50
Reader = Annotated[Visit, visiting(READ)]


@router.get("")
def operations(
    request: Request,
    control: ControlDep,
    visit: Reader,
    tenant: Annotated[str, Query(pattern=r"^[a-z0-9]{0,32}$")] = "",
    running: bool = False,
    before: UUID | None = None,
) -> Response:
    """Newest first."""
    if running:
        with control.store.unit_of_work() as uow:
            rows = list(reversed(uow.operations.running(tenant or None)))
        more = ""
    else:
        rows = control.operations.page(tenant_id=tenant or None, before=before, limit=PAGE + 1)
        whose = f"tenant={tenant}&" if tenant else ""
        more = f"/console/operations?{whose}before={rows[PAGE - 1].operation_id}" if len(rows) > PAGE else ""
        rows = rows[:PAGE]
    shown = [telling.operation(row, control.clock) for row in rows]
    return page(
        request,
        control,
        visit,
        "control/operations.html",
        tenant_id=tenant,
        running=running,
        rows=shown,
        more=more,
    )


@router.get("/{operation_id}")
def operation(operation_id: UUID, request: Request, control: ControlDep, visit: Reader) -> Response:
    """One of them."""
    tree = control.watching.tree(operation_id)
    row = tree.operation
    return page(
        request,
        control,
        visit,
        "control/operation.html",
        id=str(row.operation_id),
        tenant_id=row.tenant_id,
        called=tree.called,
        actor=row.actor,
        reason=row.reason,
        started_at=row.started_at,
        ended_at=row.ended_at,
        asked=[(name.replace("_", " "), telling.word(value)) for name, value in row.request.items() if _says(value)],
        told=progress.shown(tree),
    )


@router.get("/{operation_id}/progress")
def told(operation_id: UUID, control: ControlDep, visit: Reader) -> dict[str, Any]:
    """The tree in words, for the page's script."""
    return progress.shown(control.watching.tree(operation_id))


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})
