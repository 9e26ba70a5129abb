"""What intake answers for a file and for a batch."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.document import FORMATS
from frostbyte.data_plane.intake.sniff import Refusal
from frostbyte.kernel.errors import Conflict, FrostbyteError, Kind
from frostbyte.kernel.records import DocumentRow, Outcome, ReceiptRow, State

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB


class FileOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one file."""

    receipt_id: UUID
    filename: str
    """Cleaned, to be shown to the sender alone."""
    outcome: Outcome
    size: int
    mime: str = ""
    doc_id: UUID | None = None
    file_id: str = ""
    state: State | None = None
    """Where the document stands; only for duplicates of the sender's own."""
    code: str = ""
    message: str = ""
    remedy: str = ""
    kind: Kind = Kind.INVALID
    """For a rejection: UNAVAILABLE if nothing is wrong with the file and it may be sent again as it is."""


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an upload, in the order of its files."""

    batch_id: UUID
    files: tuple[FileOutcome, ...]
    replayed: bool = False
    """Whether this is the stored answer to an upload that was made before."""

    @property
    def accepted(self) -> tuple[FileOutcome, ...]:
        """Files that were taken, duplicates included."""
        return tuple(file for file in self.files if file.outcome is not Outcome.REJECTED)

    @property
    def rejected(self) -> tuple[FileOutcome, ...]:
        """Files that were not taken."""
        return tuple(file for file in self.files if file.outcome is Outcome.REJECTED)


def receipt_id(batch_id: UUID, position: int) -> UUID:
    """The id of the receipt at a place of a batch: a UUIDv7 with the batch's time.

    It follows from the batch, so that an upload which is continued after a break finds the receipts it has.
    """
    digest = hashlib.sha256(batch_id.bytes + position.to_bytes(8, "big")).digest()
    raw = bytearray(batch_id.bytes[:6] + digest[:10])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(raw))


def outcome_of(receipt: ReceiptRow, filename: str, row: DocumentRow | None) -> FileOutcome:
    """The answer that a stored receipt stands for."""
    return FileOutcome(
        receipt_id=receipt.receipt_id,
        filename=filename,
        outcome=receipt.outcome,
        size=receipt.size,
        mime=receipt.mime,
        doc_id=receipt.doc_id,
        file_id=receipt.file_id,
        state=row.state if row is not None and receipt.outcome is Outcome.DUPLICATE else None,
        code=receipt.code,
        message=receipt.message,
        remedy=receipt.remedy,
        kind=Kind.UNAVAILABLE if receipt.code in TEMPORARY else Kind.INVALID,
    )


TEMPORARY: Final = frozenset({"disk_full", "objects_unavailable"})
"""Codes of rejections that are not the file's fault."""

BATCH_TOO_LARGE: Final = Refusal(
    "batch_too_large",
    "The upload has more files than this plane takes at once.",
    "Send the remaining files in further uploads, or have max_batch_size raised.",
)
QUOTA_REACHED: Final = Refusal(
    "quota_reached",
    "The tenant's storage quota leaves no room for this file.",
    "Remove documents that are no longer needed, or have storage_quota_gb raised.",
)


def too_large(limit_mb: int) -> Refusal:
    """The file is longer than `limit_mb` MiB."""
    return Refusal(
        "file_too_large",
        f"The file is larger than {limit_mb} MB.",
        "Split the file, or have max_file_size_mb raised.",
    )


def not_allowed(allowlist: tuple[str, ...]) -> Refusal:
    """The tenant's configuration leaves this type out."""
    names = ", ".join(sorted(FORMATS[mime] for mime in allowlist))
    return Refusal(
        "type_not_allowed",
        "Files of this type are not accepted by this tenant's configuration.",
        f"Accepted are {names}. Convert the file, or have mime_allowlist changed.",
    )


def outage(error: FrostbyteError) -> Refusal:
    """The store could not take the file."""
    return Refusal(error.code, error.message, f"{error.remedy} Use a new Idempotency-Key.")


def closed() -> Conflict:
    """The error for a file that comes after its upload was complete."""
    return Conflict("batch_closed", "This upload is complete.", "Read its result, or begin a new upload.")


def missing() -> Conflict:
    """The error for an upload that nobody knows."""
    return Conflict("batch_missing", "The upload is not known any more.", "Begin a new upload.")
