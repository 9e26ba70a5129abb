"""Forgetting a document for good, and proving it.

The decision and its audit event are committed first; from then on nothing serves the document. Then its key is
destroyed, which closes every copy at once: objects, backups, sealed names, commitments in the audit. Objects and
vectors are removed after that; a kill in between is finished by `resume` (promise 10). Work that was under way keeps
the older incarnation and is discarded when it commits; what it wrote is unreadable without the key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.data_plane import artefacts
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.batches import complete_batches_of
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import VectorStore
from frostbyte.kernel.records import DocumentRow, ErasureRow, State
from frostbyte.kernel.vault import Vault

VECTORS_GONE_AFTER: Final = timedelta(minutes=15)
"""Longer than any lease: a stage that was under way at the erasure has written its last vectors by then."""


class ErasureReason(StrEnum):
    """Why somebody has a document erased: a code, because it goes into the audit."""

    REQUEST = "request"
    """Without a closer word."""
    DATA_SUBJECT = "data_subject"
    """A person has their data erased (GDPR, article 17)."""
    SENT_BY_MISTAKE = "sent_by_mistake"
    NO_LONGER_NEEDED = "no_longer_needed"


class Erasure:
    """Erases documents and answers for it."""

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        vault: Vault,
        blobs: BlobStore,
        vectors: VectorStore,
        clock: Clock,
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._vault = vault
        self._blobs = blobs
        self._vectors = vectors
        self._clock = clock

    def erase(self, doc_id: UUID, *, actor: str, reason: str, run_id: UUID | None = None) -> dict[str, Any]:
        """Erase the document; asking again gives the same receipt.

        Args:
            doc_id: which.
            actor: who asked, for the audit.
            reason: a code such as `request` or `retention`.
            run_id: the retention run that erases it.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `document_held`.
        """
        with self._unit_of_work() as uow:
            uow.lock_content(doc_id)
            row = uow.documents.get(doc_id, lock=True)
            if row is None:
                raise NotFound("document_not_found", "There is no such document.", "Check the id.")
            if row.state is State.ERASED:
                erasure = max(uow.erasures.of_document(doc_id), key=lambda item: item.requested_at)
            else:
                wanted = ErasureRow(
                    erasure_id=new_id(),
                    doc_id=doc_id,
                    incarnation=row.incarnation,
                    requested_at=self._clock.now(),
                    actor=actor,
                    reason=reason,
                    run_id=run_id,
                )
                erasure = decide(uow, row, wanted, tenant_id=self._tenant_id, clock=self._clock)
                uow.commit()
        return self.receipt(self._carry_out(row, erasure).erasure_id)

    def _carry_out(self, row: DocumentRow, erasure: ErasureRow) -> ErasureRow:
        """Destroy the key, then what it opened. Idempotent.

        Under the content's lock, and only for the erased incarnation: a file that came again has a key of its own.
        """
        with self._unit_of_work() as uow:
            uow.lock_content(erasure.doc_id)
            if erasure.key_destroyed_at is None:
                self._destroy_keys(erasure)
                erasure = replace(erasure, key_destroyed_at=self._clock.now())
                uow.erasures.put(erasure)
            current = uow.documents.get(erasure.doc_id)
            if current is not None and current.state is State.ERASED:
                self._remove_objects(row)
                self._vectors.delete_document(erasure.doc_id)
                self._vectors.flush()
            uow.commit()
        return erasure

    def _destroy_keys(self, erasure: ErasureRow) -> None:
        """Every key up to the erased incarnation: a retried document still has the key of the one before."""
        for name in list(self._blobs.names(f"keys/{erasure.doc_id}.")):
            if int(name.rpartition(".")[2]) <= erasure.incarnation:
                self._vault.destroy_key(name)

    def _remove_objects(self, row: DocumentRow) -> None:
        self._blobs.delete(row.raw_object)
        for name in list(self._blobs.names(f"normalized/{row.doc_id}.")):
            self._blobs.delete(name)

    def resume(self) -> int:
        """Finish what a kill interrupted and clear vectors from the live segments; returns how many were finished."""
        with self._unit_of_work() as uow:
            unfinished = uow.erasures.unfinished()
            rows = uow.documents.get_many([item.doc_id for item in unfinished])
        for erasure in unfinished:
            self._carry_out(rows[erasure.doc_id], erasure)
        due = [item for item in unfinished if item.requested_at + VECTORS_GONE_AFTER <= self._clock.now()]
        if due:
            self._vectors.compact()
            self._mark_gone(due)
        return len(due)

    def _mark_gone(self, due: list[ErasureRow]) -> None:
        with self._unit_of_work() as uow:
            for item in due:
                stored = uow.erasures.get(item.erasure_id)
                if stored is not None:
                    uow.erasures.put(replace(stored, vectors_gone_at=self._clock.now()))
            uow.commit()

    def of_document(self, doc_id: UUID) -> list[UUID]:
        """Ids of the document's erasures, the newest first: what was erased and came again may be erased again."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.erasures.of_document(doc_id)
        return [row.erasure_id for row in sorted(rows, key=lambda row: row.requested_at, reverse=True)]

    def receipt(self, erasure_id: UUID) -> dict[str, Any]:
        """The destruction receipt as it stands now.

        Raises:
            NotFound: `erasure_not_found`.
        """
        with self._unit_of_work() as uow:
            erasure = uow.erasures.get(erasure_id)
            if erasure is None:
                raise NotFound("erasure_not_found", "There is no such erasure.", "Check the id.")
            handouts = uow.erasures.handouts_of(erasure.doc_id)
            latest = uow.audit.latest_checkpoint()
            backups = _backups(uow, erasure)
        gone = erasure.vectors_gone_at
        due = erasure.requested_at + timedelta(days=1)
        exports = [
            {
                "export_id": str(item.export_id),
                "created_at": iso(item.created_at),
                "actor": item.actor,
                "kind": item.kind,
            }
            for item in handouts
        ]
        return {
            "erasure_id": str(erasure.erasure_id),
            "doc_id": str(erasure.doc_id),
            "requested_at": iso(erasure.requested_at),
            "actor": erasure.actor,
            "reason": erasure.reason,
            "run_id": str(erasure.run_id) if erasure.run_id else None,
            "key_destroyed_at": _moment(erasure.key_destroyed_at),
            "vectors": {"status": "gone" if gone else "pending", "gone_at": _moment(gone), "due_by": iso(due)},
            "backups": backups,
            "exports": exports,
            "event_id": str(erasure.event_id),
            "checkpoint": latest.note if latest else None,
            "remaining": [
                "audit events (commitments that no key opens any more)",
                *(["copies in the exports listed: ask their holders"] if exports else []),
            ],
        }


def decide(uow: UnitOfWork, row: DocumentRow, erasure: ErasureRow, *, tenant_id: str, clock: Clock) -> ErasureRow:
    """Put an erasure on record: from the commit on nothing serves the document. The caller commits.

    Args:
        row: locked, and not erased yet.
        erasure: who asks for it, when and why.
        tenant_id: whose plane this is.
        clock: for the event.

    Returns:
        the erasure with its event.

    Raises:
        Conflict: `document_held`: the transaction is of no use any more.
    """
    details = {"component": "lifecycle", "reason": erasure.reason, "status": "erased"}
    event, chained = chain(
        row,
        tenant_id=tenant_id,
        type=EventType.DOCUMENT_ERASED,
        clock=clock,
        actor=erasure.actor,
        details=details if erasure.run_id is None else {**details, "run_id": str(erasure.run_id)},
    )
    uow.audit.append(event)
    erasure = replace(erasure, event_id=event.event_id)
    uow.erasures.put(erasure)
    uow.jobs.cancel(row.doc_id)
    uow.chunks.delete_document(row.doc_id)
    uow.documents.put(
        replace(
            chained,
            state=State.ERASED,
            stage=None,
            code="erased",
            message="The document was erased.",
            remedy="Send the file again if it is needed.",
            active_generation="",
            sealed_name=b"",
            finished_at=clock.now(),
            incarnation=row.incarnation + 1,
        )
    )
    complete_batches_of(uow, clock, tenant_id, row.doc_id)
    return erasure


def _backups(uow: UnitOfWork, erasure: ErasureRow) -> dict[str, Any]:
    """Since when its key is in no backup: `none` where there never was one, `pending` until the next run."""
    destroyed = erasure.key_destroyed_at
    gone = uow.backups.mirrored_since(destroyed) if destroyed else None
    status = "gone" if gone else "pending" if uow.backups.any_mirror() else "none"
    return {"status": status, "gone_at": _moment(gone)}


def _moment(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def sweep_generations(
    unit_of_work: UnitOfWorkFactory, blobs: BlobStore, vectors: VectorStore, *, older_than_seconds: float = 3600.0
) -> int:
    """Remove artefacts and points of generations that neither are active nor are being made; returns how many."""
    removed = 0
    for name in list(blobs.names("normalized/")):
        doc, generation, kind = name.removeprefix("normalized/").split(".")
        if kind not in artefacts.ALL or blobs.age_seconds(name) < older_than_seconds:
            continue
        with unit_of_work() as uow:
            uow.lock_content(UUID(doc))
            row = uow.documents.get(UUID(doc))
            if row is None or generation not in (row.generation, row.active_generation) or row.state is State.ERASED:
                blobs.delete(Artefacts.name(UUID(doc), generation, kind))
                if row is None or row.generation == row.active_generation or row.state is State.ERASED:
                    vectors.delete_document(UUID(doc), except_generation=row.active_generation if row else "")
                removed += 1
    return removed
