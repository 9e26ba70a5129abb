"""The append-only audit in PostgreSQL.

How unnumbered events are found. An event is visible when its transaction commits, which may be long after its id was
made, so no low-water mark on ids or times is safe: whoever commits later than the margin is skipped for ever. A side
table of pending events would be exact, but every event would be written and deleted once more. Instead each event
carries the id of the transaction that wrote it (`written_by`). PostgreSQL knows the oldest transaction that is still
open (`pg_snapshot_xmin`); once everything below that is numbered, nothing can appear there any more. That number is
the mark: a look-up reads `written_by >= mark` from an index and leaves out what is numbered (anti-join), which costs
what happened lately, not what the log holds. A transaction that stays open only keeps the mark low, never hides an
event. The mark lives in memory: a new process begins with one full anti-join, and so does every process whose server
was restarted, restored or replaced (another start time).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import sql

from frostbyte.adapters.postgres.mapping import Repository, Session, Table, render
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, EndedLogRow, EventRow, SequencedEvent

EVENTS: Final = Table("audit_events", EventRow, "event_id")
CHECKPOINTS: Final = Table("audit_checkpoints", CheckpointRow, "size")
COSIGNATURES: Final = Table("audit_cosignatures", CosignatureRow, "size")
ENDED: Final = Table("ended_logs", EndedLogRow, "log")

_HERE: Final = sql.SQL("log = coalesce(%s::smallint, current_log())")
"""The log that is meant: the one of this number, or the one that grows."""
_PLACE: Final = render("SELECT sequence FROM audit_sequence WHERE event_id = %s AND {here}", here=_HERE)
_SIZE: Final = render("SELECT coalesce(max(sequence) + 1, 0) FROM audit_sequence WHERE {here}", here=_HERE)
_LEAVES: Final = render(
    "SELECT leaf_hash FROM audit_sequence WHERE {here} AND sequence >= %s AND sequence < %s ORDER BY sequence",
    here=_HERE,
)
_NODES: Final = render(
    "SELECT level::int, index, hash FROM audit_nodes "
    "JOIN unnest(%b::smallint[], %b::bigint[]) AS wanted (level, index) USING (level, index) WHERE {here}",
    here=_HERE,
)
_COSIGNED: Final = CHECKPOINTS.select.replace(
    '"audit_checkpoints"."note"',
    '"audit_checkpoints"."note" || coalesce((SELECT string_agg(line, \'\' ORDER BY witness) FROM audit_cosignatures '
    "WHERE (audit_cosignatures.log, audit_cosignatures.size) = (audit_checkpoints.log, audit_checkpoints.size)), '')",
) + render("WHERE {here} ", here=_HERE)
"""Checkpoints with what was added to them."""

EVENT_KINDS: Final = ["uuid", "text", "text", "timestamptz", "text", "text", "text", "jsonb", "uuid"]
_COPY_FROM: Final = 8  # below this many rows, preparing a COPY costs more than it saves

SEQUENCER_LOCK: Final = (0x0F205, 1)
"""Advisory lock (two 32-bit numbers: a key space apart from the 64-bit content locks)."""


# Until its statistics are fresh, the planner takes the few events above the mark for a third of the table and reads
# all of it. Where there is a mark, only ways through an index are left to it for the rest of the transaction.
_HORIZON: Final = (
    "SELECT pg_postmaster_start_time(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
    "set_config('enable_seqscan', wide, true), set_config('enable_bitmapscan', wide, true), "
    "set_config('enable_hashjoin', wide, true), set_config('enable_mergejoin', wide, true) FROM (SELECT %s) AS _ (wide)"
)


class SequencerMark:
    """The oldest transaction whose events may be unnumbered, for one start of one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: Any = None
        self._transaction = 0

    @property
    def known(self) -> bool:
        """Whether any look-up was made."""
        with self._lock:
            return self._transaction > 0

    def of(self, server: Any) -> int:
        """The mark for the server that started then; 0 where nothing is known."""
        with self._lock:
            return self._transaction if self._server == server else 0

    def move(self, server: Any, transaction: int) -> None:
        """Remember what a look-up found."""
        with self._lock:
            self._server, self._transaction = server, transaction


class PostgresAuditLog(Repository):
    """See kernel.ports.unit_of_work.AuditLog.

    Args:
        session: the transaction.
        mark: of this server.
        log: number of an ended log; None for the one that grows.
    """

    def __init__(self, session: Session, mark: SequencerMark, log: int | None = None) -> None:
        super().__init__(session)
        self._mark = mark
        self._log = log
        self._number = log
        self._extended = False

    def of(self, log: int) -> PostgresAuditLog:
        return PostgresAuditLog(self._session, self._mark, log)

    def ended(self) -> list[EndedLogRow]:
        return [ENDED.decode(record) for record in self._all(ENDED.select + "ORDER BY log")]

    def end(self, row: EndedLogRow) -> None:
        self._run(ENDED.insert, ENDED.encode(row))
        self._number = self._log

    def log_of(self, event_id: UUID) -> int | None:
        record = self._one("SELECT log::int FROM audit_sequence WHERE event_id = %s", [event_id])
        return int(record[0]) if record else None

    def append(self, event: EventRow) -> None:
        self._run(EVENTS.insert, EVENTS.encode(event))

    def append_many(self, events: Sequence[EventRow]) -> None:
        if len(events) < _COPY_FROM:
            for event in events:
                self.append(event)
        else:
            self._copy(EVENTS.copy, EVENT_KINDS, [EVENTS.encode(event) for event in events])

    def event(self, event_id: UUID) -> EventRow | None:
        record = self._one(EVENTS.select + "WHERE event_id = %s", [event_id])
        return EVENTS.decode(record) if record else None

    def sequence_of(self, event_id: UUID) -> int | None:
        record = self._one(_PLACE, [event_id, self._log])
        return int(record[0]) if record else None

    def events(
        self,
        *,
        resource_id: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_sequence: int = -1,
        before_sequence: int | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[SequencedEvent]:
        where, parameters = [_HERE.as_string(None), "sequence > %s"], list[Any]([self._log, after_sequence])
        filters: list[tuple[str, Any]] = [
            ("resource_id = %s", resource_id),
            ("type = %s", type),
            ("timestamp >= %s", since),
            ("timestamp <= %s", until),
            ("sequence < %s", before_sequence),
        ]
        for condition, value in filters:
            if value is not None:
                where.append(condition)
                parameters.append(value)
        records = self._all(
            EVENTS.select.replace(" FROM ", ", sequence FROM ")
            + "JOIN audit_sequence USING (event_id) WHERE "
            + " AND ".join(where)
            + (" ORDER BY sequence DESC LIMIT %s" if newest_first else " ORDER BY sequence LIMIT %s"),
            [*parameters, limit],
        )
        return [SequencedEvent(sequence=record[-1], event=EVENTS.decode(record)) for record in records]

    def newest(
        self, tenant_id: str, *, since: datetime | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[EventRow]:
        where, parameters = ["tenant_id = %s"], list[Any]([tenant_id])
        for condition, moment in (("timestamp >= %s", since), ("timestamp < %s", before)):
            if moment is not None:
                where.append(condition)
                parameters.append(moment)
        records = self._all(
            EVENTS.select + "WHERE " + " AND ".join(where) + " ORDER BY timestamp DESC, event_id DESC LIMIT %s",
            [*parameters, limit],
        )
        return [EVENTS.decode(record) for record in records]

    def lines(self, *, after_sequence: int, until: int, limit: int) -> list[bytes]:
        records = self._all(_LINES, [self._log, after_sequence, until, limit])
        return [b'{"event":%b,"sequence":%d}\n' % (_FIELDS(dict(zip(_NAMES, r, strict=False))), r[-1]) for r in records]

    def lock_sequencer(self) -> bool:
        record = self._one("SELECT pg_try_advisory_xact_lock(%s::int, %s::int)", SEQUENCER_LOCK)
        return bool(record and record[0])

    def unsequenced(self, limit: int) -> list[EventRow]:
        # Asked before the look-up: what is below this number has ended, so the look-up sees all of it.
        horizon = self._one(_HORIZON, ["off" if self._mark.known else "on"])
        assert horizon is not None  # it reads no table
        server, oldest_open = horizon[:2]
        records = self._all(
            EVENTS.select.replace(" FROM ", ", written_by::text::bigint FROM ")
            + "WHERE written_by >= %s::text::xid8 AND NOT EXISTS "
            "(SELECT FROM audit_sequence WHERE audit_sequence.event_id = audit_events.event_id) "
            "ORDER BY written_by, audit_events.event_id LIMIT %s",
            [str(self._mark.of(server)), limit],
        )
        if not self._extended:  # else numbers that may yet be undone were left out
            self._mark.move(server, min(oldest_open, records[0][-1]) if records else oldest_open)
        # By id within the batch; across batches, what committed before is not numbered after what built on it.
        return sorted((EVENTS.decode(record) for record in records), key=lambda event: event.event_id)

    def log_size(self) -> int:
        record = self._one(_SIZE, [self._log])
        return int(record[0]) if record else 0

    def extend(self, first: int, event_ids: Sequence[UUID], leaf_hashes: Sequence[bytes]) -> None:
        if first != self.log_size():
            raise Conflict("audit_sequence_conflict", "The log has grown since it was read.", "Nothing to do.")
        if len(event_ids) != len(leaf_hashes):
            raise ValueError("each event needs one leaf hash")
        self._extended = True
        # The join stands in for a foreign key.
        numbered = self._run(
            "INSERT INTO audit_sequence (log, sequence, event_id, leaf_hash) "
            "SELECT %s, %s + ordinality - 1, fresh.event_id, leaf_hash "
            "FROM unnest(%b::uuid[], %b::bytea[]) WITH ORDINALITY AS fresh (event_id, leaf_hash, ordinality) "
            "JOIN audit_events ON audit_events.event_id = fresh.event_id",
            [self._written(), first, list(event_ids), list(leaf_hashes)],
        )
        if numbered != len(event_ids):
            raise Conflict("audit_event_missing", "An event to be numbered is not recorded.", "Nothing to do.")

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        records = self._all(_LEAVES, [self._log, start, end])
        return [record[0] for record in records]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        if nodes:
            log = self._written()
            rows = [(log, *node) for node in nodes]
            self._copy("COPY audit_nodes (log, level, index, hash) FROM STDIN (FORMAT BINARY)", _NODE_KINDS, rows)

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        if not wanted:
            return {}
        records = self._all(
            _NODES,
            [[level for level, _ in wanted], [index for _, index in wanted], self._log],
        )
        return {(record[0], record[1]): record[2] for record in records}

    def add_checkpoint(self, row: CheckpointRow) -> None:
        self._run(_numbered(CHECKPOINTS), [*CHECKPOINTS.encode(row), self._written()])

    def add_cosignature(self, row: CosignatureRow) -> None:
        self._run(_numbered(COSIGNATURES) + " ON CONFLICT DO NOTHING", [*COSIGNATURES.encode(row), self._written()])

    def latest_checkpoint(self) -> CheckpointRow | None:
        record = self._one(_COSIGNED + "ORDER BY size DESC LIMIT 1", [self._log])
        return CHECKPOINTS.decode(record) if record else None

    def checkpoint_covering(self, sequence: int) -> CheckpointRow | None:
        record = self._one(_COSIGNED + "AND size > %s ORDER BY size LIMIT 1", [self._log, sequence])
        return CHECKPOINTS.decode(record) if record else None

    def checkpoints(self, *, after_size: int = -1, limit: int = 100) -> list[CheckpointRow]:
        records = self._all(_COSIGNED + "AND size > %s ORDER BY size LIMIT %s", [self._log, after_size, limit])
        return [CHECKPOINTS.decode(record) for record in records]

    def _written(self) -> int:
        """Number of the log that is written to."""
        if self._number is None:
            record = self._one("SELECT current_log()::int")
            assert record is not None  # the function always answers
            self._number = int(record[0])
        return self._number


def _numbered(table: Table[CheckpointRow] | Table[CosignatureRow]) -> str:
    """An insert of the table's row and, after its values, of the log's number."""
    return table.insert.replace(") VALUES (", ", log) VALUES (").removesuffix(")") + ", %s)"


_NAMES: Final = (
    "actor", "details", "event_id", "previous_event_id", "resource_id", "resource_type", "tenant_id", "timestamp",
    "type",
)  # fmt: skip
_LINES: Final = render(
    "SELECT actor, details, event_id::text, previous_event_id::text, resource_id, resource_type, tenant_id, "
    """to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), type, sequence """
    "FROM audit_sequence JOIN audit_events USING (event_id) "
    "WHERE {here} AND sequence > %s AND sequence < %s ORDER BY sequence LIMIT %s",
    here=_HERE,
)
_FIELDS: Final = msgspec.json.Encoder(order="sorted").encode
"""The bytes of kernel.canonical for what an event may hold, in a quarter of the time (a test compares the two)."""

_NODE_KINDS: Final = ("int2", "int2", "int8", "bytea")
