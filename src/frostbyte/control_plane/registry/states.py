"""The tenant's life, as one table. The database refuses every other move as well (migrations/control).

What may follow FAILED depends on what failed. A tenant that could not be provisioned is tried again or given up; one
that could not be deprovisioned may hold resources that cost money, so it can only be deprovisioned further.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from frostbyte.kernel.errors import Conflict


class TenantState(StrEnum):
    """Where a tenant stands."""

    PENDING = "PENDING"
    PROVISIONING = "PROVISIONING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DEPROVISIONING = "DEPROVISIONING"
    DEPROVISIONED = "DEPROVISIONED"
    FAILED = "FAILED"


class Failed(StrEnum):
    """What failed, for a tenant that is FAILED; `NOTHING` for every other."""

    NOTHING = ""
    PROVISION = "provision"
    DEPROVISION = "deprovision"


class Move(StrEnum):
    """What an operator or an operation does to a tenant."""

    PROVISION = "provision"
    PROVISIONED = "provisioned"
    PROVISION_FAILED = "provision_failed"
    SUSPEND = "suspend"
    RESUME = "resume"
    DEPROVISION = "deprovision"
    DEPROVISIONED = "deprovisioned"
    DEPROVISION_FAILED = "deprovision_failed"
    RETRY = "retry"
    ABANDON = "abandon"


_S, _F = TenantState, Failed

MOVES: Final[Mapping[tuple[TenantState, Failed, Move], tuple[TenantState, Failed]]] = MappingProxyType(
    {
        (_S.PENDING, _F.NOTHING, Move.PROVISION): (_S.PROVISIONING, _F.NOTHING),
        (_S.PROVISIONING, _F.NOTHING, Move.PROVISIONED): (_S.ACTIVE, _F.NOTHING),
        (_S.PROVISIONING, _F.NOTHING, Move.PROVISION_FAILED): (_S.FAILED, _F.PROVISION),
        (_S.ACTIVE, _F.NOTHING, Move.SUSPEND): (_S.SUSPENDED, _F.NOTHING),
        (_S.SUSPENDED, _F.NOTHING, Move.RESUME): (_S.ACTIVE, _F.NOTHING),
        (_S.ACTIVE, _F.NOTHING, Move.DEPROVISION): (_S.DEPROVISIONING, _F.NOTHING),
        (_S.SUSPENDED, _F.NOTHING, Move.DEPROVISION): (_S.DEPROVISIONING, _F.NOTHING),
        (_S.DEPROVISIONING, _F.NOTHING, Move.DEPROVISIONED): (_S.DEPROVISIONED, _F.NOTHING),
        (_S.DEPROVISIONING, _F.NOTHING, Move.DEPROVISION_FAILED): (_S.FAILED, _F.DEPROVISION),
        (_S.FAILED, _F.PROVISION, Move.RETRY): (_S.PROVISIONING, _F.NOTHING),
        (_S.FAILED, _F.PROVISION, Move.ABANDON): (_S.DEPROVISIONING, _F.NOTHING),
        (_S.FAILED, _F.DEPROVISION, Move.RETRY): (_S.DEPROVISIONING, _F.NOTHING),
    }
)
"""(where it stands, what failed, what is done) -> (where it stands then, what failed then)."""


def moved(state: TenantState, failed: Failed, move: Move) -> tuple[TenantState, Failed]:
    """Where a tenant stands after the move.

    Raises:
        Conflict: `move_illegal`, with the moves that are possible.
    """
    after = MOVES.get((state, failed, move))
    if after is None:
        possible = sorted(other.value for at, what, other in MOVES if (at, what) == (state, failed))
        how = f" ({failed.value} failed)" if failed else ""
        raise Conflict(
            "move_illegal",
            f"A tenant that is {state.value}{how} cannot take the move '{move.value}'.",
            f"Possible from here: {', '.join(possible)}." if possible else "Nothing follows: create another tenant.",
        )
    return after
