"""When an upload is complete, in one place, because every stage, erasure and intake itself can complete it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from msgspec.structs import replace

from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import BatchRow, Outcome, State
from frostbyte.kernel.webhooks import messages, outbox
from frostbyte.kernel.webhooks.records import Kind


def is_complete(batch: BatchRow, states: Iterable[State]) -> bool:
    """Whether its last file is in and no document of it is under way."""
    return batch.closed_at is not None and all(state.terminal for state in states)


def complete_if_done(uow: UnitOfWork, clock: Clock, tenant_id: str, batch: BatchRow) -> bool:
    """Mark the batch completed, audit it and owe each webhook the news, if it is; True if this call did so.

    Call it after the document's row was put, in the same transaction. It holds the batch's lock until that ends:
    otherwise two documents that finish at once would each see the other one still under way.
    """
    uow.lock_content(batch.batch_id)
    current = uow.batches.get(batch.batch_id)
    if current is None or current.completed_at is not None or current.closed_at is None:
        return False
    if uow.batches.under_way(batch.batch_id):
        return False  # asked of each document that ends: to read all of them each time would cost their number squared
    receipts = uow.batches.receipts(batch.batch_id)
    rows = uow.documents.get_many(list({r.doc_id for r in receipts if r.doc_id is not None}))
    if not is_complete(current, (row.state for row in rows.values())):
        return False
    counts = Counter(row.state.value for row in rows.values())
    rejected = sum(r.outcome is Outcome.REJECTED for r in receipts)
    now = clock.now()
    uow.batches.put(replace(current, completed_at=now))
    uow.audit.append(
        make_event(
            tenant_id,
            EventType.BATCH_COMPLETED,
            clock,
            "plane",
            "batch",
            str(batch.batch_id),
            {
                "component": "intake",
                "status": "completed",
                "files": len(receipts),
                "rejected": rejected,
                **{state: counts[state] for state in sorted(counts)},
            },
            None,
        )
    )

    def said() -> bytes:
        documents = list(rows.values())
        return messages.batch_completed(tenant_id, current, documents, files=len(receipts), rejected=rejected, now=now)

    outbox.announce(uow, Kind.BATCH_COMPLETED, said, now, batch_id=batch.batch_id)
    return True


def complete_batches_of(uow: UnitOfWork, clock: Clock, tenant_id: str, doc_id: UUID) -> int:
    """`complete_if_done` for every open batch of a document; returns how many it completed.

    In the order of their ids, so that two documents which share batches cannot wait for each other.
    """
    batches = sorted(uow.batches.open_of_document(doc_id), key=lambda batch: batch.batch_id)
    return sum(complete_if_done(uow, clock, tenant_id, batch) for batch in batches)
