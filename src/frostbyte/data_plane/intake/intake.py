"""The door: files come in, receipts go out (promise 3), and twice is once (promise 4).

What must hold when a receipt is given, in the order in which it is made so:
1. the sealed file is durable;
2. under the content's lock it is known whether these bytes are here already;
3. the wrapped key is durable;
4. document, receipt, audit event and first job are committed together.
Killed before 4, nothing was promised, and `sweep.py` removes what 1 and 3 left.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane.intake import outcomes
from frostbyte.data_plane.intake.manifest import NOT_LISTED, NOT_SENT, Entry, Expected, Manifest
from frostbyte.data_plane.intake.names import display_name
from frostbyte.data_plane.intake.outcomes import GIB, BatchResult, FileOutcome, outage, outcome_of
from frostbyte.data_plane.intake.sink import FileSink
from frostbyte.data_plane.intake.sniff import Refusal
from frostbyte.kernel.audit.events import EventType, chain, make_event
from frostbyte.kernel.batches import complete_if_done
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.hints import Hints
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import BatchRow, DocumentRow, EventRow, JobRow, Outcome, ReceiptRow, Stage, State
from frostbyte.kernel.tenancy import TenantConfig, config_from
from frostbyte.kernel.vault import DocumentKey, Vault

_QUOTA_AGE: Final = timedelta(seconds=10)  # how long a sum of stored bytes is believed while files are coming in
_QUOTA_NEAR: Final = GIB  # so near the quota it is not believed
_KEY_LENGTH: Final = 255  # characters of an Idempotency-Key

RAW: Final = "raw"
"""Name of the file as it came, in commitments."""


class Intake:
    """Takes uploads for the plane's one tenant.

    Args:
        tenant_id: from the plane's settings.
        unit_of_work: makes transactions.
        vault: sealed objects and keys.
        clock: the server's clock.
        first_stage: what a new document's first job is; flow.py knows.
        defaults: the configuration where none is stored yet.
        hints: told of each first job once it is committed.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        vault: Vault,
        clock: Clock,
        first_stage: Stage,
        defaults: TenantConfig | None = None,
        hints: Hints | None = None,
    ) -> None:
        self.tenant_id = tenant_id
        self.unit_of_work = unit_of_work
        self.vault = vault
        self.clock = clock
        self.first_stage = first_stage
        self.hints = hints
        self._defaults = defaults
        self._used = 0
        self._used_at: datetime | None = None

    def stored_bytes(self, quota: int) -> int:
        """Bytes the tenant stores.

        A sum over all documents, so it is believed for a while, with what came in since through this process; other
        processes may overshoot the quota by what they take in meanwhile. Near the quota it is taken for each file.

        Args:
            quota: bytes the tenant may store.
        """
        now, used, at = self.clock.now(), self._used, self._used_at
        if at is None or not timedelta() <= now - at <= _QUOTA_AGE or quota - used < _QUOTA_NEAR:
            with self.unit_of_work(reading=True) as uow:
                used = uow.documents.stored_bytes()
            self._used, self._used_at = used, now
        return used

    def took_in(self, size: int) -> None:
        """A new document of `size` bytes is stored."""
        self._used += size

    def open_batch(self, subject: str, *, idempotency_key: str = "", manifest: Manifest | None = None) -> BatchSession:
        """Begin an upload, or find the one that was made with this key.

        Args:
            subject: who sends: the token's subject.
            idempotency_key: the sender's own name for the upload, at most 255 characters; '' for none. A closed
                upload with it is not repeated (`BatchSession.replayed`); one that broke off is continued.
            manifest: what the sender says it sends.

        Raises:
            Conflict: `idempotency_key_reused`: the key came before with another manifest.
            Invalid: `idempotency_key_invalid`.
        """
        if len(idempotency_key) > _KEY_LENGTH:
            raise Invalid(
                "idempotency_key_invalid",
                f"The Idempotency-Key is longer than {_KEY_LENGTH} characters.",
                "Use a shorter one, such as a UUID.",
            )
        fingerprint = self.vault.fingerprint(canonical(msgspec.to_builtins(manifest))) if manifest else ""
        with self.unit_of_work() as uow:
            stored = uow.configs.latest()
            config = config_from(stored.values, self._defaults) if stored else self._defaults or TenantConfig()
            batch = self._find(uow, subject, idempotency_key, fingerprint)
            fresh = batch is None
            if batch is None:
                batch = BatchRow(
                    batch_id=new_id(),
                    subject=subject,
                    created_at=self.clock.now(),
                    idempotency_key=idempotency_key,
                    fingerprint=fingerprint,
                )
                uow.batches.put(batch)
                details = {"component": "intake", "status": "received"} | (
                    {"files": len(manifest.files)} if manifest else {}
                )
                uow.audit.append(self.event(EventType.BATCH_RECEIVED, subject, "batch", batch.batch_id, details))
                uow.commit()
        return BatchSession(self, batch, manifest, config, stored.version if stored else 0, fresh=fresh)

    @staticmethod
    def _find(uow: UnitOfWork, subject: str, key: str, fingerprint: str) -> BatchRow | None:
        if not key:
            return None
        # Two uploads with one key that begin at once: the second must find the first one's batch.
        uow.lock_content(UUID(bytes=hashlib.sha256(f"batch\0{subject}\0{key}".encode()).digest()[:16]))
        batch = uow.batches.by_idempotency_key(subject, key)
        if batch is not None and batch.fingerprint != fingerprint:
            raise Conflict(
                "idempotency_key_reused",
                "This Idempotency-Key was used before for an upload with another manifest.",
                "Use a new key for a new upload, or repeat the same manifest.",
            )
        return batch

    def result(self, batch_id: UUID, *, replayed: bool = True) -> BatchResult:
        """The stored answer to an upload."""
        with self.unit_of_work() as uow:
            batch = uow.batches.get(batch_id)
            receipts = uow.batches.receipts(batch_id)
            rows = uow.documents.get_many([r.doc_id for r in receipts if r.doc_id is not None])
        files = []
        for receipt in receipts:
            row = rows.get(receipt.doc_id) if receipt.doc_id is not None else None
            key_object = row.key_object if row is not None else batch.key_object if batch is not None else ""
            files.append(outcome_of(receipt, self._name(key_object, receipt), row))
        return BatchResult(batch_id=batch_id, files=tuple(files), replayed=replayed)

    def _name(self, key_object: str, receipt: ReceiptRow) -> str:
        if not key_object or not receipt.sealed_name:
            return ""
        try:
            return self.vault.load_key(key_object).open_name(receipt.sealed_name)
        except FrostbyteError as error:
            if error.kind is Kind.GONE or error.code == "object_damaged":
                return "(erased)"  # or sealed under the key of an erased incarnation
            raise

    def event(
        self, type: EventType, subject: str, resource: str, resource_id: UUID, details: Mapping[str, object]
    ) -> EventRow:
        """An audit event of this plane."""
        return make_event(self.tenant_id, type, self.clock, subject, resource, str(resource_id), details)


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
    ) -> None:
        self.batch_id = batch.batch_id
        self.replayed = batch.closed_at is not None
        self._intake = intake
        self._subject = batch.subject
        self._keyed = bool(batch.idempotency_key)
        self._expected = Expected(manifest) if manifest is not None else None
        self._config = config
        self._version = version
        self._position = 0
        # All that this upload brought, unless it goes on where another broke off: then its receipts are read.
        self._told: list[FileOutcome] | None = [] if fresh else None

    def file(self, filename: str | bytes, declared_mime: str = "") -> FileSink:
        """Begin the next file. `declared_mime`, the sender's header, decides nothing and is not kept.

        Raises:
            Conflict: `batch_closed`: the upload is complete.
        """
        if self.replayed:
            raise Conflict("batch_closed", "This upload is complete.", "Read its result, or begin a new upload.")
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
        room = 0 if refusal is not None else quota - self._intake.stored_bytes(quota)
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
            self._close()
        if self._told is None:
            return self._intake.result(self.batch_id, replayed=self.replayed)
        return BatchResult(batch_id=self.batch_id, files=tuple(self._told))

    def abandon(self) -> None:
        """The upload broke off between files. With an idempotency key it stays open, to be continued."""
        if not self._keyed and not self.replayed:
            self._close()

    def _close(self) -> None:
        intake = self._intake
        with intake.unit_of_work() as uow:
            uow.lock_content(self.batch_id)
            batch = self._row(uow)
            if batch.closed_at is None:
                batch = replace(batch, closed_at=intake.clock.now())
                uow.batches.put(batch)
                complete_if_done(uow, intake.clock, intake.tenant_id, batch)
                uow.commit()

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
            self._intake.took_in(sink.size)
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
            raise Conflict("batch_missing", "The upload is not known any more.", "Begin a new upload.")
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
