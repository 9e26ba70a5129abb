"""Makes a tenant's keys anew: the identity that seals its secrets, its certificates, and its credentials of stores.

A rotation is an operation that moves nobody. Each of its parts can be done again at any moment: what names it is the
operation's id or its beginning, so whoever carries it on after a crash neither rotates twice nor leaves half of it.
"""

from __future__ import annotations

import secrets
import threading
from typing import Final

import structlog

from frostbyte.control_plane.provisioning.ports import Certificates, ProvisioningFactory, Vault
from frostbyte.control_plane.provisioning.regiving import Regiving, moving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.retry import AGAIN
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.changes import changed, found, seen
from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import ROTATIONS, OperationKind, OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.ids import new_id

LOOK_SECONDS: Final = 5.0
"""Until what could not be done is tried again: a host that does not answer, a database that is away."""
MOST: Final = 60
"""Tries, five minutes together; then the operation fails and can be begun anew."""
CREDENTIALS: Final = ("database-owner", "database-writer", "objects", "redis", "embedder")
"""Passwords by which the tenant's plane enters stores and embedder; administrators' are not among them."""
ENTROPY: Final = 32
"""Random bytes of a password."""
TURN: Final = "rotated-by"
"""The name in the vault under which the operation stands that made the passwords."""
_STANDS: Final = (TenantState.ACTIVE, TenantState.SUSPENDED)
_K: Final = OperationKind
_log = structlog.get_logger("frostbyte.provisioner")


class Rotating:
    """See the module.

    Args:
        regiving: brings to hosts what was made anew.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        operations: Operations,
        vault: Vault,
        certificates: Certificates,
        regiving: Regiving,
        clock: Clock,
    ) -> None:
        self._unit_of_work, self._operations, self._clock = unit_of_work, operations, clock
        self._vault, self._certificates, self._regiving = vault, certificates, regiving
        self._wake = threading.Event()
        self._tries: dict[str, int] = {}

    def begin(
        self,
        tenant_id: str,
        kind: OperationKind,
        *,
        actor: str,
        reason: str,
        expected: int | None = None,
        once: Once | None = None,
    ) -> OperationRow:
        """Begin a rotation; `run` carries it out.

        Raises:
            NotFound: `tenant_not_found`.
            Conflict: `tenant_changed`; `tenant_moves` where it has no hosts of ours that stand; `operation_running`;
                `idempotency_conflict`.
        """
        assert kind in ROTATIONS
        with self._unit_of_work() as uow:
            before = recalled(uow, once, OperationRow)
            if before is not None:
                return before
            row = seen(uow, tenant_id, expected)
            if row.state not in _STANDS or not self._standing(tenant_id):
                raise moving()
            operation = OperationRow(
                operation_id=new_id(),
                tenant_id=tenant_id,
                kind=kind,
                status=OperationStatus.RUNNING,
                actor=actor,
                reason=reason,
                started_at=self._clock.now(),
                ended_at=None,
                code="",
            )
            uow.operations.add(operation)
            kept(uow, once, operation, self._clock)
            uow.commit()
        self._wake.set()
        return operation

    def carry(self, operation: OperationRow) -> None:
        """The hook of rotations: `run` goes on with it."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Carry out rotations until the event is set."""
        while not stop.is_set():
            self._wake.clear()
            self.turn(stop)
            self._wake.wait(LOOK_SECONDS)

    def turn(self, stop: threading.Event) -> None:
        """Go on with every rotation that is under way."""
        try:
            with self._unit_of_work() as uow:
                running = [row for row in uow.operations.running() if row.kind in ROTATIONS]
        except FrostbyteError as error:
            _log.warning("rotations_wait", code=error.code)
            return
        for operation in running:
            if not stop.is_set():
                self._carried(operation, stop)

    def _carried(self, operation: OperationRow, stop: threading.Event) -> None:
        name = str(operation.operation_id)
        try:
            try:
                self._rotate(operation, stop)
                self._operations.end(operation.operation_id)
            except FrostbyteError as error:
                self._tries[name] = self._tries.get(name, 0) + 1
                again = error.code in AGAIN or error.code in ("host_unreachable", "host_slow", "sops_failed")
                _log.warning("rotation_waits", tenant=operation.tenant_id, code=error.code)
                if error.code == "operation_ended" or stop.is_set() or (again and self._tries[name] < MOST):
                    return
                self._operations.end(operation.operation_id, code=error.code)
        except FrostbyteError as error:  # ended by a newer operation, or the registry is away: looked at again
            _log.warning("rotation_waits", tenant=operation.tenant_id, code=error.code)
        else:
            self._tries.pop(name, None)

    def _rotate(self, operation: OperationRow, stop: threading.Event) -> None:
        owner = self._owner(operation.tenant_id)
        done = {step.step for step in self._operations.steps(operation.operation_id)}
        if operation.kind in (_K.ROTATE_AGE, _K.ROTATE_KEYS) and "age_rotated" not in done:
            self._vault.rotate(owner, str(operation.operation_id))
            self._note(operation, "age_rotated", "age")
        if operation.kind in (_K.ROTATE_CERTIFICATES, _K.ROTATE_KEYS) and "certificates_given" not in done:
            if "certificates_made" not in done:
                self._certificates.renew(owner, operation.started_at)
                self._operations.step(operation.operation_id, "certificates_made")
            self._regiving.renew(owner, stop)
            self._note(operation, "certificates_given", "certificates")

        if operation.kind in (_K.ROTATE_CREDENTIALS, _K.ROTATE_KEYS) and "credentials_given" not in done:
            self._made(owner, str(operation.operation_id))
            self._regiving.give(owner, stop)
            # From here on the stores take the new passwords alone, until what entered with the old ones is begun anew.
            self._regiving.again(owner, Action.STORAGE, stop)
            self._regiving.again(owner, Action.DEPLOY, stop)
            self._note(operation, "credentials_given", "credentials")

    def _made(self, owner: Owner, turn: str) -> None:
        """Seal other passwords, once a turn."""
        held = self._vault.open(owner)
        if held.get(TURN) != turn:
            fresh: dict[str, str] = {name: secrets.token_urlsafe(ENTROPY) for name in CREDENTIALS if name in held}
            self._vault.seal(owner, {**held, **fresh, TURN: turn})

    def _note(self, operation: OperationRow, step: str, kind: str) -> None:
        """The audit first: what cannot be audited is done once more rather than never told."""
        with self._unit_of_work() as uow:
            row = found(uow, operation.tenant_id, lock=True)
            details = {"kind": kind, "operation_id": operation.operation_id, "reason": operation.reason}
            changed(uow, self._clock, row, EventType.KEY_ROTATED, operation.actor, details)
            uow.commit()
        self._operations.step(operation.operation_id, step)

    def _standing(self, tenant_id: str) -> bool:
        return any(owner.tenant_id == tenant_id for owner in self._regiving.standing())

    def _owner(self, tenant_id: str) -> Owner:
        for owner in self._regiving.standing():
            if owner.tenant_id == tenant_id:
                return owner
        raise moving()


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
