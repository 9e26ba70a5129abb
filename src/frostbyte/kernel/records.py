"""What the relational store remembers: rows of ids, states and numbers, never content.

File names are stored sealed (encrypted under a document's or batch's key), counts and codes in the clear.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable row; change one with `msgspec.structs.replace`."""


class Stage(StrEnum):
    """The stages a document passes, in no order: flow.py alone knows the order."""

    SCAN = "scan"
    PARSE = "parse"
    POLICY = "policy"
    EMBED = "embed"
    INDEX = "index"


class State(StrEnum):
    """Where a document stands."""

    RECEIVED = "received"
    WAITING = "waiting"
    INDEXED = "indexed"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    ERASED = "erased"

    @property
    def terminal(self) -> bool:
        """Only an audited human action, erasure or retention leaves a terminal state."""
        return self in (State.INDEXED, State.QUARANTINED, State.FAILED, State.ERASED)


class PlaneState(StrEnum):
    """How a plane stands with its control plane."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """It answers nobody and begins nothing; what waits, waits."""
    CLOSED = "closed"
    """As suspended, for good."""


class Upkeep(StrEnum):
    """What a plane takes while somebody works on it."""

    OPEN = "open"
    READING = "reading"
    """Questions are answered; nothing new is taken, decided or begun."""
    FROZEN = "frozen"
    """Nothing is done that has to be written down: log and receipts stand still."""


class DocumentRow(Row, frozen=True, kw_only=True):
    """One document of the tenant."""

    doc_id: UUID
    incarnation: int
    """Raised by erasure and by retrying a failed document; work of an older one is discarded."""
    state: State
    mime: str
    size: int
    """Bytes as received."""
    received_at: datetime
    raw_object: str
    key_object: str
    sealed_name: bytes
    """The file name, sealed under the document's key."""
    config_version: int
    stage: Stage | None = None
    """The stage that is next or that is waited for; None in a terminal state."""
    code: str = ""
    """Why it waits, failed or was quarantined: a stable error code."""
    message: str = ""
    remedy: str = ""
    generation: str = ""
    """The generation being made."""
    active_generation: str = ""
    """The generation that search sees; '' for none. It alone decides visibility."""
    scan_verdict: str = ""
    """`clean`, `infected` or `unscanned`."""
    classification: str = ""
    class_confidence: float = 0.0
    class_second: str = ""
    """The next best class: between the two a reviewer decides."""
    class_second_confidence: float = 0.0
    class_reasons: tuple[str, ...] = ()
    """Names of the features that speak most for the class against the second."""
    needs_review: bool = False
    pages: int = 0
    chunks: int = 0
    withheld: int = 0
    account: dict[str, Any] | None = None
    """The numbers of the document's account (see data_plane.document.Account)."""
    notes: tuple[str, ...] = ()
    embedding: str = ""
    """Name of the embedder and model that made its vectors."""
    finished_at: datetime | None = None
    rebuild: UUID | None = None
    """The rebuild of the index that it was last sent through."""
    last_event_id: UUID | None = None
    """The newest event of the document's chain."""
    last_output: str = ""
    """That event's output_hash: the next event's input_hash."""


class BatchRow(Row, frozen=True, kw_only=True):
    """One upload."""

    batch_id: UUID
    subject: str
    """Who sent it: the token's subject."""
    created_at: datetime
    idempotency_key: str = ""
    key_object: str = ""
    """Where the key is that seals the names of its rejected files; '' if none was rejected."""
    fingerprint: str = ""
    """Keyed hash of its manifest in hex, '' without one: the same idempotency key must come with the same manifest."""
    closed_at: datetime | None = None
    """When its last file was in. Until then it cannot be complete, and the same idempotency key continues it."""
    completed_at: datetime | None = None
    """When its last document reached a terminal state."""


class Outcome(StrEnum):
    """What became of a file at the door."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class ReceiptRow(Row, frozen=True, kw_only=True):
    """The answer to one file of a batch."""

    receipt_id: UUID
    batch_id: UUID
    position: int
    """0-based place in the batch."""
    outcome: Outcome
    size: int
    mime: str
    created_at: datetime
    doc_id: UUID | None = None
    incarnation: int = 0
    file_id: str = ""
    """The sender's own id for the file, from the manifest."""
    sealed_name: bytes = b""
    """Under the document's key where accepted, under the batch's where rejected."""
    code: str = ""
    message: str = ""
    remedy: str = ""


class JobRow(Row, frozen=True, kw_only=True):
    """One piece of work for one document; at most one is open per document."""

    job_id: UUID
    doc_id: UUID
    incarnation: int
    stage: Stage
    attempt: int = 0
    """Counted when the lease is taken, before the work."""
    fence: int = 0
    """Raised by each lease; a commit with an older one is refused."""
    not_before: datetime
    leased_until: datetime | None = None
    worker: str = ""
    dead: bool = False
    """Out of attempts; kept for an operator."""


class JobTally(Row, frozen=True, kw_only=True):
    """Jobs of one stage, for operators."""

    stage: Stage
    dead: bool
    count: int
    overdue: int
    """Of these: leased, and the lease has run out: whoever held it died or hangs."""
    oldest: UUID
    """The id of the oldest; a job's id tells when it was made."""


class DocumentTally(Row, frozen=True, kw_only=True):
    """Documents in one state, for operators."""

    state: State
    code: str
    unscanned: bool
    count: int


class ChunkRow(Row, frozen=True, kw_only=True):
    """Where a chunk is: its text lies in the object, at this range of the plain bytes."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    page: int
    start: int
    end: int
    ordinal: int
    """Place in the document, 0-based."""
    object_offset: int
    object_length: int
    withheld: bool = False
    injection_score: float = 0.0
    pii: tuple[str, ...] = ()
    config_version: int = 0
    kept: bool = False
    """A reviewer decided that it stays withheld: it waits for nobody."""


class ConfigRow(Row, frozen=True, kw_only=True):
    """One version of the tenant's configuration."""

    version: int
    values: dict[str, Any]
    created_at: datetime
    actor: str


class RebuildRow(Row, frozen=True, kw_only=True):
    """A rebuild of the index: every document once more through the stages, while the old passages answer."""

    rebuild_id: UUID
    started_at: datetime
    actor: str
    collection: str = ""
    """The vector collection that it fills, to be switched to as a whole; '' if documents are replaced one by one."""
    finished_at: datetime | None = None
    """When its last document was through and, where there is a collection, when that was switched to."""


class RebuildCounts(Row, frozen=True, kw_only=True):
    """How far a rebuild is, in documents."""

    pending: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    recent: int = 0
    """Ended since the moment that was asked for."""


class EventRow(Row, frozen=True, kw_only=True):
    """An audit event as it is stored; its canonical bytes are what is hashed (see kernel.audit.events)."""

    event_id: UUID
    tenant_id: str
    type: str
    timestamp: datetime
    actor: str
    resource_type: str
    resource_id: str
    details: dict[str, Any]
    previous_event_id: UUID | None = None


class SequencedEvent(Row, frozen=True, kw_only=True):
    """An event with its place in the log."""

    sequence: int
    """0-based, contiguous: the leaf's index."""
    event: EventRow


class CheckpointRow(Row, frozen=True, kw_only=True):
    """A signed state of the log."""

    size: int
    root: bytes
    note: str
    """The signed note (C2SP tlog-checkpoint)."""
    created_at: datetime


class EndedLogRow(Row, frozen=True, kw_only=True):
    """A log that nothing is added to any more, because the plane was restored and began another one."""

    log: int
    """Its number: 0 for a plane's first log. The log that grows has the number after the last that ended."""
    origin: str
    public_key: str
    """Its verifier key. The private one is not on this plane."""
    size: int
    root: bytes
    note: str
    """The last checkpoint, over all of it."""
    ended_at: datetime


class CosignatureRow(Row, frozen=True, kw_only=True):
    """What a witness added to a checkpoint after it was signed; kept beside it and shown with it."""

    size: int
    """Of the checkpoint."""
    witness: str
    """The witness's name."""
    line: str
    """The signature line (C2SP tlog-cosignature), with its newline."""
    created_at: datetime


class PlaneStandingRow(Row, frozen=True, kw_only=True):
    """How the plane stands with its control plane: one row, which every process of the plane follows."""

    version: int = 0
    """Of the last directive that was acted on; 0 before the first."""
    state: PlaneState = PlaneState.ACTIVE
    keys: tuple[str, ...] = ()
    """The control plane's verifying keys as it last named them; () while those pinned at install count."""
    witness_key: str = ""
    """Verifier key of the ledger that may cosign checkpoints; '' for none."""
    config_version: int = 0
    """The control plane's number of the configuration that was last taken from it; 0 for none."""
    changed_at: datetime | None = None
    """When the state last changed."""
    needs_lease: bool = False
    """Whether jobs are begun only while a lease holds; fixed by the plane's mode."""
    upkeep: Upkeep = Upkeep.OPEN
    """What is taken while the plane is being updated. Its host decides that, never the control plane."""
    lease_from: datetime | None = None
    lease_until: datetime | None = None
    """By the store's clock. A lease holds from the one to the other, so that a clock that is set back ends it too."""


class ScannerRow(Row, frozen=True, kw_only=True):
    """What one scanner last said of its signatures. Whoever scans tells it, and the whole plane acts on it."""

    name: str
    """Of the process that asked it, on which host: each worker has a scanner beside it."""
    made_at: datetime | None
    """When its signatures were made; None where it does not say."""
    seen_at: datetime
    """When it last answered, by the store's clock."""


class RevocationRow(Row, frozen=True, kw_only=True):
    """A token that must no longer be accepted."""

    token_id: str
    revoked_at: datetime
    expires_at: datetime
    actor: str


class ApiKeyRow(Row, frozen=True, kw_only=True):
    """A machine's key, as far as it is kept: nothing here opens anything."""

    key_id: str
    name: str
    """What it is for; keys of one name are one subject, so that one can take over from another."""
    sha256: bytes
    """Of the key."""
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    """None: until it is revoked."""
    last_used_at: datetime | None = None
    """Up to a minute early."""
    revoked_at: datetime | None = None
    revoked_by: str = ""


class ErasureRow(Row, frozen=True, kw_only=True):
    """An erasure and what is left to do of it."""

    erasure_id: UUID
    doc_id: UUID
    incarnation: int
    """The incarnation that was erased."""
    requested_at: datetime
    actor: str
    reason: str
    key_destroyed_at: datetime | None = None
    vectors_gone_at: datetime | None = None
    event_id: UUID | None = None
    run_id: UUID | None = None
    """The retention run that erased it; None for what somebody asked for."""


class HoldRow(Row, frozen=True, kw_only=True):
    """A legal hold: what it covers is not erased until every hold on it is released. Nothing in it is free text."""

    hold_id: UUID
    matter: str
    """The reference under which the matter is kept elsewhere, as an audit event may carry it."""
    reason: str
    """A code such as `litigation`."""
    everything: bool
    """Whether it covers all that the plane has and takes in; then there are no `doc_ids`."""
    doc_ids: tuple[UUID, ...]
    placed_at: datetime
    placed_by: str
    released_at: datetime | None = None
    released_by: str = ""
    release_reason: str = ""


class RetentionRunRow(Row, frozen=True, kw_only=True):
    """One run that erases what was kept long enough. At most one has not ended."""

    run_id: UUID
    began_at: datetime
    cutoff: datetime
    """What came before this moment has been kept long enough."""
    retention_days: int
    config_version: int
    finished_at: datetime | None = None
    erased: int = 0
    """As it ended; before that the erasures are counted."""
    held: int = 0
    """Documents that were due when it ended, and under a legal hold."""
    remaining: int = 0
    """Documents that were due when it ended, left for the next run."""


class TrustedTimeRow(Row, frozen=True, kw_only=True):
    """What the plane believes of its clock, to erase nothing by a wrong one."""

    trusted_at: datetime
    """The last moment that the clock showed and that fitted what was known before."""
    doubt: str = ""
    """Why the clock is not believed now, as a code; '' while it is."""


class ExpiryTally(Row, frozen=True, kw_only=True):
    """Documents that came before some moment and are not erased, counted."""

    due: int
    """Those that no hold keeps."""
    held: int


class BackupRunRow(Row, frozen=True, kw_only=True):
    """A run of the backup, of all of the plane or of its keys alone."""

    run_id: UUID
    repository: UUID
    begun_at: datetime
    keys_read_at: datetime | None = None
    """What was destroyed before this is not in the mirror that the run made."""
    mirrored_at: datetime | None = None
    """When that mirror was in its place, and what was in the one before was gone."""
    snapshot: str = ""
    """Of the repository; '' where only keys were mirrored, and until it is whole."""
    ended_at: datetime | None = None
    verified_at: datetime | None = None
    """When a trial restore of the snapshot went well."""
    code: str = ""
    """Of what ended it otherwise."""


class HandoutRow(Row, frozen=True, kw_only=True):
    """An export that left the plane: the destruction receipt lists those that held the document."""

    export_id: UUID
    created_at: datetime
    actor: str
    kind: str
    """`chunks`, `audit` or `plane`."""
    doc_ids: tuple[UUID, ...]


class HandoutTally(Row, frozen=True, kw_only=True):
    """An export that left the plane, counted."""

    export_id: UUID
    created_at: datetime
    actor: str
    documents: int
    erased: int
    """Of these, since it was made: a copy that is still at hand has to go."""
