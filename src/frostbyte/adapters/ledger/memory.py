"""The ledger's store in memory. It passes the suite that the PostgreSQL store passes, and forgets everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from frostbyte.adapters.memory.audit import MemoryAuditLog
from frostbyte.adapters.memory.tables import Database, Table, Transaction
from frostbyte.control_plane.ledger.ports import Kept, Query
from frostbyte.control_plane.ledger.records import (
    Alert,
    AlertRow,
    EndingRow,
    Entry,
    LogRow,
    StandingRow,
    StepRow,
)
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import Row


class _Page(Row, frozen=True, kw_only=True):
    """The events of one step."""

    log_id: int
    first: int
    entries: Any


class MemoryLedgerUnitOfWork:
    """See control_plane.ledger.ports.LedgerUnitOfWork."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.audit = MemoryAuditLog(transaction)
        self._logs: Table[int, LogRow] = Table(transaction, "ledger_logs", lambda row: row.log_id)
        self._steps: Table[tuple[int, int], StepRow] = Table(
            transaction, "ledger_steps", lambda row: (row.log_id, row.size)
        )
        self._pages: Table[tuple[int, int], _Page] = Table(
            transaction, "ledger_events", lambda row: (row.log_id, row.first)
        )
        self._alerts: Table[UUID, AlertRow] = Table(transaction, "ledger_alerts", lambda row: row.alert_id)
        self._endings: Table[UUID, EndingRow] = Table(transaction, "ledger_endings", lambda row: row.alert_id)
        self._standings: Table[int, StandingRow] = Table(transaction, "ledger_standings", lambda row: row.log_id)

    def open_log(self, tenant_id: str, log_key: str, now: datetime) -> LogRow:
        self._transaction.lock("ledger_logs_new")
        known = [row for row in self._logs.rows() if (row.tenant_id, row.log_key) == (tenant_id, log_key)]
        if known:
            return known[0]
        number = max((row.log_id for row in self._logs.rows()), default=0) + 1
        row = LogRow(log_id=number, tenant_id=tenant_id, log_key=log_key, began_at=now)
        self._logs.insert(row)
        return row

    def logs(self, tenant_id: str | None = None) -> list[LogRow]:
        own = (row for row in self._logs.rows() if tenant_id in (None, row.tenant_id))
        return sorted(own, key=lambda row: row.log_id)

    def lock(self, log_id: int) -> None:
        self._transaction.lock("ledger", log_id)

    def last_step(self, log_id: int) -> StepRow | None:
        return max(self._of(log_id), key=lambda row: row.size, default=None)

    def step_below(self, log_id: int, size: int) -> StepRow | None:
        return max((row for row in self._of(log_id) if row.size <= size), key=lambda row: row.size, default=None)

    def steps(self, log_id: int, *, after_size: int, limit: int) -> list[StepRow]:
        own = (row for row in self._of(log_id) if row.size > after_size)
        return sorted(own, key=lambda row: row.size)[:limit]

    def add_step(self, step: StepRow, entries: Sequence[Entry]) -> None:
        before = self.last_step(step.log_id)
        if (before.size if before else 0) != step.size - len(entries):
            raise Conflict("row_exists", "The row exists already.", "Use the one that is there.")
        self._steps.insert(step)
        self._pages.insert(_Page(log_id=step.log_id, first=step.size - len(entries), entries=tuple(entries)))

    def events(self, query: Query, *, after: tuple[int, int] = (-1, -1), limit: int = 100) -> list[Kept]:
        found: list[Kept] = []
        for log_id, entry in self._entries():
            if (
                (log_id, entry.sequence) > after
                and (not query.log_ids or log_id in query.log_ids)
                and query.resource_id in (None, entry.resource_id)
                and query.type in (None, entry.type)
                and (query.since is None or entry.timestamp >= query.since)
                and (query.until is None or entry.timestamp <= query.until)
            ):
                found.append(Kept(log_id=log_id, entry=entry))
                if len(found) == limit:
                    break
        return found

    def newest(
        self,
        log_ids: Sequence[int],
        types: Sequence[str],
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        found = [
            (entry.timestamp, log_id, entry.sequence, entry)
            for log_id, entry in self._entries()
            if log_id in log_ids
            and entry.type in types
            and (since is None or entry.timestamp >= since)
            and (before is None or entry.timestamp < before)
        ]
        return [entry for *_, entry in sorted(found, key=lambda one: one[:3], reverse=True)][:limit]

    def of_resources(self, log_id: int, resource_ids: Sequence[str], before: int, *, limit: int) -> list[Entry]:
        wanted = set(resource_ids)
        found = [
            entry
            for number, entry in self._entries()
            if number == log_id and entry.sequence < before and entry.resource_id in wanted
        ]
        return found[::-1][:limit]

    def range(self, log_id: int, start: int, end: int) -> list[Entry]:
        return [entry for number, entry in self._entries() if number == log_id and start <= entry.sequence < end]

    def raise_alert(self, row: AlertRow) -> None:
        self._alerts.insert(row)

    def end_alert(self, row: EndingRow) -> bool:
        self._transaction.lock("ledger_endings", row.alert_id)
        if self._endings.get(row.alert_id) is not None:
            return False
        self._endings.insert(row)
        return True

    def alert(self, alert_id: UUID) -> Alert | None:
        row = self._alerts.get(alert_id)
        return Alert(row=row, ending=self._endings.get(alert_id)) if row else None

    def alerts(
        self, *, tenant_id: str | None = None, open_only: bool = False, after: UUID | None = None, limit: int = 100
    ) -> list[Alert]:
        found = [
            Alert(row=row, ending=self._endings.get(row.alert_id))
            for row in self._alerts.rows()
            if tenant_id in (None, row.tenant_id) and (after is None or row.alert_id < after)
        ]
        fitting = [alert for alert in found if not open_only or alert.ending is None]
        return sorted(fitting, key=lambda alert: alert.row.alert_id, reverse=True)[:limit]

    def standings(self) -> list[StandingRow]:
        return sorted(self._standings.rows(), key=lambda row: row.log_id)

    def put_standings(self, rows: Sequence[StandingRow]) -> None:
        for row in rows:
            self._standings.put(row)

    def commit(self) -> None:
        self._transaction.commit()

    def _of(self, log_id: int) -> list[StepRow]:
        return [row for row in self._steps.rows() if row.log_id == log_id]

    def _entries(self) -> Iterator[tuple[int, Entry]]:
        for page in sorted(self._pages.rows(), key=lambda page: (page.log_id, page.first)):
            for entry in page.entries:
                yield page.log_id, entry


class MemoryLedger:
    """See control_plane.ledger.ports.LedgerStore.

    Args:
        database: shared with the registry's store, so that an alert and its audit event commit together.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = database or Database()

    @contextmanager
    def unit_of_work(self) -> Iterator[MemoryLedgerUnitOfWork]:
        """One transaction; what is not committed is undone at the end of the block."""
        transaction = Transaction(self._database)
        try:
            yield MemoryLedgerUnitOfWork(transaction)
        finally:
            transaction.end()
