"""The audit as its readers see it: events, chains, checkpoints, proofs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from frostbyte.data_plane.serve.batches import no_such
from frostbyte.data_plane.serve.proofs import chain_of
from frostbyte.kernel.audit import logs
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
        before: int | None = None,
        newest_first: bool = False,
        limit: int = 100,
        log: int | None = None,
    ) -> dict[str, Any]:
        """A page of a log's events in order, or in the opposite one, and the number that the next page comes after (or
        before). Raises NotFound("plane_log_not_found")."""
        with self._unit_of_work(reading=True) as uow:
            found = logs.chosen(uow.audit, log)[0].events(
                resource_id=resource_id,
                type=type,
                since=since,
                until=until,
                after_sequence=after,
                before_sequence=before,
                newest_first=newest_first,
                limit=limit + 1,
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
                events = [
                    _shown(item)
                    for number in range(len(uow.audit.ended()) + 1)
                    for item in uow.audit.of(number).events(resource_id=resource_id, limit=1000)
                ]
        if not events:
            raise no_such("resource")
        return {"resource_id": resource_id, "events": events}

    def logs(self, public_key: str) -> dict[str, Any]:
        """The plane's logs, oldest first; the last one grows, under `public_key`."""
        with self._unit_of_work() as uow:
            ended, latest = uow.audit.ended(), uow.audit.latest_checkpoint()
        origin = public_key.partition("+")[0]
        grows = {"log": len(ended), "origin": origin, "public_key": public_key, "ended_at": None}
        return {
            "logs": [
                *(
                    {
                        "log": row.log,
                        "origin": row.origin,
                        "public_key": row.public_key,
                        "ended_at": iso(row.ended_at),
                        "checkpoint": row.note,
                    }
                    for row in ended
                ),
                grows | {"checkpoint": latest.note if latest else None},
            ]
        }

    def checkpoints(self, *, after_size: int, limit: int, log: int | None = None) -> dict[str, Any]:
        """Signed checkpoints of one log by size. Raises NotFound("plane_log_not_found")."""
        with self._unit_of_work() as uow:
            rows = logs.chosen(uow.audit, log)[0].checkpoints(after_size=after_size, limit=limit)
        return {
            "checkpoints": [
                {"size": row.size, "root": row.root.hex(), "note": row.note, "created_at": iso(row.created_at)}
                for row in rows
            ],
            "next_cursor": rows[-1].size if len(rows) == limit else None,
        }

    def newest(self, public_key: str, log: int | None = None) -> dict[str, Any]:
        """A log's newest checkpoint and its key. Raises NotFound("plane_log_not_found").

        Args:
            public_key: of the log that grows.
            log: number of the log; None for that one.
        """
        with self._unit_of_work() as uow:
            chosen, ended = logs.chosen(uow.audit, log)
            latest = chosen.latest_checkpoint()
        return {"latest": latest.note if latest else None, "public_key": ended.public_key if ended else public_key}

    def checkpoint(self, public_key: str) -> dict[str, Any] | None:
        """The newest checkpoint of the log that grows, taken apart, with the names of those who cosigned it; None
        before the first one."""
        with self._unit_of_work(reading=True) as uow:
            latest = uow.audit.latest_checkpoint()
        if latest is None:
            return None
        origin = public_key.partition("+")[0]
        signers = [line.split(" ")[1] for line in latest.note.rpartition("\n\n")[2].splitlines()]
        return {
            "origin": origin,
            "size": latest.size,
            "root": latest.root.hex(),
            "created_at": iso(latest.created_at),
            "note": latest.note,
            "witnesses": [name for name in signers if name != origin],
            "public_key": public_key,
        }

    def proof(self, event_id: UUID) -> dict[str, Any]:
        """Why an event is in its log.

        Raises:
            NotFound: `event_not_found`.
            Unavailable: `checkpoint_pending`.
        """
        with self._unit_of_work() as uow:
            if uow.audit.event(event_id) is None:
                raise NotFound("event_not_found", "There is no such audit event.", "Check the id.")
        checkpoint = wait_for_checkpoint(self._unit_of_work, event_id, 10.0)
        with self._unit_of_work() as uow:
            log = uow.audit.log_of(event_id) or 0  # it is under a checkpoint, so it has a number
            proven = inclusion_proof(uow.audit.of(log), event_id, checkpoint)
        return {
            "log": log,
            "event": event_fields(proven.event),
            "sequence": proven.sequence,
            "path": [value.hex() for value in proven.path],
            "checkpoint": checkpoint.note,
        }

    def consistency(self, old_size: int, new_size: int, log: int | None = None) -> dict[str, Any]:
        """Why a larger log begins with a smaller one. Raises `log_smaller`, `plane_log_not_found`."""
        with self._unit_of_work() as uow:
            path = consistency_proof(logs.chosen(uow.audit, log)[0], old_size, new_size)
        return {"old_size": old_size, "new_size": new_size, "path": [value.hex() for value in path]}


def _shown(item: SequencedEvent) -> dict[str, Any]:
    return {"sequence": item.sequence} | event_fields(item.event)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
