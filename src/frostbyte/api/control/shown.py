"""Rows of the registry as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationRow,
    ProjectRow,
    StandingRow,
    StepRow,
    TenantConfigRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import MOVES, Failed, Move
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
    }
