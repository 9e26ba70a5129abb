"""What a reviewer decides: about withheld passages, a document's class, and trying one again that came to nothing.

Like the flow, it needs several stages, so it stands beside it. Two people may decide about the same thing: what one has
decided, the other is told.
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
from frostbyte.data_plane.pieces import Embedded
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import ChunkRow, DocumentRow, State
from frostbyte.kernel.vault import DocumentKey

CLASSES = ("contract", "invoice", "sop", "policy", "correspondence", "legal_filing", "other")
REASONS = {
    "release": ("harmless", "quotation", "needed"),
    "keep": ("attack", "unclear", "unneeded"),
    "classify": ("content", "form", "known"),
}
"""Reasons that go into the audit, by decision; whatever else somebody writes is for people and kept nowhere."""


class Review:
    """The review queue and its decisions, each an event in the document's chain."""

    def __init__(self, ports: Ports) -> None:
        self._p = ports
        self._artefacts = artefacts.Artefacts(ports.vault)

    def queue(self, limit: int = 100) -> dict[str, Any]:
        """Withheld passages (as they would be shown) and documents whose class is uncertain, with what it wavers
        between and the features that spoke."""
        return {"chunks": self.withheld(limit), "documents": self.uncertain(limit)}

    def counts(self) -> dict[str, int]:
        """How much waits for a decision: `withheld` passages, `quarantined` and `uncertain` documents; and the passages
        that were `kept` withheld."""
        with self._p.unit_of_work(reading=True) as uow:
            tally, documents = uow.listing.to_review(), uow.documents.tally()
        return {
            "withheld": tally.passages,
            "quarantined": sum(row.count for row in documents if row.state is State.QUARANTINED),
            "uncertain": tally.documents,
            "kept": tally.kept,
        }

    def withheld(self, limit: int = 100, *, kept: bool = False) -> list[dict[str, Any]]:
        """Withheld passages that wait for a decision, or with `kept` those that a reviewer left withheld."""
        with self._p.unit_of_work(reading=True) as uow:
            chunks = uow.chunks.withheld(limit, kept=kept)
            rows = uow.documents.get_many(list({chunk.doc_id for chunk in chunks}))
        with self._p.vault.answering():
            return [self._withheld(rows[chunk.doc_id], chunk) for chunk in chunks]

    def rules(self, chunk_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        """The injection rules that spoke for each of these passages, as the stored verdicts name them."""
        with self._p.unit_of_work(reading=True) as uow:
            chunks = [chunk for chunk_id in chunk_ids if (chunk := uow.chunks.get(chunk_id)) is not None]
            rows = uow.documents.get_many(list({chunk.doc_id for chunk in chunks}))
        found: dict[UUID, list[str]] = {}
        for row in rows.values():
            if not row.active_generation:
                continue
            key = self._p.vault.load_key(row.key_object)
            cleared = policy.load_cleared(self._artefacts.get(row, row.active_generation, artefacts.CLEARED, key))
            found |= {item.chunk_id: list(item.rules) for item in cleared.withheld}
        return {chunk.chunk_id: found.get(chunk.chunk_id, []) for chunk in chunks}

    def beginnings(self, doc_ids: Sequence[UUID], length: int = 400) -> dict[UUID, str]:
        """How these documents begin, as they are shown: up to so many characters of what is found of each first."""
        with self._p.unit_of_work(reading=True) as uow:
            rows = uow.documents.get_many(doc_ids)
            first = [chunk for doc_id in rows for chunk in uow.chunks.page(after=(doc_id, -1), limit=1)]
        with self._p.vault.answering():
            texts = {c.doc_id: self._artefacts.chunk(rows[c.doc_id], c).text for c in first if c.doc_id in rows}
        return {doc_id: text if len(text) <= length else text[:length] + " …" for doc_id, text in texts.items()}

    def uncertain(self, limit: int = 100, *, after: UUID | None = None) -> list[dict[str, Any]]:
        """Documents whose class is uncertain, by id."""
        with self._p.unit_of_work(reading=True) as uow:
            rows = uow.documents.page(state=State.INDEXED, needs_review=True, after=after, limit=limit)
        return [
            {
                "doc_id": str(row.doc_id),
                "classification": row.classification,
                "class_confidence": round(row.class_confidence, 3),
                "second": row.class_second,
                "second_confidence": round(row.class_second_confidence, 3),
                "reasons": list(row.class_reasons),
            }
            for row in rows
        ]

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

    def keep(self, chunk_id: UUID, *, actor: str, reason: str = "") -> dict[str, Any]:
        """Leave a withheld passage withheld, and take it off the queue. It may still be released later.

        Raises:
            NotFound: `chunk_not_found`.
            Conflict: `not_withheld`; `already_reviewed`.
        """
        seen, _ = self._held(chunk_id, waiting=True)
        with self._p.unit_of_work() as uow:
            row = self._locked(uow, seen)
            rows = uow.chunks.of_document(row.doc_id, row.active_generation)
            _waits(next((item for item in rows if item.chunk_id == chunk_id), None), waiting=True)
            changed = [replace(item, kept=item.kept or item.chunk_id == chunk_id) for item in rows]
            uow.chunks.put_generation(row.doc_id, row.active_generation, changed)
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.CONTENT_WITHHELD,
                clock=self._p.clock,
                actor=actor,
                details={"component": "review", "chunk_id": str(chunk_id), "status": "kept", **_why("keep", reason)},
            )
            uow.audit.append(event)
            uow.documents.put(row)
            uow.commit()
        return {"chunk_id": str(chunk_id), "doc_id": str(row.doc_id), "event_id": str(event.event_id)}

    def _held(self, chunk_id: UUID, *, waiting: bool) -> tuple[DocumentRow, ChunkRow]:
        with self._p.unit_of_work(reading=True) as uow:
            chunk = uow.chunks.get(chunk_id)
            row = uow.documents.get(chunk.doc_id) if chunk else None
        if chunk is None or row is None or chunk.generation != row.active_generation:
            raise NotFound("chunk_not_found", "There is no such passage to review.", "Look at the review queue.")
        _waits(chunk, waiting=waiting)
        return row, chunk

    def release(self, chunk_id: UUID, *, actor: str, reason: str = "", waiting: bool = False) -> dict[str, Any]:
        """Let a withheld passage be found.

        Its vectors are written and flushed first; then one commit makes it visible and moves the account's sums.

        Args:
            chunk_id: which.
            actor: who decides.
            reason: one of `REASONS`, for the audit.
            waiting: only if nobody decided that it stays withheld.

        Raises:
            NotFound: `chunk_not_found`.
            Conflict: `not_withheld`; `already_reviewed`; `rebuild_running`.
        """
        row, _ = self._held(chunk_id, waiting=waiting)
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
            _waits(next((item for item in rows if item.chunk_id == chunk_id), None), waiting=waiting)
            self._store_vectors(row, key, chunk_id, vectors)
            changed = [
                replace(item, withheld=False, kept=False) if item.chunk_id == chunk_id else item for item in rows
            ]
            uow.chunks.put_generation(row.doc_id, row.active_generation, changed)
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.CONTENT_RELEASED,
                clock=self._p.clock,
                actor=actor,
                details={
                    "component": "review",
                    "chunk_id": str(chunk_id),
                    "status": "released",
                    **_why("release", reason),
                },
            )
            uow.audit.append(event)
            account = policy.release(cleared, _freed(changed, cleared)).account
            row = replace(
                row, account=msgspec.to_builtins(account), chunks=row.chunks + 1, withheld=max(row.withheld - 1, 0)
            )
            uow.documents.put(row)
            uow.commit()
        return {"chunk_id": str(chunk_id), "doc_id": str(row.doc_id), "event_id": str(event.event_id)}

    def _store_vectors(self, row: DocumentRow, key: DocumentKey, chunk_id: UUID, vectors: Embedded) -> None:
        """Store its vectors beside those of the others, under the content's lock: a restored plane needs no embedder.

        One that is stored for a release that is not committed does no harm: the rows say what is released.
        """
        try:
            made = embed.decode_released(self._artefacts.get(row, row.active_generation, artefacts.RELEASED, key))
        except NotFound:
            made = {}
        data = embed.encode_released({**made, chunk_id: vectors})
        self._artefacts.put(row, row.active_generation, artefacts.RELEASED, key, data)

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

    def classify(
        self, doc_id: UUID, classification: str, *, actor: str, reason: str = "", waiting: bool = False
    ) -> dict[str, Any]:
        """Set a document's class and take it off the queue.

        Args:
            doc_id: which.
            classification: one of `CLASSES`.
            actor: who decides.
            reason: one of `REASONS`, for the audit.
            waiting: only if its class is still uncertain.

        Raises:
            Invalid: `class_unknown`.
            NotFound: `document_not_found`.
            Conflict: `already_reviewed`.
        """
        if classification not in CLASSES:
            raise Invalid("class_unknown", "There is no such class.", f"Choose one of {', '.join(CLASSES)}.")
        with self._p.unit_of_work() as uow:
            row = self._own(uow, doc_id)
            if waiting and not row.needs_review:
                raise _decided()
            # Both until the commit holds: the index may know a class too many, never one too few.
            self._label(doc_id, row.classification, classification)
            event, row = chain(
                row,
                tenant_id=self._p.tenant_id,
                type=EventType.POLICY_GATE_PASSED,
                clock=self._p.clock,
                actor=actor,
                details={
                    "component": "review",
                    "classification": classification,
                    "status": "reviewed",
                    **_why("classify", reason),
                },
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
        """Send a failed or quarantined document through the stages again, as a new incarnation.

        It passes every gate anew: one that is still infected, or still holds what is blocked, is quarantined again.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `not_failed`.
        """
        with self._p.unit_of_work() as uow:
            row = self._own(uow, doc_id)
            if row.state not in (State.FAILED, State.QUARANTINED):
                raise Conflict(
                    "not_failed",
                    f"The document is {row.state.value}, neither failed nor quarantined.",
                    "Nothing to retry.",
                )
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


def _waits(chunk: ChunkRow | None, *, waiting: bool) -> None:
    """Raises Conflict if it is not withheld any more, or, with `waiting`, if somebody decided about it."""
    if chunk is None or not chunk.withheld:
        raise Conflict("not_withheld", "This passage is not withheld, or was just released.", "Nothing to do.")
    if waiting and chunk.kept:
        raise _decided()


def _why(decision: str, reason: str) -> dict[str, str]:
    return {"reason": reason} if reason in REASONS[decision] else {}


def _decided() -> Conflict:
    return Conflict(
        "already_reviewed", "Somebody else has just decided about this.", "Look at what was decided, then go on."
    )


def _rebuilding() -> Conflict:
    return Conflict(
        "rebuild_running",
        "The index is being rebuilt for another model.",
        "Release it when the rebuild is through; `frostbyte index status` says how long.",
    )
