"""What the tests of the stores share: rows with everything filled that a test does not care about, and a way in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import (
    BatchRow,
    ChunkRow,
    DocumentRow,
    EventRow,
    JobRow,
    Outcome,
    ReceiptRow,
    Stage,
    State,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def document(**values: Any) -> DocumentRow:
    doc_id = values.pop("doc_id", None) or new_id()
    defaults: dict[str, Any] = {
        "doc_id": doc_id,
        "incarnation": 0,
        "state": State.RECEIVED,
        "mime": "text/plain",
        "size": 10,
        "received_at": NOW,
        "raw_object": f"raw/{doc_id}",
        "key_object": f"keys/{doc_id}.0",
        "sealed_name": b"\x00\xff sealed",
        "config_version": 1,
    }
    return DocumentRow(**(defaults | values))


def batch(**values: Any) -> BatchRow:
    return BatchRow(**({"batch_id": new_id(), "subject": "vendor", "created_at": NOW} | values))


def receipt(batch_id: UUID, position: int = 0, **values: Any) -> ReceiptRow:
    defaults: dict[str, Any] = {
        "receipt_id": new_id(),
        "batch_id": batch_id,
        "position": position,
        "outcome": Outcome.ACCEPTED,
        "size": 10,
        "mime": "text/plain",
        "created_at": NOW,
    }
    return ReceiptRow(**(defaults | values))


def job(**values: Any) -> JobRow:
    defaults: dict[str, Any] = {
        "job_id": new_id(),
        "doc_id": new_id(),
        "incarnation": 0,
        "stage": Stage.SCAN,
        "not_before": NOW,
    }
    return JobRow(**(defaults | values))


def chunk(doc_id: UUID, ordinal: int, **values: Any) -> ChunkRow:
    defaults: dict[str, Any] = {
        "chunk_id": new_id(),
        "doc_id": doc_id,
        "generation": "g1",
        "page": 1,
        "start": ordinal * 10,
        "end": ordinal * 10 + 10,
        "ordinal": ordinal,
        "object_offset": ordinal * 20,
        "object_length": 20,
    }
    return ChunkRow(**(defaults | values))


def event(**values: Any) -> EventRow:
    defaults: dict[str, Any] = {
        "event_id": new_id(),
        "tenant_id": "acme",
        "type": "DOCUMENT_INGESTED",
        "timestamp": NOW,
        "actor": "vendor",
        "resource_type": "document",
        "resource_id": "r1",
        "details": {"component": "intake", "duration_ms": 3, "status": "ok", "parts": [1, "zwei"]},
    }
    return EventRow(**(defaults | values))


def leaf(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


class Store(Protocol):
    def unit_of_work(self, *, reading: bool = False) -> AbstractContextManager[UnitOfWork]: ...


def write(store: Store, work: Callable[[UnitOfWork], object]) -> None:
    with store.unit_of_work() as uow:
        work(uow)
        uow.commit()
