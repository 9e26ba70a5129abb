"""The audit as its readers see it: events, chains, checkpoints, proofs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from frostbyte.data_plane.serve.batches import no_such
from frostbyte.data_plane.serve.proofs import chain_of
from frostbyte.kernel.audit.events import event_fields
from frostbyte.kernel.audit.proofs import consistency_proof, inclusion_proof, wait_for_checkpoint
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import SequencedEvent


class AuditRecord:
    """Reads the log."""

    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work

    def events(
        self,
        *,
        resource_id: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = -1,
        limit: int = 100,
    ) -> dict[str, Any]:
        """A page of numbered events in order, and the cursor of the next."""
        with self._unit_of_work() as uow:
            found = uow.audit.events(
                resource_id=resource_id, type=type, since=since, until=until, after_sequence=after, limit=limit + 1
            )
        shown = found[:limit]
        return {
            "events": [_shown(item) for item in shown],
            "next_cursor": shown[-1].sequence if len(found) > limit else None,
        }

    def chain(self, resource_id: str) -> dict[str, Any]:
        """A document's chain, oldest first; for anything else, its events in order.

        Raises:
            NotFound: `resource_not_found`.
        """
        with self._unit_of_work() as uow:
            row = uow.documents.get(UUID(resource_id)) if _is_uuid(resource_id) else None
            if row is not None and row.last_event_id is not None:
                events = [event_fields(event) for event in chain_of(uow, row.last_event_id)]
            else:
                events = [_shown(item) for item in uow.audit.events(resource_id=resource_id, limit=1000)]
        if not events:
            raise no_such("resource")
        return {"resource_id": resource_id, "events": events}

    def checkpoints(self, *, after_size: int, limit: int) -> dict[str, Any]:
        """Signed checkpoints by size."""
        with self._unit_of_work() as uow:
            rows = uow.audit.checkpoints(after_size=after_size, limit=limit)
        return {
            "checkpoints": [
                {"size": row.size, "root": row.root.hex(), "note": row.note, "created_at": iso(row.created_at)}
                for row in rows
            ],
            "next_cursor": rows[-1].size if len(rows) == limit else None,
        }

    def proof(self, event_id: UUID) -> dict[str, Any]:
        """Why an event is in the log.

        Raises:
            NotFound: `event_not_found`.
            Unavailable: `checkpoint_pending`.
        """
        with self._unit_of_work() as uow:
            if uow.audit.event(event_id) is None:
                raise NotFound("event_not_found", "There is no such audit event.", "Check the id.")
        checkpoint = wait_for_checkpoint(self._unit_of_work, event_id, 10.0)
        with self._unit_of_work() as uow:
            proven = inclusion_proof(uow, event_id, checkpoint)
        return {
            "event": event_fields(proven.event),
            "sequence": proven.sequence,
            "path": [value.hex() for value in proven.path],
            "checkpoint": checkpoint.note,
        }

    def consistency(self, old_size: int, new_size: int) -> dict[str, Any]:
        """Why a larger log begins with a smaller one. Raises Conflict("log_smaller")."""
        with self._unit_of_work() as uow:
            path = consistency_proof(uow, old_size, new_size)
        return {"old_size": old_size, "new_size": new_size, "path": [value.hex() for value in path]}


def _shown(item: SequencedEvent) -> dict[str, Any]:
    return {"sequence": item.sequence} | event_fields(item.event)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
