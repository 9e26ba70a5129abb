"""The journal of provisioning in this process, with the rules of migrations/control/008_provisioning.sql."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.control_plane.provisioning.journal import (
    Direction,
    EntryRow,
    EntryState,
    PricesRow,
    RunRow,
    RunState,
)
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.records import ProjectRow, TenantRow
from frostbyte.kernel.errors import Conflict, Invalid

_E: Final = EntryState
FOLLOWS: Final = frozenset(
    {
        (_E.INTENDED, _E.INTENDED),
        (_E.INTENDED, _E.DONE),
        (_E.INTENDED, _E.UNDOING),
        (_E.DONE, _E.DONE),
        (_E.DONE, _E.INTENDED),
        (_E.DONE, _E.UNDOING),
        (_E.UNDOING, _E.UNDOING),
        (_E.UNDOING, _E.GONE),
        (_E.UNDOING, _E.INTENDED),
        (_E.GONE, _E.INTENDED),
        (_E.GONE, _E.UNDOING),
    }
)
"""Which state of an entry may follow which; the database has the same table (`legal_entries`)."""


def _parts(owner: Owner) -> tuple[str, str, str]:
    return owner.environment, owner.project_id, owner.tenant_id


def _lost() -> Conflict:
    return Conflict(
        "fence_lost", "Another provisioner goes on with this run.", "Nothing to do: it has all that it needs."
    )


def _running() -> Conflict:
    return Conflict(
        "run_running", "Something is being made or taken away for it already.", "Wait until that has ended."
    )


def _refused(why: str) -> Conflict:
    return Conflict(
        "registry_refused", f"The registry refuses this: {why}.", "Read the tenant again: it may have moved on."
    )


def _whole(row: EntryRow) -> None:
    if row.kind and (not row.name or (row.state is _E.DONE and not row.resource_id)):
        raise Invalid("database_value_refused", "The entry names no resource.", "Check the input.")


class MemoryJournal:
    """See control_plane.provisioning.journal.Journal."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._runs: Table[UUID, RunRow] = Table(transaction, "provision_runs", lambda row: row.run_id)
        self._entries: Table[tuple[str, str, str, str], EntryRow] = Table(
            transaction, "provision_entries", lambda row: (*_parts(row.owner), row.key)
        )
        self._projects: Table[str, ProjectRow] = Table(transaction, "projects", lambda row: row.project_id)
        self._tenants: Table[str, TenantRow] = Table(transaction, "tenants", lambda row: row.tenant_id)

    def begin(self, row: RunRow) -> None:
        if row.state is not RunState.RUNNING or row.direction is Direction.BACK or row.holder:
            raise _refused("a run begins as running, up or down, held by nobody")
        if self._projects.get(row.project_id) is None:
            raise Invalid("database_value_refused", "The project does not exist.", "Check the input.")
        tenant = self._tenants.get(row.tenant_id)
        if row.tenant_id and (tenant is None or tenant.project_id != row.project_id):
            raise _refused("a run is for a tenant of its project")
        self._transaction.lock("provision_running", *_parts(row.owner))
        before = self.runs(row.owner)
        if any(other.state is RunState.RUNNING for other in before):
            raise _running()
        if any(other.fence >= row.fence for other in before):
            raise _refused("a run has a higher fence than those before it")
        self._runs.insert(row)

    def run(self, run_id: UUID) -> RunRow | None:
        return self._runs.get(run_id)

    def running(self, owner: Owner | None = None) -> list[RunRow]:
        fitting = (row for row in self._runs.rows() if row.state is RunState.RUNNING and owner in (None, row.owner))
        return sorted(fitting, key=lambda row: row.run_id)

    def runs(self, owner: Owner) -> list[RunRow]:
        own = (row for row in self._runs.rows() if row.owner == owner)
        return sorted(own, key=lambda row: row.run_id, reverse=True)

    def take(self, run_id: UUID, holder: str, now: datetime, until: datetime) -> RunRow | None:
        row = self._runs.get(run_id, lock=True)
        if row is None or row.state is not RunState.RUNNING:
            return None
        if row.holder not in ("", holder) and row.leased_until is not None and row.leased_until > now:
            return None
        row = replace(row, holder=holder, leased_until=until, fence=row.fence + 1)
        self._runs.put(row)
        return row

    def beat(self, run_id: UUID, fence: int, until: datetime) -> bool:
        row = self._runs.get(run_id, lock=True)
        if row is None or row.state is not RunState.RUNNING or row.fence != fence or not row.holder:
            return False
        self._runs.put(replace(row, leased_until=until))
        return True

    def put_run(self, row: RunRow) -> None:
        old = self._runs.get(row.run_id, lock=True)
        if old is None or row.fence not in (old.fence, old.fence + 1):
            raise _lost()
        kept = ("environment", "project_id", "tenant_id", "request", "started_at")
        if any(getattr(old, name) != getattr(row, name) for name in kept):
            raise _refused("a run keeps what it is for")
        if old.plan and row.plan != old.plan:
            raise _refused("a run keeps its plan")
        if row.direction is not old.direction and (old.direction, row.direction) != (Direction.UP, Direction.BACK):
            raise _refused(f"no run goes from {old.direction} to {row.direction}")
        after_all = (Direction.UP, RunState.SUCCEEDED, Direction.BACK, RunState.RUNNING)
        if old.state is not RunState.RUNNING and (old.direction, old.state, row.direction, row.state) != after_all:
            raise _refused("a run ends once")
        if row.state is RunState.RUNNING and any(other.run_id != row.run_id for other in self.running(row.owner)):
            raise _running()
        self._whole_run(row)
        self._runs.put(row)

    @staticmethod
    def _whole_run(row: RunRow) -> None:
        ended = row.state is not RunState.RUNNING
        held = bool(row.holder)
        back = row.direction is Direction.BACK and (row.state is RunState.SUCCEEDED or not row.code)
        if ended is (row.ended_at is None) or held is (row.leased_until is None) or (ended and held) or back:
            raise Invalid("database_value_refused", "The run does not agree with itself.", "Check the input.")

    def put(self, row: EntryRow) -> None:
        current = next(iter(self.running(row.owner)), None)
        if current is not None:
            self._transaction.share("provision_runs", current.run_id)
            current = self._runs.get(current.run_id)
        if current is None or current.state is not RunState.RUNNING or row.fence != current.fence:
            raise _lost()
        old = self._entries.get((*_parts(row.owner), row.key), lock=True)
        if old is None and row.state is not _E.INTENDED:
            raise _refused("an entry begins as intended")
        if old is not None and (old.state, row.state) not in FOLLOWS:
            raise _refused(f"no entry goes from {old.state} to {row.state}")
        if self._runs.get(row.run_id) is None:
            raise Invalid("database_value_refused", "The run does not exist.", "Check the input.")
        changes = old is not None and old.state is not row.state and row.state in (_E.DONE, _E.GONE)
        if changes and row.kind and not self._audited(row):
            raise _refused("no resource is made or gone without its audit event")
        _whole(row)
        self._entries.put(row)

    def _audited(self, row: EntryRow) -> bool:
        wanted = (row.tenant_id or ITSELF, row.kind, row.key)
        written = self._transaction.written.get("audit_events", {}).values()
        return any((event.tenant_id, event.resource_type, event.resource_id) == wanted for event in written)

    def entries(self, owner: Owner) -> list[EntryRow]:
        own = (row for row in self._entries.rows() if row.owner == owner)
        return sorted(own, key=lambda row: (row.position, row.key))

    def owned(self, environment: str) -> list[EntryRow]:
        fitting = (
            row
            for row in self._entries.rows()
            if row.environment == environment and row.kind and row.state is not _E.GONE
        )
        return sorted(fitting, key=lambda row: (*_parts(row.owner), row.position, row.key))

    def prices(self, environment: str, known: Collection[UUID]) -> list[PricesRow]:
        return [
            PricesRow(
                run_id=row.run_id,
                project_id=row.project_id,
                tenant_id=row.tenant_id,
                currency=str(row.plan.get("currency", "")),
                steps={
                    step["key"]: step["monthly"]
                    for step in row.plan.get("steps", ())
                    if Decimal(step.get("monthly", 0)) > 0
                },
                servers=row.plan.get("facts", {}).get("servers", []),
            )
            for row in sorted(self._runs.rows(), key=lambda row: row.run_id)
            if row.environment == environment and row.plan and row.run_id not in known
        ]
