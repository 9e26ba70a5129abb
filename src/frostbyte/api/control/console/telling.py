"""What several pages of operators say, in words: states, health, money, ages, operations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from frostbyte.api.control.console.outcomes import outcome
from frostbyte.console import words
from frostbyte.control_plane.history.operations import CALLED
from frostbyte.control_plane.overview.costs import Cost, total
from frostbyte.control_plane.overview.roll import Line
from frostbyte.control_plane.provisioning.plan import money
from frostbyte.control_plane.registry.records import OperationRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.control_plane.watch.verdict import Level
from frostbyte.control_plane.watch.view import TenantHealth
from frostbyte.kernel.clock import Clock

Told = dict[str, Any]
"""A part of a view, for a template."""
STATES: Final = {
    TenantState.PENDING: "Entered",
    TenantState.PROVISIONING: "Being made",
    TenantState.ACTIVE: "Active",
    TenantState.SUSPENDED: "Suspended",
    TenantState.DEPROVISIONING: "Being closed",
    TenantState.DEPROVISIONED: "Closed for good",
    TenantState.FAILED: "Failed",
}
_BADGES: Final = {TenantState.DEPROVISIONING: "pending", TenantState.DEPROVISIONED: "soft"}
_HEALTH: Final = {
    Level.OK: ("ok", "well"),
    Level.WARN: ("warning", "warning"),
    Level.CRITICAL: ("critical", "critical"),
}
_KINDS: Final = {"ssh_key": "SSH key", "primary_ip": "public address", "record": "DNS record"}
REASONS: Final = {
    "requested": "It was asked for",
    "payment": "Payment",
    "incident": "Incident",
    "maintenance": "Maintenance",
    "resolved": "It is resolved",
    "test": "Test",
}
"""Codes that forms offer, with their words; another one can be typed."""


def figure(label: str, value: str, *, about: str = "", href: str = "", id: str = "") -> Told:
    """A number that stands large."""
    return {"label": label, "value": value, "about": about, "href": href, "id": id}


def kind(of: str) -> str:
    """A kind of thing at a cloud."""
    return _KINDS.get(of, of.replace("_", " "))


def word(value: Any) -> str:
    """A value of a configuration or of a request."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(word, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {word(each)}" for name, each in value.items())
    return str(value)


def state(row: TenantRow) -> Told:
    """Where a tenant stands: a badge's class and its words."""
    what = {Failed.NOTHING: "", Failed.PROVISION: ": could not be made", Failed.DEPROVISION: ": could not be closed"}
    return {"badge": _BADGES.get(row.state, row.state.value.lower()), "label": STATES[row.state] + what[row.failed]}


def health(item: TenantHealth | None) -> Told:
    """How a tenant is, with the worst of its reasons."""
    if item is None:
        return {"badge": "soft", "said": "not seen yet", "first": "", "more": 0}
    badge, said = _HEALTH[item.verdict.level]
    reasons = item.verdict.reasons
    return {
        "badge": badge,
        "said": said,
        "first": reasons[0].message if reasons else "",
        "more": max(len(reasons) - 1, 0),
    }


def cost(of: Cost | None) -> str:
    """What a tenant costs a month."""
    if of is None:
        return "none of our hosts"
    if of.unpriced and of.unpriced == of.things:
        return "not known"
    more = f", and {of.unpriced} of unknown price" if of.unpriced else ""
    return f"{money(of.monthly)} {of.currency}{more}"


def costs(each: Iterable[Cost]) -> str:
    """What several cost together, by currency."""
    return " + ".join(cost(one) for one in total(each)) or "nothing"


def backup(item: TenantHealth | None) -> str:
    """How old a tenant's last good backup is."""
    if item is None:
        return "not seen yet"
    seconds = item.seen.backup_seconds
    if seconds is None:
        return "not by itself"
    if not item.backed_up:
        return f"none in {words.seconds(seconds)}"
    return f"{words.seconds(seconds)} ago"


def operation(row: OperationRow, clock: Clock) -> Told:
    """An operation in a list."""
    took = words.seconds(max(((row.ended_at or clock.now()) - row.started_at).total_seconds(), 0.0))
    return {
        "id": str(row.operation_id),
        "tenant_id": row.tenant_id,
        "called": CALLED[row.kind],
        "status": row.status.value,
        "outcome": outcome(row),
        "code": row.code,
        "actor": row.actor,
        "reason": row.reason,
        "started_at": row.started_at,
        "took": took if row.ended_at else f"{took} so far",
    }


def line(of: Line) -> Told:
    """A tenant in the list."""
    return {
        "tenant_id": of.tenant.tenant_id,
        "project_id": of.tenant.project_id,
        "state": state(of.tenant),
        "health": health(of.health),
        "running": [{"id": str(each.operation_id), "called": CALLED[each.kind]} for each in of.running],
        "cost": cost(of.cost),
        "backup": backup(of.health),
        "version": of.health.version if of.health is not None else "",
    }
