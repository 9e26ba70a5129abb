"""What a provisioner writes down: every change of its run and of an entry, with its audit event and what watchers see,
each in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.lease import Interrupted
from frostbyte.control_plane.provisioning.planned import as_json
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Outcome, Plan, Step
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.records import OperationStatus, StepRow
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError, Kind

ACTOR: Final = "provisioner"
UNDO: Final = "undo."
"""Before the key of a step that is taken away, for those who watch."""
KEPT: Final = "kept"
"""The fact of a volume that outlives its owner."""


def run_event(uow: ProvisioningUnitOfWork, clock: Clock, run: RunRow, type: EventType, actor: str, **more: Any) -> None:
    """Audit that something became of a run."""
    details = {"component": "provisioning", "provision_id": run.run_id, "direction": run.direction, **more}
    if run.code:
        details["code"] = run.code
    uow.audit.append(make_event(run.tenant_id or ITSELF, type, clock, actor, "run", str(run.run_id), details))


class Notes:
    """The journal of one run, as its provisioner sees and writes it. Safe for many threads.

    Args:
        unit_of_work: opens transactions.
        clock: the control plane's.
        run: as it was taken.
        seen: told of every entry that was written.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        run: RunRow,
        seen: Callable[[EntryRow], None] = lambda entry: None,
    ) -> None:
        self._unit_of_work, self._clock, self._seen = unit_of_work, clock, seen
        self._lock = threading.Lock()
        self.run = run
        with self._guarded() as uow:
            self._book = {row.key: row for row in uow.journal.entries(run.owner)}

    @contextmanager
    def _guarded(self) -> Iterator[ProvisioningUnitOfWork]:
        """A unit of work whose troubles are told apart: away, or not ours any more, is no fault of a step."""
        try:
            with self._unit_of_work() as uow:
                yield uow
        except FrostbyteError as error:
            if error.kind is Kind.UNAVAILABLE or error.code == "fence_lost":
                raise Interrupted(error.code) from None
            raise

    def entry(self, key: str) -> EntryRow | None:
        """As it was last written."""
        with self._lock:
            return self._book.get(key)

    def entries(self) -> list[EntryRow]:
        """All of the owner's, in the order of their plans."""
        with self._lock:
            return sorted(self._book.values(), key=lambda row: (row.position, row.key))

    def planned(self, plan: Plan) -> None:
        """What will be done is decided."""
        run = replace(self.run, plan=as_json(plan, self.entries()))
        with self._guarded() as uow:
            self._tell(uow, "plan", OperationStatus.SUCCEEDED)  # the operation first: all take the locks in this order
            uow.journal.put_run(self._current(uow, run))
            uow.commit()
        self.run = run

    def plan_failed(self, code: str) -> None:
        """Nothing could be decided; watchers see why."""
        with self._guarded() as uow:
            self._tell(uow, "plan", OperationStatus.FAILED, code)
            uow.commit()

    def intend(self, step: Step, position: int, *, fresh: bool = True) -> EntryRow:
        """Before the call. `fresh`: it is asked for now, by this run; else what is there is only looked at again."""
        old = self.entry(step.key)
        kept = old if old is not None and not fresh else None
        counted = old.attempts if old is not None and old.state is EntryState.INTENDED else 0
        owner = self.run.owner
        return self._put(
            EntryRow(
                environment=owner.environment,
                project_id=owner.project_id,
                tenant_id=owner.tenant_id,
                key=step.key,
                run_id=kept.run_id if kept else self.run.run_id,
                action=step.action.value,
                kind=step.kind.value if step.kind else "",
                name=step.name,
                spec_sha256=step.spec_sha256,
                spec=dict(step.spec),
                needs=list(step.needs),
                position=position,
                state=EntryState.INTENDED,
                resource_id=kept.resource_id if kept else "",
                facts=kept.facts if kept else {},
                attempts=counted + int(fresh),
                code="",
                fence=self.run.fence,
                changed_at=self._clock.now(),
            ),
            (step.key, OperationStatus.RUNNING),
        )

    def done(self, step: Step, outcome: Outcome, type: EventType, *, anew: bool = False) -> EntryRow:
        """It was made and seen: id, facts and audit together. `anew`: by this run, whoever had made it."""
        old = self._known(step.key)
        row = replace(
            old,
            run_id=self.run.run_id if anew else old.run_id,
            spec=dict(step.spec),
            spec_sha256=step.spec_sha256,
            needs=list(step.needs),
            state=EntryState.DONE,
            resource_id=outcome.resource_id,
            facts=_plain(outcome.facts),
            code="",
        )
        return self._put(row, (step.key, OperationStatus.SUCCEEDED), type)

    def failed(self, key: str, code: str, *, undoing: bool = False) -> EntryRow:
        """It was given up; what of it exists is not known."""
        row = replace(self._known(key), code=code)
        return self._put(row, (UNDO * undoing + key, OperationStatus.FAILED, code))

    def kept(self, key: str) -> EntryRow:
        """It outlives its owner: data that nobody said to destroy."""
        old = self._known(key)
        row = replace(old, facts={**old.facts, KEPT: True}, state=EntryState.DONE, code="")
        return self._put(row, (UNDO + key, OperationStatus.SUCCEEDED, KEPT), EventType.RESOURCE_KEPT)

    def undoing(self, key: str) -> EntryRow:
        """Before it is taken away."""
        row = replace(self._known(key), state=EntryState.UNDOING, code="")
        return self._put(row, (UNDO + key, OperationStatus.RUNNING))

    def gone(self, key: str) -> EntryRow:
        """It was seen to be gone."""
        row = replace(self._known(key), state=EntryState.GONE, code="")
        return self._put(row, (UNDO + key, OperationStatus.SUCCEEDED), EventType.RESOURCE_REMOVED)

    def turn_back(self, code: str) -> RunRow:
        """From now on what was made is taken away, whoever goes on with the run."""
        run = replace(self.run, direction=Direction.BACK, code=code)
        with self._guarded() as uow:
            uow.journal.put_run(self._current(uow, run))
            run_event(uow, self._clock, run, EventType.RUN_TURNED_BACK, ACTOR)
            uow.commit()
        self.run = run
        return run

    def end(self, state: RunState, code: str = "") -> RunRow:
        """The run's end. What is left of its owner then is what the entries say."""
        run = replace(
            self.run,
            state=state,
            code=code or self.run.code,
            holder="",
            leased_until=None,
            ended_at=self._clock.now(),
        )
        remaining = sum(1 for row in self.entries() if row.kind and row.state is not EntryState.GONE)
        with self._guarded() as uow:
            uow.journal.put_run(run)
            run_event(uow, self._clock, run, EventType.RUN_ENDED, ACTOR, outcome=state, remaining=remaining)
            uow.commit()
        self.run = run
        return run

    def _current(self, uow: ProvisioningUnitOfWork, run: RunRow) -> RunRow:
        """With the lease as its heartbeat last wrote it."""
        stored = uow.journal.run(run.run_id)
        return replace(run, leased_until=stored.leased_until if stored else run.leased_until)

    def _known(self, key: str) -> EntryRow:
        with self._lock:
            return self._book[key]

    def _put(
        self, row: EntryRow, told: tuple[str, OperationStatus] | tuple[str, OperationStatus, str], *types: EventType
    ) -> EntryRow:
        row = replace(row, fence=self.run.fence, changed_at=self._clock.now())
        with self._guarded() as uow:
            self._tell(uow, *told)
            for type in types if row.kind else ():
                uow.audit.append(self._event(row, type))
            uow.journal.put(row)
            uow.commit()
        with self._lock:
            self._book[row.key] = row
        self._seen(row)
        return row

    def _event(self, row: EntryRow, type: EventType) -> Any:
        details: dict[str, Any] = {
            "component": "provisioning",
            "provision_id": self.run.run_id,
            "action": row.action,
            "spec_hash": row.spec_sha256,
        }
        if row.resource_id:
            details["cloud_id"] = row.resource_id
        return make_event(row.tenant_id or ITSELF, type, self._clock, ACTOR, row.kind, row.key, details)

    def _tell(self, uow: ProvisioningUnitOfWork, step: str, status: OperationStatus, code: str = "") -> None:
        """A step of the tenant's operation, for those who watch it."""
        if not self.run.tenant_id:
            return
        operation = uow.operations.get(self.run.run_id, lock=True)
        if operation is None or operation.status is not OperationStatus.RUNNING:
            return
        number = len(uow.operations.steps(operation.operation_id)) + 1
        uow.operations.add_step(
            StepRow(
                operation_id=operation.operation_id,
                number=number,
                step=step,
                status=status,
                code=code,
                at=self._clock.now(),
            )
        )


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(facts)))
    return values


def outcome_of(entry: EntryRow) -> Outcome:
    """What an entry says that came of its step."""
    return Outcome(resource_id=entry.resource_id, facts=entry.facts)


class Scene:
    """See steps.Context."""

    def __init__(self, notes: Notes, stopped: Callable[[], bool]) -> None:
        self._notes, self._stopped = notes, stopped

    @property
    def owner(self) -> Owner:
        return self._notes.run.owner

    @property
    def run_id(self) -> UUID:
        return self._notes.run.run_id

    def outcome(self, key: str) -> Outcome:
        entry = self._notes.entry(key)
        if entry is None or entry.state not in (EntryState.DONE, EntryState.UNDOING):
            raise KeyError(key)
        return outcome_of(entry)

    def stopped(self) -> bool:
        return self._stopped()
