"""Which version each tenant runs, and what is done to it now: what whoever updates many of them needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from frostbyte.control_plane.provisioning.desired import standing_release
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.records import DUTIES, OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.upkeep.duty import STANDS

_OPERATIONS = 100


@dataclass(frozen=True, kw_only=True)
class Member:
    """One tenant that stands.

    Attributes:
        release: what its hosts run; '' for a plane that was attached by hand.
        duty: what is being done to it; None for nothing.
        updated: its newest update; None before the first.
    """

    tenant: TenantRow
    release: str
    duty: OperationRow | None
    updated: OperationRow | None


def members(unit_of_work: ProvisioningFactory, *, after: str = "", limit: int = 100) -> tuple[list[Member], str]:
    """Tenants that stand, by name, and the name to go on after; '' at the end. Raises `database_unavailable`."""
    with unit_of_work() as uow:
        page = uow.tenants.page(after=after, limit=limit)
        environments = {row.project_id: row.environment for row in uow.projects.page(limit=1000)}
        found = []
        for row in page:
            if row.state not in STANDS:
                continue
            owner = Owner(environment=environments[row.project_id], project_id=row.project_id, tenant_id=row.tenant_id)
            operations = uow.operations.page(tenant_id=row.tenant_id, limit=_OPERATIONS)
            found.append(
                Member(
                    tenant=row,
                    release=standing_release(uow.journal.entries(owner)),
                    duty=next((one for one in operations if one.kind in DUTIES and one.ended_at is None), None),
                    updated=next((one for one in operations if one.kind is OperationKind.UPDATE), None),
                )
            )
    return found, page[-1].tenant_id if len(page) == limit else ""
