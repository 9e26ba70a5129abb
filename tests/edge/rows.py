"""Tenants as the registry has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from frostbyte.control_plane.registry.records import EndpointsRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def tenant(tenant_id: str = "acme", state: TenantState = TenantState.ACTIVE) -> TenantRow:
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "project_id": "first",
        "octet": 1,
        "state": state,
        "failed": Failed.NOTHING,
        "version": 1,
        "config_version": 1,
        "standing_version": 1,
        "created_at": THEN,
        "updated_at": THEN,
    }
    known = TenantRow.__struct_fields__
    return TenantRow(**{name: values.get(name) for name in known})


def endpoints(tenant_id: str = "acme", gateway_url: str = "http://10.7.1.2:8080") -> EndpointsRow:
    return EndpointsRow(
        tenant_id=tenant_id,
        gateway_url=gateway_url,
        channel_url="https://10.7.1.2:8443",
        ca_pem="",
        log_key="",
        registered_at=THEN,
    )
