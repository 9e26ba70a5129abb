"""Carries out what operators decided (registry.operations), and after a restart those that were under way.

`carry` returns when the edge is shut: that is the promise of one second, and it needs neither the plane nor the
network. That the plane acknowledged it is a step of its own, which comes when it comes. Whatever is done here is done
from what the registry says at that moment, under a lock of the tenant: two operators who contradict each other within a
millisecond leave the edge as the later one wanted it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from frostbyte.control_plane.killswitch import answers
from frostbyte.control_plane.killswitch.orders import Gate, stops
from frostbyte.control_plane.killswitch.ports import Channels, Edge, HostsOf
from frostbyte.control_plane.killswitch.pusher import ALARMING, Pusher
from frostbyte.control_plane.killswitch.roster import Entry, Roster
from frostbyte.control_plane.killswitch.steps import HOST_GONE, OURS, PATIENCE_SECONDS, Step, next_step
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.ports import Progress, RegistryFactory
from frostbyte.control_plane.registry.records import (
    DUTIES,
    EndpointsRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    StepRow,
    TenantRow,
)
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

TURN_SECONDS: Final = 1.0
"""How often operations that wait are looked at again."""
COMPARE_SECONDS: Final = 15.0
"""How often the edge's files and the roster are compared with the registry."""
PAGE: Final = 1000
DRIVERS: Final = 8
"""Threads that carry operations on: attaching and deprovisioning ask planes."""
_STOPPED: Final = {
    OperationKind.SUSPEND: TenantState.SUSPENDED,
    OperationKind.DEPROVISION: TenantState.DEPROVISIONING,
}
"""Where a tenant stands once it is committed that it stops, for when the registry goes away in that very moment."""
_FINAL: Final = ALARMING | set(answers.CODES)
"""What ends taking a plane into service at once: it is not the one that was named."""
_log = structlog.get_logger("frostbyte.switch")

LastPull = Callable[[str], bool]
"""Pulls a tenant's log to its end into the ledger; False while something is missing. Raises FrostbyteError."""


class Switch:
    """Carries operations on, and keeps edge and planes as the registry says.

    Args:
        operations: notes and ends operations, each in one transaction.
        unit_of_work: for what is only read.
        roster: what the pusher works from; kept here.
        pusher: tells planes.
        edge: the edge's files.
        channels: the way to a plane.
        last_pull: see LastPull.
        hosts: makes and takes away tenants' hosts; None where all planes are attached by hand.
        drivers: carries operations on; threads of its own if none is given.
    """

    def __init__(
        self,
        operations: Operations,
        unit_of_work: RegistryFactory,
        *,
        roster: Roster,
        pusher: Pusher,
        edge: Edge,
        channels: Channels,
        last_pull: LastPull,
        hosts: HostsOf | None = None,
        drivers: Executor | None = None,
    ) -> None:
        self._operations, self._unit_of_work = operations, unit_of_work
        self._roster, self._pusher = roster, pusher
        self._edge, self._channels, self._last_pull, self._hosts = edge, channels, last_pull, hosts
        self._edges: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._driving: set[UUID] = set()
        self._called: set[UUID] = set()
        """Those of them that somebody wanted carried on meanwhile: what they wait for may have come."""
        self._begun_at: dict[UUID, float] = {}
        """Since when this process carries an operation on: patience is measured by no clock that can be set."""
        self._asleep: dict[UUID, tuple[int, int, str, str]] = {}
        self._lock = threading.Lock()
        self._drivers = drivers or ThreadPoolExecutor(DRIVERS, thread_name_prefix="operations")
        self.edge_trouble: dict[str, str] = {}
        """By tenant: the code of why its edge file could not be written. Empty while all is well."""

    def carry(self, operation: OperationRow) -> None:
        """Carry out what was just decided, or found running. Of what stops a tenant it returns when the edge is shut.

        It is committed, so nothing is raised: what cannot be done now is done by `run`.
        """
        self._reread(operation)
        self._shown(operation.tenant_id)
        self._pusher.urge()
        if operation.kind in _STOPPED and self._claimed(operation):
            self._driven(operation)  # notes that the edge is shut; what waits goes on by itself
        else:
            self._drive(operation)

    def _reread(self, operation: OperationRow) -> None:
        try:
            with self._unit_of_work() as uow:
                tenant, endpoints = uow.tenants.get(operation.tenant_id), uow.endpoints.get(operation.tenant_id)
        except FrostbyteError as error:
            _log.warning("registry_away_after_decision", code=error.code)
            known, state = self._roster.get(operation.tenant_id), _STOPPED.get(operation.kind)
            if known is None or state is None:
                return
            row, endpoints = known.tenant, known.endpoints
            tenant = replace(row, state=state, version=row.version + 1, standing_version=row.standing_version + 1)
        if tenant is not None:
            self._roster.learn(tenant, endpoints, None)

    def recover(self) -> None:
        """Bring the edge to what the registry says, before anybody is answered: first everything that must be shut.

        Raises:
            Unavailable: `database_unavailable`, `edge_unwritable`: a control plane that cannot shut must not start.
        """
        self.refresh()
        entries = self._roster.all()
        for entry in sorted(entries, key=lambda entry: not stops(entry.tenant)):
            if not self._shown(entry.tenant.tenant_id) and stops(entry.tenant):
                raise Unavailable(
                    "edge_unwritable",
                    "The edge of a tenant that must be shut cannot be written.",
                    "Correct the folder of the edge's files (FROSTBYTE_CONTROL_EDGE_DIR), then start again.",
                )
        self._drop_strangers()

    def refresh(self) -> None:
        """Read every tenant from the registry into the roster."""
        after = ""
        while True:
            with self._unit_of_work() as uow:
                page = uow.tenants.page(after=after, limit=PAGE)
                ids = [row.tenant_id for row in page]
                endpoints, standings = uow.endpoints.get_many(ids), uow.standings.get_many(ids)
            for row in page:
                self._roster.learn(row, endpoints.get(row.tenant_id), standings.get(row.tenant_id))
            if len(page) < PAGE:
                break
            after = ids[-1]

    def run(self, stop: threading.Event) -> None:
        """Carry operations on and compare the edge with the registry, until `stop` is set."""
        turns = 0
        while not stop.is_set():
            try:
                self.turn()
                if turns % int(COMPARE_SECONDS / TURN_SECONDS) == 0:
                    self.compare()
                turns += 1
            except FrostbyteError as error:  # the registry is away: leases are renewed all the same
                _log.warning("switch_waits", code=error.code)
            stop.wait(TURN_SECONDS)
        self._drivers.shutdown(wait=True, cancel_futures=True)

    def turn(self) -> None:
        """Carry on every running operation, but for those that wait for what has not changed."""
        for tenant_id in list(self.edge_trouble):
            self._shown(tenant_id)
        with self._unit_of_work() as uow:
            running = [row for row in uow.operations.running() if row.kind not in DUTIES]
        for operation in running:
            if self._asleep.get(operation.operation_id) != self._sight(operation.tenant_id):
                self._drive(operation)
        there = {operation.operation_id for operation in running}
        for gone in self._begun_at.keys() - there:
            self._begun_at.pop(gone, None)
            self._asleep.pop(gone, None)

    def _sight(self, tenant_id: str) -> tuple[int, int, str, str]:
        """What an operation that waits without end waits for a change of."""
        entry = self._roster.get(tenant_id)
        if entry is None:
            return 0, 0, "", ""
        standing, trouble = entry.standing, self.edge_trouble.get(tenant_id, "")
        return entry.tenant.version, standing.acknowledged_version, standing.code, trouble

    def compare(self) -> None:
        """Make good whatever differs between the registry and the edge's files."""
        self.refresh()
        for entry in self._roster.all():
            self._shown(entry.tenant.tenant_id)
        self._drop_strangers()

    def heard(self, tenant_id: str) -> None:
        """The plane has acknowledged something, and that is stored."""
        self._shown(tenant_id)
        with self._unit_of_work() as uow:
            running = [row for row in uow.operations.running(tenant_id) if row.kind not in DUTIES]
        for operation in running:
            self._drive(operation)

    def _drop_strangers(self) -> None:
        """A file of a tenant that the registry does not know leads somewhere that nobody could ever shut."""
        known = {entry.tenant.tenant_id for entry in self._roster.all()}
        for name in self._edge.names() - known:
            self._edge.drop(name)
            _log.warning("edge_stranger_dropped")

    def _learned(self, tenant: TenantRow, endpoints: EndpointsRow | None = None) -> Entry:
        known = self._roster.get(tenant.tenant_id)
        return self._roster.learn(tenant, endpoints or (known.endpoints if known else None), None)

    def _shown(self, tenant_id: str) -> bool:
        """The edge shows what it must; False, and tried again soon, where that could not be written."""
        with self._edges[tenant_id]:
            entry = self._roster.get(tenant_id)
            if entry is None:
                return True
            try:
                changed = self._edge.show(entry.tenant, entry.endpoints, entry.gate)
            except FrostbyteError as error:
                self.edge_trouble[tenant_id] = error.code
                _log.error("edge_not_written", code=error.code)
                return False
            self.edge_trouble.pop(tenant_id, None)
        if changed:
            _log.info("edge_written", gate=entry.gate.value)
        return True

    def _claimed(self, operation: OperationRow) -> bool:
        """Whether it is ours to carry on: one thread does at a time, and looks again if another one wanted to."""
        with self._lock:
            if operation.operation_id in self._driving:
                self._called.add(operation.operation_id)
                return False
            self._driving.add(operation.operation_id)
            self._begun_at.setdefault(operation.operation_id, time.monotonic())
            return True

    def _drive(self, operation: OperationRow) -> None:
        """Carry it on in another thread, unless one does."""
        if not self._claimed(operation):
            return
        try:
            self._drivers.submit(self._driven, operation)
        except RuntimeError:  # stopping
            with self._lock:
                self._driving.discard(operation.operation_id)

    def _driven(self, operation: OperationRow) -> None:
        try:
            self.advance(operation)
        except FrostbyteError as error:  # tried again with the next turn
            _log.warning("operation_waits", code=error.code)
        except Exception as error:  # noqa: BLE001 - others go on
            _log.error("operation_broke", error=type(error).__name__)
        finally:
            with self._lock:
                self._driving.discard(operation.operation_id)
                called = operation.operation_id in self._called
                self._called.discard(operation.operation_id)
            # An acknowledgement is known before it is stored. Read in between, the operation would sleep for ever: what
            # is known does not change any more, and whoever stored it found it being carried on.
            if called:
                self._drive(operation)

    def advance(self, operation: OperationRow) -> None:
        """Do what can be done of the operation now."""
        sight = self._sight(operation.tenant_id)
        while True:
            with self._unit_of_work() as uow:
                current = uow.operations.get(operation.operation_id)
                tenant = uow.tenants.get(operation.tenant_id)
                rows = uow.operations.steps(operation.operation_id)
            if current is None or tenant is None or current.status is not OperationStatus.RUNNING:
                return
            entry = self._learned(tenant)
            progress, code = self._progress(current)
            done = {row.step for row in rows if row.status is OperationStatus.SUCCEEDED}
            step = next_step(current.kind, done, managed=progress is not Progress.NONE)
            if progress is Progress.FAILED:
                self._end(current, code, step if step in OURS else None)
                return
            if progress is Progress.TURNING:
                return
            if step is None:
                self._end(current, "")
                return
            if not self._step(current, entry, step, rows):
                if operation.kind not in PATIENCE_SECONDS:
                    self._asleep[operation.operation_id] = sight
                return
            sight = self._sight(operation.tenant_id)

    def _step(self, operation: OperationRow, entry: Entry, step: Step, rows: list[StepRow]) -> bool:
        """Do one step; False if it has to wait, or the operation has ended."""
        code = ""
        try:
            done = self._do(operation, entry, step)
        except FrostbyteError as error:
            done, code = False, error.code
        if done:
            self._operations.step(operation.operation_id, step)
            if step is Step.HOSTS_READY:  # patience with the plane begins when it can be there
                self._begun_at[operation.operation_id] = time.monotonic()
            return True
        code = code or ("" if step in OURS else self.edge_trouble.get(operation.tenant_id) or entry.standing.code)
        # Somebody placed a legal hold since the plane was asked: it refused this very order to close.
        held = code == "tenant_held" and entry.pace.tried_version >= entry.tenant.standing_version
        if step not in OURS and (held or self._hopeless(operation, code)):
            self._give_up(operation, code or "plane_silent", step)
        elif code and (step, code) not in {(row.step, row.code) for row in rows}:
            self._operations.step(operation.operation_id, step, code=code)  # for those who watch
        return False

    def _hopeless(self, operation: OperationRow, code: str) -> bool:
        """Whether waiting cannot help, or took too long."""
        patience = PATIENCE_SECONDS.get(operation.kind)
        if patience is None:
            return False
        waited = time.monotonic() - self._begun_at.get(operation.operation_id, time.monotonic())
        return waited > patience or (operation.kind is OperationKind.PROVISION and code in _FINAL)

    def _progress(self, operation: OperationRow) -> tuple[Progress, str]:
        """How far its work on hosts is. What stops or resumes a tenant has none, and does not wait for the question."""
        if self._hosts is None or operation.kind not in PATIENCE_SECONDS:
            return Progress.NONE, ""
        return self._hosts.progress(operation)

    def _give_up(self, operation: OperationRow, code: str, step: Step) -> None:
        """Waiting does not help. Hosts that we made are taken away first; the operation ends when that has."""
        made = operation.kind is OperationKind.PROVISION and self._progress(operation)[0] is Progress.READY
        if self._hosts and made:
            self._operations.step(operation.operation_id, step, code=code)
            self._hosts.turn_back(operation, code)
        else:
            self._end(operation, code, step)

    def _end(self, operation: OperationRow, code: str, step: Step | None = None) -> None:
        """The operation's end moves the tenant on, and the edge follows."""
        if step is not None:
            self._operations.step(operation.operation_id, step, code=code)
        self._operations.end(operation.operation_id, code=code)
        with self._unit_of_work() as uow:
            tenant = uow.tenants.get(operation.tenant_id)
        if tenant is not None:
            self._learned(tenant)
            self._shown(tenant.tenant_id)

    def _do(self, operation: OperationRow, entry: Entry, step: Step) -> bool:
        """Do a step, which may have been done before; False while it waits."""
        tenant = entry.tenant
        match step:
            case Step.REGISTRY_COMMITTED:
                return True
            case Step.HOSTS_READY:
                return self._made(operation)
            case Step.RESOURCES_GONE:
                return self._hosts is not None and self._hosts.take_away(operation)
            case Step.EDGE_CLOSED | Step.EDGE_PREPARED:
                return self._shown(tenant.tenant_id) and entry.gate is not Gate.OPEN
            case Step.EDGE_OPENED:
                return self._shown(tenant.tenant_id) and entry.gate is Gate.OPEN
            case Step.PLANE_ANSWERED | Step.PLANE_RECOGNISED:
                return self._recognised(entry)
            case Step.PLANE_ACKNOWLEDGED:
                return self._stored_acknowledgement(tenant)
            case Step.PLANE_CLOSED:
                return self._excused(operation, entry) or self._stored_acknowledgement(tenant)
            case Step.LEDGER_PULLED:
                return self._excused(operation, entry) or self._last_pull(tenant.tenant_id)

    def _made(self, operation: OperationRow) -> bool:
        """The hosts are there; how their plane is reached was registered with them."""
        if self._progress(operation)[0] is not Progress.READY:
            return False
        self._reread(operation)
        entry = self._roster.get(operation.tenant_id)
        if entry is not None:  # what an earlier attempt's plane had answered is not this one's trouble
            self._roster.note(operation.tenant_id, replace(entry.standing, code=""))
        return True

    def _stored_acknowledgement(self, tenant: TenantRow) -> bool:
        """Whether the registry itself holds the acknowledgement: what is known in memory alone may be lost."""
        with self._unit_of_work() as uow:
            row = uow.standings.get(tenant.tenant_id)
        return row is not None and row.acknowledged_version >= tenant.standing_version

    def _excused(self, operation: OperationRow, entry: Entry) -> bool:
        """Why a plane is not asked to close: it never was in service, or it is no more, as we or an operator know."""
        never = entry.endpoints is None or entry.standing.acknowledged_version == 0
        gone = self._hosts is not None and self._hosts.gone(entry.tenant)
        return never or gone or operation.reason == HOST_GONE

    def _recognised(self, entry: Entry) -> bool:
        """The plane answers on its channel, and it is the one that was registered."""
        if entry.endpoints is None:
            raise Conflict(
                "endpoints_missing", "It is not known how the plane is reached.", "Attach it with its addresses."
            )
        answer = self._channels(entry.endpoints).standing()
        for finding in answers.asked(entry.tenant, entry.endpoints, 0, answer, entry.nonces):
            raise Conflict(
                finding.code,
                "The plane that answers is not the one that was registered.",
                "Compare tenant and log key (`frostbyte audit checkpoint` at the plane) with what you attach.",
            )
        return True
