"""What takes time: it begins with a move of the tenant, goes step by step, and ends, mostly with another move.

A move and the operation that it begins are one transaction, and so are an operation's end and its move; a control plane
that is killed at any moment leaves a tenant in a legal state and at most an operation that runs. Those are found at the
next start and carried on or ended (`resume`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.control_plane.registry.addresses import checked_endpoints
from frostbyte.control_plane.registry.changes import changed, event_of, last_change, seen, word
from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.ports import Holds, RegistryFactory, RegistryUnitOfWork, Runs
from frostbyte.control_plane.registry.records import (
    DUTIES,
    EndpointsRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    StepRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import Failed, Move, TenantState, moved
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.channel import tenant_held
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, NotFound
from frostbyte.kernel.ids import new_id

BEGINS: Final[Mapping[tuple[Move, Failed], OperationKind]] = {
    (Move.PROVISION, Failed.NOTHING): OperationKind.PROVISION,
    (Move.RETRY, Failed.PROVISION): OperationKind.PROVISION,
    (Move.SUSPEND, Failed.NOTHING): OperationKind.SUSPEND,
    (Move.RESUME, Failed.NOTHING): OperationKind.RESUME,
    (Move.DEPROVISION, Failed.NOTHING): OperationKind.DEPROVISION,
    (Move.ABANDON, Failed.PROVISION): OperationKind.DEPROVISION,
    (Move.RETRY, Failed.DEPROVISION): OperationKind.DEPROVISION,
}
"""(what is done, what had failed) -> the operation that it begins."""

ENDS: Final[Mapping[OperationKind, tuple[Move, Move]]] = {
    OperationKind.PROVISION: (Move.PROVISIONED, Move.PROVISION_FAILED),
    OperationKind.DEPROVISION: (Move.DEPROVISIONED, Move.DEPROVISION_FAILED),
}
"""The move that an operation ends with, when it went well and when not. Suspending and resuming end with none: the
tenant stands there from the first moment, and what follows only carries it out."""

SUPERSEDED: Final = frozenset({OperationKind.SUSPEND, OperationKind.RESUME})
"""A newer operation may end these while they run: a plane that does not answer must not keep its tenant as it is. They
themselves run beside a duty."""

_MAY_REMOVE: Final = frozenset(move for (move, _), kind in BEGINS.items() if kind is OperationKind.DEPROVISION)
_TYPED: Final = frozenset({Move.DEPROVISION, Move.ABANDON})
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

Told = tuple[EventType, Mapping[str, Any]]
"""An event and what it says besides the operation's id, reason and outcome."""
Hook = Callable[[OperationRow], None]
"""Carries on an operation that a killed control plane left running; returns at once."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How a move would go that was not begun.

    Attributes:
        holds: legal holds in the tenant's plane, as it says now or else said last; None where it never did.
        refusals: what it would be refused with; () where it would begin.
    """

    holds: int | None
    refusals: tuple[FrostbyteError, ...]


class Operations:
    """Begins, follows and ends operations.

    Args:
        unit_of_work: opens transactions.
        clock: the control plane's.
        runs: makes and takes away tenants' hosts; None where all planes are attached by hand.
        holds: asks planes for their legal holds; None to go by what they last said alone.
    """

    def __init__(
        self, unit_of_work: RegistryFactory, clock: Clock, runs: Runs | None = None, holds: Holds | None = None
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._runs = runs
        self._holds = holds

    def begin(
        self,
        tenant_id: str,
        move: Move,
        *,
        actor: str,
        reason: str,
        expected: int | None = None,
        confirmation: str = "",
        request: Mapping[str, Any] | None = None,
        once: Once | None = None,
    ) -> OperationRow:
        """Move the tenant and begin the operation that carries it out.

        Args:
            tenant_id: which tenant.
            move: one that begins an operation: provision, suspend, resume, deprovision, retry, abandon.
            actor: who does it.
            reason: a code such as `payment`.
            expected: the tenant's version that the caller saw; None to move it from wherever it stands, as in need.
            confirmation: the tenant's id once more, for what destroys it.
            request: what hosts the tenant is to have, to provision it (provisioning.desired.Request); whether to
                `destroy_data`, to deprovision it. None for what was asked for last, and for a plane attached by hand.
            once: the request, if it may be sent again.

        Raises:
            Invalid: `reason_invalid`, `confirmation_wrong`, `provision_request_invalid`.
            NotFound: `tenant_not_found`.
            Conflict: `tenant_changed`, `move_illegal`, both saying what happened; `operation_running`, `run_running`,
                `endpoints_missing`, `idempotency_conflict`; `tenant_held`: it would be removed, and its plane has legal
                holds, or had when it last answered.
        """
        self._check(tenant_id, move, reason, confirmation)
        held = self._holds(tenant_id) if self._holds is not None and move in _MAY_REMOVE else None  # takes its time
        with self._unit_of_work() as uow:
            before = recalled(uow, once, OperationRow)
            if before is not None:
                return before
            row = seen(uow, tenant_id, expected)
            operation = self._begin(uow, row, move, actor, reason, self._runs, request)
            if operation.kind is OperationKind.DEPROVISION:
                _see_that_nothing_is_held(uow, row, held)
            kept(uow, once, operation, self._clock)
            uow.commit()
        return operation

    def tried(self, tenant_id: str, move: Move) -> Tried:
        """What `begin` would say now. All is done as there, and nothing is written.

        Raises:
            NotFound: `tenant_not_found`.
        """
        held = self._holds(tenant_id) if self._holds is not None else None
        refusals: list[FrostbyteError] = []
        with self._unit_of_work() as uow:  # it ends without a commit
            row = seen(uow, tenant_id, None)
            last = uow.standings.get(tenant_id)
            try:
                _see_that_nothing_is_held(uow, row, held)
            except Conflict as error:
                refusals.append(error)
            try:
                self._begin(uow, row, move, "nobody", "dry_run", self._runs)
            except FrostbyteError as error:
                refusals.append(error)
        known = last.holds if held is None and last is not None else held
        return Tried(holds=known, refusals=tuple(refusals))

    def attach(
        self,
        tenant_id: str,
        *,
        gateway_url: str,
        channel_url: str,
        ca_pem: str,
        log_key: str,
        actor: str,
        reason: str,
        expected: int | None = None,
        once: Once | None = None,
    ) -> OperationRow:
        """Register how a plane that stands already is reached, and begin to take it into service.

        Works for a tenant that is PENDING or that could not be provisioned.

        Raises:
            Invalid: `endpoints_invalid`, `reason_invalid`.
            NotFound: `tenant_not_found`.
            Conflict: as `begin`.
        """
        self._check(tenant_id, Move.PROVISION, reason, "")
        endpoints = checked_endpoints(
            EndpointsRow(
                tenant_id=tenant_id,
                gateway_url=gateway_url,
                channel_url=channel_url,
                ca_pem=ca_pem,
                log_key=log_key,
                registered_at=self._clock.now(),
            )
        )
        with self._unit_of_work() as uow:
            before = recalled(uow, once, OperationRow)
            if before is not None:
                return before
            row = seen(uow, tenant_id, expected)
            move = Move.RETRY if row.failed is Failed.PROVISION else Move.PROVISION
            _possible(uow, row, move)
            uow.endpoints.put(endpoints)
            row = changed(
                *(uow, self._clock, row, EventType.TENANT_ENDPOINTS_SET, actor), {"reason": reason, "status": "changed"}
            )
            operation = self._begin(uow, row, move, actor, reason)
            kept(uow, once, operation, self._clock)
            uow.commit()
        return operation

    def _begin(
        self,
        uow: RegistryUnitOfWork,
        row: TenantRow,
        move: Move,
        actor: str,
        reason: str,
        runs: Runs | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> OperationRow:
        state, failed = _possible(uow, row, move)
        operation = OperationRow(
            operation_id=new_id(),
            tenant_id=row.tenant_id,
            kind=BEGINS[move, row.failed],
            status=OperationStatus.RUNNING,
            actor=actor,
            reason=reason,
            started_at=self._clock.now(),
            ended_at=None,
            code="",
        )
        managed = runs is not None and runs.begun(uow, row, operation, request)
        unreachable = not managed and uow.endpoints.get(row.tenant_id) is None
        if operation.kind is OperationKind.PROVISION and unreachable:
            raise Conflict(
                "endpoints_missing",
                "Nobody has said yet how the tenant's plane is reached.",
                "Use `tenant attach` with the addresses of its gateway and channel.",
            )
        self._supersede(uow, row, operation.kind)
        details = {"reason": reason, "operation_id": operation.operation_id, **_way(row, state)}
        changed(
            *(uow, self._clock, row, event_of(move, row.failed), actor, details),
            state=state,
            failed=failed,
            standing_version=row.standing_version + 1,
        )
        uow.operations.add(operation)
        return operation

    def _supersede(self, uow: RegistryUnitOfWork, row: TenantRow, kind: OperationKind) -> None:
        for running in uow.operations.running(row.tenant_id):
            if running.kind in DUTIES and kind in SUPERSEDED:
                continue
            if running.kind not in SUPERSEDED:
                raise Conflict(
                    "operation_running",
                    f"A {running.kind.value} runs for this tenant, begun by {running.actor}.",
                    "Wait until it has ended.",
                )
            uow.operations.end(_ended(running, self._clock, "operation_superseded"))

    def step(self, operation_id: UUID, step: str, *, code: str = "", facts: Mapping[str, Any] | None = None) -> StepRow:
        """Note that the operation did something, or with a `code` that it failed to.

        Args:
            facts: what of it later steps and people need, as JSON values.

        Raises:
            NotFound: `operation_not_found`.
            Conflict: `operation_ended`: whoever runs it has to stop.
        """
        with self._unit_of_work() as uow:
            running = _running(uow, operation_id)
            steps = uow.operations.steps(running.operation_id)
            row = StepRow(
                operation_id=running.operation_id,
                number=len(steps) + 1,
                step=step,
                status=OperationStatus.FAILED if code else OperationStatus.SUCCEEDED,
                code=code,
                at=self._clock.now(),
                facts=dict(facts or {}),
            )
            uow.operations.add_step(row)
            uow.commit()
        return row

    def end(self, operation_id: UUID, *, code: str = "", told: Told | None = None) -> OperationRow:
        """End the operation, with the `code` of what went wrong or none, and move its tenant on.

        Args:
            told: what the audit is told of an operation that moves nobody.

        Raises:
            NotFound: `operation_not_found`.
            Conflict: `operation_ended`.
        """
        with self._unit_of_work() as uow:
            known = uow.operations.get(operation_id)
            if known is not None:  # the tenant first: everybody takes the locks in this order
                uow.tenants.get(known.tenant_id, lock=True)
            operation = _ended(_running(uow, operation_id), self._clock, code)
            uow.operations.end(operation)
            if operation.kind in ENDS:
                self._move_on(uow, operation)
            elif told is not None:
                self._tell(uow, operation, told)
            if self._runs is not None:
                self._runs.ended(uow, operation)
            uow.commit()
        return operation

    def _tell(self, uow: RegistryUnitOfWork, operation: OperationRow, told: Told) -> None:
        type, details = told
        told_always = {"reason": operation.reason, "operation_id": operation.operation_id}
        outcome = {"status": operation.status.value, **({"code": operation.code} if operation.code else {})}
        row = seen(uow, operation.tenant_id, None)
        changed(uow, self._clock, row, type, operation.actor, {**told_always, **outcome, **details})

    def _move_on(self, uow: RegistryUnitOfWork, operation: OperationRow) -> None:
        well, badly = ENDS[operation.kind]
        move = badly if operation.code else well
        row = seen(uow, operation.tenant_id, None)
        state, failed = moved(row.state, row.failed, move)
        details = {"reason": operation.reason, "operation_id": operation.operation_id, **_way(row, state)}
        if operation.code:
            details["code"] = operation.code
        changed(
            *(uow, self._clock, row, event_of(move, row.failed), operation.actor, details),
            state=state,
            failed=failed,
            octet=None if state is TenantState.DEPROVISIONED else row.octet,
        )

    def resume(self, hooks: Mapping[OperationKind, Hook]) -> list[OperationRow]:
        """Carry on what a control plane that was killed left running, each by the hook of its kind.

        What has no hook, and what its hook refuses, ends as failed (`operation_interrupted`, or the hook's code): it
        is visible and can be tried again.

        Returns:
            the operations that were found.
        """
        with self._unit_of_work() as uow:
            left = uow.operations.running()
        for operation in left:
            hook = hooks.get(operation.kind)
            try:
                if hook is None:
                    self.end(operation.operation_id, code="operation_interrupted")
                else:
                    hook(operation)
            except FrostbyteError as error:
                if error.code != "operation_ended":
                    self.end(operation.operation_id, code=error.code)
        return left

    def show(self, operation_id: UUID) -> OperationRow:
        """The operation. Raises NotFound("operation_not_found")."""
        with self._unit_of_work() as uow:
            return _operation(uow, operation_id)

    def steps(self, operation_id: UUID, *, after: int = 0) -> list[StepRow]:
        """Its steps in order, those after a number. Raises NotFound("operation_not_found")."""
        with self._unit_of_work() as uow:
            _operation(uow, operation_id)
            return uow.operations.steps(operation_id, after=after)

    def page(self, *, tenant_id: str | None = None, before: UUID | None = None, limit: int = 100) -> list[OperationRow]:
        """Newest first."""
        with self._unit_of_work() as uow:
            return uow.operations.page(tenant_id=tenant_id, before=before, limit=limit)

    @staticmethod
    def _check(tenant_id: str, move: Move, reason: str, confirmation: str) -> None:
        if not _CODE.fullmatch(reason):
            raise Invalid(
                "reason_invalid",
                "The reason goes into the audit, so it is a code and no free text.",
                "Write a word such as payment, incident or requested: a-z, 0-9 and '_'.",
            )
        if move in _TYPED and confirmation != tenant_id:
            raise Invalid(
                "confirmation_wrong",
                "This cannot be undone, and what was typed is not the tenant's id.",
                "Type the id of the tenant once more.",
            )


def _possible(uow: RegistryUnitOfWork, row: TenantRow, move: Move) -> tuple[TenantState, Failed]:
    """Where the move leads. Raises Conflict("move_illegal"), saying what happened last."""
    try:
        after = moved(row.state, row.failed, move)
    except Conflict as error:
        raise Conflict(error.code, f"{error.message} {last_change(uow, row)}", error.remedy) from None
    if (move, row.failed) not in BEGINS:
        raise Conflict(
            "move_not_yours",
            f"The move '{move.value}' is the end of an operation.",
            "It is made by the operation itself.",
        )
    return after


def _see_that_nothing_is_held(uow: RegistryUnitOfWork, row: TenantRow, held: int | None) -> None:
    """Raises Conflict("tenant_held").

    A plane that does not answer is taken at its last word. If that was none it is asked again before anything of it is
    destroyed: it closes only without holds, unless an operator has said that it is no more.
    """
    if held is None:
        last = uow.standings.get(row.tenant_id)
        held = last.holds if last is not None else 0
    if held:
        raise tenant_held(held)


def _way(row: TenantRow, state: TenantState) -> dict[str, object]:
    return {"from_state": word(row.state), "to_state": word(state), "status": "changed"}


def _ended(row: OperationRow, clock: Clock, code: str) -> OperationRow:
    status = OperationStatus.FAILED if code else OperationStatus.SUCCEEDED
    return replace(row, status=status, code=code, ended_at=clock.now())


def _operation(uow: RegistryUnitOfWork, operation_id: UUID, *, lock: bool = False) -> OperationRow:
    row = uow.operations.get(operation_id, lock=lock)
    if row is None:
        raise NotFound("operation_not_found", "There is no such operation.", "Check the id.")
    return row


def _running(uow: RegistryUnitOfWork, operation_id: UUID) -> OperationRow:
    row = _operation(uow, operation_id, lock=True)
    if row.status is not OperationStatus.RUNNING:
        raise Conflict(
            "operation_ended",
            f"The operation has ended: {row.status.value}{f' ({row.code})' if row.code else ''}.",
            "Look at the tenant: a newer operation may have taken its place.",
        )
    return row
