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

from frostbyte.adapters.postgres.mapping import Repository, Session, Table
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, EventRow, SequencedEvent

EVENTS: Final = Table("audit_events", EventRow, "event_id")
CHECKPOINTS: Final = Table("audit_checkpoints", CheckpointRow, "size")
COSIGNATURES: Final = Table("audit_cosignatures", CosignatureRow, "size")

_COSIGNED: Final = CHECKPOINTS.select.replace(
    '"audit_checkpoints"."note"',
    '"audit_checkpoints"."note" || coalesce((SELECT string_agg(line, \'\' ORDER BY witness) FROM audit_cosignatures '
    "WHERE audit_cosignatures.size = audit_checkpoints.size), '')",
)
"""Checkpoints with what was added to them."""

EVENT_KINDS: Final = ["uuid", "text", "text", "timestamptz", "text", "text", "text", "jsonb", "uuid"]
_COPY_FROM: Final = 8  # below this many rows, preparing a COPY costs more than it saves

_SEQUENCER_LOCK: Final = (0x0F205, 1)
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
    """See kernel.ports.unit_of_work.AuditLog."""

    def __init__(self, session: Session, mark: SequencerMark) -> None:
        super().__init__(session)
        self._mark = mark
        self._extended = False

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
        record = self._one("SELECT sequence FROM audit_sequence WHERE event_id = %s", [event_id])
        return int(record[0]) if record else None

    def events(
        self,
        *,
        resource_id: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_sequence: int = -1,
        limit: int = 100,
    ) -> list[SequencedEvent]:
        where, parameters = ["sequence > %s"], list[Any]([after_sequence])
        filters: list[tuple[str, Any]] = [
            ("resource_id = %s", resource_id),
            ("type = %s", type),
            ("timestamp >= %s", since),
            ("timestamp <= %s", until),
        ]
        for condition, value in filters:
            if value is not None:
                where.append(condition)
                parameters.append(value)
        records = self._all(
            EVENTS.select.replace(" FROM ", ", sequence FROM ")
            + "JOIN audit_sequence USING (event_id) WHERE "
            + " AND ".join(where)
            + " ORDER BY sequence LIMIT %s",
            [*parameters, limit],
        )
        return [SequencedEvent(sequence=record[-1], event=EVENTS.decode(record)) for record in records]

    def lines(self, *, after_sequence: int, until: int, limit: int) -> list[bytes]:
        records = self._all(_LINES, [after_sequence, until, limit])
        return [b'{"event":%b,"sequence":%d}\n' % (_FIELDS(dict(zip(_NAMES, r, strict=False))), r[-1]) for r in records]

    def lock_sequencer(self) -> bool:
        record = self._one("SELECT pg_try_advisory_xact_lock(%s::int, %s::int)", _SEQUENCER_LOCK)
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
        record = self._one("SELECT coalesce(max(sequence) + 1, 0) FROM audit_sequence")
        return int(record[0]) if record else 0

    def extend(self, first: int, event_ids: Sequence[UUID], leaf_hashes: Sequence[bytes]) -> None:
        if first != self.log_size():
            raise Conflict("audit_sequence_conflict", "The log has grown since it was read.", "Nothing to do.")
        if len(event_ids) != len(leaf_hashes):
            raise ValueError("each event needs one leaf hash")
        self._extended = True
        # The join stands in for a foreign key.
        numbered = self._run(
            "INSERT INTO audit_sequence (sequence, event_id, leaf_hash) "
            "SELECT %s + ordinality - 1, fresh.event_id, leaf_hash "
            "FROM unnest(%b::uuid[], %b::bytea[]) WITH ORDINALITY AS fresh (event_id, leaf_hash, ordinality) "
            "JOIN audit_events ON audit_events.event_id = fresh.event_id",
            [first, list(event_ids), list(leaf_hashes)],
        )
        if numbered != len(event_ids):
            raise Conflict("audit_event_missing", "An event to be numbered is not recorded.", "Nothing to do.")

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        records = self._all(
            "SELECT leaf_hash FROM audit_sequence WHERE sequence >= %s AND sequence < %s ORDER BY sequence",
            [start, end],
        )
        return [record[0] for record in records]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        if nodes:
            self._copy("COPY audit_nodes (level, index, hash) FROM STDIN (FORMAT BINARY)", _NODE_KINDS, nodes)

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        if not wanted:
            return {}
        records = self._all(
            "SELECT level::int, index, hash FROM audit_nodes "
            "JOIN unnest(%b::smallint[], %b::bigint[]) AS wanted (level, index) USING (level, index)",
            [[level for level, _ in wanted], [index for _, index in wanted]],
        )
        return {(record[0], record[1]): record[2] for record in records}

    def add_checkpoint(self, row: CheckpointRow) -> None:
        self._run(CHECKPOINTS.insert, CHECKPOINTS.encode(row))

    def add_cosignature(self, row: CosignatureRow) -> None:
        self._run(COSIGNATURES.insert + " ON CONFLICT DO NOTHING", COSIGNATURES.encode(row))

    def latest_checkpoint(self) -> CheckpointRow | None:
        record = self._one(_COSIGNED + "ORDER BY size DESC LIMIT 1")
        return CHECKPOINTS.decode(record) if record else None

    def checkpoint_covering(self, sequence: int) -> CheckpointRow | None:
        record = self._one(_COSIGNED + "WHERE size > %s ORDER BY size LIMIT 1", [sequence])
        return CHECKPOINTS.decode(record) if record else None

    def checkpoints(self, *, after_size: int = -1, limit: int = 100) -> list[CheckpointRow]:
        records = self._all(_COSIGNED + "WHERE size > %s ORDER BY size LIMIT %s", [after_size, limit])
        return [CHECKPOINTS.decode(record) for record in records]


_NAMES: Final = (
    "actor", "details", "event_id", "previous_event_id", "resource_id", "resource_type", "tenant_id", "timestamp",
    "type",
)  # fmt: skip
_LINES: Final = (
    "SELECT actor, details, event_id::text, previous_event_id::text, resource_id, resource_type, tenant_id, "
    """to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), type, sequence """
    "FROM audit_sequence JOIN audit_events USING (event_id) "
    "WHERE sequence > %s AND sequence < %s ORDER BY sequence LIMIT %s"
)
_FIELDS: Final = msgspec.json.Encoder(order="sorted").encode
"""The bytes of kernel.canonical for what an event may hold, in a quarter of the time (a test compares the two)."""

_NODE_KINDS: Final = ("int2", "int8", "bytea")
