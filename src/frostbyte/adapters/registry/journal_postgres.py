"""The journal of provisioning in PostgreSQL (migrations/control/008_provisioning.sql)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Repository, Table
from frostbyte.control_plane.provisioning.journal import EntryRow, PricesRow, RunRow
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.errors import Conflict

_RUNS: Final = Table("provision_runs", RunRow, "run_id")
_ENTRIES: Final = Table("provision_entries", EntryRow, "key")
_OWNER: Final = "environment = %s AND project_id = %s AND tenant_id = %s "
_TAKE: Final = (
    "UPDATE provision_runs SET holder = %s, leased_until = %s, fence = fence + 1 "
    "WHERE run_id = %s AND state = 'running' AND (holder IN ('', %s) OR leased_until <= %s)"
)

_PRICES: Final = (
    "SELECT run_id, project_id, tenant_id, coalesce(plan->>'currency', ''), "
    "coalesce((SELECT jsonb_object_agg(step->>'key', step->>'monthly') FROM jsonb_array_elements(plan->'steps') step "
    "WHERE (step->>'monthly')::numeric > 0), '{}'), coalesce(plan->'facts'->'servers', '[]') "
    "FROM provision_runs WHERE environment = %s AND plan <> '{}' AND run_id <> ALL(%s) ORDER BY run_id"
)
"""Taken out of the plans where they lie: one is some fifty kilobytes."""


def _parts(owner: Owner) -> tuple[str, str, str]:
    return owner.environment, owner.project_id, owner.tenant_id


class PostgresJournal(Repository):
    """See control_plane.provisioning.journal.Journal."""

    def begin(self, row: RunRow) -> None:
        self._run(_RUNS.insert, _RUNS.encode(row))

    def run(self, run_id: UUID) -> RunRow | None:
        record = self._one(_RUNS.select + "WHERE run_id = %s", [run_id])
        return _RUNS.decode(record) if record else None

    def running(self, owner: Owner | None = None) -> list[RunRow]:
        query, parameters = _RUNS.select + "WHERE state = 'running' ", list[object]()
        if owner is not None:
            query, parameters = query + "AND " + _OWNER, list(_parts(owner))
        return [_RUNS.decode(record) for record in self._all(query + "ORDER BY run_id", parameters)]

    def runs(self, owner: Owner) -> list[RunRow]:
        records = self._all(_RUNS.select + "WHERE " + _OWNER + "ORDER BY run_id DESC", _parts(owner))
        return [_RUNS.decode(record) for record in records]

    def take(self, run_id: UUID, holder: str, now: datetime, until: datetime) -> RunRow | None:
        record = self._one(_TAKE + _RUNS.returning, [holder, until, run_id, holder, now])
        return _RUNS.decode(record) if record else None

    def beat(self, run_id: UUID, fence: int, until: datetime) -> bool:
        query = "UPDATE provision_runs SET leased_until = %s WHERE run_id = %s AND fence = %s AND holder <> ''"
        return self._run(query, [until, run_id, fence]) > 0

    def put_run(self, row: RunRow) -> None:
        where = "WHERE run_id = %s AND fence IN (%s, %s)"
        if not self._run(_RUNS.update + where, [*_RUNS.encode(row), row.run_id, row.fence, row.fence - 1]):
            raise Conflict(
                "fence_lost", "Another provisioner goes on with this run.", "Nothing to do: it has all that it needs."
            )

    def put(self, row: EntryRow) -> None:
        changed = self._run(
            _ENTRIES.update + "WHERE " + _OWNER + "AND key = %s", [*_ENTRIES.encode(row), *_parts(row.owner), row.key]
        )
        if not changed:
            self._run(_ENTRIES.insert, _ENTRIES.encode(row))

    def entries(self, owner: Owner) -> list[EntryRow]:
        records = self._all(_ENTRIES.select + "WHERE " + _OWNER + 'ORDER BY position, key COLLATE "C"', _parts(owner))
        return [_ENTRIES.decode(record) for record in records]

    def owned(self, environment: str) -> list[EntryRow]:
        query = (
            _ENTRIES.select + "WHERE environment = %s AND kind <> '' AND state <> 'gone' "
            'ORDER BY project_id COLLATE "C", tenant_id COLLATE "C", position, key COLLATE "C"'
        )
        return [_ENTRIES.decode(record) for record in self._all(query, [environment])]

    def prices(self, environment: str, known: Collection[UUID]) -> list[PricesRow]:
        return [
            PricesRow(
                run_id=run_id,
                project_id=project_id,
                tenant_id=tenant_id,
                currency=currency,
                steps=steps,
                servers=servers,
            )
            for run_id, project_id, tenant_id, currency, steps, servers in self._all(_PRICES, [environment, [*known]])
        ]
