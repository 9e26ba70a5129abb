"""One upload on its way in. Each file is one transaction; what order they keep is said in `intake.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.data_plane.intake import outcomes
from frostbyte.data_plane.intake.manifest import NOT_LISTED, NOT_SENT, Entry, Expected, Manifest
from frostbyte.data_plane.intake.names import display_name
from frostbyte.data_plane.intake.outcomes import GIB, BatchResult, FileOutcome, closed, missing, outage, outcome_of
from frostbyte.data_plane.intake.sink import FileSink
from frostbyte.data_plane.intake.sniff import Refusal
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import BatchRow, DocumentRow, JobRow, Outcome, ReceiptRow, State
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.vault import DocumentKey

if TYPE_CHECKING:
    from frostbyte.data_plane.intake.intake import Intake

RAW: Final = "raw"
"""Name of the file as it came, in commitments."""


class BatchSession:
    """One upload on its way in. Not for several threads; several sessions may be open at once.

    Attributes:
        batch_id: the upload's id.
        replayed: whether the upload was made before: send no files, `close()` gives the stored answer.
    """

    def __init__(
        self,
        intake: Intake,
        batch: BatchRow,
        manifest: Manifest | None,
        config: TenantConfig,
        version: int,
        *,
        fresh: bool,
        first: int | None,
    ) -> None:
        self.batch_id = batch.batch_id
        self.replayed = batch.closed_at is not None
        self._intake = intake
        self._subject = batch.subject
        self._keyed = bool(batch.idempotency_key)
        self._expected = Expected(manifest) if manifest is not None else None
        self._config = config
        self._version = version
        self._position = first or 0
        self._in_parts = first is not None
        # All that this upload brought, unless it goes on where another broke off: then its receipts are read. A part is
        # answered by what it brought itself.
        self._told: list[FileOutcome] | None = [] if fresh or (self._in_parts and not self.replayed) else None

    def file(self, filename: str | bytes, declared_mime: str = "") -> FileSink:
        """Begin the next file. `declared_mime`, the sender's header, decides nothing and is not kept.

        Raises:
            Conflict: `batch_closed`: the upload is complete.
        """
        if self.replayed:
            raise closed()
        name = display_name(filename)
        position, self._position = self._position, self._position + 1
        entry = self._expected.take(name) if self._expected is not None else None
        refusal = None
        if position >= self._config.max_batch_size:
            refusal = outcomes.BATCH_TOO_LARGE
        elif self._expected is not None and entry is None:
            refusal = NOT_LISTED
        return self._sink(name, entry, position, refusal)

    def _sink(self, name: str, entry: Entry | None, position: int, refusal: Refusal | None) -> FileSink:
        # The random part keeps two uploads apart that continue the same broken one at the same time.
        raw_object = f"raw/{outcomes.receipt_id(self.batch_id, position)}.{os.urandom(4).hex()}"
        quota = self._config.storage_quota_gb * GIB
        room = 0 if refusal is not None else quota - self._intake.stored.bytes(quota)
        return FileSink(
            self,
            self._intake.vault,
            self._config,
            filename=name,
            entry=entry,
            position=position,
            raw_object=raw_object,
            room=room,
            refusal=refusal,
        )

    def close(self) -> BatchResult:
        """No more files come: report what the manifest lists and did not come, and give the answer to the upload."""
        if not self.replayed:
            for entry in self._expected.missing() if self._expected is not None else ():
                self._sink(display_name(entry.filename), entry, self._position, NOT_SENT).finish()
                self._position += 1
            self._intake.finish(self.batch_id)
        return self.pause()

    def pause(self) -> BatchResult:
        """The answer to a part of an upload: it stays open for the next one."""
        if self._told is None:
            return self._intake.result(self.batch_id, replayed=self.replayed)
        return BatchResult(batch_id=self.batch_id, files=tuple(self._told))

    def abandon(self) -> None:
        """The upload broke off between files. With an idempotency key it stays open, to be continued."""
        if not self._keyed and not self.replayed:
            self._intake.finish(self.batch_id)

    # -- what a sink calls ----------------------------------------------------------------------------------------

    def known(self, sink: FileSink) -> FileOutcome | None:
        """The outcome if these bytes are here already, else None."""
        doc_id = self._intake.vault.document_id(sink.digest)
        with self._intake.unit_of_work() as uow:
            uow.lock_content(doc_id)
            row = uow.documents.get(doc_id, lock=True)
            if row is None or row.state is State.ERASED:
                return None
            outcome = self._again(uow, sink, row)
            uow.commit()
        return self._tell(outcome)

    def accept(self, sink: FileSink) -> FileOutcome:
        """The file lies durable: give it its receipt."""
        try:
            outcome, kept = self._accept(sink)
        except _StoreFailed as failure:
            self._intake.vault.delete(sink.raw_object)
            return self.reject(sink, outage(failure.error))
        # Where the database failed instead, nobody knows whether it committed: the object stays, the sweep will know.
        if not kept:
            self._intake.vault.delete(sink.raw_object)
        return self._tell(outcome)

    def reject(self, sink: FileSink, refusal: Refusal) -> FileOutcome:
        """Write down that the file was not taken."""
        intake = self._intake
        with intake.unit_of_work() as uow:
            position, found = self._place(
                uow,
                sink,
                lambda r: r.outcome is Outcome.REJECTED and (r.code, r.size) == (refusal.code, sink.size),
            )
            if found is not None:
                return self._tell(outcome_of(found, sink.filename, None))
            key = self._batch_key(uow)
            receipt = self._receipt(sink, position, Outcome.REJECTED, key, refusal=refusal)
            uow.batches.add_receipt(receipt)
            details = {"component": "intake", "status": "rejected", "code": refusal.code, "size": sink.size}
            ids = {"batch_id": self.batch_id, "receipt_id": receipt.receipt_id}
            uow.audit.append(
                intake.event(
                    EventType.DOCUMENT_REJECTED, self._subject, "receipt", receipt.receipt_id, {**details, **ids}
                )
            )
            uow.commit()
        return self._tell(outcome_of(receipt, sink.filename, None))

    def _tell(self, outcome: FileOutcome) -> FileOutcome:
        if self._told is not None:
            self._told.append(outcome)
        return outcome

    # -- one transaction ------------------------------------------------------------------------------------------

    def _accept(self, sink: FileSink) -> tuple[FileOutcome, bool]:
        """The outcome, and whether the new object belongs to the document. Raises _StoreFailed."""
        doc_id = self._intake.vault.document_id(sink.digest)
        with self._intake.unit_of_work() as uow:
            uow.lock_content(doc_id)
            row = uow.documents.get(doc_id, lock=True)
            kept = row is None or row.state is State.ERASED
            if row is None or kept:
                outcome, job = self._new(uow, sink, doc_id, row)
            else:
                outcome, job = self._again(uow, sink, row), None
            uow.commit()
        if kept:
            self._intake.stored.took_in(sink.size)
        if job is not None and self._intake.hints is not None:
            self._intake.hints.announce([job])
        return outcome, kept

    def _again(self, uow: UnitOfWork, sink: FileSink, row: DocumentRow) -> FileOutcome:
        """The bytes are here. A sender who never sent them is not told that somebody else did."""
        position, found = self._place(uow, sink, lambda r: (r.doc_id, r.incarnation) == (row.doc_id, row.incarnation))
        if found is not None:
            return outcome_of(found, sink.filename, row)
        own = uow.batches.sent_by(self._subject, row.doc_id)
        receipt = self._receipt(
            sink,
            position,
            Outcome.DUPLICATE if own else Outcome.ACCEPTED,
            self._intake.vault.load_key(row.key_object),
            row=row,
        )
        uow.batches.add_receipt(receipt)
        return outcome_of(receipt, sink.filename, row)

    def _new(
        self, uow: UnitOfWork, sink: FileSink, doc_id: UUID, erased: DocumentRow | None
    ) -> tuple[FileOutcome, JobRow]:
        """A document and its first job, or a new incarnation of one that was erased: its chain of events goes on."""
        intake = self._intake
        incarnation = _next_incarnation(doc_id, erased)
        key_object = f"keys/{doc_id}.{incarnation}"
        try:
            intake.vault.store_key(key_object, sink.key)
        except Unavailable as error:
            raise _StoreFailed(error) from error
        now = intake.clock.now()
        if (known := uow.retention.trusted()) is not None:  # a clock that went back must not make it old from the start
            now = max(now, known.trusted_at)
        row = DocumentRow(
            doc_id=doc_id,
            incarnation=incarnation,
            state=State.RECEIVED,
            stage=intake.first_stage,
            mime=sink.mime,
            size=sink.size,
            received_at=now,
            raw_object=sink.raw_object,
            key_object=key_object,
            sealed_name=sink.key.seal_name(sink.filename),
            config_version=self._version,
            last_event_id=erased.last_event_id if erased else None,
            last_output=erased.last_output if erased else "",
        )
        position, _ = self._place(uow, sink, lambda _: False)
        receipt = self._receipt(sink, position, Outcome.ACCEPTED, sink.key, row=row)
        event, row = chain(
            row,
            tenant_id=intake.tenant_id,
            type=EventType.DOCUMENT_INGESTED,
            clock=intake.clock,
            actor=self._subject,
            details={
                "component": "intake",
                "status": "received",
                "size": sink.size,
                "mime": sink.mime,
                "incarnation": incarnation,
                "batch_id": self.batch_id,
                "receipt_id": receipt.receipt_id,
            },
            output=sink.key.commitment(RAW, sink.digest),
        )
        uow.documents.put(row)
        uow.batches.add_receipt(receipt)
        uow.audit.append(event)
        job = JobRow(job_id=new_id(), doc_id=doc_id, incarnation=incarnation, stage=intake.first_stage, not_before=now)
        uow.jobs.put(job)
        return outcome_of(receipt, sink.filename, row), job

    def _receipt(
        self,
        sink: FileSink,
        position: int,
        outcome: Outcome,
        key: DocumentKey | None,
        *,
        row: DocumentRow | None = None,
        refusal: Refusal | None = None,
    ) -> ReceiptRow:
        return ReceiptRow(
            receipt_id=outcomes.receipt_id(self.batch_id, position),
            batch_id=self.batch_id,
            position=position,
            outcome=outcome,
            size=sink.size,
            mime=row.mime if row else sink.mime,
            created_at=self._intake.clock.now(),
            doc_id=row.doc_id if row else None,
            incarnation=row.incarnation if row else 0,
            file_id=sink.entry.file_id if sink.entry else "",
            sealed_name=key.seal_name(sink.filename) if key else b"",
            code=refusal.code if refusal else "",
            message=refusal.message if refusal else "",
            remedy=refusal.remedy if refusal else "",
        )

    def _place(
        self, uow: UnitOfWork, sink: FileSink, same: Callable[[ReceiptRow], bool]
    ) -> tuple[int, ReceiptRow | None]:
        """Where the file's receipt goes, and the one that is there for the same file from an upload that broke off."""
        uow.lock_content(self.batch_id)
        if self._in_parts and self._row(uow).closed_at is not None:  # by its sender, who gave up this part
            raise closed()
        found = uow.batches.receipt(outcomes.receipt_id(self.batch_id, sink.position)) if self._keyed else None
        if found is None:
            return sink.position, None
        if same(found):
            return sink.position, found
        return uow.batches.receipts(self.batch_id)[-1].position + 1, None

    def _batch_key(self, uow: UnitOfWork) -> DocumentKey | None:
        """The key that seals the names of rejected files. None if it cannot be stored: then the name is not kept."""
        vault = self._intake.vault
        batch = self._row(uow)
        if batch.key_object:
            return vault.load_key(batch.key_object)
        key, key_object = vault.new_key(), f"keys/batch-{self.batch_id}"
        try:
            vault.store_key(key_object, key)
        except Unavailable:
            return None  # a full disk must not keep the rejection from being written down
        uow.batches.put(replace(batch, key_object=key_object))
        return key

    def _row(self, uow: UnitOfWork) -> BatchRow:
        batch = uow.batches.get(self.batch_id)
        if batch is None:
            raise missing()
        return batch


class _StoreFailed(Exception):
    """The key could not be stored, so nothing was committed."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(error.code)
        self.error = error


def _next_incarnation(doc_id: UUID, erased: DocumentRow | None) -> int:
    """The number of the next life. Erasure raises it when it commits; a destroyed key's name is never used again."""
    if erased is None:
        return 0
    used = erased.key_object == f"keys/{doc_id}.{erased.incarnation}"
    return erased.incarnation + used
