"""Proofs about the stored log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.events import event_leaf
from frostbyte.kernel.audit.merkle import Position
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable
from frostbyte.kernel.ports.unit_of_work import AuditLog, AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, EventRow

POLL_SECONDS: Final = 0.05
"""How often a waiter asks the store; a checkpoint comes at most a second after its events."""


class ProvenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and why it is in the log that a checkpoint signed."""

    event: EventRow
    sequence: int
    path: tuple[bytes, ...]
    """The audit path from its leaf to the checkpoint's root."""


def tree_lookup(log: AuditLog) -> merkle.Lookup:
    """Reads the log's nodes: inner ones as stored, leaves by runs of neighbours."""

    def read(wanted: Sequence[Position]) -> Mapping[Position, bytes]:
        inner = sorted({position for position in wanted if position[0] > 0})
        found = dict(log.nodes(inner)) if inner else {}
        for start, end in _runs(sorted({index for level, index in wanted if level == 0})):
            for offset, value in enumerate(log.leaf_hashes(start, end)):
                found[(0, start + offset)] = value
        return found

    return read


def _runs(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open ranges that the sorted indexes make up."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def inclusion_proof(log: AuditLog, event_id: UUID, checkpoint: CheckpointRow) -> ProvenEvent:
    """Proof that the checkpoint covers the event.

    Raises:
        NotFound: `event_not_found`.
        Conflict: `checkpoint_too_old`: the event is not (yet) under this checkpoint.
    """
    return inclusion_proofs(log, [event_id], checkpoint)[0]


def inclusion_proofs(log: AuditLog, event_ids: Sequence[UUID], checkpoint: CheckpointRow) -> list[ProvenEvent]:
    """Proofs for several events of one log under one of its checkpoints, their nodes read together.

    Raises:
        NotFound: `event_not_found`.
        Conflict: `checkpoint_too_old`: an event is not (yet) under this checkpoint.
    """
    events: list[tuple[EventRow, int]] = []
    for event_id in event_ids:
        event = log.event(event_id)
        if event is None:
            raise NotFound("event_not_found", "There is no such audit event.", "Check the id.")
        sequence = log.sequence_of(event_id)
        if sequence is None or sequence >= checkpoint.size:
            raise Conflict(
                "checkpoint_too_old", "The checkpoint does not cover this event.", "Ask again with a newer checkpoint."
            )
        events.append((event, sequence))
    ranges = [merkle.inclusion_ranges(sequence, checkpoint.size) for _, sequence in events]
    wanted = [position for path in ranges for start, end in path for position in merkle.pieces(start, end)]
    nodes = tree_lookup(log)(wanted)
    return [
        ProvenEvent(
            event=event,
            sequence=sequence,
            path=tuple(merkle.inclusion_proof(sequence, checkpoint.size, lambda _: nodes)),
        )
        for event, sequence in events
    ]


def consistency_proof(log: AuditLog, old_size: int, new_size: int) -> list[bytes]:
    """Proof that the log of `new_size` events begins with that of `old_size`.

    Raises:
        Conflict: `log_smaller`: the log does not hold that many events, or the sizes are the wrong way round.
    """
    if not 0 <= old_size <= new_size <= log.log_size():
        raise Conflict(
            "log_smaller",
            "The log does not hold as many events as were asked for.",
            "If a checkpoint of that size was signed, keep it and run the audit verification: the log was cut.",
        )
    return merkle.consistency_proof(old_size, new_size, tree_lookup(log))


def holds(proven: ProvenEvent, checkpoint: CheckpointRow) -> bool:
    """Whether the proof leads from the event to the checkpoint's root."""
    return merkle.verify_inclusion(
        event_leaf(proven.event), proven.sequence, checkpoint.size, proven.path, checkpoint.root
    )


def wait_for_checkpoint(unit_of_work: AuditUnitOfWorkFactory, event_id: UUID, timeout: float) -> CheckpointRow:
    """The first checkpoint that covers the event, in whichever log it is, waiting for it if need be.

    Args:
        unit_of_work: opens transactions.
        event_id: a committed event.
        timeout: seconds to wait at most.

    Raises:
        Unavailable: `checkpoint_pending`: none was signed in that time.
    """
    deadline = time.monotonic() + timeout
    while True:
        with unit_of_work() as uow:
            found = _covering(uow.audit, event_id)
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise Unavailable(
                "checkpoint_pending",
                "The audit log has not signed a checkpoint over this event yet.",
                "Try again in a second; if it stays so, the sequencer is not running: see /ready.",
            )
        time.sleep(POLL_SECONDS)


def _covering(log: AuditLog, event_id: UUID) -> CheckpointRow | None:
    sequence = log.sequence_of(event_id)
    if sequence is not None:
        return log.checkpoint_covering(sequence)
    number = log.log_of(event_id)
    return None if number is None else _covering(log.of(number), event_id)
