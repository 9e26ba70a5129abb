"""Begins duties, carries them out stage by stage, and takes back what cannot be finished; after any crash it goes on.

The journal is the operation's own steps: `NAME` for a stage that is done, `turned_back` with a code from the moment
that it is being taken back, `undo.NAME` for what was. Between two of them a stage is done again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

import structlog

from frostbyte.control_plane.provisioning.making import translated
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.retry import AGAIN, MOST
from frostbyte.control_plane.registry.changes import seen
from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import DUTIES, OperationKind, OperationRow, OperationStatus, StepRow
from frostbyte.control_plane.upkeep.duty import Duty, Facts, GivenUp, Stage, Stopped, Task, standing
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, NotFound
from frostbyte.kernel.ids import new_id

TURN_SECONDS: Final = 1.0
REST_SECONDS: Final = 5.0
"""Before an operation whose registry was away is taken up again."""
AT_ONCE: Final = 8
"""Duties that are carried out at the same time; further ones wait."""
PASSES: Final = frozenset({"sops_failed", "upkeep_waits"})
"""Codes that pass by themselves, besides those of the cloud and of hosts (provisioning.retry)."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
TURNED: Final = "turned_back"
UNDO: Final = "undo."
_log = structlog.get_logger("frostbyte.upkeep")


class Foreman:
    """See the module.

    Args:
        duties: what can be done.
        operations: where it is written down.
        first_pause: seconds before the second attempt; each further pause is twice as long.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        operations: Operations,
        clock: Clock,
        duties: Sequence[Duty],
        *,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._unit_of_work, self._operations, self._clock = unit_of_work, operations, clock
        self._duties = {kind: duty for duty in duties for kind in duty.kinds}
        self._first_pause = first_pause
        self._wake = threading.Event()
        self._under_way: dict[UUID, Future[bool]] = {}
        self._rests: dict[UUID, float] = {}

    @property
    def kinds(self) -> frozenset[OperationKind]:
        """What it can do."""
        return frozenset(self._duties)

    def stages(self, operation: OperationRow) -> tuple[str, ...]:
        """Names of what a duty does, in order; () for one that this control plane cannot do."""
        duty = self._duties.get(operation.kind)
        return tuple(stage.name for stage in duty.stages(operation)) if duty is not None else ()

    def begin(
        self,
        tenant_id: str,
        kind: OperationKind,
        request: Mapping[str, Any],
        *,
        actor: str,
        reason: str,
        expected: int | None = None,
        once: Once | None = None,
    ) -> OperationRow:
        """Begin a duty; `run` carries it out.

        Args:
            tenant_id: whose.
            kind: one of DUTIES.
            request: as its duty reads it.
            actor: who asks.
            reason: a code for the audit.
            expected: the tenant's version that the caller saw; None for whatever it is.
            once: the request, if it may be sent again.

        Raises:
            NotFound: `tenant_not_found`.
            Conflict: `tenant_changed`; `tenant_not_standing`; `operation_running`; `idempotency_conflict`;
                `duty_missing` where this control plane cannot do it; and what the duty raises.
            Invalid: what the duty raises.
        """
        assert kind in DUTIES
        duty = self._duties.get(kind)
        if duty is None:
            raise Conflict(
                "duty_missing",
                f"This control plane cannot do a {kind.value}: it has no hosts of tenants to work on.",
                "Set what provisioning needs (docs/provisioning.md), and start it again.",
            )
        with self._unit_of_work() as uow:
            before = recalled(uow, once, OperationRow)
            if before is not None:
                return before
            row = seen(uow, tenant_id, expected)
            standing(row)
            for running in uow.operations.running(tenant_id):
                if running.kind in DUTIES:
                    raise Conflict(
                        "operation_running",
                        f"A {running.kind.value} runs for this tenant, begun by {running.actor}.",
                        "Wait until it has ended.",
                    )
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
                request=duty.asked(uow, row, kind, request),
            )
            uow.operations.add(operation)
            kept(uow, once, operation, self._clock)
            uow.commit()
        self._wake.set()
        return operation

    def carry(self, operation: OperationRow) -> None:
        """The hook of duties: `run` goes on with it."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Carry out duties until the event is set. What is under way then is left where its journal says that it is."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="duty") as pool:
            while not stop.is_set():
                self._wake.clear()
                self._turn(pool, stop)
                self._wake.wait(TURN_SECONDS)

    def turn(self, stop: threading.Event) -> None:
        """Carry every duty that is under way as far as it goes, one after the other. For tests and commands."""
        for operation in self._due():
            self.carried(operation, stop)

    def _turn(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        for operation_id, future in list(self._under_way.items()):
            if future.done():
                del self._under_way[operation_id]
                if future.exception() is not None:
                    _log.error("duty_broke", error=type(future.exception()).__name__)
                if future.exception() is not None or not future.result():
                    self._rests[operation_id] = time.monotonic() + REST_SECONDS
        for operation in self._due():
            key = operation.operation_id
            if key not in self._under_way and time.monotonic() >= self._rests.get(key, 0.0):
                self._under_way[key] = pool.submit(self.carried, operation, stop)

    def _due(self) -> list[OperationRow]:
        try:
            with self._unit_of_work() as uow:
                return [row for row in uow.operations.running() if row.kind in self._duties]
        except FrostbyteError as error:  # the registry is away
            _log.warning("upkeep_waits", code=error.code)
            return []

    def carried(self, operation: OperationRow, stop: threading.Event) -> bool:
        """Carry one duty to its end. False where it goes on later: the process ends, or the registry is away."""
        try:
            work = _Work(self._operations, self._owner(operation.tenant_id), operation, stop, self._first_pause)
            self._carried(work, self._duties[operation.kind])
        except Stopped:
            return False
        except FrostbyteError as error:
            _log.warning("upkeep_waits", tenant=operation.tenant_id, code=error.code)
            return error.code in ("operation_ended", "operation_not_found")
        return True

    def _carried(self, work: _Work, duty: Duty) -> None:
        stages = duty.stages(work.operation)
        code = work.turned
        if not code:
            code = work.forward(stages)
            if code and not work.past(stages):
                self._operations.step(work.operation.operation_id, TURNED, code=code)
                work.turned = code
        if work.turned and not work.back(stages):
            code = "upkeep_remains"
        told = None if duty.event is None else (duty.event, duty.details(work))
        self._operations.end(work.operation.operation_id, code=code, told=told)

    def _owner(self, tenant_id: str) -> Owner:
        with self._unit_of_work() as uow:
            tenant = uow.tenants.get(tenant_id)
            project = uow.projects.get(tenant.project_id) if tenant else None
        if tenant is None or project is None:
            raise NotFound("tenant_not_found", "There is no such tenant.", "Check the id; `tenant list` shows all.")
        return Owner(environment=project.environment, project_id=project.project_id, tenant_id=tenant_id)


class _Work(Task):
    """One operation under way: its journal as it is now."""

    def __init__(
        self, operations: Operations, owner: Owner, operation: OperationRow, stop: threading.Event, pause: float
    ) -> None:
        self._operations, self._owner, self._operation, self._stop = operations, owner, operation, stop
        self._first_pause = pause
        steps = operations.steps(operation.operation_id)
        self._done = {row.step: row for row in steps if row.status is OperationStatus.SUCCEEDED}
        self.turned = next((row.code for row in steps if row.step == TURNED), "")
        """The code that turned it back; '' for none."""

    @property
    def operation(self) -> OperationRow:
        return self._operation

    @property
    def owner(self) -> Owner:
        return self._owner

    @property
    def request(self) -> Mapping[str, Any]:
        return self._operation.request

    def facts(self, stage: str) -> Mapping[str, Any]:
        return self._done[stage].facts

    @property
    def stop(self) -> threading.Event:
        return self._stop

    def pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def past(self, stages: Sequence[Stage]) -> bool:
        """Whether a stage is done after which the only way is forward."""
        return any(stage.final and stage.name in self._done for stage in stages)

    def forward(self, stages: Sequence[Stage]) -> str:
        """Do what is not done yet. The code of what cannot be done; '' when all is."""
        for stage in stages:
            if stage.name not in self._done:
                try:
                    facts = self._insist(stage.do)
                except FrostbyteError as error:
                    _log.warning("stage_failed", tenant=self.owner.tenant_id, stage=stage.name, code=error.code)
                    self._note(stage.name, code=error.code)
                    return error.code
                self._note(stage.name, facts=facts)
        return ""

    def back(self, stages: Sequence[Stage]) -> bool:
        """Take back, in reverse, whatever may have begun. False where something could not be.

        It ends there: what came before stands under what remains. A plane whose stores could not be filled again is
        not started as if it were well.
        """
        first = next((number for number, stage in enumerate(stages) if stage.name not in self._done), len(stages) - 1)
        for stage in reversed(stages[: first + 1]):
            if stage.undo is None or UNDO + stage.name in self._done:
                continue
            try:
                self._insist(stage.undo)
            except FrostbyteError as error:
                _log.error("undo_failed", tenant=self.owner.tenant_id, stage=stage.name, code=error.code)
                self._note(UNDO + stage.name, code=error.code)
                return False
            self._note(UNDO + stage.name)
        return True

    def _note(self, step: str, *, code: str = "", facts: Mapping[str, Any] | None = None) -> StepRow:
        row = self._operations.step(self._operation.operation_id, step, code=code, facts=facts)
        if not code:
            self._done[step] = row
        return row

    def _insist(self, call: Callable[[Task], Facts]) -> Facts:
        """Call, and again as long as its errors are such as pass. What is none of our errors is a defect, and lasts."""
        tries, pause = 0, self._first_pause
        while True:
            if self._stop.is_set():
                raise Stopped
            try:
                return call(self)
            except GivenUp:
                raise
            except FrostbyteError as error:
                tries += 1
                most = AGAIN[error.code].times if error.code in AGAIN else MOST if error.code in PASSES else 0
                if tries > most:
                    raise
                _log.info("stage_waits", tenant=self.owner.tenant_id, code=error.code)
            except Stopped:
                raise
            except Exception as error:  # else it would be begun again for ever, and the tenant stay half done
                raise translated(error) from error
            self.pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
