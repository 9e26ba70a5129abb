"""A change of a tenant and its audit event, together: there is no other way to change one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.control_plane.registry.states import Failed, Move, TenantState
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, NotFound

ITSELF: Final = "control"
"""Whose events those are that belong to no tenant; the name is reserved, so no tenant has it."""

EVENTS: Final[Mapping[Move, EventType]] = {
    Move.PROVISION: EventType.TENANT_PROVISION_STARTED,
    Move.PROVISIONED: EventType.TENANT_PROVISIONED,
    Move.PROVISION_FAILED: EventType.TENANT_PROVISION_FAILED,
    Move.SUSPEND: EventType.TENANT_SUSPENDED,
    Move.RESUME: EventType.TENANT_RESUMED,
    Move.DEPROVISION: EventType.TENANT_DEPROVISION_STARTED,
    Move.DEPROVISIONED: EventType.TENANT_DEPROVISIONED,
    Move.DEPROVISION_FAILED: EventType.TENANT_DEPROVISION_FAILED,
    Move.RETRY: EventType.TENANT_PROVISION_RETRY,
    Move.ABANDON: EventType.TENANT_ABANDONED,
}


def event_of(move: Move, failed: Failed) -> EventType:
    """What the move of a tenant is called in the audit; `failed` is what had failed before it."""
    if (move, failed) == (Move.RETRY, Failed.DEPROVISION):
        return EventType.TENANT_DEPROVISION_STARTED
    return EVENTS[move]


def found(uow: RegistryUnitOfWork, tenant_id: str, *, lock: bool = False) -> TenantRow:
    """The tenant. Raises NotFound("tenant_not_found")."""
    row = uow.tenants.get(tenant_id, lock=lock)
    if row is None:
        raise NotFound("tenant_not_found", "There is no such tenant.", "Check the id; `tenant list` shows all.")
    return row


def seen(uow: RegistryUnitOfWork, tenant_id: str, expected: int | None) -> TenantRow:
    """The tenant, held for a change, if it is still at the version that whoever changes it saw.

    Raises:
        NotFound: `tenant_not_found`.
        Conflict: `tenant_changed`, saying what happened since.
    """
    row = found(uow, tenant_id, lock=True)
    if expected is not None and row.version != expected:
        raise Conflict(
            "tenant_changed",
            f"The tenant is at version {row.version}, not {expected}. {last_change(uow, row)}",
            "Read the tenant again, and repeat the change if it should still be made.",
        )
    return row


def last_change(uow: RegistryUnitOfWork, row: TenantRow) -> str:
    """A sentence for whoever came too late: what was done last, by whom and when."""
    event = uow.audit.event(row.last_event_id) if row.last_event_id else None
    return f"The last change: {event.type} by {event.actor} at {iso(event.timestamp)}." if event else ""


def changed(
    uow: RegistryUnitOfWork,
    clock: Clock,
    row: TenantRow,
    type: EventType,
    actor: str,
    details: Mapping[str, Any],
    **values: Any,
) -> TenantRow:
    """The tenant with the values laid over it, one version later, its event in the audit.

    Args:
        uow: the open transaction.
        clock: the control plane's.
        row: as it is stored, held by the caller.
        type: what happened.
        actor: who did it.
        details: what the event says besides the component and the version.
        values: fields of the row.

    Raises:
        Conflict: `tenant_changed`, `registry_refused`.
    """
    version = row.version + 1
    event = make_event(
        row.tenant_id,
        type,
        clock,
        actor,
        "tenant",
        row.tenant_id,
        {"component": "registry", "version": version, **details},
        row.last_event_id,
    )
    uow.audit.append(event)
    row = replace(row, **values, version=version, updated_at=event.timestamp, last_event_id=event.event_id)
    uow.tenants.put(row)
    return row


def word(state: TenantState) -> str:
    """The state as events write it."""
    return state.value.lower()
