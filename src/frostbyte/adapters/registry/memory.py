"""The registry in this process, with the rules that the database has (migrations/control/001_registry.sql)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.access import MemoryAccess
from frostbyte.adapters.memory.accounts import MemoryAccounts
from frostbyte.adapters.memory.audit import MemoryAuditLog
from frostbyte.adapters.memory.tables import Database, Table, Transaction
from frostbyte.adapters.registry.journal_memory import MemoryJournal
from frostbyte.adapters.registry.receipts import MemoryReceipts
from frostbyte.adapters.registry.rounds import MemoryRounds
from frostbyte.control_plane.registry.records import (
    DUTIES,
    AlarmRow,
    EndpointsRow,
    IdempotencyRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    ProjectRow,
    StandingRow,
    StepRow,
    TenantConfigRow,
    TenantRow,
    TenantTally,
)
from frostbyte.control_plane.registry.states import MOVES, Failed, TenantState
from frostbyte.kernel.errors import Conflict, Invalid

_STEPS = frozenset((before[:2], after) for before, after in MOVES.items())


def _refused(why: str) -> Conflict:
    return Conflict(
        "registry_refused", f"The registry refuses this: {why}.", "Read the tenant again: it may have moved on."
    )


def _missing(what: str) -> Invalid:
    return Invalid("database_value_refused", f"The {what} does not exist.", "Check the input.")


class MemoryProjects:
    """See control_plane.registry.ports.Projects."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: Table[str, ProjectRow] = Table(transaction, "projects", lambda row: row.project_id)

    def get(self, project_id: str) -> ProjectRow | None:
        return self._rows.get(project_id)

    def add(self, row: ProjectRow) -> None:
        self._rows.insert(row, "project_exists", "There is a project of this name.")

    def lock(self, project_id: str) -> None:
        self._transaction.lock("networks", project_id)

    def page(self, *, after: str = "", limit: int = 100) -> list[ProjectRow]:
        fitting = (row for row in self._rows.rows() if row.project_id > after)
        return sorted(fitting, key=lambda row: row.project_id)[:limit]


class MemoryTenants:
    """See control_plane.registry.ports.Tenants."""

    def __init__(self, transaction: Transaction, projects: MemoryProjects) -> None:
        self._transaction = transaction
        self._projects = projects
        self._rows: Table[str, TenantRow] = Table(transaction, "tenants", lambda row: row.tenant_id)

    def get(self, tenant_id: str, *, lock: bool = False) -> TenantRow | None:
        return self._rows.get(tenant_id, lock=lock)

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, TenantRow]:
        found = (self._rows.get(tenant_id) for tenant_id in tenant_ids)
        return {row.tenant_id: row for row in found if row is not None}

    def add(self, row: TenantRow) -> None:
        if (row.state, row.failed, row.version, row.config_version, row.standing_version) != (
            *(TenantState.PENDING, Failed.NOTHING),
            *(1, 1, 0),
        ):
            raise _refused("a tenant begins as PENDING with its first versions")
        self._audited(row)
        if self._projects.get(row.project_id) is None:
            raise _missing("project")
        self._whole(row)
        self._rows.insert(row, "tenant_exists", "There is or was a tenant of this id.")
        self._transaction.lock("octet", row.project_id, row.octet)
        if sum(1 for other in self._rows.rows() if self._same_network(other, row)) > 1:
            raise Conflict("octet_taken", "Another tenant of the project has this network.", "Choose another octet.")

    def put(self, row: TenantRow) -> None:
        old = self._rows.get(row.tenant_id, lock=True)
        if old is None or old.version != row.version - 1:
            raise Conflict("tenant_changed", "The tenant was changed by someone else.", "Read it again.")
        kept = ("tenant_id", "project_id", "created_at")
        if any(getattr(old, name) != getattr(row, name) for name in kept):
            raise _refused("a tenant keeps its id, its project and its beginning")
        if row.config_version - old.config_version not in (0, 1) or row.standing_version - old.standing_version not in (
            0,
            1,
        ):
            raise _refused("versions rise one by one")
        before, after = (old.state, old.failed), (row.state, row.failed)
        if before != after and (before, after) not in _STEPS:
            raise _refused(f"no move leads from {old.state} to {row.state}")
        if old.state is TenantState.DEPROVISIONED:
            raise _refused("nothing follows DEPROVISIONED")
        if row.octet != old.octet and row.state is not TenantState.DEPROVISIONED:
            raise _refused("a tenant keeps its network until it is DEPROVISIONED")
        if row.last_event_id == old.last_event_id:
            raise _refused("each change of a tenant has an audit event of its own")
        self._audited(row)
        self._whole(row)
        self._rows.put(row)

    def page(
        self, *, project_id: str | None = None, state: TenantState | None = None, after: str = "", limit: int = 100
    ) -> list[TenantRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if row.tenant_id > after
            and (project_id is None or row.project_id == project_id)
            and (state is None or row.state is state)
        )
        return sorted(fitting, key=lambda row: row.tenant_id)[:limit]

    def known(self, tenant_id: str) -> None:
        """Refuse what belongs to nobody, as a foreign key does."""
        if self._rows.get(tenant_id) is None:
            raise _missing("tenant")

    def octets(self, project_id: str) -> frozenset[int]:
        return frozenset(
            row.octet for row in self._rows.rows() if row.project_id == project_id and row.octet is not None
        )

    def tally(self) -> list[TenantTally]:
        counted = Counter((row.project_id, row.state) for row in self._rows.rows())
        return [
            TenantTally(project_id=project_id, state=state, count=count)
            for (project_id, state), count in sorted(counted.items())
        ]

    def _audited(self, row: TenantRow) -> None:
        """The event was written by this same transaction."""
        event = self._transaction.written.get("audit_events", {}).get(row.last_event_id)
        if event is None or event.tenant_id != row.tenant_id:
            raise _refused("a tenant does not change without its audit event")

    @staticmethod
    def _whole(row: TenantRow) -> None:
        given_back = row.octet is None
        if given_back is not (row.state is TenantState.DEPROVISIONED) or not (
            given_back or 1 <= (row.octet or 0) <= 254
        ):
            raise Invalid("database_value_refused", "The tenant's network is none.", "Check the input.")

    @staticmethod
    def _same_network(one: TenantRow, other: TenantRow) -> bool:
        return (one.project_id, one.octet) == (other.project_id, other.octet)


class MemoryTenantConfigs:
    """See control_plane.registry.ports.TenantConfigs."""

    def __init__(self, transaction: Transaction, tenants: MemoryTenants) -> None:
        self._tenants = tenants
        self._rows: Table[tuple[str, int], TenantConfigRow] = Table(
            transaction, "tenant_configs", lambda row: (row.tenant_id, row.version)
        )

    def add(self, row: TenantConfigRow) -> None:
        self._tenants.known(row.tenant_id)
        self._rows.insert(row, "config_changed", "The configuration was changed by someone else.")

    def get(self, tenant_id: str, version: int) -> TenantConfigRow | None:
        return self._rows.get((tenant_id, version))

    def page(self, tenant_id: str, *, before: int | None = None, limit: int = 100) -> list[TenantConfigRow]:
        own = (row for row in self._rows.rows() if row.tenant_id == tenant_id)
        fitting = (row for row in own if before is None or row.version < before)
        return sorted(fitting, key=lambda row: -row.version)[:limit]


class MemoryEndpoints:
    """See control_plane.registry.ports.Endpoints."""

    def __init__(self, transaction: Transaction, tenants: MemoryTenants) -> None:
        self._tenants = tenants
        self._rows: Table[str, EndpointsRow] = Table(transaction, "endpoints", lambda row: row.tenant_id)

    def get(self, tenant_id: str) -> EndpointsRow | None:
        return self._rows.get(tenant_id)

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, EndpointsRow]:
        found = (self._rows.get(tenant_id) for tenant_id in tenant_ids)
        return {row.tenant_id: row for row in found if row is not None}

    def put(self, row: EndpointsRow) -> None:
        self._tenants.known(row.tenant_id)
        self._rows.put(row)


class MemoryStandings:
    """See control_plane.registry.ports.Standings."""

    def __init__(self, transaction: Transaction, tenants: MemoryTenants) -> None:
        self._tenants = tenants
        self._rows: Table[str, StandingRow] = Table(transaction, "standings", lambda row: row.tenant_id)

    def get(self, tenant_id: str) -> StandingRow | None:
        return self._rows.get(tenant_id)

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, StandingRow]:
        found = (self._rows.get(tenant_id) for tenant_id in tenant_ids)
        return {row.tenant_id: row for row in found if row is not None}

    def put(self, row: StandingRow) -> None:
        self._tenants.known(row.tenant_id)
        self._rows.put(row)


class MemoryOperations:
    """See control_plane.registry.ports.Operations."""

    def __init__(self, transaction: Transaction, tenants: MemoryTenants) -> None:
        self._tenants = tenants
        self._transaction = transaction
        self._rows: Table[UUID, OperationRow] = Table(transaction, "operations", lambda row: row.operation_id)
        self._steps: Table[tuple[UUID, int], StepRow] = Table(
            transaction, "operation_steps", lambda row: (row.operation_id, row.number)
        )

    def get(self, operation_id: UUID, *, lock: bool = False) -> OperationRow | None:
        return self._rows.get(operation_id, lock=lock)

    def add(self, row: OperationRow) -> None:
        self._tenants.known(row.tenant_id)
        self._transaction.lock("running", row.tenant_id)
        alike = [one for one in self.running(row.tenant_id) if (one.kind in DUTIES) is (row.kind in DUTIES)]
        if row.status is OperationStatus.RUNNING and alike:
            raise Conflict("operation_running", "Another operation runs for this tenant.", "Wait until it has ended.")
        self._rows.insert(row)

    def end(self, row: OperationRow) -> None:
        old = self._rows.get(row.operation_id, lock=True)
        kept = ("operation_id", "tenant_id", "kind", "actor", "reason", "started_at", "request")
        if (
            old is None
            or old.status is not OperationStatus.RUNNING
            or row.status is OperationStatus.RUNNING
            or any(getattr(old, name) != getattr(row, name) for name in kept)
        ):
            raise _refused("an operation ends once and changes in nothing else")
        self._rows.put(row)

    def running(self, tenant_id: str | None = None) -> list[OperationRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if row.status is OperationStatus.RUNNING and tenant_id in (None, row.tenant_id)
        )
        return sorted(fitting, key=lambda row: row.operation_id)

    def page(self, *, tenant_id: str | None = None, before: UUID | None = None, limit: int = 100) -> list[OperationRow]:
        fitting = (
            row
            for row in self._rows.rows()
            if tenant_id in (None, row.tenant_id) and (before is None or row.operation_id < before)
        )
        return sorted(fitting, key=lambda row: row.operation_id, reverse=True)[:limit]

    def of(self, kind: OperationKind, since: datetime) -> list[OperationRow]:
        fitting = (row for row in self._rows.rows() if row.kind is kind and row.started_at >= since)
        return sorted(fitting, key=lambda row: row.operation_id)

    def add_step(self, row: StepRow) -> None:
        self._steps.insert(row)

    def steps(self, operation_id: UUID, *, after: int = 0) -> list[StepRow]:
        own = (row for row in self._steps.rows() if row.operation_id == operation_id and row.number > after)
        return sorted(own, key=lambda row: row.number)


class MemoryIdempotency:
    """See control_plane.registry.ports.Idempotency."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: Table[tuple[str, str], IdempotencyRow] = Table(
            transaction, "idempotency_keys", lambda row: (row.subject, row.key)
        )

    def recall(self, subject: str, key: str) -> IdempotencyRow | None:
        self._transaction.lock("idempotency", subject, key)
        return self._rows.get((subject, key))

    def remember(self, row: IdempotencyRow) -> None:
        self._rows.insert(row)

    def forget(self, before: datetime) -> int:
        old = [row for row in self._rows.rows() if row.created_at < before]
        for row in old:
            self._rows.delete((row.subject, row.key))
        return len(old)


class MemoryAlarms:
    """See control_plane.registry.ports.Alarms."""

    def __init__(self, transaction: Transaction, tenants: MemoryTenants) -> None:
        self._tenants = tenants
        self._rows: Table[UUID, AlarmRow] = Table(transaction, "alarms", lambda row: row.alarm_id)

    def ring(self, row: AlarmRow) -> bool:
        self._tenants.known(row.tenant_id)
        if any(other.code == row.code for other in self.ringing(row.tenant_id)):
            return False
        self._rows.insert(row)
        return True

    def settle(self, tenant_id: str, code: str, now: datetime) -> bool:
        found = [row for row in self.ringing(tenant_id) if row.code == code]
        for row in found:
            self._rows.put(replace(row, settled_at=now))
        return bool(found)

    def ringing(self, tenant_id: str | None = None) -> list[AlarmRow]:
        fitting = (row for row in self._rows.rows() if row.settled_at is None and tenant_id in (None, row.tenant_id))
        return sorted(fitting, key=lambda row: row.alarm_id)


class MemoryRegistryUnitOfWork:
    """See control_plane.provisioning.ports.ProvisioningUnitOfWork."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.projects = MemoryProjects(transaction)
        self.tenants = MemoryTenants(transaction, self.projects)
        self.configs = MemoryTenantConfigs(transaction, self.tenants)
        self.endpoints = MemoryEndpoints(transaction, self.tenants)
        self.standings = MemoryStandings(transaction, self.tenants)
        self.operations = MemoryOperations(transaction, self.tenants)
        self.idempotency = MemoryIdempotency(transaction)
        self.alarms = MemoryAlarms(transaction, self.tenants)
        self.access = MemoryAccess(transaction)
        self.accounts = MemoryAccounts(transaction)
        self.audit = MemoryAuditLog(transaction)
        self.journal = MemoryJournal(transaction)
        self.receipts = MemoryReceipts(transaction)
        self.rounds = MemoryRounds(transaction)

    def commit(self) -> None:
        self._transaction.commit()


class MemoryRegistry:
    """The control plane's rows in this process."""

    def __init__(self) -> None:
        self._database = Database()

    @contextmanager
    def unit_of_work(self, *, reading: bool = False) -> Iterator[MemoryRegistryUnitOfWork]:
        """One transaction; what is not committed is undone at the end of the block."""
        transaction = Transaction(self._database, reading=reading)
        try:
            yield MemoryRegistryUnitOfWork(transaction)
        finally:
            transaction.end()
