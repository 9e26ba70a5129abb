"""Makes a tenant's keys anew: the identity that seals its secrets, its certificates, and its credentials of stores.

What names a part is the operation's id or its beginning, so whoever carries it on after a crash neither rotates twice
nor leaves half of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from frostbyte.control_plane.provisioning.ports import (
    Certificates,
    ProvisioningFactory,
    ProvisioningUnitOfWork,
    Vault,
)
from frostbyte.control_plane.provisioning.regiving import Regiving, moving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.changes import changed, found
from frostbyte.control_plane.registry.records import ROTATIONS, OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.upkeep.duty import Stage, Task
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict

CREDENTIALS: Final = ("database-owner", "database-writer", "objects", "redis", "embedder")
"""Passwords by which the tenant's plane enters stores and embedder; administrators' are not among them."""
ENTROPY: Final = 32
"""Random bytes of a password."""
TURN: Final = "rotated-by"
"""The name in the vault under which the operation stands that made the passwords."""
_K: Final = OperationKind


class Rotating:
    """See the module, and `duty.Duty`.

    Args:
        regiving: brings to hosts what was made anew.
    """

    kinds = ROTATIONS
    event = None
    """Each part tells the audit itself."""

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        vault: Vault,
        certificates: Certificates,
        regiving: Regiving,
        clock: Clock,
    ) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._vault, self._certificates, self._regiving = vault, certificates, regiving

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Raises Conflict("tenant_moves") where the tenant has no hosts of ours that stand."""
        if all(owner.tenant_id != tenant.tenant_id for owner in self._regiving.standing()):
            raise moving()
        return {}

    def details(self, task: Task) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """The parts that its kind names."""
        kind = operation.kind
        age = (Stage(name="age_rotated", do=self._age),)
        certificates = (
            Stage(name="certificates_made", do=self._certificates_made),
            Stage(name="certificates_given", do=self._certificates_given),
        )
        credentials = (Stage(name="credentials_given", do=self._credentials),)
        return (
            *(age if kind in (_K.ROTATE_AGE, _K.ROTATE_KEYS) else ()),
            *(certificates if kind in (_K.ROTATE_CERTIFICATES, _K.ROTATE_KEYS) else ()),
            *(credentials if kind in (_K.ROTATE_CREDENTIALS, _K.ROTATE_KEYS) else ()),
        )

    def _age(self, task: Task) -> None:
        self._vault.rotate(task.owner, str(task.operation.operation_id))
        self._tell(task, "age")

    def _certificates_made(self, task: Task) -> None:
        self._certificates.renew(task.owner, task.operation.started_at)

    def _certificates_given(self, task: Task) -> None:
        self._regiving.renew(task.owner, task.stop)
        self._tell(task, "certificates")

    def _credentials(self, task: Task) -> None:
        self._made(task.owner, str(task.operation.operation_id))
        self._regiving.give(task.owner, task.stop)
        # From here on the stores take the new passwords alone, until what entered with the old ones is begun anew.
        self._regiving.again(task.owner, Action.STORAGE, task.stop)
        self._regiving.again(task.owner, Action.DEPLOY, task.stop)
        self._tell(task, "credentials")

    def _made(self, owner: Owner, turn: str) -> None:
        """Seal other passwords, once a turn."""
        held = self._vault.open(owner)
        if held.get(TURN) != turn:
            fresh: dict[str, str] = {name: secrets.token_urlsafe(ENTROPY) for name in CREDENTIALS if name in held}
            self._vault.seal(owner, {**held, **fresh, TURN: turn})

    def _tell(self, task: Task, kind: str) -> None:
        """The audit before the journal: what cannot be audited is done once more rather than never told."""
        operation = task.operation
        with self._unit_of_work() as uow:
            row = found(uow, operation.tenant_id, lock=True)
            details = {"kind": kind, "operation_id": operation.operation_id, "reason": operation.reason}
            changed(uow, self._clock, row, EventType.KEY_ROTATED, operation.actor, details)
            uow.commit()


def kind_of(what: str) -> OperationKind:
    """The operation of a word. Raises Conflict("rotation_unknown")."""
    kinds = {
        "all": OperationKind.ROTATE_KEYS,
        "age": OperationKind.ROTATE_AGE,
        "certificates": OperationKind.ROTATE_CERTIFICATES,
        "credentials": OperationKind.ROTATE_CREDENTIALS,
    }
    try:
        return kinds[what]
    except KeyError:
        raise Conflict(
            "rotation_unknown", "Nothing that is called so can be rotated.", f"Write one of {', '.join(kinds)}."
        ) from None
