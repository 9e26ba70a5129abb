"""The registry in PostgreSQL (migrations/control)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.access import PostgresAccess
from frostbyte.adapters.postgres.accounts import PostgresAccounts
from frostbyte.adapters.postgres.audit import SequencerMark
from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.adapters.postgres.pool import PostgresPool, PostgresTransaction
from frostbyte.adapters.registry.journal_postgres import PostgresJournal
from frostbyte.adapters.registry.receipts import PostgresReceipts
from frostbyte.adapters.registry.rounds import PostgresRounds
from frostbyte.control_plane.registry.records import (
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
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.errors import Conflict

_PROJECTS: Final = Table("projects", ProjectRow, "project_id")
_TENANTS: Final = Table("tenants", TenantRow, "tenant_id")
_CONFIGS: Final = Table("tenant_configs", TenantConfigRow, "version")
_ENDPOINTS: Final = Table("endpoints", EndpointsRow, "tenant_id")
_STANDINGS: Final = Table("standings", StandingRow, "tenant_id")
_OPERATIONS: Final = Table("operations", OperationRow, "operation_id")
_STEPS: Final = Table("operation_steps", StepRow, "number")
_ALARMS: Final = Table("alarms", AlarmRow, "alarm_id")
_ANSWERS: Final = Table("idempotency_keys", IdempotencyRow, "key")

_NETWORKS_LOCK: Final = 0x0F206
_IDEMPOTENCY_LOCK: Final = 0x0F207
"""First halves of advisory locks; the second is a hash, and a rare clash only makes two requests wait."""


class PostgresProjects(Repository):
    """See control_plane.registry.ports.Projects."""

    def get(self, project_id: str) -> ProjectRow | None:
        record = self._one(_PROJECTS.select + "WHERE project_id = %s", [project_id])
        return _PROJECTS.decode(record) if record else None

    def add(self, row: ProjectRow) -> None:
        self._run(_PROJECTS.insert, _PROJECTS.encode(row))

    def lock(self, project_id: str) -> None:
        self._run("SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))", [_NETWORKS_LOCK, project_id])

    def page(self, *, after: str = "", limit: int = 100) -> list[ProjectRow]:
        records = self._all(_PROJECTS.select + "WHERE project_id > %s ORDER BY project_id LIMIT %s", [after, limit])
        return [_PROJECTS.decode(record) for record in records]


class PostgresTenantRegister(Repository):
    """See control_plane.registry.ports.Tenants."""

    def get(self, tenant_id: str, *, lock: bool = False) -> TenantRow | None:
        query = _TENANTS.select + "WHERE tenant_id = %s" + (" FOR NO KEY UPDATE" if lock else "")
        record = self._one(query, [tenant_id])
        return _TENANTS.decode(record) if record else None

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, TenantRow]:
        records = self._all(_TENANTS.select + "WHERE tenant_id = ANY(%s)", [list(tenant_ids)])
        return {row.tenant_id: row for row in map(_TENANTS.decode, records)}

    def add(self, row: TenantRow) -> None:
        self._run(_TENANTS.insert, _TENANTS.encode(row))

    def put(self, row: TenantRow) -> None:
        changed = self._run(
            _TENANTS.update + "WHERE tenant_id = %s AND version = %s",
            [*_TENANTS.encode(row), row.tenant_id, row.version - 1],
        )
        if not changed:
            raise Conflict("tenant_changed", "The tenant was changed by someone else.", "Read it again.")

    def page(
        self, *, project_id: str | None = None, state: TenantState | None = None, after: str = "", limit: int = 100
    ) -> list[TenantRow]:
        where, parameters = ["tenant_id > %s"], list[Any]([after])
        for condition, value in (("project_id = %s", project_id), ("state = %s", state and state.value)):
            if value is not None:
                where.append(condition)
                parameters.append(value)
        query = _TENANTS.select + f"WHERE {' AND '.join(where)} ORDER BY tenant_id LIMIT %s"
        return [_TENANTS.decode(record) for record in self._all(query, [*parameters, limit])]

    def octets(self, project_id: str) -> frozenset[int]:
        records = self._all("SELECT octet::int FROM tenants WHERE project_id = %s AND octet IS NOT NULL", [project_id])
        return frozenset(record[0] for record in records)

    def tally(self) -> list[TenantTally]:
        records = self._all("SELECT project_id, state, count(*) FROM tenants GROUP BY 1, 2 ORDER BY 1, 2")
        return [
            TenantTally(project_id=project_id, state=TenantState(state), count=count)
            for project_id, state, count in records
        ]


class PostgresTenantConfigs(Repository):
    """See control_plane.registry.ports.TenantConfigs."""

    def add(self, row: TenantConfigRow) -> None:
        self._run(_CONFIGS.insert, _CONFIGS.encode(row))

    def get(self, tenant_id: str, version: int) -> TenantConfigRow | None:
        record = self._one(_CONFIGS.select + "WHERE tenant_id = %s AND version = %s", [tenant_id, version])
        return _CONFIGS.decode(record) if record else None

    def page(self, tenant_id: str, *, before: int | None = None, limit: int = 100) -> list[TenantConfigRow]:
        records = self._all(
            _CONFIGS.select
            + "WHERE tenant_id = %s AND (%s::bigint IS NULL OR version < %s) ORDER BY version DESC LIMIT %s",
            [tenant_id, before, before, limit],
        )
        return [_CONFIGS.decode(record) for record in records]


class PostgresEndpoints(Repository):
    """See control_plane.registry.ports.Endpoints."""

    def get(self, tenant_id: str) -> EndpointsRow | None:
        return self.get_many([tenant_id]).get(tenant_id)

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, EndpointsRow]:
        records = self._all(_ENDPOINTS.select + "WHERE tenant_id = ANY(%s)", [list(tenant_ids)])
        return {row.tenant_id: row for row in map(_ENDPOINTS.decode, records)}

    def put(self, row: EndpointsRow) -> None:
        self._run(_ENDPOINTS.upsert, _ENDPOINTS.encode(row))


class PostgresStandings(Repository):
    """See control_plane.registry.ports.Standings."""

    def get(self, tenant_id: str) -> StandingRow | None:
        return self.get_many([tenant_id]).get(tenant_id)

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, StandingRow]:
        records = self._all(_STANDINGS.select + "WHERE tenant_id = ANY(%s)", [list(tenant_ids)])
        return {row.tenant_id: row for row in map(_STANDINGS.decode, records)}

    def put(self, row: StandingRow) -> None:
        self._run(_STANDINGS.upsert, _STANDINGS.encode(row))


class PostgresOperations(Repository):
    """See control_plane.registry.ports.Operations."""

    def get(self, operation_id: UUID, *, lock: bool = False) -> OperationRow | None:
        query = _OPERATIONS.select + "WHERE operation_id = %s" + (" FOR NO KEY UPDATE" if lock else "")
        record = self._one(query, [operation_id])
        return _OPERATIONS.decode(record) if record else None

    def add(self, row: OperationRow) -> None:
        self._run(_OPERATIONS.insert, _OPERATIONS.encode(row))

    def end(self, row: OperationRow) -> None:
        changed = self._run(
            _OPERATIONS.update + "WHERE operation_id = %s", [*_OPERATIONS.encode(row), row.operation_id]
        )
        if not changed:
            raise Conflict("registry_refused", "The registry refuses this: there is no such operation.", "")

    def running(self, tenant_id: str | None = None) -> list[OperationRow]:
        records = self._all(
            _OPERATIONS.select + "WHERE status = %s AND (%s::text IS NULL OR tenant_id = %s) ORDER BY operation_id",
            [OperationStatus.RUNNING.value, tenant_id, tenant_id],
        )
        return [_OPERATIONS.decode(record) for record in records]

    def page(self, *, tenant_id: str | None = None, before: UUID | None = None, limit: int = 100) -> list[OperationRow]:
        where, parameters = ["true"], list[Any]()
        for condition, value in (("tenant_id = %s", tenant_id), ("operation_id < %s", before)):
            if value is not None:
                where.append(condition)
                parameters.append(value)
        query = _OPERATIONS.select + f"WHERE {' AND '.join(where)} ORDER BY operation_id DESC LIMIT %s"
        return [_OPERATIONS.decode(record) for record in self._all(query, [*parameters, limit])]

    def of(self, kind: OperationKind, since: datetime) -> list[OperationRow]:
        query = _OPERATIONS.select + "WHERE kind = %s AND started_at >= %s ORDER BY operation_id"
        return [_OPERATIONS.decode(record) for record in self._all(query, [kind.value, since])]

    def add_step(self, row: StepRow) -> None:
        self._run(_STEPS.insert, _STEPS.encode(row))

    def steps(self, operation_id: UUID, *, after: int = 0) -> list[StepRow]:
        records = self._all(
            _STEPS.select + "WHERE operation_id = %s AND number > %s ORDER BY number", [operation_id, after]
        )
        return [_STEPS.decode(record) for record in records]


class PostgresIdempotency(Repository):
    """See control_plane.registry.ports.Idempotency."""

    def recall(self, subject: str, key: str) -> IdempotencyRow | None:
        # A subject holds no line break, so no two pairs have the same text.
        self._run("SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))", [_IDEMPOTENCY_LOCK, f"{subject}\n{key}"])
        record = self._one(_ANSWERS.select + "WHERE subject = %s AND key = %s", [subject, key])
        return _ANSWERS.decode(record) if record else None

    def remember(self, row: IdempotencyRow) -> None:
        self._run(_ANSWERS.insert, _ANSWERS.encode(row))

    def forget(self, before: datetime) -> int:
        return self._run("DELETE FROM idempotency_keys WHERE created_at < %s", [before])


class PostgresAlarms(Repository):
    """See control_plane.registry.ports.Alarms."""

    def ring(self, row: AlarmRow) -> bool:
        clash = " ON CONFLICT (tenant_id, code) WHERE settled_at IS NULL DO NOTHING"
        return self._run(_ALARMS.insert + clash, _ALARMS.encode(row)) > 0

    def settle(self, tenant_id: str, code: str, now: datetime) -> bool:
        query = "UPDATE alarms SET settled_at = %s WHERE tenant_id = %s AND code = %s AND settled_at IS NULL"
        return self._run(query, [now, tenant_id, code]) > 0

    def ringing(self, tenant_id: str | None = None) -> list[AlarmRow]:
        where = "WHERE settled_at IS NULL AND (%s::text IS NULL OR tenant_id = %s) ORDER BY alarm_id"
        return [_ALARMS.decode(record) for record in self._all(_ALARMS.select + where, [tenant_id, tenant_id])]


class PostgresRegistryUnitOfWork(PostgresTransaction):
    """See control_plane.provisioning.ports.ProvisioningUnitOfWork."""

    def __init__(self, session: Session, mark: SequencerMark) -> None:
        super().__init__(session, mark)
        self.projects = PostgresProjects(session)
        self.tenants = PostgresTenantRegister(session)
        self.configs = PostgresTenantConfigs(session)
        self.endpoints = PostgresEndpoints(session)
        self.standings = PostgresStandings(session)
        self.operations = PostgresOperations(session)
        self.idempotency = PostgresIdempotency(session)
        self.alarms = PostgresAlarms(session)
        self.access = PostgresAccess(session)
        self.accounts = PostgresAccounts(session)
        self.journal = PostgresJournal(session)
        self.receipts = PostgresReceipts(session)
        self.rounds = PostgresRounds(session)


class PostgresRegistry(PostgresPool[PostgresRegistryUnitOfWork]):
    """The control plane's database. See PostgresPool.

    Args:
        dsn: of the writer, or of the owner together with `role`.
        role: the role to become on each connection.
        max_connections: the most that this process opens.
    """

    def __init__(self, dsn: str, *, max_connections: int = 10, role: str = "") -> None:
        super().__init__(dsn, PostgresRegistryUnitOfWork, max_connections=max_connections, role=role)
