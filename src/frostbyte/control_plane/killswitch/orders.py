"""What the registry's rows demand of the edge and of a plane, and what is wrong with a plane's answer. Pure.

Two rules hold at every moment, also between the steps of an operation and after a kill at any of them:

- the edge is open only for a tenant that the registry calls ACTIVE and whose plane has acknowledged that;
- a plane is told to work only for a tenant that may.

What is shut is shut by the registry's word alone; what is opened waits for the plane's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from frostbyte.control_plane.registry.records import StandingRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.records import PlaneState


class Gate(StrEnum):
    """What the edge does with a tenant's requests."""

    OPEN = "open"
    """They reach the tenant's gateway."""
    CLOSED = "closed"
    """They are answered 503."""
    ABSENT = "absent"
    """There is no such host."""


_S, _F = TenantState, Failed

GATES: Final[Mapping[tuple[TenantState, Failed], Gate]] = {
    (_S.PENDING, _F.NOTHING): Gate.ABSENT,
    (_S.PROVISIONING, _F.NOTHING): Gate.CLOSED,
    (_S.ACTIVE, _F.NOTHING): Gate.OPEN,
    (_S.SUSPENDED, _F.NOTHING): Gate.CLOSED,
    (_S.DEPROVISIONING, _F.NOTHING): Gate.CLOSED,
    (_S.DEPROVISIONED, _F.NOTHING): Gate.ABSENT,
    (_S.FAILED, _F.PROVISION): Gate.ABSENT,
    (_S.FAILED, _F.DEPROVISION): Gate.CLOSED,
}
ORDERS: Final[Mapping[tuple[TenantState, Failed], PlaneState | None]] = {
    (_S.PENDING, _F.NOTHING): None,
    (_S.PROVISIONING, _F.NOTHING): PlaneState.ACTIVE,
    (_S.ACTIVE, _F.NOTHING): PlaneState.ACTIVE,
    (_S.SUSPENDED, _F.NOTHING): PlaneState.SUSPENDED,
    (_S.DEPROVISIONING, _F.NOTHING): PlaneState.CLOSED,
    (_S.DEPROVISIONED, _F.NOTHING): None,
    (_S.FAILED, _F.PROVISION): None,  # nobody renews its lease: a plane that heard of it stops by itself
    (_S.FAILED, _F.DEPROVISION): PlaneState.CLOSED,
}


def gate(tenant: TenantRow, standing: StandingRow | None) -> Gate:
    """What the edge must do with the tenant's requests."""
    wanted = GATES[tenant.state, tenant.failed]
    if wanted is Gate.OPEN and not acknowledged(tenant, standing):
        return Gate.CLOSED
    return wanted


def order(tenant: TenantRow) -> PlaneState | None:
    """What the plane must be told; None if it is told nothing."""
    return ORDERS[tenant.state, tenant.failed]


def acknowledged(tenant: TenantRow, standing: StandingRow | None) -> bool:
    """Whether the plane has acknowledged what the registry says now."""
    return standing is not None and standing.acknowledged_version >= tenant.standing_version


def stops(tenant: TenantRow) -> bool:
    """Whether its edge must not be open whatever its plane says: such edges are shut before anything else is done."""
    return GATES[tenant.state, tenant.failed] is not Gate.OPEN
