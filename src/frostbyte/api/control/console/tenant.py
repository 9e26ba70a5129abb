"""One tenant: how it is, what exists of it, how its plane is reached, what happened to it; and what can be done."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from frostbyte.api.control.access import CHANGE, LEDGER, READ, ControlDep, TenantId
from frostbyte.api.control.carrying import provisioning_of
from frostbyte.api.control.console import telling
from frostbyte.api.control.console.access import page, visiting
from frostbyte.api.control.console.telling import REASONS, Told, figure
from frostbyte.api.control.shown import possible
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.console import words
from frostbyte.control_plane.backup.listing import Backup, listed
from frostbyte.control_plane.overview.roll import Line
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.notes import KEPT
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.registry.tenants import TenantDetail
from frostbyte.control_plane.upkeep.mending import weighed
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Invalid

router = APIRouter(prefix="/console/tenants", include_in_schema=False)
OPERATIONS: Final = 8
BACKUPS: Final = 5
LINES: Final = 15
"""Of the history, on the tenant's own page."""
MORE_LINES: Final = 100
Reader = Annotated[Visit, visiting(READ)]
_MOMENT = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z)?$"
_STOPS: Final = frozenset({OperationKind.SUSPEND, OperationKind.RESUME})


@router.get("/{tenant_id}")
def tenant(tenant_id: TenantId, request: Request, control: ControlDep, visit: Reader) -> Response:
    """Everything that an operator asks first."""
    detail = control.tenants.detail(tenant_id)
    line = control.roll.line(detail.tenant)
    operations = control.operations.page(tenant_id=tenant_id, limit=OPERATIONS)
    told = control.history.tell(tenant_id, limit=LINES, plane=_auditor(visit))
    return page(
        request,
        control,
        visit,
        "control/tenant.html",
        **telling.line(line),
        created_at=detail.tenant.created_at,
        figures=_figures(line),
        stop=_stop(control, operations),
        reasons_why=[_reason(each) for each in line.health.verdict.reasons] if line.health is not None else [],
        facts=_facts(detail, line),
        resources=[_resource(row) for row in _entries(control, tenant_id)],
        made_here=control.provisioning is not None,
        waits=detail.tenant.state is TenantState.PENDING,
        config=[(name.replace("_", " "), telling.word(value)) for name, value in sorted(detail.config.values.items())],
        config_version=detail.config.version,
        backups=[
            _backup(each, control) for each in listed(control.store.unit_of_work, control.clock, tenant_id, BACKUPS)
        ],
        operations=[telling.operation(row, control.clock) for row in operations],
        lines=list(reversed(told.lines)),
        older=told.before is not None,
        may_change=any(visit.caller.has(role) for role in CHANGE),
        possible=_possible(control, detail),
        key=secrets.token_urlsafe(16),
        row_version=detail.tenant.version,
        reasons=REASONS,
    )


@router.get("/{tenant_id}/history")
def history(
    tenant_id: TenantId,
    request: Request,
    control: ControlDep,
    visit: Reader,
    before: Annotated[str, Query(pattern=_MOMENT)] = "",
) -> Response:
    """What happened to it, in sentences, newest first; for auditors also what its plane's own log says."""
    try:
        moment = datetime.fromisoformat(before) if before else None
    except ValueError as error:
        raise Invalid("time_invalid", "There is no such time.", "Give it like 2026-03-02T09:00:00Z.") from error
    told = control.history.tell(tenant_id, before=moment, limit=MORE_LINES, plane=_auditor(visit))
    older = f"{told.before:%Y-%m-%dT%H:%M:%S.%fZ}" if told.before else ""
    return page(
        request,
        control,
        visit,
        "control/history.html",
        tenant_id=tenant_id,
        lines=list(reversed(told.lines)),
        plane_told=_auditor(visit),
        more=f"/console/tenants/{tenant_id}/history?before={older}" if older else "",
    )


@router.get("/{tenant_id}/drift")
def drift(tenant_id: TenantId, request: Request, control: ControlDep, visit: Reader) -> Response:
    """How what is at the cloud differs from what was made. The cloud is asked: seconds."""
    row = control.tenants.show(tenant_id)
    differences = weighed(provisioning_of(control).drift(tenant_id))
    foreman = control.foreman
    return page(
        request,
        control,
        visit,
        "control/drift.html",
        tenant_id=tenant_id,
        differences=[
            {
                "what": each.difference.what.value,
                "kind": telling.kind(each.difference.kind.value),
                "name": each.difference.name,
                "field": each.difference.field.replace("_", " "),
                "expected": each.difference.expected,
                "found": each.difference.found,
                "mended": each.mended,
                "words": each.words,
            }
            for each in differences
        ],
        mendable=sum(each.mended for each in differences),
        may_repair=foreman is not None
        and OperationKind.REPAIR in foreman.kinds
        and any(visit.caller.has(role) for role in CHANGE),
        key=secrets.token_urlsafe(16),
        row_version=row.version,
        reasons=REASONS,
    )


def _auditor(visit: Visit) -> bool:
    return any(visit.caller.has(role) for role in LEDGER)


def _figures(line: Line) -> list[Told]:
    figures = [figure("Cost a month", telling.cost(line.cost)), figure("Last good backup", telling.backup(line.health))]
    if line.health is None:
        return figures
    seen = line.health.seen
    if seen.stored_bytes is not None:
        of = f"of {words.size(seen.quota_bytes)}" if seen.quota_bytes else ""
        figures.append(figure("Stored", words.size(seen.stored_bytes), about=of))
    if seen.answered_seconds is not None:
        figures.append(figure("Plane answered", f"{words.seconds(seen.answered_seconds)} ago", about=seen.channel_code))
    if seen.ledger_seconds is not None:
        behind = words.count(seen.ledger_lag_events, "event") + " behind" if seen.ledger_lag_events else "holds all"
        figures.append(figure("Ledger had it all", f"{words.seconds(seen.ledger_seconds)} ago", about=behind))
    return figures


def _stop(control: ControlPlane, operations: list[OperationRow]) -> Told | None:
    """How fast the last suspension or resumption was, if it is the last thing that moved the tenant."""
    newest = next((row for row in operations if row.kind in _STOPS), None)
    if newest is None:
        return None
    tree = control.watching.tree(newest.operation_id)
    return {
        "id": str(newest.operation_id),
        "suspended": newest.kind is OperationKind.SUSPEND,
        "actor": newest.actor,
        "reason": newest.reason,
        "at": newest.started_at,
        "edge": None if tree.edge_seconds is None else f"{tree.edge_seconds:.2f} s",
        "plane": None if tree.plane_seconds is None else f"{tree.plane_seconds:.2f} s",
    }


def _reason(each: Any) -> Told:
    badge = {"WARN": "warning", "CRITICAL": "critical"}.get(each.level.name, "ok")
    return {
        "badge": badge,
        "said": each.level.word,
        "message": each.message,
        "runbook": each.runbook,
        "code": each.code,
    }


def _facts(detail: TenantDetail, line: Line) -> list[tuple[str, str]]:
    row, seen = detail.tenant, line.health.seen if line.health is not None else None
    facts = [("Project", row.project_id)]
    if row.octet is not None:
        facts.append(("Network", f"10.{row.octet}.0.0/16"))
    if detail.endpoints is not None:
        facts += [("Gateway", detail.endpoints.gateway_url), ("Control channel", detail.endpoints.channel_url)]
        facts.append(("Log key", detail.endpoints.log_key))
    if detail.standing is not None:
        knows = detail.standing.acknowledged_version >= row.standing_version
        facts.append(("Plane knows its state", "yes" if knows else f"not yet {detail.standing.code}".strip()))
        facts.append(("Legal holds", words.count(detail.standing.holds)))
    if seen is not None and seen.edge_status is not None:
        facts.append(("Through the edge", f"HTTP {seen.edge_status}" if seen.edge_status else "no answer"))
    if line.health is not None and line.health.model:
        facts.append(("Embedding model", line.health.model))
    return facts


def _entries(control: ControlPlane, tenant_id: str) -> list[EntryRow]:
    if control.provisioning is None:
        return []
    return [row for row in control.provisioning.remains(tenant_id) if row.kind]


def _resource(row: EntryRow) -> Told:
    facts = {**row.spec, **row.facts}
    about = [telling.word(facts[name]) for name in ("type", "location", "address", "cidr", "values") if facts.get(name)]
    size = [f"{facts['size_gb']} GB"] if facts.get("size_gb") else []
    said = {"intended": "may exist", "done": "exists", "undoing": "being taken away"}.get(
        row.state.value, row.state.value
    )
    return {
        "kind": telling.kind(row.kind),
        "name": row.name,
        "cloud_id": row.resource_id,
        "about": ", ".join([*size, *about]),
        "state": "kept, with its data" if row.facts.get(KEPT) else said,
        "badge": "ok" if row.state.value == "done" else "hold",
        "code": row.code,
        "changed_at": row.changed_at,
    }


def _backup(of: Backup, control: ControlPlane) -> Told:
    octets, documents = of.facts.get("bytes"), of.facts.get("documents")
    return {
        **telling.operation(of.operation, control.clock),
        "snapshot": of.facts.get("snapshot") or "",
        "holds": "" if documents is None else words.count(documents, "document"),
        "size": "" if octets is None else words.size(octets),
    }


def _possible(control: ControlPlane, detail: TenantDetail) -> dict[str, bool]:
    """What can be done now, by the names of the forms."""
    moves = set(possible(detail.tenant))
    kinds = control.foreman.kinds if control.foreman is not None else frozenset()
    stands = detail.tenant.state.value in ("ACTIVE", "SUSPENDED")
    return {
        **{name: name in moves for name in ("suspend", "resume", "retry", "abandon", "deprovision")},
        "backup": stands and OperationKind.BACKUP in kinds,
        "rotate": stands and OperationKind.ROTATE_KEYS in kinds,
        "drift": control.provisioning is not None,
    }
