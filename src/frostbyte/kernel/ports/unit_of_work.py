"""One transaction over everything the relational store holds.

    with plane.unit_of_work() as uow:
        row = uow.documents.get(doc_id)
        uow.documents.put(replace(row, state=State.FAILED))
        uow.audit.append(event)
        uow.commit()

Leaving the block without `commit()` undoes everything. Receipt, audit event and next job are committed together
(promises 3 and 8). All methods raise `Unavailable("database_unavailable")` when the store cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.ports.accounts import Accounts
from frostbyte.kernel.ports.backups import Backups
from frostbyte.kernel.ports.keeping import Erasures, Holds, Retention
from frostbyte.kernel.ports.listing import Listing
from frostbyte.kernel.ports.rebuilds import Rebuilds
from frostbyte.kernel.ports.scanner import Scanners
from frostbyte.kernel.ports.webhooks import Webhooks
from frostbyte.kernel.records import (
    ApiKeyRow,
    BatchRow,
    CheckpointRow,
    ChunkRow,
    ConfigRow,
    CosignatureRow,
    DocumentRow,
    DocumentTally,
    EndedLogRow,
    EventRow,
    JobRow,
    JobTally,
    PlaneStandingRow,
    ReceiptRow,
    RevocationRow,
    SequencedEvent,
    Stage,
    State,
    Upkeep,
)


class Documents(Protocol):
    """The tenant's documents."""

    def get(self, doc_id: UUID, *, lock: bool = False) -> DocumentRow | None:
        """The document or None; `lock` holds its row until the transaction ends."""
        ...

    def get_many(self, doc_ids: Sequence[UUID]) -> dict[UUID, DocumentRow]:
        """Those that exist."""
        ...

    def put(self, row: DocumentRow) -> None:
        """Insert or replace.

        Raises Conflict("document_held") where it would become erased while a hold covers it, unless the erasure's key
        is destroyed already: what was erased elsewhere can only be written down.
        """
        ...

    def page(
        self,
        *,
        state: State | None = None,
        needs_review: bool | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[DocumentRow]:
        """A page of documents ordered by doc_id, those after `after`."""
        ...

    def stored_bytes(self) -> int:
        """Sum of the sizes of all documents that are not erased (for the quota)."""
        ...

    def tally(self) -> list[DocumentTally]:
        """All documents, counted by state, code and whether nothing scanned them."""
        ...


class Batches(Protocol):
    """Uploads and the receipts of their files."""

    def get(self, batch_id: UUID) -> BatchRow | None: ...
    def by_idempotency_key(self, subject: str, key: str) -> BatchRow | None: ...
    def put(self, row: BatchRow) -> None: ...
    def add_receipt(self, row: ReceiptRow) -> None: ...
    def receipt(self, receipt_id: UUID) -> ReceiptRow | None: ...
    def receipts(self, batch_id: UUID) -> list[ReceiptRow]:
        """Ordered by position."""
        ...

    def under_way(self, batch_id: UUID) -> bool:
        """Whether a document that the batch holds a receipt for is in no terminal state."""
        ...

    def open_of_document(self, doc_id: UUID) -> list[BatchRow]:
        """Batches without completed_at that hold a receipt for the document."""
        ...

    def sent_by(self, subject: str, doc_id: UUID) -> bool:
        """Whether the subject has a receipt for the document."""
        ...


class Jobs(Protocol):
    """The outbox of work, with leases. The store's clock decides; `now` is passed for tests and stand-ins.

    `lease`, `claim` and `due` give nothing out unless the plane's standing allows it (see Standing): once a change of
    it is committed, nothing is begun that it forbids.
    """

    def put(self, job: JobRow) -> None:
        """Insert the job, replacing an open one of the same document."""
        ...

    def lease(self, worker: str, now: datetime, seconds: float, stages: Sequence[Stage]) -> JobRow | None:
        """Take the most urgent free job (due, not dead, not leased or lease run out), counting attempt and fence.

        Two callers at once never get the same job. None if there is nothing to do.
        """
        ...

    def claim(self, job_id: UUID, worker: str, now: datetime, seconds: float) -> JobRow | None:
        """Take this job as `lease` takes one, if it is free."""
        ...

    def due(self, stage: Stage, now: datetime, *, waited: float = 0.0, limit: int = 1000) -> list[JobRow]:
        """Free jobs of a stage that could have been begun `waited` seconds ago, most urgent first."""
        ...

    def renew(self, job: JobRow, now: datetime, seconds: float) -> bool:
        """Extend the lease if `job.fence` still holds; False if it was lost."""
        ...

    def get(self, doc_id: UUID) -> JobRow | None:
        """The document's job, open or dead."""
        ...

    def find(self, job_id: UUID) -> JobRow | None:
        """The job of this id."""
        ...

    def page(
        self, *, dead: bool | None = None, stage: Stage | None = None, after: UUID | None = None, limit: int = 100
    ) -> list[JobRow]:
        """A page of jobs ordered by job_id, which is by age; those after `after`."""
        ...

    def hurry(self, job_id: UUID, now: datetime) -> bool:
        """Let a job that is put off be due now. False if it is dead, leased, or due already."""
        ...

    def finish(self, job: JobRow) -> bool:
        """Remove the job if `job.fence` still holds; False (and nothing changed) if it was lost."""
        ...

    def cancel(self, doc_id: UUID) -> None:
        """Remove whatever job the document has."""
        ...

    def postpone(self, job: JobRow, until: datetime, *, dead: bool = False, refund: bool = False) -> bool:
        """Give the lease back until a moment; `refund` uncounts the attempt. False if the fence was lost."""
        ...

    def leased(self, now: datetime) -> int:
        """Jobs that somebody is at: their leases hold."""
        ...

    def counts(self) -> dict[str, int]:
        """Open jobs by stage, plus `dead`."""
        ...

    def tally(self, now: datetime) -> list[JobTally]:
        """All jobs, counted by stage and by whether they are dead."""
        ...


class AuditLog(Protocol):
    """Append-only events, and the sequencer's tables.

    A plane that was restored has several logs, numbered from 0; events are in one of them. What is asked for is that
    of the log that grows, unless it comes from `of`.
    """

    def of(self, log: int) -> AuditLog:
        """The log of this number."""
        ...

    def ended(self) -> list[EndedLogRow]:
        """The logs before the one that grows, oldest first; none but on a plane that was restored."""
        ...

    def end(self, row: EndedLogRow) -> None:
        """End the log that grows, and with it begin the next; nothing is added to it from then on."""
        ...

    def log_of(self, event_id: UUID) -> int | None:
        """Number of the log that holds the event, or None while it is not sequenced."""
        ...

    def append(self, event: EventRow) -> None: ...
    def append_many(self, events: Sequence[EventRow]) -> None: ...
    def event(self, event_id: UUID) -> EventRow | None: ...
    def sequence_of(self, event_id: UUID) -> int | None:
        """Its leaf index, or None while it is not sequenced, or where another log holds it."""
        ...

    def events(
        self,
        *,
        resource_id: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_sequence: int = -1,
        before_sequence: int | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[SequencedEvent]:
        """Sequenced events in order, or in the opposite one; those between the two numbers, without them."""
        ...

    def newest(
        self, tenant_id: str, *, since: datetime | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[EventRow]:
        """The newest events of a tenant, numbered or not, newest first: from `since` on, and before `before`."""
        ...

    def lines(self, *, after_sequence: int, until: int, limit: int) -> list[bytes]:
        """Events numbered above `after_sequence` and below `until`, each as `kernel.audit.export.line` writes it."""
        ...

    def lock_sequencer(self) -> bool:
        """Try to become the plane's only sequencer until the transaction ends."""
        ...

    def unsequenced(self, limit: int) -> list[EventRow]:
        """Events without a number, by event_id (anti-join, so that late commits are never skipped)."""
        ...

    def log_size(self) -> int: ...
    def extend(self, first: int, event_ids: Sequence[UUID], leaf_hashes: Sequence[bytes]) -> None:
        """Number the events from `first` on. Raises Conflict if `first` is not the log's size."""
        ...

    def leaf_hashes(self, start: int, end: int) -> list[bytes]: ...
    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Store hashes of complete subtrees: (level >= 1, index, hash)."""
        ...

    def nodes(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]: ...
    def add_checkpoint(self, row: CheckpointRow) -> None: ...
    def latest_checkpoint(self) -> CheckpointRow | None: ...
    def add_cosignature(self, row: CosignatureRow) -> None:
        """Keep it; the checkpoint's note has it from now on. One of the same witness and size stays as it is."""
        ...

    def checkpoint_covering(self, sequence: int) -> CheckpointRow | None:
        """The first checkpoint with size > sequence."""
        ...

    def checkpoints(self, *, after_size: int = -1, limit: int = 100) -> list[CheckpointRow]: ...


class Standing(Protocol):
    """How the plane stands with its control plane. The store's clock decides, as with jobs."""

    def get(self, *, lock: bool = False) -> PlaneStandingRow:
        """As it was last written; `lock` holds it until the transaction ends, and so every job that is to be begun."""
        ...

    def put(self, row: PlaneStandingRow) -> None:
        """Replace it, but for the lease and the upkeep."""
        ...

    def keep(self, upkeep: Upkeep) -> None:
        """Change what is taken. Waits for transactions that began a job or wrote into the log, and they for this.

        Once FROZEN is committed, no event, receipt or cosignature is added any more (`plane_updating`), by whomever.
        """
        ...

    def grant(self, now: datetime, seconds: float) -> None:
        """Let the lease run from now on for so long; 0 ends it."""
        ...

    def lease_left(self, now: datetime) -> float:
        """Seconds that the lease still holds; 0 without one."""
        ...


class Chunks(Protocol):
    """Where chunks are; never their text."""

    def put_generation(self, doc_id: UUID, generation: str, rows: Sequence[ChunkRow]) -> None:
        """Replace the rows of this document and generation."""
        ...

    def get(self, chunk_id: UUID) -> ChunkRow | None: ...
    def visible(self, chunk_ids: Sequence[UUID]) -> dict[UUID, tuple[ChunkRow, DocumentRow]]:
        """Those that are not withheld and belong to their document's active generation, each with its document: both
        as of one moment."""
        ...

    def of_document(self, doc_id: UUID, generation: str) -> list[ChunkRow]:
        """Ordered by ordinal."""
        ...

    def page(self, *, after: tuple[UUID, int] | None = None, limit: int = 500) -> list[ChunkRow]:
        """Visible chunks ordered by (doc_id, ordinal), for export."""
        ...

    def withheld(self, limit: int = 100, *, kept: bool = False) -> list[ChunkRow]:
        """Withheld chunks of active generations: the review queue, or with `kept` those that a reviewer left so."""
        ...

    def delete_document(self, doc_id: UUID, *, except_generation: str = "") -> None: ...


class Configs(Protocol):
    """Versions of the tenant's configuration."""

    def latest(self) -> ConfigRow | None: ...
    def get(self, version: int) -> ConfigRow | None: ...
    def add(self, row: ConfigRow) -> None:
        """Raises Conflict("config_version_exists") if the version is taken."""
        ...


class Access(Protocol):
    """Revoked tokens, and keys of machines."""

    def revoke(self, row: RevocationRow) -> bool:
        """Remember it; whether it was not revoked before."""
        ...

    def revoked(self, token_id: str) -> bool: ...
    def add_key(self, row: ApiKeyRow) -> None:
        """Raises Conflict("row_exists") if the id is taken."""
        ...

    def key(self, key_id: str) -> ApiKeyRow | None: ...
    def keys(self, *, after: str = "", limit: int = 100) -> list[ApiKeyRow]:
        """Ordered by id, those after an id, whether they are still good or not."""
        ...

    def note_use(self, key_id: str, at: datetime, *, before: datetime) -> None:
        """Remember a use, if the last one that is remembered was before a moment. Waits for nobody."""
        ...

    def revoke_key(self, key_id: str, at: datetime, actor: str) -> bool:
        """Revoke it for good; whether it was there and not revoked before."""
        ...


class AuditUnitOfWork(Protocol):
    """One transaction as the log sees it: all that numbering, signing and exporting need, of a plane or of whatever
    else keeps an audit."""

    @property
    def audit(self) -> AuditLog: ...

    def commit(self) -> None:
        """Make everything durable; the block may be left without further work only."""
        ...


class AccessUnitOfWork(AuditUnitOfWork, Protocol):
    """One transaction as whoever lets callers in sees it: of a plane, or of the control plane."""

    @property
    def access(self) -> Access: ...
    @property
    def accounts(self) -> Accounts: ...


class UnitOfWork(AccessUnitOfWork, Protocol):
    """One transaction of a plane."""

    def record(self, event: EventRow) -> None:
        """Append the event and commit. Where nothing was done before, that is one exchange with the database, not
        three; raises as both do."""
        ...

    @property
    def documents(self) -> Documents: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def listing(self) -> Listing: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def chunks(self) -> Chunks: ...
    @property
    def configs(self) -> Configs: ...
    @property
    def erasures(self) -> Erasures: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def rebuilds(self) -> Rebuilds: ...
    @property
    def standing(self) -> Standing: ...
    @property
    def scanners(self) -> Scanners: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def webhooks(self) -> Webhooks: ...

    def lock_content(self, doc_id: UUID) -> None:
        """Wait for and hold the advisory lock of this content until the transaction ends.

        Intake (object check to commit), stage commits, erasure and the orphan sweep all take it first.
        """
        ...


AuditUnitOfWorkFactory = Callable[[], AbstractContextManager[AuditUnitOfWork]]


def frozen() -> Unavailable:
    """The error for what would have to be written down while the plane is frozen, and what its callers are told."""
    return Unavailable(
        "plane_updating",
        "This plane is being updated: it takes nothing new now, and nothing that it took is lost.",
        "Try again in a few minutes.",
    )


def only_reading() -> FrostbyteError:
    """The error for a change in a unit of work that was begun for reading."""
    return FrostbyteError(
        "unit_of_work_reading", "This unit of work was begun for reading alone.", "Begin one that may write."
    )


class UnitOfWorkFactory(Protocol):
    """Begins transactions."""

    def __call__(self, *, reading: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A transaction.

        Args:
            reading: nothing will be written, locked or committed (`unit_of_work_reading` if it is tried), and each
                look-up sees what is committed then. That needs no transaction, whose begin and end would wait for the
                database once more each.
        """
        ...


class AccessUnitOfWorkFactory(Protocol):
    """Begins transactions of whoever lets callers in."""

    def __call__(self, *, reading: bool = False) -> AbstractContextManager[AccessUnitOfWork]:
        """A transaction; see UnitOfWorkFactory."""
        ...
