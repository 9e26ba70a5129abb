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
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane.intake.manifest import Manifest
from frostbyte.data_plane.intake.outcomes import BatchResult, missing, outcome_of
from frostbyte.data_plane.intake.session import BatchSession
from frostbyte.data_plane.intake.stored import Stored
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.batches import complete_if_done
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid, Kind, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.hints import Hints
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import BatchRow, EventRow, ReceiptRow, Stage
from frostbyte.kernel.tenancy import TenantConfig, config_from
from frostbyte.kernel.vault import Vault

_KEY_LENGTH: Final = 255  # characters of an Idempotency-Key


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
        refuses: why no upload is begun or continued now; None while they are.
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
        refuses: Callable[[], Unavailable | None] = lambda: None,
    ) -> None:
        self.tenant_id = tenant_id
        self.unit_of_work = unit_of_work
        self.vault = vault
        self.clock = clock
        self.first_stage = first_stage
        self.hints = hints
        self._defaults, self._refuses = defaults, refuses
        self.stored = Stored(unit_of_work, clock)

    def open_batch(
        self, subject: str, *, idempotency_key: str = "", manifest: Manifest | None = None, first: int | None = None
    ) -> BatchSession:
        """Begin an upload, or find the one that was made with this key.

        Args:
            subject: who sends: the token's subject.
            idempotency_key: the sender's own name for the upload, at most 255 characters; '' for none. A closed
                upload with it is not repeated (`BatchSession.replayed`); one that broke off is continued.
            manifest: what the sender says it sends.
            first: the place in the upload of the first file that comes now, for an upload that comes in parts; None
                for one that comes whole. A part whose answer was lost is sent again at the same place.

        Raises:
            Conflict: `idempotency_key_reused`: the key came before with another manifest.
            Invalid: `idempotency_key_invalid`; `upload_parts`: parts without a key, or with a manifest.
            Unavailable: what `refuses` says.
        """
        if len(idempotency_key) > _KEY_LENGTH:
            raise Invalid(
                "idempotency_key_invalid",
                f"The Idempotency-Key is longer than {_KEY_LENGTH} characters.",
                "Use a shorter one, such as a UUID.",
            )
        if first is not None and (not idempotency_key or manifest is not None):
            raise Invalid(
                "upload_parts",
                "An upload in parts is told by its Idempotency-Key, and has no manifest.",
                "Send the key with every part and no manifest, or send the upload whole.",
            )
        fingerprint = self.vault.fingerprint(canonical(msgspec.to_builtins(manifest))) if manifest else ""
        refusal = self._refuses()
        with self.unit_of_work() as uow:
            stored = uow.configs.latest()
            config = config_from(stored.values, self._defaults) if stored else self._defaults or TenantConfig()
            batch = self._find(uow, subject, idempotency_key, fingerprint)
            if refusal is not None and (batch is None or batch.closed_at is None):
                raise refusal
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
        return BatchSession(self, batch, manifest, config, stored.version if stored else 0, fresh=fresh, first=first)

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

    def finish(self, batch_id: UUID) -> None:
        """No more files come to an upload that came in parts, or that broke off; again changes nothing.

        Raises:
            Conflict: `batch_missing`.
        """
        with self.unit_of_work() as uow:
            uow.lock_content(batch_id)
            batch = uow.batches.get(batch_id)
            if batch is None:
                raise missing()
            if batch.closed_at is None:
                batch = replace(batch, closed_at=self.clock.now())
                uow.batches.put(batch)
                complete_if_done(uow, self.clock, self.tenant_id, batch)
                uow.commit()

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
