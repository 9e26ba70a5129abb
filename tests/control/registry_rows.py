"""What the tests of the registry share: rows with everything filled that a test does not care about, and a way in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec.structs import replace

from frostbyte.control_plane.registry.ports import RegistryUnitOfWork
from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    ProjectRow,
    StepRow,
    TenantConfigRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import EventRow

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Registry(Protocol):
    """What tests need of a store."""

    def unit_of_work(self) -> AbstractContextManager[RegistryUnitOfWork]: ...


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def project(project_id: str = "north", **values: Any) -> ProjectRow:
    return ProjectRow(**({"project_id": project_id, "environment": "production", "created_at": NOW} | values))


def tenant(tenant_id: str = "acme", **values: Any) -> TenantRow:
    defaults: dict[str, Any] = {
        "tenant_id": tenant_id,
        "project_id": "north",
        "octet": 1,
        "state": TenantState.PENDING,
        "failed": Failed.NOTHING,
        "version": 1,
        "config_version": 1,
        "standing_version": 0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return TenantRow(**(defaults | values))


def event(tenant_id: str = "acme") -> EventRow:
    return EventRow(
        event_id=new_id(),
        tenant_id=tenant_id,
        type="TENANT_CREATED",
        timestamp=NOW,
        actor="alice",
        resource_type="tenant",
        resource_id=tenant_id,
        details={},
    )


def config(version: int = 1, **values: Any) -> TenantConfigRow:
    defaults: dict[str, Any] = {
        "tenant_id": "acme",
        "version": version,
        "values": {"top_k": 5, "deep": {"ü": [1, None]}},
        "actor": "alice",
        "created_at": NOW,
    }
    return TenantConfigRow(**(defaults | values))


def endpoints(tenant_id: str = "acme", **values: Any) -> EndpointsRow:
    defaults: dict[str, Any] = {
        "tenant_id": tenant_id,
        "gateway_url": "https://10.1.1.2:8080",
        "channel_url": "https://10.1.1.2:8443",
        "ca_pem": "-----BEGIN CERTIFICATE-----",
        "log_key": f"frostbyte/{tenant_id}/plane+00000000+AAAA",
        "registered_at": NOW,
    }
    return EndpointsRow(**(defaults | values))


def operation(tenant_id: str = "acme", **values: Any) -> OperationRow:
    defaults: dict[str, Any] = {
        "operation_id": new_id(),
        "tenant_id": tenant_id,
        "kind": OperationKind.SUSPEND,
        "status": OperationStatus.RUNNING,
        "actor": "alice",
        "reason": "incident",
        "started_at": NOW,
        "ended_at": None,
        "code": "",
    }
    return OperationRow(**(defaults | values))


def step(row: OperationRow, number: int, **values: Any) -> StepRow:
    defaults: dict[str, Any] = {
        "operation_id": row.operation_id,
        "number": number,
        "step": "edge_closed",
        "status": OperationStatus.SUCCEEDED,
        "code": "",
        "at": NOW,
    }
    return StepRow(**(defaults | values))


def add_tenant(uow: RegistryUnitOfWork, row: TenantRow) -> TenantRow:
    """The row as it was added, with its event."""
    noted = event(row.tenant_id)
    uow.audit.append(noted)
    row = replace(row, last_event_id=noted.event_id)
    uow.tenants.add(row)
    return row


def change_tenant(uow: RegistryUnitOfWork, row: TenantRow, **values: Any) -> TenantRow:
    """The row one version later, with its event and the given changes."""
    noted = event(row.tenant_id)
    uow.audit.append(noted)
    row = replace(row, **({"version": row.version + 1, "last_event_id": noted.event_id} | values))
    uow.tenants.put(row)
    return row


def prepared(store: Registry, *rows: TenantRow) -> list[TenantRow]:
    """A project `north` with these tenants."""
    with store.unit_of_work() as uow:
        uow.projects.add(project())
        added = [add_tenant(uow, row) for row in rows or [tenant()]]
        uow.commit()
    return added
