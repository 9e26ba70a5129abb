"""Carries out a run: up, and if that fails back; or down. A journal, not a script.

Whoever takes a run goes on where the journal says that it is, after any crash: what is not written has not happened as
far as anybody may rely on it, so it is looked for before it is done, and everything that was begun was written first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from frostbyte.control_plane.provisioning.building import is_made, passes_by, surplus
from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow, RunState
from frostbyte.control_plane.provisioning.lease import Interrupted, Lease, Pace
from frostbyte.control_plane.provisioning.making import Making, Work, translated, volume_lost
from frostbyte.control_plane.provisioning.notes import KEPT, Notes, outcome_of
from frostbyte.control_plane.provisioning.planned import checked, from_json, step_of, stood
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Doing, Lasting, Plan
from frostbyte.control_plane.provisioning.undo import Undoing, covered, stays
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

_log = structlog.get_logger("frostbyte.provisioner")


class Workshop(Protocol):
    """What is needed to work for one owner, put together for its project (bootstrap)."""

    @property
    def doings(self) -> Mapping[Action, Doing]: ...
    def plan(self, owner: Owner, request: Mapping[str, Any]) -> Plan:
        """What is to be done for a request. Asks, and touches nothing.

        Raises:
            FrostbyteError: one in `retry.AGAIN` is tried again.
        """
        ...

    def leftovers(self, owner: Owner) -> Sequence[Found]:
        """Everything with the owner's labels, of every kind, records included."""
        ...


Workshops = Callable[[Owner], Workshop]
"""Raises FrostbyteError where a project cannot be worked in: its token is missing."""


def served(uow: ProvisioningUnitOfWork, run: RunRow) -> bool:
    """Whether the owner of a run was ever in service: then its volumes hold data.

    A tenant was if one of its provisionings succeeded; a base if an earlier run brought it up and none took it down.
    """
    if not run.tenant_id:
        for other in uow.journal.runs(run.owner):
            if other.run_id != run.run_id and other.state is RunState.SUCCEEDED:
                return other.direction is Direction.UP
        return False
    return tenant_served(uow, run.tenant_id)


def tenant_served(uow: ProvisioningUnitOfWork, tenant_id: str) -> bool:
    """As `served`, of a tenant."""
    before = None
    while page := uow.operations.page(tenant_id=tenant_id, before=before):
        if any(row.kind is OperationKind.PROVISION and row.status is OperationStatus.SUCCEEDED for row in page):
            return True
        before = page[-1].operation_id
    return False


def _buried(work: Work, *, served: bool) -> None:
    """Mark as gone what was made and the cloud does not know any more: the plan makes it anew, and not as it was.

    Raises:
        Conflict: `volume_lost`: it was a volume that held an owner's data.
    """
    for entry in work.notes.entries():
        if entry.kind not in _MORTAL or entry.state is not EntryState.DONE or _lasts(work, entry):
            continue
        if entry.kind == Kind.VOLUME and (served or entry.facts.get(KEPT)):
            raise volume_lost()
        work.notes.undoing(entry.key)
        work.notes.gone(entry.key)


def _lasts(work: Work, entry: EntryRow) -> bool:
    step, outcome = step_of(entry), outcome_of(entry)
    doing = work.doing(step)
    return not isinstance(doing, Lasting) or work.insist(lambda: doing.lasts(step, outcome, work.scene))


_MORTAL: Final = frozenset({Kind.SERVER, Kind.NETWORK, Kind.VOLUME})
"""What other things hang on, so that it has to be known before anything is planned that it is gone."""


class Engine:
    """Carries runs out.

    Args:
        unit_of_work: of registry and journal.
        clock: the control plane's.
        workshops: see there.
        holder: who this provisioner is. One process at a time has this name (the right to be the control plane of a
            database, or a lock on a folder): one that starts under it takes over at once what the last one held.
        pace: how long things are waited for.
        seen: told of every entry that was written.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        workshops: Workshops,
        *,
        holder: str,
        pace: Pace | None = None,
        seen: Callable[[EntryRow], None] = lambda entry: None,
    ) -> None:
        self._unit_of_work, self._clock, self._workshops = unit_of_work, clock, workshops
        self._holder, self._pace, self._seen = holder, pace or Pace(), seen

    def carry(self, run_id: UUID, stop: threading.Event) -> RunRow | None:
        """Go on with a run to its end.

        Args:
            run_id: one that is RUNNING.
            stop: set when the process ends: what is under way is finished, nothing more begun.

        Returns:
            the run as it ended; None where another provisioner holds it, or it goes on another time.
        """
        try:
            with self._unit_of_work() as uow:
                run = uow.journal.run(run_id)
            took = Lease.take(self._unit_of_work, self._clock, run, self._holder, stop) if run is not None else None
            if took is None:
                return None
            run, lease = took
            with lease:
                return self._carried(run, lease)
        except Interrupted as why:
            _log.warning("run_interrupted", why=str(why))
        except FrostbyteError as error:  # the journal is away: the run goes on when it is back
            _log.warning("run_waits", code=error.code)
        return None

    def _carried(self, run: RunRow, lease: Lease) -> RunRow:
        notes = Notes(self._unit_of_work, self._clock, run, self._seen)
        with self._unit_of_work() as uow:
            in_service = served(uow, run)
        try:
            workshop = self._workshops(run.owner)
        except FrostbyteError as error:
            return self._unable(notes, error.code)
        resumed = bool(run.plan) or run.direction is Direction.BACK
        work = Work(notes, workshop.doings, lease, self._pace, resumed=resumed)
        if run.direction is Direction.UP:
            code = self._up(work, workshop, served=in_service)
            if not code:
                changed = in_service and not passes_by(notes.run.plan)
                return notes.end(RunState.SUCCEEDED, self._passed_over(work, served=True) if changed else "")
            run = notes.turn_back(code)
        if run.direction is Direction.BACK and in_service:
            self._led_back(work)
        return self._taken_away(work, workshop, served=in_service)

    def _unable(self, notes: Notes, code: str) -> RunRow:
        """Nobody can work in this project. What remains is told; it is taken away when that is tried again."""
        if notes.run.direction is Direction.UP:
            notes.plan_failed(code)
            notes.turn_back(code)
        return notes.end(RunState.FAILED, code)

    def _up(self, work: Work, workshop: Workshop, *, served: bool) -> str:
        run = work.notes.run
        if not run.plan:
            try:
                _buried(work, served=served)
                work.notes.planned(self._planned(work, workshop))
            except Interrupted:
                raise
            except Exception as error:  # noqa: BLE001 - what cannot be planned is not begun
                code = translated(error).code
                work.notes.plan_failed(code)
                return code
        plan = from_json(run.owner, work.notes.run.plan)
        if not is_made(plan, work.notes.entries()):
            code = Making(work, plan, served=served).go()
            if code:
                return code
        return "" if served and not passes_by(work.notes.run.plan) else self._passed_over(work, served=served)

    def _passed_over(self, work: Work, *, served: bool) -> str:
        """Take away what the plan does not hold. An owner in service has what was asked for by then: what could not be
        taken away is told, and turns nothing back."""
        plan = from_json(work.notes.run.owner, work.notes.run.plan)
        failed = Undoing(work, served=served).go(surplus(plan, work.notes.entries()))
        return next(iter(failed.values()), "")

    def _led_back(self, work: Work) -> None:
        """Lead an owner in service to what stood when the run was planned."""
        work.halt.clear()
        run = work.notes.run
        before = stood(run.owner, run.plan)
        if not before.steps or passes_by(run.plan):
            return
        code = Making(work, before, served=True, back=True).go()
        if code:
            _log.error("not_led_back", tenant=run.tenant_id, code=code)

    def _planned(self, work: Work, workshop: Workshop) -> Plan:
        run = work.notes.run
        return work.insist(lambda: checked(workshop.plan(run.owner, run.request)))

    def _taken_away(self, work: Work, workshop: Workshop, *, served: bool) -> RunRow:
        """Back or down, to the end: once more through what an interrupted provisioner could not take away."""
        work.halt.clear()
        notes, run = work.notes, work.notes.run
        undoing = Undoing(work, served=served)
        failed = undoing.go(covered(run, notes.entries(), served=served))
        back = run.direction is Direction.BACK
        late = undoing.late(lambda: workshop.leftovers(run.owner), work.late_seconds() if back else 0.0)
        failed = {**failed, **late}
        left = [
            row
            for row in covered(run, notes.entries(), served=served)
            if not (stays(run, row, served=served) and row.facts.get(KEPT))
        ]
        code = next(iter(failed.values()), "") or ("resources_remain" if left else "")
        if back:
            return notes.end(RunState.FAILED)
        return notes.end(RunState.FAILED if code else RunState.SUCCEEDED, code)
