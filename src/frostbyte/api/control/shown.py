"""Rows of the registry as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.plan import money
from frostbyte.control_plane.provisioning.planner import Planned
from frostbyte.control_plane.provisioning.resources import RUN
from frostbyte.control_plane.provisioning.sweep import Judged, Verdict
from frostbyte.control_plane.provisioning.sweeping import Sweep
from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationRow,
    ProjectRow,
    RoundRow,
    StandingRow,
    StepRow,
    TenantConfigRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import MOVES, Failed, Move
from frostbyte.control_plane.upkeep.mending import Weighed
from frostbyte.control_plane.upkeep.supplies import Supply
from frostbyte.kernel.clock import iso

COMMANDS = frozenset({Move.SUSPEND, Move.RESUME, Move.DEPROVISION, Move.RETRY, Move.ABANDON})
"""Moves that people make; the others are made by operations."""


def project(row: ProjectRow) -> dict[str, Any]:
    """A project."""
    return {"project_id": row.project_id, "environment": row.environment, "created_at": iso(row.created_at)}


def tenant(row: TenantRow, told: StandingRow | None) -> dict[str, Any]:
    """A tenant as lists show it.

    Args:
        told: what its plane knows of what it was told; None if it was never asked.
    """
    return {
        "tenant_id": row.tenant_id,
        "project_id": row.project_id,
        "state": row.state.value,
        "failed": row.failed.value or None,
        "version": row.version,
        "config_version": row.config_version,
        "octet": row.octet,
        "network": None if row.octet is None else f"10.{row.octet}.0.0/16",
        "standing_version": row.standing_version,
        "possible": possible(row),
        "standing": None if told is None else standing(told),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def possible(row: TenantRow) -> list[str]:
    """What can be done to the tenant now, by the names of the routes."""
    moves = {move for state, failed, move in MOVES if (state, failed) == (row.state, row.failed)}
    names = {move.value for move in moves & COMMANDS}
    attachable = Move.PROVISION in moves or row.failed is Failed.PROVISION
    return sorted(names | {"attach"} if attachable else names)


def endpoints(row: EndpointsRow) -> dict[str, Any]:
    """How a plane is reached. The authority is public, and long: whoever needs it has it already."""
    return {
        "gateway_url": row.gateway_url,
        "channel_url": row.channel_url,
        "log_key": row.log_key,
        "registered_at": iso(row.registered_at),
    }


def standing(row: StandingRow) -> dict[str, Any]:
    """What of the directives has reached the plane."""
    return {
        "acknowledged_version": row.acknowledged_version,
        "acknowledged_at": None if row.acknowledged_at is None else iso(row.acknowledged_at),
        "code": row.code or None,
        "holds": row.holds,
    }


def config(row: TenantConfigRow) -> dict[str, Any]:
    """One version of a configuration."""
    return {
        "tenant_id": row.tenant_id,
        "version": row.version,
        "values": row.values,
        "actor": row.actor,
        "created_at": iso(row.created_at),
    }


def operation(row: OperationRow, steps: Sequence[StepRow] | None = None) -> dict[str, Any]:
    """An operation; with its steps where they are given."""
    shown = {
        "operation_id": str(row.operation_id),
        "tenant_id": row.tenant_id,
        "kind": row.kind.value,
        "status": row.status.value,
        "actor": row.actor,
        "reason": row.reason or None,
        "started_at": iso(row.started_at),
        "ended_at": None if row.ended_at is None else iso(row.ended_at),
        "code": row.code or None,
        "request": row.request,
    }
    return shown if steps is None else shown | {"steps": [step(each) for each in steps]}


def step(row: StepRow) -> dict[str, Any]:
    """One thing that an operation did."""
    return {
        "number": row.number,
        "step": row.step,
        "status": row.status.value,
        "code": row.code or None,
        "at": iso(row.at),
        "facts": row.facts,
    }


def plan(made: Planned) -> dict[str, Any]:
    """A plan: what would be done, with what, where, for how much a month, and what stands in the way."""
    told = dict(made.plan.facts)
    standings = told.pop("standings")
    return {
        "tenant_id": made.plan.owner.tenant_id,
        "project_id": made.plan.owner.project_id,
        "request": made.request.values(),
        "steps": [
            {
                "step": step.key,
                "action": step.action.value,
                "name": step.name or None,
                "needs": list(step.needs),
                "row": step.row or None,
                "standing": standings[step.key],
                "monthly": money(step.monthly) if step.monthly else None,
            }
            for step in made.plan.steps
        ],
        "monthly": money(made.plan.monthly),
        "currency": made.plan.currency,
        "warnings": list(made.plan.warnings),
        "problems": [
            {"code": each.code, "message": each.message, "remedy": each.remedy} for each in made.plan.problems
        ],
        **told,
    }


def difference(of: Weighed) -> dict[str, Any]:
    """Something that is not as it was made, and what a repair does about it."""
    one = of.difference
    return {
        "what": one.what.value,
        "kind": one.kind.value,
        "name": one.name,
        "step": one.step or None,
        "field": one.field or None,
        "expected": one.expected or None,
        "found": one.found or None,
        "mended": of.mended,
        "words": of.words,
    }


def entry(row: EntryRow) -> dict[str, Any]:
    """A step that was begun, and what came of it. What a host is given is no part of it."""
    return {
        "step": row.key,
        "kind": row.kind or None,
        "name": row.name or None,
        "state": row.state.value,
        "resource_id": row.resource_id or None,
        "attempts": row.attempts,
        "code": row.code or None,
        "changed_at": iso(row.changed_at),
    }


def sweep(made: Sweep) -> dict[str, Any]:
    """What nobody owns, what is left alone and why, and what could not be looked at."""
    left = (Verdict.OWNED, Verdict.ORPHAN)
    return {
        "orphans": [_judged(one) for one in made.orphans],
        "left": [{**_judged(one), "why": one.verdict.value} for one in made.judged if one.verdict not in left],
        "owned": sum(one.verdict is Verdict.OWNED for one in made.judged),
        "blind": blind(made),
    }


def blind(made: Sweep) -> list[dict[str, Any]]:
    """Projects that could not be looked at."""
    return [{"project_id": one.project_id, "code": one.code} for one in made.blind]


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "key": one.key,
        "kind": one.found.kind.value,
        "name": one.found.name,
        "project_id": one.project_id,
        "tenant_id": one.tenant_id or None,
        "run_id": one.found.labels.get(RUN) or None,
        "created_at": one.found.created_at or None,
    }


def supply(one: Supply) -> dict[str, Any]:
    """A set that was taken."""
    return {
        "supply_id": one.supply_id,
        "created_at": one.created_at,
        "parts": list(one.parts),
        "signatures_made_at": one.signatures_made_at or None,
        "packages": [{"package": item.package, "version": item.version} for item in one.packages],
        "version": one.version or None,
    }


def round_(row: RoundRow, operations: Mapping[str, OperationRow]) -> dict[str, Any]:
    """A duty for many tenants, and how each of its tenants stands."""
    return {
        "round_id": str(row.round_id),
        "kind": row.kind.value,
        "request": row.request,
        "status": row.status.value,
        "code": row.code or None,
        "stopped_at": row.stopped_at or None,
        "actor": row.actor,
        "reason": row.reason,
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at) if row.ended_at else None,
        "soak_seconds": row.soak_seconds,
        "tenants": [
            {
                "tenant_id": tenant,
                "status": found.status.value if (found := operations.get(tenant)) else "waiting",
                "code": (found.code or None) if found else None,
                "operation_id": str(found.operation_id) if found else None,
            }
            for tenant in row.tenants
        ],
    }
