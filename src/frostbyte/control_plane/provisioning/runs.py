"""Runs of tenants and of bases: begun and ended together with operations, and what is left of them.

A tenant's run has its operation's id and begins in the same transaction (`registry.operations.Operations.begin`). The
kill-switch asks how far it is, has it turned back where the plane that was made cannot be taken into service, and lets
it take away a tenant's hosts when the plane's log is safe. `provisioner` carries runs out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast, runtime_checkable
from uuid import UUID

from msgspec.structs import replace

from frostbyte.control_plane.provisioning.desired import request_from
from frostbyte.control_plane.provisioning.journal import (
    Direction,
    EntryRow,
    EntryState,
    Journal,
    RunRow,
    RunState,
    in_force,
)
from frostbyte.control_plane.provisioning.notes import run_event
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.control_plane.provisioning.undo import remaining
from frostbyte.control_plane.registry.ports import Progress, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Invalid, NotFound
from frostbyte.kernel.ids import new_id

DESTROY_DATA = "destroy_data"
Receipt = Callable[[UUID], object]
"""Writes the receipt of an operation that took a tenant down; once, however often it is asked."""


@runtime_checkable
class _Journalled(Protocol):
    @property
    def journal(self) -> Journal: ...


def journalled(uow: RegistryUnitOfWork) -> ProvisioningUnitOfWork:
    """The registry's transaction with its journal: every store has both in one."""
    assert isinstance(uow, _Journalled)
    return cast(ProvisioningUnitOfWork, uow)


class Provisioning:
    """Begins, ends and shows runs. Implements `registry.ports.Runs` and `killswitch.ports.HostsOf`.

    Args:
        unit_of_work: of registry and journal.
        clock: the control plane's.
        receipt: see Receipt; None where none is written.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, clock: Clock, receipt: Receipt | None = None) -> None:
        self._unit_of_work, self._clock, self._receipt = unit_of_work, clock, receipt
        self._allowed: set[UUID] = set()
        self._changed = threading.Event()

    def owner(self, tenant_id: str) -> Owner:
        """A tenant, as owner of what is made for it. Raises NotFound("tenant_not_found")."""
        with self._unit_of_work() as uow:
            tenant = uow.tenants.get(tenant_id)
            if tenant is None:
                raise NotFound("tenant_not_found", "There is no such tenant.", "Check the id; `tenant list` shows all.")
            return _owner(uow, tenant)

    def begun(
        self, uow: RegistryUnitOfWork, tenant: TenantRow, operation: OperationRow, request: Mapping[str, Any] | None
    ) -> bool:
        """See registry.ports.Runs."""
        both = journalled(uow)
        owner = _owner(both, tenant)
        runs = both.journal.runs(owner)
        if operation.kind is OperationKind.PROVISION:
            asked = request if request is not None else in_force(runs)
            if asked is None:
                return False
            values, direction = request_from(asked).values(), Direction.UP
        elif operation.kind is OperationKind.DEPROVISION:
            if all(row.state is EntryState.GONE for row in both.journal.entries(owner)):
                return False
            values, direction = _destruction(request if request is not None else _last_down(runs)), Direction.DOWN
        else:
            return False
        self._begin(both, owner, operation.operation_id, direction, values, operation.actor)
        return True

    def begin_base(self, project_id: str, direction: Direction, request: Mapping[str, Any], *, actor: str) -> RunRow:
        """Bring up, change or take down what all tenants of a project share.

        Args:
            request: as its plan reads it (up), or `destroy_data` (down).

        Raises:
            NotFound: `project_not_found`.
            Conflict: `run_running`.
        """
        values = _destruction(request) if direction is Direction.DOWN else dict(request)
        with self._unit_of_work() as uow:
            project = uow.projects.get(project_id)
            if project is None:
                raise NotFound("project_not_found", "There is no such project.", "Check its name, or create it.")
            owner = Owner(environment=project.environment, project_id=project_id)
            run = self._begin(uow, owner, new_id(), direction, values, actor)
            uow.commit()
        self.wake()
        return run

    def change(self, operation: OperationRow, request: Mapping[str, Any]) -> RunRow:
        """The run by which a duty changes its tenant's hosts: begun at the first call, and as it stands at any other.

        It ends SUCCEEDED, with the code of what of the old could not be taken away; or it is turned back, to what
        stood before.

        Args:
            request: what the tenant is to have (desired.Request), whole.

        Raises:
            Conflict: `run_running`: another run is under way.
        """
        with self._unit_of_work() as uow:
            run = uow.journal.run(operation.operation_id)
            if run is None:
                tenant = uow.tenants.get(operation.tenant_id, lock=True)
                assert tenant is not None  # it has an operation
                owner = _owner(uow, tenant)
                values = request_from(request).values()
                run = self._begin(uow, owner, operation.operation_id, Direction.UP, values, operation.actor)
                uow.commit()
        if run.state is RunState.RUNNING:
            self.wake()
        return run

    def _begin(
        self,
        uow: ProvisioningUnitOfWork,
        owner: Owner,
        run_id: UUID,
        direction: Direction,
        values: dict[str, Any],
        actor: str,
    ) -> RunRow:
        run = RunRow(
            run_id=run_id,
            environment=owner.environment,
            project_id=owner.project_id,
            tenant_id=owner.tenant_id,
            direction=direction,
            state=RunState.RUNNING,
            request=values,
            plan={},
            fence=max((run.fence for run in uow.journal.runs(owner)), default=0) + 1,
            holder="",
            leased_until=None,
            started_at=self._clock.now(),
            ended_at=None,
            code="",
        )
        uow.journal.begin(run)
        run_event(uow, self._clock, run, EventType.RUN_BEGUN, actor)
        return run

    def ended(self, uow: RegistryUnitOfWork, operation: OperationRow) -> None:
        """See registry.ports.Runs: what went up goes back, what was to go down stops where it is."""
        both = journalled(uow)
        run = both.journal.run(operation.operation_id)
        if run is None or run.direction is Direction.BACK:
            return
        code = operation.code or "operation_ended"
        # What made a plane that never answered is turned back; what changed one that serves has ended for good.
        failed = operation.code != "" and operation.kind is OperationKind.PROVISION and _up(run)
        if run.direction is Direction.UP and (run.state is RunState.RUNNING or failed):
            self._turn(both, run, code)
        elif run.direction is Direction.DOWN and run.state is RunState.RUNNING:
            stopped = replace(
                run, state=RunState.FAILED, code=code, fence=run.fence + 1, ended_at=self._clock.now(), **_FREE
            )
            both.journal.put_run(stopped)
            left = len(remaining(both.journal.entries(run.owner)))
            run_event(
                both, self._clock, stopped, EventType.RUN_ENDED, operation.actor, outcome=stopped.state, remaining=left
            )

    def _turn(self, uow: ProvisioningUnitOfWork, run: RunRow, code: str) -> None:
        """Turn it back, whoever holds it: the next fence ends their right."""
        back = replace(
            run,
            direction=Direction.BACK,
            state=RunState.RUNNING,
            code=code,
            fence=run.fence + 1,
            ended_at=None,
            **_FREE,
        )
        uow.journal.put_run(back)
        run_event(uow, self._clock, back, EventType.RUN_TURNED_BACK, "provisioner")

    def progress(self, operation: OperationRow) -> tuple[Progress, str]:
        """See killswitch.ports.HostsOf."""
        with self._unit_of_work() as uow:
            run = uow.journal.run(operation.operation_id)
        if run is None:
            return Progress.NONE, ""
        if run.state is RunState.FAILED:
            return Progress.FAILED, run.code or "operation_interrupted"
        if run.state is RunState.SUCCEEDED:
            return Progress.READY, ""
        return (Progress.TURNING, run.code) if run.direction is Direction.BACK else (Progress.WORKING, "")

    def turn_back(self, operation: OperationRow, code: str) -> None:
        """See killswitch.ports.HostsOf."""
        with self._unit_of_work() as uow:
            run = uow.journal.run(operation.operation_id)
            if run is None or not (_up(run) or (run.direction is Direction.UP and run.state is RunState.RUNNING)):
                return  # it goes back already, or has
            self._turn(uow, run, code)
            uow.commit()
        self.wake()

    def take_away(self, operation: OperationRow) -> bool:
        """See killswitch.ports.HostsOf."""
        if operation.operation_id not in self._allowed:
            self._allowed.add(operation.operation_id)
            self.wake()
        if self.progress(operation)[0] is not Progress.READY:
            return False
        if self._receipt is not None:
            self._receipt(operation.operation_id)
        self._allowed.discard(operation.operation_id)
        return True

    def gone(self, tenant: TenantRow) -> bool:
        """See killswitch.ports.HostsOf."""
        with self._unit_of_work() as uow:
            entries = uow.journal.entries(_owner(uow, tenant))
        servers = [row for row in entries if row.kind == Kind.SERVER]
        return bool(servers) and all(row.state is EntryState.GONE for row in servers)

    def due(self) -> list[RunRow]:
        """Runs to go on with, oldest first; a tenant's hosts go once its log is safe (`take_away`)."""
        with self._unit_of_work() as uow:
            running = uow.journal.running()
        return [run for run in running if not self._waits(run)]

    def _waits(self, run: RunRow) -> bool:
        return run.direction is Direction.DOWN and run.tenant_id != "" and run.run_id not in self._allowed

    def entries(self, owner: Owner) -> list[EntryRow]:
        """The owner's journal, in the order of its plans."""
        with self._unit_of_work() as uow:
            return uow.journal.entries(owner)

    def runs(self, owner: Owner) -> list[RunRow]:
        """The owner's runs, newest first."""
        with self._unit_of_work() as uow:
            return uow.journal.runs(owner)

    def remaining(self, owner: Owner) -> list[EntryRow]:
        """What of the owner may exist and cost something; a volume that was kept says so in its facts."""
        return list(remaining(self.entries(owner)).values())

    def wake(self) -> None:
        """Something is to be done: the provisioner looks at once."""
        self._changed.set()

    def wait(self, seconds: float) -> None:
        """Until something is to be done, or so many seconds."""
        self._changed.wait(seconds)
        self._changed.clear()


_FREE: dict[str, Any] = {"holder": "", "leased_until": None}


def _up(run: RunRow) -> bool:
    return run.direction is Direction.UP and run.state is RunState.SUCCEEDED


def _owner(uow: RegistryUnitOfWork, tenant: TenantRow) -> Owner:
    project = uow.projects.get(tenant.project_id)
    assert project is not None  # never removed
    return Owner(environment=project.environment, project_id=tenant.project_id, tenant_id=tenant.tenant_id)


def _last_down(runs: list[RunRow]) -> dict[str, Any] | None:
    return next((run.request for run in runs if run.direction is Direction.DOWN), None)


def _destruction(request: Mapping[str, Any] | None) -> dict[str, Any]:
    values = {DESTROY_DATA: False, **(request or {})}
    if set(values) != {DESTROY_DATA} or not isinstance(values[DESTROY_DATA], bool):
        raise Invalid(
            "provision_request_invalid",
            "What is taken away is asked for with nothing but destroy_data: true or false.",
            "Correct what was sent.",
        )
    return values
