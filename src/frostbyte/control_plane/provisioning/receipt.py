"""The receipt of a tenant's destruction: what it says, and how anybody checks it without us. Pure.

It is a signed note (C2SP signed-note, Ed25519): a line that names the format, a line of canonical JSON, an empty line,
and a signature by the key that signs the control plane's own audit log. It is written once and never changed. As long
as somebody offline could still open the tenant's secrets it is pending; a second signed note says that this is over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.kernel.audit.checkpoint import PublicKey, Signer, open_note
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import iso
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.records import Row


class ReceiptKind(StrEnum):
    """Which of the two notes; the value is the first line of its text."""

    DESTRUCTION = "frostbyte/destruction-receipt/1"
    RECOVERY = "frostbyte/recovery-destroyed/1"


class ReceiptState(StrEnum):
    """What a receipt is worth now."""

    PENDING = "pending"
    """The tenant's recovery identity may still exist offline."""
    FINAL = "final"


class Part(StrEnum):
    """What of a tenant was destroyed, beside resources of the cloud."""

    STORES = "stores"
    KEYS = "keys"
    CERTIFICATES = "certificates"
    RECOVERY = "recovery"
    """Not destroyed yet, but known: the recovery identity that the operator has to destroy."""


class ReceiptRow(Row, frozen=True, kw_only=True):
    """One note, as it is kept: only ever added."""

    receipt_id: UUID
    tenant_id: str
    operation_id: UUID
    """The one that destroyed the tenant; it has at most one note of each kind."""
    kind: ReceiptKind
    note: str
    sha256: str
    """Of the note, hexadecimal; the audit has the same."""
    actor: str
    issued_at: datetime


class DestroyedRow(Row, frozen=True, kw_only=True):
    """Something that was destroyed, noted when it was: only ever added."""

    destroyed_id: UUID
    tenant_id: str
    operation_id: UUID
    part: Part
    what: tuple[str, ...]
    at: datetime


class ReceiptStore(Protocol):
    """Part of one transaction (`ProvisioningUnitOfWork.receipts`). Nothing of it is ever changed or removed."""

    def note(self, row: DestroyedRow) -> None: ...
    def noted(self, operation_id: UUID) -> list[DestroyedRow]:
        """In the order in which they were noted."""

    def add(self, row: ReceiptRow) -> None:
        """Raises Conflict: `row_exists` where the operation has one of the kind; `registry_refused` without its audit
        event in this transaction."""

    def of(self, tenant_id: str) -> list[ReceiptRow]:
        """Of a tenant, oldest first."""


@dataclass(frozen=True, kw_only=True)
class LogEnd:
    """How far a tenant's audit log was verified in the end.

    Attributes:
        checkpoint: the plane's last one, with the ledger's cosignature; '' for a log that was never heard.
        sources_read: how often an original document was handed out.
        last_source_at: ISO 8601; '' for never.
    """

    log_key: str
    size: int
    root: str
    checkpoint: str
    sources_read: int = 0
    last_source_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Destruction:
    """Everything that a receipt is made of."""

    receipt_id: UUID
    environment: str
    project_id: str
    tenant_id: str
    operation_id: UUID
    began_at: datetime
    issued_at: datetime
    entries: Sequence[EntryRow]
    destroyed: Sequence[DestroyedRow]
    logs: Sequence[LogEnd]


def content(given: Destruction) -> dict[str, Any]:
    """What the receipt says."""
    paid = [entry for entry in given.entries if entry.kind and entry.resource_id]
    removed = [_resource(entry) for entry in paid if entry.state is EntryState.GONE]
    kept = [_resource(entry) for entry in paid if entry.state is not EntryState.GONE]
    recovery = sorted({name for row in given.destroyed if row.part is Part.RECOVERY for name in row.what})
    return {
        "receipt_id": str(given.receipt_id),
        "environment": given.environment,
        "project_id": given.project_id,
        "tenant_id": given.tenant_id,
        "operation_id": str(given.operation_id),
        "began_at": iso(given.began_at),
        "issued_at": iso(given.issued_at),
        "data": "kept" if any(item["kind"] == Kind.VOLUME for item in kept) else "destroyed",
        "resources": removed,
        "kept": kept,
        **{
            part.value: [
                {"what": what, "at": iso(row.at)} for row in given.destroyed if row.part is part for what in row.what
            ]
            for part in (Part.STORES, Part.KEYS, Part.CERTIFICATES)
        },
        "logs": [
            {"log_key": log.log_key, "size": log.size, "root": log.root, "checkpoint": log.checkpoint}
            for log in given.logs
        ],
        "handed_out": {
            "sources": sum(log.sources_read for log in given.logs),
            "last_at": max((log.last_source_at for log in given.logs), default=""),
        },
        "recovery": recovery,
    }


def _resource(entry: EntryRow) -> dict[str, str]:
    return {"kind": entry.kind, "name": entry.name, "id": entry.resource_id, "at": iso(entry.changed_at)}


def written(kind: ReceiptKind, said: Mapping[str, Any], signer: Signer) -> str:
    """The signed note of what is said."""
    return signer.note(f"{kind.value}\n{canonical(dict(said)).decode()}\n")


def read(note: str, *keys: PublicKey) -> tuple[ReceiptKind, dict[str, Any]]:
    """What a note says, if one of the keys signed it.

    Raises:
        Invalid: `checkpoint_malformed`, `note_signature_wrong`, `receipt_malformed`.
    """
    kind, _, rest = _opened(note, keys).partition("\n")
    try:
        said = json.loads(rest)
        if canonical(said) + b"\n" != rest.encode():
            raise ValueError
        return ReceiptKind(kind), said
    except ValueError:
        raise Invalid(
            "receipt_malformed", "This is signed, but it is no receipt of a destruction.", "Name a receipt's file."
        ) from None


def _opened(note: str, keys: Sequence[PublicKey]) -> str:
    for key in keys[:-1]:
        try:
            return open_note(note, key)
        except Invalid as error:
            if error.code != "note_signature_wrong":
                raise
    return open_note(note, keys[-1])


def digest(note: str) -> str:
    """SHA-256 of a note, hexadecimal: by it the audit and the second note name the first one."""
    return hashlib.sha256(note.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in a receipt's notes.

    Attributes:
        said: of the receipt.
        confirmed: of the second note; None without one.
    """

    state: ReceiptState
    said: Mapping[str, Any]
    confirmed: Mapping[str, Any] | None


def check(notes: Sequence[str], *keys: PublicKey) -> Checked:
    """Check a receipt and the note that ends its pending, if there is one.

    Args:
        keys: of the control plane; several where it was restored, and signs with another one since.

    Raises:
        Invalid: as `read`; `receipt_malformed` where the notes do not belong together.
    """
    found = [(note, *read(note, *keys)) for note in notes]
    receipts = [(note, said) for note, kind, said in found if kind is ReceiptKind.DESTRUCTION]
    others = [said for _, kind, said in found if kind is ReceiptKind.RECOVERY]
    if (
        len(receipts) != 1
        or len(others) > 1
        or any(said["receipt_sha256"] != digest(receipts[0][0]) for said in others)
    ):
        raise Invalid(
            "receipt_malformed",
            "These notes are not one receipt and what confirms it.",
            "Give the file as `frostbyte tenant receipt --out` wrote it.",
        )
    said, confirmed = receipts[0][1], others[0] if others else None
    final = not said["recovery"] or confirmed is not None
    return Checked(state=ReceiptState.FINAL if final else ReceiptState.PENDING, said=said, confirmed=confirmed)
