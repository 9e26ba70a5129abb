"""The console's rooms, a router each."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from frostbyte.api.control.console import acting, deliveries, ledger, oidc, operations, orphans, people, tenant, tenants

PAGES: Final[tuple[APIRouter, ...]] = (
    tenants.router,
    tenant.router,
    acting.router,
    oidc.router,
    operations.router,
    ledger.router,
    orphans.router,
    deliveries.router,
    people.router,
)
