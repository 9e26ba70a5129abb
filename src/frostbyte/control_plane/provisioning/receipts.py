"""Notes what of a tenant is destroyed, while it is, and issues the receipt when all is gone.

destroying.keys, .certificates, .stores     while a run takes a tenant down
issue                                       when its run has ended: once for an operation, whoever asks again
confirm                                     when the operator has destroyed the tenant's recovery identity
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from frostbyte.control_plane.provisioning.journal import Direction
from frostbyte.control_plane.provisioning.ports import Certificates, ProvisioningFactory, ProvisioningUnitOfWork, Vault
from frostbyte.control_plane.provisioning.receipt import (
    Checked,
    DestroyedRow,
    Destruction,
    LogEnd,
    Part,
    ReceiptKind,
    ReceiptRow,
    ReceiptState,
    check,
    content,
    digest,
    written,
)
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.changes import found
from frostbyte.kernel.audit.checkpoint import Signer, public_key
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.ids import new_id

LogEnds = Callable[[str], Sequence[LogEnd]]
"""How far a tenant's logs were verified, by the ledger."""


class Destroying:
    """Destroys what no cloud knows of. Each may be called again after a crash.

    Names are noted before: a receipt is issued only when all of it is gone, so whoever is killed in between destroys
    the rest, and no name is lost.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        vault: Vault,
        certificates: Certificates,
        clock: Clock,
        forget: Callable[[Owner], Sequence[str]] = lambda owner: (),
    ) -> None:
        self._unit_of_work, self._vault, self._forget = unit_of_work, vault, forget
        self._certificates, self._clock = certificates, clock

    def keys(self, owner: Owner, operation_id: UUID) -> None:
        """The tenant's identities and sealed secrets. Which recovery identity is left to the operator is noted too.

        Where its data is to be destroyed, its backups go before: until then they can be opened.
        """
        if self.wanted(operation_id):
            self.note(owner, operation_id, Part.STORES, self._forget(owner))
        held = self._vault.holds(owner)
        with self._unit_of_work() as uow:
            known = any(row.part is Part.KEYS for row in uow.receipts.noted(operation_id))
        if held and not known:  # of what a killed run left nothing more is asked
            self.note(owner, operation_id, Part.RECOVERY, self._vault.recipients(owner)[1:])
            self.note(owner, operation_id, Part.KEYS, held)
        self._vault.destroy(owner)

    def wanted(self, run_id: UUID) -> bool:
        """Whether a run takes its owner down and somebody said to destroy the data."""
        with self._unit_of_work() as uow:
            run = uow.journal.run(run_id)
        return run is not None and run.direction is Direction.DOWN and run.request.get("destroy_data") is True

    def certificates(self, owner: Owner, operation_id: UUID) -> None:
        """The tenant's authority and all that it signed."""
        self.note(owner, operation_id, Part.CERTIFICATES, self._certificates.holds(owner))
        self._certificates.destroy(owner)

    def note(self, owner: Owner, operation_id: UUID, part: Part, what: Sequence[str]) -> None:
        """Note what was destroyed; what is noted already is not noted twice."""
        if not owner.tenant_id:
            return  # nobody is given a receipt for a base
        with self._unit_of_work() as uow:
            known = {name for row in uow.receipts.noted(operation_id) if row.part is part for name in row.what}
            fresh = tuple(name for name in what if name not in known)
            if not fresh:
                return
            uow.receipts.note(
                DestroyedRow(
                    destroyed_id=new_id(),
                    tenant_id=owner.tenant_id,
                    operation_id=operation_id,
                    part=part,
                    what=fresh,
                    at=self._clock.now(),
                )
            )
            uow.commit()


class Erasing:
    """What is asked of and told by whoever empties a tenant's stores on their host."""

    def __init__(self, destroying: Destroying) -> None:
        self._destroying = destroying
        self.wanted = destroying.wanted

    def erased(self, owner: Owner, run_id: UUID, said: str) -> None:
        """Note what `frostbyte storage destroy --json` printed.

        Raises:
            Conflict: `stores_not_erased`: it does not say that a store was seen to be empty.
        """
        try:
            found = json.loads(said)
            removed, empty = [str(one) for one in found["removed"]], [str(one) for one in found["checked_empty"]]
        except (ValueError, KeyError, TypeError):
            removed, empty = [], []
        if not empty:
            raise Conflict(
                "stores_not_erased",
                "The host did not say that the tenant's stores are empty.",
                "Look at the stores on that host; then carry on with `tenant retry`.",
            )
        self._destroying.note(owner, run_id, Part.STORES, [*removed, *(f"{name}: seen to be empty" for name in empty)])


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A receipt for people and programs."""

    rows: tuple[ReceiptRow, ...]
    checked: Checked

    @property
    def document(self) -> dict[str, Any]:
        """What `frostbyte tenant receipt --json` prints and `--out` writes: it can be checked offline."""
        return {
            "state": self.checked.state.value,
            "receipt": dict(self.checked.said),
            "confirmation": dict(self.checked.confirmed) if self.checked.confirmed else None,
            "notes": [row.note for row in self.rows],
        }


class Receipts:
    """See the module.

    Args:
        signer: the control plane's own log key.
        log_ends: what the ledger holds of a tenant's logs.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, signer: Signer, log_ends: LogEnds, clock: Clock) -> None:
        self._unit_of_work, self._signer = unit_of_work, signer
        self._log_ends, self._clock = log_ends, clock

    def issue(self, operation_id: UUID) -> ReceiptRow:
        """The receipt of an operation that took a tenant down; made at the first call.

        Raises:
            NotFound: `operation_not_found`.
            Unavailable: `database_unavailable`.
        """
        with self._unit_of_work() as uow:
            operation = uow.operations.get(operation_id)
            if operation is None:
                raise NotFound("operation_not_found", "There is no such operation.", "Check the id.")
            known = _of(uow.receipts.of(operation.tenant_id), operation_id, ReceiptKind.DESTRUCTION)
            if known is not None:
                return known
        logs = self._log_ends(operation.tenant_id)
        with self._unit_of_work() as uow:
            tenant = found(uow, operation.tenant_id, lock=True)
            project = uow.projects.get(tenant.project_id)
            environment = project.environment if project else ""
            owner = Owner(environment=environment, project_id=tenant.project_id, tenant_id=tenant.tenant_id)
            receipt_id = new_id()
            said = content(
                Destruction(
                    receipt_id=receipt_id,
                    environment=environment,
                    project_id=tenant.project_id,
                    tenant_id=tenant.tenant_id,
                    operation_id=operation_id,
                    began_at=operation.started_at,
                    issued_at=self._clock.now(),
                    entries=uow.journal.entries(owner),
                    destroyed=uow.receipts.noted(operation_id),
                    logs=logs,
                )
            )
            known = _of(uow.receipts.of(tenant.tenant_id), operation_id, ReceiptKind.DESTRUCTION)
            if known is not None:  # another one was faster
                return known
            note = written(ReceiptKind.DESTRUCTION, said, self._signer)
            row = self._add(uow, tenant.tenant_id, operation_id, receipt_id, ReceiptKind.DESTRUCTION, note, "control")
            uow.commit()
        return row

    def confirm(self, tenant_id: str, actor: str, confirmation: str) -> Shown:
        """Note that the tenant's recovery identity is destroyed wherever it was kept: the receipt is final from now on.

        Args:
            confirmation: the public key of the recovery identity, once more: there may be others nearby.

        Raises:
            NotFound: `tenant_not_found`, `receipt_missing`.
            Conflict: `recovery_not_named`.
        """
        shown = self.show(tenant_id)
        if shown.checked.state is ReceiptState.FINAL:
            return shown
        if confirmation not in shown.checked.said["recovery"]:
            raise Conflict(
                "recovery_not_named",
                "What was named is not the recovery identity that this tenant's secrets were sealed for.",
                "Compare with the receipt: destroy the identity that it names, then name it here.",
            )
        receipt = shown.rows[0]
        said = {
            "receipt_id": str(receipt.receipt_id),
            "receipt_sha256": receipt.sha256,
            "tenant_id": tenant_id,
            "recovery": shown.checked.said["recovery"],
            "confirmed_at": iso(self._clock.now()),
            "actor": actor,
        }
        with self._unit_of_work() as uow:
            found(uow, tenant_id, lock=True)
            if len([row for row in uow.receipts.of(tenant_id) if row.operation_id == receipt.operation_id]) == 1:
                note = written(ReceiptKind.RECOVERY, said, self._signer)
                self._add(uow, tenant_id, receipt.operation_id, new_id(), ReceiptKind.RECOVERY, note, actor)
                uow.commit()
        return self.show(tenant_id)

    def show(self, tenant_id: str) -> Shown:
        """The newest receipt of a tenant. Raises NotFound: `tenant_not_found`, `receipt_missing`."""
        with self._unit_of_work() as uow:
            found(uow, tenant_id)
            rows = uow.receipts.of(tenant_id)
            before = [public_key(log.public_key) for log in uow.audit.ended()]
        first = [row for row in rows if row.kind is ReceiptKind.DESTRUCTION]
        if not first:
            raise NotFound(
                "receipt_missing",
                "There is no receipt for this tenant: it was not destroyed by this control plane, or not wholly yet.",
                "Look at its operations; a deprovisioning that failed is carried on by `tenant retry`.",
            )
        own = tuple(row for row in rows if row.operation_id == first[-1].operation_id)
        return Shown(rows=own, checked=check([row.note for row in own], self._signer.public_key, *before))

    def _add(
        self,
        uow: ProvisioningUnitOfWork,
        tenant_id: str,
        operation_id: UUID,
        receipt_id: UUID,
        kind: ReceiptKind,
        note: str,
        actor: str,
    ) -> ReceiptRow:
        issued = kind is ReceiptKind.DESTRUCTION
        type = EventType.TENANT_RECEIPT_ISSUED if issued else EventType.TENANT_RECOVERY_DESTROYED
        details = {"component": "receipts", "operation_id": operation_id, "output_hash": digest(note)}
        event = make_event(tenant_id, type, self._clock, actor, "receipt", str(receipt_id), details)
        uow.audit.append(event)
        row = ReceiptRow(
            receipt_id=receipt_id,
            tenant_id=tenant_id,
            operation_id=operation_id,
            kind=kind,
            note=note,
            sha256=digest(note),
            actor=actor,
            issued_at=event.timestamp,
        )
        uow.receipts.add(row)
        return row


def _of(rows: Sequence[ReceiptRow], operation_id: UUID, kind: ReceiptKind) -> ReceiptRow | None:
    return next((row for row in rows if row.operation_id == operation_id and row.kind is kind), None)
