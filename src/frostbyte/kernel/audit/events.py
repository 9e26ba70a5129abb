"""Audit events: what they are, what they may say, and the bytes that are hashed.

An event says that something happened to something, never what was in it (promise 10). That is not left to care:
`make_event` knows every detail key and the pattern of its value, and refuses all else.

A document's events form a chain: each names the one before and begins with the commitment the one before ended with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.kernel.audit.merkle import leaf_hash
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import DocumentRow, EventRow


class EventType(StrEnum):
    """Everything that is audited. The first part is what a data plane writes, the second what happens to tenants."""

    BATCH_RECEIVED = "BATCH_RECEIVED"
    BATCH_COMPLETED = "BATCH_COMPLETED"
    DOCUMENT_INGESTED = "DOCUMENT_INGESTED"
    DOCUMENT_REJECTED = "DOCUMENT_REJECTED"
    DOCUMENT_SCANNED = "DOCUMENT_SCANNED"
    DOCUMENT_QUARANTINED = "DOCUMENT_QUARANTINED"
    DOCUMENT_PARSED = "DOCUMENT_PARSED"
    DOCUMENT_PARSE_FAILED = "DOCUMENT_PARSE_FAILED"
    PARSE_FAILED = "DOCUMENT_PARSE_FAILED"
    """The same type by its short name."""
    DOCUMENT_EMBEDDED = "DOCUMENT_EMBEDDED"
    DOCUMENT_ERASED = "DOCUMENT_ERASED"
    CONTENT_DROPPED = "CONTENT_DROPPED"
    CONTENT_WITHHELD = "CONTENT_WITHHELD"
    CONTENT_RELEASED = "CONTENT_RELEASED"
    PII_DETECTED = "PII_DETECTED"
    POLICY_GATE_PASSED = "POLICY_GATE_PASSED"
    POLICY_GATE_FAILED = "POLICY_GATE_FAILED"
    INDEX_WRITTEN = "INDEX_WRITTEN"
    EMBEDDING_FAILED = "EMBEDDING_FAILED"
    RETRIEVAL_EXECUTED = "RETRIEVAL_EXECUTED"
    SOURCE_READ = "SOURCE_READ"
    JOB_HURRIED = "JOB_HURRIED"
    JOB_DISCARDED = "JOB_DISCARDED"
    KEY_ROTATED = "KEY_ROTATED"
    KEY_RETIRED = "KEY_RETIRED"
    TOKEN_MINTED = "TOKEN_MINTED"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105 - the name of an event
    API_KEY_CREATED = "API_KEY_CREATED"
    API_KEY_REVOKED = "API_KEY_REVOKED"
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_REFUSED = "SIGN_IN_REFUSED"
    SIGNED_OUT = "SIGNED_OUT"
    ACCOUNT_CREATED = "ACCOUNT_CREATED"
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"
    ACCOUNT_SET_UP = "ACCOUNT_SET_UP"
    ACCOUNT_LINKED = "ACCOUNT_LINKED"
    ACCOUNT_RECOVERED = "ACCOUNT_RECOVERED"
    EXPORT_BEGUN = "EXPORT_BEGUN"
    EXPORT_ENDED = "EXPORT_ENDED"
    PLANE_RESTORED = "PLANE_RESTORED"
    BACKUP_TAKEN = "BACKUP_TAKEN"
    HOLD_PLACED = "HOLD_PLACED"
    HOLD_RELEASED = "HOLD_RELEASED"
    RETENTION_RUN = "RETENTION_RUN"
    CLOCK_DOUBTED = "CLOCK_DOUBTED"
    CLOCK_CONFIRMED = "CLOCK_CONFIRMED"
    WEBHOOK_ADDED = "WEBHOOK_ADDED"
    WEBHOOK_REMOVED = "WEBHOOK_REMOVED"
    WEBHOOK_ROTATED = "WEBHOOK_ROTATED"
    WEBHOOK_DELIVERED = "WEBHOOK_DELIVERED"
    WEBHOOK_FAILED = "WEBHOOK_FAILED"

    PROJECT_CREATED = "PROJECT_CREATED"
    TENANT_CREATED = "TENANT_CREATED"
    TENANT_PROVISION_STARTED = "TENANT_PROVISION_STARTED"
    TENANT_PROVISIONED = "TENANT_PROVISIONED"
    TENANT_PROVISION_FAILED = "TENANT_PROVISION_FAILED"
    TENANT_PROVISION_RETRY = "TENANT_PROVISION_RETRY"
    TENANT_CONFIG_UPDATED = "TENANT_CONFIG_UPDATED"
    TENANT_ENDPOINTS_SET = "TENANT_ENDPOINTS_SET"
    TENANT_SUSPENDED = "TENANT_SUSPENDED"
    TENANT_RESUMED = "TENANT_RESUMED"
    TENANT_SCALED = "TENANT_SCALED"
    TENANT_UPDATED = "TENANT_UPDATED"
    TENANT_REPAIRED = "TENANT_REPAIRED"
    TENANT_BACKED_UP = "TENANT_BACKED_UP"
    TENANT_RESTORED = "TENANT_RESTORED"
    TENANT_REFRESHED = "TENANT_REFRESHED"
    TENANT_DEPROVISION_STARTED = "TENANT_DEPROVISION_STARTED"
    TENANT_DEPROVISIONED = "TENANT_DEPROVISIONED"
    TENANT_DEPROVISION_FAILED = "TENANT_DEPROVISION_FAILED"
    TENANT_ABANDONED = "TENANT_ABANDONED"
    TENANT_RECEIPT_ISSUED = "TENANT_RECEIPT_ISSUED"
    TENANT_RECOVERY_DESTROYED = "TENANT_RECOVERY_DESTROYED"

    RUN_BEGUN = "RUN_BEGUN"
    RUN_TURNED_BACK = "RUN_TURNED_BACK"
    RUN_ENDED = "RUN_ENDED"
    RESOURCE_CREATED = "RESOURCE_CREATED"
    RESOURCE_ADOPTED = "RESOURCE_ADOPTED"
    RESOURCE_CHANGED = "RESOURCE_CHANGED"
    RESOURCE_KEPT = "RESOURCE_KEPT"
    RESOURCE_REMOVED = "RESOURCE_REMOVED"
    VOLUME_OPENED = "VOLUME_OPENED"
    ORPHAN_CONFIRMED = "ORPHAN_CONFIRMED"

    SUPPORT_COLLECTED = "SUPPORT_COLLECTED"

    LEDGER_FINDING = "LEDGER_FINDING"
    LEDGER_ACKNOWLEDGED = "LEDGER_ACKNOWLEDGED"
    LEDGER_IMPORTED = "LEDGER_IMPORTED"


Check = Callable[[object], bool]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""

MAX_LIST: Final = 1000


def _text(pattern: str) -> Check:
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def _integer(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and len(value) <= MAX_LIST and all(map(check, value))


_CODE = _text(r"[a-z][a-z0-9_.]{0,63}")
_WORD = _text(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LABEL = _text(r"[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,399}")  # the parser names every library that it reads with
_ENGINE = _text(r"[A-Za-z0-9-]{1,40}|(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,159}")
_HASH = _text(r"[0-9a-f]{64}")
_UUID = _text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GENERATION = _text(r"[0-9a-f]{16}")
_MIME = _text(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,80}")
_NAME = _text(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_MATTER = _text(r"(?=[^0-9]*[0-9])[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_CLOUD_ID = _text(r"[A-Za-z0-9*][A-Za-z0-9*._:/-]{0,127}")
_ACTOR = _text(r"[A-Za-z0-9][A-Za-z0-9._:@/+|-]{0,159}")

# fmt: off
_INTEGERS: Final = (
    "accepted", "attempt", "attempts", "bytes", "cells", "characters", "chars", "checkpoint_size", "chunks",
    "confidence_milli", "config_version", "count", "counted", "dimensions", "documents", "dropped",
    "duplicates", "duration_ms", "end", "erased", "failed", "files", "found", "from_version", "generations",
    "held", "images", "incarnation", "indexed", "key_version", "limit", "new_version", "old_size", "old_version",
    "page", "pages", "position", "quarantined", "received", "redacted", "rejected", "released", "remaining", "results",
    "retention_days", "score_milli", "sequence", "size", "start", "to_version", "top_k", "total", "unread",
    "version", "waiting", "withheld",
)
_CODES: Final = (
    "action", "artefact", "classification", "code", "component", "direction", "from_state", "kind", "mode", "operation",
    "outcome", "previous", "reason", "role", "stage", "state", "status", "step", "to_state", "trigger",
    "verdict",
)
_UUIDS: Final = (
    "batch_id", "chunk_id", "config_id", "delivery_id", "doc_id", "erasure_id", "event_id", "export_id", "hold_id",
    "job_id", "operation_id", "provision_id", "query_id", "receipt_id", "request_id", "run_id", "webhook_id",
)
# fmt: on

DETAILS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_CODES, _CODE),
    **dict.fromkeys(_UUIDS, _UUID),
    **dict.fromkeys(("input_hash", "output_hash", "old_root", "root", "spec_hash", "manifest_hash", "old_key"), _HASH),
    **dict.fromkeys(("model", "pipeline_version", "parser", "policy", "embedding", "signature"), _LABEL),
    **dict.fromkeys(("generation", "old_generation"), _GENERATION),
    **dict.fromkeys(("chunk_ids", "doc_ids"), _list_of(_UUID)),
    **dict.fromkeys(("changed", "codes", "scopes", "filters"), _list_of(_CODE)),
    **dict.fromkeys(("needs_review", "remote", "stand_in", "ocr"), _flag),
    **dict.fromkeys(("origin", "old_origin", "token_id", "key_id", "format", "host"), _NAME),
    "cloud_id": _CLOUD_ID,
    "matter": _MATTER,
    "engine": _ENGINE,
    "subject": _ACTOR,
    "pii_type": _WORD,
    "mime": _MIME,
}
"""Every detail an event may carry and what its value must look like. Adding one is a decision about promise 10."""


def make_event(
    tenant_id: str,
    type: EventType,
    clock: Clock,
    actor: str,
    resource_type: str,
    resource_id: str,
    details: Mapping[str, Any],
    previous: UUID | None = None,
) -> EventRow:
    """A new event, timestamped now.

    Args:
        tenant_id: whose plane this is.
        type: what happened.
        clock: the server's clock.
        actor: a token's subject, or `plane` for what the plane does by itself.
        resource_type: what it happened to: document, batch, chunk, config ...
        resource_id: its id.
        details: only keys of `DETAILS`. Spaces in `engine` become underscores.
        previous: the event before it in the resource's chain.

    Raises:
        Invalid: `audit_event_refused`: a key or value that an event must not carry. The value is never in the message.
    """
    if not _CODE(resource_type):
        raise _refused("resource_type")
    if not _NAME(resource_id):
        raise _refused("resource_id")
    if not _ACTOR(actor):
        raise _refused("actor")
    return EventRow(
        event_id=new_id(),
        tenant_id=tenant_id,
        type=EventType(type).value,
        timestamp=clock.now(),
        actor=actor,
        resource_type=resource_type,
        resource_id=resource_id,
        details=checked_details(details),
        previous_event_id=previous,
    )


def checked_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as plain JSON values, all of them allowed.

    Raises:
        Invalid: `audit_event_refused`, naming the key.
    """
    result: dict[str, Any] = {}
    for key, given in details.items():
        value = str(given) if isinstance(given, UUID | StrEnum) else given
        if key == "engine" and isinstance(value, str):
            value = value.replace(" ", "_")  # scanners print their version with a date
        check = DETAILS.get(key)
        if check is None or not check(value):
            raise _refused(key if check is not None else "an unknown key")
        result[key] = list(value) if isinstance(value, tuple) else value
    return result


def _refused(key: str) -> Invalid:
    return Invalid(
        "audit_event_refused",
        f"An audit event was refused: {key} holds something that events must not carry.",
        "This is a defect in Frostbyte; report it with the request id.",
    )


def chain(
    row: DocumentRow,
    *,
    tenant_id: str,
    type: EventType,
    clock: Clock,
    actor: str,
    details: Mapping[str, Any],
    output: str = "",
) -> tuple[EventRow, DocumentRow]:
    """The next event of a document's chain, and the row that remembers it.

    Args:
        row: the document as it is stored, locked by the caller.
        tenant_id: whose plane this is.
        type: what happened.
        clock: the server's clock.
        actor: who did it.
        details: without input_hash and output_hash, which are set here.
        output: the commitment of what was made; where nothing was made, the one before is carried on.

    Raises:
        Invalid: `audit_event_refused`.
    """
    ends: dict[str, Any] = {}
    if row.last_output:
        ends["input_hash"] = row.last_output
    after = output or row.last_output
    if after:
        ends["output_hash"] = after
    event = make_event(
        tenant_id, type, clock, actor, "document", str(row.doc_id), {**details, **ends}, row.last_event_id
    )
    return event, replace(row, last_event_id=event.event_id, last_output=after)


def event_fields(event: EventRow) -> dict[str, Any]:
    """The event as the JSON object that is hashed, exported and shown."""
    previous = event.previous_event_id
    return {
        "event_id": str(event.event_id),
        "tenant_id": event.tenant_id,
        "type": event.type,
        "timestamp": iso(event.timestamp),
        "actor": event.actor,
        "resource_type": event.resource_type,
        "resource_id": event.resource_id,
        "details": event.details,
        "previous_event_id": None if previous is None else str(previous),
    }


def event_bytes(event: EventRow) -> bytes:
    """The canonical JSON of the event."""
    return canonical(event_fields(event))


def event_leaf(event: EventRow) -> bytes:
    """The event's leaf hash in the log: SHA-256(0x00 || canonical JSON) (RFC 6962, section 2.1)."""
    return leaf_hash(event_bytes(event))
