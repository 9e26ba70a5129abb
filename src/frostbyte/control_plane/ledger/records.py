"""What the ledger remembers. All of it is only ever added to, but for `StandingRow`, which says how pulling goes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from frostbyte.kernel.records import Row


class Finding(StrEnum):
    """What can be wrong with what a plane shows. The names are those of alerts, metrics and the runbook."""

    GAP = "gap"
    """Numbers are missing, doubled or out of order, or fewer events were shown than were signed."""
    FORK = "fork"
    """The plane's key signed a history that does not continue the one that was cosigned."""
    ROLLBACK = "rollback"
    """The plane's newest checkpoint is smaller than one that was seen before."""
    ALTERED = "altered"
    """The events shown are not those that were signed, though the history before them is unchanged."""
    SIGNATURE_WRONG = "signature_wrong"
    """A checkpoint that the pinned log key did not sign."""
    FOREIGN_EVENTS = "foreign_events"
    """Events of another tenant."""
    MALFORMED = "malformed"
    """Something that is no event line or no checkpoint, or not in the one canonical form."""
    CHAIN_BROKEN = "chain_broken"
    """A document's event does not begin with what the one before it ended with."""
    SILENCE = "silence"
    """No answer for too long, though the tenant is active."""

    @property
    def stops(self) -> bool:
        """Whether the plane is not pulled further until an operator acknowledges it."""
        return self not in (Finding.CHAIN_BROKEN, Finding.SILENCE)


class LogRow(Row, frozen=True, kw_only=True):
    """One log that is followed. A plane that was restored has another key, so its tenant has another log."""

    log_id: int
    tenant_id: str
    log_key: str
    """Its verifier key, as the registry pinned it."""
    began_at: datetime


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A verified event on its way into the store."""

    sequence: int
    type: str
    timestamp: datetime
    resource_id: str
    leaf: bytes
    event: bytes
    """Canonical JSON of the event: what the leaf hashes."""

    @property
    def line(self) -> bytes:
        """As it stands in an export."""
        return b'{"event":%b,"sequence":%d}\n' % (self.event, self.sequence)


class StepRow(Row, frozen=True, kw_only=True):
    """How far a log is verified: the state after one transaction."""

    log_id: int
    size: int
    edge: bytes
    """The complete subtrees over the log (kernel.audit.merkle.pieces), 32 bytes each, left to right."""
    root: bytes
    note: str
    """The plane's checkpoint of this size, with our cosignature as its last line."""
    last_timestamp: datetime
    """The latest that any event so far bears: what happened later than it lies beyond this step."""
    stored_at: datetime

    @property
    def hashes(self) -> list[bytes]:
        """The edge, taken apart."""
        return [self.edge[at : at + 32] for at in range(0, len(self.edge), 32)]


class AlertRow(Row, frozen=True, kw_only=True):
    """A finding, with what shows it."""

    alert_id: UUID
    log_id: int
    tenant_id: str
    finding: Finding
    size: int
    """Of the verified log when it was found."""
    position: int
    """Number of the event or size of the checkpoint that it is about."""
    message: str
    evidence: bytes
    """What shows it, at most `MAX_EVIDENCE` bytes: signed notes, then the bytes around the spot."""
    raised_at: datetime


MAX_EVIDENCE = 16 * 1024
"""Bytes: two notes with signatures of several witnesses (1 KiB each) and a few events (0.5 KiB each) fit."""


class EndingRow(Row, frozen=True, kw_only=True):
    """Why an alert is no longer open."""

    alert_id: UUID
    ended_at: datetime
    actor: str
    """Who acknowledged it; `ledger` where it ended by itself."""
    reason: str
    """A code."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert and how it ended, if it did."""

    row: AlertRow
    ending: EndingRow | None


class StandingRow(Row, frozen=True, kw_only=True):
    """How pulling one log goes. Overwritten: nothing depends on its history."""

    log_id: int
    heard_at: datetime | None
    """When the plane last answered with its newest checkpoint."""
    current_at: datetime | None
    """When the ledger last held all that the plane had signed."""
    plane_size: int
    """Of the newest checkpoint that the plane showed."""
    code: str
    """Of the error of the last attempt; '' when it went well."""
