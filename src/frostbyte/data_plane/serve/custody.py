"""The chain of custody of a document or passage: when it was received, scanned, parsed, judged, embedded and indexed,
by which version, with which verdict; and what people decided about it. Read from the audit's events and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.data_plane.serve.documents import Documents
from frostbyte.data_plane.serve.proofs import chain_of
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.ports.scanner import Verdict
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.records import EventRow


class Link(StrEnum):
    """The links of the chain, in their order."""

    RECEIVED = "received"
    SCANNED = "scanned"
    PARSED = "parsed"
    JUDGED = "judged"
    EMBEDDED = "embedded"
    INDEXED = "indexed"


class Standing(StrEnum):
    """How a link of the chain stands."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"
    """Not come to, or not come to again."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One link."""

    link: Link
    standing: Standing
    at: datetime | None = None
    """When its event was written; None while it is open."""
    actor: str = ""
    version: str = ""
    """Of what did it: the scanner's engine, the parser, the policy, the model, the generation of the index."""
    details: dict[str, Any] = {}
    """Of its event: counts, codes and labels."""
    found: dict[str, int] = {}
    """Personal data that the policy gate found, by type."""
    event_id: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person, or the gate in a person's stead, decided about the document or one passage."""

    type: str
    """Of the event."""
    at: datetime
    actor: str
    details: dict[str, Any]
    event_id: str


class Custody(msgspec.Struct, frozen=True, kw_only=True):
    """The chain as it stands."""

    steps: tuple[Step, ...]
    """One for each link, in their order."""
    decisions: tuple[Decision, ...]
    """Oldest first."""
    passes: int
    """How often the document was sent through: 1, and one more for every retry and every new index."""
    events: int
    """Events of the document in the audit."""


_DOES: Final = {
    EventType.DOCUMENT_SCANNED: (Link.SCANNED, "engine"),
    EventType.DOCUMENT_PARSED: (Link.PARSED, "pipeline_version"),
    EventType.DOCUMENT_PARSE_FAILED: (Link.PARSED, ""),
    EventType.POLICY_GATE_PASSED: (Link.JUDGED, "pipeline_version"),
    EventType.POLICY_GATE_FAILED: (Link.JUDGED, ""),
    EventType.DOCUMENT_EMBEDDED: (Link.EMBEDDED, "model"),
    EventType.INDEX_WRITTEN: (Link.INDEXED, "generation"),
}
"""What the stages write when they end, and which detail names the version."""
_FAILED: Final = {
    EventType.DOCUMENT_PARSE_FAILED,
    EventType.POLICY_GATE_FAILED,
    EventType.EMBEDDING_FAILED,
}

_DECIDED: Final = {EventType.CONTENT_WITHHELD, EventType.CONTENT_RELEASED, EventType.DOCUMENT_ERASED}
_REVIEW: Final = "review"


def custody_of(events: Sequence[EventRow], *, generation: str = "", chunk_id: UUID | None = None) -> Custody:
    """The chain that a document's events tell.

    Args:
        events: the whole chain, oldest first.
        generation: tell of the pass that wrote this generation to the index; "" tells of the newest pass.
        chunk_id: leave out decisions about other passages.
    """
    ends = max((at for at, event in enumerate(events) if _writes(event, generation)), default=len(events) - 1)
    told = events[: ends + 1] if generation else events
    begins = max((at for at, event in enumerate(told) if event.type == EventType.DOCUMENT_INGESTED), default=0)
    found: dict[Link, Step] = {}
    for at, event in enumerate(told):
        step = _step(event)
        # A new index begins with the parser: the file is the one that was received and scanned before.
        if step is not None and (at >= begins or step.link in (Link.RECEIVED, Link.SCANNED)):
            found[step.link] = step
    pii = {
        event.details["pii_type"]: event.details.get("count", 0)
        for event in told[begins:]
        if event.type == EventType.PII_DETECTED and "pii_type" in event.details
    }
    if Link.JUDGED in found:
        found[Link.JUDGED] = msgspec.structs.replace(found[Link.JUDGED], found=pii)
    return Custody(
        steps=tuple(found.get(link, Step(link=link, standing=Standing.OPEN)) for link in Link),
        decisions=tuple(_decision(event) for event in events if _decided(event, chunk_id)),
        passes=sum(event.type == EventType.DOCUMENT_INGESTED for event in told),
        events=len(events),
    )


def _writes(event: EventRow, generation: str) -> bool:
    return event.type == EventType.INDEX_WRITTEN and event.details.get("generation") == generation


def _step(event: EventRow) -> Step | None:
    """The link that an event is; None where it is none: a review, a rebuild's beginning, a finding on the way."""
    said = event.details
    if event.type == EventType.DOCUMENT_INGESTED:
        if said.get("output_hash") == said.get("input_hash"):
            return None  # a retry brings no file
        return _made(event, Link.RECEIVED, "")
    if said.get("component") == _REVIEW:
        return None
    if event.type == EventType.EMBEDDING_FAILED:
        return _made(event, Link.INDEXED if said.get("component") == "index" else Link.EMBEDDED, "")
    return _made(event, *_DOES[EventType(event.type)]) if event.type in _DOES else None


def _made(event: EventRow, link: Link, version: str) -> Step:
    said = event.details
    failed = event.type in _FAILED or said.get("status") == "failed" or said.get("verdict") == Verdict.INFECTED
    return Step(
        link=link,
        standing=Standing.FAILED if failed else Standing.DONE,
        at=event.timestamp,
        actor=event.actor,
        version=str(said.get(version, "")),
        details=said,
        event_id=str(event.event_id),
    )


def _decided(event: EventRow, chunk_id: UUID | None) -> bool:
    about = event.details.get("chunk_id")
    if event.type not in _DECIDED and event.details.get("component") != _REVIEW:
        return False
    return chunk_id is None or about is None or about == str(chunk_id)


def _decision(event: EventRow) -> Decision:
    return Decision(
        type=event.type,
        at=event.timestamp,
        actor=event.actor,
        details=event.details,
        event_id=str(event.event_id),
    )


class CustodyRecord:
    """Tells the chain of custody."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, documents: Documents) -> None:
        self._unit_of_work = unit_of_work
        self._documents = documents

    def document(self, doc_id: UUID) -> Custody:
        """Of a document: the pass that made what answers now, or the newest where nothing answers.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `audit_chain_broken`.
        """
        row = self._documents.row(doc_id)
        return custody_of(self._chain(row.last_event_id), generation=row.active_generation)

    def passage(self, chunk_id: UUID) -> Custody:
        """Of a visible passage: the pass that wrote it to the index, with what was decided about it.

        Raises:
            NotFound: `chunk_not_found`.
            Conflict: `audit_chain_broken`.
        """
        row, chunk = self._documents.chunk(chunk_id)
        return custody_of(self._chain(row.last_event_id), generation=chunk.generation, chunk_id=chunk_id)

    def _chain(self, last: UUID | None) -> list[EventRow]:
        if last is None:
            return []
        with self._unit_of_work(reading=True) as uow:
            return chain_of(uow, last)
