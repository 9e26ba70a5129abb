"""The append-only audit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from frostbyte.adapters.memory.tables import Table, Transaction
from frostbyte.kernel.audit.export import line
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import CheckpointRow, CosignatureRow, EventRow, Row, SequencedEvent


class _Leaf(Row, frozen=True, kw_only=True):
    """An event's place in the log."""

    sequence: int
    event_id: UUID
    leaf_hash: bytes


class _Place(Row, frozen=True, kw_only=True):
    """A leaf found by its event."""

    event_id: UUID
    sequence: int


class _Node(Row, frozen=True, kw_only=True):
    """The hash of a complete subtree."""

    level: int
    index: int
    hash: bytes


class MemoryAuditLog:
    """See kernel.ports.unit_of_work.AuditLog."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._events: Table[UUID, EventRow] = Table(transaction, "audit_events", lambda row: row.event_id)
        self._leaves: Table[int, _Leaf] = Table(transaction, "audit_sequence", lambda row: row.sequence)
        self._places: Table[UUID, _Place] = Table(transaction, "audit_places", lambda row: row.event_id)
        self._nodes: Table[tuple[int, int], _Node] = Table(
            transaction, "audit_nodes", lambda row: (row.level, row.index)
        )
        self._checkpoints: Table[int, CheckpointRow] = Table(transaction, "audit_checkpoints", lambda row: row.size)
        self._cosignatures: Table[tuple[int, str], CosignatureRow] = Table(
            transaction, "audit_cosignatures", lambda row: (row.size, row.witness)
        )

    def append(self, event: EventRow) -> None:
        self._events.insert(event, "audit_event_exists", "The audit event is recorded already.")

    def append_many(self, events: Sequence[EventRow]) -> None:
        for event in events:
            self.append(event)

    def event(self, event_id: UUID) -> EventRow | None:
        return self._events.get(event_id)

    def sequence_of(self, event_id: UUID) -> int | None:
        place = self._places.get(event_id)
        return place.sequence if place else None

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
        found = []
        for leaf in sorted(self._leaves.rows(), key=lambda row: row.sequence):
            event = self._events.get(leaf.event_id)
            if (
                event is not None
                and leaf.sequence > after_sequence
                and (resource_id is None or event.resource_id == resource_id)
                and (type is None or event.type == type)
                and (since is None or event.timestamp >= since)
                and (until is None or event.timestamp <= until)
            ):
                found.append(SequencedEvent(sequence=leaf.sequence, event=event))
            if len(found) == limit:
                break
        return found

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
        if first != self.log_size():
            raise Conflict("audit_sequence_conflict", "The log has grown since it was read.", "Nothing to do.")
        if len(event_ids) != len(leaf_hashes):
            raise ValueError("each event needs one leaf hash")
        if any(self._events.get(event_id) is None for event_id in event_ids):
            raise Conflict("audit_event_missing", "An event to be numbered is not recorded.", "Nothing to do.")
        for sequence, (event_id, leaf_hash) in enumerate(zip(event_ids, leaf_hashes, strict=True), first):
            self._places.insert(
                _Place(event_id=event_id, sequence=sequence),
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
        for level, index, digest in nodes:
            self._nodes.insert(_Node(level=level, index=index, hash=digest))

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        found = {place: self._nodes.get(place) for place in wanted}
        return {place: node.hash for place, node in found.items() if node is not None}

    def add_checkpoint(self, row: CheckpointRow) -> None:
        self._checkpoints.insert(row, "checkpoint_exists", "The log has a checkpoint of this size.")

    def add_cosignature(self, row: CosignatureRow) -> None:
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
