"""What a reviewer decides: releasing withheld passages, naming a document's class, trying a failed one again.

Like the flow, it needs several stages, so it stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane import artefacts, embed, index, policy
from frostbyte.data_plane.again import send_again
from frostbyte.data_plane.flow import Ports
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import ChunkRow, DocumentRow, State

CLASSES = ("contract", "invoice", "sop", "policy", "correspondence", "legal_filing", "other")


class Review:
    """The review queue and its decisions, each an event in the document's chain."""

    def __init__(self, ports: Ports) -> None:
        self._p = ports
        self._artefacts = artefacts.Artefacts(ports.vault)

    def queue(self, limit: int = 100) -> dict[str, Any]:
        """Withheld passages (as they would be shown) and documents whose class is uncertain, with what it wavers
        between and the features that spoke."""
        with self._p.unit_of_work() as uow:
            chunks = uow.chunks.withheld(limit)
            uncertain = uow.documents.page(state=State.INDEXED, needs_review=True, limit=limit)
            rows = uow.documents.get_many(list({chunk.doc_id for chunk in chunks}))
        return {
            "chunks": [self._withheld(rows[chunk.doc_id], chunk) for chunk in chunks],
            "documents": [
                {
                    "doc_id": str(row.doc_id),
                    "classification": row.classification,
                    "class_confidence": round(row.class_confidence, 3),
                    "second": row.class_second,
                    "second_confidence": round(row.class_second_confidence, 3),
                    "reasons": list(row.class_reasons),
                }
                for row in uncertain
            ],
        }

    def _withheld(self, row: DocumentRow, chunk: ChunkRow) -> dict[str, Any]:
        shown = self._artefacts.chunk(row, chunk)
        return {
            "chunk_id": str(chunk.chunk_id),
            "doc_id": str(chunk.doc_id),
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "text": shown.text,
            "injection_score": round(chunk.injection_score, 3),
        }

    def release(self, chunk_id: UUID, *, actor: str) -> dict[str, Any]:
        """Let a withheld passage be found.

        Its vectors are written and flushed first; then one commit makes it visible and moves the account's sums.

        Raises:
            NotFound: `chunk_not_found`.
            Conflict: `not_withheld`; `rebuild_running`.
        """
        with self._p.unit_of_work() as uow:
            chunk = uow.chunks.get(chunk_id)
            row = uow.documents.get(chunk.doc_id) if chunk else None
        if chunk is None or row is None or chunk.generation != row.active_generation:
            raise NotFound("chunk_not_found", "There is no such passage to review.", "Look at the review queue.")
        if not chunk.withheld:
            raise Conflict("not_withheld", "This passage is not withheld.", "Nothing to do.")
        names = self._p.vectors.names
        if self._p.vectors.building:
            raise _rebuilding()
        key = self._p.vault.load_key(row.key_object)
        cleared = policy.load_cleared(self._artefacts.get(row, row.active_generation, artefacts.CLEARED, key))
        released = policy.release(cleared, (*self._released(row, cleared), chunk_id))
        shown = [item for item in released.chunks if item.chunk_id == chunk_id]
        vectors = embed.run(shown, self._p.embedder)
        index.run(
            shown,
            vectors,
            store=self._p.vectors,
            spec=self._p.embedder.spec,
            terms=self._p.terms,
            labels=[row.classification],
            received=row.received_at.timestamp(),
        )
        with self._p.unit_of_work() as uow:
            row = self._locked(uow, row)
            if uow.rebuilds.collections(hold=True) != names:  # what was written may lie in the wrong collection
                raise _rebuilding()
            rows = uow.chunks.of_document(row.doc_id, row.active_generation)
            if chunk_id not in [item.chunk_id for item in rows if item.withheld]:
                raise Conflict("not_withheld", "This passage was just released.", "Nothing to do.")
            changed = [replace(item, withheld=item.withheld and item.chunk_id != chunk_id) for item in rows]
            uow.chunks.put_generation(row.doc_id, row.active_generation, changed)
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.CONTENT_RELEASED,
                clock=self._p.clock,
                actor=actor,
                details={"component": "review", "chunk_id": str(chunk_id), "status": "released"},
            )
            uow.audit.append(event)
            account = policy.release(cleared, _freed(changed, cleared)).account
            row = replace(
                row, account=msgspec.to_builtins(account), chunks=row.chunks + 1, withheld=max(row.withheld - 1, 0)
            )
            uow.documents.put(row)
            uow.commit()
        return {"chunk_id": str(chunk_id), "doc_id": str(row.doc_id), "event_id": str(event.event_id)}

    def _released(self, row: DocumentRow, cleared: policy.Cleared) -> tuple[UUID, ...]:
        """What was released before: withheld by the stored verdict, not by the rows."""
        with self._p.unit_of_work() as uow:
            return _freed(uow.chunks.of_document(row.doc_id, row.active_generation), cleared)

    def _locked(self, uow: UnitOfWork, seen: DocumentRow) -> DocumentRow:
        """The row under its lock, if nothing changed what was judged.

        Raises:
            Conflict: `document_changed`.
        """
        uow.lock_content(seen.doc_id)
        row = uow.documents.get(seen.doc_id, lock=True)
        if row is None or (row.incarnation, row.active_generation) != (seen.incarnation, seen.active_generation):
            raise Conflict("document_changed", "The document changed while it was reviewed.", "Look at it again.")
        return row

    def classify(self, doc_id: UUID, classification: str, *, actor: str) -> dict[str, Any]:
        """Set a document's class and take it off the queue.

        Raises:
            Invalid: `class_unknown`.
            NotFound: `document_not_found`.
        """
        if classification not in CLASSES:
            raise Invalid("class_unknown", "There is no such class.", f"Choose one of {', '.join(CLASSES)}.")
        with self._p.unit_of_work() as uow:
            row = self._own(uow, doc_id)
            # Both until the commit holds: the index may know a class too many, never one too few.
            self._label(doc_id, row.classification, classification)
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.POLICY_GATE_PASSED,
                clock=self._p.clock,
                actor=actor,
                details={"component": "review", "classification": classification, "status": "reviewed"},
            )
            uow.audit.append(event)
            uow.documents.put(replace(row, classification=classification, class_confidence=1.0, needs_review=False))
            uow.commit()
        self._label(doc_id, classification)
        return {"doc_id": str(doc_id), "classification": classification, "event_id": str(event.event_id)}

    def _label(self, doc_id: UUID, *labels: str) -> None:
        self._p.vectors.label(doc_id, [label for label in dict.fromkeys(labels) if label])
        self._p.vectors.flush()

    def retry(self, doc_id: UUID, *, actor: str) -> dict[str, Any]:
        """Send a failed document through the stages again, as a new incarnation.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `not_failed`.
        """
        with self._p.unit_of_work() as uow:
            row = self._own(uow, doc_id)
            if row.state is not State.FAILED:
                raise Conflict("not_failed", f"The document is {row.state.value}, not failed.", "Nothing to retry.")
            row, job = send_again(uow, row, self._p, actor=actor, component="review")
            uow.commit()
        self._p.hints.announce([job])
        return {"doc_id": str(doc_id), "state": row.state.value, "incarnation": row.incarnation}

    @staticmethod
    def _own(uow: UnitOfWork, doc_id: UUID) -> DocumentRow:
        uow.lock_content(doc_id)
        row = uow.documents.get(doc_id, lock=True)
        if row is None or row.state is State.ERASED:
            raise NotFound("document_not_found", "There is no such document.", "Check the id.")
        return row


def _freed(rows: Sequence[ChunkRow], cleared: policy.Cleared) -> tuple[UUID, ...]:
    free = {row.chunk_id for row in rows if not row.withheld}
    return tuple(item.chunk_id for item in cleared.withheld if item.chunk_id in free)


def _rebuilding() -> Conflict:
    return Conflict(
        "rebuild_running",
        "The index is being rebuilt for another model.",
        "Release it when the rebuild is through; `frostbyte index status` says how long.",
    )
