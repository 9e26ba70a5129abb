"""The logs of one plane.

A plane's log is signed by a key that never leaves its host. So a plane that was restored elsewhere cannot go on with
the log that it came with: it begins a new one, under a key and a name of its own. The first event of the new log,
PLANE_RESTORED, names the checkpoint that the old one ends with. What was in the old log is proven against that
checkpoint; whoever trusts the new log's key learns from the new log which one it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Sized
from typing import Any
from uuid import UUID

import msgspec

from frostbyte.kernel.audit.events import EventType, event_leaf, make_event
from frostbyte.kernel.audit.proofs import ProvenEvent, inclusion_proof, inclusion_proofs, wait_for_checkpoint
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.ports.unit_of_work import AuditLog, AuditUnitOfWork, AuditUnitOfWorkFactory
from frostbyte.kernel.records import CheckpointRow, EndedLogRow, EventRow


def origin(tenant_id: str, log: int) -> str:
    """The name of a plane's log of this number: of the first without, of every later one with its place from 2 on.

    Each has a name of its own, because a witness remembers one state for each name.
    """
    return next_name(f"frostbyte/{tenant_id}/plane", range(log))


def next_name(first: str, ended: Sized) -> str:
    """The name of the log that follows those that have ended; `first` is the name of the first one."""
    return f"{first}/{len(ended) + 1}" if ended else first


def naming(ended: EndedLogRow) -> dict[str, Any]:
    """The details by which PLANE_RESTORED names the log that ended."""
    return {
        "old_origin": ended.origin,
        "old_key": hashlib.sha256(ended.public_key.encode()).hexdigest(),
        "old_size": ended.size,
        "old_root": ended.root.hex(),
    }


def last_checkpoint(ended: EndedLogRow) -> CheckpointRow:
    """The one that covers all of it."""
    return CheckpointRow(size=ended.size, root=ended.root, note=ended.note, created_at=ended.ended_at)


def begin_next(
    uow: AuditUnitOfWork,
    *,
    tenant_id: str,
    public_key: str,
    clock: Clock,
    actor: str,
    details: Mapping[str, Any],
) -> EventRow:
    """End the log that grows at its newest checkpoint, and begin the next one with PLANE_RESTORED; the caller commits.

    Args:
        uow: holds what was restored, as nobody else sees it yet. Events without a number go into the new log, after
            this one.
        tenant_id: whose plane it is.
        public_key: the verifier key of the log that ends.
        clock: for the event's time.
        actor: who restores.
        details: of the event, beside what names the old log.

    Returns:
        the first event of the new log.

    Raises:
        Conflict: `log_beyond_checkpoint`: the old log holds more than its newest checkpoint signs, or nothing at all.
    """
    newest = uow.audit.latest_checkpoint()
    if newest is None or newest.size != uow.audit.log_size():
        raise Conflict(
            "log_beyond_checkpoint",
            "The old log does not end with a signed checkpoint, so nothing could be proven against it.",
            "Export the plane once more; if it stays so, run the audit verification there.",
        )
    row = EndedLogRow(
        log=len(uow.audit.ended()),
        origin=public_key.partition("+")[0],
        public_key=public_key,
        size=newest.size,
        root=newest.root,
        note=newest.note,
        ended_at=clock.now(),
    )
    uow.audit.end(row)
    said = {"component": "lifecycle", "status": "restored", **naming(row), **details}
    event = make_event(tenant_id, EventType.PLANE_RESTORED, clock, actor, "plane", tenant_id, said)
    uow.audit.append(event)
    uow.audit.extend(0, [event.event_id], [event_leaf(event)])
    return event


class NamedLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log that has ended, and the event of the next one that names it."""

    row: EndedLogRow
    by: ProvenEvent
    """PLANE_RESTORED, under the checkpoint of the next log: its last one, or the proof's."""


class ProvenChain(msgspec.Struct, frozen=True, kw_only=True):
    """Events, each proven against the log that holds it."""

    events: tuple[tuple[int, ProvenEvent], ...]
    """With the number of the log, in the order of the logs and in each of their numbers."""
    checkpoint: CheckpointRow
    """Of the log that grows."""
    earlier: tuple[NamedLog, ...] = ()
    """From the oldest log that holds one of the events on, oldest first; () where all are in the one that grows."""


def prove_chain(unit_of_work: AuditUnitOfWorkFactory, event_ids: Sequence[UUID], timeout: float) -> ProvenChain:
    """Proofs of a resource's events, in whichever logs they are.

    Args:
        unit_of_work: opens transactions.
        event_ids: oldest first.
        timeout: seconds to wait at most for the checkpoint over the newest.

    Raises:
        NotFound: `event_not_found`.
        Conflict: `checkpoint_too_old`.
        Unavailable: `checkpoint_pending`.
    """
    with unit_of_work() as uow:
        ended = uow.audit.ended()
        places = [_place(uow.audit, event_id) for event_id in event_ids] if ended else [0] * len(event_ids)
        awaited = event_ids[-1] if places[-1] == len(ended) else first_event(uow.audit)
    checkpoint = wait_for_checkpoint(unit_of_work, awaited, timeout)
    events: list[tuple[int, ProvenEvent]] = []
    with unit_of_work() as uow:
        for log in sorted(set(places)):
            mine = [event_id for event_id, place in zip(event_ids, places, strict=True) if place == log]
            under = checkpoint if log == len(ended) else last_checkpoint(ended[log])
            found = inclusion_proofs(uow.audit.of(log), mine, under)
            events += ((log, item) for item in sorted(found, key=lambda item: item.sequence))
        earlier = tuple(_named(uow.audit, row, ended, checkpoint) for row in ended[min(places) :])
    return ProvenChain(events=tuple(events), checkpoint=checkpoint, earlier=earlier)


def first_event(log: AuditLog) -> UUID:
    """The event that a log begins with. Raises Conflict("log_empty")."""
    found = log.events(limit=1)
    if not found:
        raise Conflict("log_empty", "The log holds no event yet.", "Try again in a second.")
    return found[0].event.event_id


def chosen(log: AuditLog, number: int | None) -> tuple[AuditLog, EndedLogRow | None]:
    """The log of a number and, if it has ended, how; None chooses the one that grows.

    Raises:
        NotFound: `plane_log_not_found`.
    """
    ended = log.ended() if number is not None else []
    if number is None or number == len(ended):
        return log, None
    if number > len(ended):
        raise NotFound(
            "plane_log_not_found", "This plane has no audit log of that number.", "Ask for the list of its logs."
        )
    return log.of(number), ended[number]


def _place(log: AuditLog, event_id: UUID) -> int:
    """Number of the log that holds the event, or will."""
    found = log.log_of(event_id)
    return len(log.ended()) if found is None else found


def _named(log: AuditLog, row: EndedLogRow, ended: Sequence[EndedLogRow], newest: CheckpointRow) -> NamedLog:
    """The ended log with the first event of the next one."""
    following = log.of(row.log + 1)
    under = last_checkpoint(ended[row.log + 1]) if row.log + 1 < len(ended) else newest
    return NamedLog(row=row, by=inclusion_proof(following, first_event(following), under))
