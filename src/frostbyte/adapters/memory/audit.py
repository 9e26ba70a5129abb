"""The append-only audit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.audit.export import line
from frostbyte.kernel.errors import Conflict, FrostbyteError
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, EndedLogRow, EventRow, Row, SequencedEvent


class _Leaf(Row, frozen=True, kw_only=True):
    """An event's place in its log."""

    sequence: int
    event_id: UUID
    leaf_hash: bytes


class _Place(Row, frozen=True, kw_only=True):
    """A leaf found by its event."""

    event_id: UUID
    log: int
    sequence: int


class _Node(Row, frozen=True, kw_only=True):
    """The hash of a complete subtree."""

    level: int
    index: int
    hash: bytes


class MemoryAuditLog:
    """See kernel.ports.unit_of_work.AuditLog. `write_down` refuses whatever would be added while a plane is frozen."""

    def __init__(
        self, transaction: Transaction, write_down: Callable[[], None] = lambda: None, log: int | None = None
    ) -> None:
        self._transaction = transaction
        self._write_down = write_down
        self._log = log
        self._events: Table[UUID, EventRow] = Table(transaction, "audit_events", lambda row: row.event_id)
        self._places: Table[UUID, _Place] = Table(transaction, "audit_places", lambda row: row.event_id)
        self._ended: Table[int, EndedLogRow] = Table(transaction, "ended_logs", lambda row: row.log)

    @property
    def _number(self) -> int:
        return len(self._ended.rows()) if self._log is None else self._log

    @property
    def _leaves(self) -> Table[int, _Leaf]:
        return Table(self._transaction, f"audit_sequence {self._number}", lambda row: row.sequence)

    @property
    def _nodes(self) -> Table[tuple[int, int], _Node]:
        return Table(self._transaction, f"audit_nodes {self._number}", lambda row: (row.level, row.index))

    @property
    def _checkpoints(self) -> Table[int, CheckpointRow]:
        return Table(self._transaction, f"audit_checkpoints {self._number}", lambda row: row.size)

    @property
    def _cosignatures(self) -> Table[tuple[int, str], CosignatureRow]:
        return Table(self._transaction, f"audit_cosignatures {self._number}", lambda row: (row.size, row.witness))

    def of(self, log: int) -> MemoryAuditLog:
        return MemoryAuditLog(self._transaction, self._write_down, log)

    def ended(self) -> list[EndedLogRow]:
        return sorted(self._ended.rows(), key=lambda row: row.log)

    def end(self, row: EndedLogRow) -> None:
        self._ended.insert(row)

    def log_of(self, event_id: UUID) -> int | None:
        place = self._places.get(event_id)
        return place.log if place else None

    def _growing(self) -> None:
        if self._ended.get(self._number) is not None:
            raise FrostbyteError(
                "audit_append_only", "The audit is append-only; the change was refused.", "Nothing to do."
            )

    def append(self, event: EventRow) -> None:
        self._write_down()
        self._events.insert(event, "audit_event_exists", "The audit event is recorded already.")

    def append_many(self, events: Sequence[EventRow]) -> None:
        for event in events:
            self.append(event)

    def event(self, event_id: UUID) -> EventRow | None:
        return self._events.get(event_id)

    def sequence_of(self, event_id: UUID) -> int | None:
        place = self._places.get(event_id)
        return place.sequence if place and place.log == self._number else None

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
        found = []
        for leaf in sorted(self._leaves.rows(), key=lambda row: row.sequence, reverse=newest_first):
            event = self._events.get(leaf.event_id)
            if (
                event is not None
                and leaf.sequence > after_sequence
                and (before_sequence is None or leaf.sequence < before_sequence)
                and (resource_id is None or event.resource_id == resource_id)
                and (type is None or event.type == type)
                and (since is None or event.timestamp >= since)
                and (until is None or event.timestamp <= until)
            ):
                found.append(SequencedEvent(sequence=leaf.sequence, event=event))
            if len(found) == limit:
                break
        return found

    def newest(
        self, tenant_id: str, *, since: datetime | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[EventRow]:
        found = [
            event
            for event in self._events.rows()
            if event.tenant_id == tenant_id
            and (since is None or event.timestamp >= since)
            and (before is None or event.timestamp < before)
        ]
        return sorted(found, key=lambda event: (event.timestamp, event.event_id), reverse=True)[:limit]

    def lines(self, *, after_sequence: int, until: int, limit: int) -> list[bytes]:
        found = self.events(after_sequence=after_sequence, limit=limit)
        return [line(item) for item in found if item.sequence < until]

    def lock_sequencer(self) -> bool:
        return self._transaction.lock("sequencer", wait=False)

    def unsequenced(self, limit: int) -> list[EventRow]:
        waiting = [row for row in self._events.rows() if self._places.get(row.event_id) is None]
        return sorted(waiting, key=lambda row: row.event_id)[:limit]

    def log_size(self) -> int:
        return max((row.sequence for row in self._leaves.rows()), default=-1) + 1

    def extend(self, first: int, event_ids: Sequence[UUID], leaf_hashes: Sequence[bytes]) -> None:
        self._growing()
        if first != self.log_size():
            raise Conflict("audit_sequence_conflict", "The log has grown since it was read.", "Nothing to do.")
        if len(event_ids) != len(leaf_hashes):
            raise ValueError("each event needs one leaf hash")
        if any(self._events.get(event_id) is None for event_id in event_ids):
            raise Conflict("audit_event_missing", "An event to be numbered is not recorded.", "Nothing to do.")
        for sequence, (event_id, leaf_hash) in enumerate(zip(event_ids, leaf_hashes, strict=True), first):
            self._places.insert(
                _Place(event_id=event_id, log=self._number, sequence=sequence),
                "audit_sequence_conflict",
                "An event has its place in the log already.",
            )
            self._leaves.insert(
                _Leaf(sequence=sequence, event_id=event_id, leaf_hash=leaf_hash),
                "audit_sequence_conflict",
                "Another sequencer numbered events.",
            )

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        leaves = (self._leaves.get(sequence) for sequence in range(max(start, 0), min(end, self.log_size())))
        return [leaf.leaf_hash for leaf in leaves if leaf is not None]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        self._growing()
        for level, index, digest in nodes:
            self._nodes.insert(_Node(level=level, index=index, hash=digest))

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        found = {place: self._nodes.get(place) for place in wanted}
        return {place: node.hash for place, node in found.items() if node is not None}

    def add_checkpoint(self, row: CheckpointRow) -> None:
        self._growing()
        self._checkpoints.insert(row, "checkpoint_exists", "The log has a checkpoint of this size.")

    def add_cosignature(self, row: CosignatureRow) -> None:
        self._write_down()
        self._growing()
        if self._cosignatures.get((row.size, row.witness), lock=True) is None:
            self._cosignatures.put(row)

    def latest_checkpoint(self) -> CheckpointRow | None:
        return max(self._cosigned(), key=lambda row: row.size, default=None)

    def checkpoint_covering(self, sequence: int) -> CheckpointRow | None:
        covering = (row for row in self._cosigned() if row.size > sequence)
        return min(covering, key=lambda row: row.size, default=None)

    def checkpoints(self, *, after_size: int = -1, limit: int = 100) -> list[CheckpointRow]:
        later = (row for row in self._cosigned() if row.size > after_size)
        return sorted(later, key=lambda row: row.size)[:limit]

    def _cosigned(self) -> Iterator[CheckpointRow]:
        """The checkpoints, with what was added to them."""
        lines: dict[int, str] = {}
        for row in sorted(self._cosignatures.rows(), key=lambda row: row.witness):
            lines[row.size] = lines.get(row.size, "") + row.line
        for checkpoint in self._checkpoints.rows():
            yield replace(checkpoint, note=checkpoint.note + lines.get(checkpoint.size, ""))
