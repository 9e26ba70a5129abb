"""The ledger's store in PostgreSQL: the control plane's database.

Events go in by binary COPY. They are read log by log: a look-up enters each log behind the newest step whose events
all lie before the asked time, so that a question about today does not read last year (`last_timestamp` never falls).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from frostbyte.adapters.postgres.mapping import Table
from frostbyte.adapters.postgres.pool import PostgresPool, PostgresTransaction
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

LOGS: Final = Table("ledger_logs", LogRow, "log_id")
STEPS: Final = Table("ledger_steps", StepRow, "log_id")
ALERTS: Final = Table("ledger_alerts", AlertRow, "alert_id")
ENDINGS: Final = Table("ledger_endings", EndingRow, "alert_id")
STANDINGS: Final = Table("ledger_standings", StandingRow, "log_id")

_LOCK: Final = 0x0F208
"""First half of the advisory locks of logs; the second is the log's number."""

_COPY: Final = (
    "COPY ledger_events (log_id, sequence, type, timestamp, resource_id, leaf, event) FROM STDIN (FORMAT BINARY)"
)
_KINDS: Final = ("int4", "int8", "text", "timestamptz", "text", "bytea", "bytea")
_ENTRY: Final = "sequence, type, timestamp, resource_id, leaf, event"


class PostgresLedgerUnitOfWork(PostgresTransaction):
    """See control_plane.ledger.ports.LedgerUnitOfWork."""

    def open_log(self, tenant_id: str, log_key: str, now: datetime) -> LogRow:
        self._run(
            "INSERT INTO ledger_logs (tenant_id, log_key, began_at) SELECT %s, %s, %s "
            "WHERE NOT EXISTS (SELECT FROM ledger_logs WHERE tenant_id = %s AND log_key = %s) ON CONFLICT DO NOTHING",
            [tenant_id, log_key, now, tenant_id, log_key],
        )
        record = self._one(LOGS.select + "WHERE tenant_id = %s AND log_key = %s", [tenant_id, log_key])
        assert record is not None  # it is never removed
        return LOGS.decode(record)

    def logs(self, tenant_id: str | None = None) -> list[LogRow]:
        where, values = ("", []) if tenant_id is None else ("WHERE tenant_id = %s ", [tenant_id])
        return [LOGS.decode(record) for record in self._all(LOGS.select + where + "ORDER BY log_id", values)]

    def lock(self, log_id: int) -> None:
        self._run("SELECT pg_advisory_xact_lock(%s::int, %s::int)", [_LOCK, log_id])

    def last_step(self, log_id: int) -> StepRow | None:
        record = self._one(STEPS.select + "WHERE log_id = %s ORDER BY size DESC LIMIT 1", [log_id])
        return STEPS.decode(record) if record else None

    def step_below(self, log_id: int, size: int) -> StepRow | None:
        record = self._one(STEPS.select + "WHERE log_id = %s AND size <= %s ORDER BY size DESC LIMIT 1", [log_id, size])
        return STEPS.decode(record) if record else None

    def steps(self, log_id: int, *, after_size: int, limit: int) -> list[StepRow]:
        records = self._all(
            STEPS.select + "WHERE log_id = %s AND size > %s ORDER BY size LIMIT %s", [log_id, after_size, limit]
        )
        return [STEPS.decode(record) for record in records]

    def add_step(self, step: StepRow, entries: Sequence[Entry]) -> None:
        before = self.last_step(step.log_id)
        if (before.size if before else 0) != step.size - len(entries):
            raise Conflict("row_exists", "The row exists already.", "Use the one that is there.")
        self._copy(
            _COPY,
            _KINDS,
            [
                (step.log_id, entry.sequence, entry.type, entry.timestamp, entry.resource_id, entry.leaf, entry.event)
                for entry in entries
            ],
        )
        self._run(STEPS.insert, STEPS.encode(step))

    def events(self, query: Query, *, after: tuple[int, int] = (-1, -1), limit: int = 100) -> list[Kept]:
        text, values = _look_up(query, after, limit)
        return [Kept(log_id=record[0], entry=Entry(*record[1:])) for record in self._all(text, values)]

    def newest(
        self,
        log_ids: Sequence[int],
        types: Sequence[str],
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        where, values = ["log_id = ANY(%s)", "type = ANY(%s)"], list[Any]([list(log_ids), list(types)])
        for condition, moment in (("timestamp >= %s", since), ("timestamp < %s", before)):
            if moment is not None:
                where.append(condition)
                values.append(moment)
        records = self._all(
            f"SELECT {_ENTRY} FROM ledger_events WHERE {' AND '.join(where)} "  # noqa: S608 - constants
            "ORDER BY timestamp DESC, log_id DESC, sequence DESC LIMIT %s",
            [*values, limit],
        )
        return [Entry(*record) for record in records]

    def of_resources(self, log_id: int, resource_ids: Sequence[str], before: int, *, limit: int) -> list[Entry]:
        records = self._all(
            f"SELECT {_ENTRY} FROM ledger_events "  # noqa: S608 - constants
            "WHERE log_id = %s AND resource_id = ANY(%s) AND sequence < %s ORDER BY sequence DESC LIMIT %s",
            [log_id, list(resource_ids), before, limit],
        )
        return [Entry(*record) for record in records]

    def range(self, log_id: int, start: int, end: int) -> list[Entry]:
        records = self._all(
            f"SELECT {_ENTRY} FROM ledger_events "  # noqa: S608 - constants
            "WHERE log_id = %s AND sequence >= %s AND sequence < %s ORDER BY sequence",
            [log_id, start, end],
        )
        return [Entry(*record) for record in records]

    def raise_alert(self, row: AlertRow) -> None:
        self._run(ALERTS.insert, ALERTS.encode(row))

    def end_alert(self, row: EndingRow) -> bool:
        return self._run(ENDINGS.insert + " ON CONFLICT DO NOTHING", ENDINGS.encode(row)) == 1

    def alert(self, alert_id: UUID) -> Alert | None:
        found = self._alerts("WHERE ledger_alerts.alert_id = %s", [alert_id])
        return found[0] if found else None

    def alerts(
        self, *, tenant_id: str | None = None, open_only: bool = False, after: UUID | None = None, limit: int = 100
    ) -> list[Alert]:
        where, values = ["true"], list[Any]()
        if tenant_id is not None:
            where.append("ledger_alerts.tenant_id = %s")
            values.append(tenant_id)
        if after is not None:
            where.append("ledger_alerts.alert_id < %s")
            values.append(after)
        if open_only:
            where.append("ledger_endings.alert_id IS NULL")
        return self._alerts(
            "WHERE " + " AND ".join(where) + " ORDER BY ledger_alerts.alert_id DESC LIMIT %s", [*values, limit]
        )

    def standings(self) -> list[StandingRow]:
        return [STANDINGS.decode(record) for record in self._all(STANDINGS.select + "ORDER BY log_id")]

    def put_standings(self, rows: Sequence[StandingRow]) -> None:
        for row in rows:
            self._run(STANDINGS.upsert, STANDINGS.encode(row))

    def _alerts(self, rest: str, values: Sequence[Any]) -> list[Alert]:
        records = self._all(
            f"SELECT {ALERTS.listed}, {ENDINGS.listed} FROM ledger_alerts "  # noqa: S608 - constants
            "LEFT JOIN ledger_endings USING (alert_id) " + rest,
            values,
        )
        width = len(ALERTS.names)
        return [
            Alert(
                row=ALERTS.decode(record),
                ending=ENDINGS.decode(record[width:]) if record[width] is not None else None,
            )
            for record in records
        ]


def _look_up(query: Query, after: tuple[int, int], limit: int) -> tuple[str, list[Any]]:
    """Each log is entered where it may first hold what is asked for; the limit ends the walk through the logs."""
    inner: list[tuple[str, list[Any]]] = [
        ("ledger_events.log_id = ledger_logs.log_id", []),
        ("(ledger_logs.log_id > %s OR sequence > %s)", list(after)),
    ]
    if query.resource_id is not None:
        inner.append(("resource_id = %s", [query.resource_id]))
    if query.type is not None:
        inner.append(("type = %s", [query.type]))
    if query.since is not None:
        inner.append((_ENTERED, [query.since]))
        inner.append(("timestamp >= %s", [query.since]))
    if query.until is not None:
        inner.append(("timestamp <= %s", [query.until]))
    outer: list[tuple[str, list[Any]]] = [("log_id >= %s", [after[0]])]
    if query.log_ids:
        outer.append(("log_id = ANY(%s)", [list(query.log_ids)]))
    text = (
        f"SELECT log_id, {_ENTRY} FROM ledger_logs CROSS JOIN LATERAL ("  # noqa: S608 - constants
        f"SELECT {_ENTRY} FROM ledger_events WHERE {' AND '.join(part for part, _ in inner)} "
        f"ORDER BY sequence LIMIT %s) AS found WHERE {' AND '.join(part for part, _ in outer)} "
        "ORDER BY log_id, sequence LIMIT %s"
    )
    values = [value for _, part in inner for value in part]
    return text, [*values, limit, *(value for _, part in outer for value in part), limit]


_ENTERED: Final = (
    "sequence >= coalesce((SELECT size FROM ledger_steps WHERE ledger_steps.log_id = ledger_logs.log_id "
    "AND last_timestamp < %s ORDER BY last_timestamp DESC, size DESC LIMIT 1), 0)"
)


class PostgresLedger(PostgresPool[PostgresLedgerUnitOfWork]):
    """See control_plane.ledger.ports.LedgerStore and PostgresPool.

    Args:
        dsn: of the control plane's database.
        role: the role to become on each connection.
        max_connections: the most that this process opens: a transaction of a pull holds one.
    """

    def __init__(self, dsn: str, *, max_connections: int = 8, role: str = "") -> None:
        super().__init__(dsn, PostgresLedgerUnitOfWork, max_connections=max_connections, role=role)
